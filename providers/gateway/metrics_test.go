package gateway_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/fairlead/fairlead/providers/gateway"
)

// scrape returns /metrics, which needs no token.
func scrape(t *testing.T, g *rig) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.admin+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, body := do(t, request)
	return body
}

// awaitMetric waits until a line is among the metrics: a request is counted when
// its handler ends, a moment after the client has its answer.
func awaitMetric(t *testing.T, g *rig, line string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		body := scrape(t, g)
		if strings.Contains(body, line+"\n") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("metrics never had %q:\n%s", line, body)
		}
	}
}

// readMetric returns the value of a counter; one that is not there is 0.
func readMetric(t *testing.T, g *rig, series string) int {
	t.Helper()
	_, rest, found := strings.Cut(scrape(t, g), "\n"+series+" ")
	if !found {
		return 0
	}
	text, _, _ := strings.Cut(rest, "\n")
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("%s has the value %q", series, text)
	}
	return int(value)
}

func TestMetricsPerModelAndRevision(t *testing.T) {
	b := newBackend(t, "a", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "bad") {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, "x")
	})
	g := start(t, nil)
	g.push(t, model("digits", revision("r1", 100, b.replica())), model("empty", revision("r1", 100)))
	g.ready(t)
	for _, path := range []string{"/v2/models/digits", "/v2/models/digits/x", "/v2/models/digits/bad", "/v2/models/empty", "/nowhere"} {
		g.get(t, path, nil)
	}
	for _, line := range []string{
		`fairlead_requests_total{code="2xx",model="digits",revision="r1"} 2`,
		`fairlead_requests_total{code="4xx",model="digits",revision="r1"} 1`,
		`fairlead_requests_total{code="5xx",model="digits",revision="r1"} 0`,
		`fairlead_requests_total{code="5xx",model="empty",revision=""} 1`,
		`fairlead_request_duration_seconds_count{code="2xx",model="digits",revision="r1"} 2`,
		`fairlead_request_duration_seconds_count{code="4xx",model="digits",revision="r1"} 1`,
		`fairlead_requests_in_flight{model="digits",revision="r1"} 0`,
		`fairlead_gateway_refused_requests_total{code="404"} 1`,
		`fairlead_gateway_table_version 1`,
		`fairlead_replica_healthy{model="digits",replica="a",revision="r1"} 1`,
		`fairlead_revision_weight{model="digits",revision="r1"} 100`,
	} {
		awaitMetric(t, g, line)
	}

	g.push(t, model("digits", revision("r2", 100, b.replica())))
	body := scrape(t, g)
	for _, gone := range []string{`revision="r1"`, `model="empty"`} {
		if strings.Contains(body, gone) {
			t.Errorf("series with %s are still there after it left the table", gone)
		}
	}
	if !strings.Contains(body, `revision="r2"`) {
		t.Error("the new revision has no series")
	}
}

// A store asks for protobuf, since native histograms have no text form.
func TestNativeHistogramsAreScraped(t *testing.T) {
	g := oneModel(t, nil, nil)
	const requests = 20
	for range requests {
		g.get(t, "/v2/models/digits", nil)
	}
	awaitMetric(t, g, `fairlead_requests_total{code="2xx",model="digits",revision="r1"} 20`)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.admin+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,text/plain;q=0.5")
	answer, body := do(t, request)
	decoder := expfmt.NewDecoder(strings.NewReader(body), expfmt.ResponseFormat(answer.Header))
	for {
		var family dto.MetricFamily
		if err := decoder.Decode(&family); err != nil {
			t.Fatalf("no histogram of latencies: %v", err)
		}
		if family.GetName() != "fairlead_request_duration_seconds" {
			continue
		}
		h := family.GetMetric()[0].GetHistogram()
		if len(family.GetMetric()) != 1 || h.GetSampleCount() != requests || h.GetSchema() != 5 || len(h.GetPositiveSpan()) == 0 {
			t.Errorf("%d histograms, the first: %v", len(family.GetMetric()), h)
		}
		return
	}
}

// Six decades of latencies, as fine as two neighbours can be, keep the width of
// their buckets.
func TestLatenciesOfSixDecadesKeepTheirResolution(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	h := prometheus.NewHistogram(gateway.Native("h", "", nil))
	registry.MustRegister(h)
	for v := 1e-4; v < 1e2; v *= 1.005 {
		h.Observe(v)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if got := families[0].GetMetric()[0].GetHistogram(); got.GetSchema() != 5 {
		t.Errorf("schema %d, want 5", got.GetSchema())
	}
}
