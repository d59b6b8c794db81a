package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/reconcile/simulate"
	"github.com/fairlead/fairlead/spec"
)

// adversary does to a world, at random, what happens to models.
type adversary struct {
	rt      *rapid.T
	w       *simulate.World
	targets []*reconcile.Target
	cleared map[string]bool // revisions that a person cleared since they were rejected
	value   float64
	sick    map[string]bool // revisions
	away    bool            // the metrics
}

func newAdversary(rt *rapid.T) *adversary {
	a := &adversary{rt: rt, w: simulate.New("digits", start), cleared: map[string]bool{}, sick: map[string]bool{}}
	strategy := rapid.SampledFrom([]spec.Strategy{spec.Canary, spec.Canary, spec.BlueGreen, spec.Shadow, spec.AB, spec.Recreate}).Draw(rt, "strategy")
	policy := func(m *spec.Model) {
		m.Replicas = rapid.IntRange(1, 3).Draw(rt, "replicas")
		r := m.Rollout
		r.Strategy = strategy
		r.Velocity = rapid.SampledFrom([]spec.Velocity{spec.VelocityRestart, spec.VelocityQueueLatest, spec.VelocityFinish}).Draw(rt, "velocity")
		r.OnFailure = rapid.SampledFrom([]spec.FailureAction{spec.ActionRollback, spec.ActionRollback, spec.ActionHold}).Draw(rt, "on failure")
		r.Steps[0].Approval = rapid.IntRange(0, 3).Draw(rt, "approval") == 0
		if strategy != spec.Canary {
			r.Steps = nil
		}
	}
	for _, content := range []string{"one", "two", "three"} {
		a.targets = append(a.targets, target(content, policy, withCheck()))
	}
	a.w.Target = a.targets[0]
	a.w.Sick = func(c *reconcile.Container) string {
		if a.sick[c.Revision] {
			return "status 503"
		}
		return ""
	}
	a.w.Measure = func(m rollout.Measurement, now time.Time) judge.Reading {
		if a.away {
			return judge.Unread(now, reconcile.ErrMetricsUnavailable)
		}
		results := make([][]reconcile.Sample, len(judge.Compile(m.Check, m.Vars)))
		for i := range results {
			results[i] = []reconcile.Sample{{Value: a.value}}
		}
		return judge.Read(m.Check, m.Vars, now, results)
	}
	return a
}

// strike does one thing.
func (a *adversary) strike() {
	w := a.w
	switch what := rapid.SampledFrom([]string{"commit", "commit", "sick", "well", "bad", "good", "metrics", "gateway", "kill", "order", "order", "forget", "time"}).Draw(a.rt, "event"); what {
	case "commit":
		w.Target = rapid.SampledFrom(a.targets).Draw(a.rt, "target")
	case "sick", "well":
		a.sick[rapid.SampledFrom(a.targets).Draw(a.rt, "revision").Revision] = what == "sick"
	case "bad":
		a.value = 7
	case "good":
		a.value = 0
	case "metrics":
		a.away = !a.away
	case "gateway":
		w.GatewayAway = !w.GatewayAway
	case "kill":
		if n := len(w.Containers); n > 0 {
			i := rapid.IntRange(0, n-1).Draw(a.rt, "container")
			w.Containers = append(w.Containers[:i:i], w.Containers[i+1:]...)
		}
	case "forget":
		w.State = rollout.State{} // the daemon was killed
	case "order":
		a.order()
	case "time":
		w.Now = w.Now.Add(time.Duration(rapid.IntRange(1, 4000).Draw(a.rt, "seconds")) * time.Second)
	}
}

func (a *adversary) order() {
	act := rollout.Act{
		Kind:  rapid.SampledFrom([]rollout.ActKind{rollout.ActPromote, rollout.ActPause, rollout.ActResume, rollout.ActAbort, rollout.ActRetry, rollout.ActUndo}).Draw(a.rt, "order"),
		Actor: "ann", Reason: "because", Revision: rapid.SampledFrom(a.targets).Draw(a.rt, "revision").Revision,
		Step: rapid.IntRange(-1, 2).Draw(a.rt, "step"), Full: rapid.Bool().Draw(a.rt, "full"),
	}
	if a.w.Order(act) == nil && act.Kind == rollout.ActRetry {
		a.cleared[act.Revision] = true
	}
}

// watch checks what must hold at every step.
func (a *adversary) watch(before journal.Record, entries int, d rollout.Decision) {
	w := a.w
	a.weights(d)
	for _, e := range w.Journal[entries:] {
		a.entry(&before, &e)
	}
	for _, c := range d.Commands {
		if r := w.Record.Rejection(revisionOf(c)); c.Verb == rollout.Launch && r != nil && (w.Record.Stable == nil || w.Record.Stable.Revision != r.Revision) {
			a.rt.Fatalf("a rejected revision is started: %+v", c)
		}
		if c.Verb == rollout.Retire {
			a.retired(c)
		}
	}
}

func revisionOf(c rollout.Command) string {
	if c.Target == nil {
		return ""
	}
	return c.Target.Revision
}

