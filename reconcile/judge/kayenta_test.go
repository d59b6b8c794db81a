package judge

import (
	"math"
	"slices"
)

// kayentaHigh is the verdict "High" of a judge in the manner of Kayenta, written
// after its description: a Mann-Whitney test with normal approximation, tie and
// continuity correction; the 98 % interval of the shift; High when its lower end
// exceeds a quarter of the estimate of Hodges and Lehmann, and the means rose. The
// ends are found exactly here, and not to an absolute 1e-4: with that tolerance
// rounding decides wherever values tie or are small. It is here to compare with.
func kayentaHigh(candidate, stable []float64) bool {
	const tolerance, z98 = 0.25, 2.3263478740408408
	if len(candidate) == 0 || len(stable) == 0 || slices.Equal(slices.Sorted(slices.Values(candidate)), slices.Sorted(slices.Values(stable))) {
		return false
	}
	low := slices.Min(candidate) - slices.Max(stable)
	high := slices.Max(candidate) - slices.Min(stable)
	root := func(z, correction float64) float64 {
		f := func(shift float64) float64 { return mannWhitneyZ(candidate, stable, shift, correction) - z }
		a, b := low, high
		if f(a) <= 0 {
			return a
		}
		if f(b) >= 0 {
			return b
		}
		for range 60 {
			if m := (a + b) / 2; f(m) > 0 {
				a = m
			} else {
				b = m
			}
		}
		if x := (a + b) / 2; math.Abs(x) > 1e-9*(high-low) {
			return x
		}
		return 0
	}
	estimate, lower := root(0, 0), root(z98, 0.5)
	return lower > tolerance*math.Abs(estimate) && mean(candidate) > mean(stable)
}

// mannWhitneyZ is the standardised rank sum of candidate, less shift, against
// stable.
func mannWhitneyZ(candidate, stable []float64, shift, correction float64) float64 {
	type point struct {
		x     float64
		first bool
	}
	points := make([]point, 0, len(candidate)+len(stable))
	for _, x := range candidate {
		points = append(points, point{x - shift, true})
	}
	for _, x := range stable {
		points = append(points, point{x, false})
	}
	slices.SortFunc(points, func(a, b point) int {
		switch {
		case a.x < b.x:
			return -1
		case a.x > b.x:
			return 1
		}
		return 0
	})
	rankSum, ties := 0.0, 0.0
	for i := 0; i < len(points); {
		j := i
		for j < len(points) && points[j].x == points[i].x {
			j++
		}
		for k := i; k < j; k++ {
			if points[k].first {
				rankSum += float64(i+j+1) / 2
			}
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	n, m := float64(len(candidate)), float64(len(stable))
	u := rankSum - n*(n+1)/2 - n*m/2
	sigma := math.Sqrt(n * m / 12 * (n + m + 1 - ties/((n+m)*(n+m-1))))
	if sigma == 0 {
		return 0
	}
	return (u - math.Copysign(correction, u)) / sigma
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, x := range values {
		sum += x
	}
	return sum / float64(len(values))
}
