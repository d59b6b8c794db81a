package memory_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/reconcile"
)

func TestMetricsFollowTheirScript(t *testing.T) {
	m := memory.NewMetrics()
	at := time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)
	value := func(t *testing.T, promql string) float64 {
		t.Helper()
		got, err := m.Query(t.Context(), promql, at)
		if err != nil || len(got) != 1 {
			t.Fatalf("%s = %v, %v; want one sample", promql, got, err)
		}
		return got[0].Value
	}
	if got, err := m.Query(t.Context(), "requests", at); err != nil || len(got) != 0 {
		t.Errorf("without a script = %v, %v; want nothing", got, err)
	}
	m.Answer("requests", reconcile.Sample{Value: 1})
	m.Answer("errors", reconcile.Sample{Value: 2})
	m.AnswerFunc(`revision="bad"`, func(q memory.MetricsQuery) ([]reconcile.Sample, error) {
		return []reconcile.Sample{{Value: float64(q.At.Hour())}}, nil
	})
	if got := value(t, `sum(requests)`); got != 1 {
		t.Errorf("requests = %g, want 1", got)
	}
	if got := value(t, `sum(requests{revision="bad"})`); got != 14 {
		t.Errorf("requests of the exception = %g, want the hour", got)
	}
	m.Fail(errors.New("disk full"))
	if _, err := m.Query(t.Context(), "requests", at); !errors.Is(err, reconcile.ErrMetricsUnavailable) {
		t.Errorf("error = %v, want ErrMetricsUnavailable", err)
	}
	m.Fail(nil)
	if got := value(t, "errors"); got != 2 {
		t.Errorf("errors = %g, want 2", got)
	}
	if asked := m.Asked(); len(asked) != 5 || asked[0].PromQL != "requests" || !asked[0].At.Equal(at) {
		t.Errorf("asked = %+v, want all five", asked)
	}
	m.Scrape([]reconcile.ScrapeTarget{{Address: "10.0.0.1:80"}})
	if targets := m.Targets(); len(targets) != 1 || targets[0].Address != "10.0.0.1:80" {
		t.Errorf("targets = %+v, want the one", targets)
	}
}
