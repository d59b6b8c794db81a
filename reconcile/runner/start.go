package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// maxQueued bounds the runs of one pipeline that wait.
const maxQueued = 10

// trigger starts what is due, and says when to ask again. Of a thousand pipelines only
// those are looked at whose time has come, or about which something changed.
func (l *loop) trigger(now time.Time) (wake time.Time) {
	l.peek(now)
	for _, p := range l.wanted.Config.Pipelines {
		next, looked := l.next[p.Name]
		if !looked || !next.IsZero() && !now.Before(next) {
			delete(l.next, p.Name)
			next = l.look(p, now)
			l.next[p.Name] = next
		}
		wake = earlier(wake, next)
	}
	return wake
}

// look starts a run of a pipeline if one is due, and says when one will be by its
// schedule.
func (l *loop) look(p *spec.Pipeline, now time.Time) (next time.Time) {
	record := l.records[p.Name]
	// The clock was wrong once: without this nothing would fire until then.
	ahead := record.Fired.After(now.Add(time.Hour))
	if text := scheduleText(p.Schedule); text != record.Schedule || ahead {
		record.Schedule, record.Fired = text, now
		reason := text
		switch {
		case ahead:
			reason += fmt.Sprintf(", from now on: the last time was noted as %s, which is still to come", l.records[p.Name].Fired.UTC().Format(time.RFC3339))
		case text == "":
			reason = "none any more"
		}
		if !l.append(p.Name, journal.Entry{Action: journal.ActionSchedule, Commit: l.commit(), Reason: reason}, record, now) {
			return now.Add(maxRetry)
		}
	}
	cause, start, next, err := due(moment{pipeline: p, record: record, fingerprint: l.prints[p.Name], digests: l.digests(), now: now})
	switch {
	case err != nil:
		l.problems[p.Name] = err.Error()
		return time.Time{}
	case start:
		l.triggered(p, cause, now)
		return now.Add(l.opts.Interval) // when its run has begun, it is looked at anew
	default:
		return next
	}
}

// earlier is the first of two times, where zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// triggered starts a run for a cause that came by itself, as the concurrency of the
// pipeline allows. The same cause waits only once.
func (l *loop) triggered(p *spec.Pipeline, cause run.Cause, now time.Time) {
	var current, queued []*active
	for _, a := range l.active {
		switch {
		case a.run.Pipeline != p.Name:
		case a.run.Phase == run.Queued:
			queued = append(queued, a)
		default:
			current = append(current, a)
		}
	}
	for _, a := range slices.Concat(current, queued) {
		if sameCause(a.run, cause, l.prints[p.Name]) {
			return
		}
	}
	if slices.ContainsFunc(queued, func(a *active) bool { return a.run.Trigger.Kind != spec.TriggerManual }) {
		return // it will see what is new
	}
	if len(current) > 0 {
		switch p.Concurrency {
		case spec.RunQueue:
		case spec.RunSkip:
			l.skip(p, cause, now)
			return
		case spec.RunReplace:
			for _, a := range current {
				if a.cancel == nil {
					a.cancel = &run.Order{Actor: journal.Daemon, Reason: "replaced: " + cause.Reason, At: now}
					a.dirty = true
				}
			}
		}
	}
	if _, err := l.create(p, cause, nil, false, now); err != nil {
		l.problems[p.Name] = err.Error()
	}
}

// skip notes that a cause is dealt with, although nothing starts for it.
func (l *loop) skip(p *spec.Pipeline, cause run.Cause, now time.Time) {
	record := l.records[p.Name]
	if cause.Kind == spec.TriggerSchedule {
		record.Fired = cause.Scheduled
	}
	record.Fingerprint, record.Datasets = l.prints[p.Name], l.seen(p, record.Datasets)
	l.append(p.Name, journal.Entry{Action: journal.ActionSchedule, Commit: l.commit(), Reason: "skipped, as a run is under way: " + cause.Reason}, record, now)
}

// sameCause tells whether a run was started for this.
func sameCause(r *run.Run, c run.Cause, fingerprint string) bool {
	if r.Trigger.Kind != c.Kind {
		return c.Kind == spec.TriggerChange && r.Fingerprint == fingerprint
	}
	switch c.Kind {
	case spec.TriggerSchedule:
		return r.Trigger.Scheduled.Equal(c.Scheduled)
	case spec.TriggerChange:
		return r.Fingerprint == fingerprint
	case spec.TriggerDataset:
		return r.Trigger.Dataset == c.Dataset && r.Trigger.Reason == c.Reason
	default:
		return false
	}
}

