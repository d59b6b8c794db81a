package judge

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// choose counts exactly, for tables small enough to be listed.
func choose(n, k int) float64 {
	if k < 0 || k > n {
		return 0
	}
	c := 1.0
	for i := range k {
		c = c * float64(n-i) / float64(i+1)
	}
	return c
}

// The mean of a likelihood ratio over all outcomes that a claim allows must not
// exceed 1: that is all that the bound on false alarms rests on.
func TestEvidenceHasAMeanOfAtMostOne(t *testing.T) {
	binomial := func(n int, p float64, k int) float64 {
		return choose(n, k) * math.Pow(p, float64(k)) * math.Pow(1-p, float64(n-k))
	}
	rapid.Check(t, func(t *rapid.T) {
		nc, ns := rapid.IntRange(1, 12).Draw(t, "candidate"), rapid.IntRange(1, 12).Draw(t, "stable")
		ps := rapid.Float64Range(0, 1).Draw(t, "stable's rate")
		r := rapid.Float64Range(0.2, 4).Draw(t, "ratio")
		factor := alternatives[rapid.IntRange(0, len(alternatives)-1).Draw(t, "alternative")].factor
		slack := rapid.Float64Range(0, 1).Draw(t, "share of the allowed rate")
		mean := func(what claim, pc float64) float64 {
			sum := 0.0
			for x := range nc + 1 {
				for y := range ns + 1 {
					log := what.logRatio(factor, tally{float64(nc), float64(x)}, tally{float64(ns), float64(y)})
					sum += binomial(nc, pc, x) * binomial(ns, ps, y) * math.Exp(log)
				}
			}
			return sum
		}
		for _, test := range []struct {
			name  string
			claim claim
			pc    float64
		}{
			{"at most", absolute(ps), slack * ps},
			{"at most times stable's", atMostTimes(r), slack * min(1, r*ps)},
			{"no more than stable", equal{}, slack * ps},
		} {
			if m := mean(test.claim, test.pc); m > 1+1e-9 {
				t.Fatalf("%s: the mean is %v", test.name, m)
			}
		}
		if pc := min(1, r*ps+slack*(1-min(1, r*ps))); pc >= r*ps {
			if m := mean(atLeastTimes(r), pc); m > 1+1e-9 {
				t.Fatalf("at least times stable's: the mean is %v", m)
			}
		}
	})
}

func TestNoncentralHypergeometricAgreesWithItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nc, ns := rapid.IntRange(0, 30).Draw(t, "candidate"), rapid.IntRange(0, 30).Draw(t, "stable")
		events := rapid.IntRange(0, nc+ns).Draw(t, "events")
		factor := rapid.SampledFrom([]float64{1, 1.05, 2, 10, 100}).Draw(t, "factor")
		want := 0.0
		for k := range nc + 1 {
			want += choose(nc, k) * choose(ns, events-k) * math.Pow(factor, float64(k))
		}
		want = math.Log(want / choose(nc+ns, events))
		if got := logTiltedMean(factor, float64(nc), float64(ns), float64(events)); math.Abs(got-want) > 1e-9 {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestNoncentralHypergeometricStaysExactForMillions(t *testing.T) {
	// Without a tilt the mean is 1, however it is summed.
	for _, n := range []float64{1e3, 1e6, 1e9} {
		if got := logTiltedMean(1, n/20, n, n/10); math.Abs(got) > 1e-4 {
			t.Errorf("of %g: got %v, want 0", n, got)
		}
	}
}

// The time that a look takes is bounded, whatever a store of metrics tells; where
// not all terms are added up, the evidence is less, not more.
func TestEvidenceOfEndlessCountsIsSoonThere(t *testing.T) {
	for _, n := range []float64{1e9, 1e11, maxCount} {
		least, got := time.Hour, 0.0
		for tries := 0; tries < 5 && least > time.Second; tries++ { // the machine may be busy
			begun := time.Now()
			// Evidence that should be 1: the tilt is none.
			got = -logTiltedMean(1, n/2, n/2, n/2)
			least = min(least, time.Since(begun))
		}
		if least > time.Second {
			t.Errorf("of %g: it takes %v", n, least)
		}
		if got > 0.05 || got < -1 {
			t.Errorf("of %g: got %v, want 0 or a little less", n, got)
		}
	}
}

func TestStakesAddUpToTheCapital(t *testing.T) {
	weights, staked := 0.0, 0.0
	for _, a := range alternatives {
		weights += a.weight
	}
	if math.Abs(weights-1) > 1e-12 {
		t.Errorf("the weights of the alternatives add up to %v", weights)
	}
	for round := range 50 {
		if sum := staked + unstaked(round); math.Abs(sum-1) > 1e-12 {
			t.Errorf("after %d rounds there is a capital of %v", round, sum)
		}
		staked += stake(round + 1)
	}
}
