package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

// evidence is what is measured for the rollout of one model.
type evidence struct {
	readings map[string]judge.Reading // newest, by check
	underWay map[string]bool          // by check
	begun    map[string]time.Time     // last measurement, by check
}

// measured is the outcome of one measurement.
type measured struct {
	key     key
	rollout string // as candidateOf names it
	check   string
	reading judge.Reading
	err     error
}

const (
	// parallelQueries bounds the measurements at one time, so that many rollouts
	// do not crowd the store of metrics.
	parallelQueries = 4
	// queryTimeout bounds all queries of one measurement.
	queryTimeout = 10 * time.Second
	// measurePause is the least time between two measurements of one check. The
	// intervals of checks are longer; it keeps a mistake from becoming a storm.
	measurePause = 200 * time.Millisecond
)

// measure begins the measurements that are due, of each check one at a time.
func (l *loop) measure(o *object, due []rollout.Measurement, now time.Time) {
	e := &o.evidence
	if len(due) > 0 && e.underWay == nil {
		*e = evidence{readings: map[string]judge.Reading{}, underWay: map[string]bool{}, begun: map[string]time.Time{}}
	}
	for _, m := range due {
		name := m.Check.Name
		if e.underWay[name] {
			continue
		}
		if next := e.begun[name].Add(measurePause); now.Before(next) {
			o.wakeAt(next)
			continue
		}
		e.underWay[name], e.begun[name] = true, now
		result := measured{key: o.key, rollout: candidateOf(&o.ledger.record), check: name}
		spawn(l, l.measured, func(ctx context.Context) measured {
			if !acquire(ctx, l.queries) {
				return result
			}
			defer func() { <-l.queries }()
			result.reading, result.err = read(ctx, l.c.opts.Metrics, m)
			return result
		})
	}
}

// read makes one reading, as of now.
func read(ctx context.Context, metrics reconcile.Metrics, m rollout.Measurement) (judge.Reading, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	at := time.Now()
	queries := judge.Compile(m.Check, m.Vars)
	results := make([][]reconcile.Sample, 0, len(queries))
	for _, q := range queries {
		samples, err := metrics.Query(ctx, q.PromQL, at)
		if err != nil {
			err = fmt.Errorf("measure %s: %w", q.Name, err)
			return judge.Unread(at, err), err
		}
		results = append(results, samples)
	}
	return judge.Read(m.Check, m.Vars, at, results), nil
}

func (l *loop) onMeasured(m measured) {
	o := l.objects[m.key]
	if o == nil || o.evidence.underWay == nil || candidateOf(&o.ledger.record) != m.rollout {
		return // that rollout is over
	}
	delete(o.evidence.underWay, m.check)
	o.evidence.readings[m.check] = m.reading
	o.dirty = true
	if m.err == nil || errors.Is(m.err, reconcile.ErrMetricsUnavailable) {
		l.metricsAnswered(m.err)
	}
}

// metricsAnswered keeps the status of the metrics, and tells of a change.
func (l *loop) metricsAnswered(err error) {
	before := l.status.Metrics.Error
	l.status.Metrics.Error = ""
	if err != nil {
		l.status.Metrics.Error = err.Error()
	}
	switch {
	case err != nil && before == "":
		l.emit(Event{Type: MetricsFailed, Message: err.Error(), Err: err})
	case err == nil && before != "":
		l.emit(Event{Type: MetricsRecovered, Message: "the metrics can be asked again"})
	}
}

// compareVerdicts tells of the looks that were made since the last decision.
func (l *loop) compareVerdicts(o *object, verdicts []judge.Verdict) {
	seen := map[string]time.Time{}
	for _, v := range o.decision.Verdicts {
		seen[v.Check] = v.At
	}
	for _, v := range verdicts {
		if !v.At.IsZero() && v.At.After(seen[v.Check]) {
			l.emit(Event{Type: Measured, Address: l.address(o), Message: v.Text, Verdict: &v})
		}
	}
}
