package metrics_test

import (
	"net/http/httptest"
	"testing"

	"github.com/fairlead/fairlead/providers/metrics"
	"github.com/fairlead/fairlead/providers/providertest"
)

func external(t *testing.T, opts metrics.ExternalOptions) *metrics.External {
	t.Helper()
	x, err := metrics.NewExternal(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func TestExternalKeepsTheContractOfMetrics(t *testing.T) {
	t.Run("with a real Prometheus", func(t *testing.T) {
		providertest.MetricsSuite(t, func(t *testing.T) providertest.MetricsBench {
			p := startPrometheus(t)
			return providertest.MetricsBench{
				Metrics: external(t, metrics.ExternalOptions{URL: p.url}), Scrape: p.scrape(t), Stop: p.stop,
			}
		})
	})
	t.Run("with the API of an embedded one", func(t *testing.T) {
		providertest.MetricsSuite(t, func(t *testing.T) providertest.MetricsBench {
			e := open(t, metrics.Options{})
			server := httptest.NewServer(e.Handler())
			t.Cleanup(server.Close)
			return providertest.MetricsBench{
				Metrics: external(t, metrics.ExternalOptions{URL: server.URL}), Scrape: e.Scrape, Stop: server.Close,
			}
		})
	})
}
