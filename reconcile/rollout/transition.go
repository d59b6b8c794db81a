package rollout

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/spec"
)

// transition is the one step forward that the record makes, or nil.
func (s *stepper) transition() *journal.Entry {
	r := &s.Record
	switch {
	case r.Rollout != nil:
		return s.underWay()
	case r.Stable == nil:
		return s.begin()
	default:
		return s.settled()
	}
}

// begin is for a model about which nothing is known: what is found serving is
// stable, else this is a first deployment.
func (s *stepper) begin() *journal.Entry {
	found := s.current()
	if found == s.Target.Revision && s.entry.Serving() != found {
		found = "" // containers of a first deployment that never got anywhere
	}
	if found == "" && (s.NoRoom != "" || s.Record.Rejection(s.Target.Revision) != nil) {
		return nil
	}
	if found == "" {
		return s.startRollout(fmt.Sprintf("first deployment of revision %s", s.Target.Revision))
	}
	release := s.releaseFound(found)
	return s.decided(journal.ActionAdopt, fmt.Sprintf("revision %s was found serving", found), func(r *journal.Record) { r.Stable = release })
}

// releaseFound describes a revision by the labels of its containers.
func (s *stepper) releaseFound(revision string) *journal.Release {
	if revision == s.Target.Revision {
		return s.wanted()
	}
	release := &journal.Release{Revision: revision}
	for i := range s.Containers {
		if c := &s.Containers[i]; c.Revision == revision {
			release.Inputs, _ = reconcile.ParseInputs(c.Inputs)
			release.Image, release.Commit = c.ImageRef, c.Commit
			break
		}
	}
	if in := s.entry.Find(revision); in != nil {
		release.Health = s.Target.Model.Health
		release.Health.Path, release.Health.Interval, release.Health.Timeout = in.Health.Path, in.Health.Interval, in.Health.Timeout
	}
	return release
}

// wanted is the release that Git wants.
func (s *stepper) wanted() *journal.Release {
	t := s.Target
	return &journal.Release{
		Revision: t.Revision, Version: t.Model.Version, Commit: s.Commit, Image: t.Image.Ref, Inputs: t.Inputs, Health: t.Model.Health,
		Signature: t.Model.Signature,
	}
}

// settled is for a model without a rollout under way.
func (s *stepper) settled() *journal.Entry {
	r := &s.Record
	want := s.Target.Revision
	switch {
	case want == r.Stable.Revision, r.Rejection(want) != nil:
		return s.expire()
	case s.canReturn():
		return s.returnTo()
	}
	if e := s.expire(); e != nil {
		return e
	}
	if s.NoRoom != "" {
		return nil
	}
	return s.startRollout(fmt.Sprintf("Git wants revision %s", want))
}

// expire ends the time for which the previous release is kept.
func (s *stepper) expire() *journal.Entry {
	p := s.Record.Previous
	if p == nil {
		return nil
	}
	if s.exists(p.Revision) && s.now.Before(p.Until) {
		s.wake(p.Until)
		return nil
	}
	reason := fmt.Sprintf("revision %s was kept until %s", p.Revision, p.Until.Format(time.RFC3339))
	if !s.exists(p.Revision) {
		reason = fmt.Sprintf("nothing of revision %s runs any more", p.Revision)
	}
	return s.decided(journal.ActionRelease, reason, func(r *journal.Record) { r.Previous = nil })
}

// canReturn: Git wants the release that is kept, and it can serve at once.
func (s *stepper) canReturn() bool {
	p := s.Record.Previous
	return p != nil && p.Revision == s.Target.Revision && s.now.Before(p.Until) && s.stable != nil &&
		s.healthy(p.Revision) >= max(1, min(s.stable.ready, s.Target.Model.Replicas))
}

// healthy counts the replicas of a revision that could take requests.
func (s *stepper) healthy(revision string) (n int) {
	for i := range s.Containers {
		c := &s.Containers[i]
		if _, healthy := s.View.HealthyFor(c.ID, s.now); healthy && c.Revision == revision && routable(c) {
			n++
		}
	}
	return n
}

