package rollout

import (
	"maps"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

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
