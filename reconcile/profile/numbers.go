package profile

import (
	"math"
	"math/rand/v2"
	"slices"
)

// seed of the samples: any number would do, as long as it is always the same.
const seed = 0xfa1e1ead

// moments collects numbers in one pass.
type moments struct {
	n        int64 // finite ones
	infinite int64
	whole    bool
	min, max float64
	mean, m2 float64 // Welford 1962
	sample   []float64
	random   *rand.Rand
}

func (m *moments) add(x float64) {
	if math.IsInf(x, 0) {
		m.infinite++
		return
	}
	m.n++
	m.whole = m.whole && x == math.Trunc(x)
	m.min, m.max = min(m.min, x), max(m.max, x)
	off := x - m.mean
	m.mean += off / float64(m.n)
	m.m2 += off * (x - m.mean)
	if len(m.sample) < SampleSize {
		m.sample = append(m.sample, x)
	} else if at := m.random.Uint64N(uint64(m.n)); at < SampleSize {
		m.sample[at] = x
	}
}

// bins describes the numbers. The sample is sorted by it.
func (m *moments) bins(most int) *Numbers {
	slices.Sort(m.sample)
	n := &Numbers{
		Infinite: m.infinite, Whole: m.whole, Min: m.min, Max: m.max,
		Mean: finite(m.mean), Std: finite(math.Sqrt(m.m2 / float64(m.n))),
	}
	n.Edges = edges(m.sample, m.min, m.max, most)
	n.Counts = make([]int64, max(1, len(n.Edges)-1))
	for _, x := range m.sample {
		n.Counts[n.Bin(x)]++
	}
	return n
}

// finite bounds what the sums of huge values came to: JSON has nothing beyond.
func finite(x float64) float64 {
	if math.IsNaN(x) {
		return math.MaxFloat64
	}
	return min(max(x, -math.MaxFloat64), math.MaxFloat64)
}

// edges parts sorted values into bins with about as many values each. Each bin
// takes values until it has its share of those that are left, so that after a very
// frequent value the others still share the remaining bins.
func edges(sorted []float64, low, high float64, most int) []float64 {
	found := []float64{low}
	left := len(sorted) // not yet in a bin that is closed
	filled := 0         // values in the bin that is open
	for start := 0; start < len(sorted); {
		end := start + 1 // of the values that are equal
		for end < len(sorted) && sorted[end] == sorted[start] {
			end++
		}
		same := end - start
		share := float64(left) / float64(most-len(found)+1)
		// Close before a value that takes the bin further beyond its share than it is
		// short of it now.
		if filled > 0 && len(found) < most && float64(filled+same)-share > share-float64(filled) {
			found = append(found, between(sorted[start-1], sorted[start]))
			left -= filled
			filled = 0
		}
		filled += same
		start = end
	}
	if high > found[len(found)-1] {
		found = append(found, high)
	}
	return found
}

// between is halfway from a to b, a < b, and above a.
func between(a, b float64) float64 {
	middle := a/2 + b/2
	if middle <= a || middle > b {
		return b
	}
	return middle
}