// returnTo goes back to the release that is kept: it has proven itself, so it is
// not analysed again.
func (s *stepper) returnTo() *journal.Entry {
	left := s.Record.Stable
	return s.decided(journal.ActionReturn, fmt.Sprintf("Git wants revision %s, which is still there: back at once", s.Target.Revision), func(r *journal.Record) {
		back := r.Previous.Release
		s.end(r, journal.FastRolledBack, left, "Git went back to "+back.Revision)
		r.Previous = s.kept(left)
		r.Stable, r.Rollout = &back, nil
	})
}

// kept is a release that was replaced a moment ago, or nil if it is not to be
// kept.
func (s *stepper) kept(release *journal.Release) *journal.Previous {
	if s.Target.Model.Rollout == nil || s.Target.Model.Rollout.KeepPrevious <= 0 || release == nil {
		return nil
	}
	return &journal.Previous{Release: *release, Until: s.now.Add(s.Target.Model.Rollout.KeepPrevious)}
}

// startRollout begins a rollout of what Git wants.
func (s *stepper) startRollout(reason string) *journal.Entry {
	return s.decided(journal.ActionStart, reason, func(r *journal.Record) {
		r.Rollout, r.Restarts = s.newRollout(), 0
	})
}

func (s *stepper) newRollout() *journal.Rollout {
	return &journal.Rollout{
		Candidate: *s.wanted(), Policy: PolicyOf(s.Target.Model), Started: s.now, Step: -1, StepSince: s.now, First: s.Record.Stable == nil,
	}
}

// underWay is for a model with a rollout.
func (s *stepper) underWay() *journal.Entry {
	r, ro := &s.Record, s.Record.Rollout
	want := s.Target.Revision
	switch {
	case r.Stable != nil && want == r.Stable.Revision:
		return s.abort(fmt.Sprintf("Git wants the stable revision %s again", want))
	case want != ro.Candidate.Revision && s.interruptible():
		return s.supersede()
	}
	return s.walk()
}

// abort ends a rollout without a verdict on the candidate.
func (s *stepper) abort(reason string) *journal.Entry {
	return s.decided(journal.ActionAbort, reason, func(r *journal.Record) {
		s.end(r, journal.Aborted, &r.Rollout.Candidate, reason)
		r.Rollout, r.Restarts = nil, 0
	})
}

// interruptible tells whether a newer revision takes the candidate's place now.
// One that waits for a person never blocks a fix.
func (s *stepper) interruptible() bool {
	ro := s.Record.Rollout
	if ro.First || ro.Held != "" || ro.Paused != nil || s.needsApproval() {
		return true
	}
	switch ro.Policy.Velocity {
	case spec.VelocityFinish:
		return false
	case spec.VelocityQueueLatest:
		return ro.Step < 0
	case spec.VelocityRestart:
	}
	return true
}

// supersede starts over with the newest revision. The original stable one stays,
// and nothing condemns the candidate that goes.
func (s *stepper) supersede() *journal.Entry {
	r := &s.Record
	want := s.Target.Revision
	switch {
	case r.Rejection(want) != nil:
		return s.abort(fmt.Sprintf("Git wants revision %s, which was rejected", want))
	case s.canReturn():
		return s.returnTo()
	case s.NoRoom != "":
		return s.abort(fmt.Sprintf("Git wants revision %s, for which there is no room", want))
	}
	reason := fmt.Sprintf("Git wants revision %s instead of %s", want, r.Rollout.Candidate.Revision)
	return s.decided(journal.ActionSupersede, reason, func(r *journal.Record) {
		s.end(r, journal.Superseded, &r.Rollout.Candidate, reason)
		r.Restarts++
		r.Rollout = s.newRollout()
	})
}

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

// fail ends a rollout against the candidate, or stops it, as the policy says. It
// waits where stable could not take the traffic: a way back that leads nowhere is
// none.
func (s *stepper) fail(cause journal.Cause, action spec.FailureAction, reason string) *journal.Entry {
	ro := s.Record.Rollout
	if s.stable != nil && s.stable.want > 0 && !s.servable(s.stable.target.Revision) && s.servable(ro.Candidate.Revision) {
		s.stranded = reason + "; not rolled back yet, because no replica of stable is ready"
		return nil
	}
	if action == spec.ActionHold {
		return s.decided(journal.ActionHold, reason, func(r *journal.Record) { r.Rollout.Held = reason })
	}
	return s.decided(journal.ActionRollback, reason, func(r *journal.Record) {
		s.end(r, journal.RolledBack, &ro.Candidate, reason)
		s.reject(r, cause, reason, journal.Daemon)
		r.Rollout, r.Restarts = nil, 0
	})
}

