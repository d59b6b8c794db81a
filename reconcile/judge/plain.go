package judge

import (
	"math"
	"slices"
)

// values compares what a query gave.
func (l *look) values() {
	candidate, stable := l.reading.Values.Candidate, l.reading.Values.Stable
	l.verdict.Candidate, l.verdict.Stable = candidate, stable
	switch {
	case candidate == nil:
		l.conclude(Insufficient, "the query gives no number for the candidate")
	case relative(l.check) && stable == nil:
		l.conclude(Insufficient, "the query gives no number for stable, which "+plainNumber(*candidate)+" of the candidate could be compared with")
	default:
		l.compare(*candidate, stable, plainNumber, "")
	}
}

// rate compares requests per second since the reading before. Beside stable, each
// rate counts per share of the requests: a candidate at 5 % that gets a 19th of
// stable's requests gets what it should.
func (l *look) rate() {
	before, share := l.evidence.Read, l.evidence.Share
	news, ok := l.take()
	if !ok {
		return
	}
	e := l.evidence
	l.verdict.CandidateSamples, l.verdict.StableSamples = e.Step.Candidate, e.Step.Stable
	seconds := l.reading.At.Sub(before).Seconds()
	least := float64(l.check.MinSamples)
	switch {
	case seconds <= 0:
		l.conclude(Insufficient, "no time has passed since the last measurement")
		return
	case relative(l.check) && share != l.vars.Share:
		l.conclude(Insufficient, "the candidate's share of the requests has changed since the last measurement")
		return
	case e.Step.Candidate < least || relative(l.check) && e.Step.Stable < least:
		l.conclude(Insufficient, number(math.Floor(e.Step.Candidate))+" requests to the candidate and "+number(math.Floor(e.Step.Stable))+
			" to stable in this step; a pass needs "+number(least))
		return
	}
	candidate, stable := news.requests(Candidate)/seconds, news.requests(Stable)/seconds
	l.verdict.Candidate, l.verdict.Stable = &candidate, &stable
	if !relative(l.check) {
		l.compare(candidate, nil, plainNumber, " requests per second")
		return
	}
	if share > 0 && share < 1 {
		// The bounds of max and min are for the rate itself.
		scaled := stable * share / (1 - share)
		l.compare(candidate, &scaled, plainNumber, " requests per second for its share")
		return
	}
	l.compare(candidate, &stable, plainNumber, " requests per second")
}

// restarts compares how often the candidate's replicas were started again in this
// rollout. They were created in it, so all that is counted counts.
func (l *look) restarts() {
	e, r := &l.evidence, l.reading
	if len(r.Series) == 0 {
		l.conclude(Insufficient, "restarts are not counted yet")
		return
	}
	count := func(s Series) []float64 { return []float64{s.Total} }
	if counts := since(lowered(e.Marks, r.Series), r.Series, count).Candidate; len(counts) > 0 {
		e.Total.Candidate += counts[0]
	}
	e.Marks, e.Read = marked(e.Marks, r.Series, count, true), r.At
	restarts := e.Total.Candidate
	l.verdict.Candidate = &restarts
	l.compare(restarts, nil, func(n float64) string { return counted(n, "restart") }, " of the candidate's replicas")
}

// lowered is the marks with those of series that fell set to where the series are
// now. A gateway that starts anew counts from 0, but a daemon that does so tells
// again what the engine remembers of each container, and forgets the rest: a fall
// is no new restart.
func lowered(marks []Mark, series []Series) []Mark {
	marks = slices.Clone(marks)
	for _, s := range series {
		if i := markOf(marks, s); i >= 0 && len(marks[i].Counts) > 0 && s.Total < marks[i].Counts[0] {
			marks[i].Counts = []float64{s.Total}
		}
	}
	return marks
}

// compare compares numbers as they are. what says what they count.
func (l *look) compare(candidate float64, stable *float64, format func(float64) string, what string) {
	text := format(candidate) + what
	if stable != nil && relative(l.check) {
		text += ", stable " + format(*stable)
	}
	outcome, said := Pass, ""
	for _, b := range bounds(l.check) {
		value, limit := candidate, b.limit
		if b.relative() {
			value, limit = ratio(candidate, *stable), b.limit
		}
		broken := value > limit
		if b.kind == atLeast || b.kind == atLeastOfStable {
			broken = value < limit
		}
		if broken && outcome == Pass {
			outcome, said = Fail, allowed(b, plainNumber)
		}
		if said == "" {
			said = allowed(b, plainNumber)
		}
	}
	l.conclude(outcome, text+"; "+said)
}

// ratio is candidate/stable. Of nothing, nothing is as much, and anything else is
// endlessly more.
func ratio(candidate, stable float64) float64 {
	if stable == 0 {
		if candidate == 0 {
			return 1
		}
		return math.Inf(int(math.Copysign(1, candidate)))
	}
	return candidate / stable
}
