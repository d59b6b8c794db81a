package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile/plan"
)

// environment is one owner's share of an engine, and all that the program needs
// to look after it.
type environment struct {
	t       *testing.T
	owner   string
	image   string // of the model server
	engine  *engine
	proxy   *providertest.EngineProxy // between the program and the engine
	data    string
	secrets string
	gateway string   // HOST:PORT
	env     []string // of the program
	daemon  *process // nil while none was started
	api     *http.Client
}

// newEnvironment makes an environment on the machine's engine.
func newEnvironment(t *testing.T) *environment {
	t.Helper()
	return newEnvironmentOn(t, providertest.EngineSocket(t))
}

// newEnvironmentOn makes an environment on the engine at the socket. When the
// test ends it is taken down, and nothing may be left of it.
func newEnvironmentOn(t *testing.T, socket string) *environment {
	t.Helper()
	owner := "e2e-" + strings.ToLower(rand.Text()[:10])
	dir := t.TempDir()
	e := &environment{
		t: t, owner: owner, engine: newEngine(t, socket), image: modelImage(t, socket, owner),
		data: filepath.Join(dir, "data"), secrets: filepath.Join(dir, "run"), gateway: freeAddress(t),
	}
	t.Cleanup(e.takeDown)
	e.proxy = providertest.NewEngineProxy(t, socket)
	e.env = slices.DeleteFunc(os.Environ(), func(pair string) bool {
		return strings.HasPrefix(pair, "FAIRLEAD_") || strings.HasPrefix(pair, "DOCKER_")
	})
	e.set("OWNER", owner)
	e.set("DATA", e.data)
	e.set("SECRETS_DIR", e.secrets)
	e.set("GATEWAY", e.gateway)
	e.set("ENGINE", e.proxy.Host())
	e.set("DOCKER_CONFIG", t.TempDir()) // no credentials
	e.set("INTERVAL", "2s")
	e.set("ALLOW_DESTROY", "true")
	e.set("ALLOW_EMPTY", "true")
	e.set("CPU_OVERCOMMIT", "100") // machines that test have few
	return e
}

// set gives the program a flag through its environment; a later one wins.
func (e *environment) set(flag, value string) {
	name := "FAIRLEAD_" + flag + "="
	e.env = slices.DeleteFunc(e.env, func(pair string) bool { return strings.HasPrefix(pair, name) })
	e.env = append(e.env, name+value)
}

// freeAddress is an address of this host on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// takeDown destroys the environment as an operator does, past the proxy, and
// looks for what is left.
func (e *environment) takeDown() {
	if e.daemon != nil {
		e.daemon.kill()
	}
	gateway := ""
	for _, c := range e.engine.containers(e.owner) {
		if c.isGateway() {
			gateway = c.Image
		}
	}
	e.set("ENGINE", "unix://"+e.engine.socket)
	if out, code := run(e.t, e.env, "destroy", "--yes"); code != 0 {
		e.t.Errorf("fairlead destroy ends with %d:\n%s", code, out)
	}
	for _, c := range e.engine.containers(e.owner) {
		e.t.Errorf("destroy has left container %v", c.Names)
		_ = e.engine.call(http.MethodDelete, "/containers/"+c.ID+"?force=1&v=1", nil, nil)
	}
	for _, name := range e.engine.networks(e.owner) {
		e.t.Errorf("destroy has left network %s", name)
		_ = e.engine.call(http.MethodDelete, "/networks/"+name, nil, nil)
	}
	for _, name := range e.engine.volumes(e.owner) {
		e.t.Errorf("destroy has left volume %s", name)
		_ = e.engine.call(http.MethodDelete, "/volumes/"+name, nil, nil)
	}
	// The lock's file stays, since the lock is not in it; no other run has this owner.
	for _, dir := range []string{"/run/fairlead", filepath.Join(os.TempDir(), fmt.Sprintf("fairlead-%d", os.Geteuid()))} {
		locks, _ := filepath.Glob(filepath.Join(dir, e.owner+".*.lock"))
		for _, lock := range locks {
			_ = os.Remove(lock)
		}
	}
	if gateway != "" {
		// Another environment of this run may use it still; the last one removes it.
		if err := e.engine.call(http.MethodDelete, "/images/"+gateway, nil, nil); err != nil {
			e.t.Logf("the gateway image stays: %v", err)
		}
	}
}

// fairlead runs the program to its end.
func (e *environment) fairlead(args ...string) (string, int) {
	e.t.Helper()
	return run(e.t, e.env, args...)
}

