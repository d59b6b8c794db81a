package judge

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// traffic is what a simulated gateway sees. Every random number comes from the
// seed, so a run can be repeated.
type traffic struct {
	random *rand.Rand
	unit   float64 // of latencies and outputs
	law    law
	// errors is the probability of an error at a time in minutes. level is what
	// latencies are multiplied by: machines are slower at rush hour.
	errors, level func(minute float64) float64
	counters      Pair[counters]
}

// law draws one latency, around 1.
type law struct {
	name string
	draw func(*rand.Rand) float64
}

var laws = []law{
	{"lognormal, sigma 0.2", func(r *rand.Rand) float64 { return math.Exp(0.2 * r.NormFloat64()) }},
	{"lognormal, sigma 1", func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) }},
	{"heavy tail, Pareto 1.5", func(r *rand.Rand) float64 { return math.Pow(1-r.Float64(), -1/1.5) }},
	{"ties, five values", func(r *rand.Rand) float64 { return float64(1 + r.IntN(5)) }},
	{"ties, one value of 90 %", func(r *rand.Rand) float64 {
		if r.Float64() < 0.9 {
			return 1
		}
		return 1 + 9*r.Float64()
	}},
}

// counters are one side of a gateway.
type counters struct {
	requests, errors float64
	buckets, recent  buckets
}

// buckets are those of schema 5 of a native histogram, between 2^-48 and 2^80.
type buckets []float64

const (
	perOctave   = 32
	firstBucket = -48 * perOctave
	bucketCount = 128 * perOctave
)

func (b buckets) observe(x float64) {
	b[min(bucketCount-1, max(0, int(math.Ceil(math.Log2(x)*perOctave))-firstBucket))]++
}

// serve lets requests come in, each with a latency and an error of its own.
// slower and worse are the candidate's faults.
func (t *traffic) serve(side Side, n int, minute, slower, worse float64) {
	c := t.counters.of(side)
	if c.buckets == nil {
		c.buckets, c.recent = make(buckets, bucketCount), make(buckets, bucketCount)
	}
	clear(c.recent)
	failing := min(1, t.errors(minute)*worse)
	scale := t.unit * t.level(minute) * slower
	for range n {
		c.requests++
		if t.random.Float64() < failing {
			c.errors++
		}
		c.recent.observe(scale * t.law.draw(t.random))
	}
	for i, n := range c.recent {
		c.buckets[i] += n
	}
}

// poisson draws a number of requests.
func (t *traffic) poisson(mean float64) int {
	if mean > 200 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*t.random.NormFloat64())))
	}
	n := 0
	for sum := t.random.ExpFloat64(); sum < mean; sum += t.random.ExpFloat64() {
		n++
	}
	return n
}

func (b buckets) histogram() *reconcile.Histogram {
	h := &reconcile.Histogram{}
	for i, n := range b {
		if n == 0 {
			continue
		}
		upper := float64(i+firstBucket) / perOctave
		h.Count += n
		h.Buckets = append(h.Buckets, reconcile.Bucket{Lower: math.Exp2(upper - 1.0/perOctave), Upper: math.Exp2(upper), Count: n})
	}
	return h
}

// read is a reading of a check. The values of the output are the latencies: what
// a number stands for makes no difference.
func (t *traffic) read(at time.Time) (counts, distributions Reading) {
	counts, distributions = Reading{At: at}, Reading{At: at}
	for _, side := range []Side{Candidate, Stable} {
		c := t.counters.of(side)
		counts.Series = append(counts.Series, Series{Side: side, Total: c.requests, Bad: c.errors})
		if len(c.buckets) == 0 {
			continue
		}
		h := c.buckets.histogram()
		distributions.Series = append(distributions.Series, Series{Side: side, Total: h.Count, Histogram: h})
		*distributions.Recent.of(side) = c.recent.histogram()
	}
	return counts, distributions
}

// panel is several checks of one rollout.
type panel struct {
	checks   []spec.Check
	evidence []Evidence
	failed   []bool
}

func newPanel(checks ...spec.Check) *panel {
	return &panel{checks: checks, evidence: make([]Evidence, len(checks)), failed: make([]bool, len(checks))}
}

// look takes a look at every check, and tells whether any has failed so far.
func (p *panel) look(t *traffic, share float64, at time.Time) bool {
	counts, distributions := t.read(at)
	any := false
	v := vars
	v.Share = share
	for i, c := range p.checks {
		r := distributions
		if kindOf(c) == ofErrors {
			r = counts
		}
		var verdict Verdict
		p.evidence[i], verdict = Look(c, v, Alpha(p.checks), p.evidence[i], r)
		p.failed[i] = p.failed[i] || verdict.Outcome == Fail
		any = any || p.failed[i]
	}
	return any
}
