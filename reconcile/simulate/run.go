package simulate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// Result is how one simulated rollout went.
type Result struct {
	Outcome journal.RolloutOutcome `json:"outcome"` // "" if it was still under way after Limit
	// Cause is why the candidate was rejected, or why the rollout stands (Held);
	// "" if neither.
	Cause    journal.Cause `json:"cause,omitempty"`
	Held     bool          `json:"held,omitempty"`
	Reason   string        `json:"reason"`
	Duration time.Duration `json:"duration"` // nanoseconds
	// Requests came in during the rollout; Exposed of them went to the candidate,
	// which failed Failed of them.
	Requests float64         `json:"requests"`
	Exposed  float64         `json:"exposed"`
	Failed   float64         `json:"failed"`
	Journal  []journal.Entry `json:"journal"`
}

// Limit is the virtual time after which a rollout that has not ended is given up.
const Limit = 30 * 24 * time.Hour

// Run simulates one rollout of a model. The same seed gives the same result.
// People approve when the hold of the step is over, and queries of one's own say
// nothing: of those only a real store of metrics knows.
func Run(m *spec.Model, declared *spec.Simulation, seed uint64) (Result, error) {
	if m.Rollout == nil {
		return Result{}, fmt.Errorf("model %s has no rollout block: a new revision takes over as soon as it is healthy, so there is nothing to simulate", m.Name)
	}
	start := time.Unix(0, 0).UTC()
	w := New(m.Name, start)
	w.Target = reconcile.NewTarget(simulated(m), reconcile.Image{Ref: "stable", Pin: "sha256:stable"}, nil)
	if _, ok := w.Run(Limit, Idle); !ok {
		return Result{}, fmt.Errorf("model %s is never deployed", m.Name)
	}
	t := &traffic{declared: declared, random: rand.New(rand.NewPCG(seed, 0)), stable: w.Target.Revision, counted: map[string]*counts{}}
	w.Measure, w.Elapse = t.measure, t.elapse
	w.Target = reconcile.NewTarget(simulated(m), reconcile.Image{Ref: "candidate", Pin: "sha256:candidate"}, nil)
	began, deployed, first := w.Now, w.Record.Last.At, len(w.Journal)
	_, ended := w.Run(Limit, func(w *World, d rollout.Decision) bool {
		w.approve(d)
		return w.Record.Last.At.After(deployed) || d.Phase == rollout.Held
	})
	return t.result(w, began, first, ended), nil
}

// simulated is the model as it would be without what only a real server can
// answer for.
func simulated(m *spec.Model) *spec.Model {
	copied := *m
	copied.Signature, copied.Warmup = nil, nil
	policy := *m.Rollout
	policy.Checks = nil
	for _, c := range m.Rollout.Checks {
		if c.Metric == spec.ScoreShift {
			c.Output = cmp.Or(c.Output, "value")
		}
		if c.Query == "" {
			policy.Checks = append(policy.Checks, c)
		}
	}
	copied.Rollout = &policy
	return &copied
}

// approve lets a step pass that waits for a person, who looks at it for as long as
// it is to be held.
func (w *World) approve(d rollout.Decision) {
	ro := w.Record.Rollout
	if ro == nil || d.Activity != rollout.Approval || w.Now.Before(ro.StepSince.Add(ro.Policy.Steps[ro.Step].Hold)) {
		return
	}
	_ = w.Order(rollout.Act{Kind: rollout.ActPromote, Actor: "somebody", Reason: "approved when its hold was over", Revision: ro.Candidate.Revision, Step: ro.Step})
}

func (t *traffic) result(w *World, began time.Time, first int, ended bool) Result {
	r := Result{Duration: w.Now.Sub(began), Journal: w.Journal[first:]}
	for revision, c := range t.counted {
		r.Requests += c.requests
		if revision != t.stable {
			r.Exposed, r.Failed = c.requests, c.errors
		}
	}
	switch ro := w.Record.Rollout; {
	case ro != nil && ro.Held != "":
		r.Held, r.Reason, r.Cause = true, "held: "+ro.Held, whyHeld(ro)
	case ended:
		r.Outcome, r.Reason = w.Record.Last.Outcome, w.Record.Last.Reason
		if rejected := w.Record.Rejection(w.Record.Last.Revision); rejected != nil {
			r.Cause = rejected.Cause
		}
	default:
		r.Reason = fmt.Sprintf("still under way after %s", Limit)
	}
	return r
}

// whyHeld tells a check that failed too often from a deadline that passed.
func whyHeld(ro *journal.Rollout) journal.Cause {
	for _, c := range ro.Policy.Checks {
		if ro.Checks[c.Name].Failures > c.FailureLimit {
			return journal.CauseFailed
		}
	}
	return journal.CauseDeadline
}