func (l *loop) commit() string {
	if l.wanted == nil {
		return ""
	}
	return l.wanted.Tree.Commit().ID
}

// commitOf is the commit that declares a pipeline: of an included repo, where one does.
func (l *loop) commitOf(pipeline string) string {
	if l.wanted == nil {
		return ""
	}
	return l.wanted.commitOf(pipeline)
}

// create makes a run and queues it.
func (l *loop) create(p *spec.Pipeline, cause run.Cause, params map[string]any, fresh bool, now time.Time) (*run.Run, error) {
	r, err := run.New(l.nextID(p.Name), p, params, now)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	r.Commit, r.Fingerprint, r.Fresh = l.commitOf(p.Name), l.prints[p.Name], fresh
	return r, l.enqueue(r, cause)
}

func (l *loop) enqueue(r *run.Run, cause run.Cause) error {
	waiting := 0
	for _, a := range l.active {
		if a.run.Pipeline == r.Pipeline && a.run.Phase == run.Queued {
			waiting++
		}
	}
	if waiting >= maxQueued {
		return fmt.Errorf("%w: %d runs of %s wait already; cancel some: fairlead pipeline cancel RUN", ErrRefused, waiting, r.Pipeline)
	}
	r.Environment, r.Trigger, r.Phase = l.opts.Scope.Environment, cause, run.Queued
	a := l.add(r)
	if l.first(a) {
		r.Phase = run.Preparing
	}
	if err := l.opts.Store.Save(l.ctx, r); err != nil {
		delete(l.active, r.ID)
		return fmt.Errorf("store run %s: %w", r.ID, err)
	}
	return nil
}

// nextID is one above every number that was ever given, as far as anything tells.
func (l *loop) nextID(pipeline string) string {
	newest := max(l.records[pipeline].Number, l.numbers[pipeline])
	if l.wanted != nil {
		for _, v := range l.wanted.Config.Versions {
			if v.Pipeline == pipeline {
				newest = max(newest, number(v.Run))
			}
		}
	}
	l.numbers[pipeline] = newest + 1
	return pipeline + "-" + strconv.Itoa(newest+1)
}

// informed refuses what cannot be told before Git was read.
func (l *loop) informed() error {
	if l.wanted == nil {
		return fmt.Errorf("%w: the daemon has only begun and does not know yet what Git wants; try again in a moment", ErrRefused)
	}
	return nil
}

// Start starts a run, or queues it behind the one under way.
func (r *Runner) Start(ctx context.Context, o StartOrder) (*run.Run, error) {
	var started *run.Run
	err := r.do(ctx, func(l *loop) error {
		if err := l.informed(); err != nil {
			return err
		}
		p := l.pipeline(o.Pipeline)
		if p == nil {
			return fmt.Errorf("%w: pipeline %q is not declared in %s", ErrUnknown, o.Pipeline, l.opts.Scope.Environment)
		}
		kind := o.Kind
		if kind == "" {
			kind = spec.TriggerManual
		}
		if kind == spec.TriggerDrift && !has(p, spec.TriggerDrift) {
			return fmt.Errorf("%w: pipeline %s is not started by drift; say so in Git: on = [drift]", ErrRefused, p.Name)
		}
		made, err := l.create(p, run.Cause{Kind: kind, Actor: o.Actor, Reason: o.Reason}, o.Params, o.Fresh, time.Now())
		if err != nil {
			return err
		}
		started = made.Clone()
		return nil
	})
	return started, err
}

// Resume goes on with a run that ended without success.
func (r *Runner) Resume(ctx context.Context, o ResumeOrder) (*run.Run, error) {
	return r.resume(ctx, o, nil)
}

