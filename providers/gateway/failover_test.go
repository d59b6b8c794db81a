package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// primaryAndSpare is a gateway with a model that has this handler, and a fallback
// that answers with what it was sent.
func primaryAndSpare(t *testing.T, handler http.HandlerFunc) *rig {
	t.Helper()
	first := newBackend(t, "first-1", handler)
	spare := newBackend(t, "spare-1", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "spare got %d bytes", len(body))
	})
	g := start(t, nil)
	m := model("digits", revision("r1", 100, first.replica()))
	m.Routes = []reconcile.RoutedPath{{Path: "/digits", Fallback: "spare"}, {Path: "/late", Fallback: "spare", Timeout: 150 * time.Millisecond}}
	g.push(t, m, model("spare", revision("s1", 100, spare.replica())))
	g.ready(t)
	return g
}

// post sends a body; of unknown length it comes in chunks.
func (g *rig) post(t *testing.T, path string, size int, known bool, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	var body io.Reader = strings.NewReader(strings.Repeat("x", size))
	if !known {
		body = io.MultiReader(body)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(request)
	}
	return do(t, request)
}

func TestFallbackAnswersForAModelThatFails(t *testing.T) {
	var how atomic.Value
	g := primaryAndSpare(t, func(w http.ResponseWriter, r *http.Request) {
		if how.Load() != "early" {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		switch how.Load() {
		case "late":
			<-r.Context().Done()
		case "broken":
			panic(http.ErrAbortHandler)
		case "client":
			w.WriteHeader(http.StatusTeapot)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	cases := []struct {
		name, how string
		size      int
		known     bool
		want      string // of the fallback; "": the model's own answer
		status    int
	}{
		{"an error", "5xx", 10, true, "spare got 10 bytes", 200},
		{"a streamed body is sent once more", "5xx", 500_000, false, "spare got 500000 bytes", 200},
		{"a body of known length as well", "5xx", 1 << 20, true, "spare got 1048576 bytes", 200},
		{"one that is too large to be kept is not", "5xx", 1<<20 + 1, true, "", 503},
		{"a time-out", "late", 10, true, "spare got 10 bytes", 200},
		{"a broken connection", "broken", 10, true, "spare got 10 bytes", 200},
		{"the client's own error stands", "client", 10, true, "", 418},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			how.Store(c.how)
			path := "/digits"
			if c.how == "late" {
				path = "/late" // no other case is about time
			}
			answer, body := g.post(t, path, c.size, c.known, nil)
			if answer.StatusCode != c.status || c.want != "" && body != c.want {
				t.Errorf("%s %s, want %d %s", answer.Status, body, c.status, c.want)
			}
		})
	}
	for _, line := range []string{
		// What the fallback hides from the client is evidence all the same.
		`fairlead_requests_total{code="5xx",model="digits",revision="r1"} 6`,
		`fairlead_requests_total{code="4xx",model="digits",revision="r1"} 1`,
		`fairlead_requests_total{code="2xx",model="spare",revision="s1"} 5`,
		`fairlead_gateway_fallbacks_total{model="digits",reason="5xx"} 4`,
		`fairlead_gateway_fallbacks_total{model="digits",reason="timeout"} 1`,
	} {
		awaitMetric(t, g, line)
	}
}

func TestFallbackThatFailsTooEndsTheRequest(t *testing.T) {
	fails := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	a, b := newBackend(t, "a", fails), newBackend(t, "b", fails)
	g := start(t, nil)
	left, right := model("left", revision("r1", 100, a.replica())), model("right", revision("r1", 100, b.replica()))
	left.Routes = []reconcile.RoutedPath{{Path: "/left", Fallback: "right"}}
	right.Routes = []reconcile.RoutedPath{{Path: "/right", Fallback: "left"}}
	g.push(t, left, right)
	g.ready(t)
	if answer, _ := g.get(t, "/left", nil); answer.StatusCode != http.StatusInternalServerError {
		t.Errorf("got %s, want the fallback's own error", answer.Status)
	}
	if a.requests.Load() != 1 || b.requests.Load() != 1 {
		t.Errorf("%d and %d requests, want one hop", a.requests.Load(), b.requests.Load())
	}
}

// brokenAndWhole is a gateway with a revision of two replicas, one of which
// breaks every connection once it has the request.
func brokenAndWhole(t *testing.T) (g *rig, broken, whole *backend) {
	t.Helper()
	broken = newBackend(t, "broken-1", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	})
	whole = newBackend(t, "whole-1", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	g = start(t, nil)
	g.push(t, model("digits", revision("r1", 100, broken.replica(), whole.replica())))
	g.ready(t)
	return g, broken, whole
}

func TestRequestThatMayBeRepeatedGoesToAnotherReplica(t *testing.T) {
	withKey := func(r *http.Request) { r.Header.Set("Idempotency-Key", "7") }
	t.Run("what may be repeated never fails", func(t *testing.T) {
		g, broken, _ := brokenAndWhole(t)
		for range 4 {
			if answer, body := g.get(t, "/v2/models/digits", nil); answer.StatusCode != http.StatusOK {
				t.Errorf("GET: %s %s", answer.Status, body)
			}
			for _, known := range []bool{true, false} {
				if answer, body := g.post(t, "/v2/models/digits/infer", 100_000, known, withKey); answer.StatusCode != http.StatusOK || len(body) != 100_000 {
					t.Errorf("POST with a key: %s, %d bytes", answer.Status, len(body))
				}
			}
		}
		n := readMetric(t, g, `fairlead_gateway_retries_total{model="digits"}`)
		if n == 0 || broken.requests.Load() == 0 {
			t.Fatal("no request came to the broken replica: the test shows nothing")
		}
		// What it broke off counts as its revision's error, though nobody saw it.
		awaitMetric(t, g, fmt.Sprintf(`fairlead_requests_total{code="5xx",model="digits",revision="r1"} %d`, n))
		awaitMetric(t, g, fmt.Sprintf(`fairlead_gateway_retries_total{model="digits"} %d`, n))
		awaitMetric(t, g, `fairlead_requests_total{code="2xx",model="digits",revision="r1"} 12`)
	})
	t.Run("an inference is not repeated", func(t *testing.T) {
		g, broken, whole := brokenAndWhole(t)
		failed := 0
		for range 4 {
			if answer, _ := g.post(t, "/v2/models/digits/infer", 10, true, nil); answer.StatusCode == http.StatusBadGateway {
				failed++
			}
		}
		if failed == 0 || int64(failed) != broken.requests.Load() || whole.requests.Load() != int64(4-failed) {
			t.Errorf("%d failed, %d and %d requests", failed, broken.requests.Load(), whole.requests.Load())
		}
	})
	t.Run("repetitions end with the budget", func(t *testing.T) {
		all := func(_ http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
		a, b := newBackend(t, "a", all), newBackend(t, "b", all)
		g := start(t, nil)
		g.push(t, model("digits", revision("r1", 100, a.replica(), b.replica())))
		g.ready(t)
		began := time.Now()
		const requests = 200
		for range requests {
			g.get(t, "/v2/models/digits", nil)
		}
		most := 20 + requests/10 + int(time.Since(began).Seconds()+1)
		if repeated := readMetric(t, g, `fairlead_gateway_retries_total{model="digits"}`); repeated < 20 || repeated > most {
			t.Errorf("%d repetitions of %d requests, want 20 to %d", repeated, requests, most)
		}
	})
}

func TestReplicaThatFailsWhatItsPeerAnswersIsEjected(t *testing.T) {
	var mended atomic.Bool
	bad := newBackend(t, "bad-1", func(w http.ResponseWriter, _ *http.Request) {
		if !mended.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	good := newBackend(t, "good-1", nil)
	g := start(t, nil)
	g.push(t, model("digits", revision("r1", 100, bad.replica(), good.replica())))
	g.ready(t)
	failed, began := 0, time.Now()
	const firstEjection = 10 * time.Second
	for range 100 {
		if answer, _ := g.get(t, "/v2/models/digits", nil); answer.StatusCode != http.StatusOK {
			failed++
		}
	}
	if most := 10 * (1 + int(time.Since(began)/firstEjection)); failed < 5 || failed > most {
		t.Errorf("%d of 100 requests failed, want five and a few", failed)
	}
	report := g.await(t, "the replica is ejected", func(r reconcile.Report) bool { return r.Replicas["bad-1"].Ejected })
	if h := report.Replicas["bad-1"]; !h.Healthy || !strings.Contains(h.LastError, "requests in a row failed") {
		t.Errorf("report = %+v", h)
	}
	if n := readMetric(t, g, `fairlead_gateway_ejections_total{model="digits",revision="r1"}`); n != 1 && time.Since(began) < firstEjection {
		t.Errorf("%d ejections are counted, want 1", n)
	}
	t.Run("a new table does not bring it back", func(t *testing.T) {
		g.push(t, model("digits", revision("r1", 100, bad.replica(), good.replica())))
		before := bad.requests.Load()
		for range 20 {
			g.get(t, "/v2/models/digits", nil)
		}
		if n := bad.requests.Load() - before; n != 0 && time.Since(began) < firstEjection { // later it may
			t.Errorf("it got %d requests", n)
		}
	})
	t.Run("a restart of it does", func(t *testing.T) {
		mended.Store(true)
		bad.sick.Store(true)
		g.await(t, "it is sick", func(r reconcile.Report) bool { return !r.Replicas["bad-1"].Healthy })
		bad.sick.Store(false)
		g.await(t, "it is back", func(r reconcile.Report) bool { h := r.Replicas["bad-1"]; return h.Healthy && !h.Ejected })
	})
}

func TestStreamedBodyOfAClientThatLeavesIsNoReasonToFallBack(t *testing.T) {
	g := primaryAndSpare(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	body, input := io.Pipe()
	ctx, cancel := context.WithCancelCause(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+"/digits", body)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		if answer, err := transport.RoundTrip(request); err == nil {
			_ = answer.Body.Close()
		}
	}()
	if _, err := io.WriteString(input, "half a body"); err != nil {
		t.Fatal(err)
	}
	left := errors.New("the client leaves")
	cancel(left)
	_ = input.CloseWithError(left) // or the body could end whole before the client has left
	<-ended
	awaitMetric(t, g, `fairlead_requests_total{code="client_gone",model="digits",revision="r1"} 1`)
	awaitMetric(t, g, `fairlead_requests_total{code="2xx",model="spare",revision="s1"} 0`)
}

func TestMatchedRequestIsRepeatedOnTheSameSideFirst(t *testing.T) {
	broken := newBackend(t, "new-1", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	whole, old := newBackend(t, "new-2", nil), newBackend(t, "old-1", nil)
	g := start(t, nil)
	m := model("digits", revision("r1", 100, old.replica()), revision("r2", 0, broken.replica(), whole.replica()))
	m.Candidate, m.Match = "r2", &spec.Match{Header: "X-Beta", Value: "1"}
	g.push(t, m)
	g.ready(t)
	for range 6 {
		if _, body := g.get(t, "/v2/models/digits", func(r *http.Request) { r.Header.Set("X-Beta", "1") }); !strings.HasPrefix(body, "new-2") {
			t.Errorf("got %q, want the candidate's other replica", body)
		}
	}
}
