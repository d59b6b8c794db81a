package gateway

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// series are the metrics of one revision, looked up once instead of for each
// request. Tables share them as long as they list the revision.
type series struct {
	metrics  *metrics
	key      seriesKey
	requests [outcomes]prometheus.Counter
	latency  [outcomes]atomic.Pointer[prometheus.Histogram]
	sampling rate
	gone     bool // out of the table; under metrics.mu
}

// observe counts a request that has ended.
func (s *series) observe(o outcome, elapsed time.Duration) {
	s.requests[o].Inc()
	if o == outcome1xx { // how long a websocket was open is no latency
		return
	}
	h := s.latency[o].Load()
	if h == nil {
		if h = s.firstLatency(o); h == nil {
			return
		}
	}
	(*h).Observe(elapsed.Seconds())
}

// firstLatency makes the histogram of an outcome once it is there: most revisions
// never see most outcomes, and a histogram is large.
func (s *series) firstLatency(o outcome) *prometheus.Histogram {
	h := s.histogram(s.metrics.latency, outcomeLabels[o])
	s.latency[o].Store(h)
	return h
}

// histogram returns the one of the revision with the label, or nil once the
// revision has left the table: what comes late must not bring its series back.
func (s *series) histogram(vec *prometheus.HistogramVec, label string) *prometheus.Histogram {
	s.metrics.mu.Lock()
	defer s.metrics.mu.Unlock()
	if s.gone {
		return nil
	}
	h := vec.WithLabelValues(s.key.model, s.key.revision, label).(prometheus.Histogram)
	return &h
}

// count adds one to a counter of the revision with the label, under the same
// condition.
func (s *series) count(vec *prometheus.CounterVec, label string) {
	s.metrics.mu.Lock()
	defer s.metrics.mu.Unlock()
	if !s.gone {
		vec.WithLabelValues(s.key.model, s.key.revision, label).Inc()
	}
}

// series returns the metrics of a revision. Every counter of requests exists
// from then on, so that the first error of a revision is a rise from 0 and not a
// new series.
func (m *metrics) series(model, revision string) *series {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := seriesKey{model, revision}
	if s := m.known[key]; s != nil {
		return s
	}
	s := &series{metrics: m, key: key}
	for o, label := range outcomeLabels {
		s.requests[o] = m.requests.WithLabelValues(model, revision, label)
	}
	m.known[key] = s
	return s
}

// forget drops the series of what was in the table before and is no more, so
// that a gateway which runs for months does not collect every revision it saw.
func (m *metrics) forget(before, now *routing) {
	keep := map[seriesKey]bool{}
	for _, model := range now.table.Models {
		keep[seriesKey{model.Name, ""}] = true
		for _, rev := range model.Revisions {
			keep[seriesKey{model.Name, rev.Revision}] = true
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, s := range m.known {
		if !keep[key] {
			s.gone = true
			delete(m.known, key)
			m.drop(key)
		}
	}
	for _, model := range before.table.Models {
		if now.models[model.Name] == nil {
			m.retries.DeleteLabelValues(model.Name)
			m.fallbacks.DeletePartialMatch(prometheus.Labels{"model": model.Name})
		}
	}
}

// drop deletes all that is labelled with the revision.
func (m *metrics) drop(key seriesKey) {
	labels := prometheus.Labels{"model": key.model, "revision": key.revision}
	for _, vec := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{m.requests, m.latency, m.probeFailures, m.ejections, m.compared, m.copiesDropped, m.distance, m.outputs} {
		vec.DeletePartialMatch(labels)
	}
}
