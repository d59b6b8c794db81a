package providertest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// MetricsBench is a Metrics under test, together with the hand that tells what is
// behind it which endpoints to scrape.
type MetricsBench struct {
	Metrics reconcile.Metrics
	Scrape  func([]reconcile.ScrapeTarget) // replaces the whole set
	// Stop makes the store unreachable.
	Stop func()
}

// scrapeEvery is short, so that the suite is.
const scrapeEvery = 250 * time.Millisecond

// MetricsSuite holds the contract of reconcile.Metrics: what is told in
// an [Exporter] comes out of queries. Its tests share one store, and tell their
// series apart by the label "case".
func MetricsSuite(t *testing.T, newBench func(t *testing.T) MetricsBench) {
	t.Helper()
	tests := map[string]func(*testing.T, *metricsCase){
		"a counter is told with the labels of its target":  metricsCounter,
		"labels of the target win over those of the model": metricsLabelsOfTargetWin,
		"the value is that of the time asked for":          metricsPast,
		"a restart is a reset and not a fall":              metricsReset,
		"a native histogram keeps its resolution":          metricsHistogram,
		"native histograms add up over replicas":           metricsHistogramSum,
		"the growth of a native histogram is one":          metricsHistogramIncrease,
		"not a number stays so":                            metricsNaN,
		"no data is an empty vector":                       metricsEmpty,
		"a number is a vector of one":                      metricsScalar,
		"a mistake in a query is named":                    metricsBadQuery,
		"a query that is no vector is refused":             metricsRange,
		"a target that is down has no values":              metricsDown,
		"a target that left has no values":                 metricsRemoved,
		"a target gets its token":                          metricsToken,
		"a query ends with its context":                    metricsCanceled,
	}
	t.Run("one store", func(t *testing.T) {
		bench := newBench(t)
		targets := &targetSet{scrape: bench.Scrape, current: map[string]reconcile.ScrapeTarget{}}
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, &metricsCase{metrics: bench.Metrics, targets: targets, name: strings.ReplaceAll(name, " ", "_")})
			})
		}
	})
	t.Run("a store that is away is told apart", func(t *testing.T) { metricsAway(t, newBench(t)) })
}

// targetSet lets tests that run at the same time share one set of targets.
type targetSet struct {
	scrape  func([]reconcile.ScrapeTarget)
	mu      sync.Mutex
	current map[string]reconcile.ScrapeTarget // by address
}

func (s *targetSet) change(change func(map[string]reconcile.ScrapeTarget)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.current)
	all := make([]reconcile.ScrapeTarget, 0, len(s.current))
	for _, target := range s.current {
		all = append(all, target)
	}
	slices.SortFunc(all, func(a, b reconcile.ScrapeTarget) int { return strings.Compare(a.Address, b.Address) })
	s.scrape(all)
}

// metricsCase is one test's view of the store.
type metricsCase struct {
	metrics reconcile.Metrics
	targets *targetSet
	name    string
}

func (c *metricsCase) add(t *testing.T, e *Exporter, labels ...string) {
	t.Helper()
	target := reconcile.ScrapeTarget{
		Job: "model", Address: e.Address, Path: "/metrics", Token: e.Token, Interval: scrapeEvery,
		Labels: map[string]string{"case": c.name},
	}
	for i := 0; i < len(labels); i += 2 {
		target.Labels[labels[i]] = labels[i+1]
	}
	c.targets.change(func(all map[string]reconcile.ScrapeTarget) { all[e.Address] = target })
	t.Cleanup(func() { c.remove(e) })
}

func (c *metricsCase) remove(e *Exporter) {
	c.targets.change(func(all map[string]reconcile.ScrapeTarget) { delete(all, e.Address) })
}

// query fills in the case's selector for $.
func (c *metricsCase) query(ctx context.Context, promql string, at time.Time) ([]reconcile.Sample, error) {
	return c.metrics.Query(ctx, strings.ReplaceAll(promql, "$", fmt.Sprintf("case=%q", c.name)), at)
}