// serve starts the daemon on a repository.
func (e *environment) serve(source string) *process {
	e.t.Helper()
	e.daemon = start(e.t, e.env, "serve", "--repo", source, "--log-level", "debug", "--log-format", "json")
	return e.daemon
}

// get asks the daemon's API over its socket.
func (e *environment) get(path string, answer any) error {
	text, err := e.ask(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, answer)
}

func (e *environment) ask(path string) ([]byte, error) {
	if e.api == nil {
		e.api = unixClient(e.t, filepath.Join(e.data, app.SocketName))
	}
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://daemon"+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := e.api.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return io.ReadAll(response.Body)
}

// status is what the daemon says; false while it says nothing.
func (e *environment) status() (app.DaemonStatus, bool) {
	var s app.DaemonStatus
	return s, e.get("/api/v1/status", &s) == nil
}

// until waits for a condition. Where it does not come true, the test ends with
// what the daemon thinks and has logged.
func (e *environment) until(wanted string, satisfied func() bool) {
	e.t.Helper()
	e.untilNothing(func() string {
		if satisfied() {
			return ""
		}
		return "not so: " + wanted
	})
}

// untilNothing is until, for a condition that can say what it waits for.
func (e *environment) untilNothing(missing func() string) {
	e.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		what := missing()
		if what == "" {
			return
		}
		select {
		case <-again.C:
			continue
		case <-deadline.C:
		}
		status, _ := e.ask("/api/v1/status")
		logged := ""
		if e.daemon != nil {
			logged = e.daemon.log.tail()
		}
		e.t.Fatalf("still, after %s: %s\nstatus: %s\nlog: %s", patience, what, status, logged)
	}
}

// converged waits until the daemon says that the commit runs.
func (e *environment) converged(commit string) {
	e.t.Helper()
	e.until("converged at "+commit, func() bool {
		s, ok := e.status()
		return ok && s.Converged && s.Commit.ID == commit
	})
}

// exactly waits until just these models run, and the gateway, each once, and
// checks that nothing is left to do. What an engine was told before a crash may
// take effect after it, so the answer is waited for; but an orphan stays.
func (e *environment) exactly(models ...model) {
	e.t.Helper()
	e.untilNothing(func() string { return e.difference(models) })
	var p plan.Plan
	e.until("an empty plan", func() bool { return e.get("/api/v1/plan", &p) == nil && p.Empty() })
}

// difference says how the owner's containers and networks are not what they
// should be.
func (e *environment) difference(models []model) string {
	want := map[string]int{"": 1} // the gateway
	for _, m := range models {
		want[m.name] = m.replicas
	}
	have := map[string]int{}
	revisions := map[string]string{}
	for _, c := range e.engine.containers(e.owner) {
		if c.State != "running" {
			return fmt.Sprintf("%v is %s", c.Names, c.State)
		}
		name := c.model()
		have[name]++
		if other := revisions[name]; other != "" && other != c.revision() {
			return fmt.Sprintf("%s runs in two revisions", name)
		}
		revisions[name] = c.revision()
	}
	for name, n := range have {
		if want[name] != n {
			return fmt.Sprintf("%d containers of %q, want %d", n, name, want[name])
		}
	}
	for name, n := range want {
		if have[name] != n {
			return fmt.Sprintf("%d containers of %q, want %d", have[name], name, n)
		}
	}
	if networks := e.engine.networks(e.owner); len(networks) != 1 {
		return fmt.Sprintf("networks %v, want one", networks)
	}
	return ""
}

// replicas returns the ids of a model's containers.
func (e *environment) replicas(name string) []string {
	e.t.Helper()
	var ids []string
	for _, c := range e.engine.containers(e.owner) {
		if c.model() == name {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// url is where the gateway serves a model.
func (e *environment) url(name string) string {
	return "http://" + e.gateway + "/v2/models/" + name
}

// serving asks a model through the gateway for the version that answers.
func (e *environment) serving(name string) string {
	e.t.Helper()
	var answer struct{ Versions []string }
	if err := json.Unmarshal([]byte(e.fetch(e.url(name))), &answer); err != nil {
		e.t.Fatal(err)
	}
	return strings.Join(answer.Versions, ",")
}

// fetch gets a page that has to be there.
func (e *environment) fetch(url string) string {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		e.t.Fatalf("GET %s: %s %v: %s", url, response.Status, err, text)
	}
	return string(text)
}
