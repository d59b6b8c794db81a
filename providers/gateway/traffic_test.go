package gateway_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/gateway"
	"github.com/fairlead/fairlead/reconcile"
)

// load sends requests from several clients until it is told to stop, and keeps
// the failures.
type load struct {
	stop     chan struct{}
	clients  sync.WaitGroup
	sent     atomic.Int64
	mu       sync.Mutex
	failures []string
}

func startLoad(t *testing.T, url string) *load {
	t.Helper()
	l := &load{stop: make(chan struct{})}
	for range 8 {
		l.clients.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			for {
				select {
				case <-l.stop:
					return
				default:
					l.one(t, transport, url)
				}
			}
		})
	}
	return l
}

func (l *load) one(t *testing.T, transport *http.Transport, url string) {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(`{"inputs":[]}`))
	if err != nil {
		l.fail(err.Error())
		return
	}
	l.sent.Add(1)
	answer, err := transport.RoundTrip(request)
	if err != nil {
		l.fail(err.Error())
		return
	}
	defer func() { _ = answer.Body.Close() }()
	if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		l.fail(fmt.Sprintf("%s %s %v", answer.Status, body, err))
	}
}

func (l *load) fail(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, what)
}

// end stops the load and fails the test if any request failed.
func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.clients.Wait()
	if len(l.failures) > 0 {
		t.Errorf("%d of %d requests failed, the first with: %s", len(l.failures), l.sent.Load(), l.failures[0])
	}
	if l.sent.Load() < 100 {
		t.Errorf("only %d requests were sent: the test shows nothing", l.sent.Load())
	}
}

func TestReplaceUnderLoadDropsNothing(t *testing.T) {
	g := start(t, nil)
	slowly := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "ok")
	}
	old := newBackend(t, "gen-00", slowly)
	g.push(t, model("digits", revision("r00", 100, old.replica())))
	g.ready(t)
	l := startLoad(t, g.url+"/v2/models/digits/infer")

	for generation := 1; generation <= 15; generation++ {
		fresh := newBackend(t, fmt.Sprintf("gen-%02d", generation), slowly)
		before, after := fmt.Sprintf("r%02d", generation-1), fmt.Sprintf("r%02d", generation)
		// Start new, healthy, repoint, drain, stop old: what the daemon does.
		g.push(t, model("digits", revision(before, 100, old.replica()), revision(after, 0, fresh.replica())))
		g.ready(t)
		draining := old.replica()
		draining.Drain = true
		g.push(t, model("digits", revision(before, 0, draining), revision(after, 100, fresh.replica())))
		g.await(t, "the old one is drained", func(r reconcile.Report) bool { return r.Replicas[old.id].InFlight == 0 })
		served := old.requests.Load()
		g.push(t, model("digits", revision(after, 100, fresh.replica())))
		old.CloseClientConnections()
		old.Close()
		if late := old.requests.Load() - served; late != 0 {
			t.Errorf("generation %d got %d requests after it was drained", generation-1, late)
		}
		old = fresh
	}
	l.end(t)
}

func TestReplicaThatLeftIsReportedWhileRequestsAreOpen(t *testing.T) {
	arrived, finish := make(chan struct{}), make(chan struct{})
	b := newBackend(t, "a", func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-finish
	})
	g := start(t, nil)
	g.push(t, model("digits", revision("r1", 100, b.replica())))
	g.ready(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.get(t, "/v2/models/digits", nil)
	}()
	<-arrived
	g.push(t)
	g.await(t, "the open request is told", func(r reconcile.Report) bool { return r.Replicas["a"].InFlight == 1 })
	close(finish)
	<-ended
	g.await(t, "the replica is forgotten", func(r reconcile.Report) bool {
		_, there := r.Replicas["a"]
		return !there
	})
}

// TestWeightZeroEndsTheTraffic replaces as the daemon does that trusts a weight
// of 0 alone: once the load is reported as 0 no request comes any more.
func TestWeightZeroEndsTheTraffic(t *testing.T) {
	a, b := newBackend(t, "a", nil), newBackend(t, "b", nil)
	g := start(t, nil)
	both := func(weight int) []reconcile.RoutedRevision {
		return []reconcile.RoutedRevision{revision("r1", weight, a.replica()), revision("r2", 100-weight, b.replica())}
	}
	g.push(t, model("digits", both(100)...))
	g.ready(t)
	l := startLoad(t, g.url+"/v2/models/digits")
	for i := range 30 {
		g.push(t, model("digits", both(100*((i+1)%2))...)) // all to r1, all to r2, ...
		off := []*backend{b, a}[i%2]
		g.await(t, off.id+" is idle", func(r reconcile.Report) bool {
			return r.TableVersion == g.table.Version && r.Replicas[off.id].InFlight == 0
		})
		before, other := off.requests.Load(), l.sent.Load()
		for l.sent.Load() < other+50 {
			<-time.After(time.Millisecond)
		}
		if late := off.requests.Load() - before; late != 0 {
			t.Errorf("round %d: %d requests came to a revision of weight 0", i, late)
		}
	}
	l.end(t)
}

func TestSwapUnderLoadDropsNothing(t *testing.T) {
	g := start(t, nil)
	a, b := newBackend(t, "a", nil), newBackend(t, "b", nil)
	g.push(t, model("digits", revision("r1", 50, a.replica()), revision("r2", 50, b.replica())))
	g.ready(t)
	l := startLoad(t, g.url+"/v2/models/digits")
	for i := range 100 {
		weight := (i * 7) % 101
		g.push(t, model("digits", revision("r1", weight, a.replica()), revision("r2", 100-weight, b.replica())))
	}
	l.end(t)
}

