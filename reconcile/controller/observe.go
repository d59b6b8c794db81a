package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// listed is the outcome of a list of everything.
type listed struct {
	containers []reconcile.Container
	err        error
	seq        uint64
	took       time.Duration
	engine     *reconcile.Engine // nil: it was not asked, or did not answer
}

// list asks for a list of everything, one at a time. Lists that follow each
// other closely wait, so that a storm of events costs a bounded share.
func (l *loop) list() {
	if l.listing || time.Now().Before(l.listedAt.Add(l.listPause())) {
		l.listAgain = true
		return
	}
	l.listing, l.listAgain = true, false
	seq, introduced := l.seq, l.room.engine != nil
	spawn(l, l.listed, func(ctx context.Context) listed {
		start := time.Now()
		containers, err := l.c.opts.Runtime.List(ctx, reconcile.Filter{})
		r := listed{containers: containers, err: err, seq: seq, took: time.Since(start)}
		if !introduced {
			if engine, err := l.c.opts.Runtime.Engine(ctx); err == nil {
				r.engine = &engine
			}
		}
		return r
	})
}

// listPause keeps lists below a tenth of the time that they take.
func (l *loop) listPause() time.Duration { return max(100*time.Millisecond, 10*l.lastList) }

// onListed takes a list in. Objects that finished acting since the list began keep
// what they know: they listed themselves, later.
func (l *loop) onListed(r listed) {
	now := time.Now()
	l.listing, l.listedAt, l.lastList = false, now, r.took
	l.nextList = now.Add(jittered(l.c.opts.Interval))
	l.engineAnswered(r.err)
	if r.err != nil {
		return
	}
	l.seen = true
	if r.engine != nil {
		l.room.engine = r.engine
		l.roomChanged()
	}
	l.emit(Event{Type: Resynced, Message: fmt.Sprintf("%d containers", len(r.containers)), Took: r.took})
	byKey := map[key][]reconcile.Container{}
	r.containers = l.observeSteps(r.containers)
	for i := range r.containers {
		k := l.keyOf(&r.containers[i])
		byKey[k] = append(byKey[k], r.containers[i])
	}
	for k := range byKey {
		l.object(k)
	}
	for k, o := range l.objects {
		if o.actedAt <= r.seq {
			l.observe(o, byKey[k])
		}
	}
	if l.pending != nil {
		s := *l.pending
		l.pending = nil
		l.onSynced(s)
	}
}

// observeSteps takes in the containers of pipeline runs, and returns the others.
func (l *loop) observeSteps(all []reconcile.Container) []reconcile.Container {
	var steps []reconcile.Container
	for i := range all {
		if all[i].Kind == spec.KindStep {
			steps = append(steps, all[i])
		}
	}
	others := all // with every look at the engine, so mostly without a copy
	if len(steps) > 0 {
		others = slices.DeleteFunc(slices.Clone(all), func(c reconcile.Container) bool { return c.Kind == spec.KindStep })
	}
	if !slices.Equal(l.steps, steps) {
		l.steps, l.planDirty = steps, true
		l.roomChanged()
	}
	return others
}

func (l *loop) engineAnswered(err error) {
	switch {
	case err != nil && l.status.Engine.Error == "":
		l.emit(Event{Type: EngineFailed, Message: err.Error(), Err: err})
		l.status.Engine.Error = err.Error()
	case err != nil:
		l.status.Engine.Error = err.Error()
	case l.status.Engine.Error != "":
		l.emit(Event{Type: EngineRecovered, Message: "the engine answers again"})
		l.status.Engine.Error = ""
	}
}

// keyOf is the object that a container belongs to.
func (l *loop) keyOf(c *reconcile.Container) key {
	if c.Kind == spec.KindGateway {
		return gatewayKey
	}
	if l.desired != nil {
		return key(l.desired.ModelOf(c))
	}
	return key(c.Model)
}

// observe takes in the containers of an object.
func (l *loop) observe(o *object, containers []reconcile.Container) {
	if slices.Equal(o.containers, containers) {
		return
	}
	for _, c := range o.containers {
		delete(l.owners, c.ID)
	}
	for _, c := range containers {
		l.owners[c.ID] = o.key
	}
	gone := func(id string) bool { return l.owners[id] != o.key }
	maps.DeleteFunc(o.failed, func(id string, _ int) bool { return gone(id) })
	maps.DeleteFunc(o.spoiled, func(id string, _ bool) bool { return gone(id) })
	o.containers, o.dirty = containers, true
	l.roomChanged()
	o.forgetInspections()
	o.countRestarts()
	l.touch()
	if o.key == gatewayKey {
		l.followGateway()
	}
}

func (l *loop) containers() []reconcile.Container { return slices.Concat(l.observed()...) }

// observed are the containers of every object. Each slice is what a list
// brought, and is never written to.
func (l *loop) observed() [][]reconcile.Container {
	all := make([][]reconcile.Container, 0, len(l.objects))
	for _, o := range l.objects {
		all = append(all, o.containers)
	}
	return all
}

// regroup sorts all containers anew, after moved blocks changed whose they are.
func (l *loop) regroup() {
	all := l.containers()
	byKey := map[key][]reconcile.Container{}
	for i := range all {
		byKey[l.keyOf(&all[i])] = append(byKey[l.keyOf(&all[i])], all[i])
	}
	for k := range byKey {
		l.object(k)
	}
	for k, o := range l.objects {
		l.observe(o, byKey[k])
	}
	for k, containers := range byKey {
		for _, c := range containers {
			l.owners[c.ID] = k
		}
	}
}

// onResults takes in what became of a job, and of all others that have ended
// meanwhile: a decision and a status for many cost little more than for one.
func (l *loop) onResults(r result) {
	for {
		l.onResult(r)
		select {
		case r = <-l.results:
		default:
			return
		}
	}
}

// onResult takes in what became of a job.
func (l *loop) onResult(r result) {
	o := l.object(r.key)
	l.seq++
	o.busy, o.dirty, o.actedAt = false, true, l.seq
	theirs := func(c reconcile.Container) bool { return l.keyOf(&c) != r.key } // moved meanwhile
	if r.listErr == nil && !slices.ContainsFunc(r.containers, theirs) {
		l.observe(o, r.containers)
	} else {
		l.list()
	}
	for id, err := range r.errs {
		if errors.Is(err, context.Canceled) { // by a newer commit: no failure
			delete(r.errs, id)
		}
	}
	o.err = firstError(r.errs)
	if o.err == nil {
		o.failures, o.retryAt = 0, time.Time{}
		clear(o.failed)
		return
	}
	o.failures++
	o.retryAt = time.Now().Add(backoff(o.failures, maxRetry))
	for id, err := range r.errs {
		if id == "" || errors.Is(err, reconcile.ErrUnavailable) {
			continue
		}
		o.failed[id]++
		if errors.Is(err, reconcile.ErrMustReplace) {
			o.spoiled[id] = true
		}
	}
}

// maxRetry bounds the wait after failures of one object.
const maxRetry = time.Minute
