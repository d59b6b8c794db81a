package gateway

import (
	"net/http"
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

// series are the metrics of one revision, looked up once per table instead of
// once per request.
type series struct {
	requests [outcomes]prometheus.Counter
	latency  prometheus.Observer
}

func (s *series) observe(o outcome, elapsed time.Duration) {
	s.requests[o].Inc()
	if o != outcome1xx { // how long a websocket was open is no latency
		s.latency.Observe(elapsed.Seconds())
	}
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
	unstored      prometheus.Gauge
}

func newMetrics() *metrics {
	perRevision := []string{"model", "revision"}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_requests_total",
			Help: "Requests to a model by the revision that answered and the class of the answer. revision is empty where the request reached no replica.",
		}, append(perRevision, "code")),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                            "fairlead_request_duration_seconds",
			Help:                            "Time from a request's header to the end of its answer.",
			Buckets:                         []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  160,
			NativeHistogramMinResetDuration: time.Hour,
		}, perRevision),
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
			Help: "Requests that went to another replica because the first one could not be connected to.",
		}, []string{"model"}),
		fallbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_gateway_fallbacks_total",
			Help: "Requests to a model without a ready replica that its fallback took.",
		}, []string{"model"}),
		unstored: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairlead_gateway_table_unstored",
			Help: "1 while the routing table in force could not be written to disk.",
		}),
	}
	m.registry.MustRegister(m.requests, m.latency, m.refused, m.probeFailures, m.retries, m.fallbacks, m.unstored,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// series returns the metrics of a revision. Every counter exists from then on,
// so that the first error of a revision is a rise from 0 and not a new series.
func (m *metrics) series(model, revision string) *series {
	s := &series{latency: m.latency.WithLabelValues(model, revision)}
	for o, label := range outcomeLabels {
		s.requests[o] = m.requests.WithLabelValues(model, revision, label)
	}
	return s
}

// forget drops the series of what was in the table before and is no more, so
// that a gateway which runs for months does not collect every revision it saw.
func (m *metrics) forget(before, now *routing) {
	keep := map[[2]string]bool{}
	for _, model := range now.table.Models {
		keep[[2]string{model.Name, ""}] = true
		for _, rev := range model.Revisions {
			keep[[2]string{model.Name, rev.Revision}] = true
		}
	}
	drop := func(model, revision string) {
		if keep[[2]string{model, revision}] {
			return
		}
		labels := prometheus.Labels{"model": model, "revision": revision}
		m.requests.DeletePartialMatch(labels)
		m.latency.DeletePartialMatch(labels)
		m.probeFailures.DeletePartialMatch(labels)
	}
	for _, model := range before.table.Models {
		for _, rev := range model.Revisions {
			drop(model.Name, rev.Revision)
		}
		if now.models[model.Name] == nil {
			drop(model.Name, "")
			m.retries.DeleteLabelValues(model.Name)
			m.fallbacks.DeleteLabelValues(model.Name)
		}
	}
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