func (r *Runner) resume(ctx context.Context, o ResumeOrder, change func(*run.Run)) (*run.Run, error) {
	old, err := r.Run(ctx, o.Run)
	if err != nil {
		return nil, err
	}
	if old.Phase != run.Done {
		return nil, fmt.Errorf("%w: run %s has not ended yet; it is %s", ErrRefused, old.ID, old.Phase)
	}
	if old.Outcome == run.Succeeded {
		return nil, fmt.Errorf("%w: run %s has succeeded, so there is nothing to go on with; start a new one: fairlead pipeline run %s", ErrRefused, old.ID, old.Pipeline)
	}
	var started *run.Run
	err = r.do(ctx, func(l *loop) error {
		p := l.pipeline(old.Pipeline)
		if p == nil {
			return fmt.Errorf("%w: pipeline %s is not in Git any more", ErrRefused, old.Pipeline)
		}
		made, err := run.Resumed(l.nextID(old.Pipeline), old, o.Params, time.Now())
		if err != nil {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
		if made.Reproduces == "" { // what may be published is for Git to say, as it is now
			made.Definition.Gates, made.Definition.Publish = p.Gates, p.Publish
		}
		if change != nil {
			change(made)
		}
		made.Fingerprint = l.records[old.Pipeline].Fingerprint // of the newest run: this one is not new
		if err := l.enqueue(made, run.Cause{Kind: spec.TriggerManual, Actor: o.Actor, Reason: o.Reason, Resumes: old.ID}); err != nil {
			return err
		}
		started = made.Clone()
		return nil
	})
	return started, err
}

// Cancel ends a run that has not ended.
func (r *Runner) Cancel(ctx context.Context, o CancelOrder) error {
	return r.do(ctx, func(l *loop) error {
		a := l.active[o.Run]
		if a == nil {
			if _, err := l.opts.Store.Load(ctx, o.Run); errors.Is(err, run.ErrNoRun) {
				return fmt.Errorf("%w: %s", ErrUnknown, o.Run)
			}
			return fmt.Errorf("%w: run %s has ended already", ErrRefused, o.Run)
		}
		if a.cancel == nil {
			a.cancel = &run.Order{Actor: o.Actor, Reason: o.Reason, At: time.Now()}
		}
		a.dirty = true
		return nil
	})
}

// Override lets a soft gate pass that denied a run: a run that goes on with it, with
// everything that had succeeded taken from the cache, judges the gates again.
func (r *Runner) Override(ctx context.Context, o OverrideOrder) (*run.Run, error) {
	if o.Reason == "" {
		return nil, fmt.Errorf("%w: an override needs a reason, which the journal keeps", ErrRefused)
	}
	old, err := r.Run(ctx, o.Run)
	if err != nil {
		return nil, err
	}
	words, err := overrides(old, o)
	if err != nil {
		return nil, err
	}
	err = r.do(ctx, func(l *loop) error {
		record := l.records[old.Pipeline]
		e := journal.Entry{Action: journal.ActionOverride, Run: old.ID, Commit: old.Commit, Actor: o.Actor, To: o.Gate, Reason: o.Reason}
		if !l.append(old.Pipeline, e, record, time.Now()) {
			return errors.New(l.problems[old.Pipeline])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r.resume(ctx, ResumeOrder{Run: old.ID, Actor: o.Actor, Reason: "gate " + o.Gate + " is overridden: " + o.Reason}, func(next *run.Run) {
		if next.Overrides == nil {
			next.Overrides = map[string]gate.Override{}
		}
		maps.Copy(next.Overrides, words)
	})
}

// overrides are a person's words about every soft condition of that name that denied a
// run: about what was found there, and nothing else.
func overrides(old *run.Run, o OverrideOrder) (map[string]gate.Override, error) {
	words := map[string]gate.Override{}
	known, hard := false, false
	for i := range old.Gates {
		g := &old.Gates[i]
		if g.Name != o.Gate {
			continue
		}
		known = true
		switch {
		case !g.Denies():
		case g.Level != spec.LevelSoft:
			hard = true
		default:
			words[g.ID()] = gate.Override{Actor: o.Actor, Reason: o.Reason, Detail: g.Detail}
		}
	}
	switch {
	case !known:
		return nil, fmt.Errorf("%w: run %s has no gate %q", ErrUnknown, old.ID, o.Gate)
	case old.Outcome != run.Denied:
		return nil, fmt.Errorf("%w: run %s was not denied", ErrRefused, old.ID)
	case hard:
		return nil, fmt.Errorf("%w: gate %s is hard; only soft ones can be overridden", ErrRefused, o.Gate)
	case len(words) == 0:
		return nil, fmt.Errorf("%w: gate %s did not deny run %s", ErrRefused, o.Gate, old.ID)
	}
	return words, nil
}
