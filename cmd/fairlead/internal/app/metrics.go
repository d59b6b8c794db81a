package app

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// metrics are what the daemon tells about itself. They follow from the events of
// the controller and from its status, never from the deciding code.
type metrics struct {
	registry   *prometheus.Registry
	reconciles *prometheus.CounterVec
	actions    *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	resync     prometheus.Histogram
	reconcile  prometheus.Histogram
	errors     *prometheus.CounterVec
	commits    *prometheus.CounterVec
	rollouts   *prometheus.CounterVec
	rolling    *prometheus.HistogramVec
	checks     *prometheus.CounterVec
	drift      *prometheus.CounterVec
	inFlight   prometheus.Gauge
	lag        prometheus.Gauge
	// accepted is when the commit came that is not converged yet; nil if it is.
	accepted atomic.Pointer[time.Time]
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		reconciles: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_reconcile_total", Help: "Decisions about an object, by kind of object.",
		}, []string{"kind"}),
		actions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_actions_total", Help: "Actions on the engine, by kind of action and outcome (done, failed).",
		}, []string{"action", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fairlead_action_duration_seconds", Help: "How long actions on the engine took, with the wait for an image and for their turn.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 15),
		}, []string{"action"}),
		resync: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fairlead_resync_duration_seconds", Help: "How long one list of everything in the environment took.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
		reconcile: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fairlead_reconcile_duration_seconds", Help: "Time from an accepted commit to convergence; a commit that the next one overtakes is not counted.",
			Buckets: prometheus.ExponentialBuckets(0.1, 2, 16),
		}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_errors_total", Help: "Errors by where they came from (git, engine, gateway, commit, journal, metrics).",
		}, []string{"source"}),
		commits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_commits_total", Help: "Commits by outcome (accepted, refused).",
		}, []string{"outcome"}),
		rollouts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_rollouts_total", Help: "Rollouts that ended, by outcome.",
		}, []string{"model", "outcome"}),
		rolling: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fairlead_rollout_duration_seconds", Help: "How long rollouts took, from their start to their end, by outcome.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 20),
		}, []string{"outcome"}),
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_check_outcomes_total", Help: "Looks at a check of a rollout, by outcome (pass, fail, insufficient, error).",
		}, []string{"model", "check", "outcome"}),
		drift: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_drift_healed_total", Help: "How often what ran had drifted from Git, and was put right.",
		}, []string{"model"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairlead_actions_in_flight", Help: "Actions that were begun and have not ended: the engine works on them, or they wait for an image or for their turn.",
		}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairlead_commit_accepted_timestamp_seconds", Help: "When the commit that is followed was accepted.",
		}),
	}
	m.registry.MustRegister(m.reconciles, m.actions, m.duration, m.resync, m.reconcile, m.errors, m.commits, m.rollouts, m.rolling, m.checks, m.drift, m.inFlight, m.lag,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) observe(e controller.Event) {
	switch e.Type {
	case controller.Reconciled:
		m.reconciles.WithLabelValues(string(e.Address.Kind)).Inc()
	case controller.Resynced:
		m.resync.Observe(e.Took.Seconds())
	case controller.ActionStarted:
		m.inFlight.Inc()
	case controller.ActionDone, controller.ActionFailed:
		m.inFlight.Dec()
		outcome := "done"
		if e.Type == controller.ActionFailed {
			outcome = "failed"
		}
		m.actions.WithLabelValues(string(e.Verb), outcome).Inc()
		m.duration.WithLabelValues(string(e.Verb)).Observe(e.Took.Seconds())
	case controller.SourceFailed:
		m.errors.WithLabelValues("git").Inc()
	case controller.EngineFailed:
		m.errors.WithLabelValues("engine").Inc()
	case controller.GatewayFailed:
		m.errors.WithLabelValues("gateway").Inc()
	case controller.CommitRefused:
		m.errors.WithLabelValues("commit").Inc()
		m.commits.WithLabelValues("refused").Inc()
	case controller.CommitAccepted:
		m.commits.WithLabelValues("accepted").Inc()
		m.lag.Set(float64(e.Time.Unix()))
		m.accepted.Store(&e.Time)
	case controller.Decided:
		if e.Ended != nil {
			m.rollouts.WithLabelValues(e.Entry.Model, string(e.Ended.Outcome)).Inc()
			m.rolling.WithLabelValues(string(e.Ended.Outcome)).Observe(e.Ended.At.Sub(e.Ended.Started).Seconds())
		}
	case controller.Measured:
		m.checks.WithLabelValues(e.Address.ServedName(), e.Verdict.Check, string(e.Verdict.Outcome)).Inc()
	case controller.JournalFailed:
		m.errors.WithLabelValues("journal").Inc()
	case controller.MetricsFailed:
		m.errors.WithLabelValues("metrics").Inc()
	case controller.DriftHealed:
		m.drift.WithLabelValues(e.Address.ServedName()).Inc()
	case controller.JournalRecovered, controller.MetricsRecovered, controller.SourceRecovered, controller.EngineRecovered, controller.GatewayAnswers, controller.Pulling, controller.TablePushed, controller.PhaseChanged:
	}
}

