package search

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/fairlead/fairlead/spec"
)

// The constants of Optuna's TPESampler.
const (
	startup    = 10 // trials that are random
	candidates = 24 // that are compared
	most       = 25 // trials that are the best, and that have full weight
)

// split parts the trials into the best tenth and the others, each in its order.
// Nothing is good while there are too few, or while all have failed.
func split(done []Trial, minimize bool) (good, bad []Trial) {
	if len(done) < startup {
		return nil, nil
	}
	order := make([]int, len(done))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(loss(&done[a], minimize), loss(&done[b], minimize))
	})
	best := map[int]bool{}
	for _, i := range order[:min((len(done)+9)/10, most)] {
		best[i] = !math.IsInf(loss(&done[i], minimize), 1)
	}
	for i, t := range done {
		if best[i] {
			good = append(good, t)
		} else {
			bad = append(bad, t)
		}
	}
	return good, bad
}

// loss is the smaller the better; infinite where the trial failed.
func loss(t *Trial, minimize bool) float64 {
	switch {
	case t.Failed || math.IsNaN(t.Value):
		return math.Inf(1)
	case minimize:
		return t.Value
	default:
		return -t.Value
	}
}

// weights of observations in their order: one for the newest, less for those before
// them, and last the prior.
func weights(observed int) []float64 {
	w := make([]float64, observed+1)
	for i := range w {
		w[i] = 1
	}
	old := observed - most
	for i := range max(old, 0) {
		first := 1 / float64(observed)
		w[i] = first + (1-first)*float64(i)/float64(max(old-1, 1))
	}
	floats.Scale(1/floats.Sum(w), w)
	return w
}

// suggestChoice takes a value of a list.
func suggestChoice(d spec.Dimension, good, bad []Trial, r *rand.Rand) any {
	likely, unlikely := shares(d, good), shares(d, bad)
	best, ratio := 0, math.Inf(-1)
	for range candidates {
		i := draw(likely, r)
		if x := likely[i] / unlikely[i]; x > ratio {
			best, ratio = i, x
		}
	}
	return d.Values[best]
}

// shares estimates how often each value of a list is taken. The prior is spread
// evenly, so none is 0.
func shares(d spec.Dimension, trials []Trial) []float64 {
	share := make([]float64, len(d.Values))
	var seen []int
	for _, t := range trials {
		if i := slices.Index(d.Values, t.Values[d.Name]); i >= 0 {
			seen = append(seen, i)
		}
	}
	w := weights(len(seen))
	for i, value := range seen {
		share[value] += w[i]
	}
	for i := range share {
		share[i] += w[len(seen)] / float64(len(share))
	}
	return share
}

// draw returns an index with the probability that is its share of one.
func draw(shares []float64, r *rand.Rand) int {
	u := r.Float64()
	for i, s := range shares {
		if u -= s; u < 0 {
			return i
		}
	}
	return len(shares) - 1 // rounding
}

// suggestNumber takes a value of a range.
func suggestNumber(d spec.Dimension, good, bad []Trial, r *rand.Rand) float64 {
	s := scaleOf(d)
	if s.low >= s.high {
		return s.min
	}
	likely, unlikely := estimate(d, good), estimate(d, bad)
	best, ratio := s.min, math.Inf(-1)
	for range candidates {
		value := s.value(likely.draw(r))
		if x := likely.logDensity(value) - unlikely.logDensity(value); x > ratio {
			best, ratio = value, x
		}
	}
	return best
}

// parzen is a density over a scale: a sum of normal distributions, each cut off at
// the ends of the scale.
type parzen struct {
	scale   scale
	kernels []distuv.Normal
	weights []float64
	mass    []float64 // of each kernel between the ends
}

// estimate puts a kernel on each observation, and the prior in the middle.
func estimate(d spec.Dimension, trials []Trial) *parzen {
	p := &parzen{scale: scaleOf(d)}
	var at []float64
	for _, t := range trials {
		if value, ok := t.Values[d.Name].(float64); ok {
			at = append(at, max(p.scale.low, min(p.scale.at(value), p.scale.high)))
		}
	}
	p.weights = weights(len(at))
	width := p.scale.high - p.scale.low
	at = append(at, p.scale.low+width/2)
	narrowest := width / min(100, 1+float64(len(at)))
	for i, sigma := range gaps(at, p.scale.low, p.scale.high) {
		k := distuv.Normal{Mu: at[i], Sigma: max(narrowest, min(sigma, width))}
		if i == len(at)-1 {
			k.Sigma = width
		}
		p.kernels = append(p.kernels, k)
		p.mass = append(p.mass, k.CDF(p.scale.high)-k.CDF(p.scale.low))
	}
	return p
}

// gaps returns for each place how far the farther of its two neighbours is, the
// ends being neighbours, too.
func gaps(at []float64, low, high float64) []float64 {
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(at[a], at[b]) })
	gap := make([]float64, len(at))
	for n, i := range order {
		before, after := low, high
		if n > 0 {
			before = at[order[n-1]]
		}
		if n < len(order)-1 {
			after = at[order[n+1]]
		}
		gap[i] = max(at[i]-before, after-at[i])
	}
	return gap
}

// draw returns a place on the scale.
func (p *parzen) draw(r *rand.Rand) float64 {
	i := draw(p.weights, r)
	k := p.kernels[i]
	return k.Quantile(k.CDF(p.scale.low) + r.Float64()*p.mass[i])
}

// logDensity is the logarithm of the density at a value; of a whole number that of
// its probability.
func (p *parzen) logDensity(value float64) float64 {
	terms := make([]float64, len(p.kernels))
	at := p.scale.at(value)
	from, to := p.scale.at(value-0.5), p.scale.at(value+0.5) // of a whole number
	for i, k := range p.kernels {
		log := 0.0
		if p.scale.integer {
			log = math.Log(k.CDF(to) - k.CDF(from))
		} else {
			log = k.LogProb(at)
		}
		terms[i] = math.Log(p.weights[i]) - math.Log(p.mass[i]) + log
	}
	return floats.LogSumExp(terms)
}
