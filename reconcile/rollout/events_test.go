package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/reconcile/simulate"
	"github.com/fairlead/fairlead/spec"
)

// The events of a rollout's life, by the names of the table that Fairlead's
// behaviour was decided in beside that of its peers.
func TestFirstDeployment(t *testing.T) {
	t.Run("has no canary", func(t *testing.T) {
		w := serving(t, target("one"))
		if got := actions(w, 0); !slices.Equal(got, []journal.Action{journal.ActionStart, journal.ActionPromote}) {
			t.Errorf("%v", got)
		}
	})
	t.Run("serves as soon as one replica is ready", func(t *testing.T) {
		w := simulate.New("digits", start)
		w.Target = target("one")
		w.Sick = func(c *reconcile.Container) string {
			if c.Replica == 2 {
				return "status 503"
			}
			return ""
		}
		run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return weight(w, w.Target.Revision) == 100 })
	})
	t.Run("that fails leaves nothing serving and is failed, not rolled back", func(t *testing.T) {
		w := simulate.New("digits", start)
		w.Target = target("one")
		w.Sick = func(*reconcile.Container) string { return "status 503" }
		d := run(t, w, func(_ *simulate.World, d rollout.Decision) bool { return d.Phase == rollout.Degraded })
		if w.Record.Last.Outcome != journal.Failed || w.Record.Stable != nil || len(w.Record.Rejected) > 0 {
			t.Errorf("%s: %+v", d.Reason, w.Record)
		}
		w.Run(time.Hour, nil)
		if n := len(w.Journal); n != 2 {
			t.Errorf("%d entries; failing is said once", n)
		}
		w.Sick = nil
		run(t, w, simulate.Idle)
		if w.Record.Last.Outcome != journal.Promoted {
			t.Errorf("it became well: %+v", w.Record.Last)
		}
	})
}

func TestNewRevisionMidCanary(t *testing.T) {
	midCanary := func(t *testing.T, v spec.Velocity) (w *simulate.World, one, two, three *reconcile.Target) {
		change := func(m *spec.Model) { m.Rollout.Velocity = v }
		one, two, three = target("one", change), target("two", change), target("three", change)
		w = serving(t, one)
		w.Target = two
		run(t, w, at(1))
		w.Target = three
		return w, one, two, three
	}
	t.Run("supersedes the candidate and keeps the original stable", func(t *testing.T) {
		w, one, two, three := midCanary(t, spec.VelocityRestart)
		run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return last(w).Action == journal.ActionSupersede })
		ro := w.Record.Rollout
		if ro.Step != -1 || ro.Weight != 0 || ro.Candidate.Revision != three.Revision || w.Record.Stable.Revision != one.Revision {
			t.Errorf("%+v", ro)
		}
		if w.Record.Last.Outcome != journal.Superseded || w.Record.Restarts != 1 || w.Record.Rejection(two.Revision) != nil {
			t.Errorf("%+v", w.Record)
		}
		run(t, w, simulate.Idle)
		if w.Record.Stable.Revision != three.Revision || w.Record.Previous.Revision != one.Revision || has(w, two.Revision) != 0 {
			t.Errorf("%+v", w.Record)
		}
	})
	for _, v := range []spec.Velocity{spec.VelocityQueueLatest, spec.VelocityFinish} {
		t.Run(string(v)+" waits until the candidate is through", func(t *testing.T) {
			w, _, two, three := midCanary(t, v)
			run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return last(w).Action == journal.ActionPromote })
			if w.Record.Stable.Revision != two.Revision {
				t.Fatalf("%+v", w.Record)
			}
			run(t, w, simulate.Idle)
			if w.Record.Stable.Revision != three.Revision {
				t.Errorf("%+v", w.Record)
			}
		})
	}
	t.Run("queue_latest takes the newest before there is any traffic", func(t *testing.T) {
		change := func(m *spec.Model) { m.Rollout.Velocity = spec.VelocityQueueLatest }
		w := serving(t, target("one", change))
		w.Target = target("two", change)
		run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return w.Record.Rollout != nil })
		w.Target = target("three", change)
		w.Step()
		if last(w).Action != journal.ActionSupersede {
			t.Errorf("%v", last(w).Action)
		}
	})
	t.Run("a paused candidate does not block a fix", func(t *testing.T) {
		w, _, two, three := midCanary(t, spec.VelocityFinish)
		if err := w.Order(rollout.Act{Kind: rollout.ActPause, Actor: "ann", Reason: "looks odd", Revision: two.Revision, Step: 1}); err != nil {
			t.Fatal(err)
		}
		w.Step()
		if last(w).Action != journal.ActionSupersede || w.Record.Rollout.Candidate.Revision != three.Revision {
			t.Errorf("%v", last(w))
		}
	})
}

