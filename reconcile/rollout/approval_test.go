package rollout_test

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/reconcile/simulate"
	"github.com/fairlead/fairlead/spec"
)

func TestAnApprovalInGit(t *testing.T) {
	waiting := func(t *testing.T) *simulate.World {
		policy := func(m *spec.Model) { m.Rollout.Steps[1].Approval = true }
		w := serving(t, target("one", policy))
		w.Target = target("two", policy)
		run(t, w, func(_ *simulate.World, d rollout.Decision) bool { return d.Activity == rollout.Approval })
		return w
	}
	t.Run("of the candidate and its step lets it pass, for who brought it", func(t *testing.T) {
		w := waiting(t)
		w.Run(3*time.Hour, nil)
		before := len(w.Journal)
		w.Approvals = []*spec.Approval{{Model: w.Name, Revision: w.Target.Revision, Step: 2, Pos: spec.Pos{File: "approvals/digits.hcl", Line: 1}}}
		run(t, w, simulate.Idle)
		if w.Record.Last.Outcome != journal.Promoted {
			t.Errorf("%+v", w.Record.Last)
		}
		var approvals []journal.Entry
		for _, e := range w.Journal[before:] {
			if e.Action == journal.ActionApprove {
				approvals = append(approvals, e)
			}
		}
		if len(approvals) != 1 || approvals[0].Actor != "ann <ann@example.com>" || approvals[0].Reason != "step 2 is approved in Git, at approvals/digits.hcl:1" {
			t.Errorf("%+v", approvals)
		}
	})
	t.Run("of anything else has no effect", func(t *testing.T) {
		w := waiting(t)
		w.Approvals = []*spec.Approval{
			{Model: w.Name, Revision: w.Record.Stable.Revision, Step: 2},
			{Model: w.Name, Revision: w.Target.Revision, Step: 1},
			{Model: w.Name, Revision: w.Target.Revision, Step: 3},
			{Model: w.Name, Revision: "", Step: 2},
		}
		before := len(w.Journal)
		w.Run(5*time.Hour, nil)
		if w.Record.Rollout == nil || w.Record.Rollout.Approved != 0 || len(w.Journal) != before {
			t.Errorf("%+v, %+v", w.Record.Rollout, w.Journal[before:])
		}
	})
	t.Run("does not outlive a newer candidate", func(t *testing.T) {
		w := waiting(t)
		old := w.Target.Revision
		w.Target = target("three", func(m *spec.Model) { m.Rollout.Steps[1].Approval = true })
		run(t, w, func(w *simulate.World, d rollout.Decision) bool {
			return d.Activity == rollout.Approval && w.Record.Rollout.Candidate.Revision == w.Target.Revision
		})
		w.Approvals = []*spec.Approval{{Model: w.Name, Revision: old, Step: 2}}
		w.Run(5*time.Hour, nil)
		if ro := w.Record.Rollout; ro == nil || ro.Approved != 0 {
			t.Errorf("%+v", ro)
		}
	})
	t.Run("that came before the rollout is not for it", func(t *testing.T) {
		policy := func(m *spec.Model) { m.Rollout.Steps[1].Approval = true }
		w := serving(t, target("one", policy))
		w.Target = target("two", policy)
		w.Approvals = []*spec.Approval{{Model: w.Name, Revision: w.Target.Revision, Step: 2}}
		run(t, w, func(_ *simulate.World, d rollout.Decision) bool { return d.Activity == rollout.Approval })
		w.Run(5*time.Hour, nil)
		if ro := w.Record.Rollout; ro == nil || ro.Approved != 0 {
			t.Errorf("%+v", ro)
		}
	})
	t.Run("is for one rollout of a revision", func(t *testing.T) {
		for name, named := range map[string]bool{"that it names": true, "that was under way": false} {
			w := waiting(t)
			a := &spec.Approval{Model: w.Name, Revision: w.Target.Revision, Step: 2}
			if named {
				a.Started = w.Record.Rollout.Started.UTC().Format(time.RFC3339Nano)
			}
			w.Approvals = []*spec.Approval{a}
			if err := w.Order(rollout.Act{Kind: rollout.ActAbort, Actor: "bob", Reason: "wait", Revision: w.Target.Revision}); err != nil {
				t.Fatal(err)
			}
			if err := w.Order(rollout.Act{Kind: rollout.ActRetry, Actor: "bob", Reason: "again", Revision: w.Target.Revision}); err != nil {
				t.Fatal(err)
			}
			run(t, w, func(_ *simulate.World, d rollout.Decision) bool { return d.Activity == rollout.Approval })
			w.Run(5*time.Hour, nil)
			if ro := w.Record.Rollout; ro == nil || ro.Approved != 0 {
				t.Errorf("%s: %+v", name, ro)
			}
			w.Approvals = append(w.Approvals, &spec.Approval{
				Model: w.Name, Revision: w.Target.Revision, Step: 2, Started: w.Record.Rollout.Started.UTC().Format(time.RFC3339Nano),
			})
			run(t, w, simulate.Idle)
			if w.Record.Last.Outcome != journal.Promoted {
				t.Errorf("%s: %+v", name, w.Record.Last)
			}
		}
	})
}
