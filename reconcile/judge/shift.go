package judge

import "math"

// landmarkCount is at how many points two distributions are compared. Outputs
// with fewer distinct values are compared at each.
const landmarkCount = 24

// Shift is the case against a candidate over the distribution of an output.
//
// The distance is that of Kolmogorov and Smirnov: the largest difference, over
// all x, between the shares of values above x. It lies between 0 and 1, and does
// not depend on the unit. It is looked for at landmarks that are fixed by stable's
// distribution at the first look.
//
// For each landmark and direction the claim is that the candidate's share of
// values beyond exceeds stable's by no more than the bound. Each look adds the
// excess, times the harmonic size m of the two samples; by Hoeffding (1963) its
// fluctuation is that of a normal variable of variance m/4 at most, whatever the
// distributions. Evidence is the one-sided normal mixture over such sums (Howard,
// Ramdas, McAuliffe and Sekhon, Time-uniform, nonparametric, nonasymptotic
// confidence sequences, 2021), and the mean of it over landmarks and directions.
type Shift struct {
	Values Pair[float64] `json:"values"` // that were compared
	// Size is the sum of m; Excess, by landmark, the sum of m times the
	// difference of the shares, candidate minus stable.
	Size   float64   `json:"size"`
	Excess []float64 `json:"excess,omitempty"`
}

// add is the case after what one look counted: totals, then values above each
// landmark.
func (s Shift) add(counts Pair[[]float64]) Shift {
	if len(counts.Candidate) < 2 || len(counts.Stable) < 2 || counts.Candidate[0] <= 0 || counts.Stable[0] <= 0 {
		return s
	}
	candidate, stable := counts.Candidate[0], counts.Stable[0]
	m := candidate * stable / (candidate + stable)
	s.Values.Candidate += candidate
	s.Values.Stable += stable
	s.Size += m
	excess := make([]float64, len(counts.Candidate)-1)
	copy(excess, s.Excess)
	for i := range excess {
		difference := counts.Candidate[i+1]/candidate - counts.Stable[i+1]/stable
		excess[i] = math.Round((excess[i]+m*difference)*1e6) / 1e6
	}
	s.Excess = excess
	return s
}

// distance is the largest difference that was seen.
func (s Shift) distance() float64 {
	largest := 0.0
	for _, e := range s.Excess {
		largest = max(largest, math.Abs(e))
	}
	if s.Size <= 0 {
		return 0
	}
	return min(1, largest/s.Size)
}

// logEvidence is the logarithm of the evidence that the distance exceeds limit.
func (s Shift) logEvidence(limit float64) float64 {
	if len(s.Excess) == 0 {
		return 0
	}
	sum := math.Inf(-1)
	for _, e := range s.Excess {
		sum = logAdd(sum, logNormalMixture(e-limit*s.Size, s.Size/4))
		sum = logAdd(sum, logNormalMixture(-e-limit*s.Size, s.Size/4))
	}
	return sum - math.Log(float64(2*len(s.Excess)))
}

// mixtureScale tunes the normal mixture: it is sharpest for sums with a variance
// of some 10 to 20 times that, which is a hundred values against many.
const mixtureScale = 2

// logNormalMixture is the logarithm of exp(l*s - l*l*v/2), averaged over l from
// the positive half of a normal distribution of variance 1/mixtureScale.
func logNormalMixture(s, v float64) float64 {
	spread := v + mixtureScale
	z := s / math.Sqrt(spread)
	return 0.5*math.Log(4*mixtureScale/spread) + z*z/2 + logNormalCDF(z)
}

// logNormalCDF is the logarithm of the standard normal distribution function.
func logNormalCDF(z float64) float64 {
	if z > -30 {
		return math.Log(math.Erfc(-z/math.Sqrt2) / 2)
	}
	// Far out, where the function itself underflows.
	return -z*z/2 - math.Log(-z) - 0.5*math.Log(2*math.Pi)
}
