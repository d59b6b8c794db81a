package judge

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

var (
	errorsMax     = spec.Check{Name: "errors", Metric: spec.ErrorRatio, Max: limit(0.01)}
	errorsVs      = spec.Check{Name: "errors", Metric: spec.ErrorRatio, MaxVsStable: limit(1.5)}
	latencyMax    = spec.Check{Name: "latency", Metric: spec.LatencyP99, Max: limit(0.5)}
	latencyVs     = spec.Check{Name: "latency", Metric: spec.LatencyP99, MaxVsStable: limit(1.2)}
	medianVs      = spec.Check{Name: "latency", Metric: spec.LatencyP50, MaxVsStable: limit(1.1)}
	scores        = spec.Check{Name: "scores", Metric: spec.ScoreShift, Max: limit(0.1)}
	answers       = spec.Check{Name: "answers", Metric: spec.ShadowAgreement, Min: limit(0.99)}
	accuracy      = spec.Check{Name: "accuracy", Query: `digits_accuracy{revision="$candidate"}`, Min: limit(0.95)}
	accuracyVs    = spec.Check{Name: "accuracy", Query: `digits_accuracy{revision="$candidate"}`, MinVsStable: limit(0.99)}
	crashes       = spec.Check{Name: "crashes", Metric: spec.Restarts, Max: limit(1)}
	everyPreset   = []spec.Check{errorsMax, errorsVs, latencyMax, latencyVs, medianVs, scores, answers, crashes}
	everyCheckYet = append([]spec.Check{accuracy, accuracyVs}, everyPreset...)
)

// The rows of reference/rollouts.md, 2.2.
func TestOutcomes(t *testing.T) {
	one := func(x float64) []reconcile.Sample { return []reconcile.Sample{{Value: x}} }
	classic := [][]reconcile.Sample{{{Labels: map[string]string{"revision": "new"}, Value: 3}}}
	for _, test := range []struct {
		name    string
		check   spec.Check
		results [][]reconcile.Sample
		want    Outcome
		says    string
	}{
		{"a value within its bound passes", accuracy, [][]reconcile.Sample{one(0.96)}, Pass, "0.96; at least 0.95"},
		{"a value on its bound passes", accuracy, [][]reconcile.Sample{one(0.95)}, Pass, ""},
		{"a value beyond its bound fails", accuracy, [][]reconcile.Sample{one(0.93)}, Fail, "0.93; at least 0.95"},
		{"NaN is insufficient", accuracy, [][]reconcile.Sample{one(math.NaN())}, Insufficient, "no number"},
		{"an infinite value is insufficient", accuracy, [][]reconcile.Sample{one(math.Inf(1))}, Insufficient, "no number"},
		{"an empty result is insufficient", accuracy, [][]reconcile.Sample{{}}, Insufficient, "no number"},
		{"no result at all is insufficient", accuracy, nil, Insufficient, "no number"},
		{"more than one value is an error", accuracy, [][]reconcile.Sample{append(one(1), one(2)...)}, Error, "gives 2 values"},
		{"a histogram is an error", accuracy, [][]reconcile.Sample{{{Histogram: &reconcile.Histogram{}}}}, Error, "histogram_quantile"},
		{"a ratio to stable within its bound passes", accuracyVs, [][]reconcile.Sample{one(0.95), one(0.955)}, Pass, "stable 0.955"},
		{"a ratio to stable beyond its bound fails", accuracyVs, [][]reconcile.Sample{one(0.9), one(0.955)}, Fail, "at least 0.99 times stable's"},
		{"no value for stable is insufficient", accuracyVs, [][]reconcile.Sample{one(0.9), nil}, Insufficient, "stable"},
		{"both nothing are equal", accuracyVs, [][]reconcile.Sample{one(0), one(0)}, Pass, ""},
		{"two values for stable are an error", accuracyVs, [][]reconcile.Sample{one(0.9), append(one(1), one(2)...)}, Error, "stable"},
		{"a check without a bound is an error", spec.Check{Name: "x", Query: "1"}, [][]reconcile.Sample{one(1)}, Error, "no bound"},
		{"a latency without native histograms is an error", latencyMax, classic, Error, "--enable-feature=native-histograms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			trial := newTrial(test.check)
			v := trial.lookAt(Read(trial.check, vars, begin, test.results))
			expect(t, v, test.want)
			if !strings.Contains(v.Text, test.says) {
				t.Errorf("the text is %q, want %q in it", v.Text, test.says)
			}
			if failures := trial.evidence.Failures; failures != map[bool]int{true: 1}[test.want == Fail] {
				t.Errorf("%d failures are counted", failures)
			}
		})
	}
}

