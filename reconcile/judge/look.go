package judge

import (
	"math"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Evidence is what the looks at one check have found so far in one rollout. It is
// kept in the journal, so that a daemon that starts anew goes on with it. The zero
// Evidence is that of a rollout at its start. It is a value: no look changes the
// one that it was given.
type Evidence struct {
	Looks    int       `json:"looks,omitempty"`
	Failures int       `json:"failures,omitempty"`
	Last     *Verdict  `json:"last,omitempty"`
	Since    time.Time `json:"since,omitzero"` // of the step
	// Read is the time of the last reading that had data, and Marks what it said.
	Read  time.Time `json:"read,omitzero"`
	Marks []Mark    `json:"marks,omitempty"`
	// Share is the candidate's share of the requests at that time.
	Share float64 `json:"share,omitempty"`
	// Threshold is the latency that stable's are counted by until the next look,
	// about the quantile of the check; 0 while none is known. Landmarks are the
	// values that distributions are compared at. Both are only ever taken from
	// readings before the one that they judge.
	Threshold float64   `json:"threshold,omitempty"`
	Landmarks []float64 `json:"landmarks,omitempty"`
	// Step and Total are the samples in this step and in the rollout, Bad those
	// of Total that speak against a side.
	Step  Pair[float64] `json:"step,omitzero"`
	Total Pair[float64] `json:"total,omitzero"`
	Bad   Pair[float64] `json:"bad,omitzero"`
	// Cases are the cases over the bounds of the check, in the order max, min,
	// max_vs_stable, min_vs_stable.
	Cases []Case `json:"cases,omitempty"`
	Shift *Shift `json:"shift,omitempty"`
}

// Enter is the evidence at the beginning of a step: what was found stays, but a
// pass needs min_samples anew.
func (e Evidence) Enter(at time.Time) Evidence {
	e.Since, e.Step, e.Cases = at, Pair[float64]{}, slices.Clone(e.Cases)
	for i := range e.Cases {
		e.Cases[i].StepRequests, e.Cases[i].StepHits = Pair[float64]{}, Pair[float64]{}
	}
	return e
}

// Look weighs a reading against those before it. alpha is the probability with
// which a check of this rollout may fail at any of its looks although nothing is
// wrong; Alpha tells it.
//
// A test compares what was counted between two readings, so the first reading of
// a rollout is only where counting begins.
func Look(c spec.Check, v Vars, alpha float64, before Evidence, r Reading) (Evidence, Verdict) {
	if !(alpha > 0 && alpha < 1) {
		alpha = Budget
	}
	l := look{check: c, vars: v, alpha: alpha, reading: r, evidence: before}
	l.evidence.Looks++
	l.verdict = Verdict{Check: c.Name, At: r.At}
	switch {
	case r.Err != "":
		l.conclude(Error, "could not be measured: "+r.Err)
	case meaningless(c, v) != "":
		l.conclude(Error, "could not be measured: "+meaningless(c, v))
	default:
		switch kindOf(c) {
		case ofQuery:
			l.values()
		case ofRate:
			l.rate()
		case ofRestarts:
			l.restarts()
		case ofShift:
			l.shift()
		default:
			l.counts()
		}
	}
	if l.verdict.Outcome == Fail {
		l.evidence.Failures++
	}
	last := l.verdict
	l.evidence.Last = &last
	return l.evidence, l.verdict
}

// look is one look under way.
type look struct {
	check    spec.Check
	vars     Vars
	alpha    float64
	reading  Reading
	evidence Evidence
	verdict  Verdict
}

func (l *look) conclude(o Outcome, text string) {
	l.verdict.Outcome, l.verdict.Text = o, l.check.Name+": "+text
}

// counts judges error ratios, latencies and agreement: each bound is a claim
// about how often its event happens.
func (l *look) counts() {
	news, ok := l.take()
	if !ok {
		return
	}
	list := bounds(l.check)
	e := &l.evidence
	cases := make([]Case, len(list))
	copy(cases, e.Cases)
	for i, b := range list {
		if b.relative() && kindOf(l.check) == ofQuantile && news.threshold <= 0 {
			continue
		}
		cases[i] = cases[i].weigh(claimOf(l.check, b), news.tally(Candidate, i), news.tally(Stable, i), news.part)
	}
	e.Cases = cases
	worst, strongest := 0, math.Inf(-1)
	for i := range cases {
		if log := cases[i].logEvidence(); log > strongest {
			worst, strongest = i, log
		}
	}
	l.measured()
	var broken *bound
	for i := range list {
		if broken == nil && !cases[i].allowed(claimOf(l.check, list[i])) {
			broken = &list[i]
		}
	}
	l.decide(strongest-math.Log(float64(len(list))), list[worst], broken, cases[worst].Requests)
}

// shift judges the distance between the distributions of an output.
func (l *look) shift() {
	news, ok := l.take()
	if !ok {
		return
	}
	var s Shift
	if before := l.evidence.Shift; before != nil {
		s = *before
	}
	s = s.add(news.counts)
	l.evidence.Shift = &s
	if len(s.Excess) > 0 {
		distance := s.distance()
		l.verdict.Candidate = &distance
	}
	b, broken := bounds(l.check)[0], (*bound)(nil)
	if !reaches(*l.check.Max, s.distance()) {
		broken = &b
	}
	l.decide(s.logEvidence(*l.check.Max), b, broken, s.Values)
}

// news is what was counted since the reading before.
type news struct {
	counts    Pair[[]float64] // the total, then the events of each bound or landmark
	threshold float64         // by which latencies were counted
	part      float64         // of the stretch since then that lies in this step
}

// requests is how many there were on a side.
func (n news) requests(s Side) float64 {
	if counts := *n.counts.of(s); len(counts) > 0 {
		return counts[0]
	}
	return 0
}

// tally is what one side has to say about bound i.
func (n news) tally(s Side, i int) tally {
	counts := *n.counts.of(s)
	if i+1 >= len(counts) {
		return tally{}
	}
	return tally{n: counts[0], hits: counts[i+1]}
}

// take enters a reading into the evidence: what is new since the marks, the
// samples, and the thresholds and marks for the next one. It is false if there is
// nothing to judge yet; the verdict says so then.
func (l *look) take() (n news, ok bool) {
	e, r := &l.evidence, l.reading
	if len(r.Series) == 0 {
		l.conclude(Insufficient, "there are no data; either nothing was counted yet, or the metrics are not collected")
		return n, false
	}
	first := e.Read.IsZero()
	n.threshold = e.Threshold
	count := l.counter(e.Threshold, e.Landmarks)
	if !first {
		n.counts = since(e.Marks, r.Series, count)
		n.part = l.partInStep()
		l.addSamples(n.counts, n.part)
	}
	threshold, landmarks := l.aim()
	same := threshold == e.Threshold && len(landmarks) == len(e.Landmarks)
	e.Marks = marked(e.Marks, r.Series, l.counter(threshold, landmarks), same)
	e.Threshold, e.Landmarks, e.Read, e.Share = threshold, landmarks, r.At, l.vars.Share
	if first {
		l.conclude(Insufficient, "this is where counting begins; the next measurement has data")
	}
	return n, !first
}

// counter lists what is counted in each series for this check.
func (l *look) counter(threshold float64, landmarks []float64) counter {
	list := bounds(l.check)
	return func(s Series) []float64 {
		counts := []float64{s.Total}
		if kindOf(l.check) == ofShift {
			for _, x := range landmarks {
				counts = append(counts, perhapsAbove(s.Histogram, x))
			}
			return counts
		}
		for _, b := range list {
			counts = append(counts, hits(l.check, b, s, threshold))
		}
		// Not of a bound: the figure that is shown.
		return append(counts, s.Bad)
	}
}

// aim picks by this reading what the next one is counted by.
func (l *look) aim() (threshold float64, points []float64) {
	e := l.evidence
	switch kindOf(l.check) {
	case ofQuantile:
		if b, _, ok := quantileBucket(l.distribution(Stable), quantileOf(l.check.Metric)); ok && relative(l.check) {
			for _, x := range []float64{b.Upper, b.Lower} {
				if finite(x) && x > 0 {
					return x, nil
				}
			}
		}
	case ofShift:
		if len(e.Landmarks) == 0 {
			return 0, landmarks(l.distribution(Stable), landmarkCount)
		}
	default:
	}
	return e.Threshold, e.Landmarks
}

// distribution is that of a side of late or, where that has too few values to
// tell the quantile of the check, since the gateways started; nil for none.
func (l *look) distribution(s Side) *reconcile.Histogram {
	needed := 1.0
	if kindOf(l.check) == ofQuantile {
		needed = beyondQuantile / (1 - quantileOf(l.check.Metric))
	}
	if h := *l.reading.Recent.of(s); h != nil && h.Count >= needed && len(h.Buckets) > 0 {
		return h
	}
	var all *reconcile.Histogram
	for _, series := range l.reading.Series {
		if series.Side == s {
			all = merge(all, merge(series.Histogram, series.GivenUp))
		}
	}
	return all
}

// beyondQuantile is how many values lie beyond a quantile that is told from few.
const beyondQuantile = 5

// partInStep is the part of the stretch since the reading before that lies in
// this step.
func (l *look) partInStep() float64 {
	if whole, late := l.reading.At.Sub(l.evidence.Read), l.evidence.Since.Sub(l.evidence.Read); late > 0 && whole > 0 {
		return max(0, 1-late.Seconds()/whole.Seconds())
	}
	return 1
}

// addSamples counts samples, and part of them for the step.
func (l *look) addSamples(counts Pair[[]float64], part float64) {
	e := &l.evidence
	for _, s := range []Side{Candidate, Stable} {
		c := *counts.of(s)
		if len(c) == 0 {
			continue
		}
		*e.Step.of(s) += math.Round(part*c[0]*1e3) / 1e3
		*e.Total.of(s) += c[0]
		if kindOf(l.check) != ofShift {
			*e.Bad.of(s) += c[len(c)-1]
		}
	}
}

// measured fills in the figures that the verdict shows.
func (l *look) measured() {
	e := l.evidence
	for _, s := range []Side{Candidate, Stable} {
		var value float64
		var known bool
		switch total := *e.Total.of(s); {
		case kindOf(l.check) == ofQuantile:
			value, known = quantile(l.distribution(s), quantileOf(l.check.Metric))
		case kindOf(l.check) == ofAgreement && total > 0:
			value, known = (total-*e.Bad.of(s))/total, true
		case total > 0:
			value, known = *e.Bad.of(s)/total, true
		}
		if !known || !finite(value) {
			continue
		}
		if s == Candidate {
			l.verdict.Candidate = &value
		} else {
			l.verdict.Stable = &value
		}
	}
}

// fewest is how many samples of each side a failure takes at the least, whatever
// the evidence.
const fewest = 5

// decide concludes from the evidence over one bound. compared are the samples
// that it rests on. broken is a bound that the figures themselves are beyond, nil
// for none: then nothing may pass, however weak the evidence is.
func (l *look) decide(logEvidence float64, b bound, broken *bound, compared Pair[float64]) {
	e, least := l.evidence, float64(l.check.MinSamples)
	two := relative(l.check) || kindOf(l.check) == ofShift
	l.verdict.CandidateSamples, l.verdict.StableSamples = e.Total.Candidate, e.Total.Stable
	l.verdict.Evidence = min(maxEvidence, math.Exp(max(0, logEvidence)))
	l.verdict.Threshold = 1 / l.alpha

	floor := min(least, fewest)
	if logEvidence >= -math.Log(l.alpha) && compared.Candidate >= floor && (compared.Stable >= floor || !b.relative() && kindOf(l.check) != ofShift) {
		l.conclude(Fail, l.sentence(b, compared))
		return
	}
	switch {
	case e.Step.Candidate < least || e.Step.Candidate <= 0:
		l.lacking(b, compared, "the candidate", e.Step.Candidate)
	case two && (e.Step.Stable < least || e.Step.Stable <= 0):
		l.lacking(b, compared, "stable", e.Step.Stable)
	case two && !l.compared(least):
		l.conclude(Insufficient, l.sentence(b, compared)+"; too few requests came to both revisions in the same time to compare them")
	case broken != nil:
		l.conclude(Insufficient, l.sentence(*broken, compared)+"; what was measured is beyond the bound, but "+
			l.samples(e.Step.Candidate)+" in this step are not enough to tell it from chance")
	default:
		l.conclude(Pass, l.sentence(b, compared))
	}
}

// maxEvidence bounds the evidence that is shown: what is beyond doubt needs no
// more digits, and JSON knows no infinity.
const maxEvidence = 1e9

// compared tells whether every comparison with stable rests on enough samples in
// this rollout.
func (l *look) compared(least float64) bool {
	enough := func(p Pair[float64]) bool {
		return p.Candidate >= least && p.Stable >= least && p.Candidate > 0 && p.Stable > 0
	}
	if s := l.evidence.Shift; s != nil {
		return enough(s.Values)
	}
	for i, b := range bounds(l.check) {
		if b.relative() && !enough(l.evidence.Cases[i].Requests) {
			return false
		}
	}
	return true
}

func (l *look) lacking(b bound, compared Pair[float64], who string, have float64) {
	text := l.sentence(b, compared) + "; in this step " + who + " has " + number(math.Floor(have)) + " of the " +
		number(float64(max(l.check.MinSamples, 1))) + " samples that a pass needs"
	if who == string(Stable) && l.vars.Share >= 1 {
		text += ", and no share of the requests any more; a bound that is not relative to stable needs none"
	}
	l.conclude(Insufficient, text)
}
