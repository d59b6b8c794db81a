package view_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/simulate"
	"github.com/fairlead/fairlead/spec"
)

func sampleSimulations() *view.Simulations {
	promoted := simulate.Series{
		Runs: 200, Ends: []simulate.End{{Outcome: journal.Promoted, Runs: 199}, {Outcome: journal.RolledBack, Cause: journal.CauseDeadline, Runs: 1}},
		Condemned: simulate.Rate{Of: 200, High: 0.0183}, Duration: simulate.Quantiles{Median: 7500, P95: 200000}, Exposed: simulate.Quantiles{Median: 2.5e6, P95: 3e6}, Failed: simulate.Quantiles{Median: 0, P95: 1},
	}
	report := simulate.Report{
		Simulation: spec.Address{Kind: spec.KindSimulation, Name: "errors"}, Model: model("fraud"), Strategy: spec.Canary, Rate: 0.5,
		Traced: simulate.Trace{
			Seed: 7, Outcome: journal.RolledBack, Cause: journal.CauseFailed, Seconds: 21.5, Requests: 1014, Exposed: 41, Failed: 4,
			Events: []simulate.Event{
				{Action: journal.ActionStart, Reason: "Git wants it"},
				{Seconds: 1, Action: journal.ActionStep, Weight: 5, Reason: "its replicas\nare ready"},
				{Seconds: 130, Action: journal.ActionApprove, Weight: 5, Reason: "approved at once"},
				{Seconds: 3700, Action: journal.ActionRollback, Reason: "9.8 % of 41 requests failed"},
			},
		},
		Candidate: simulate.Series{
			Runs: 200, Ends: []simulate.End{{Outcome: journal.RolledBack, Cause: journal.CauseFailed, Runs: 150}, {Held: true, Cause: journal.CauseFailed, Runs: 49}, {Runs: 1}},
			Condemned: simulate.Rate{Count: 199, Of: 200, Ratio: 0.995, Low: 0.972, High: 0.99987}, Duration: simulate.Quantiles{Median: 41, P95: 91},
			Exposed: simulate.Quantiles{Median: 110, P95: 219}, Failed: simulate.Quantiles{Median: 6, P95: 9},
		},
		Alike: &promoted, Notes: []string{"approvals are given when the hold of their step is over"},
	}
	same := report
	same.Simulation.Key, same.Alike, same.Candidate, same.Notes = "eu", nil, promoted, nil
	return &view.Simulations{Environment: "prod", Runs: 200, Reports: []simulate.Report{report, same}}
}

func TestSimulationsShowATimelineAndWhatTheRulesAreWorth(t *testing.T) {
	golden(t, "simulate", func(v *view.View) error { return v.Simulations(sampleSimulations()) })
}

func TestTheMeterLeavesNothingBehind(t *testing.T) {
	var out bytes.Buffer
	v := &view.View{Out: &out}
	show := v.Meter("simulation.errors", 1000)
	for done := range 1000 {
		show(done + 1)
	}
	v.ClearMeter()
	if got := strings.Count(out.String(), "\r\x1b[K"); got != 102 || !strings.HasSuffix(out.String(), "100 %\r\x1b[K") {
		t.Errorf("%d updates: %q", got, out.String())
	}
}
