package metrics_test

import (
	"testing"

	"github.com/fairlead/fairlead/providers/metrics"
	"github.com/fairlead/fairlead/providers/providertest"
)

// open opens a store that is closed with the test.
func open(t *testing.T, opts metrics.Options) *metrics.Embedded {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir() + "/metrics"
	}
	e, err := metrics.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestEmbeddedKeepsTheContractOfMetrics(t *testing.T) {
	providertest.MetricsSuite(t, func(t *testing.T) providertest.MetricsBench {
		e := open(t, metrics.Options{})
		return providertest.MetricsBench{Metrics: e, Scrape: e.Scrape, Stop: func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}}
	})
}
