package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// loop owns all state of a Controller. Everything in it runs on one goroutine;
// what others found out comes in through its channels.
type loop struct {
	c     *Controller
	ctx   context.Context
	wg    *sync.WaitGroup
	actor *actor

	synced  chan synced
	listed  chan listed
	heard   chan heard
	results chan result
	events  chan struct{}

	desired *reconcile.Desired
	pending *synced // accepted content that waits for a first look at the engine
	objects map[key]*object
	owners  map[string]key // container id -> object
	view    reconcile.RouterView
	// What a plan and the routing table are made of changed, since the one was
	// offered and the other was in force.
	planDirty, tableDirty bool

	gateway    reconcile.Container // that is listened to; zero if none runs
	endpoint   string              // of its admin listener
	gatewaySeq uint64              // counts starts of gateways
	stopListen context.CancelFunc
	pushing    bool
	pushedAt   time.Time
	pushErr    error
	// pushRetryAt is when a failed push is tried again; zero if none failed.
	pushRetryAt  time.Time
	pushFailures int

	listing   bool
	listAgain bool
	listedAt  time.Time
	nextList  time.Time
	lastList  time.Duration
	seq       uint64 // counts finished jobs, to tell stale lists
	seen      bool   // the engine was listed at least once

	status Status
}

// listed is the outcome of a list of everything.
type listed struct {
	containers []reconcile.Container
	err        error
	seq        uint64
	took       time.Duration
}

func newLoop(ctx context.Context, c *Controller, wg *sync.WaitGroup) *loop {
	l := &loop{
		c: c, ctx: ctx, wg: wg,
		synced: make(chan synced), listed: make(chan listed), heard: make(chan heard), results: make(chan result),
		events:  make(chan struct{}, 1),
		objects: map[key]*object{}, owners: map[string]key{},
		status: *c.Status(), stopListen: func() {},
	}
	l.actor = &actor{runtime: c.opts.Runtime, slots: make(chan struct{}, max(c.opts.Parallel, 1)), emit: c.emit}
	return l
}

func (c *Controller) emit(e Event) {
	if c.opts.OnEvent != nil {
		c.opts.OnEvent(e)
	}
}

func (l *loop) emit(e Event) {
	e.Time = time.Now()
	l.c.emit(e)
}

// watchEvents passes the engine's hints on.
func (l *loop) watchEvents(ctx context.Context) {
	for range l.c.opts.Runtime.Events(ctx) {
		select {
		case l.events <- struct{}{}:
		default:
		}
	}
}

// run is observe and decide, until ctx ends or done says so.
func (l *loop) run(ctx context.Context, done func(*Status) bool) {
	l.list()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		l.decide(time.Now())
		if done != nil && done(l.c.Status()) {
			return
		}
		timer.Reset(time.Until(l.nextWake(time.Now())))
		select {
		case <-ctx.Done():
			return
		case s := <-l.synced:
			l.onSynced(s)
		case r := <-l.listed:
			l.onListed(r)
		case h := <-l.heard:
			l.onHeard(h)
		case r := <-l.results:
			l.onResults(r)
		case <-l.events:
			l.list()
		case <-timer.C:
			l.onTimer(time.Now())
		}
	}
}

// go runs f beside the loop and hands its value back.
func spawn[T any](l *loop, out chan<- T, f func(ctx context.Context) T) {
	l.wg.Go(func() {
		v := f(l.ctx)
		select {
		case out <- v:
		case <-l.ctx.Done():
		}
	})
}

// list asks for a list of everything, one at a time. Lists that follow each
// other closely wait, so that a storm of events costs a bounded share.
func (l *loop) list() {
	if l.listing || time.Now().Before(l.listedAt.Add(l.listPause())) {
		l.listAgain = true
		return
	}
	l.listing, l.listAgain = true, false
	seq := l.seq
	spawn(l, l.listed, func(ctx context.Context) listed {
		start := time.Now()
		containers, err := l.c.opts.Runtime.List(ctx, reconcile.Filter{})
		return listed{containers, err, seq, time.Since(start)}
	})
}