func TestWeightsAreExact(t *testing.T) {
	const requests = 10_000
	g := start(t, nil)
	a, b := newBackend(t, "a", nil), newBackend(t, "b", nil)
	for _, weight := range []int{1, 5, 33, 99} {
		t.Run(fmt.Sprintf("%d percent", weight), func(t *testing.T) {
			g.push(t, model("digits", revision("r1", 100-weight, a.replica()), revision("r2", weight, b.replica())))
			g.ready(t)
			before := b.requests.Load()
			handler := g.server.Handler()
			for range requests {
				handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v2/models/digits", nil))
			}
			got := float64(b.requests.Load()-before) / requests * 100
			if math.Abs(got-float64(weight)) > 0.5 {
				t.Errorf("%.2f %% of the requests, want %d", got, weight)
			}
		})
	}
}

func TestReplicasShareTheLoad(t *testing.T) {
	gate := make(chan struct{})
	var open sync.WaitGroup
	wait := func(http.ResponseWriter, *http.Request) {
		open.Done()
		<-gate
	}
	a, b, c := newBackend(t, "a", wait), newBackend(t, "b", wait), newBackend(t, "c", wait)
	g := start(t, nil)
	g.push(t, model("digits", revision("r1", 100, a.replica(), b.replica(), c.replica())))
	g.ready(t)
	const each = 4
	open.Add(3 * each)
	var clients sync.WaitGroup
	for range 3 * each {
		clients.Go(func() { g.get(t, "/v2/models/digits", nil) })
	}
	open.Wait()
	for _, one := range []*backend{a, b, c} {
		// Two requests may choose at the same moment, so a difference of one or
		// two between the replicas is no mistake.
		if n := one.requests.Load(); n < each-2 || n > each+2 {
			t.Errorf("replica %s has %d open requests, want about %d", one.id, n, each)
		}
	}
	close(gate)
	clients.Wait()
}

func TestFailedConnectGoesToAnotherReplica(t *testing.T) {
	alive := newBackend(t, "alive", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})
	dead := newBackend(t, "dead", nil)
	g := start(t, nil)
	// The probes are so rare that only the requests themselves can find out.
	rev := revision("r1", 100, alive.replica(), dead.replica())
	rev.Health.Interval = time.Hour
	g.push(t, model("digits", rev))
	g.ready(t)
	dead.CloseClientConnections()
	dead.Close()
	for i := range 20 {
		var body io.Reader = strings.NewReader("body")
		if i%2 == 1 {
			body = io.MultiReader(body) // of unknown length, so it is streamed
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/v2/models/digits", body)
		if err != nil {
			t.Fatal(err)
		}
		if answer, got := do(t, request); answer.StatusCode != http.StatusOK || got != "body" {
			t.Fatalf("got %s %s, want the echo of the replica that lives", answer.Status, got)
		}
	}
	report := g.await(t, "the dead replica is out", func(r reconcile.Report) bool { return !r.Replicas["dead"].Healthy })
	if said := report.Replicas["dead"].LastError; !strings.Contains(said, "refused") {
		t.Errorf("last error is %q, want the refused connection", said)
	}
}

func TestReplicaThatComesBackIsFoundAtOnce(t *testing.T) {
	b := newBackend(t, "a", nil)
	b.sick.Store(true)
	g := start(t, nil)
	g.push(t, model("digits", revision("r1", 100, b.replica())))
	if answer, _ := g.get(t, "/v2/models/digits", nil); answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("before its first good probe: %s, want 503", answer.Status)
	}
	b.sick.Store(false)
	g.ready(t)
	if answer, _ := g.get(t, "/v2/models/digits", nil); answer.StatusCode != http.StatusOK {
		t.Errorf("after its first good probe: %s, want 200", answer.Status)
	}
}

func TestDrainFinishesOpenRequests(t *testing.T) {
	arrived, finish := make(chan struct{}), make(chan struct{})
	b := newBackend(t, "a", func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-finish
		_, _ = io.WriteString(w, "complete")
	})
	g := start(t, nil)
	g.push(t, model("digits", revision("r1", 100, b.replica())))
	g.ready(t)
	body := make(chan string, 1)
	go func() {
		_, got := g.get(t, "/v2/models/digits", nil)
		body <- got
	}()
	<-arrived
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		g.stop()
	}()
	awaitClosed(t, g.server.Addr().String())
	close(finish)
	if got := <-body; got != "complete" {
		t.Errorf("the open request got %q, want its answer", got)
	}
	<-stopped
}

func TestDrainEndsAtItsDeadline(t *testing.T) {
	within(t, gateway.DefaultDrainTimeout/2, func() time.Duration { return drains(t, 50*time.Millisecond) })
}

// drains stops a gateway while a request is open that never ends, and says how long that took.
func drains(t *testing.T, deadline time.Duration) time.Duration {
	t.Helper()
	arrived := make(chan struct{})
	b := newBackend(t, "a", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	g := start(t, func(c *gateway.Config) { c.DrainTimeout = deadline })
	g.push(t, model("digits", revision("r1", 100, b.replica())))
	g.ready(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/v2/models/digits", nil)
		if err != nil {
			t.Error(err)
			return
		}
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		if answer, err := transport.RoundTrip(request); err == nil {
			_ = answer.Body.Close()
		}
	}()
	<-arrived
	began := time.Now()
	g.stop()
	took := time.Since(began)
	<-ended
	return took
}