func TestAnOutageOfTheMetricsIsAnErrorAndChangesNoEvidence(t *testing.T) {
	for _, check := range everyCheckYet {
		t.Run(string(check.Metric)+check.Query, func(t *testing.T) {
			trial := newTrial(check)
			trial.look()
			before := trial.evidence
			v := trial.lookAt(Unread(trial.at, errors.New("connection refused")))
			expect(t, v, Error)
			if !strings.Contains(v.Text, "connection refused") {
				t.Errorf("the text does not say why: %q", v.Text)
			}
			after := trial.evidence
			after.Looks, after.Last = before.Looks, before.Last
			if a, b := asJSON(t, before), asJSON(t, after); a != b {
				t.Errorf("the evidence changed from %s to %s", a, b)
			}
		})
	}
}

func TestNoDataIsInsufficient(t *testing.T) {
	for _, check := range everyPreset {
		trial := newTrial(check)
		expect(t, trial.lookAt(Read(trial.check, vars, begin, nil)), Insufficient)
		expect(t, trial.lookAt(Read(trial.check, vars, begin, [][]reconcile.Sample{{}, {}})), Insufficient)
	}
}

func TestDisagreementTakesTheWorst(t *testing.T) {
	order := []Outcome{Pass, Insufficient, Error, Fail}
	for i, a := range order {
		for j, b := range order {
			if got, want := Worse(a, b), order[max(i, j)]; got != want {
				t.Errorf("of %s and %s got %s", a, b, got)
			}
		}
	}
}

func TestTheFirstReadingIsWhereCountingBegins(t *testing.T) {
	trial := newTrial(errorsMax)
	trial.serve("new", 1000, 900) // an earlier try of the same revision
	trial.serve("old", 1000, 0)
	expect(t, trial.look(), Insufficient)
	trial.serve("new", 100, 0)
	expect(t, trial.look(), Pass)
}

func TestFewerSamplesThanAskedForAreInsufficient(t *testing.T) {
	trial := newTrial(errorsVs)
	trial.check.MinSamples = 50
	trial.look()
	trial.serve("new", 49, 0)
	trial.serve("old", 500, 0)
	v := trial.look()
	expect(t, v, Insufficient)
	if !strings.Contains(v.Text, "49 of the 50 samples") {
		t.Errorf("the text is %q", v.Text)
	}
	trial.serve("new", 1, 0)
	trial.serve("old", 1, 0)
	expect(t, trial.look(), Pass)
}

func TestANewStepAsksForSamplesAnewAndKeepsTheEvidence(t *testing.T) {
	trial := newTrial(errorsVs)
	trial.check.MinSamples = 50
	trial.look()
	trial.serve("new", 100, 5)
	trial.serve("old", 1000, 5)
	before := trial.look()
	trial.evidence = trial.evidence.Enter(trial.at.Add(-time.Minute))
	trial.serve("new", 10, 0)
	trial.serve("old", 1000, 5)
	v := trial.look()
	expect(t, v, Insufficient)
	if before.Evidence < 2 || v.Evidence < 2 {
		t.Errorf("the evidence went from %v to %v", before.Evidence, v.Evidence)
	}
	// Half of a stretch before the step counts for the step before.
	trial.evidence = trial.evidence.Enter(trial.at.Add(-30 * time.Second))
	trial.serve("new", 100, 0)
	trial.serve("old", 100, 0)
	trial.look()
	if got := trial.evidence.Step.Candidate; got != 50 {
		t.Errorf("the step has %v samples, want 50", got)
	}
}

