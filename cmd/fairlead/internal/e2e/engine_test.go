package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// engine is the engine itself, past any proxy: what the tests look at, and what
// they do by hand. It speaks plain HTTP, since the SDK lives in providers/docker.
type engine struct {
	t      *testing.T
	socket string
	client *http.Client
}

func newEngine(t *testing.T, socket string) *engine {
	t.Helper()
	return &engine{t, socket, unixClient(t, socket)}
}

// unixClient is an HTTP client whose every connection goes to the socket.
func unixClient(t *testing.T, socket string) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// call makes one call and reads the answer into it, unless that is nil.
func (e *engine) call(method, path string, body, answer any) error {
	// It outlives the test's context, because it cleans up as well.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.t.Context()), patience)
	defer cancel()
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := e.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, bytes.TrimSpace(text))
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// must makes one call that has to succeed.
func (e *engine) must(method, path string, body, answer any) {
	e.t.Helper()
	if err := e.call(method, path, body, answer); err != nil {
		e.t.Fatal(err)
	}
}

// container is one line of the engine's list.
type container struct {
	ID     string `json:"Id"`
	Names  []string
	Image  string
	State  string
	Labels map[string]string
}

func (c *container) model() string    { return c.Labels[reconcile.LabelModel] }
func (c *container) revision() string { return c.Labels[reconcile.LabelRevision] }
func (c *container) isGateway() bool  { return c.Labels[reconcile.LabelKind] == "gateway" }

// ofOwner is the filter for everything that carries the label of an owner.
func ofOwner(owner string) string {
	filter := fmt.Sprintf(`{"label":[%q]}`, reconcile.LabelOwner+"="+owner)
	return "filters=" + url.QueryEscape(filter)
}

// containers lists the owner's containers, of any state.
func (e *engine) containers(owner string) []container {
	e.t.Helper()
	var found []container
	e.must(http.MethodGet, "/containers/json?all=1&"+ofOwner(owner), nil, &found)
	slices.SortFunc(found, func(a, b container) int {
		return strings.Compare(strings.Join(a.Names, ","), strings.Join(b.Names, ","))
	})
	return found
}

// networks returns the names of the owner's networks.
func (e *engine) networks(owner string) []string {
	e.t.Helper()
	var found []struct{ Name string }
	e.must(http.MethodGet, "/networks?"+ofOwner(owner), nil, &found)
	var names []string
	for _, n := range found {
		names = append(names, n.Name)
	}
	return names
}

// volumes returns the names of the volumes that begin with the owner's name and
// the dot that follows it.
func (e *engine) volumes(owner string) []string {
	e.t.Helper()
	var found struct{ Volumes []struct{ Name string } }
	e.must(http.MethodGet, "/volumes", nil, &found)
	var names []string
	for _, v := range found.Volumes {
		if strings.HasPrefix(v.Name, owner+".") {
			names = append(names, v.Name)
		}
	}
	return names
}

// remove removes a container by hand.
func (e *engine) remove(id string) {
	e.t.Helper()
	e.must(http.MethodDelete, "/containers/"+id+"?force=1&v=1", nil, nil)
}

// patience is how long anything may take that should take a second: the machine
// may be busy.
const patience = 2 * time.Minute