func TestRolloutSpecChangedMidRollout(t *testing.T) {
	one, two := target("one"), target("two")
	w := serving(t, one)
	w.Target = two
	run(t, w, at(0))
	w.Target = target("two", func(m *spec.Model) {
		m.Rollout.Steps = []spec.RolloutStep{{Weight: 99, Hold: time.Hour}}
		m.Replicas = 3
	})
	if w.Target.Revision != two.Revision {
		t.Fatal("steps are no part of a revision")
	}
	d := run(t, w, at(1))
	if w.Record.Rollout.Weight != 50 {
		t.Errorf("%s: %+v", d.Reason, w.Record.Rollout)
	}
	run(t, w, simulate.Idle)
	if has(w, two.Revision) != 3 {
		t.Error("replicas change in place, also during a rollout")
	}
}

func TestDesiredIsStableMidRollout(t *testing.T) {
	one, two := target("one"), target("two")
	for _, v := range []spec.Velocity{spec.VelocityRestart, spec.VelocityQueueLatest, spec.VelocityFinish} {
		t.Run(string(v), func(t *testing.T) {
			w := serving(t, one)
			w.Target = target("two", func(m *spec.Model) { m.Rollout.Velocity = v })
			run(t, w, at(1))
			before := w.Now
			w.Target = one
			run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return weight(w, one.Revision) == 100 })
			if w.Now != before || w.Record.Last.Outcome != journal.Aborted || w.Record.Rejection(two.Revision) != nil {
				t.Errorf("after %s: %+v", w.Now.Sub(before), w.Record)
			}
			run(t, w, simulate.Idle)
			if has(w, two.Revision) != 0 {
				t.Error("the candidate is still there")
			}
		})
	}
}

func TestReturnToOlderPromotedRevision(t *testing.T) {
	one, two := target("one"), target("two")
	w := serving(t, one)
	w.Target = two
	run(t, w, simulate.Idle)
	t.Run("within keep_previous is instant and not analysed", func(t *testing.T) {
		before, n := w.Now, len(w.Journal)
		w.Target = one
		run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return weight(w, one.Revision) == 100 })
		if w.Now != before || !slices.Equal(actions(w, n), []journal.Action{journal.ActionReturn}) || w.Record.Last.Outcome != journal.FastRolledBack {
			t.Errorf("after %s: %v", w.Now.Sub(before), actions(w, n))
		}
	})
	t.Run("later it is a rollout like any other", func(t *testing.T) {
		w.Run(3*time.Hour, nil)
		n := len(w.Journal)
		w.Target = two
		run(t, w, simulate.Idle)
		if got := actions(w, n); got[0] != journal.ActionStart || w.Record.Last.Outcome != journal.Promoted {
			t.Errorf("%v", got)
		}
	})
}

func TestRestartMidStep(t *testing.T) {
	w := serving(t, target("one"))
	w.Target = target("two")
	run(t, w, at(1))
	since := w.Record.Rollout.StepSince
	w.State = rollout.State{} // all that is not journaled is lost
	n := len(w.Journal)
	w.Now = w.Now.Add(20 * time.Second)
	d, _ := w.Step()
	if len(w.Journal) != n || d.Activity != rollout.Measuring || weight(w, w.Target.Revision) != 50 {
		t.Errorf("%s, %d %%", d.Reason, weight(w, w.Target.Revision))
	}
	run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return len(w.Journal) > n })
	if got := w.Now.Sub(since); got != time.Minute {
		t.Errorf("the hold took %s; time went on while the daemon was away", got)
	}
}

