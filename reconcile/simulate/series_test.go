package simulate_test

import (
	"context"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/simulate"
	"github.com/fairlead/fairlead/spec"
)

func number(x float64) *float64 { return &x }

// canary is a model with steps of two minutes and checks of errors and latency.
func canary() *spec.Model {
	return &spec.Model{
		Address: spec.Address{Kind: spec.KindModel, Name: "digits"}, Name: "digits", Protocol: spec.HTTP, Port: 8080, Replicas: 2,
		Health: spec.Health{Path: "/", Interval: time.Second, Timeout: time.Second, MinHealthy: time.Second, Deadline: time.Minute},
		Rollout: &spec.Rollout{
			Strategy: spec.Canary, Velocity: spec.VelocityRestart, OnFailure: spec.ActionRollback, OnDeadline: spec.ActionRollback,
			ProgressDeadline: time.Hour, KeepPrevious: time.Hour,
			Steps: []spec.RolloutStep{{Weight: 5, Hold: 2 * time.Minute}, {Weight: 50, Hold: 2 * time.Minute}},
			Checks: []spec.Check{
				{Name: "errors", Metric: spec.ErrorRatio, MaxVsStable: number(1), Interval: 10 * time.Second, MinSamples: 5},
				{Name: "latency", Metric: spec.LatencyP99, MaxVsStable: number(1.2), Interval: 10 * time.Second, MinSamples: 5},
			},
		},
	}
}

func traffic(errorRatio float64) *spec.Simulation {
	stable := spec.SimulatedRevision{ErrorRatio: 0.001, Latency: 20 * time.Millisecond, Spread: 0.3, Agreement: 1}
	candidate := stable
	candidate.ErrorRatio = errorRatio
	return &spec.Simulation{Model: "digits", Rate: 50, Stable: stable, Candidate: candidate}
}

func series(t *testing.T, m *spec.Model, declared *spec.Simulation, runs int) simulate.Series {
	t.Helper()
	s, err := simulate.RunSeries(t.Context(), m, declared, simulate.SeriesOptions{Runs: runs, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestABadCandidateIsCaughtInEveryRun(t *testing.T) {
	s := series(t, canary(), traffic(0.2), 20)
	want := []simulate.End{{Outcome: journal.RolledBack, Cause: journal.CauseFailed, Runs: 20}}
	if !reflect.DeepEqual(s.Ends, want) || s.Condemned.Ratio != 1 || s.Condemned.Low < 0.8 || s.Condemned.High != 1 {
		t.Errorf("got %+v", s)
	}
	if s.Failed.Median <= 0 || s.Exposed.Median < s.Failed.Median || s.Exposed.P95 < s.Exposed.Median || s.Duration.Median <= 0 {
		t.Errorf("the numbers do not fit: %+v", s)
	}
}

func TestACandidateLikeStableIsPromoted(t *testing.T) {
	m := canary()
	// With a bound of 1 every second figure is beyond it by chance, and some
	// rollouts wait for a better one until their deadline.
	m.Rollout.Checks[0].MaxVsStable = number(1.5)
	s := series(t, m, simulate.Alike(traffic(0.2)), 20)
	if len(s.Ends) != 1 || s.Ends[0].Outcome != journal.Promoted || s.Condemned.Count != 0 || s.Condemned.Low != 0 {
		t.Errorf("got %+v", s)
	}
	// 1 - 0.025^(1/20)
	if want := 0.1684; math.Abs(s.Condemned.High-want) > 1e-4 {
		t.Errorf("0 of 20 is at most %g, want %g", s.Condemned.High, want)
	}
}

func TestAHeldRolloutIsCondemnedByWhatFailed(t *testing.T) {
	m := canary()
	m.Rollout.OnFailure = spec.ActionHold
	s := series(t, m, traffic(0.2), 5)
	want := []simulate.End{{Held: true, Cause: journal.CauseFailed, Runs: 5}}
	if !reflect.DeepEqual(s.Ends, want) || s.Condemned.Count != 5 {
		t.Errorf("got %+v", s)
	}
}

func TestWithoutTrafficTheDeadlineIsNoVerdict(t *testing.T) {
	declared := traffic(0.2)
	declared.Rate = 0.001
	s := series(t, canary(), declared, 3)
	want := []simulate.End{{Outcome: journal.RolledBack, Cause: journal.CauseDeadline, Runs: 3}}
	if !reflect.DeepEqual(s.Ends, want) || s.Condemned.Count != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestTheSameSeedGivesTheSameSeries(t *testing.T) {
	if a, b := series(t, canary(), traffic(0.02), 8), series(t, canary(), traffic(0.02), 8); !reflect.DeepEqual(a, b) {
		t.Errorf("%+v\n%+v", a, b)
	}
}

func TestASeriesCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	_, err := simulate.RunSeries(ctx, canary(), traffic(0.02), simulate.SeriesOptions{Runs: 10000, OnRun: func(int) {
		runs++
		cancel()
	}})
	if err == nil || runs > 100 {
		t.Errorf("%d runs, %v", runs, err)
	}
}

func TestAModelWithoutRulesIsNotSimulated(t *testing.T) {
	m := canary()
	m.Rollout = nil
	if _, err := simulate.RunSeries(t.Context(), m, traffic(0.02), simulate.SeriesOptions{Runs: 2}); err == nil {
		t.Error("no error")
	}
}

func BenchmarkRun(b *testing.B) {
	for i := range b.N {
		if _, err := simulate.Run(canary(), traffic(0.02), uint64(i)); err != nil {
			b.Fatal(err)
		}
	}
}
