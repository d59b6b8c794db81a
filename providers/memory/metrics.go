package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// Metrics is a script: a test says what queries find, and which fail. Unlike the
// other ports it does not keep the contract by itself, since what evaluates PromQL
// would be another Prometheus.
type Metrics struct {
	mu      sync.Mutex
	answers []metricsAnswer
	err     error
	asked   []MetricsQuery
	targets []reconcile.ScrapeTarget
}

var (
	_ reconcile.Metrics = (*Metrics)(nil)
	_ reconcile.Scraper = (*Metrics)(nil)
)

// MetricsQuery is a query that was asked.
type MetricsQuery struct {
	PromQL string
	At     time.Time
}

// metricsAnswer is given to queries that contain part.
type metricsAnswer struct {
	part string
	give func(MetricsQuery) ([]reconcile.Sample, error)
}

// NewMetrics returns a store without data: every query finds nothing.
func NewMetrics() *Metrics { return &Metrics{} }

// Answer lets each query that contains part find these samples. What was said last
// wins, so a test can begin with the general and go on to the exception.
func (m *Metrics) Answer(part string, samples ...reconcile.Sample) {
	m.AnswerFunc(part, func(MetricsQuery) ([]reconcile.Sample, error) { return samples, nil })
}

// AnswerFunc lets give answer each query that contains part, for answers that
// change with the time or the query, and for faults of single queries.
func (m *Metrics) AnswerFunc(part string, give func(MetricsQuery) ([]reconcile.Sample, error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers = append(m.answers, metricsAnswer{part: part, give: give})
}

// Fail lets the store be away, for the reason why, until Fail(nil).
func (m *Metrics) Fail(why error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = why
}

// Asked returns the queries so far, in their order.
func (m *Metrics) Asked() []MetricsQuery {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.asked)
}

// Targets returns what the last Scrape said.
func (m *Metrics) Targets() []reconcile.ScrapeTarget {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.targets)
}

// Query implements reconcile.Metrics.
func (m *Metrics) Query(ctx context.Context, promql string, at time.Time) ([]reconcile.Sample, error) {
	q := MetricsQuery{PromQL: promql, At: at}
	give, err := m.ask(ctx, q)
	if err != nil || give == nil {
		return nil, err
	}
	return give(q) // outside the lock, so that it may use m
}

// ask takes note of a query and returns what answers it; nil if nothing does.
func (m *Metrics) ask(ctx context.Context, q MetricsQuery) (func(MetricsQuery) ([]reconcile.Sample, error), error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, q)
	for _, err := range []error{ctx.Err(), m.err} {
		if err != nil {
			return nil, fmt.Errorf("%w: query %q: %w", reconcile.ErrMetricsUnavailable, q.PromQL, err)
		}
	}
	for _, answer := range slices.Backward(m.answers) {
		if strings.Contains(q.PromQL, answer.part) {
			return answer.give, nil
		}
	}
	return nil, nil
}

// Scrape implements reconcile.Scraper.
func (m *Metrics) Scrape(targets []reconcile.ScrapeTarget) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.targets = slices.Clone(targets)
}
