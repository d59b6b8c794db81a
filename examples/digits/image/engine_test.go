package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestImageServes runs the image as Fairlead does: no capabilities, a read-only
// root, the image's own user.
func TestImageServes(t *testing.T) {
	e := connect(t)
	name := fmt.Sprintf("digits-image-test-%d", os.Getpid())
	tag := name + ":1.0.0"
	t.Cleanup(func() { _ = e.call("DELETE", "/images/"+tag+"?force=1", nil, nil) })
	args := []string{"--load", "--name", name, "--out", t.TempDir(), writeWeights(t, "1.0.0")}
	if err := run(t.Context(), args, t.Output()); err != nil {
		t.Fatal(err)
	}

	var created struct{ ID string }
	e.must("POST", "/containers/create?name="+name, map[string]any{
		"Image": tag, "Env": []string{"THREADS=1", "LINGER=0s"},
		"HostConfig": map[string]any{"ReadonlyRootfs": true, "CapDrop": []string{"ALL"}, "SecurityOpt": []string{"no-new-privileges"}},
	}, &created)
	t.Cleanup(func() { _ = e.call("DELETE", "/containers/"+created.ID+"?force=1", nil, nil) })
	e.must("POST", "/containers/"+created.ID+"/start", nil, nil)

	var inspected struct {
		Config          struct{ User string }
		NetworkSettings struct{ IPAddress string }
	}
	e.must("GET", "/containers/"+created.ID+"/json", nil, &inspected)
	if inspected.Config.User != nobody {
		t.Errorf("it runs as %q, want %s", inspected.Config.User, nobody)
	}
	url := "http://" + inspected.NetworkSettings.IPAddress + ":8080/v2/models/digits/ready"
	if body := waitFor(t, url); !strings.Contains(body, `{"name":"digits","ready":true}`) {
		t.Errorf("got %s", body)
	}

	e.must("POST", "/containers/"+created.ID+"/stop?t=10", nil, nil)
	var stopped struct{ State struct{ ExitCode int } }
	e.must("GET", "/containers/"+created.ID+"/json", nil, &stopped)
	if stopped.State.ExitCode != 0 {
		t.Errorf("it ended with %d on SIGTERM, want 0", stopped.State.ExitCode)
	}
}

// engine is the little of the engine's API that the test needs.
type engine struct {
	t    *testing.T
	http *http.Client
	base string
}

func connect(t *testing.T) *engine {
	t.Helper()
	client, base, err := dialEngine(os.Getenv("DOCKER_HOST"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	e := &engine{t, client, base}
	if err := e.call("GET", "/_ping", nil, nil); err != nil {
		t.Skipf("this test needs a Docker Engine: %v", err)
	}
	return e
}

func (e *engine) must(method, path string, body, into any) {
	e.t.Helper()
	if err := e.call(method, path, body, into); err != nil {
		e.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (e *engine) call(method, path string, body, into any) error {
	// Not t.Context(): cleaning up happens after that ended.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, e.base+path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := e.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 400 {
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// waitFor asks until the answer is 200, or a busy machine has had time enough.
func waitFor(t *testing.T, url string) (body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			text, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return string(text)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s did not answer in time", url)
		}
	}
}
