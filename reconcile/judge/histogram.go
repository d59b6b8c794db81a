package judge

import (
	"cmp"
	"math"
	"slices"

	"github.com/fairlead/fairlead/reconcile"
)

// edge is how far, relative to their size, two bounds of buckets may be apart and
// still be the same one: rounding, far below the width of any bucket. It is
// relative, so that the unit of the data decides nothing.
const edge = 1e-9

// reaches is a >= b up to rounding.
func reaches(a, b float64) bool { return a >= b-edge*math.Abs(b) }

// surelyAbove counts the values that are above x wherever in its bucket each is.
func surelyAbove(h *reconcile.Histogram, x float64) float64 {
	return count(h, func(b reconcile.Bucket) bool { return reaches(b.Lower, x) })
}

// perhapsAbove counts the values that may be above x.
func perhapsAbove(h *reconcile.Histogram, x float64) float64 {
	return count(h, func(b reconcile.Bucket) bool { return !reaches(x, b.Upper) })
}

// surelyBelow counts the values that are at most x wherever in its bucket each is.
func surelyBelow(h *reconcile.Histogram, x float64) float64 {
	return count(h, func(b reconcile.Bucket) bool { return reaches(x, b.Upper) })
}

// perhapsBelow counts the values that may be at most x.
func perhapsBelow(h *reconcile.Histogram, x float64) float64 {
	return count(h, func(b reconcile.Bucket) bool { return !reaches(b.Lower, x) })
}

func count(h *reconcile.Histogram, in func(reconcile.Bucket) bool) float64 {
	if h == nil {
		return 0
	}
	sum := 0.0
	for _, b := range h.Buckets {
		if in(b) {
			sum += b.Count
		}
	}
	return sum
}

// quantileBucket is the bucket that the q-quantile lies in, and how much of its
// count is below it. It is false for an empty histogram.
func quantileBucket(h *reconcile.Histogram, q float64) (b reconcile.Bucket, part float64, ok bool) {
	if h == nil {
		return b, 0, false
	}
	total := count(h, func(reconcile.Bucket) bool { return true })
	rank, below := q*total, 0.0
	for _, bucket := range h.Buckets {
		if bucket.Count <= 0 {
			continue
		}
		b, ok = bucket, true
		if below+b.Count >= rank {
			return b, min(1, max(0, (rank-below)/b.Count)), true
		}
		below += b.Count
	}
	return b, 1, ok
}

// quantile estimates the q-quantile, for people to read. Within a bucket it goes
// by ratios, as the bounds of the buckets do.
func quantile(h *reconcile.Histogram, q float64) (float64, bool) {
	b, part, ok := quantileBucket(h, q)
	switch {
	case !ok:
		return 0, false
	case math.IsInf(b.Upper, 0):
		return b.Lower, finite(b.Lower)
	case math.IsInf(b.Lower, 0):
		return b.Upper, true
	case b.Lower > 0:
		return b.Lower * math.Pow(b.Upper/b.Lower, part), true
	default:
		return b.Lower + (b.Upper-b.Lower)*part, true
	}
}

// landmarks picks at most n bounds of buckets that cut the histogram into parts
// of about the same count, its two ends among them. A histogram of few buckets is
// cut at every bound.
func landmarks(h *reconcile.Histogram, n int) []float64 {
	if h == nil || len(h.Buckets) == 0 {
		return nil
	}
	total := count(h, func(reconcile.Bucket) bool { return true })
	step := 0.0
	if len(h.Buckets)+1 > n {
		step = total / float64(n-2)
	}
	marks, since := []float64{h.Buckets[0].Lower}, 0.0
	for i, b := range h.Buckets {
		since += b.Count
		if since > step*(1-edge) || i == len(h.Buckets)-1 {
			marks, since = append(marks, b.Upper), 0
		}
	}
	marks = slices.DeleteFunc(marks, func(x float64) bool { return !finite(x) })
	return slices.CompactFunc(marks, func(a, b float64) bool { return a == b })
}

// merge adds two histograms. Either may be nil.
func merge(a, b *reconcile.Histogram) *reconcile.Histogram {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	sum := &reconcile.Histogram{Count: a.Count + b.Count, Sum: a.Sum + b.Sum, Buckets: slices.Concat(a.Buckets, b.Buckets)}
	slices.SortStableFunc(sum.Buckets, func(x, y reconcile.Bucket) int {
		return cmp.Or(cmp.Compare(x.Upper, y.Upper), cmp.Compare(x.Lower, y.Lower))
	})
	kept := sum.Buckets[:0]
	for _, bucket := range sum.Buckets {
		if last := len(kept) - 1; last >= 0 && kept[last].Lower == bucket.Lower && kept[last].Upper == bucket.Upper {
			kept[last].Count += bucket.Count
			continue
		}
		kept = append(kept, bucket)
	}
	sum.Buckets = kept
	return sum
}

// sound tells whether a histogram can be counted with: what is stale, or broken
// on its way, is not a number somewhere.
func sound(h *reconcile.Histogram) bool {
	return isCount(h.Count) &&
		!slices.ContainsFunc(h.Buckets, func(b reconcile.Bucket) bool {
			return !(b.Lower <= b.Upper) || !isCount(b.Count)
		})
}