func TestProgressDeadline(t *testing.T) {
	one := target("one", withCheck())
	noData := func(w *simulate.World) {
		w.Measure = func(m rollout.Measurement, now time.Time) judge.Reading {
			return judge.Read(m.Check, m.Vars, now, make([][]reconcile.Sample, len(judge.Compile(m.Check, m.Vars))))
		}
	}
	t.Run("without evidence rolls back, with a cause of its own", func(t *testing.T) {
		w := serving(t, one)
		noData(w)
		w.Target = target("two", withCheck())
		run(t, w, at(0))
		began := w.Record.Rollout.StepSince
		run(t, w, simulate.Idle)
		if r := w.Record.Rejection(w.Target.Revision); r == nil || r.Cause != journal.CauseDeadline || r.Weight != 10 {
			t.Fatalf("%+v", w.Record)
		}
		if got := w.Record.Last.At.Sub(began); got != 11*time.Minute {
			t.Errorf("rolled back after %s; the hold is no wait", got)
		}
	})
	t.Run("an outage of the metrics holds the weight until then", func(t *testing.T) {
		w := serving(t, one)
		w.Measure = func(_ rollout.Measurement, now time.Time) judge.Reading {
			return judge.Unread(now, reconcile.ErrMetricsUnavailable)
		}
		w.Target = target("two", withCheck())
		run(t, w, at(0))
		w.Run(10*time.Minute, nil)
		if ro := w.Record.Rollout; ro == nil || ro.Weight != 10 {
			t.Fatalf("%+v", w.Record)
		}
		measuring(w, func() float64 { return 0 })
		run(t, w, simulate.Idle)
		if w.Record.Last.Outcome != journal.Promoted {
			t.Errorf("the metrics came back: %+v", w.Record.Last)
		}
	})
	t.Run("on_deadline = hold keeps the weight for a person", func(t *testing.T) {
		w := serving(t, one)
		noData(w)
		w.Target = target("two", withCheck(), func(m *spec.Model) { m.Rollout.OnDeadline = spec.ActionHold })
		d := run(t, w, func(_ *simulate.World, d rollout.Decision) bool { return d.Phase == rollout.Held })
		if weight(w, w.Target.Revision) != 10 || !strings.Contains(d.Reason, "no progress within 10m0s") {
			t.Errorf("%s", d.Reason)
		}
	})
	t.Run("does not run while it is paused, nor while it waits for an approval", func(t *testing.T) {
		w := serving(t, target("one"))
		w.Target = target("two", func(m *spec.Model) { m.Rollout.Steps[1].Approval = true })
		run(t, w, at(0))
		act := rollout.Act{Kind: rollout.ActPause, Actor: "ann", Reason: "lunch", Revision: w.Target.Revision}
		if err := w.Order(act); err != nil {
			t.Fatal(err)
		}
		w.Run(5*time.Hour, nil)
		act.Kind = rollout.ActResume
		if err := w.Order(act); err != nil {
			t.Fatal(err)
		}
		run(t, w, func(_ *simulate.World, d rollout.Decision) bool { return d.Activity == rollout.Approval })
		w.Run(5*time.Hour, nil)
		if w.Record.Rollout == nil {
			t.Fatalf("%+v", w.Record.Last)
		}
		act.Kind, act.Step = rollout.ActPromote, 1
		if err := w.Order(act); err != nil {
			t.Fatal(err)
		}
		run(t, w, simulate.Idle)
		if w.Record.Last.Outcome != journal.Promoted {
			t.Errorf("%+v", w.Record.Last)
		}
	})
	t.Run("a candidate that never gets ready", func(t *testing.T) {
		w := serving(t, target("one"))
		w.Target = target("two")
		w.Launched = func(c *reconcile.Container) { c.State = reconcile.StateCreated }
		run(t, w, simulate.Idle)
		if w.Record.Last.Outcome != journal.RolledBack {
			t.Errorf("%+v", w.Record.Last)
		}
	})
}