func (s *stepper) reject(r *journal.Record, cause journal.Cause, reason, actor string) {
	reject(r, r.Rollout.Candidate, cause, reason, actor, s.now)
}

// reject writes a release into the ledger.
func reject(r *journal.Record, release journal.Release, cause journal.Cause, reason, actor string, now time.Time) {
	entry := journal.Rejection{Release: release, Cause: cause, Reason: reason, Actor: actor, At: now}
	if ro := r.Rollout; ro != nil {
		entry.Step, entry.Weight = ro.Step, ro.Weight
		for _, c := range ro.Policy.Checks {
			if last := ro.Checks[c.Name].Last; last != nil {
				entry.Evidence = append(entry.Evidence, *last)
			}
		}
	}
	r.Rejected = slices.DeleteFunc(r.Rejected, func(j journal.Rejection) bool { return j.Revision == release.Revision })
	r.Rejected = append(r.Rejected, entry)
	if surplus := len(r.Rejected) - maxRejected; surplus > 0 {
		r.Rejected = slices.Delete(r.Rejected, 0, surplus)
	}
}

// maxRejected bounds the ledger of one model; the history has all of it.
const maxRejected = 100

// end notes how a rollout ended.
func (s *stepper) end(r *journal.Record, outcome journal.RolloutOutcome, release *journal.Release, reason string) {
	ended(r, outcome, release, reason, s.now)
}

func ended(r *journal.Record, outcome journal.RolloutOutcome, release *journal.Release, reason string, now time.Time) {
	started := now
	if r.Rollout != nil {
		started = r.Rollout.Started
	}
	r.Last = &journal.Ended{Outcome: outcome, Revision: release.Revision, Version: release.Version, Reason: reason, Started: started, At: now}
}

// decided makes the entry of a decision: change is done to a copy of the record.
func (s *stepper) decided(action journal.Action, reason string, change func(*journal.Record)) *journal.Entry {
	next := s.Record.Clone()
	if next.Rollout != nil {
		next.Rollout.Checks = maps.Clone(s.evidence)
	}
	if change != nil {
		change(&next)
	}
	return entry(s.Name, action, reason, &s.Record, &next, s.Commit, s.now)
}

// entry describes the way from one record to the next.
func entry(model string, action journal.Action, reason string, before, next *journal.Record, commit string, now time.Time) *journal.Entry {
	next.FormatVersion, next.Model, next.Since = journal.RecordFormat, model, now
	e := &journal.Entry{At: now, Action: action, Model: model, Commit: commit, Reason: reason, Actor: journal.Daemon, Record: next}
	e.From = leaving(before, next)
	switch {
	case next.Rollout != nil:
		e.To, e.Version, e.Weight = next.Rollout.Candidate.Revision, next.Rollout.Candidate.Version, next.Rollout.Weight
	case next.Stable != nil:
		e.To, e.Version = next.Stable.Revision, next.Stable.Version
		if action == journal.ActionPromote || action == journal.ActionReturn {
			e.Weight = 100
		}
	}
	if e.From == e.To {
		e.From = ""
	}
	return e
}

// leaving is the revision that a decision goes away from: the candidate where the
// decision ends or replaces it, else the stable one.
func leaving(before, next *journal.Record) string {
	left := before.Rollout != nil && (next.Rollout == nil || next.Rollout.Candidate.Revision != before.Rollout.Candidate.Revision)
	promoted := next.Stable != nil && (before.Stable == nil || before.Stable.Revision != next.Stable.Revision)
	switch {
	case left && !promoted:
		return before.Rollout.Candidate.Revision
	case before.Stable != nil:
		return before.Stable.Revision
	}
	return ""
}
