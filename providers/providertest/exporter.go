package providertest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Exporter is an endpoint that tells metrics, like a gateway: counters, a gauge,
// and a native histogram whose buckets grow by 2 % at the most. Its names:
//
//	test_requests_total{revision, code}   Requests
//	test_temperature                      Heat
//	test_latency_seconds{revision}        Observe
type Exporter struct {
	Address string // host:port
	Token   string // if set before the first scrape, requests without it are refused

	down atomic.Bool

	mu       sync.Mutex
	handler  http.Handler
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	heat     prometheus.Gauge
}

// NewExporter starts one on a port of its own.
func NewExporter(t *testing.T) *Exporter {
	t.Helper()
	e := &Exporter{}
	e.Restart()
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	e.Address = strings.TrimPrefix(server.URL, "http://")
	return e
}

// Restart forgets all counts, as a process does.
func (e *Exporter) Restart() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "test_requests_total", Help: "Requests.",
	}, []string{"revision", "code"})
	e.latency = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "test_latency_seconds", Help: "Latency.", NativeHistogramBucketFactor: 1.02,
	}, []string{"revision"})
	e.heat = prometheus.NewGauge(prometheus.GaugeOpts{Name: "test_temperature", Help: "Temperature."})
	registry := prometheus.NewRegistry()
	registry.MustRegister(e.requests, e.latency, e.heat)
	e.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// SetDown lets it answer with an error.
func (e *Exporter) SetDown(down bool) { e.down.Store(down) }

// Requests adds to a counter.
func (e *Exporter) Requests(revision, code string, n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.requests.WithLabelValues(revision, code).Add(float64(n))
}

// Observe adds values to a histogram, all at once for a scrape.
func (e *Exporter) Observe(revision string, seconds ...float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range seconds {
		e.latency.WithLabelValues(revision).Observe(s)
	}
}

// Heat sets the gauge.
func (e *Exporter) Heat(v float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heat.Set(v)
}

// ServeHTTP implements http.Handler.
func (e *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.down.Load():
		http.Error(w, "down", http.StatusServiceUnavailable)
	case e.Token != "" && r.Header.Get("Authorization") != "Bearer "+e.Token:
		http.Error(w, "who are you?", http.StatusUnauthorized)
	default:
		e.handler.ServeHTTP(w, r)
	}
}
