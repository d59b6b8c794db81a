package judge

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Vars fill in a query.
type Vars struct {
	Model     string
	Stable    string // revision; "" where there is none to compare with
	Candidate string // revision
	Window    time.Duration
	// Output is the output tensor of score_shift.
	Output string
	// Environment is that of the gateway and the daemon whose series are read; ""
	// for any.
	Environment string
	// Share is the candidate's share of the requests, 0 to 1.
	Share float64
}

// Reading is one measurement of one check, good for one Look.
//
// For a preset it holds counters as they stand, counted since each gateway
// started; Look takes the differences itself. For a query it holds the values.
type Reading struct {
	At     time.Time
	Err    string // why it could not be made; "" if it could
	Series []Series
	// Recent are the distributions over the window of Vars, of all gateways
	// together; nil where the store has none. They only serve to pick thresholds
	// and to show a figure, never as evidence.
	Recent Pair[*reconcile.Histogram]
	// Values are what a query gave; nil for nothing, or for no finite number.
	Values Pair[*float64]
}

// Side tells the two revisions of a rollout apart.
type Side string

// The sides.
const (
	Candidate Side = "candidate"
	Stable    Side = "stable"
)

// Pair is one value of each side.
type Pair[T any] struct {
	Candidate T `json:"candidate,omitzero"`
	Stable    T `json:"stable,omitzero"`
}

// of returns the place of a side.
func (p *Pair[T]) of(s Side) *T {
	if s == Stable {
		return &p.Stable
	}
	return &p.Candidate
}

// Series is what one gateway, or for restarts one daemon, has counted on one side
// since it started. Programs that restart count from 0 again, each by itself, so
// they are kept apart.
type Series struct {
	Side     Side
	Instance string
	Total    float64 // all that was counted: requests, answers, restarts
	// Bad are those of Total that speak against a revision: errors, answers that
	// differ from stable's.
	Bad float64
	// Histogram is the distribution of a latency or of an output's values; Total
	// is its count.
	Histogram *reconcile.Histogram
	// GivenUp is how long clients waited for answers that they then gave up. An
	// answer would have taken longer than that; Total has these as well.
	GivenUp *reconcile.Histogram
}

// Unread is the reading of a check whose queries failed.
func Unread(at time.Time, err error) Reading { return Reading{At: at, Err: err.Error()} }

// Read makes a reading of what the queries of Compile gave, in their order.
// Results that are left out count as empty.
func Read(c spec.Check, v Vars, at time.Time, results [][]reconcile.Sample) Reading {
	r := Reading{At: at}
	if why := meaningless(c, v); why != "" {
		r.Err = why
		return r
	}
	result := func(i int) []reconcile.Sample {
		if i < len(results) {
			return results[i]
		}
		return nil
	}
	switch kindOf(c) {
	case ofQuery:
		r.readValues(result(0), result(1))
	case ofQuantile, ofShift:
		r.readHistograms(v, result(0), result(1), result(2))
	case ofErrors:
		r.readCounters(v, result(0), "code", "5xx")
	case ofAgreement:
		r.readCounters(v, result(0), "result", "differ", "failed")
	case ofRate, ofRestarts:
		r.readCounters(v, result(0), "")
	}
	return r
}

// side tells whose series a sample belongs to.
func (v Vars) side(labels map[string]string) (Side, bool) {
	revision := labels["revision"]
	switch revision {
	case "":
		return "", false
	case v.Candidate:
		return Candidate, true
	case v.Stable:
		return Stable, true
	}
	return "", false
}

// readCounters adds the samples up by side and instance. Those whose label has
// one of the values bad count as Bad, too.
func (r *Reading) readCounters(v Vars, samples []reconcile.Sample, label string, bad ...string) {
	for _, s := range samples {
		side, known := v.side(s.Labels)
		if !known || !isCount(s.Value) {
			continue
		}
		series := r.series(side, s.Labels["instance"])
		series.Total += s.Value
		for _, b := range bad {
			if s.Labels[label] == b {
				series.Bad += s.Value
			}
		}
	}
}

// series returns the entry of a side and instance, which it adds where there is
// none. The pointer is good until the next call.
func (r *Reading) series(side Side, instance string) *Series {
	for i := range r.Series {
		if r.Series[i].Side == side && r.Series[i].Instance == instance {
			return &r.Series[i]
		}
	}
	r.Series = append(r.Series, Series{Side: side, Instance: instance})
	return &r.Series[len(r.Series)-1]
}

func (r *Reading) readHistograms(v Vars, cumulative, recent, givenUp []reconcile.Sample) {
	for _, s := range slices.Concat(cumulative, givenUp) {
		if side, known := v.side(s.Labels); known && s.Histogram != nil && sound(s.Histogram) {
			r.series(side, s.Labels["instance"]).Total += s.Histogram.Count
		}
	}
	for _, s := range givenUp {
		if side, known := v.side(s.Labels); known && s.Histogram != nil && sound(s.Histogram) {
			series := r.series(side, s.Labels["instance"])
			series.GivenUp = merge(series.GivenUp, s.Histogram)
		}
	}
	for _, s := range cumulative {
		side, known := v.side(s.Labels)
		switch {
		case !known:
		case s.Histogram == nil:
			r.Err = "the store of metrics keeps no native histograms, which latencies and distributions are judged by; " +
				"start Prometheus with --enable-feature=native-histograms, or use the embedded store"
		case sound(s.Histogram):
			series := r.series(side, s.Labels["instance"])
			series.Histogram = merge(series.Histogram, s.Histogram)
		}
	}
	for _, s := range recent {
		if side, known := v.side(s.Labels); known && s.Histogram != nil && sound(s.Histogram) {
			h := r.Recent.of(side)
			*h = merge(*h, s.Histogram)
		}
	}
}

func (r *Reading) readValues(candidate, stable []reconcile.Sample) {
	var err error
	if r.Values.Candidate, err = single(candidate); err != nil {
		r.Err = err.Error()
		return
	}
	if r.Values.Stable, err = single(stable); err != nil {
		r.Err = err.Error() + " (asked for stable in place of the candidate)"
	}
}

// single is the value of a query: nil for none, and for what is no finite number
// and so no measurement, such as 0/0.
func single(samples []reconcile.Sample) (*float64, error) {
	switch {
	case len(samples) == 0:
		return nil, nil
	case len(samples) > 1:
		return nil, fmt.Errorf("the query gives %d values where a check compares one; aggregate them, for example with sum(...) or max(...)", len(samples))
	case samples[0].Histogram != nil:
		return nil, fmt.Errorf("the query gives a histogram where a check compares a number; use histogram_quantile(...) or histogram_avg(...)")
	case !finite(samples[0].Value):
		return nil, nil
	}
	value := samples[0].Value
	return &value, nil
}

// maxCount is the largest number that is taken for a count: a thousand requests a
// second take thirty years to it. What is larger was not counted, and would only
// take long to calculate with.
const maxCount = 1e12

// isCount tells whether a number can have been counted.
func isCount(x float64) bool { return x >= 0 && x <= maxCount }

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
