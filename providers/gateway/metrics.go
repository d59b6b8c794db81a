package gateway

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// outcome is how a request ended, as the label "code" of its metrics says it.
type outcome int

const (
	outcome1xx outcome = iota // switched to another protocol
	outcome2xx
	outcome3xx
	outcome4xx
	outcome5xx // also an answer that broke off, and no answer at all
	// outcomeClientGone: the client left before the answer was complete. It says
	// nothing about the model, so it must not count as its error.
	outcomeClientGone
	outcomes
)

var outcomeLabels = [outcomes]string{"1xx", "2xx", "3xx", "4xx", "5xx", "client_gone"}

// outcomeOf is the class of a status code.
func outcomeOf(status int) outcome {
	return outcome(min(max(status/100, 1), 5) - 1)
}

// metrics are those of one gateway, in a registry of its own. What counts is
// kept here; what is a state is read from the routing at each scrape.
type metrics struct {
	registry      *prometheus.Registry
	requests      *prometheus.CounterVec
	latency       *prometheus.HistogramVec
	refused       *prometheus.CounterVec
	probeFailures *prometheus.CounterVec
	retries       *prometheus.CounterVec
	fallbacks     *prometheus.CounterVec
	ejections     *prometheus.CounterVec
	compared      *prometheus.CounterVec
	copiesDropped *prometheus.CounterVec
	distance      *prometheus.HistogramVec
	outputs       *prometheus.HistogramVec
	unstored      prometheus.Gauge

	mu    sync.Mutex
	known map[seriesKey]*series // of the models and revisions in the table
}

// seriesKey is a revision; "" stands for a model without any.
type seriesKey struct{ model, revision string }

// native is what all native histograms have in common: a bucket is 2.2 % wide
// (schema 5), so that the judge sees a shift of some percent, and keepBuckets of
// them cover six decades, where a latency of 0.1 ms and one of 100 s are still
// told apart as well. A histogram that needs more than that gets wider buckets,
// so that its memory is bounded.
func native(name, help string, classic []float64) prometheus.HistogramOpts {
	const keepBuckets = 704
	return prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: classic,
		NativeHistogramBucketFactor:     1.022,
		NativeHistogramMaxBucketNumber:  keepBuckets,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

func newMetrics() *metrics {
	perRevision := []string{"model", "revision"}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_requests_total",
			Help: "Requests to a model by the revision that answered and the class of the answer. revision is empty where the request reached no replica.",
		}, append(perRevision, "code")),
		latency: prometheus.NewHistogramVec(native("fairlead_request_duration_seconds",
			"Time from a request's header to the end of its answer, by the class of the answer.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}), append(perRevision, "code")),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_gateway_refused_requests_total",
			Help: "Requests that the gateway answered with an error of its own before any model was chosen.",
		}, []string{"code"}),
		probeFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_gateway_probe_failures_total",
			Help: "Health probes of replicas that failed.",
		}, perRevision),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_gateway_retries_total",
			Help: "Requests that were sent again, to another replica or on another connection, because the first one could not be connected to or broke off a request that may be repeated.",
		}, []string{"model"}),
		fallbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_gateway_fallbacks_total",
			Help: "Requests to a model that its fallback took, because no replica was ready (no_replica), or the model failed (5xx) or was late (timeout).",
		}, []string{"model", "reason"}),
		ejections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_gateway_ejections_total",
			Help: "Times that a replica got no requests for a while, since it failed what its peers answered.",
		}, perRevision),
		compared: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_shadow_compared_total",
			Help: "Copies of requests that the candidate answered like stable (agree), unlike it (differ), or not at all (failed).",
		}, append(perRevision, "result")),
		copiesDropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_shadow_dropped_total",
			Help: "Requests that should have been copied to the candidate and were not, or could not be compared.",
		}, append(perRevision, "reason")),
		distance: prometheus.NewHistogramVec(native("fairlead_shadow_distance",
			"Mean relative difference between stable's and the candidate's values of an output, for each copy compared.", nil), append(perRevision, "output")),
		outputs: prometheus.NewHistogramVec(native("fairlead_output_values",
			"Values of an output, from a sample of the answers.", nil), append(perRevision, "output")),
		unstored: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairlead_gateway_table_unstored",
			Help: "1 while the routing table in force could not be written to disk.",
		}),
		known: map[seriesKey]*series{},
	}
	m.registry.MustRegister(m.requests, m.latency, m.refused, m.probeFailures, m.retries, m.fallbacks, m.ejections,
		m.compared, m.copiesDropped, m.distance, m.outputs, m.unstored,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, EnableOpenMetrics: true})
}

// stateCollector reads gauges from the routing in force.
type stateCollector struct{ current func() *routing }

var (
	descVersion = prometheus.NewDesc("fairlead_gateway_table_version",
		"Version of the routing table in force; 0 before the first.", nil, nil)
	descInFlight = prometheus.NewDesc("fairlead_requests_in_flight",
		"Requests that a revision's replicas are answering.", []string{"model", "revision"}, nil)
	descWeight = prometheus.NewDesc("fairlead_revision_weight",
		"Share of a model's requests that a revision gets, in percent.", []string{"model", "revision"}, nil)
	descHealthy = prometheus.NewDesc("fairlead_replica_healthy",
		"1 for a replica whose health probe is good.", []string{"model", "revision", "replica"}, nil)
)

// Describe implements prometheus.Collector.
func (c stateCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descVersion, descInFlight, descWeight, descHealthy} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (c stateCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := c.current()
	gauge(descVersion, float64(now.table.Version))
	for _, m := range now.table.Models {
		for _, rev := range m.Revisions {
			var open int64
			for _, listed := range rev.Replicas {
				r := now.replicas[listed.ID]
				open += r.load.Load()
				healthy := 0.0
				if r.ready.Load() {
					healthy = 1
				}
				gauge(descHealthy, healthy, m.Name, rev.Revision, r.id)
			}
			gauge(descInFlight, float64(open), m.Name, rev.Revision)
			gauge(descWeight, float64(rev.Weight), m.Name, rev.Revision)
		}
	}
}
