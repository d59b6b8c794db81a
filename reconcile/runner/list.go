package runner

import (
	"context"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// relist asks the engine again about every run that has containers.
func (l *loop) relist() {
	for _, a := range l.active {
		if a.run.Active() > 0 {
			l.list(a)
		}
	}
}

// list asks the engine for the containers of a run.
func (l *loop) list(a *active) {
	if a.list.flying {
		a.list.again = true
		return
	}
	a.list.flying, a.list.again, a.list.askedAt = true, false, time.Now()
	began := time.Now()
	id := a.run.ID
	l.work(func(ctx context.Context) func(*loop) {
		containers, err := l.opts.Runtime.List(ctx, reconcile.Filter{Run: id})
		return func(l *loop) {
			a.list.flying = false
			if err == nil {
				a.list.known, a.list.at, a.list.containers = true, began, containers
				a.dirty = true
			}
			if a.list.again && l.active[id] == a {
				l.list(a)
			}
		}
	})
}