// until asks again and again until the answer is as wanted.
func (c *metricsCase) until(t *testing.T, promql string, wanted func([]reconcile.Sample) bool) []reconcile.Sample {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(scrapeEvery / 5)
	defer tick.Stop()
	for {
		got, err := c.query(t.Context(), promql, time.Now())
		if err != nil {
			t.Fatalf("query %s: %v", promql, err)
		}
		if wanted(got) {
			return got
		}
		select {
		case <-deadline:
			t.Fatalf("%s never became what is wanted; last: %+v", promql, got)
		case <-tick.C:
		}
	}
}

// untilValue waits for one sample with this value.
func (c *metricsCase) untilValue(t *testing.T, promql string, want float64) reconcile.Sample {
	t.Helper()
	return c.until(t, promql, func(s []reconcile.Sample) bool {
		return len(s) == 1 && (s[0].Value == want || math.IsNaN(want) && math.IsNaN(s[0].Value))
	})[0]
}

func metricsCounter(t *testing.T, c *metricsCase) {
	e := NewExporter(t)
	e.Requests("r1", "2xx", 7)
	e.Requests("r1", "5xx", 2)
	c.add(t, e, "model", "digits")
	got := c.untilValue(t, `test_requests_total{$,code="2xx"}`, 7)
	for name, want := range map[string]string{
		"__name__": "test_requests_total", "revision": "r1", "code": "2xx", "model": "digits", "job": "model", "instance": e.Address,
	} {
		if got.Labels[name] != want {
			t.Errorf("label %s = %q, want %q", name, got.Labels[name], want)
		}
	}
	ratio := c.until(t, `sum(test_requests_total{$,code="5xx"}) / sum(test_requests_total{$})`, notEmpty)[0]
	if math.Abs(ratio.Value-2.0/9) > 1e-12 || len(ratio.Labels) != 0 {
		t.Errorf("ratio = %+v, want 2/9 without labels", ratio)
	}
}

func notEmpty(s []reconcile.Sample) bool { return len(s) > 0 }
func empty(s []reconcile.Sample) bool    { return len(s) == 0 }

func metricsLabelsOfTargetWin(t *testing.T, c *metricsCase) {
	e := NewExporter(t)
	e.Requests("a lie", "2xx", 1)
	c.add(t, e, "revision", "truth")
	got := c.untilValue(t, `test_requests_total{$}`, 1)
	if got.Labels["revision"] != "truth" || got.Labels["exported_revision"] != "a lie" {
		t.Errorf("labels = %v, want the target's revision, and the model's as exported_revision", got.Labels)
	}
}

func metricsPast(t *testing.T, c *metricsCase) {
	e := NewExporter(t)
	e.Heat(20)
	c.add(t, e)
	c.untilValue(t, `test_temperature{$}`, 20)
	stamp := c.until(t, `timestamp(test_temperature{$})`, notEmpty)[0].Value
	then := time.UnixMilli(int64(math.Round(stamp * 1000))) // of a scrape that found 20; one that has begun by now may find 30
	e.Heat(30)
	c.untilValue(t, `test_temperature{$}`, 30)
	got, err := c.query(t.Context(), `test_temperature{$}`, then)
	if err != nil || len(got) != 1 || got[0].Value != 20 {
		t.Errorf("value then = %+v, %v; want 20", got, err)
	}
	if got, err := c.query(t.Context(), `test_temperature{$}`, then.Add(-time.Hour)); err != nil || len(got) != 0 {
		t.Errorf("value an hour before = %+v, %v; want none", got, err)
	}
}

func metricsReset(t *testing.T, c *metricsCase) {
	e := NewExporter(t)
	e.Requests("r1", "2xx", 100)
	c.add(t, e)
	c.untilValue(t, `test_requests_total{$}`, 100)
	e.Restart()
	e.Requests("r1", "2xx", 30)
	c.untilValue(t, `test_requests_total{$}`, 30)
	c.untilValue(t, `resets(test_requests_total{$}[1m])`, 1)
	grown := c.until(t, `increase(test_requests_total{$}[1m])`, notEmpty)[0]
	if grown.Value < 30 || math.IsNaN(grown.Value) {
		t.Errorf("increase over the restart = %g, want at least the 30 since", grown.Value)
	}
}

