package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// status says in which phase the model is, where in the swap, and why.
func (s *stepper) status() {
	switch s.Intent {
	case Forget:
		s.out.Phase, s.out.Reason = Steady, "left alone by a removed block"
		return
	case Serve:
		s.out.Activity = s.activity()
		if s.judgement() {
			return
		}
	case Hold, Destroy:
	}
	s.out.Phase, s.out.Reason = Rolling, s.waitingFor()
	if s.out.Reason == "" {
		s.out.Phase = Steady
	}
}

// judgement is for what a person should look at. It is false if there is nothing.
func (s *stepper) judgement() bool {
	r := &s.Record
	want := s.Target.Revision
	ro := r.Rollout
	switch rejected := r.Rejection(want); {
	case ro != nil && ro.First && ro.Held != "":
		s.out.Phase, s.out.Reason = Degraded, ro.Held
	case ro != nil && ro.Held != "":
		s.out.Phase, s.out.Reason = Held, fmt.Sprintf("the rollout of %s stands at %d %%: %s", ro.Candidate.Revision, ro.Weight, ro.Held)
	case s.stranded != "":
		s.out.Phase, s.out.Reason = Held, s.stranded
	case ro == nil && rejected != nil && r.Stable == nil:
		s.out.Phase, s.out.Reason = Held, fmt.Sprintf("Git wants %s (%s: %s), and there is no other release", want, rejected.Cause, rejected.Reason)
	case ro == nil && rejected != nil && r.Stable != nil && r.Stable.Revision != want:
		s.out.Phase, s.out.Reason = Held, fmt.Sprintf("Git wants %s (%s: %s), running %s", want, rejected.Cause, rejected.Reason, r.Stable.Revision)
	case ro == nil && s.NoRoom != "" && (r.Stable == nil || r.Stable.Revision != want || len(s.stable.mine) < s.stable.want):
		s.out.Phase, s.out.Reason = Degraded, "no room: "+s.NoRoom
	case ro == nil && s.Lacks != "" && (r.Stable == nil || r.Stable.Revision != want):
		s.out.Phase, s.out.Reason = Rolling, s.Lacks
	default:
		for _, g := range []*group{s.stable, s.candidate} {
			if trouble := s.trouble(g); trouble != "" {
				s.out.Phase, s.out.Reason = Degraded, trouble
				return true
			}
		}
		return false
	}
	return true
}

// trouble names what is wrong with the replicas of a group; empty if nothing is.
func (s *stepper) trouble(g *group) string {
	if g == nil {
		return ""
	}
	health := g.target.Model.Health
	for i := range g.mine {
		c := &g.mine[i]
		if broken := s.Inspected[c.ID].Broken; g.inspect && broken != "" {
			return fmt.Sprintf("replica %d: %s", c.Replica, broken)
		}
		if s.wellFor(g, c) {
			continue
		}
		switch starts := s.out.State.Starts[c.ID]; {
		case c.Restarts+starts.Count > loopAfter:
			reason := ""
			if c.State != reconcile.StateRunning {
				reason = exitReason(c) + ", "
			}
			return fmt.Sprintf("replica %d keeps ending: %sstarted again %d times", c.Replica, reason, c.Restarts+starts.Count)
		case !s.View.Known || c.State != reconcile.StateRunning || c.Started.IsZero() || s.unprobed(c):
		case s.now.Sub(c.Started) >= health.Deadline:
			return fmt.Sprintf("replica %d is not healthy %s after its start (deadline %s): %s",
				c.Replica, s.now.Sub(c.Started).Round(time.Second), health.Deadline, s.View.Report.Replicas[c.ID].LastError)
		default:
			s.wake(c.Started.Add(health.Deadline))
		}
	}
	return ""
}

// unprobed: nothing bad is known about the replica. A gateway that was started
// anew has yet to probe it, or it is healthy, but not for long enough.
func (s *stepper) unprobed(c *reconcile.Container) bool {
	h := s.View.Report.Replicas[c.ID]
	return h.Healthy || h.LastError == ""
}

// loopAfter is how many restarts in a row make a crash loop.
const loopAfter = 3

// waitingFor says what the next observation should bring; empty if nothing.
func (s *stepper) waitingFor() string {
	ro := s.Record.Rollout
	if ro != nil && ro.Paused != nil {
		return fmt.Sprintf("paused by %s: %s", ro.Paused.Actor, ro.Paused.Reason)
	}
	switch {
	case len(s.out.Commands) > 0:
		c := s.out.Commands[0]
		return fmt.Sprintf("%s %s: %s", c.Verb, c.Name, c.Reason)
	case !s.View.Known:
		return "the gateway does not answer yet"
	case s.Intent == Serve && s.out.Ready < s.out.Want:
		return s.notReady()
	case !s.inForce():
		return "the gateway takes over the new routes"
	case ro != nil:
		return s.stepText()
	case len(s.unwant) > 0:
		return fmt.Sprintf("%s of old revisions finish their requests", count(len(s.unwant), "replica"))
	}
	return ""
}

func (s *stepper) notReady() string {
	text := fmt.Sprintf("%d of %s ready", s.out.Ready, count(s.out.Want, "replica"))
	for _, c := range s.focus().mine {
		if trouble := s.Inspected[c.ID].Trouble; trouble != "" {
			return fmt.Sprintf("%s; replica %d: %s", text, c.Replica, trouble)
		}
	}
	return text
}

// stepText says where a rollout stands.
func (s *stepper) stepText() string {
	ro := s.Record.Rollout
	text := fmt.Sprintf("step %d of %d at %d %%", ro.Step+1, len(ro.Policy.Steps), ro.Weight)
	switch {
	case ro.Step < 0 || ro.Promoting:
		return "the candidate is made ready"
	case s.waitsForPerson():
		return text + ": waits for `fairlead rollout promote`"
	}
	if end := ro.StepSince.Add(ro.Policy.Steps[ro.Step].Hold); s.now.Before(end) {
		return text + ": holds until " + end.Format("15:04:05")
	}
	return text + ": " + s.missing()
}

func (s *stepper) inForce() bool {
	if s.entry == nil || s.out.Entry == nil {
		return s.entry == nil && s.out.Entry == nil
	}
	return s.entry.Equal(*s.out.Entry)
}

// activity is where in the swap protocol the model is.
func (s *stepper) activity() Activity {
	ro := s.Record.Rollout
	switch {
	case ro != nil && ro.Paused != nil:
		return Paused
	case ro != nil && !s.candidate.full():
		return s.preparing()
	case ro != nil && ro.Step >= 0 && !ro.Promoting && !s.shifted():
		return Shifting
	case ro != nil && s.waitsForPerson():
		return Approval
	case ro != nil && ro.Step >= 0:
		return Measuring
	case len(s.unwant) > 0:
		return Draining
	case s.Record.Previous != nil:
		return Keeping
	}
	return ""
}

// preparing is how far the replicas of the candidate are.
func (s *stepper) preparing() Activity {
	g := s.candidate
	ro := s.Record.Rollout
	is := func(f func(Inspection) bool) bool {
		return slices.ContainsFunc(g.mine, func(c reconcile.Container) bool { return s.wellFor(g, &c) && f(s.Inspected[c.ID]) })
	}
	switch {
	case g.inspect && is(func(i Inspection) bool { return !i.Verified }):
		return Verifying
	case g.inspect && is(func(i Inspection) bool { return i.Verified && !i.Warm }):
		return Warming
	case ro.Step >= 0:
		return Scaling
	case len(g.mine) < g.want:
		return Creating
	}
	return Starting
}