func TestAnalysisFails(t *testing.T) {
	bad := func(t *testing.T, change ...func(*spec.Model)) *simulate.World {
		w := serving(t, target("one", withCheck()))
		measuring(w, func() float64 { return 7 })
		w.Target = target("two", append([]func(*spec.Model){withCheck()}, change...)...)
		return w
	}
	t.Run("weight to stable at once, candidate removed, hash in the ledger", func(t *testing.T) {
		w := bad(t)
		run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return w.Record.Last.Outcome == journal.RolledBack })
		d, _ := w.Step()
		if weight(w, w.Target.Revision) != 0 {
			t.Error("the candidate still has traffic")
		}
		r := w.Record.Rejection(w.Target.Revision)
		if r == nil || r.Cause != journal.CauseFailed || len(r.Evidence) != 1 || r.Evidence[0].Outcome != judge.Fail {
			t.Fatalf("%+v", r)
		}
		d = run(t, w, simulate.Idle)
		if has(w, w.Target.Revision) != 0 || d.Phase != rollout.Held {
			t.Errorf("%s %s", d.Phase, d.Reason)
		}
	})
	t.Run("failures up to the limit are tolerated, and journaled", func(t *testing.T) {
		n := 0
		w := bad(t, func(m *spec.Model) { m.Rollout.Checks[0].FailureLimit = 2 })
		measuring(w, func() float64 {
			if n++; n <= 2 {
				return 7
			}
			return 0
		})
		run(t, w, simulate.Idle)
		if got := strings.Count(strings.Join(text(actions(w, 0)), " "), "tolerate"); got != 2 || w.Record.Last.Outcome != journal.Promoted {
			t.Errorf("%d, %+v", got, w.Record.Last)
		}
	})
	t.Run("on_failure = hold keeps the weight, a person ends it", func(t *testing.T) {
		for _, kind := range []rollout.ActKind{rollout.ActAbort, rollout.ActPromote, rollout.ActRetry} {
			w := bad(t, func(m *spec.Model) { m.Rollout.OnFailure = spec.ActionHold })
			run(t, w, func(_ *simulate.World, d rollout.Decision) bool { return d.Phase == rollout.Held })
			if weight(w, w.Target.Revision) != 10 {
				t.Errorf("%d %%", weight(w, w.Target.Revision))
			}
			if err := w.Order(rollout.Act{Kind: kind, Actor: "ann", Reason: "decided", Revision: w.Target.Revision, Full: true}); err != nil {
				t.Fatal(err)
			}
			measuring(w, func() float64 { return 0 })
			run(t, w, simulate.Idle)
			want := map[rollout.ActKind]journal.RolloutOutcome{rollout.ActAbort: journal.Aborted, rollout.ActPromote: journal.FastPromoted, rollout.ActRetry: journal.Promoted}
			if w.Record.Last.Outcome != want[kind] {
				t.Errorf("%s: %+v", kind, w.Record.Last)
			}
		}
	})
	t.Run("a crash loop of the candidate", func(t *testing.T) {
		w := serving(t, target("one"))
		w.Target = target("two")
		w.Launched = func(c *reconcile.Container) {
			if c.Revision == w.Target.Revision {
				c.State, c.Address, c.ExitCode, c.Finished = reconcile.StateExited, "", 1, w.Now
			}
		}
		run(t, w, simulate.Idle)
		if r := w.Record.Rejection(w.Target.Revision); r == nil || !strings.Contains(r.Reason, "keeps ending") {
			t.Errorf("%+v", w.Record)
		}
	})
	t.Run("a contract that differs from the signature", func(t *testing.T) {
		w := serving(t, target("one"))
		w.Target = target("two", func(m *spec.Model) {
			m.Signature = &spec.Signature{Outputs: []spec.Tensor{{Name: "digit", Datatype: "INT64", Shape: []int64{-1}}}}
		})
		w.Contract = func(c *reconcile.Container) string { return "output digit is FP32, declared INT64" }
		run(t, w, simulate.Idle)
		if r := w.Record.Rejection(w.Target.Revision); r == nil || !strings.Contains(r.Reason, "FP32") || r.Step != -1 {
			t.Errorf("%+v", w.Record)
		}
	})
}

func text(actions []journal.Action) (out []string) {
	for _, a := range actions {
		out = append(out, string(a))
	}
	return out
}

func TestGitStillWantsIt(t *testing.T) {
	one, two := target("one", withCheck()), target("two", withCheck())
	w := serving(t, one)
	measuring(w, func() float64 { return 7 })
	w.Target = two
	run(t, w, simulate.Idle)
	n := len(w.Journal)
	t.Run("a held hash is not applied again, also at a new commit", func(t *testing.T) {
		w.Commit = "another"
		w.State = rollout.State{}
		d, moved := w.Step()
		if moved || d.Phase != rollout.Held || !strings.Contains(d.Reason, "Git wants "+two.Revision) || !strings.Contains(d.Reason, "running "+one.Revision) {
			t.Errorf("%s: %s", d.Phase, d.Reason)
		}
		w.Run(10*time.Hour, nil)
		if len(w.Journal) != n {
			t.Errorf("%v", actions(w, n))
		}
	})
	t.Run("stable is healed meanwhile", func(t *testing.T) {
		w.Containers = w.Containers[1:]
		run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return has(w, one.Revision) == 2 })
	})
	t.Run("retry starts it again", func(t *testing.T) {
		measuring(w, func() float64 { return 0 })
		if err := w.Order(rollout.Act{Kind: rollout.ActRetry, Actor: "ann", Reason: "the sensor was broken", Revision: two.Revision}); err != nil {
			t.Fatal(err)
		}
		run(t, w, simulate.Idle)
		if w.Record.Stable.Revision != two.Revision {
			t.Errorf("%+v", w.Record)
		}
	})
	t.Run("reverting Git is in sync again, and changes nothing", func(t *testing.T) {
		w := serving(t, one)
		measuring(w, func() float64 { return 7 })
		w.Target = two
		run(t, w, simulate.Idle)
		n := len(w.Journal)
		w.Target = one
		d := run(t, w, simulate.Idle)
		if d.Phase != rollout.Steady || len(w.Journal) != n {
			t.Errorf("%s %v", d.Phase, actions(w, n))
		}
	})
}

