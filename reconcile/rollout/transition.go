package rollout

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
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
	if found == "" && (s.notYet() || s.Record.Rejection(s.Target.Revision) != nil) {
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
		Revision: t.Revision, Version: t.Model.Version, Commit: s.Commit, Include: s.Include, Image: t.Image.Ref, Inputs: t.Inputs, Health: t.Model.Health,
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
	if s.notYet() {
		return nil
	}
	return s.startRollout(fmt.Sprintf("Git wants revision %s", want))
}

// notYet: what Git wants cannot be started as things are.
func (s *stepper) notYet() bool { return s.NoRoom != "" || s.Lacks != "" }

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
		Stood: s.standing(s.Target.Revision),
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
	case s.Lacks != "":
		return s.abort(fmt.Sprintf("Git wants revision %s, and %s", want, s.Lacks))
	}
	reason := fmt.Sprintf("Git wants revision %s instead of %s", want, r.Rollout.Candidate.Revision)
	return s.decided(journal.ActionSupersede, reason, func(r *journal.Record) {
		s.end(r, journal.Superseded, &r.Rollout.Candidate, reason)
		r.Restarts++
		r.Rollout = s.newRollout()
	})
}