// listPause keeps lists below a tenth of the time that they take.
func (l *loop) listPause() time.Duration { return max(100*time.Millisecond, 10*l.lastList) }

// onListed takes a list in. Objects that acted since the list began keep what
// they know: they listed themselves, later.
func (l *loop) onListed(r listed) {
	now := time.Now()
	l.listing, l.listedAt, l.lastList = false, now, r.took
	l.nextList = now.Add(jittered(l.c.opts.Interval))
	l.engineAnswered(r.err)
	if r.err != nil {
		return
	}
	l.seen = true
	l.emit(Event{Type: Resynced, Message: fmt.Sprintf("%d containers", len(r.containers)), Took: r.took})
	byKey := map[key][]reconcile.Container{}
	for i := range r.containers {
		k := l.keyOf(&r.containers[i])
		byKey[k] = append(byKey[k], r.containers[i])
	}
	for k := range byKey {
		l.object(k)
	}
	for k, o := range l.objects {
		if !o.busy && o.actedAt <= r.seq {
			l.observe(o, byKey[k])
		}
	}
	if l.pending != nil {
		s := *l.pending
		l.pending = nil
		l.onSynced(s)
	}
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

func (l *loop) object(k key) *object {
	o := l.objects[k]
	if o == nil {
		o = &object{key: k, failed: map[string]int{}, spoiled: map[string]bool{}, dirty: true}
		l.objects[k] = o
	}
	return o
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
	l.touch()
	if o.key == gatewayKey {
		l.followGateway()
	}
}

// followGateway notices when another gateway runs than before, or the same one
// was started anew, and listens to that.
func (l *loop) followGateway() {
	var running reconcile.Container
	for _, c := range l.objects[gatewayKey].containers {
		if c.State == reconcile.StateRunning && c.Address != "" {
			running = c
		}
	}
	if running.ID == l.gateway.ID && running.Started.Equal(l.gateway.Started) && running.Address == l.gateway.Address {
		return
	}
	l.stopListen()
	l.gateway, l.endpoint = running, ""
	l.gatewaySeq++
	l.loseGateway()
	if running.ID == "" {
		return
	}
	l.endpoint = net.JoinHostPort(running.Address, strconv.Itoa(reconcile.GatewayAdminPort))
	ctx, cancel := context.WithCancel(l.ctx)
	l.stopListen = cancel
	r := &reporter{router: l.c.opts.Router, endpoint: l.endpoint, gateway: l.gatewaySeq, out: l.heard}
	l.wg.Go(func() { r.run(ctx) })
}

func (l *loop) loseGateway() {
	if l.view.Known {
		l.view.Known = false
		l.touch()
		l.dirtyAll()
	}
}

func (l *loop) touch() { l.planDirty, l.tableDirty = true, true }

func (l *loop) dirtyAll() {
	for _, o := range l.objects {
		o.dirty = true
	}
}

// onSynced takes in what the source brought.
func (l *loop) onSynced(s synced) {
	if s.desired != nil && !l.seen {
		l.pending = &s // the guard compares with what runs: wait for the first list
		return
	}
	l.noteSource(&s)
	if s.desired == nil {
		return
	}
	err := l.guard(&s)
	s.accepted <- err
	if err != nil {
		l.status.Source.Error = err.Error()
		l.emit(Event{Type: CommitRefused, Commit: s.commit.ID, Message: err.Error(), Err: err})
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

// adopt makes d what should run. Only objects that it changes are decided anew,
// and their failures are forgiven: a newer commit overtakes a failing one.
func (l *loop) adopt(d *reconcile.Desired) {
	moved := l.desired == nil && len(d.MovedFrom) > 0 || l.desired != nil && !maps.Equal(l.desired.MovedFrom, d.MovedFrom)
	l.desired = d
	l.touch()
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
		o.target, o.dirty = t, true
		o.failures, o.err, o.retryAt = 0, nil, time.Time{}
	}
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

// onHeard takes in what the gateway said.
func (l *loop) onHeard(h heard) {
	if h.pushed {
		l.pushing = false
		l.pushErr = h.err
		l.pushedAt = time.Now()
		if h.err != nil {
			l.pushFailures++
			l.pushRetryAt = time.Now().Add(backoff(l.pushFailures, 30*time.Second))
		} else {
			l.pushFailures, l.pushRetryAt = 0, time.Time{}
			l.emit(Event{Type: TablePushed, Message: fmt.Sprintf("the gateway routes by table %d", h.table.Version)})
		}
	}
	if h.gateway != l.gatewaySeq || !h.pushed && h.err == nil && h.at.Before(l.pushedAt) {
		return // of a gateway that was, or from before the table in force
	}
	if h.err != nil {
		if l.status.Gateway.Error == "" && l.view.Known {
			l.emit(Event{Type: GatewayFailed, Address: spec.Address{Kind: spec.KindGateway}, Message: h.err.Error(), Err: h.err})
		}
		l.status.Gateway.Error = h.err.Error()
		l.loseGateway()
		return
	}
	if !l.view.Known {
		l.emit(Event{Type: GatewayAnswers, Address: spec.Address{Kind: spec.KindGateway}, Message: fmt.Sprintf("the gateway answers, with table %d", h.table.Version)})
		l.dirtyAll()
	}
	l.status.Gateway.Error = ""
	l.compareTables(&h.table)
	l.compareReports(&h.report)
	l.view = reconcile.RouterView{Known: true, Table: h.table, Report: h.report, At: h.at}
	l.touch()
}

// compareTables wakes the models whose entry in force is not what it was.
func (l *loop) compareTables(next *reconcile.Table) {
	if next.Version == l.view.Table.Version {
		return
	}
	before := make(map[string]*reconcile.RoutedModel, len(l.view.Table.Models))
	for i := range l.view.Table.Models {
		before[l.view.Table.Models[i].Name] = &l.view.Table.Models[i]
	}
	for i := range next.Models {
		m := &next.Models[i]
		if old := before[m.Name]; old == nil || !old.Equal(*m) {
			l.object(key(m.Name)).dirty = true
		}
		delete(before, m.Name)
	}
	for name := range before {
		l.object(key(name)).dirty = true
	}
}

// compareReports wakes the models whose replicas are in another state. A model
// that waits for its replicas to drain is woken by every report.
func (l *loop) compareReports(next *reconcile.Report) {
	for id, h := range next.Replicas {
		old, known := l.view.Report.Replicas[id]
		if known && old.Healthy == h.Healthy && (old.InFlight == 0) == (h.InFlight == 0) && old.LastError == h.LastError {
			continue
		}
		if k, owned := l.owners[id]; owned {
			l.objects[k].dirty = true
		}
	}
	if next.TableVersion != l.view.Report.TableVersion {
		for _, o := range l.objects {
			o.dirty = o.dirty || o.decision.Phase == rollout.Rolling
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
	if r.listErr == nil {
		l.observe(o, r.containers)
	} else {
		l.list()
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

// onTimer is for what falls due by time alone.
func (l *loop) onTimer(now time.Time) {
	if l.listAgain || !now.Before(l.nextList) {
		l.list()
	}
	for _, o := range l.objects {
		if due := o.decision.Wake; !due.IsZero() && !now.Before(due) || !o.retryAt.IsZero() && !now.Before(o.retryAt) {
			o.dirty = true
		}
	}
}

// nextWake is when the loop must look again although nothing came in.
func (l *loop) nextWake(now time.Time) time.Time {
	next := l.nextList
	if l.listing {
		next = now.Add(l.c.opts.Interval)
	}
	earlier := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	if l.listAgain && !l.listing {
		earlier(l.listedAt.Add(l.listPause()))
	}
	if !l.pushing {
		earlier(l.pushRetryAt)
	}
	for _, o := range l.objects {
		if !o.busy {
			earlier(o.decision.Wake)
			earlier(o.retryAt)
		}
	}
	return next
}