func TestCountersThatBeginAnewAreCountedFromZero(t *testing.T) {
	trial := newTrial(errorsVs)
	trial.serve("new", 5000, 50)
	trial.serve("old", 5000, 50)
	trial.look()
	trial.codes = newWorld().codes
	trial.serve("new", 40, 1)
	trial.serve("old", 60, 0)
	trial.look()
	if got, want := trial.evidence.Total, (Pair[float64]{40, 60}); got != want {
		t.Errorf("after a restart %v were counted, want %v", got, want)
	}
	// A gateway with a name of its own, while the old one is still remembered.
	next := trial.read(trial.check, trial.at)
	next.Series = append(next.Series, Series{Side: Candidate, Instance: "b", Total: 7, Bad: 1}, Series{Side: Stable, Instance: "b", Total: 8})
	trial.lookAt(next)
	if got, want := trial.evidence.Total, (Pair[float64]{47, 68}); got != want {
		t.Errorf("with a second gateway %v were counted, want %v", got, want)
	}
	// The first one is not scraped for a while, and comes again.
	trial.lookAt(Reading{At: trial.at, Series: next.Series[len(next.Series)-2:]})
	trial.lookAt(next)
	if got, want := trial.evidence.Total, (Pair[float64]{47, 68}); got != want {
		t.Errorf("after a gap %v were counted, want %v", got, want)
	}
	if got, want := trial.evidence.Bad.Candidate, 2.0; got != want {
		t.Errorf("%v errors were counted, want %v", got, want)
	}
}

func TestRestartsCountOnceWhenTheDaemonStartsAnew(t *testing.T) {
	trial := newTrial(crashes)
	for _, told := range []struct{ told, counted float64 }{
		{3, 3},
		{3, 3},
		{2, 3}, // the daemon is a new one, and knows of those by the engine only
		{2, 3},
		{3, 4}, // one more
	} {
		trial.restarts["new"] = told.told
		if v := trial.look(); *v.Candidate != told.counted {
			t.Errorf("when %v restarts were told, %v are counted, want %v", told.told, *v.Candidate, told.counted)
		}
	}
}

func TestCrossingStandsForItsOwnLookOnly(t *testing.T) {
	trial := newTrial(errorsMax)
	trial.look()
	trial.serve("new", 50, 12)
	trial.serve("old", 50, 0)
	expect(t, trial.look(), Fail)
	trial.serve("new", 5000, 10)
	trial.serve("old", 5000, 0)
	expect(t, trial.look(), Pass)
	if trial.evidence.Failures != 1 {
		t.Errorf("%d failures are counted", trial.evidence.Failures)
	}
}

func TestPresets(t *testing.T) {
	serve := func(w *trial, requests, errors float64) { w.serve("new", requests, errors); w.serve("old", 10000, 40) }
	for _, test := range []struct {
		name  string
		check spec.Check
		then  func(*trial)
		want  Outcome
		says  string
	}{
		{"as many errors as stable pass", errorsVs, func(w *trial) { serve(w, 1000, 4) }, Pass, "0.4 % of 1,000 requests failed, stable 0.4 % of 10,000; at most 1.5 times"},
		{"ten times the errors of stable fail", errorsVs, func(w *trial) { serve(w, 1000, 40) }, Fail, "4 % of 1,000 requests failed, stable 0.4 % of 10,000"},
		{"errors above max fail", errorsMax, func(w *trial) { serve(w, 412, 21) }, Fail, "5.1 % of 412 requests failed, stable 0.4 % of 10,000; at most 1 % is allowed; the odds against it are "},
		{"an error where none is allowed fails", spec.Check{Metric: spec.ErrorRatio, Max: limit(0)}, func(w *trial) { serve(w, 1000, 1) }, Fail, ""},
		{"no error where none is allowed passes", spec.Check{Metric: spec.ErrorRatio, Max: limit(0)}, func(w *trial) { serve(w, 1000, 0) }, Pass, ""},
		{"a max of 1 never fails", spec.Check{Metric: spec.ErrorRatio, Max: limit(1)}, func(w *trial) { serve(w, 1000, 1000) }, Pass, ""},
		{"far fewer errors than min_vs_stable fail", spec.Check{Metric: spec.ErrorRatio, MinVsStable: limit(0.5)}, func(w *trial) { w.serve("new", 10000, 0); serve(w, 1, 0) }, Fail, "at least 0.5 times"},
		{"answers that agree pass", answers, func(w *trial) { w.results["new"]["agree"] = 500 }, Pass, "100 % of 500 answers agree"},
		{"answers that differ fail", answers, func(w *trial) { w.results["new"]["agree"], w.results["new"]["differ"] = 450, 50 }, Fail, "90 % of 500 answers agree"},
		{"answers that are missing fail", answers, func(w *trial) { w.results["new"]["agree"], w.results["new"]["failed"] = 450, 50 }, Fail, ""},
		{"restarts up to max pass", crashes, func(w *trial) { w.restarts["new"] = 1 }, Pass, "1 restart of"},
		{"restarts above max fail", crashes, func(w *trial) { w.restarts["new"] = 2 }, Fail, "2 restarts"},
		{"the rate of its share passes", spec.Check{Metric: spec.RequestRate, MinVsStable: limit(0.9)}, func(w *trial) { w.serve("new", 95, 0); w.serve("old", 100, 0) }, Pass, "1.583 requests per second"},
		{"less than the rate of its share fails", spec.Check{Metric: spec.RequestRate, MinVsStable: limit(0.9)}, func(w *trial) { w.serve("new", 80, 0); w.serve("old", 100, 0) }, Fail, "at least 0.9 times"},
		{"a rate above max fails", spec.Check{Metric: spec.RequestRate, Max: limit(1)}, func(w *trial) { w.serve("new", 80, 0) }, Fail, "at most 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			trial := newTrial(test.check)
			if test.check.Metric != spec.Restarts {
				trial.look()
			}
			test.then(trial)
			v := trial.look()
			expect(t, v, test.want)
			if !strings.Contains(v.Text, test.says) {
				t.Errorf("the text is %q, want %q in it", v.Text, test.says)
			}
		})
	}
}

