package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

// modelCollector tells of models what only the loop knows. Of a model at rest
// there is nothing but its restarts: there may be thousands.
type modelCollector struct {
	models func() []controller.ModelStatus
}

var (
	restartsDesc = prometheus.NewDesc("fairlead_replica_restarts_total", "Restarts of a revision's replicas, by the engine, by Fairlead or by hand.", []string{"model", "revision"}, nil)
	phaseDesc    = prometheus.NewDesc("fairlead_rollout_phase", "1 for the phase of a model that has a rollout under way or is held.", []string{"model", "phase"}, nil)
	weightDesc   = prometheus.NewDesc("fairlead_rollout_weight", "Share of the requests, in percent, that the candidate of a rollout gets.", []string{"model", "revision"}, nil)
	stepDesc     = prometheus.NewDesc("fairlead_rollout_step", "Step that a rollout is in, from 1; 0 while the candidate is made ready.", []string{"model", "revision"}, nil)
)

// Describe implements prometheus.Collector.
func (c *modelCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{restartsDesc, phaseDesc, weightDesc, stepDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *modelCollector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range c.models() {
		for revision, n := range m.ReplicaRestarts {
			if n == 0 && m.Rollout == nil {
				continue // nothing asks for it, and a series costs memory
			}
			ch <- prometheus.MustNewConstMetric(restartsDesc, prometheus.CounterValue, float64(n), m.Name, revision)
		}
		if m.Rollout == nil && m.Phase != rollout.Held {
			continue
		}
		ch <- prometheus.MustNewConstMetric(phaseDesc, prometheus.GaugeValue, 1, m.Name, string(m.Phase))
		if r := m.Rollout; r != nil {
			ch <- prometheus.MustNewConstMetric(weightDesc, prometheus.GaugeValue, float64(r.Weight), m.Name, r.Candidate.Revision)
			ch <- prometheus.MustNewConstMetric(stepDesc, prometheus.GaugeValue, float64(r.Step), m.Name, r.Candidate.Revision)
		}
	}
}

// modelMetrics serves a modelCollector on the loopback interface, for the
// embedded store of metrics to scrape: also where the API is not on TCP, and
// without the daemon's own metrics, which nothing in the store is for.
type modelMetrics struct {
	listener net.Listener
	server   *http.Server
	done     chan struct{}
}

func serveModelMetrics(ctx context.Context, models func() []controller.ModelStatus) (*modelMetrics, error) {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the scrapes of the embedded metrics: %w", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(&modelCollector{models})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	m := &modelMetrics{
		listener: l, done: make(chan struct{}),
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10},
	}
	go func() {
		defer close(m.done)
		_ = m.server.Serve(l) // it ends with Close
	}()
	return m, nil
}

func (m *modelMetrics) address() string { return m.listener.Addr().String() }

// Close ends it.
func (m *modelMetrics) Close() error {
	err := m.server.Close()
	<-m.done
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
