package rollout

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
)

// Act is an order that a person gives about a model.
type Act struct {
	Kind   ActKind `json:"kind"`
	Model  string  `json:"model"`
	Actor  string  `json:"actor"`
	Reason string  `json:"reason"`
	// Revision is the one that the order is about, as the person saw it: the
	// candidate, for Undo the stable one, for Retry the rejected one. Step is the
	// index of the step that was shown. An order is refused when the model has
	// moved on.
	Revision string `json:"revision"`
	Step     int    `json:"step"`
	// Full makes Promote pass all steps and checks that are left.
	Full bool `json:"full,omitempty"`
}

// ActKind is what a person wants.
type ActKind string

// The kinds.
const (
	ActPromote ActKind = "promote"
	ActPause   ActKind = "pause"
	ActResume  ActKind = "resume"
	ActAbort   ActKind = "abort"
	ActRetry   ActKind = "retry"
	ActUndo    ActKind = "undo"
)

// ErrMovedOn: the model is not where the person saw it.
var ErrMovedOn = errors.New("the model has moved on")

// ErrImpossible: the order makes no sense where the model is.
var ErrImpossible = errors.New("the order is not possible now")

// Order judges an order and returns the entry to be journaled for it. The errors
// wrap ErrMovedOn or ErrImpossible, and say how things stand.
func Order(r journal.Record, a Act, commit string, now time.Time) (*journal.Entry, error) {
	if strings.TrimSpace(a.Actor) == "" || strings.TrimSpace(a.Reason) == "" {
		return nil, fmt.Errorf("%w: who gives it and why has to be said, for the journal", ErrImpossible)
	}
	o := ordering{act: a, record: r, next: r.Clone(), now: now}
	action, err := o.judge()
	if err != nil {
		return nil, err
	}
	e := entry(a.Model, action, a.Reason, &r, &o.next, commit, now)
	e.Actor = a.Actor
	return e, nil
}

// ordering is one call of Order.
type ordering struct {
	act    Act
	record journal.Record
	next   journal.Record
	now    time.Time
}

func (o *ordering) judge() (journal.Action, error) {
	switch o.act.Kind {
	case ActRetry:
		return o.retry()
	case ActUndo:
		return o.undo()
	case ActPromote, ActPause, ActResume, ActAbort:
	default:
		return "", fmt.Errorf("%w: there is no order %q", ErrImpossible, o.act.Kind)
	}
	if o.record.Rollout == nil {
		return "", fmt.Errorf("%w: no rollout of %s is under way", o.gone(), o.act.Model)
	}
	ro := o.next.Rollout
	if ro.Candidate.Revision != o.act.Revision {
		return "", fmt.Errorf("%w: the candidate of %s is %s now, not %s", ErrMovedOn, o.act.Model, ro.Candidate.Revision, o.act.Revision)
	}
	if ro.First {
		return "", fmt.Errorf("%w: this is the first deployment of %s; change it in Git", ErrImpossible, o.act.Model)
	}
	switch o.act.Kind {
	case ActPromote:
		return o.promote()
	case ActPause:
		return o.pause()
	case ActResume:
		return o.resume()
	case ActAbort, ActRetry, ActUndo:
	}
	ended(&o.next, journal.Aborted, &ro.Candidate, o.act.Reason, o.now)
	reject(&o.next, ro.Candidate, journal.CauseAborted, o.act.Reason, o.act.Actor, o.now)
	o.next.Rollout, o.next.Restarts = nil, 0
	return journal.ActionAbort, nil
}

// gone tells an order that came too late from one that never made sense.
func (o *ordering) gone() error {
	if last := o.record.Last; last != nil && last.Revision == o.act.Revision {
		return fmt.Errorf("%w (%s: %s)", ErrMovedOn, last.Outcome, last.Reason)
	}
	return ErrImpossible
}

