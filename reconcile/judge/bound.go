package judge

import (
	"fmt"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Budget is the probability with which a rollout may fail by statistics at any
// look at any check although nothing is wrong with its candidate.
const Budget = 0.01

// Alpha is the share of the Budget that each check of a rollout gets: the alpha
// of Look.
func Alpha(checks []spec.Check) float64 {
	n := 0
	for _, c := range checks {
		if Statistical(c) {
			n++
		}
	}
	return Budget / float64(max(n, 1))
}

// Statistical tells whether a check is judged by a test. The others, request_rate,
// restarts and queries, compare numbers as they are, and take no part of the
// Budget: nothing is known about how such a number varies by chance.
func Statistical(c spec.Check) bool {
	switch kindOf(c) {
	case ofErrors, ofQuantile, ofShift, ofAgreement:
		return true
	default:
		return false
	}
}

// kind is how a check is judged.
type kind int

const (
	ofQuery kind = iota
	ofErrors
	ofQuantile
	ofShift
	ofAgreement
	ofRate
	ofRestarts
)

func kindOf(c spec.Check) kind {
	switch c.Metric {
	case spec.ErrorRatio:
		return ofErrors
	case spec.LatencyP50, spec.LatencyP90, spec.LatencyP99:
		return ofQuantile
	case spec.ScoreShift:
		return ofShift
	case spec.ShadowAgreement:
		return ofAgreement
	case spec.RequestRate:
		return ofRate
	case spec.Restarts:
		return ofRestarts
	default:
		return ofQuery
	}
}

// quantileOf is the q of a latency.
func quantileOf(m spec.Metric) float64 {
	switch m {
	case spec.LatencyP50:
		return 0.5
	case spec.LatencyP90:
		return 0.9
	default:
		return 0.99
	}
}

// relative tells whether a check compares with stable.
func relative(c spec.Check) bool { return c.MinVsStable != nil || c.MaxVsStable != nil }

// meaningless says why a check cannot be measured at all; "" if it can. The
// language refuses such checks; this is for those of other origin.
func meaningless(c spec.Check, v Vars) string {
	k := kindOf(c)
	switch {
	case len(bounds(c)) == 0:
		return "the check has no bound, so it could never fail; write min, max, min_vs_stable or max_vs_stable"
	case k == ofQuery && c.Query == "":
		return fmt.Sprintf("nothing is known of a metric %q", c.Metric)
	case (k == ofAgreement || k == ofRestarts) && relative(c):
		return fmt.Sprintf("%s has no value for stable that it could be compared with; write min or max", c.Metric)
	case k == ofShift && (c.Max == nil || c.Min != nil || relative(c)):
		return "score_shift is itself a distance from stable, 0 to 1; it takes max and no other bound"
	case (relative(c) || k == ofShift) && v.Stable == "":
		return "there is no stable revision to compare with"
	}
	return ""
}

// bound is one of the bounds of a check.
type bound struct {
	kind  boundKind
	limit float64
}

type boundKind int

const (
	atMost boundKind = iota
	atLeast
	atMostOfStable
	atLeastOfStable
)

func (b bound) relative() bool { return b.kind == atMostOfStable || b.kind == atLeastOfStable }

// bounds lists those that a check has, always in the same order: that of the
// cases in its Evidence.
func bounds(c spec.Check) []bound {
	var list []bound
	for i, limit := range []*float64{c.Max, c.Min, c.MaxVsStable, c.MinVsStable} {
		if limit != nil {
			list = append(list, bound{boundKind(i), *limit})
		}
	}
	return list
}

// A statistical bound is put as a statement about an event, which makes all of
// them one question: "the candidate's requests meet with it too often". For an
// error ratio the event is an error. For a latency it is to be slower than a
// threshold: the p99 is at most 0.5 s exactly if no more than 1 % take longer.
// Lower bounds take the opposite event.

// hits counts the event of a bound in a series. threshold is the one of latencies
// that are compared with stable's.
func hits(c spec.Check, b bound, s Series, threshold float64) float64 {
	switch kindOf(c) {
	case ofErrors:
		if b.kind == atLeast {
			return s.Total - s.Bad
		}
		return s.Bad
	case ofAgreement:
		if b.kind == atLeast {
			return s.Bad
		}
		return s.Total - s.Bad
	default:
		h := s.Histogram
		if b.kind == atMost || b.kind == atMostOfStable {
			// Whoever waited longer than the threshold in vain met with it. Nobody
			// knows how fast an answer that was given up would have been.
			h = merge(h, s.GivenUp)
		}
		return slowOrFast(b, s.Side, h, threshold)
	}
}

// slowOrFast counts the latencies beyond the threshold of a bound. Where a
// threshold cuts a bucket, each side is counted as speaks for the candidate, so
// the width of buckets costs power and never a false alarm.
func slowOrFast(b bound, side Side, h *reconcile.Histogram, threshold float64) float64 {
	switch {
	case b.kind == atMost:
		return surelyAbove(h, b.limit)
	case b.kind == atLeast:
		return surelyBelow(h, b.limit)
	case b.kind == atMostOfStable && side == Candidate:
		return surelyAbove(h, b.limit*threshold)
	case b.kind == atMostOfStable:
		return perhapsAbove(h, threshold)
	case side == Candidate:
		return surelyBelow(h, b.limit*threshold)
	default:
		return perhapsBelow(h, threshold)
	}
}

// claim is what a bound allows: the null hypothesis about its event.
func claimOf(c spec.Check, b bound) claim {
	k, q := kindOf(c), quantileOf(c.Metric)
	switch {
	case b.kind == atMost && k == ofQuantile:
		return absolute(1 - q)
	case b.kind == atMost:
		return absolute(b.limit)
	case b.kind == atLeast && k == ofQuantile:
		return absolute(q)
	case b.kind == atLeast:
		return absolute(1 - b.limit)
	case k == ofQuantile:
		// The ratio is in the thresholds already.
		return equal{}
	case b.limit == 1 && b.kind == atMostOfStable:
		return equal{}
	case b.kind == atMostOfStable:
		return atMostTimes(b.limit)
	default:
		return atLeastTimes(b.limit)
	}
}