func TestDistributions(t *testing.T) {
	base := spread(2000, 0.1, 0.2)
	for _, test := range []struct {
		name      string
		check     spec.Check
		candidate []float64
		want      Outcome
	}{
		{"the latency of stable passes", latencyVs, spread(500, 0.1, 0.2), Pass},
		{"a tenth more is allowed by 1.2", latencyVs, spread(500, 0.11, 0.2), Pass},
		{"half as slow again fails", latencyVs, spread(500, 0.15, 0.2), Fail},
		{"half as slow again fails by the median", medianVs, spread(200, 0.15, 0.2), Fail},
		{"faster passes", latencyVs, spread(500, 0.05, 0.2), Pass},
		{"faster than min_vs_stable fails", spec.Check{Metric: spec.LatencyP50, MinVsStable: limit(0.8)}, spread(500, 0.05, 0.2), Fail},
		{"as fast as min_vs_stable allows passes", spec.Check{Metric: spec.LatencyP50, MinVsStable: limit(0.8)}, spread(500, 0.09, 0.2), Pass},
		{"a p99 below max passes", latencyMax, spread(500, 0.2, 0.2), Pass},
		{"a p99 above max fails", latencyMax, spread(500, 0.4, 0.2), Fail},
		{"a p50 below min fails", spec.Check{Metric: spec.LatencyP50, Min: limit(0.3)}, spread(500, 0.2, 0.2), Fail},
		{"the distribution of stable passes", scores, spread(500, 0.1, 0.2), Pass},
		{"a small shift is within the bound", scores, spread(500, 0.1, 0.22), Pass},
		{"another distribution fails", scores, spread(500, 0.13, 0.2), Fail},
		{"the same value always fails", scores, make([]float64, 300), Fail},
		{"negative values fail", scores, []float64{-1, -2, -3, -1, -2, -3, -1, -2, -3, -1, -2, -3, -1, -2, -3, -1, -2, -3, -1, -2, -3, -1, -2, -3, -1, -2, -3, -1, -2, -3}, Fail},
	} {
		t.Run(test.name, func(t *testing.T) {
			trial := newTrial(test.check)
			trial.observe("old", base...)
			trial.look()
			trial.observe("old", base...)
			trial.observe("new", test.candidate...)
			v := trial.look()
			expect(t, v, test.want)
			t.Log(v.Text)
		})
	}
}