func (a *adversary) weights(d rollout.Decision) {
	if d.Entry == nil || d.Transition != nil {
		return
	}
	sum, full := 0, 0
	for _, r := range d.Entry.Revisions {
		sum += r.Weight
		if r.Weight == 100 {
			full++
		}
	}
	if sum != 100 || full > 1 {
		a.rt.Fatalf("weights add up to %d: %+v", sum, d.Entry.Revisions)
	}
	if err := (reconcile.Table{FormatVersion: reconcile.TableFormat, Version: 1, Models: []reconcile.RoutedModel{*d.Entry}}).Validate(); err != nil {
		a.rt.Fatal(err)
	}
}

// entry checks one decision against the record before it.
func (a *adversary) entry(before *journal.Record, e *journal.Entry) {
	next := e.Record
	if next.Rollout != nil && (before.Rollout == nil || before.Rollout.Candidate.Revision != next.Rollout.Candidate.Revision) {
		rev := next.Rollout.Candidate.Revision
		if before.Rejection(rev) != nil && !a.cleared[rev] {
			a.rt.Fatalf("%s: a rejected revision is rolled out", e.Action)
		}
	}
	if e.Action == journal.ActionRollback {
		if before.Rollout == nil || before.Stable == nil || next.Stable == nil || next.Stable.Revision != before.Stable.Revision {
			a.rt.Fatalf("a rollback of a rollback: %+v", e)
		}
		a.cleared[before.Rollout.Candidate.Revision] = false
	}
	if r := next.Rollout; r != nil && before.Rollout != nil && e.Action != journal.ActionSupersede && r.Started.Equal(before.Rollout.Started) && r.Step < before.Rollout.Step {
		a.rt.Fatalf("%s goes back from step %d to %d", e.Action, before.Rollout.Step, r.Step)
	}
	if next.Since.Before(before.Since) {
		a.rt.Fatal("time goes back")
	}
}

// retired checks that what goes was not the only one that could serve.
func (a *adversary) retired(c rollout.Command) {
	w := a.w
	if w.Record.Stable == nil || w.Record.Rollout != nil && w.Record.Rollout.Policy.Strategy == spec.Recreate {
		return
	}
	left, gone := 0, ""
	for _, have := range w.Containers {
		if have.Revision == w.Record.Stable.Revision {
			left++
		}
	}
	for _, m := range w.Table.Models {
		for _, r := range m.Revisions {
			for _, replica := range r.Replicas {
				if replica.ID == c.ContainerID && !replica.Drain && r.Weight > 0 {
					gone = r.Revision
				}
			}
		}
	}
	if gone != "" {
		a.rt.Fatalf("a replica that takes requests is retired: %s of %s (%s), %d of stable left", c.ContainerID, gone, c.Reason, left)
	}
}

func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := newAdversary(rt)
		for range rapid.IntRange(1, 40).Draw(rt, "events") {
			for range rapid.IntRange(1, 12).Draw(rt, "steps") {
				a.step()
			}
			a.strike()
		}
		a.calm()
	})
}

func (a *adversary) step() bool {
	before, entries := a.w.Record.Clone(), len(a.w.Journal)
	view := a.w.View()
	ahead := rollout.Step(a.w.State, a.w.Input(&view), a.w.Now) // before its effects
	a.watchAhead(before, ahead)
	d, moved := a.w.Step()
	a.watch(before, entries, d)
	if !moved && !d.Wake.IsZero() && d.Wake.After(a.w.Now) {
		a.w.Now = d.Wake
	}
	return moved
}

// watchAhead looks at a decision before it is carried out: afterwards the world
// is another one.
func (a *adversary) watchAhead(before journal.Record, d rollout.Decision) {
	if d.Transition != nil && (len(d.Commands) > 0 || len(d.Measure) > 0) {
		a.rt.Fatal("a transition comes with effects")
	}
	for _, c := range d.Commands {
		if c.Verb == rollout.Retire {
			a.retired(c)
		}
	}
	_ = before
}

// calm ends all trouble; the model must come to rest, at what Git wants or at a
// release that is held for a reason.
func (a *adversary) calm() {
	w := a.w
	a.sick, a.value, a.away, w.GatewayAway = map[string]bool{}, 0, false, false
	for range 800 {
		if ro := w.Record.Rollout; ro != nil {
			if ro.Paused != nil {
				_ = w.Order(rollout.Act{Kind: rollout.ActResume, Actor: "ann", Reason: "calm", Revision: ro.Candidate.Revision})
			}
			if ro.Held != "" && !ro.First {
				_ = w.Order(rollout.Act{Kind: rollout.ActAbort, Actor: "ann", Reason: "calm", Revision: ro.Candidate.Revision})
			}
			if ro.Step >= 0 && ro.Policy.Steps[ro.Step].Approval {
				_ = w.Order(rollout.Act{Kind: rollout.ActPromote, Actor: "ann", Reason: "calm", Revision: ro.Candidate.Revision, Step: ro.Step})
			}
		}
		a.step()
	}
	view := w.View()
	d := rollout.Step(w.State, w.Input(&view), w.Now)
	want := w.Target.Revision
	at := fmt.Sprintf("%s: %s; record %+v", d.Phase, d.Reason, w.Record)
	if w.Record.Rollout != nil {
		a.rt.Fatalf("the rollout never ends: %s", at)
	}
	if held := w.Record.Rejection(want) != nil; (w.Record.Stable.Revision == want) == held && (!held || d.Phase != rollout.Steady) {
		a.rt.Fatalf("it does not come to rest: %s", at)
	}
	if weight(w, w.Record.Stable.Revision) != 100 {
		a.rt.Fatalf("stable does not serve: %s", at)
	}
}
