package judge

import (
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// The unit of the data decides nothing: buckets, bounds and thresholds times
// 10^k give the same outcomes, evidence and counts.
func TestScaleChangesNoOutcome(t *testing.T) {
	scaled := func(h *reconcile.Histogram, by float64) *reconcile.Histogram {
		out := &reconcile.Histogram{Count: h.Count, Sum: h.Sum * by}
		for _, b := range h.Buckets {
			out.Buckets = append(out.Buckets, reconcile.Bucket{Lower: b.Lower * by, Upper: b.Upper * by, Count: b.Count})
		}
		return out
	}
	checks := []spec.Check{
		{Metric: spec.LatencyP50, MaxVsStable: limit(1.1), MinSamples: 5},
		{Metric: spec.LatencyP90, MaxVsStable: limit(1), MinVsStable: limit(0.5), MinSamples: 5},
		{Metric: spec.LatencyP99, MaxVsStable: limit(1.2), Max: limit(0.2), MinSamples: 5},
		{Metric: spec.ScoreShift, Max: limit(0.1), MinSamples: 5},
	}
	for _, check := range checks {
		for _, median := range []float64{0.1, 0.105, 0.112, 0.12, 0.13, 0.15} {
			run := func(k int) (outcomes []Outcome, evidence []float64) {
				by := math.Pow(10, float64(k))
				trial := newTrial(check)
				if check.Metric != spec.ScoreShift && check.Max != nil {
					trial.check.Max = limit(*check.Max * by)
				}
				for range 4 {
					trial.observe("old", spread(300, 0.1, 0.3)...)
					trial.observe("new", spread(100, median, 0.3)...)
					r := trial.read(trial.check, trial.at)
					for i := range r.Series {
						r.Series[i].Histogram = scaled(r.Series[i].Histogram, by)
					}
					v := trial.lookAt(r)
					outcomes, evidence = append(outcomes, v.Outcome), append(evidence, v.Evidence)
				}
				return outcomes, evidence
			}
			want, evidence := run(0)
			for k := -9; k <= 9; k++ {
				outcomes, e := run(k)
				for i := range want {
					if outcomes[i] != want[i] || math.Abs(e[i]-evidence[i]) > 1e-6*evidence[i] {
						t.Errorf("%s of %v times 1e%d: look %d says %s with %v, want %s with %v",
							check.Metric, median, k, i, outcomes[i], e[i], want[i], evidence[i])
					}
				}
			}
		}
	}
}

// judged is the verdict on one stretch of traffic.
func judged(c spec.Check, stable, candidate tally) Verdict {
	trial := newTrial(c)
	trial.look()
	trial.serve("old", stable.n, stable.hits)
	trial.serve("new", candidate.n, candidate.hits)
	return trial.look()
}

func TestMoreErrorsNeverSpeakForACandidate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		check := spec.Check{Metric: spec.ErrorRatio, MinSamples: 5}
		switch rapid.IntRange(0, 2).Draw(t, "bound") {
		case 0:
			check.Max = limit(rapid.Float64Range(0, 1).Draw(t, "max"))
		case 1:
			check.MaxVsStable = limit(rapid.Float64Range(0.1, 10).Draw(t, "ratio"))
		default:
			check.MaxVsStable = limit(1)
		}
		stable := tally{n: float64(rapid.IntRange(5, 2000).Draw(t, "stable"))}
		stable.hits = float64(rapid.IntRange(0, int(stable.n)).Draw(t, "errors of stable"))
		candidate := tally{n: float64(rapid.IntRange(5, 2000).Draw(t, "candidate"))}
		candidate.hits = float64(rapid.IntRange(0, int(candidate.n)-1).Draw(t, "errors of the candidate"))
		more := candidate
		more.hits += float64(rapid.IntRange(1, int(candidate.n-candidate.hits)).Draw(t, "more errors"))
		a, b := judged(check, stable, candidate), judged(check, stable, more)
		if a.Outcome == Fail && b.Outcome != Fail || b.Evidence < a.Evidence*0.999 {
			t.Fatalf("%v errors: %s, %v errors: %s", candidate.hits, a.Text, more.hits, b.Text)
		}
	})
}

// 0 of 50 against 7 of 50 has p = 0.6 % by the exact test of Fisher, for one look.
// For any number of looks it takes two errors more; rank tests on 50 intervals
// take 23 intervals with an error.
func TestFisherYardstick(t *testing.T) {
	check := spec.Check{Metric: spec.ErrorRatio, MaxVsStable: limit(1), MinSamples: 5}
	for errors := range 51 {
		want := Insufficient
		switch {
		case errors == 0:
			want = Pass
		case errors >= 9:
			want = Fail
		}
		if v := judged(check, tally{n: 50}, tally{n: 50, hits: float64(errors)}); v.Outcome != want {
			t.Errorf("%d of 50 against 0 of 50: %s", errors, v.Text)
		}
	}
}

