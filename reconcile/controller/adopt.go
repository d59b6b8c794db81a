package controller

import (
	"fmt"
	"maps"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/spec"
)

// onSynced takes in what the source brought.
func (l *loop) onSynced(s synced) {
	if s.desired != nil && !l.seen {
		l.pending = &s // the guard compares with what runs: wait for the first list
		return
	}
	if s.desired != nil && !s.kept {
		err := l.guard(&s)
		s.accepted <- err
		switch {
		case err != nil:
			s.desired, s.err, s.loadErr = nil, err, true
		case !s.again:
			return // it comes once more when it is stored
		}
	}
	if s.again && s.desired != nil {
		l.adopt(s.desired)
		return
	}
	l.noteSource(&s)
	if s.desired == nil {
		return
	}
	l.adopt(s.desired)
	l.emit(Event{Type: CommitAccepted, Commit: s.commit.ID, Message: commitText(s.commit, s.stale)})
}

func commitText(c spec.Commit, stale bool) string {
	text := "following " + c.Short()
	if c.Subject != "" {
		text += fmt.Sprintf(" (%s)", c.Subject)
	}
	if stale {
		text += ", the last good revision"
	}
	return text
}

func (l *loop) guard(s *synced) error {
	p := plan.Diff(s.desired, &plan.Observed{Containers: l.containers(), View: l.view}, time.Now())
	return plan.Guard(p, s.desired, l.c.opts.Limits)
}

// adopt makes d what should run. Only objects that it changes are decided anew,
// and their failures are forgiven: a newer commit overtakes a failing one. An approval
// changes nothing about its model, and may be what that waits for.
func (l *loop) adopt(d *reconcile.Desired) {
	moved := l.desired == nil && len(d.MovedFrom) > 0 || l.desired != nil && !maps.Equal(l.desired.MovedFrom, d.MovedFrom)
	l.desired = d
	l.touch()
	l.roomChanged()
	if moved {
		l.regroup()
	}
	l.object(gatewayKey).dirty = true
	for name := range d.Targets {
		l.object(key(name))
	}
	for name := range d.Unbound {
		l.object(key(name))
	}
	for k, o := range l.objects {
		t := d.Targets[string(k)]
		if o.target == t && t != nil {
			continue
		}
		if o.busy && k != gatewayKey {
			o.cancel() // what is under way is for a commit that is overtaken
		}
		o.target, o.dirty = t, true
		if t != nil {
			o.bound = t
		}
		o.failures, o.err, o.retryAt = 0, nil, time.Time{}
		if o.supply.trouble() != nil {
			o.supply = nil
		}
	}
	for _, a := range d.Config.Approvals {
		if o := l.objects[key(a.Model)]; o != nil {
			o.dirty = true
		}
	}
}
