package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// status is that of the answer to a request as written.
func status(t *testing.T, g *rig, text string) int {
	t.Helper()
	connection := dribble(t, g, text)
	defer func() { _ = connection.Close() }()
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

func TestPathThatCouldPassForAnotherIsRefusedWhereItMatters(t *testing.T) {
	b, free := newBackend(t, "a", nil), newBackend(t, "b", nil)
	g := start(t, nil)
	m := model("digits", revision("r1", 100, b.replica()))
	m.Routes = []reconcile.RoutedPath{{Path: "/"}, {Path: "/admin", Auth: keys("k")}}
	open := model("open", revision("r1", 100, free.replica()))
	open.Routes = []reconcile.RoutedPath{{Path: "/open"}}
	g.push(t, m, open)
	g.ready(t)
	for path, want := range map[string]int{
		"/x": 200, "/x/": 200, "/x;v=1": 200, "/x%20y": 200, "/100%25": 200, "/admin": 401, "/%61dmin": 401,
		"//admin": 400, "/x//admin": 400, "/%2fadmin": 400, "/x\\..\\admin": 400, "/x%5c..%5cadmin": 400, "/.;/admin": 400, "/x/..;a=b/admin": 400,
		"/%252e%252e/admin": 400, "/%2561dmin": 400, "/x%252fadmin": 400, "/x/../admin": 400,
		"/open//x": 200, "/open/%252e": 200,
	} {
		t.Run(path, func(t *testing.T) {
			if got := status(t, g, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); got != want {
				t.Errorf("got %d, want %d", got, want)
			}
		})
	}
}

func TestTunnelsAndTracesAreRefused(t *testing.T) {
	g := oneModel(t, nil, nil)
	for _, line := range []string{"CONNECT /v2/models/digits", "CONNECT x:80", "TRACE /v2/models/digits"} {
		if got := status(t, g, line+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); got != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d, want 405", line, got)
		}
	}
}

func TestClientCannotPassForACopy(t *testing.T) {
	g := oneModel(t, nil, func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, r.Header["X-Fairlead-Mirrored"]) })
	if _, body := g.get(t, "/v2/models/digits", func(r *http.Request) { r.Header.Set("X-Fairlead-Mirrored", "1") }); body != "[]" {
		t.Errorf("the model got %s", body)
	}
}

func TestFallbackIsNoWayAroundItsDoors(t *testing.T) {
	var broken atomic.Bool
	first := newBackend(t, "first-1", func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	guarded := newBackend(t, "spare-1", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, "spare ", r.Header["X-Api-Key"])
	})
	withKey := func(r *http.Request) { r.Header.Set("X-Api-Key", "k") }
	for _, c := range []struct {
		name      string
		replicas  []reconcile.RoutedReplica
		wantWhole int // the status that stands where the fallback may not answer
	}{
		{"of a model without replica", nil, http.StatusServiceUnavailable},
		{"of a model that fails", []reconcile.RoutedReplica{first.replica()}, http.StatusInternalServerError},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := start(t, nil)
			m := model("digits", revision("r1", 100, c.replicas...))
			m.Routes = []reconcile.RoutedPath{{Path: "/digits", Fallback: "spare"}}
			spare := model("spare", revision("s1", 100, guarded.replica()))
			spare.Routes = []reconcile.RoutedPath{{Path: "/spare", Auth: keys("k"), Limit: &spec.RouteLimit{Rate: 0.001, Burst: 2}}}
			broken.Store(false)
			g.push(t, m, spare)
			g.ready(t)
			broken.Store(true)
			before := guarded.requests.Load()
			if answer, body := g.get(t, "/digits", nil); answer.StatusCode != c.wantWhole {
				t.Errorf("without a key: %s %s", answer.Status, body)
			}
			for range 2 {
				if answer, body := g.get(t, "/digits", withKey); answer.StatusCode != http.StatusOK || body != "spare []" {
					t.Errorf("with a key: %s %s", answer.Status, body)
				}
			}
			if answer, body := g.get(t, "/digits", withKey); answer.StatusCode != c.wantWhole {
				t.Errorf("above the limit: %s %s", answer.Status, body)
			}
			if n := guarded.requests.Load() - before; n != 2 {
				t.Errorf("the fallback got %d requests, want 2", n)
			}
		})
	}
}

func TestBodyOnItsWayHoldsNoSlot(t *testing.T) {
	b := newBackend(t, "a", nil)
	g := start(t, nil)
	m := model("digits", revision("r1", 100, b.replica()))
	m.Routes = []reconcile.RoutedPath{{Path: "/digits", Limit: &spec.RouteLimit{Concurrency: 1}}}
	g.push(t, m)
	g.ready(t)
	slow := dribble(t, g, "POST /digits HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf ")
	passed := 0
	for range 20 { // one may be refused, since the one before has not quite ended
		if answer, _ := g.get(t, "/digits", nil); answer.StatusCode == http.StatusOK {
			passed++
		}
	}
	if passed < 5 {
		t.Errorf("%d of 20 requests passed beside half a body", passed)
	}
	if _, err := io.WriteString(slow, "done "); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(slow), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil || !strings.HasPrefix(string(body), "a /digits") {
		t.Errorf("the slow one got %s %q, %v", answer.Status, body, err)
	}
}
