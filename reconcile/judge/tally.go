package judge

import (
	"cmp"
	"slices"
)

// Mark is what one series had counted when it was read last: the total, then the
// events. Without Counts it is known that the series is there, but not how much
// of it was judged already.
type Mark struct {
	Side     Side      `json:"side"`
	Instance string    `json:"instance,omitempty"`
	Counts   []float64 `json:"counts,omitempty"`
}

// maxMarks bounds the memory of series that have gone and may come again.
const maxMarks = 32

// counter lists what is counted in a series: the total, then the events.
type counter func(Series) []float64

// since adds up by side what the series have counted since their marks.
//
// A series without mark has begun in between and counts from 0, except in the
// first reading of a rollout: what a revision did before is not evidence. A total
// that fell has begun anew. A series that is missing says nothing: its gateway
// was replaced, or could not be scraped and comes again.
func since(marks []Mark, series []Series, count counter) Pair[[]float64] {
	var sums Pair[[]float64]
	for _, s := range series {
		now := count(s)
		sum := sums.of(s.Side)
		if *sum == nil {
			*sum = make([]float64, len(now))
		}
		before := make([]float64, len(now))
		if i := markOf(marks, s); i >= 0 {
			if len(marks[i].Counts) != len(now) {
				continue
			}
			before = marks[i].Counts
		}
		if restarted(before, now, s) {
			before = make([]float64, len(now))
		}
		total := now[0] - before[0]
		(*sum)[0] += total
		for i := 1; i < len(now); i++ {
			// Out of range only if a histogram was made coarser in between.
			(*sum)[i] += min(total, max(0, now[i]-before[i]))
		}
	}
	return sums
}

// restarted tells whether a series counts anew since its mark. Of a histogram only
// the total tells: when its buckets become wider, fewer values surely lie beyond
// a threshold.
func restarted(before, now []float64, s Series) bool {
	if s.Histogram != nil || s.GivenUp != nil {
		return now[0] < before[0]
	}
	for i := range now {
		if now[i] < before[i] {
			return true
		}
	}
	return false
}

// marked is the marks after a reading. What was counted of missing series still
// holds if the same events are counted as before.
func marked(marks []Mark, series []Series, count counter, sameEvents bool) []Mark {
	next := make([]Mark, 0, len(series))
	for _, s := range series {
		next = append(next, Mark{Side: s.Side, Instance: s.Instance, Counts: count(s)})
	}
	for _, m := range marks {
		missing := !slices.ContainsFunc(series, func(s Series) bool { return s.Side == m.Side && s.Instance == m.Instance })
		if !missing || len(next) >= maxMarks {
			continue
		}
		if !sameEvents {
			m.Counts = nil
		}
		next = append(next, m)
	}
	slices.SortFunc(next, func(a, b Mark) int {
		return cmp.Or(cmp.Compare(a.Side, b.Side), cmp.Compare(a.Instance, b.Instance))
	})
	return next
}

func markOf(marks []Mark, s Series) int {
	return slices.IndexFunc(marks, func(m Mark) bool { return m.Side == s.Side && m.Instance == s.Instance })
}