// promote lets a step pass that waits for a person, or all of them.
func (o *ordering) promote() (journal.Action, error) {
	ro := o.next.Rollout
	if o.act.Full {
		ro.Promoting, ro.Forced, ro.Held, ro.Paused, ro.StepSince = true, true, "", nil, o.now
		return journal.ActionApprove, nil
	}
	switch {
	case ro.Step != o.act.Step:
		return "", fmt.Errorf("%w: it is in step %d now, not %d", ErrMovedOn, ro.Step+1, o.act.Step+1)
	case ro.Paused != nil:
		return "", fmt.Errorf("%w: it is paused; resume it first", ErrImpossible)
	case ro.Held != "":
		return "", fmt.Errorf("%w: it stands because %s; --full promotes it all the same", ErrImpossible, ro.Held)
	case ro.Step < 0 || ro.Promoting || !ro.Policy.Steps[ro.Step].Approval:
		return "", fmt.Errorf("%w: it waits for no approval; --full promotes it past steps and checks", ErrImpossible)
	case ro.Approved > ro.Step:
		return "", fmt.Errorf("%w: step %d is approved already", ErrImpossible, ro.Step+1)
	}
	approve(ro, o.now)
	return journal.ActionApprove, nil
}

// approve lets the step pass. The time until now was for the person: a deadline counts
// from here.
func approve(ro *journal.Rollout, now time.Time) {
	ro.Approved = ro.Step + 1
	if hold := ro.Policy.Steps[ro.Step].Hold; now.After(ro.StepSince.Add(hold)) {
		ro.StepSince = now.Add(-hold)
	}
}

func (o *ordering) pause() (journal.Action, error) {
	ro := o.next.Rollout
	if ro.Paused != nil {
		return "", fmt.Errorf("%w: %s has paused it already: %s", ErrImpossible, ro.Paused.Actor, ro.Paused.Reason)
	}
	ro.Paused = &journal.Pause{Since: o.now, Actor: o.act.Actor, Reason: o.act.Reason}
	return journal.ActionPause, nil
}

// resume goes on. The pause counts neither for a hold nor for a deadline.
func (o *ordering) resume() (journal.Action, error) {
	ro := o.next.Rollout
	if ro.Paused == nil {
		return "", fmt.Errorf("%w: it is not paused", ErrImpossible)
	}
	ro.StepSince = ro.StepSince.Add(max(o.now.Sub(ro.Paused.Since), 0))
	ro.Paused = nil
	return journal.ActionResume, nil
}

// retry clears a rejection, or lets a rollout that stands start over.
func (o *ordering) retry() (journal.Action, error) {
	if ro := o.next.Rollout; ro != nil && ro.Held != "" && !ro.First && ro.Candidate.Revision == o.act.Revision {
		ro.Held, ro.Step, ro.Weight, ro.Approved = "", -1, 0, 0
		ro.Promoting, ro.Forced, ro.Paused = false, false, nil
		ro.Stood = nil
		for step := range ro.Policy.Steps { // what was approved before was not this
			ro.Stood = append(ro.Stood, step+1)
		}
		ro.Checks, ro.Started, ro.StepSince = map[string]judge.Evidence{}, o.now, o.now
		return journal.ActionRetry, nil
	}
	if o.record.Rejection(o.act.Revision) == nil {
		return "", fmt.Errorf("%w: revision %s of %s is not rejected", ErrImpossible, o.act.Revision, o.act.Model)
	}
	var kept []journal.Rejection
	for _, r := range o.next.Rejected {
		if r.Revision != o.act.Revision {
			kept = append(kept, r)
		}
	}
	o.next.Rejected = kept
	return journal.ActionRetry, nil
}

// undo goes back to the release before, at once. What is left is rejected, else
// it would be rolled out again: Git still wants it.
func (o *ordering) undo() (journal.Action, error) {
	r := &o.record
	switch {
	case r.Stable == nil:
		return "", fmt.Errorf("%w: nothing of %s was ever promoted", ErrImpossible, o.act.Model)
	case r.Stable.Revision != o.act.Revision:
		return "", fmt.Errorf("%w: %s serves now, not %s", ErrMovedOn, r.Stable.Revision, o.act.Revision)
	case r.Previous == nil:
		return "", fmt.Errorf("%w: the release before %s is kept no longer; revert the commit in Git", ErrImpossible, r.Stable.Revision)
	}
	left, back := *r.Stable, r.Previous.Release
	ended(&o.next, journal.FastRolledBack, &left, o.act.Reason, o.now)
	o.next.Rollout = nil
	reject(&o.next, left, journal.CauseUndone, o.act.Reason, o.act.Actor, o.now)
	o.next.Stable, o.next.Previous, o.next.Restarts = &back, nil, 0
	return journal.ActionReturn, nil
}
