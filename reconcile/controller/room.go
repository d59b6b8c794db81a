package controller

import (
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/capacity"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// room is what the engine has room for.
type room struct {
	engine  *reconcile.Engine // nil: it was not asked yet
	known   bool              // refused is up to date
	refused map[string]string // why a model's next revision cannot start, by served name
}

// host is what the engine has to give; the zero Host is not checked.
func (l *loop) host() capacity.Host {
	if l.room.engine == nil || l.c.opts.Host == nil {
		return capacity.Host{}
	}
	return l.c.opts.Host(*l.room.engine)
}

// noRoom says why the next revision of a model cannot start; "" if it can, or if
// there is none.
func (l *loop) noRoom(o *object) string {
	t := l.desired.Targets[string(o.key)]
	if t == nil || l.complete(o, t) {
		return ""
	}
	if !l.room.known {
		l.room.refused, l.room.known = capacity.Check(l.host(), l.desired, append(l.containers(), l.steps...), l.openRecords()), true
	}
	return l.room.refused[string(o.key)]
}

// complete: what Git wants is stable, and all of it is there.
func (l *loop) complete(o *object, t *reconcile.Target) bool {
	n := 0
	for i := range o.containers {
		if c := &o.containers[i]; c.Revision == t.Revision && c.State != reconcile.StateRemoving {
			n++
		}
	}
	stable := o.ledger.record.Stable
	return stable != nil && stable.Revision == t.Revision && n >= t.Model.Replicas
}

// roomChanged: something that takes room came or went. Who was refused may fit
// now.
func (l *loop) roomChanged() {
	l.room.known = false
	for name := range l.room.refused {
		if o := l.objects[key(name)]; o != nil {
			o.dirty = true
		}
	}
}

// openRecords are those that say more than that what Git wants is stable.
func (l *loop) openRecords() map[string]journal.Record {
	open := map[string]journal.Record{}
	for k, o := range l.objects {
		r, t := &o.ledger.record, l.desired.Targets[string(k)]
		if r.Rollout != nil || r.Previous != nil || r.Stable != nil && t != nil && r.Stable.Revision != t.Revision {
			open[string(k)] = *r
		}
	}
	return open
}
