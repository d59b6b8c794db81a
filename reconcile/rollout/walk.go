package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/spec"
)

// walk takes the candidate forward.
func (s *stepper) walk() *journal.Entry {
	ro := s.Record.Rollout
	if ro.First {
		return s.firstDeployment()
	}
	if ro.Held != "" {
		return nil
	}
	if ro.StepSince.After(s.now) {
		return s.clockWentBack()
	}
	if cause, reason := s.broken(); cause != "" {
		return s.fail(cause, ro.Policy.OnFailure, reason)
	}
	if s.Target.Model.Replicas == 0 && ro.Step < 0 {
		return s.promote("there are no replicas to shift traffic between")
	}
	if ro.Paused != nil || s.Target.Model.Replicas == 0 || !s.View.Known {
		return nil // without the gateway or replicas there is neither traffic nor evidence
	}
	if e := s.tolerated(); e != nil {
		return e
	}
	if e := s.forward(); e != nil {
		return e
	}
	return s.overdue()
}

// clockWentBack begins the step anew: times from the future would keep everything
// waiting until the clock has caught up.
func (s *stepper) clockWentBack() *journal.Entry {
	return s.decided(journal.ActionStep, "the clock went back: the step begins anew", func(r *journal.Record) {
		r.Rollout.StepSince = s.now
		for name, e := range r.Rollout.Checks {
			e.Last = nil
			r.Rollout.Checks[name] = e.Enter(s.now)
		}
	})
}

// forward is the next move of a candidate about which nothing bad is known.
func (s *stepper) forward() *journal.Entry {
	ro := s.Record.Rollout
	steps := ro.Policy.Steps
	switch {
	case !s.candidate.full():
		return nil
	case ro.Promoting:
		return s.promote(s.whyPromoted())
	case len(steps) == 0:
		return s.promote("its replicas are ready")
	case ro.Step < 0:
		return s.come(0, "its replicas are ready")
	case ro.Weight != steps[ro.Step].Weight:
		return s.shift()
	case !s.shifted():
		return nil
	}
	if s.needsApproval() {
		if a := s.approvedInGit(); a != nil {
			return s.approve(a)
		}
	}
	if !s.passed() || s.needsApproval() {
		return nil
	}
	reason := fmt.Sprintf("step %d of %d passed", ro.Step+1, len(steps))
	if ro.Step+1 < len(steps) {
		return s.come(ro.Step+1, reason)
	}
	if s.candidate.want == s.Target.Model.Replicas {
		return s.promote(s.whyPromoted())
	}
	return s.decided(journal.ActionFinish, reason+": the candidate grows to full size", func(r *journal.Record) {
		r.Rollout.Promoting, r.Rollout.StepSince = true, s.now
	})
}

// come enters a step. The weight follows at once where there are replicas enough
// for it, else once they are ready.
func (s *stepper) come(step int, reason string) *journal.Entry {
	steps := s.Record.Rollout.Policy.Steps
	text := fmt.Sprintf("%s: step %d of %d, weight %d %%", reason, step+1, len(steps), steps[step].Weight)
	return s.decided(journal.ActionStep, text, func(r *journal.Record) {
		ro := r.Rollout
		ro.Step, ro.StepSince = step, s.now
		if scale(ro, s.Target.Model.Replicas) <= s.candidate.ready {
			ro.Weight = steps[step].Weight
		}
		for name, e := range ro.Checks {
			ro.Checks[name] = e.Enter(s.now)
		}
	})
}

// shift gives the candidate the weight of its step.
func (s *stepper) shift() *journal.Entry {
	ro := s.Record.Rollout
	weight := ro.Policy.Steps[ro.Step].Weight
	return s.decided(journal.ActionWeight, fmt.Sprintf("%s ready: weight %d %%", count(s.candidate.ready, "replica"), weight), func(r *journal.Record) {
		r.Rollout.Weight, r.Rollout.StepSince = weight, s.now
	})
}

// shifted: the gateway routes by the weight of the step.
func (s *stepper) shifted() bool {
	ro := s.Record.Rollout
	in := s.entry.Find(ro.Candidate.Revision)
	return in != nil && in.Weight == ro.Weight && s.entry.Candidate == ro.Candidate.Revision
}

