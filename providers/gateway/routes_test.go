package gateway_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// routedRig is a gateway with models of every way in: by name, by path, by host.
func routedRig(t *testing.T) *rig {
	t.Helper()
	digits, fraud, shop := newBackend(t, "digits-1", nil), newBackend(t, "fraud-1", nil), newBackend(t, "shop-1", nil)
	g := start(t, nil)
	byPath := model("digits", revision("r1", 100, digits.replica()))
	byPath.Routes = []reconcile.RoutedPath{
		{Path: "/digits"}, {Path: "/short", Strip: true}, {Path: "/a/b/c", Strip: true}, {Host: "shop.example", Path: "/digits"},
	}
	byHost := model("shop", revision("r1", 100, shop.replica()))
	byHost.Protocol = spec.HTTP
	byHost.Routes = []reconcile.RoutedPath{{Host: "shop.example", Path: "/"}, {Path: "/a"}}
	g.push(t, byPath, model("fraud", revision("r1", 100, fraud.replica())), byHost)
	g.ready(t)
	return g
}

func TestRoutes(t *testing.T) {
	g := routedRig(t)
	cases := []struct{ name, host, path, want string }{
		{"model by its name", "", "/v2/models/digits", "digits-1 /v2/models/digits"},
		{"model's own paths and query", "", "/v2/models/fraud/versions/1/infer?a=b", "fraud-1 /v2/models/fraud/versions/1/infer?a=b"},
		{"a name is a whole segment", "", "/v2/models/fraudulent", "404"},
		{"an http model has no name in the protocol", "", "/v2/models/shop", "404"},
		{"route by prefix forwards the path", "", "/digits/x/y", "digits-1 /digits/x/y"},
		{"route matches itself", "", "/digits", "digits-1 /digits"},
		{"prefix is whole segments", "", "/digitsy", "404"},
		{"strip removes the prefix", "", "/short/v2/x", "digits-1 /v2/x"},
		{"strip leaves a slash", "", "/short", "digits-1 /"},
		{"strip keeps what is encoded", "", "/short/a%2Fb", "digits-1 /a%2Fb"},
		{"strip finds an encoded prefix", "", "/%73hort/a%2Fb", "digits-1 /a%2Fb"},
		{"the longest prefix wins", "", "/a/b/c/d", "digits-1 /d"},
		{"a shorter prefix takes the rest", "", "/a/b/d", "shop-1 /a/b/d"},
		{"host comes before path", "shop.example", "/v2/models/digits", "shop-1 /v2/models/digits"},
		{"host in any case, with port and dot", "SHOP.example.:8080", "/x", "shop-1 /x"},
		{"longest prefix within a host", "shop.example", "/digits/1", "digits-1 /digits/1"},
		{"another host", "other.example", "/x", "404"},
		{"dot segments are refused", "", "/digits/../v2", "400"},
		{"encoded dot segments are refused", "", "/digits/%2e%2e/v2", "400"},
		{"dots in a name are fine", "", "/digits/..x/.y", "digits-1 /digits/..x/.y"},
		{"double slash is another path", "", "//digits", "404"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			asWritten, err := url.ParseRequestURI(c.path)
			if err != nil {
				t.Fatal(err)
			}
			answer, body := g.get(t, "", func(r *http.Request) {
				asWritten.Scheme, asWritten.Host = r.URL.Scheme, r.URL.Host
				r.Host, r.URL = c.host, asWritten
			})
			if len(c.want) == 3 {
				body = answer.Status[:3]
			}
			if body != c.want {
				t.Errorf("got %q, want %q", body, c.want)
			}
		})
	}
}