// Below five samples a side not even complete separation fails.
func TestSmallSamplesNeverFail(t *testing.T) {
	check := spec.Check{Metric: spec.ErrorRatio, MaxVsStable: limit(1), MinSamples: 5}
	for n := range 5 {
		if v := judged(check, tally{n: 1e6}, tally{n: float64(n), hits: float64(n)}); v.Outcome != Insufficient {
			t.Errorf("%d of %d errors: %s: %s", n, n, v.Outcome, v.Text)
		}
	}
	if v := judged(check, tally{n: 1e6}, tally{n: 5, hits: 5}); v.Outcome != Fail {
		t.Errorf("5 of 5 errors: %s: %s", v.Outcome, v.Text)
	}
}

// Whatever comes out of a store of metrics, a verdict is one of four and can be
// written into the journal.
func TestAnyReadingGivesAVerdict(t *testing.T) {
	number := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1, -1, 1e300, math.NaN(), math.Inf(1), math.Inf(-1), 5e-324}))
	bucket := rapid.Custom(func(t *rapid.T) reconcile.Bucket {
		return reconcile.Bucket{Lower: number.Draw(t, "lower"), Upper: number.Draw(t, "upper"), Count: number.Draw(t, "count")}
	})
	sample := rapid.Custom(func(t *rapid.T) reconcile.Sample {
		s := reconcile.Sample{Value: number.Draw(t, "value"), Labels: map[string]string{
			"revision": rapid.SampledFrom([]string{"old", "new", "other", ""}).Draw(t, "revision"),
			"instance": rapid.SampledFrom([]string{"a", "b"}).Draw(t, "instance"),
			"code":     rapid.SampledFrom([]string{"2xx", "5xx"}).Draw(t, "code"),
			"result":   rapid.SampledFrom([]string{"agree", "differ"}).Draw(t, "result"),
		}}
		if rapid.Bool().Draw(t, "histogram") {
			s.Histogram = &reconcile.Histogram{Count: number.Draw(t, "count"), Buckets: rapid.SliceOfN(bucket, 0, 5).Draw(t, "buckets")}
		}
		return s
	})
	bound := rapid.Custom(func(t *rapid.T) *float64 {
		if rapid.Bool().Draw(t, "bound") {
			return nil
		}
		return limit(number.Filter(finite).Draw(t, "limit"))
	})
	rapid.Check(t, func(t *rapid.T) {
		check := rapid.SampledFrom(everyCheckYet).Draw(t, "check")
		check.Max, check.Min = bound.Draw(t, "max"), bound.Draw(t, "min")
		check.MaxVsStable, check.MinVsStable = bound.Draw(t, "max_vs_stable"), bound.Draw(t, "min_vs_stable")
		trial := newTrial(check)
		for range rapid.IntRange(1, 5).Draw(t, "looks") {
			results := rapid.SliceOfN(rapid.SliceOfN(sample, 0, 6), 0, 2).Draw(t, "results")
			v := trial.lookAt(Read(trial.check, vars, trial.at, results))
			if _, known := severity[v.Outcome]; !known || v.Text == "" {
				t.Fatalf("the verdict is %+v", v)
			}
			if _, err := json.Marshal(trial.evidence); err != nil {
				t.Fatalf("%v in %+v", err, trial.evidence)
			}
		}
	})
}

// A native histogram that grows too large is made coarser; what was counted
// before must not count again.
func TestCoarserBucketsAreNoNewRequests(t *testing.T) {
	coarse := func(h *reconcile.Histogram) *reconcile.Histogram {
		out := &reconcile.Histogram{Count: h.Count}
		for _, b := range h.Buckets {
			upper := math.Exp2(math.Ceil(math.Log2(b.Upper)*8-1e-9) / 8)
			out = merge(out, &reconcile.Histogram{Buckets: []reconcile.Bucket{{Lower: upper / math.Exp2(1.0/8), Upper: upper, Count: b.Count}}})
		}
		return out
	}
	for _, check := range []spec.Check{latencyVs, medianVs, latencyMax, scores} {
		trial := newTrial(check)
		for round := range 6 {
			trial.observe("old", spread(1000, 0.1, 0.2)...)
			trial.observe("new", spread(200, 0.1, 0.2)...)
			r := trial.read(trial.check, trial.at)
			if round >= 3 {
				for i := range r.Series {
					r.Series[i].Histogram = coarse(r.Series[i].Histogram)
				}
			}
			if v := trial.lookAt(r); round > 0 {
				expect(t, v, Pass)
			}
		}
		if got, want := trial.evidence.Total, (Pair[float64]{1000, 5000}); got != want {
			t.Errorf("%s: %v were counted, want %v", check.Metric, got, want)
		}
	}
}
