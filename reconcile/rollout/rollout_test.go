package rollout_test

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/reconcile/simulate"
	"github.com/fairlead/fairlead/spec"
)

var start = time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)

// model declares digits with a canary of 10 and 50 %, a minute each.
func model(change ...func(*spec.Model)) *spec.Model {
	m := &spec.Model{
		Address: spec.Address{Kind: spec.KindModel, Name: "digits"}, Name: "digits", Port: 8080, Replicas: 2, Protocol: spec.OpenInference,
		Container: spec.Container{StopTimeout: 10 * time.Second, Restart: spec.RestartUnlessStopped},
		Health:    spec.Health{Path: "/ready", Interval: time.Second, Timeout: time.Second, MinHealthy: 3 * time.Second, Deadline: time.Minute},
		Routes:    []spec.Route{{Path: "/digits", Timeout: 20 * time.Second}},
		Rollout: &spec.Rollout{
			Strategy: spec.Canary, Velocity: spec.VelocityRestart, OnFailure: spec.ActionRollback, OnDeadline: spec.ActionRollback,
			Steps:            []spec.RolloutStep{{Weight: 10, Hold: time.Minute}, {Weight: 50, Hold: time.Minute}},
			ProgressDeadline: 10 * time.Minute, KeepPrevious: time.Hour,
		},
	}
	for _, f := range change {
		f(m)
	}
	return m
}

func target(content string, change ...func(*spec.Model)) *reconcile.Target {
	m := model(change...)
	m.Version = content
	return reconcile.NewTarget(m, reconcile.Image{Ref: "digits:" + content, Pin: "sha256:" + content, LocalOnly: true}, nil)
}

// serving is a world in which the target was deployed and serves.
func serving(t *testing.T, want *reconcile.Target) *simulate.World {
	t.Helper()
	w := simulate.New("digits", start)
	w.Target = want
	run(t, w, simulate.Idle)
	if w.Record.Stable == nil || w.Record.Stable.Revision != want.Revision {
		t.Fatalf("not deployed: %+v", w.Record)
	}
	return w
}

// run runs until the condition holds, which it must within a day.
func run(t *testing.T, w *simulate.World, until func(*simulate.World, rollout.Decision) bool) rollout.Decision {
	t.Helper()
	d, ok := w.Run(24*time.Hour, until)
	if !ok {
		t.Fatalf("it never came to that: %s (%s)\nrecord %+v\nrollout %+v", d.Phase, d.Reason, w.Record, w.Record.Rollout)
	}
	return d
}

// withCheck adds a check on a value that tests choose by bad: at most 1 passes.
func withCheck(change ...func(*spec.Check)) func(*spec.Model) {
	return func(m *spec.Model) {
		limit := 1.0
		c := spec.Check{Name: "value", Query: "value", Max: &limit, Interval: 20 * time.Second, MinSamples: 1}
		for _, f := range change {
			f(&c)
		}
		m.Rollout.Checks = append(m.Rollout.Checks, c)
	}
}

// measuring answers every measurement with a value that may change with time.
func measuring(w *simulate.World, value func() float64) {
	w.Measure = func(m rollout.Measurement, now time.Time) judge.Reading {
		var results [][]reconcile.Sample
		for range judge.Compile(m.Check, m.Vars) {
			results = append(results, []reconcile.Sample{{Value: value()}})
		}
		return judge.Read(m.Check, m.Vars, now, results)
	}
}

// at is a condition for run: the rollout is in a step, and its weight in force.
func at(step int) func(*simulate.World, rollout.Decision) bool {
	return func(w *simulate.World, d rollout.Decision) bool {
		ro := w.Record.Rollout
		return ro != nil && ro.Step == step && ro.Weight == ro.Policy.Steps[step].Weight && d.Transition == nil &&
			weight(w, ro.Candidate.Revision) == ro.Weight
	}
}

// weight is a revision's share by the table in force.
func weight(w *simulate.World, revision string) int {
	for _, m := range w.Table.Models {
		if r := m.Find(revision); r != nil {
			return r.Weight
		}
	}
	return 0
}

// last is the newest entry of the journal.
func last(w *simulate.World) journal.Entry { return w.Journal[len(w.Journal)-1] }

// actions lists what was decided since the n-th entry.
func actions(w *simulate.World, n int) []journal.Action {
	var out []journal.Action
	for _, e := range w.Journal[n:] {
		out = append(out, e.Action)
	}
	return out
}

// has counts the containers of a revision.
func has(w *simulate.World, revision string) (n int) {
	for _, c := range w.Containers {
		if c.Revision == revision {
			n++
		}
	}
	return n
}