// passed: the hold is over and every check of the step has its latest look
// passed. The due looks are asked for.
func (s *stepper) passed() bool {
	until := s.held()
	over := !s.now.Before(until)
	if !over {
		s.wake(until)
	}
	return over && s.outcome() == judge.Pass
}

// outcome is the worst of the checks that count in the step, as they were last
// looked at after its hold: what happened in all of it counts.
func (s *stepper) outcome() judge.Outcome {
	ro := s.Record.Rollout
	worst := judge.Pass
	for _, c := range checksOf(&ro.Policy, ro.Step) {
		worst = judge.Worse(worst, s.lookedSince(c.Name, s.held()))
	}
	return worst
}

// held is when the hold of the step is over.
func (s *stepper) held() time.Time {
	ro := s.Record.Rollout
	return ro.StepSince.Add(ro.Policy.Steps[ro.Step].Hold)
}

// approvedInGit is the approval of just this candidate and step, or nil. Any other is
// void: the rollout has moved on from what people saw.
func (s *stepper) approvedInGit() *spec.Approval {
	ro := s.Record.Rollout
	started := ro.Started.UTC().Format(time.RFC3339Nano)
	i := slices.IndexFunc(s.Approvals, func(a *spec.Approval) bool {
		isFor := a.Started == started || a.Started == "" && !slices.Contains(ro.Stood, a.Step)
		return a.Revision == ro.Candidate.Revision && a.Step == ro.Step+1 && isFor
	})
	if i < 0 {
		return nil
	}
	return s.Approvals[i]
}

// standing are the steps whose approvals stand in Git without saying which rollout of the
// revision they are for.
func (s *stepper) standing(revision string) (steps []int) {
	for _, a := range s.Approvals {
		if a.Revision == revision && a.Started == "" {
			steps = append(steps, a.Step)
		}
	}
	return steps
}

func (s *stepper) approve(a *spec.Approval) *journal.Entry {
	e := s.decided(journal.ActionApprove, fmt.Sprintf("step %d is approved in Git, at %s", a.Step, a.Pos), func(r *journal.Record) {
		approve(r.Rollout, s.now)
	})
	e.Actor = s.ApprovedBy
	return e
}

// needsApproval: the step does not end without a person.
func (s *stepper) needsApproval() bool {
	ro := s.Record.Rollout
	return ro.Step >= 0 && !ro.Promoting && ro.Policy.Steps[ro.Step].Approval && ro.Approved <= ro.Step
}

// lookedSince is the outcome of the last look at a check, if there was one after
// a time.
func (s *stepper) lookedSince(check string, since time.Time) judge.Outcome {
	last := s.evidence[check].Last
	if last == nil || last.At.Before(since) {
		return judge.Insufficient
	}
	return last.Outcome
}

func (s *stepper) whyPromoted() string {
	ro := s.Record.Rollout
	switch {
	case ro.Forced:
		return "a person promoted it"
	case len(ro.Policy.Checks) == 0:
		return fmt.Sprintf("it passed %s", count(len(ro.Policy.Steps), "step"))
	}
	return fmt.Sprintf("it passed %s and %s", count(len(ro.Policy.Steps), "step"), count(len(ro.Policy.Checks), "check"))
}

// promote makes the candidate stable. Only the record and the weights change: no
// container is created again.
func (s *stepper) promote(reason string) *journal.Entry {
	return s.decided(journal.ActionPromote, reason, func(r *journal.Record) {
		ro := r.Rollout
		outcome := journal.Promoted
		if ro.Forced {
			outcome = journal.FastPromoted
		}
		s.end(r, outcome, &ro.Candidate, reason)
		r.Previous = s.kept(r.Stable)
		release := ro.Candidate
		r.Stable, r.Rollout, r.Restarts = &release, nil, 0
	})
}