func TestNoOpGuards(t *testing.T) {
	w := serving(t, target("one"))
	n, version := len(w.Journal), w.Table.Version
	w.Commit = "a commit that changes nothing"
	w.Run(100*time.Hour, nil)
	if len(w.Journal) != n || w.Table.Version != version {
		t.Errorf("%v", actions(w, n))
	}
}

func TestRollbackFails(t *testing.T) {
	w := serving(t, target("one", withCheck()))
	stable := w.Target.Revision
	w.Target = target("two", withCheck())
	measuring(w, func() float64 { return 0 })
	run(t, w, at(1))
	w.Sick = func(c *reconcile.Container) string {
		if c.Revision == stable {
			return "status 503"
		}
		return ""
	}
	measuring(w, func() float64 { return 7 })
	t.Run("is never tried while no replica of stable is ready", func(t *testing.T) {
		d := run(t, w, func(_ *simulate.World, d rollout.Decision) bool { return d.Phase == rollout.Held })
		if !strings.Contains(d.Reason, "no replica of stable is ready") || weight(w, w.Target.Revision) != 100 {
			t.Errorf("%s; %d %%", d.Reason, weight(w, w.Target.Revision))
		}
	})
	t.Run("nothing rolls back a rollback", func(t *testing.T) {
		w.Run(time.Hour, nil)
		if w.Record.Rollout == nil || len(w.Record.Rejected) > 0 {
			t.Errorf("%+v", w.Record)
		}
	})
}

func TestPromotionRecreatesNothing(t *testing.T) {
	w := serving(t, target("one"))
	w.Target = target("two")
	run(t, w, func(w *simulate.World, _ rollout.Decision) bool {
		return w.Record.Rollout != nil && w.Record.Rollout.Promoting && has(w, w.Target.Revision) == 2
	})
	before := ids(w)
	run(t, w, simulate.Idle)
	if got := ids(w); !slices.Equal(got, before) {
		t.Errorf("%v became %v", before, got)
	}
}

func ids(w *simulate.World) (ids []string) {
	for _, c := range w.Containers {
		ids = append(ids, c.ID)
	}
	return ids
}

func TestImageOfStableGone(t *testing.T) {
	w := serving(t, target("one"))
	stable := w.Target.Revision
	w.Target = target("two")
	run(t, w, at(0))
	w.Containers = slices.DeleteFunc(w.Containers, func(c reconcile.Container) bool { return c.Revision == stable })
	w.Launched = func(c *reconcile.Container) {
		if c.Revision == stable {
			c.State, c.Address = reconcile.StateCreated, "" // the engine cannot start it
		}
	}
	d := run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return weight(w, w.Target.Revision) == 100 })
	if w.Record.Stable.Revision != stable {
		t.Errorf("the candidate stands in, without being promoted: %s", d.Reason)
	}
}

func TestGatewayAway(t *testing.T) {
	w := serving(t, target("one"))
	w.Target = target("two")
	run(t, w, at(0))
	w.GatewayAway = true
	n, version := len(w.Journal), w.Table.Version
	w.Run(10*time.Hour, nil)
	if len(w.Journal) != n || w.Table.Version != version {
		t.Fatalf("%v", actions(w, n))
	}
	w.GatewayAway = false
	run(t, w, simulate.Idle)
	if w.Record.Last.Outcome == journal.RolledBack {
		t.Errorf("an outage of ours is no evidence: %+v", w.Record.Last)
	}
}

func TestNoRoomIsSaidBeforeAnythingStarts(t *testing.T) {
	w := serving(t, target("one"))
	w.NoRoom = "needs 12 GiB, the engine has 8 GiB"
	w.Target = target("two")
	n := len(w.Journal)
	d, moved := w.Step()
	if moved || len(w.Journal) != n || d.Phase != rollout.Degraded || !strings.Contains(d.Reason, "no room: needs 12 GiB") {
		t.Errorf("%s %s", d.Phase, d.Reason)
	}
}

