package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/metrics"
	"github.com/fairlead/fairlead/reconcile"
)

// tells serves metrics as text, and returns the address.
func tells(t *testing.T, text string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = fmt.Fprint(w, text) // the scraper may be gone
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestAModelCannotWriteItsOwnEvidence(t *testing.T) {
	e := open(t, metrics.Options{})
	const line = `fairlead_requests_total{model="digits",revision="new",code="2xx"}`
	e.Scrape([]reconcile.ScrapeTarget{
		{Job: reconcile.JobGateway, Address: tells(t, line+" 10\n"), Path: "/metrics", Interval: 200 * time.Millisecond},
		{
			Job: reconcile.JobModel, Address: tells(t, line+" 1000000\ndigits_accuracy{job=\"gateway\"} 0.97\n"), Path: "/metrics",
			Interval: 200 * time.Millisecond, Labels: map[string]string{"model": "digits", "revision": "new"},
		},
	})
	waitFor(t, "both are scraped", func() bool {
		return value(t, e, `digits_accuracy{job="model"}`, time.Now()) == 0.97 && value(t, e, `sum(fairlead_requests_total{job="gateway"})`, time.Now()) == 10
	})
	if got := value(t, e, "sum(last_over_time(fairlead_requests_total[5m]))", time.Now()); got != 10 { // also if a scrape failed meanwhile
		t.Errorf("%v requests are told, of which a model tells all but 10", got)
	}
}
