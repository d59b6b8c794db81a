package simulate

import (
	"math"
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// traffic counts what a gateway would count.
type traffic struct {
	declared *spec.Simulation
	random   *rand.Rand
	stable   string // revision; any other one behaves as the candidate
	counted  map[string]*counts
}

// counts is what was counted of one revision since the beginning.
type counts struct {
	requests, errors  float64
	compared, differ  float64
	latencies, values tally
}

// tally is a distribution that grows.
type tally struct {
	bins   []bin
	counts []float64
}

// bin is a range of values and its probability.
type bin struct{ lower, upper, p float64 }

func (t *traffic) behaviour(revision string) *spec.SimulatedRevision {
	if revision == t.stable {
		return &t.declared.Stable
	}
	return &t.declared.Candidate
}

// elapse lets requests come in for as long as the table is in force. Their number
// is drawn from a Poisson distribution, and so is each part of them, which is the
// same as drawing each request.
func (t *traffic) elapse(table *reconcile.Table, from, to time.Time) {
	seconds := to.Sub(from).Seconds()
	for _, m := range table.Models {
		for _, r := range m.Revisions {
			if r.Weight > 0 {
				t.of(r.Revision).serve(t, t.behaviour(r.Revision), t.declared.Rate*seconds*float64(r.Weight)/100)
			}
		}
		if m.Mirror != nil {
			mirrored := t.declared.Rate * seconds * float64(m.Mirror.Percent) / 100
			c := t.of(m.Candidate)
			agree := t.declared.Candidate.Agreement
			differ := t.poisson(mirrored * (1 - agree))
			c.differ += differ
			c.compared += differ + t.poisson(mirrored*agree)
		}
	}
}

func (t *traffic) of(revision string) *counts {
	c := t.counted[revision]
	if c == nil {
		b := t.behaviour(revision)
		c = &counts{latencies: tally{bins: logNormal(b.Latency.Seconds(), b.Spread)}, values: tally{bins: normal(b.Shift)}}
		t.counted[revision] = c
	}
	return c
}

// serve counts requests, of which expected come in on average.
func (c *counts) serve(t *traffic, b *spec.SimulatedRevision, expected float64) {
	failed := t.poisson(expected * b.ErrorRatio)
	good := c.latencies.add(t, expected*(1-b.ErrorRatio))
	c.values.add(t, good)
	c.errors += failed
	c.requests += failed + good
}

// add spreads values over the bins, and returns how many there were.
func (d *tally) add(t *traffic, expected float64) (n float64) {
	if d.counts == nil {
		d.counts = make([]float64, len(d.bins))
	}
	for i, b := range d.bins {
		k := t.poisson(expected * b.p)
		d.counts[i] += k
		n += k
	}
	return n
}

func (t *traffic) poisson(mean float64) float64 {
	if mean <= 0 {
		return 0
	}
	return distuv.Poisson{Lambda: mean, Src: t.random}.Rand()
}

// histogram is a copy of what was counted.
func (d *tally) histogram() *reconcile.Histogram {
	h := &reconcile.Histogram{}
	for i, b := range d.bins {
		if i < len(d.counts) && d.counts[i] > 0 {
			h.Buckets = append(h.Buckets, reconcile.Bucket{Lower: b.lower, Upper: b.upper, Count: d.counts[i]})
			h.Count += d.counts[i]
			h.Sum += d.counts[i] * (b.lower + b.upper) / 2
		}
	}
	return h
}

// logNormal bins latencies as the gateway's native histograms do: 32 buckets for
// each power of two.
func logNormal(median, spread float64) []bin {
	if median <= 0 {
		median = 0.01
	}
	if spread <= 0 {
		spread = 1e-3
	}
	d := distuv.Normal{Mu: math.Log2(median), Sigma: spread / math.Ln2}
	const perPower = 32
	first, last := math.Floor((d.Mu-6*d.Sigma)*perPower), math.Ceil((d.Mu+6*d.Sigma)*perPower)
	var bins []bin
	for i := first; i < last; i++ {
		bins = append(bins, bin{math.Exp2(i / perPower), math.Exp2((i + 1) / perPower), d.CDF((i+1)/perPower) - d.CDF(i/perPower)})
	}
	return bins
}

// normal bins values around shift with a standard deviation of one.
func normal(shift float64) []bin {
	d := distuv.Normal{Mu: shift, Sigma: 1}
	const width = 0.1
	var bins []bin
	for i := math.Floor((shift - 5) / width); i < (shift+5)/width; i++ {
		bins = append(bins, bin{i * width, (i + 1) * width, d.CDF((i+1)*width) - d.CDF(i*width)})
	}
	return bins
}

// measure reads what was counted, as the metrics of a gateway would tell it.
func (t *traffic) measure(m rollout.Measurement, now time.Time) judge.Reading {
	r := judge.Reading{At: now}
	for _, side := range []judge.Side{judge.Candidate, judge.Stable} {
		revision := m.Vars.Candidate
		if side == judge.Stable {
			revision = m.Vars.Stable
		}
		c := t.of(revision)
		s := judge.Series{Side: side, Instance: "simulated"}
		switch m.Check.Metric {
		case spec.ErrorRatio:
			s.Total, s.Bad = c.requests, c.errors
		case spec.LatencyP50, spec.LatencyP90, spec.LatencyP99:
			s.Histogram = c.latencies.histogram()
			s.Total = s.Histogram.Count
		case spec.ScoreShift:
			s.Histogram = c.values.histogram()
			s.Total = s.Histogram.Count
		case spec.RequestRate:
			s.Total = c.requests
		case spec.ShadowAgreement:
			s.Total, s.Bad = c.compared, c.differ
		case spec.Restarts:
		}
		r.Series = append(r.Series, s)
	}
	return r
}