func TestRequestsThatClientsGaveUpCountByHowLongTheyWaited(t *testing.T) {
	base := spread(2000, 0.1, 0.2)
	waited := func(n int, seconds float64) []float64 {
		list := make([]float64, n)
		for i := range list {
			list[i] = seconds
		}
		return list
	}
	for _, test := range []struct {
		name            string
		check           spec.Check
		answered        int // by the candidate
		stable, givenUp []float64
		want            Outcome
	}{
		{"a candidate that hangs fails by max", latencyMax, 0, nil, waited(20, 5), Fail},
		{"a candidate that hangs fails beside stable", latencyVs, 0, nil, waited(20, 5), Fail},
		{"a candidate that hangs for a tenth fails", latencyVs, 450, nil, waited(50, 5), Fail},
		{"clients of both sides that leave as early pass", latencyVs, 500, waited(200, 0.01), waited(50, 0.01), Pass},
		{"clients of both sides that leave as late pass", latencyVs, 500, waited(300, 5), waited(50, 5), Pass},
		{"who leaves early was not answered fast", spec.Check{Metric: spec.LatencyP50, Min: limit(0.05)}, 500, nil, waited(400, 0.001), Pass},
	} {
		t.Run(test.name, func(t *testing.T) {
			trial := newTrial(test.check)
			trial.observe("old", base...)
			trial.look()
			trial.observe("old", base...)
			trial.giveUp("old", test.stable...)
			if test.answered > 0 {
				trial.observe("new", spread(test.answered, 0.1, 0.2)...)
			}
			trial.giveUp("new", test.givenUp...)
			v := trial.look()
			expect(t, v, test.want)
			t.Log(v.Text)
		})
	}
}

func TestACandidateWithAllTrafficHasNothingToBeComparedWith(t *testing.T) {
	trial := newTrial(errorsVs)
	trial.look()
	all := vars
	all.Share = 1
	alone := func() Verdict {
		var v Verdict
		trial.serve("new", 100, 0)
		trial.evidence, v = Look(trial.check, all, Budget, trial.evidence, trial.read(trial.check, trial.at))
		trial.at = trial.at.Add(time.Minute)
		return v
	}
	v := alone()
	expect(t, v, Insufficient)
	if !strings.Contains(v.Text, "no share") {
		t.Errorf("the text is %q", v.Text)
	}
	trial.serve("new", 100, 0)
	trial.serve("old", 100, 0)
	expect(t, trial.look(), Pass)
	trial.evidence = trial.evidence.Enter(trial.at.Add(-time.Minute))
	expect(t, alone(), Insufficient)
}

func TestAFigureBeyondItsBoundNeverPasses(t *testing.T) {
	for _, test := range []struct {
		name  string
		check spec.Check
		few   func(*trial) // beyond the bound, by too few requests to fail
		more  func(*trial) // within
		says  string
	}{
		{
			"errors", errorsMax, func(w *trial) { w.serve("new", 40, 1) }, func(w *trial) { w.serve("new", 200, 0) },
			"2.5 % of 40 requests failed; at most 1 % is allowed; nothing speaks against it (it fails at odds of 100 to 1); " +
				"what was measured is beyond the bound, but 40 requests in this step are not enough to tell it from chance",
		},
		{
			"errors beside stable", errorsVs, func(w *trial) { w.serve("new", 40, 1); w.serve("old", 400, 4) },
			func(w *trial) { w.serve("new", 200, 1); w.serve("old", 2000, 20) }, "but 40 requests",
		},
		{
			"too few errors",
			spec.Check{Metric: spec.ErrorRatio, MinVsStable: limit(0.5)},
			func(w *trial) { w.serve("new", 40, 0); w.serve("old", 400, 4) },
			func(w *trial) { w.serve("new", 100, 1); w.serve("old", 100, 1) }, "at least 0.5 times",
		},
		{
			"latency", latencyMax, func(w *trial) { w.observe("new", 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.9) }, func(w *trial) { w.observe("new", spread(300, 0.1, 0.2)...) },
			"but 7 requests",
		},
		{
			"answers", answers, func(w *trial) { w.results["new"]["agree"], w.results["new"]["differ"] = 48, 1 },
			func(w *trial) { w.results["new"]["agree"] = 500 }, "but 49 answers",
		},
		{
			"scores", scores, func(w *trial) {
				w.observe("old", spread(50, 0.1, 0.2)...)
				w.observe("new", 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)
			},
			func(w *trial) {
				w.observe("old", spread(2000, 0.1, 0.2)...)
				w.observe("new", spread(1000, 0.1, 0.2)...)
			}, "but 6 values",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			trial := newTrial(test.check)
			trial.results["new"]["agree"] = 0
			trial.observe("old", spread(1000, 0.1, 0.2)...)
			trial.serve("old", 1000, 0)
			trial.serve("new", 0, 0)
			trial.look()
			test.few(trial)
			v := trial.look()
			expect(t, v, Insufficient)
			if !strings.Contains(v.Text, test.says) || !strings.Contains(v.Text, "not enough to tell it from chance") {
				t.Errorf("the text is %q, want %q in it", v.Text, test.says)
			}
			test.more(trial)
			expect(t, trial.look(), Pass)
		})
	}
}

