package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// probedServer answers its probe as the mode of the moment says.
type probedServer struct {
	*httptest.Server
	mode   atomic.Int32
	probes atomic.Int64
}

const (
	answersWell int32 = iota
	answersNothing
	answersNothingOnce
	answersNotReady
)

func newProbedServer(t *testing.T) *probedServer {
	t.Helper()
	p := &probedServer{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.probes.Add(1)
		switch mode := p.mode.Load(); {
		case mode == answersNothing || mode == answersNothingOnce && p.mode.CompareAndSwap(mode, answersWell):
			<-r.Context().Done()
		case mode == answersNotReady:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// model has a probe that waits so long for an answer.
func (p *probedServer) model(timeout time.Duration) reconcile.RoutedModel {
	rev := revision("r1", 100, reconcile.RoutedReplica{ID: "a", Address: p.Listener.Addr().String()})
	rev.Health = reconcile.HealthProbe{Path: "/", Interval: 20 * time.Millisecond, Timeout: timeout}
	return model("digits", rev)
}

// awaitProbes waits until n more probes have come.
func (p *probedServer) awaitProbes(t *testing.T, n int64) {
	t.Helper()
	target, deadline := p.probes.Load()+n, time.Now().Add(patience)
	for p.probes.Load() < target {
		if time.Now().After(deadline) {
			t.Fatalf("only %d of %d probes came", p.probes.Load(), target)
		}
		<-time.After(time.Millisecond)
	}
}

func TestProbes(t *testing.T) {
	bad := func(r reconcile.Report) bool { return !r.Replicas["a"].Healthy }
	t.Run("only 200 is healthy", func(t *testing.T) {
		g, p := start(t, nil), newProbedServer(t)
		g.push(t, p.model(patience))
		g.ready(t)
		p.mode.Store(answersNotReady)
		report := g.await(t, "204 is bad", bad)
		if said, want := report.Replicas["a"].LastError, "GET / answered 204 No Content; only 200 is healthy"; said != want {
			t.Errorf("last error %q, want %q", said, want)
		}
	})
	t.Run("silence takes a replica out", func(t *testing.T) {
		g, p := start(t, nil), newProbedServer(t)
		g.push(t, p.model(100*time.Millisecond))
		g.ready(t)
		p.mode.Store(answersNothing)
		g.await(t, "silence is bad", bad)
		p.mode.Store(answersWell)
		g.ready(t)
	})
	t.Run("a change of the probe counts at once", func(t *testing.T) {
		g, p := start(t, nil), newProbedServer(t)
		rare := p.model(patience)
		rare.Revisions[0].Health.Interval = time.Hour
		g.push(t, rare)
		g.ready(t)
		g.push(t, p.model(patience))
		p.awaitProbes(t, 3)
	})
	t.Run("a draining replica is probed no more", func(t *testing.T) {
		g, p := start(t, nil), newProbedServer(t)
		m := p.model(patience)
		g.push(t, m)
		g.ready(t)
		draining := p.model(patience)
		draining.Revisions[0].Replicas[0].Drain = true
		g.push(t, draining)
		g.push(t, p.model(patience))
		g.ready(t) // opened again, it is probed again
	})
}

func TestOneSilentProbeIsTolerated(t *testing.T) {
	t.Parallel()
	g, p := start(t, nil), newProbedServer(t)
	g.push(t, p.model(5*time.Second)) // so that no other one is silent on a busy machine
	g.ready(t)
	before := g.await(t, "healthy", func(r reconcile.Report) bool { return r.Replicas["a"].Healthy })
	p.mode.Store(answersNothingOnce)
	p.awaitProbes(t, 4)
	awaitMetric(t, g, `fairlead_gateway_probe_failures_total{model="digits",revision="r1"} 1`)
	after, err := g.client.Report(t.Context(), g.admin, 0, 0)
	if err != nil || after.Sequence != before.Sequence || !after.Replicas["a"].Healthy {
		t.Errorf("report %+v, %v; want no change since sequence %d", after, err, before.Sequence)
	}
}

func TestContainerWithANewAddressKeepsItsOpenRequests(t *testing.T) {
	gate, arrived := make(chan struct{}), make(chan struct{})
	old := newBackend(t, "a", func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-gate
	})
	moved := newBackend(t, "a", nil)
	g := start(t, nil)
	g.push(t, model("digits", revision("r1", 100, old.replica())))
	g.ready(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.get(t, "/v2/models/digits", nil)
	}()
	<-arrived
	g.push(t, model("digits", revision("r1", 100, moved.replica())))
	g.ready(t)
	report, err := g.client.Report(t.Context(), g.admin, 0, 0)
	if err != nil || report.Replicas["a"].InFlight != 1 {
		t.Errorf("in flight = %d, %v; want the request at the old address", report.Replicas["a"].InFlight, err)
	}
	if _, body := g.get(t, "/v2/models/digits", nil); body != "a /v2/models/digits" {
		t.Errorf("got %q from the new address", body)
	}
	close(gate)
	<-ended
}
