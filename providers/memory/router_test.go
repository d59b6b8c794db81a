package memory_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

func TestRouter(t *testing.T) {
	providertest.RouterSuite(t, func(*testing.T) providertest.RouterBench {
		var bad sync.Map
		var made atomic.Int64
		router := memory.NewRouter(func(id string) bool {
			_, isBad := bad.Load(id)
			return !isBad
		}, time.Now)
		return providertest.RouterBench{
			Router:   router,
			Endpoint: "10.0.0.1:9901",
			NewReplica: func(*testing.T) reconcile.RoutedReplica {
				n := made.Add(1)
				return reconcile.RoutedReplica{ID: fmt.Sprintf("replica-%d", n), Address: fmt.Sprintf("10.0.1.%d:8080", n)}
			},
			SetHealthy: func(id string, healthy bool) {
				if healthy {
					bad.Delete(id)
				} else {
					bad.Store(id, true)
				}
			},
			Hold: func(_ *testing.T, _, id string) func() {
				router.SetInFlight(id, 1)
				return func() { router.SetInFlight(id, 0) }
			},
			Stop: func() { router.SetDown(errors.New("stopped")) },
		}
	})
}

func TestRouterMeasuresHealthByItsClock(t *testing.T) {
	now := time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)
	healthy := true
	router := memory.NewRouter(func(string) bool { return healthy }, func() time.Time { return now })
	table := reconcile.Table{FormatVersion: reconcile.TableFormat, Version: 1, Models: []reconcile.RoutedModel{{
		Name: "digits", Protocol: "http",
		Revisions: []reconcile.RoutedRevision{{
			Revision: "r1", Weight: 100,
			Health:   reconcile.HealthProbe{Path: "/", Interval: time.Second, Timeout: time.Second},
			Replicas: []reconcile.RoutedReplica{{ID: "a", Address: "10.0.0.2:80"}},
		}},
	}}}
	if err := router.Push(t.Context(), "gateway", table); err != nil {
		t.Fatal(err)
	}
	healthyFor := func() time.Duration {
		t.Helper()
		report, err := router.Report(t.Context(), "gateway", 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return report.Replicas["a"].HealthyFor
	}
	now = now.Add(3 * time.Second)
	if got := healthyFor(); got != 3*time.Second {
		t.Errorf("healthy for %s since the push, want 3s", got)
	}
	healthy = false
	router.Observe()
	healthy = true
	now = now.Add(time.Second)
	if got := healthyFor(); got != 0 {
		t.Errorf("healthy for %s after a break, want 0", got)
	}
	now = now.Add(time.Second)
	if got := healthyFor(); got != time.Second {
		t.Errorf("healthy for %s, want the 1s since it came back", got)
	}
}