func TestAFigureIsThatOfItsStep(t *testing.T) {
	trial := newTrial(errorsMax)
	trial.look()
	trial.serve("new", 10000, 0)
	expect(t, trial.look(), Pass)
	trial.evidence = trial.evidence.Enter(trial.at.Add(-time.Minute))
	trial.serve("new", 40, 1) // 0.01 % of all, and 2.5 % of what the step has seen
	expect(t, trial.look(), Insufficient)
}

func TestARateIsNotJudgedWhileTheShareChanges(t *testing.T) {
	trial := newTrial(spec.Check{Metric: spec.RequestRate, MinVsStable: limit(0.9)})
	look := func(share float64) Verdict {
		var v Verdict
		next := vars
		next.Share = share
		trial.evidence, v = Look(trial.check, next, Budget, trial.evidence, trial.read(trial.check, trial.at))
		trial.at = trial.at.Add(time.Minute)
		return v
	}
	look(0.05)
	trial.serve("new", 50, 0)
	trial.serve("old", 950, 0)
	expect(t, look(0.05), Pass)
	trial.serve("new", 60, 0)
	trial.serve("old", 940, 0)
	expect(t, look(0.25), Insufficient)
	trial.serve("new", 250, 0)
	trial.serve("old", 750, 0)
	expect(t, look(0.25), Pass)
}

func TestEvidenceSurvivesTheJournal(t *testing.T) {
	for _, check := range everyPreset {
		kept, through := newTrial(check), newTrial(check)
		for round := range 6 {
			for _, trial := range []*trial{kept, through} {
				trial.serve("new", 50, float64(round%3))
				trial.serve("old", 900, float64(round))
				trial.results["new"]["agree"] += 100
				trial.observe("new", shuffled(spread(41, 0.12, 0.3), 7)...)
				trial.observe("old", spread(200, 0.1, 0.3)...)
				text := asJSON(t, trial.evidence)
				if trial == through {
					trial.evidence = Evidence{}
					if err := json.Unmarshal([]byte(text), &trial.evidence); err != nil {
						t.Fatal(err)
					}
				}
				if len(text) > 6000 {
					t.Errorf("%s: the evidence takes %d bytes", check.Metric, len(text))
				}
			}
			if a, b := asJSON(t, kept.look()), asJSON(t, through.look()); a != b {
				t.Errorf("%s: the verdict is %s, and %s after a restart", check.Metric, a, b)
			}
		}
		if a, b := asJSON(t, kept.evidence), asJSON(t, through.evidence); a != b {
			t.Errorf("%s: the evidence is %s, and %s after a restart", check.Metric, a, b)
		}
	}
}

func TestALookLeavesTheEvidenceThatItWasGivenAlone(t *testing.T) {
	for _, check := range everyPreset {
		trial := newTrial(check)
		var before []Evidence
		var texts []string
		for range 4 {
			before, texts = append(before, trial.evidence), append(texts, asJSON(t, trial.evidence))
			trial.serve("new", 50, 1)
			trial.serve("old", 50, 1)
			trial.results["new"]["agree"] += 100
			trial.observe("new", 1, 2, 3)
			trial.observe("old", 1, 2, 3)
			trial.look()
		}
		for i := range before {
			if got := asJSON(t, before[i]); got != texts[i] {
				t.Errorf("%s: the evidence before look %d changed from %s to %s", check.Metric, i, texts[i], got)
			}
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
