package docker

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"

	"github.com/fairlead/fairlead/reconcile"
)

// Back-off between two attempts to open the stream of events.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
	// steady is how long a stream has to live before a break counts as a first one.
	steady = 10 * time.Second
)

// Events implements reconcile.Runtime.
func (r *Runtime) Events(ctx context.Context) reconcile.Hints {
	hints := make(chan struct{}, 1)
	go func() {
		defer close(hints)
		retry := firstRetry
		for ctx.Err() == nil {
			opened := time.Now()
			// Why it broke is nobody's business: whoever needs the engine calls it,
			// and gets the same error.
			_ = r.followEvents(ctx, hints)
			if time.Since(opened) > steady {
				retry = firstRetry
			}
			pause(ctx, retry/2+rand.N(retry))
			retry = min(2*retry, lastRetry)
		}
	}()
	return hints
}

// followEvents opens the stream and turns events into hints until it breaks.
func (r *Runtime) followEvents(ctx context.Context, hints chan<- struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := r.call(ctx, "ping the engine", queryLimit, r.connection.renew); err != nil {
		return err
	}
	filter := r.scopeFilter()
	filter.Add("type", string(events.ContainerEventType))
	messages, broken := r.connection.client().Events(ctx, events.ListOptions{Filters: filter})
	select {
	case err := <-broken:
		return err
	default:
	}
	// Whatever happened until now, nobody has told us. The stream is open: from
	// here on nothing is missed between an event and the list that follows.
	r.details.dropAll()
	wake(hints)
	for {
		select {
		case m := <-messages:
			if !telling(m.Action) {
				continue
			}
			r.details.drop(m.Actor.ID)
			wake(hints)
		case err := <-broken:
			return err
		}
	}
}

// telling tells whether an event says that a container changed. People and probes
// that look into one make events as well, some with a command after a colon.
func telling(action events.Action) bool {
	kind, _, _ := strings.Cut(string(action), ":")
	return !slices.Contains([]events.Action{
		events.ActionExecCreate, events.ActionExecStart, events.ActionExecDie, events.ActionExecDetach,
		events.ActionAttach, events.ActionDetach, events.ActionTop, events.ActionResize,
		events.ActionHealthStatus, events.ActionCopy, events.ActionExport, events.ActionCommit,
		events.ActionArchivePath, events.ActionExtractToDir,
	}, events.Action(kind))
}

// wake sends a hint without blocking: one that is pending says all there is.
func wake(hints chan<- struct{}) {
	select {
	case hints <- struct{}{}:
	default:
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