// What a release is made of must be here before anything makes room for it: least
// of all may recreate stop stable.
func TestReleaseWaitsForWhatItLacks(t *testing.T) {
	for name, strategy := range map[string]spec.Strategy{"canary": spec.Canary, "recreate": spec.Recreate} {
		t.Run(name, func(t *testing.T) {
			policy := func(m *spec.Model) {
				m.Rollout = &spec.Rollout{Strategy: strategy, Velocity: spec.VelocityRestart, OnFailure: spec.ActionRollback, OnDeadline: spec.ActionRollback, ProgressDeadline: time.Hour}
			}
			w := serving(t, target("one", policy))
			stable, n := w.Target.Revision, len(w.Journal)
			w.Target, w.Lacks = target("two", policy), "its artifact is being fetched"
			w.Containers = w.Containers[1:]
			d := run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return has(w, stable) == 2 })
			if has(w, w.Target.Revision) != 0 || len(w.Journal) != n || d.Phase != rollout.Rolling || d.Reason != w.Lacks {
				t.Errorf("%s %s, %d entries more", d.Phase, d.Reason, len(w.Journal)-n)
			}
			w.Lacks = ""
			run(t, w, simulate.Idle)
			if has(w, w.Target.Revision) != 2 {
				t.Errorf("%d replicas of the new release", has(w, w.Target.Revision))
			}
		})
	}
	t.Run("a rollout that Git does not want any more ends", func(t *testing.T) {
		w := serving(t, target("one"))
		stable, second := w.Target.Revision, target("two")
		w.Target = second
		run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return has(w, second.Revision) > 0 })
		w.Target, w.Lacks = target("three"), "its artifact is being fetched"
		run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return has(w, second.Revision) == 0 })
		if w.Record.Rollout != nil || has(w, stable) != 2 || w.Record.Last.Outcome != journal.Aborted {
			t.Errorf("the record is %+v", w.Record)
		}
	})
	t.Run("a first deployment", func(t *testing.T) {
		w := simulate.New("digits", start)
		w.Target, w.Lacks = target("one"), "its artifact is being fetched"
		if d, _ := w.Step(); len(w.Containers) > 0 || d.Reason != w.Lacks || len(w.Journal) > 0 {
			t.Errorf("%s %s", d.Phase, d.Reason)
		}
	})
}

func TestNoRoomForAFirstDeploymentOrForMoreReplicas(t *testing.T) {
	w := simulate.New("digits", start)
	w.Target, w.NoRoom = target("one"), "needs 12 GiB"
	if d, _ := w.Step(); len(w.Containers) > 0 || d.Phase != rollout.Degraded || len(w.Journal) > 0 {
		t.Errorf("%s %s", d.Phase, d.Reason)
	}
	w = serving(t, target("one"))
	w.Target, w.NoRoom = target("one", func(m *spec.Model) { m.Replicas = 5 }), "needs 12 GiB"
	d := run(t, w, simulate.Idle)
	if has(w, w.Target.Revision) != 2 || d.Phase != rollout.Degraded || !strings.Contains(d.Reason, "no room") {
		t.Errorf("%d, %s %s", has(w, w.Target.Revision), d.Phase, d.Reason)
	}
	t.Run("stable is healed while there is none for another release", func(t *testing.T) {
		w := serving(t, target("one"))
		stable := w.Target.Revision
		w.Target, w.NoRoom = target("two"), "needs 12 GiB"
		w.Containers = w.Containers[1:]
		run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return has(w, stable) == 2 })
	})
}

func TestStableIsHealedWhileTheJournalCannotBeWritten(t *testing.T) {
	w := serving(t, target("one"))
	stable := w.Target.Revision
	w.Containers = w.Containers[1:]
	w.Target = target("two")
	view := w.View()
	in := w.Input(&view)
	in.NoJournal = true
	d := rollout.Step(w.State, in, w.Now)
	if d.Transition != nil || len(d.Commands) != 1 || d.Commands[0].Verb != rollout.Launch || d.Commands[0].Target.Revision != stable {
		t.Errorf("%+v, %+v", d.Transition, d.Commands)
	}
}

func TestModelThatLeavesGitIsForgottenAtTheEnd(t *testing.T) {
	w := serving(t, target("one"))
	w.Target = nil
	run(t, w, func(w *simulate.World, _ rollout.Decision) bool { return last(w).Action == journal.ActionRemove })
	if len(w.Containers) > 0 || w.Record.Model != "" {
		t.Errorf("%+v", w.Record)
	}
}
