package simulate

import (
	"context"
	"fmt"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// ReportFormat is the version of a Report's JSON form.
const ReportFormat = "1.0"

// Report is what the rollout rules of a model are worth on declared traffic.
type Report struct {
	Simulation spec.Address  `json:"simulation"`
	Declared   spec.Pos      `json:"declared,omitzero"`
	Model      spec.Address  `json:"model"`
	Strategy   spec.Strategy `json:"strategy"`
	Rate       float64       `json:"rate"` // requests per second
	// Traced is one rollout with every decision.
	Traced Trace `json:"traced"`
	// Candidate are many rollouts of the declared candidate.
	Candidate Series `json:"candidate"`
	// Alike are as many of one that behaves as stable does. It is nil where the
	// declared one does so itself.
	Alike *Series `json:"alike,omitempty"`
	// Notes are what a simulation leaves out.
	Notes []string `json:"notes,omitempty"`
}

// FalseAlarms is how often a candidate is rejected that is like stable.
func (r *Report) FalseAlarms() Rate {
	if r.Alike == nil {
		return r.Candidate.Condemned
	}
	return r.Alike.Condemned
}

// Trace is one rollout, decision by decision.
type Trace struct {
	Seed     uint64                 `json:"seed"`
	Outcome  journal.RolloutOutcome `json:"outcome,omitempty"`
	Cause    journal.Cause          `json:"cause,omitempty"`
	Held     bool                   `json:"held,omitempty"`
	Reason   string                 `json:"reason"`
	Seconds  float64                `json:"duration_seconds"`
	Requests float64                `json:"requests"`
	Exposed  float64                `json:"exposed"`
	Failed   float64                `json:"failed"`
	Events   []Event                `json:"events"`
}

// Event is one decision of a traced rollout.
type Event struct {
	Seconds float64        `json:"after_seconds"` // since the start
	Action  journal.Action `json:"action"`
	Weight  int            `json:"weight"`
	Reason  string         `json:"reason"`
	Actor   string         `json:"actor"`
}

// Try runs a simulation once with every decision noted, and then as a series, and
// again with a candidate that is like stable. OnRun counts over both series.
func Try(ctx context.Context, m *spec.Model, declared *spec.Simulation, o SeriesOptions) (Report, error) {
	r := Report{Simulation: declared.Address, Declared: declared.Pos, Model: m.Address, Rate: declared.Rate}
	one, err := Run(m, declared, o.Seed)
	if err != nil {
		return r, err
	}
	r.Strategy, r.Traced, r.Notes = m.Rollout.Strategy, traceOf(o.Seed, &one), leftOut(m.Rollout)
	if r.Candidate, err = RunSeries(ctx, m, declared, o); err != nil {
		return r, err
	}
	same := Alike(declared)
	if *same == *declared {
		return r, nil
	}
	if counting := o.OnRun; counting != nil {
		o.OnRun = func(done int) { counting(o.Runs + done) }
	}
	alike, err := RunSeries(ctx, m, same, o)
	r.Alike = &alike
	return r, err
}

func traceOf(seed uint64, r *Result) Trace {
	t := Trace{
		Seed: seed, Outcome: r.Outcome, Cause: r.Cause, Held: r.Held, Reason: r.Reason, Seconds: r.Duration.Seconds(),
		Requests: r.Requests, Exposed: r.Exposed, Failed: r.Failed, Events: []Event{},
	}
	for _, e := range r.Journal {
		t.Events = append(t.Events, Event{
			Seconds: e.At.Sub(r.Journal[0].At).Seconds(), Action: e.Action, Weight: e.Weight, Reason: e.Reason, Actor: e.Actor,
		})
	}
	return t
}

// leftOut is what only the real thing can show.
func leftOut(r *spec.Rollout) []string {
	var notes []string
	for _, c := range r.Checks {
		switch {
		case c.Query != "":
			notes = append(notes, fmt.Sprintf("check %q is left out: only a store of metrics knows what its query gives", c.Name))
		case c.Metric == spec.Restarts:
			notes = append(notes, fmt.Sprintf("check %q always passes here: no replica restarts", c.Name))
		}
	}
	for _, s := range r.Steps {
		if s.Approval {
			return append(notes, "approvals are given when the hold of their step is over")
		}
	}
	return notes
}
