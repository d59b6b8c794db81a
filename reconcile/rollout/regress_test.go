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

// What went wrong once, or would have.
func TestNeverAgain(t *testing.T) {
	t.Run("a signature that is added takes nothing out of service", func(t *testing.T) {
		w := serving(t, target("one"))
		w.Contract = func(*reconcile.Container) string { return "input pixels is FP32, declared FP64" }
		w.Target = target("one", func(m *spec.Model) {
			m.Signature = &spec.Signature{Inputs: []spec.Tensor{{Name: "pixels", Datatype: "FP64"}}}
		})
		d := run(t, w, func(_ *simulate.World, d rollout.Decision) bool { return d.Phase == rollout.Degraded })
		for _, r := range d.Entry.Revisions[0].Replicas {
			if r.Cold {
				t.Errorf("%+v", r)
			}
		}
	})
	t.Run("a rollout that waits for an approval outlives an outage of the metrics", func(t *testing.T) {
		approval := func(m *spec.Model) { m.Rollout.Steps[0].Approval = true }
		w := serving(t, target("one", withCheck(), approval))
		measuring(w, func() float64 { return 0 })
		w.Target = target("two", withCheck(), approval)
		run(t, w, func(_ *simulate.World, d rollout.Decision) bool { return d.Activity == rollout.Approval })
		w.Run(5*time.Hour, nil)
		w.State = rollout.State{}
		w.Measure = func(_ rollout.Measurement, now time.Time) judge.Reading {
			return judge.Unread(now, reconcile.ErrMetricsUnavailable)
		}
		w.Run(5*time.Hour, nil)
		if w.Record.Rollout == nil {
			t.Fatalf("%+v", w.Record.Last)
		}
		if err := w.Order(rollout.Act{Kind: rollout.ActPromote, Actor: "ann", Reason: "good", Revision: w.Target.Revision}); err != nil {
			t.Fatal(err)
		}
		measuring(w, func() float64 { return 0 })
		run(t, w, simulate.Idle)
		if w.Record.Last.Outcome != journal.Promoted {
			t.Errorf("%+v", w.Record.Last)
		}
	})
	t.Run("an approval passes no check that fails", func(t *testing.T) {
		approval := func(m *spec.Model) { m.Rollout.Steps[0].Approval = true }
		w := serving(t, target("one", withCheck(), approval))
		w.Target = target("two", withCheck(), approval)
		run(t, w, at(0))
		if err := w.Order(rollout.Act{Kind: rollout.ActPromote, Actor: "ann", Reason: "good", Revision: w.Target.Revision}); err != nil {
			t.Fatal(err)
		}
		measuring(w, func() float64 { return 7 })
		run(t, w, simulate.Idle)
		if w.Record.Last.Outcome != journal.RolledBack {
			t.Errorf("%+v", w.Record.Last)
		}
	})
	t.Run("the end of a hold is judged", func(t *testing.T) {
		w := serving(t, target("one", withCheck()))
		w.Target = target("two", withCheck(func(c *spec.Check) { c.Interval = 50 * time.Second }))
		began := w.Now
		measuring(w, func() float64 {
			if w.Now.Sub(began) > 58*time.Second {
				return 7
			}
			return 0
		})
		run(t, w, simulate.Idle)
		if r := w.Record.Rejection(w.Target.Revision); r == nil || r.Weight != 10 {
			t.Errorf("%+v", w.Record.Last)
		}
	})
	t.Run("a daemon or a gateway that was away for long looks before it judges", func(t *testing.T) {
		for _, away := range []string{"daemon", "gateway"} {
			w := serving(t, target("one", withCheck()))
			measuring(w, func() float64 { return 0 })
			w.Target = target("two", withCheck())
			run(t, w, at(0))
			if away == "gateway" {
				w.GatewayAway = true
				w.Run(time.Hour, nil)
				w.GatewayAway = false
			} else {
				w.Now, w.State = w.Now.Add(time.Hour), rollout.State{}
			}
			run(t, w, simulate.Idle)
			if w.Record.Last.Outcome != journal.Promoted {
				t.Errorf("%s: %+v", away, w.Record.Last)
			}
		}
	})
	t.Run("a rollback of recreate ends the candidate before stable starts", func(t *testing.T) {
		recreate := func(m *spec.Model) { m.Rollout.Strategy, m.Rollout.Steps = spec.Recreate, nil }
		w := serving(t, target("one", withCheck(), recreate))
		stable := w.Target.Revision
		measuring(w, func() float64 { return 7 })
		w.Target = target("two", withCheck(), recreate)
		both := 0
		run(t, w, func(w *simulate.World, d rollout.Decision) bool {
			if has(w, stable) > 0 && has(w, w.Target.Revision) > 0 {
				both++
			}
			return w.Record.Last.Outcome == journal.RolledBack && simulate.Idle(w, d)
		})
		if both > 0 || weight(w, stable) != 100 || has(w, stable) != 2 {
			t.Errorf("%d times both ran; %d %% to stable, %d replicas", both, weight(w, stable), has(w, stable))
		}
	})
	t.Run("a release that broke its contract never stands in", func(t *testing.T) {
		contract := func(m *spec.Model) {
			m.Signature = &spec.Signature{Outputs: []spec.Tensor{{Name: "digit", Datatype: "INT64"}}}
		}
		w := serving(t, target("one", contract))
		stable := w.Target.Revision
		w.Contract = func(c *reconcile.Container) string {
			if c.Revision != stable {
				return "output digit is FP32"
			}
			return ""
		}
		w.Target = target("two", contract)
		run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return has(w, w.Target.Revision) > 0 })
		w.Sick = func(c *reconcile.Container) string {
			if c.Revision == stable {
				return "status 503"
			}
			return ""
		}
		w.Run(time.Hour, nil)
		if got := weight(w, w.Target.Revision); got != 0 {
			t.Errorf("%d %%", got)
		}
	})
	t.Run("a model that leaves Git and comes back finds what was rejected of it", func(t *testing.T) {
		w := serving(t, target("one", withCheck()))
		measuring(w, func() float64 { return 7 })
		bad := target("two", withCheck())
		w.Target = bad
		run(t, w, simulate.Idle)
		w.Target = nil
		w.Run(time.Hour, nil)
		w.Target = bad
		d, _ := w.Run(time.Hour, nil)
		if len(w.Containers) > 0 || d.Phase != rollout.Held {
			t.Errorf("%d containers, %s: %s", len(w.Containers), d.Phase, d.Reason)
		}
	})
	t.Run("a clock that goes back stops nothing", func(t *testing.T) {
		w := serving(t, target("one", withCheck()))
		measuring(w, func() float64 { return 0 })
		w.Target = target("two", withCheck())
		run(t, w, at(0))
		w.Now = w.Now.Add(-365 * 24 * time.Hour)
		measuring(w, func() float64 { return 7 })
		run(t, w, simulate.Idle)
		if w.Record.Last.Outcome != journal.RolledBack {
			t.Errorf("%+v", w.Record.Last)
		}
	})
	t.Run("a pause stops no rollback", func(t *testing.T) {
		w := serving(t, target("one", withCheck()))
		measuring(w, func() float64 { return 0 })
		w.Target = target("two", withCheck())
		run(t, w, at(0))
		if err := w.Order(rollout.Act{Kind: rollout.ActPause, Actor: "ann", Reason: "lunch", Revision: w.Target.Revision}); err != nil {
			t.Fatal(err)
		}
		measuring(w, func() float64 { return 7 })
		run(t, w, simulate.Idle)
		if w.Record.Last.Outcome != journal.RolledBack {
			t.Errorf("%+v", w.Record.Last)
		}
	})
	t.Run("a candidate that fails loses its share although the journal cannot be written", func(t *testing.T) {
		w := serving(t, target("one", withCheck()))
		stable := w.Target.Revision
		measuring(w, func() float64 { return 0 })
		w.Target = target("two", withCheck())
		run(t, w, at(0))
		w.Target = target("one", withCheck()) // back to stable: an abort is due
		view := w.View()
		in := w.Input(&view)
		in.NoJournal = true
		if d := rollout.Step(w.State, in, w.Now); d.Entry.Serving() != stable || d.Entry.Find(stable).Weight != 100 {
			t.Errorf("%+v", d.Entry)
		}
	})
}
