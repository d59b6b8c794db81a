package metrics_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/metrics"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

// call sends a request and returns the status and the JSON of the answer.
func call(t *testing.T, method, base, path string, form url.Values) (int, map[string]any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	target, body := base+"/api/v1/"+path, io.Reader(nil)
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	} else {
		target += "?" + form.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatalf("%s %s: the answer is no JSON: %v", method, path, err)
	}
	if kind := resp.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("%s %s: content type %q", method, path, kind)
	}
	return resp.StatusCode, answer
}

// bothScrape returns the APIs of an embedded store and of a real Prometheus that
// scraped the same exporter, and a time at which both have its last state.
func bothScrape(t *testing.T) (ours, theirs string, at time.Time) {
	t.Helper()
	real := startPrometheus(t)
	e := open(t, metrics.Options{})
	server := httptest.NewServer(e.Handler())
	t.Cleanup(server.Close)
	exporter := providertest.NewExporter(t)
	exporter.Requests("r1", "2xx", 7)
	exporter.Requests("r2", "5xx", 2)
	exporter.Observe("r1", -0.3, 0, 0.010, 0.011, 0.250, 3)
	exporter.Observe("r2", 0.25)
	exporter.Heat(-1.5e-9)
	targets := []reconcile.ScrapeTarget{{
		Job: "model", Address: exporter.Address, Path: "/metrics", Interval: 5 * time.Second, // no scrape may fail between the one and the other
		Labels: map[string]string{"model": `a "quoted" <name> \ ü`},
	}}
	e.Scrape(targets)
	real.scrape(t)(targets)
	x := external(t, metrics.ExternalOptions{URL: real.url})
	for _, m := range []reconcile.Metrics{e, x} {
		waitFor(t, "both have scraped", func() bool { return value(t, m, "count(test_requests_total)", time.Now()) == 2 })
	}
	return server.URL, real.url, time.Now()
}

func TestDashboardsReadItLikePrometheus(t *testing.T) {
	ours, theirs, at := bothScrape(t)
	now := strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)
	at3 := fmt.Sprintf(" @ %s", now)
	span := url.Values{"start": {now}, "end": {strconv.FormatInt(at.Unix()+30, 10)}, "step": {"10"}}
	query := func(q string) url.Values { return url.Values{"query": {q}, "time": {now}} }
	ranged := func(q, step string) url.Values {
		return url.Values{"query": {q}, "start": span["start"], "end": span["end"], "step": {step}}
	}
	match := func(selectors ...string) url.Values { return url.Values{"match[]": selectors} }
	cases := []struct {
		path string
		form url.Values
	}{
		{"query", query(`test_requests_total`)},
		{"query", query(`sum by (revision) (test_requests_total)`)},
		{"query", query(`sort_desc(test_requests_total)`)},
		{"query", query(`test_latency_seconds`)},
		{"query", query(`sum(test_latency_seconds)`)},
		{"query", query(`test_temperature`)},
		{"query", query(`vector(1) / 0`)},
		{"query", query(`vector(0) / 0`)},
		{"query", query(`-vector(1e30) / 3`)},
		{"query", query(`nobody_tells_this`)},
		{"query", query(`1 + 1`)},
		{"query", query(`"text <b>"`)},
		{"query", query(`sum(`)},
		{"query", query(``)},
		{"query", query(`test_requests_total + on (job) test_requests_total`)},
		{"query", url.Values{"query": {"1"}, "time": {at.UTC().Format(time.RFC3339Nano)}}},
		{"query", url.Values{"query": {"1"}, "time": {"tea time"}}},
		{"query", url.Values{"query": {"1"}, "time": {now}, "timeout": {"soon"}}},
		{"query_range", ranged(`test_requests_total`+at3, "10")},
		{"query_range", ranged(`test_latency_seconds`+at3, "10s")},
		{"query_range", ranged(`vector(42)`, "2.5")},
		{"query_range", ranged(`1`, "7500ms")},
		{"query_range", ranged(`1`, "0")},
		{"query_range", ranged(`1`, "0.001")},
		{"query_range", ranged(`up[5m]`, "10")},
		{"query_range", url.Values{"query": {"1"}, "start": {now}, "end": {"1"}, "step": {"10"}}},
		{"query_range", url.Values{"query": {"1"}, "step": {"10"}}},
		{"series", match(`test_requests_total`)},
		{"series", match(`test_requests_total{code="2xx"}`, `test_temperature`, `test_requests_total`)},
		{"series", match(`{job="nobody"}`)},
		{"series", match()},
		{"series", match(`{job=~".*"}`)},
		{"series", match(`sum(up)`)},
		{"labels", match(`test_requests_total`)},
		{"labels", match(`test_requests_total`, `test_latency_seconds`)},
		{"labels", match(`nobody_tells_this`)},
		{"label/revision/values", nil},
		{"label/code/values", match(`test_requests_total{revision="r2"}`)},
		{"label/model/values", nil},
		{"label/nothing/values", nil},
		{"label/code/values", match(`{`)},
	}
	for _, c := range cases {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if method == http.MethodPost && strings.HasPrefix(c.path, "label/") {
				continue // Prometheus has GET only
			}
			t.Run(fmt.Sprintf("%s %s %s", method, c.path, c.form.Encode()), func(t *testing.T) {
				gotStatus, got := call(t, method, ours, c.path, c.form)
				wantStatus, want := call(t, method, theirs, c.path, c.form)
				if gotStatus != wantStatus {
					t.Errorf("status %d, want %d", gotStatus, wantStatus)
				}
				// What the errors say differs, as it does between versions.
				if want["error"] != nil && got["error"] != nil {
					delete(want, "error")
					delete(got, "error")
				}
				delete(got, "warnings") // newer versions warn of more
				delete(got, "infos")
				if !alike(got, want) {
					t.Errorf("answer\n%v\nwant\n%v", got, want)
				}
			})
		}
	}
}