func metricsHistogram(t *testing.T, c *metricsCase) {
	e := NewExporter(t)
	values := []float64{0.010, 0.010, 0.011, 0.250, 3}
	e.Observe("r1", values...)
	c.add(t, e)
	got := c.until(t, `test_latency_seconds{$}`, notEmpty)[0]
	if got.Histogram == nil {
		t.Fatalf("sample = %+v, want a histogram", got)
	}
	h := got.Histogram
	if h.Count != 5 || math.Abs(h.Sum-3.281) > 1e-9 || got.Value != 0 {
		t.Errorf("count %g, sum %g, value %g; want 5, 3.281, 0", h.Count, h.Sum, got.Value)
	}
	checkBuckets(t, h)
	for _, v := range values {
		i := slices.IndexFunc(h.Buckets, func(b reconcile.Bucket) bool { return b.Lower < v && v <= b.Upper })
		if i < 0 {
			t.Errorf("no bucket holds %g: %+v", v, h.Buckets)
		} else if width := h.Buckets[i].Upper / h.Buckets[i].Lower; width > 1.02 {
			t.Errorf("the bucket of %g grows by %g, want 1.02 at the most", v, width)
		}
	}
	median := c.until(t, `histogram_quantile(0.5, test_latency_seconds{$})`, notEmpty)[0].Value
	if math.Abs(median/0.011-1) > 0.02 {
		t.Errorf("median = %g, want 0.011 within 2%%", median)
	}
}

// checkBuckets holds a histogram to what reconcile.Histogram promises.
func checkBuckets(t *testing.T, h *reconcile.Histogram) {
	t.Helper()
	sum, end := 0.0, math.Inf(-1)
	for _, b := range h.Buckets {
		if b.Count <= 0 || b.Lower >= b.Upper || b.Lower < end {
			t.Errorf("bucket %+v is empty, or does not lie above %g", b, end)
		}
		sum, end = sum+b.Count, b.Upper
	}
	if math.Abs(sum-h.Count) > 1e-9*h.Count {
		t.Errorf("the buckets hold %g values, want all %g", sum, h.Count)
	}
}

func metricsHistogramSum(t *testing.T, c *metricsCase) {
	first, second := NewExporter(t), NewExporter(t)
	first.Observe("r1", 0.01, 0.02)
	first.Observe("r2", 5)
	second.Observe("r1", 0.02, 0.04, 0)
	c.add(t, first, "replica", "1")
	c.add(t, second, "replica", "2")
	got := c.until(t, `sum by (revision) (test_latency_seconds{$})`, func(s []reconcile.Sample) bool {
		return len(s) == 2 && s[0].Histogram != nil && s[1].Histogram != nil && s[0].Histogram.Count+s[1].Histogram.Count == 6
	})
	for _, s := range got {
		checkBuckets(t, s.Histogram)
		if want := map[string]float64{"r1": 5, "r2": 1}[s.Labels["revision"]]; s.Histogram.Count != want {
			t.Errorf("revision %s has %g values, want %g", s.Labels["revision"], s.Histogram.Count, want)
		}
		if s.Labels["revision"] == "r1" && len(s.Histogram.Buckets) != 4 {
			t.Errorf("buckets of r1 = %+v, want one for 0 and one each for 0.01, 0.02, 0.04", s.Histogram.Buckets)
		}
	}
}

func metricsHistogramIncrease(t *testing.T, c *metricsCase) {
	e := NewExporter(t)
	e.Observe("r1", 0.010)
	c.add(t, e)
	c.untilValue(t, `histogram_count(test_latency_seconds{$})`, 1)
	e.Observe("r1", 0.5, 0.5, 0.5)
	c.untilValue(t, `histogram_count(test_latency_seconds{$})`, 4)
	got := c.until(t, `increase(test_latency_seconds{$}[1m])`, notEmpty)[0]
	if got.Histogram == nil {
		t.Fatalf("sample = %+v, want a histogram", got)
	}
	checkBuckets(t, got.Histogram)
	if b := got.Histogram.Buckets; len(b) != 1 || b[0].Lower >= 0.5 || b[0].Upper < 0.5 {
		t.Errorf("buckets = %+v, want the one of 0.5 alone", b)
	}
}