// decided is told the status after each decision. Events come too early to see
// convergence by: the status that follows from them is not published yet.
func (m *metrics) decided(s *controller.Status, now time.Time) {
	if !s.Converged {
		return
	}
	if accepted := m.accepted.Swap(nil); accepted != nil {
		m.reconcile.Observe(now.Sub(*accepted).Seconds())
	}
}

// handler serves the metrics, together with those that follow from the status at
// the moment of the scrape.
func (m *metrics) handler(status func() DaemonStatus) http.Handler {
	live := prometheus.NewRegistry()
	live.MustRegister(&statusCollector{status: status}, &modelCollector{models: func() []controller.ModelStatus { return status().Models }})
	return promhttp.HandlerFor(prometheus.Gatherers{m.registry, live}, promhttp.HandlerOpts{})
}

// statusCollector turns a status into gauges.
type statusCollector struct{ status func() DaemonStatus }

var (
	queueDesc     = prometheus.NewDesc("fairlead_reconcile_queue", "Models that are not steady: something is left to do about them, or to wait for.", nil, nil)
	modelsDesc    = prometheus.NewDesc("fairlead_models", "Models by phase.", []string{"phase"}, nil)
	convergedDesc = prometheus.NewDesc("fairlead_converged", "1 if what runs is what Git wants.", nil, nil)
	standbyDesc   = prometheus.NewDesc("fairlead_standby", "1 if the daemon does not act.", nil, nil)
	lagDesc       = prometheus.NewDesc("fairlead_commit_lag_seconds", "How long ago the commit that is followed was made, while it is not converged; 0 when it is.", nil, nil)
	pendingDesc   = prometheus.NewDesc("fairlead_journal_pending", "Entries of the journal that its remote has not got yet.", nil, nil)
	replicasDesc  = prometheus.NewDesc("fairlead_replicas", "Replicas of a model, by state (ready, wanted).", []string{"model", "state"}, nil)
)

// Describe implements prometheus.Collector.
func (c *statusCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queueDesc, modelsDesc, convergedDesc, standbyDesc, lagDesc, pendingDesc, replicasDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *statusCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.status()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	phases, queue := map[string]float64{}, 0.0
	for _, m := range s.Models {
		phases[string(m.Phase)]++
		queue += toFloat(m.Phase != rollout.Steady)
		gauge(replicasDesc, float64(m.Ready), m.Name, "ready")
		gauge(replicasDesc, float64(m.Replicas), m.Name, "wanted")
	}
	for phase, n := range phases {
		gauge(modelsDesc, n, phase)
	}
	gauge(queueDesc, queue)
	gauge(convergedDesc, toFloat(s.Converged))
	gauge(standbyDesc, toFloat(s.Standby != ""))
	gauge(pendingDesc, float64(s.Journal.Pending))
	gauge(lagDesc, lag(s.Commit, s.Converged))
}

func lag(c spec.Commit, converged bool) float64 {
	if converged || c.Time.IsZero() {
		return 0
	}
	return max(time.Since(c.Time).Seconds(), 0)
}

func toFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