// alike compares JSON. Numbers may differ in the last digit, since newer versions
// lose fewer digits while they add up.
func alike(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key := range a {
			if !alike(a[key], b[key]) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !alike(a[i], b[i]) {
				return false
			}
		}
		return true
	case string:
		x, err := strconv.ParseFloat(a, 64)
		text, ok := b.(string)
		if err != nil || !ok {
			return a == b
		}
		y, err := strconv.ParseFloat(text, 64)
		return a == text || err == nil && strings.ContainsAny(a, ".") && math.Abs(x-y) <= 1e-14*math.Abs(x)
	default:
		return reflect.DeepEqual(a, b)
	}
}

func TestHandlerHoldsItsLimits(t *testing.T) {
	e := open(t, metrics.Options{})
	server := httptest.NewServer(e.Handler())
	t.Cleanup(server.Close)
	cases := map[string]struct {
		path   string
		form   url.Values
		status int
		kind   string
	}{
		"11,001 points":      {"query_range", url.Values{"query": {"1"}, "start": {"0"}, "end": {"11000"}, "step": {"1"}}, 200, ""},
		"one point more":     {"query_range", url.Values{"query": {"1"}, "start": {"0"}, "end": {"11001"}, "step": {"1"}}, 400, "bad_data"},
		"a step of a breath": {"query_range", url.Values{"query": {"1"}, "start": {"0"}, "end": {"0"}, "step": {"1e-9"}}, 400, "bad_data"},
		"an endless step":    {"query_range", url.Values{"query": {"1"}, "start": {"0"}, "end": {"1"}, "step": {"NaN"}}, 400, "bad_data"},
		"all time":           {"query_range", url.Values{"query": {"1"}, "start": {"-1e300"}, "end": {"1e300"}, "step": {"1"}}, 400, "bad_data"},
		"no time":            {"query", url.Values{"query": {"1"}, "timeout": {"1e-6"}}, 503, "timeout"},
		"too many samples":   {"query", url.Values{"query": {"sum_over_time(vector(1)[100d:1s])"}}, 422, "execution"},
		"a large form":       {"query", url.Values{"query": {strings.Repeat("1+", 1<<20)}}, 400, "bad_data"},
		"a negative limit":   {"labels", url.Values{"limit": {"-1"}}, 400, "bad_data"},
		"no metadata":        {"metadata", nil, 200, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			status, answer := call(t, http.MethodPost, server.URL, c.path, c.form)
			if kind, _ := answer["errorType"].(string); status != c.status || kind != c.kind {
				t.Errorf("answer = %d %v, want %d %s", status, answer, c.status, c.kind)
			}
		})
	}
	t.Run("it says which Prometheus it is", func(t *testing.T) {
		_, answer := call(t, http.MethodGet, server.URL, "status/buildinfo", nil)
		info, _ := answer["data"].(map[string]any)
		if version, _ := info["version"].(string); !strings.HasPrefix(version, "3.") {
			t.Errorf("build info = %v, want version 3", answer)
		}
	})
	t.Run("a closed store is unavailable", func(t *testing.T) {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if status, answer := call(t, http.MethodGet, server.URL, "labels", nil); status != 503 || answer["errorType"] != "unavailable" {
			t.Errorf("answer = %d %v, want 503 unavailable", status, answer)
		}
	})
}