func metricsNaN(t *testing.T, c *metricsCase) {
	e := NewExporter(t)
	e.Heat(math.NaN())
	c.add(t, e)
	c.untilValue(t, `test_temperature{$}`, math.NaN())
	e.Heat(math.Inf(-1))
	c.untilValue(t, `test_temperature{$}`, math.Inf(-1))
	e.Requests("r1", "5xx", 0)
	c.untilValue(t, `sum(test_requests_total{$}) / sum(test_requests_total{$})`, math.NaN())
}

func metricsEmpty(t *testing.T, c *metricsCase) {
	for _, promql := range []string{`nobody_tells_this`, `sum(rate(nobody_tells_this{$}[5m]))`, `vector(1) > 2`} {
		if got, err := c.query(t.Context(), promql, time.Now()); err != nil || len(got) != 0 {
			t.Errorf("%s = %+v, %v; want nothing, and no error", promql, got, err)
		}
	}
}

func metricsScalar(t *testing.T, c *metricsCase) {
	if got, err := c.query(t.Context(), `6 * 7`, time.Now()); err != nil || len(got) != 1 || got[0].Value != 42 {
		t.Errorf("6 * 7 = %+v, %v; want 42", got, err)
	}
}

func metricsBadQuery(t *testing.T, c *metricsCase) {
	e := NewExporter(t)
	e.Requests("r1", "2xx", 1)
	e.Requests("r1", "5xx", 1)
	c.add(t, e)
	c.until(t, `test_requests_total{$}`, func(s []reconcile.Sample) bool { return len(s) == 2 })
	for _, promql := range []string{
		`sum(`, `nonsense(up)`, ``, `rate(up)`,
		`last_over_time(test_requests_total{$}[5m]) + on (revision) last_over_time(test_requests_total{$}[5m])`, // many to many; seen only when it is run
	} {
		_, err := c.query(t.Context(), promql, time.Now())
		if err == nil || errors.Is(err, reconcile.ErrMetricsUnavailable) {
			t.Errorf("query %q: %v, want an error that does not blame the store", promql, err)
		}
	}
	if _, err := c.query(t.Context(), `sum(nonsense`, time.Now()); err == nil || !strings.Contains(err.Error(), "sum(nonsense") {
		t.Errorf("error = %v, want it to quote the query", err)
	}
}

func metricsRange(t *testing.T, c *metricsCase) {
	for _, promql := range []string{`up[1m]`, `"text"`} {
		if got, err := c.query(t.Context(), promql, time.Now()); err == nil || errors.Is(err, reconcile.ErrMetricsUnavailable) {
			t.Errorf("%s = %+v, %v; want it refused", promql, got, err)
		}
	}
}

func metricsDown(t *testing.T, c *metricsCase) {
	e := NewExporter(t)
	e.Heat(20)
	c.add(t, e)
	c.untilValue(t, `up{$}`, 1)
	c.untilValue(t, `test_temperature{$}`, 20)
	e.SetDown(true)
	c.untilValue(t, `up{$}`, 0)
	c.until(t, `test_temperature{$}`, empty)
	e.SetDown(false)
	c.untilValue(t, `test_temperature{$}`, 20)
}

func metricsRemoved(t *testing.T, c *metricsCase) {
	e := NewExporter(t)
	e.Heat(20)
	c.add(t, e)
	c.untilValue(t, `test_temperature{$}`, 20)
	c.remove(e)
	c.until(t, `test_temperature{$}`, empty)
	c.until(t, `up{$}`, empty)
}

func metricsToken(t *testing.T, c *metricsCase) {
	e := NewExporter(t)
	e.Token = "let me in"
	e.Heat(20)
	c.add(t, e)
	c.untilValue(t, `test_temperature{$}`, 20)
}

func metricsCanceled(t *testing.T, c *metricsCase) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := c.query(ctx, `up`, time.Now()); !errors.Is(err, reconcile.ErrMetricsUnavailable) {
		t.Errorf("query = %+v, %v; want no answer", got, err)
	}
}

func metricsAway(t *testing.T, b MetricsBench) {
	b.Stop()
	if got, err := b.Metrics.Query(t.Context(), `up`, time.Now()); !errors.Is(err, reconcile.ErrMetricsUnavailable) {
		t.Errorf("query = %+v, %v; want ErrMetricsUnavailable", got, err)
	}
}
