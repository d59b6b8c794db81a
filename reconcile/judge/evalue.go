package judge

import "math"

// tally is what was counted between two readings on one side: requests, and
// those of them that met with the event of a bound.
type tally struct{ n, hits float64 }

// claim is what a bound allows, a hypothesis about how often its event may happen
// to the candidate.
//
// Evidence against a claim is a likelihood ratio of what was counted: under an
// alternative, in which the event happens more often than allowed by a given
// factor, over the most that the claim allows. Its mean is at most 1 as long as
// the claim holds, whatever happened before: an e-value. Products and means of
// such ratios keep that property, and by the inequality of Ville (1939) they
// exceed 1/alpha ever, at any of any number of looks, with probability alpha at
// most. See Wald, Sequential Analysis (1947); Robbins, Statistical methods
// related to the law of the iterated logarithm (1970); Ramdas, Grünwald, Vovk and
// Shafer, Game-theoretic statistics and safe anytime-valid inference (2023).
type claim interface {
	// logRatio is the logarithm of the likelihood ratio for an alternative with
	// that factor above 1. informative is false if the counts say nothing.
	logRatio(factor float64, candidate, stable tally) float64
	// allows tells whether the counts, taken as they are, are within the claim.
	allows(candidate, stable tally) bool
	informative(candidate, stable tally) bool
}

// impossible is the logarithm of the evidence of an event that a claim rules out.
// It fails any check at once, and stays small enough to calculate with.
const impossible = 100

// absolute claims: the event happens to the candidate with at most this
// probability. The alternatives multiply its odds.
type absolute float64

func (p absolute) informative(candidate, _ tally) bool { return candidate.n > 0 }

func (p absolute) allows(candidate, _ tally) bool {
	return reaches(float64(p)*candidate.n, candidate.hits)
}

func (p absolute) logRatio(factor float64, candidate, _ tally) float64 {
	switch {
	case p >= 1:
		return 0
	case p <= 0 && candidate.hits > 0:
		return impossible
	case p <= 0:
		return 0
	}
	return candidate.hits*math.Log(factor) - candidate.n*math.Log1p(float64(p)*(factor-1))
}

// atMostTimes claims: the event happens to the candidate at most so many times as
// often as to stable, in the same time.
//
// Given how many events there were on both sides, and were each rare, the
// candidate's would be binomial with a share that follows from the ratio and the
// numbers of requests, whatever the rate itself. The ratio of two such binomials
// is used here. It is an e-value at any rate, rare or not, and for requests that
// differ in risk: for independent requests its mean is a product of factors
// 1+p(a-1), each at most exp(p(a-1)), and these exponents add up to at most 0.
type atMostTimes float64

func (r atMostTimes) informative(candidate, stable tally) bool {
	return candidate.n > 0 && stable.n > 0
}

func (r atMostTimes) allows(candidate, stable tally) bool {
	return reaches(float64(r)*stable.hits*candidate.n, candidate.hits*stable.n)
}

func (r atMostTimes) logRatio(factor float64, candidate, stable tally) float64 {
	if r <= 0 {
		if candidate.hits > 0 {
			return impossible
		}
		return 0
	}
	expected, total := float64(r)*candidate.n, float64(r)*candidate.n+stable.n
	tilted := factor*expected + stable.n
	return candidate.hits*math.Log(factor*total/tilted) + stable.hits*math.Log(total/tilted)
}

// atLeastTimes claims: the event happens to the candidate at least so many times
// as often as to stable. It is atMostTimes with the sides exchanged.
type atLeastTimes float64

func (r atLeastTimes) informative(candidate, stable tally) bool {
	return r > 0 && candidate.n > 0 && stable.n > 0
}

func (r atLeastTimes) allows(candidate, stable tally) bool {
	return reaches(candidate.hits*stable.n, float64(r)*stable.hits*candidate.n)
}

func (r atLeastTimes) logRatio(factor float64, candidate, stable tally) float64 {
	return atMostTimes(1/r).logRatio(factor, stable, candidate)
}

// equal claims: the event happens to the candidate no more often than to stable.
// Given the number of events on both sides, the candidate's are hypergeometric,
// as in the exact test of Fisher; under an alternative they follow the noncentral
// distribution of Fisher with that ratio of odds. Common events, such as to be
// slower than a median, are judged more sharply so than by atMostTimes.
type equal struct{}

func (equal) informative(candidate, stable tally) bool { return candidate.n > 0 && stable.n > 0 }

func (equal) allows(candidate, stable tally) bool { return atMostTimes(1).allows(candidate, stable) }

func (equal) logRatio(factor float64, candidate, stable tally) float64 {
	return candidate.hits*math.Log(factor) - logTiltedMean(factor, candidate.n, stable.n, candidate.hits+stable.hits)
}

// logTiltedMean is log E[factor^X] for X the number of candidate's requests among
// events drawn from all requests without replacement.
func logTiltedMean(factor, candidate, stable, events float64) float64 {
	low, high := max(0, events-stable), min(events, candidate)
	if high <= low {
		return low * math.Log(factor)
	}
	// step is the ratio of the term of k+1 to that of k in the sum of
	// C(candidate,k) C(stable,events-k) factor^k over k.
	step := func(k float64) float64 {
		return factor * (candidate - k) * (events - k) / ((k + 1) * (stable - events + k + 1))
	}
	mode := min(high, max(low, math.Round(tiltedMode(factor, candidate, stable, events))))
	// Terms relative to that of the mode, outwards on both sides.
	sum := 1 + sumOutwards(high-mode, func(i float64) float64 { return step(mode + i) }) +
		sumOutwards(mode-low, func(i float64) float64 { return 1 / step(mode-i-1) })
	return logChoose(candidate, mode) + logChoose(stable, events-mode) + mode*math.Log(factor) +
		math.Log(sum) - logChoose(candidate+stable, events)
}

// maxTerms bounds the terms of a sum that are added one by one. Below some 10^9
// requests they are all.
const maxTerms = 100_000

// sumOutwards adds up n terms that follow on a first one of 1, until they are
// nothing. ratio(i) is that of term i+1 to term i, and falls. So what comes after
// maxTerms is at most a geometric series; that much is added for it, as a larger
// sum is less evidence.
func sumOutwards(n float64, ratio func(i float64) float64) float64 {
	sum, term := 0.0, 1.0
	for i := 0.0; i < n && term > 1e-18; i++ {
		r := ratio(i)
		if i >= maxTerms {
			rest := n - i
			if r < 1 {
				rest = min(rest, r/(1-r))
			}
			return sum + term*rest
		}
		term *= r
		sum += term
	}
	return sum
}

// tiltedMode is about where the terms of logTiltedMean are largest: where the odds
// of a fourfold table with these margins have the ratio factor.
func tiltedMode(factor, candidate, stable, events float64) float64 {
	a := factor - 1
	b := -(factor*(candidate+events) + stable - events)
	c := factor * candidate * events
	if math.Abs(a) < 1e-12 {
		return -c / b
	}
	// The stable form of the smaller root.
	return 2 * c / (-b + math.Sqrt(max(0, b*b-4*a*c)))
}

func logChoose(n, k float64) float64 {
	return logFactorial(n) - logFactorial(k) - logFactorial(n-k)
}

func logFactorial(n float64) float64 {
	l, _ := math.Lgamma(n + 1)
	return l
}
