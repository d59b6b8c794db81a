package metrics_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

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

func TestNothingIsCompressedOnTheWayToAScrape(t *testing.T) {
	asked := make(chan string, 1)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- r.Header.Get("Accept-Encoding"):
		default:
		}
		_, _ = io.WriteString(w, "test_requests_total 1\n")
	}))
	t.Cleanup(endpoint.Close)
	open(t, metrics.Options{}).Scrape(target(strings.TrimPrefix(endpoint.URL, "http://")))
	select {
	case encoding := <-asked:
		if encoding != "identity" {
			t.Errorf("the scraper takes %q", encoding)
		}
	case <-time.After(time.Minute):
		t.Fatal("nothing is scraped")
	}
}