func TestOwnEndpoints(t *testing.T) {
	g := start(t, nil)
	status := func(path string) (int, string) {
		t.Helper()
		answer, body := g.get(t, path, nil)
		return answer.StatusCode, strings.TrimSpace(body)
	}
	if code, body := status("/v2/health/live"); code != 200 || body != `{"live":true}` {
		t.Errorf("live before the first table: %d %s", code, body)
	}
	if code, body := status("/v2/health/ready"); code != 503 || !strings.Contains(body, "no routing table yet") {
		t.Errorf("ready before the first table: %d %s", code, body)
	}
	if code, body := status("/v2/models/digits"); code != 404 || !strings.Contains(body, "no routing table yet") {
		t.Errorf("a model before the first table: %d %s", code, body)
	}
	g.push(t, model("digits", revision("r1", 100)))
	for path, want := range map[string]string{
		"/v2/health/ready": `{"ready":true}`,
		"/v2":              `{"name":"fairlead","version":"test","extensions":[]}`,
		"/v2/models":       `{"models":["digits"]}`,
	} {
		if code, body := status(path); code != 200 || body != want {
			t.Errorf("%s: %d %s, want %s", path, code, body, want)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/v2", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if answer, _ := do(t, request); answer.StatusCode != 405 {
		t.Errorf("POST /v2: %s, want 405", answer.Status)
	}
}

func TestErrorsSayWhatAndWhatToDo(t *testing.T) {
	slow := newBackend(t, "slow-1", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	rude := newBackend(t, "rude-1", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	g := start(t, nil)
	late := model("late", revision("r1", 100, slow.replica()))
	late.Routes = []reconcile.RoutedPath{{Path: "/late", Timeout: 50 * time.Millisecond}}
	g.push(t, model("empty", revision("r1", 100)), late, model("rude", revision("r1", 100, rude.replica())))
	g.ready(t)
	cases := []struct {
		name, path string
		status     int
		says       []string
	}{
		{"no replica", "/v2/models/empty", 503, []string{"model empty", "no ready replica", "try again"}},
		{"time-out", "/late/infer", 504, []string{"model late", "50ms", "timeout"}},
		{"broken connection", "/v2/models/rude", 502, []string{"model rude (revision r1)", "logs"}},
		{"unknown model", "/v2/models/digits/infer", 404, []string{`no model "digits"`, "/v2/models"}},
		{"no route", "/nowhere", 404, []string{`"/nowhere"`, "route blocks"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			answer, body := g.get(t, c.path, func(r *http.Request) { r.Header.Set("X-Request-Id", "my-id-7") })
			var said struct {
				Error     string `json:"error"`
				RequestID string `json:"request_id"`
			}
			if err := json.Unmarshal([]byte(body), &said); err != nil {
				t.Fatalf("%s is no JSON: %v", body, err)
			}
			if answer.StatusCode != c.status || answer.Header.Get("Content-Type") != "application/json" {
				t.Errorf("status %d, type %s; want %d as JSON", answer.StatusCode, answer.Header.Get("Content-Type"), c.status)
			}
			for _, want := range c.says {
				if !strings.Contains(said.Error, want) {
					t.Errorf("error %q does not say %q", said.Error, want)
				}
			}
			if said.RequestID != "my-id-7" || answer.Header.Get("X-Request-Id") != "my-id-7" {
				t.Errorf("request id %q, header %q; want my-id-7", said.RequestID, answer.Header.Get("X-Request-Id"))
			}
			if strings.Contains(body, "127.0.0.1") {
				t.Errorf("error %q tells an address of the inner network", body)
			}
		})
	}
}

func TestHeadersOfTheProxy(t *testing.T) {
	got := make(chan http.Header, 1)
	echo := newBackend(t, "echo-1", func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Host", r.Host)
		got <- r.Header
		w.Header().Set("X-Request-Id", "the-model-s-own")
		w.Header().Set("Connection", "X-Inner")
		w.Header().Set("X-Inner", "1")
	})
	g := start(t, nil)
	g.push(t, model("echo", revision("r1", 100, echo.replica())))
	g.ready(t)
	ask := func(change func(*http.Request)) (inner http.Header, answer *http.Response) {
		t.Helper()
		answer, _ = g.get(t, "/v2/models/echo", change)
		return <-got, answer
	}

	inner, answer := ask(func(r *http.Request) {
		r.Host = "models.example"
		r.Header.Set("X-Forwarded-For", "6.6.6.6")
		r.Header.Set("X-Forwarded-Host", "forged")
		r.Header.Set("Forwarded", "for=6.6.6.6")
		r.Header.Set("Connection", "X-Hop")
		r.Header.Set("X-Hop", "1")
		r.Header.Set("Upgrade", "h2c")
		r.Header.Set("X-Request-Id", "bad id")
	})
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "models.example", "X-Forwarded-Proto": "http",
		"Forwarded": "", "X-Hop": "", "Upgrade": "", "Host": "models.example",
	} {
		if inner.Get(name) != want {
			t.Errorf("the model got %s: %q, want %q", name, inner.Get(name), want)
		}
	}
	id := inner.Get("X-Request-Id")
	if len(id) < 16 || answer.Header.Get("X-Request-Id") != id {
		t.Errorf("request id %q inside and %q outside, want the same new one", id, answer.Header.Get("X-Request-Id"))
	}
	if answer.Header.Get("X-Inner") != "" {
		t.Error("a hop-by-hop header of the model came through")
	}
}

func TestFallbackAnswersForAModelWithoutReplica(t *testing.T) {
	spare := newBackend(t, "spare-1", nil)
	g := start(t, nil)
	primary := model("digits", revision("r1", 100))
	primary.Routes = []reconcile.RoutedPath{{Path: "/digits", Strip: true, Fallback: "spare"}}
	g.push(t, primary, model("spare", revision("r1", 100, spare.replica())))
	g.ready(t)
	if _, body := g.get(t, "/digits/v2/models/digits/infer", nil); body != "spare-1 /v2/models/spare/infer" {
		t.Errorf("got %q, want the fallback under its own name", body)
	}
	spare.sick.Store(true)
	g.await(t, "the spare is sick", func(r reconcile.Report) bool { return !r.Replicas["spare-1"].Healthy })
	if answer, _ := g.get(t, "/digits", nil); answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without any replica: %s, want 503", answer.Status)
	}
}

func TestModelsThatAreEachOthersFallback(t *testing.T) {
	left, right := newBackend(t, "left-1", nil), newBackend(t, "right-1", nil)
	g := start(t, nil)
	a, b := model("left", revision("r1", 100, left.replica())), model("right", revision("r1", 100, right.replica()))
	a.Routes = []reconcile.RoutedPath{{Path: "/left", Fallback: "right"}}
	b.Routes = []reconcile.RoutedPath{{Path: "/right", Fallback: "left"}}
	g.push(t, a, b)
	g.ready(t)
	left.sick.Store(true)
	g.await(t, "the left one is sick", func(r reconcile.Report) bool { return !r.Replicas["left-1"].Healthy })
	t.Run("one answers for the other", func(t *testing.T) {
		if _, body := g.get(t, "/left", nil); body != "right-1 /left" {
			t.Errorf("got %q, want the answer of the right one", body)
		}
	})
	right.sick.Store(true)
	g.await(t, "both are sick", func(r reconcile.Report) bool { return !r.Replicas["right-1"].Healthy })
	t.Run("a request goes over once and then ends", func(t *testing.T) {
		for _, path := range []string{"/left", "/right"} {
			if answer, body := g.get(t, path, nil); answer.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s: %s %s, want 503", path, answer.Status, body)
			}
		}
	})
}