// firstDeployment has no stable release to compare with and to go back to: it
// serves as soon as it can, and failing is said once and tried on.
func (s *stepper) firstDeployment() *journal.Entry {
	ro := s.Record.Rollout
	switch {
	case s.candidate.want == 0 || s.View.Known && s.candidate.full():
		return s.promote("first deployment: its replicas are ready")
	case ro.Held != "":
		return nil
	}
	trouble := s.trouble(s.candidate)
	if trouble == "" {
		return nil
	}
	reason := "the first deployment failed: " + trouble
	return s.decided(journal.ActionFail, reason, func(r *journal.Record) {
		s.end(r, journal.Failed, &ro.Candidate, reason)
		r.Rollout.Held = reason
	})
}

// broken tells what condemns the candidate now.
func (s *stepper) broken() (journal.Cause, string) {
	ro := s.Record.Rollout
	if !declared(&ro.Policy) {
		return "", ""
	}
	if trouble := s.trouble(s.candidate); trouble != "" {
		return journal.CauseFailed, trouble
	}
	if ro.Forced {
		return "", ""
	}
	for _, c := range ro.Policy.Checks {
		if e := s.evidence[c.Name]; e.Failures > c.FailureLimit && e.Last != nil {
			return journal.CauseFailed, e.Last.Text
		}
	}
	return "", ""
}

// tolerated notes a failure within the limit: counts survive a crash.
func (s *stepper) tolerated() *journal.Entry {
	ro := s.Record.Rollout
	for _, c := range ro.Policy.Checks {
		e := s.evidence[c.Name]
		if e.Failures > ro.Checks[c.Name].Failures && e.Last != nil {
			return s.decided(journal.ActionTolerate, fmt.Sprintf("failure %d of %d that are tolerated: %s", e.Failures, c.FailureLimit, e.Last.Text), nil)
		}
	}
	return nil
}

// overdue is what follows when a wait for evidence took too long.
func (s *stepper) overdue() *journal.Entry {
	ro := s.Record.Rollout
	p := &ro.Policy
	if !declared(p) || s.needsApproval() && s.candidate.full() {
		return nil
	}
	due := s.deadline()
	if s.now.Before(due) {
		s.wake(due)
		return nil
	}
	if !s.askedSince(due) {
		return nil
	}
	return s.fail(journal.CauseDeadline, p.OnDeadline, fmt.Sprintf("no progress within %s: %s", p.ProgressDeadline, s.missing()))
}

// askedSince: what is missing was looked for after a time. While the daemon, the
// gateway or the metrics were away nobody looked, and that is no fault of the
// candidate.
func (s *stepper) askedSince(due time.Time) bool {
	if !s.candidate.full() {
		return len(s.candidate.mine) < s.candidate.want || slices.ContainsFunc(s.candidate.mine, func(c reconcile.Container) bool {
			return !s.ready(s.candidate, &c) && (c.State != reconcile.StateRunning || !s.unprobed(&c) || s.wellFor(s.candidate, &c))
		})
	}
	for _, c := range checksOf(&s.Record.Rollout.Policy, s.Record.Rollout.Step) {
		if last := s.evidence[c.Name].Last; s.measuring() && (last == nil || last.At.Before(due)) {
			return false
		}
	}
	return true
}

// deadline is when the present wait has taken too long. Time that a step holds on
// purpose is no wait.
func (s *stepper) deadline() time.Time {
	ro := s.Record.Rollout
	since := ro.StepSince
	if ro.Step >= 0 && !ro.Promoting && ro.Weight == ro.Policy.Steps[ro.Step].Weight {
		since = s.held()
	}
	return since.Add(ro.Policy.ProgressDeadline)
}

// waitsForPerson: all is well, and only the approval is missing.
func (s *stepper) waitsForPerson() bool {
	return s.needsApproval() && s.shifted() && s.outcome() == judge.Pass && !s.now.Before(s.held())
}

// missing says what a candidate lacks to go on.
func (s *stepper) missing() string {
	ro := s.Record.Rollout
	if !s.candidate.full() {
		return fmt.Sprintf("%d of %s ready", s.candidate.ready, count(s.candidate.want, "replica"))
	}
	for _, c := range checksOf(&ro.Policy, ro.Step) {
		if o := s.lookedSince(c.Name, s.held()); o != judge.Pass {
			if last := s.evidence[c.Name].Last; last != nil {
				return last.Text
			}
			return fmt.Sprintf("check %s has not been measured", c.Name)
		}
	}
	return "the gateway has not taken the weight over"
}
