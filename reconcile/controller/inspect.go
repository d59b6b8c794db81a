package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// inspection is what is known of one start of a replica from talking to it.
type inspection struct {
	rollout.Inspection
	started  time.Time // which start
	underWay bool
	failures int // in a row
	retryAt  time.Time
}

// inspected is the outcome of one Verify or WarmUp.
type inspected struct {
	key     key
	id      string // of the container
	started time.Time
	verb    rollout.Verb
	err     error
}

// parallelTalks bounds the replicas that are talked to at one time. A warm-up
// takes as long as the model does, and must hold up neither the engine's commands
// nor, for ever, other models.
const parallelTalks = 8

// inspect begins what talks to replicas and does not act on the engine, and
// returns the commands that do. A replica is inspected beside them: while a
// candidate warms up, stable is healed all the same.
func (l *loop) inspect(o *object, commands []rollout.Command, now time.Time) []rollout.Command {
	var engine []rollout.Command
	for _, c := range commands {
		if c.Verb != rollout.Verify && c.Verb != rollout.WarmUp {
			engine = append(engine, c)
			continue
		}
		container := l.container(c.ContainerID)
		if container == nil {
			continue
		}
		i := o.inspections[c.ContainerID]
		if i == nil {
			i = &inspection{started: container.Started}
			o.inspections[c.ContainerID] = i
		}
		switch {
		case i.underWay:
		case now.Before(i.retryAt):
			o.wakeAt(i.retryAt)
		default:
			i.underWay = true
			l.talk(o, c, i.started)
		}
	}
	return engine
}

func (l *loop) talk(o *object, c rollout.Command, started time.Time) {
	result := inspected{key: o.key, id: c.ContainerID, started: started, verb: c.Verb}
	event := Event{Type: ActionStarted, Address: l.address(o), Verb: c.Verb, Name: c.Name, Message: c.Reason, Commit: l.desired.Commit.ID}
	spawn(l, l.inspected, func(ctx context.Context) inspected {
		if !acquire(ctx, l.talks) {
			result.err = ctx.Err()
			return result
		}
		defer func() { <-l.talks }()
		event.Time = time.Now()
		l.c.emit(event)
		ask := l.c.opts.Inspector.Verify
		if c.Verb == rollout.WarmUp {
			ask = l.c.opts.Inspector.WarmUp
		}
		err := ask(ctx, c.Address, c.Target.Model)
		event.Took, event.Time, event.Type = time.Since(event.Time), time.Now(), ActionDone
		if err != nil {
			err = fmt.Errorf("%s %s: %w", c.Verb, c.Name, err)
			event.Type, event.Err, event.Message = ActionFailed, err, err.Error()
		}
		result.err = err
		l.c.emit(event)
		return result
	})
}

func (l *loop) onInspected(r inspected) {
	o := l.objects[r.key]
	if o == nil {
		return
	}
	i := o.inspections[r.id]
	if i == nil || !i.started.Equal(r.started) {
		return // it is gone, or was started anew meanwhile
	}
	i.underWay, o.dirty = false, true
	switch {
	case r.err == nil:
		i.failures, i.retryAt, i.Trouble = 0, time.Time{}, ""
		i.Verified = true
		i.Warm = i.Warm || r.verb == rollout.WarmUp
	case errors.Is(r.err, reconcile.ErrContract):
		i.Broken = r.err.Error()
	default:
		i.failures++
		i.Trouble, i.retryAt = r.err.Error(), time.Now().Add(backoff(i.failures, maxRetry))
		o.wakeAt(i.retryAt)
	}
}

// inspected is what the next decision is told of replicas.
func (o *object) inspected() map[string]rollout.Inspection {
	found := make(map[string]rollout.Inspection, len(o.inspections))
	for id, i := range o.inspections {
		found[id] = i.Inspection
	}
	return found
}

// forgetInspections drops what was found about a start of a replica that is over.
func (o *object) forgetInspections() {
	for id, i := range o.inspections {
		same := func(c reconcile.Container) bool { return c.ID == id && c.Started.Equal(i.started) }
		if !slices.ContainsFunc(o.containers, same) {
			delete(o.inspections, id)
		}
	}
}

// seed takes over, once, what the daemon before this one found: a replica that
// the gateway gives requests has been inspected, and goes on getting them.
func (l *loop) seed() {
	if l.seeded || !l.seen || !l.view.Known {
		return
	}
	l.seeded = true
	warm := map[string]string{} // address by container id
	for _, m := range l.view.Table.Models {
		for _, rev := range m.Revisions {
			for _, r := range rev.Replicas {
				if !r.Cold && !r.Drain {
					warm[r.ID] = r.Address
				}
			}
		}
	}
	for _, o := range l.objects {
		for _, c := range o.containers {
			address := net.JoinHostPort(c.Address, strconv.Itoa(c.Port))
			if c.Kind == spec.KindModel && c.State == reconcile.StateRunning && warm[c.ID] == address && o.inspections[c.ID] == nil {
				o.inspections[c.ID] = &inspection{Inspection: rollout.Inspection{Verified: true, Warm: true}, started: c.Started}
				o.dirty = true
			}
		}
	}
}
