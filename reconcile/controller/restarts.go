package controller

import (
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// restarts counts how often replicas of one revision were started again, by the
// engine, by Fairlead or by hand. It only goes up, also when a container that was
// restarted is removed.
type restarts struct {
	total int
	seen  map[string]start // by container id
}

// start is one start of a container.
type start struct {
	at time.Time
	n  int // restarts that the engine counts
}

// countRestarts compares the containers of an object with those that were seen
// before. An engine that starts a container by order sets its own count back.
func (o *object) countRestarts() {
	for _, c := range o.containers {
		r := o.restarts[c.Revision]
		if r == nil {
			r = &restarts{seen: map[string]start{}}
			o.restarts[c.Revision] = r
		}
		before, known := r.seen[c.ID]
		switch {
		case !known:
			r.total += c.Restarts
		case c.Restarts > before.n:
			r.total += c.Restarts - before.n
		case !before.at.IsZero() && c.Started.After(before.at):
			r.total++
		}
		r.seen[c.ID] = start{c.Started, c.Restarts}
	}
	for revision, r := range o.restarts {
		for id := range r.seen {
			if !slices.ContainsFunc(o.containers, func(c reconcile.Container) bool { return c.ID == id }) {
				delete(r.seen, id)
			}
		}
		if !slices.ContainsFunc(o.containers, func(c reconcile.Container) bool { return c.Revision == revision }) {
			delete(o.restarts, revision)
		}
	}
}
