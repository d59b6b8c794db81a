package controller

import (
	"context"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
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

	opened    chan opened
	appended  chan []*writing
	measured  chan measured
	inspected chan inspected
	supplied  chan supplied

	desired *reconcile.Desired
	pending *synced // accepted content that waits for a first look at the engine
	objects map[key]*object
	// departed are the records of models that left Git, of which only what was
	// rejected is kept.
	departed map[key]journal.Record
	owners   map[string]key // container id -> object
	// steps are the containers of pipeline runs, which are somebody else's and take
	// room.
	steps []reconcile.Container
	view  reconcile.RouterView
	// What a plan and the routing table are made of changed, since the one was
	// offered and the other was in force.
	planDirty, tableDirty bool

	gateway    reconcile.Container // that is listened to; zero if none runs
	endpoint   string              // of its admin listener
	gatewaySeq uint64              // counts starts of gateways
	stopListen context.CancelFunc
	pushing    bool
	pushedAt   time.Time
	// pushRetryAt is when a failed push is tried again; zero if none failed.
	pushRetryAt  time.Time
	pushFailures int

	journal book
	room    room
	queries chan struct{} // places for questions to the metrics
	talks   chan struct{} // places for inspections
	seeded  bool          // what the table says about inspected replicas was taken in

	listing   bool
	listAgain bool
	listedAt  time.Time
	nextList  time.Time
	lastList  time.Duration
	seq       uint64 // counts finished jobs, to tell stale lists
	seen      bool   // the engine was listed at least once

	status Status
}

func newLoop(ctx context.Context, c *Controller, wg *sync.WaitGroup) *loop {
	l := &loop{
		c: c, ctx: ctx, wg: wg,
		synced: make(chan synced), listed: make(chan listed), heard: make(chan heard), results: make(chan result),
		events: make(chan struct{}, 1),
		opened: make(chan opened), appended: make(chan []*writing), measured: make(chan measured), inspected: make(chan inspected), supplied: make(chan supplied),
		queries: make(chan struct{}, parallelQueries), talks: make(chan struct{}, parallelTalks),
		objects: map[key]*object{}, departed: map[key]journal.Record{}, owners: map[string]key{},
		status: *c.Status(), stopListen: func() {},
	}
	l.actor = &actor{runtime: c.opts.Runtime, artifacts: c.opts.Artifacts, slots: make(chan struct{}, max(c.opts.Parallel, 1)), pulls: make(chan struct{}, parallelPulls), downloads: make(chan struct{}, parallelPulls), emit: c.emit}
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
	l.openJournal()
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
		case r := <-l.opened:
			l.onOpened(r)
		case written := <-l.appended:
			l.onAppended(written)
		case m := <-l.measured:
			l.onMeasured(m)
		case i := <-l.inspected:
			l.onInspected(i)
		case s := <-l.supplied:
			l.onSupplied(s)
		case o := <-l.c.orders:
			l.onOrder(o)
		case <-l.events:
			l.list()
		case <-timer.C:
			l.onTimer(time.Now())
		}
	}
}

// spawn runs f beside the loop and hands its value back.
func spawn[T any](l *loop, out chan<- T, f func(ctx context.Context) T) {
	l.wg.Go(func() {
		v := f(l.ctx)
		select {
		case out <- v:
		case <-l.ctx.Done():
		}
	})
}

func (l *loop) object(k key) *object {
	o := l.objects[k]
	if o == nil {
		o = &object{
			key: k, failed: map[string]int{}, spoiled: map[string]bool{}, dirty: true,
			inspections: map[string]*inspection{}, restarts: map[string]*restarts{},
		}
		if record, departed := l.departed[k]; departed {
			o.ledger.record, o.ledger.recorded = record, true
			delete(l.departed, k)
		}
		l.objects[k] = o
	}
	return o
}

func (l *loop) touch() { l.planDirty, l.tableDirty = true, true }

func (l *loop) dirtyAll() {
	for _, o := range l.objects {
		o.dirty = true
	}
}

// onTimer is for what falls due by time alone.
func (l *loop) onTimer(now time.Time) {
	if l.listAgain || !now.Before(l.nextList) {
		l.list()
	}
	if l.journal.due(now) {
		l.openJournal()
	}
	passed := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	for _, o := range l.objects {
		if passed(o.alarm) {
			o.alarm, o.dirty = time.Time{}, true
		}
		if passed(o.decision.Wake) || passed(o.retryAt) {
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
	if l.view.Known && l.tableDirty && !l.pushing {
		earlier(l.pushRetryAt)
	}
	earlier(l.journal.retryAt)
	for _, o := range l.objects {
		if !o.busy { // else its result wakes the loop
			earlier(o.retryAt)
		}
		earlier(o.decision.Wake)
		earlier(o.alarm)
	}
	return next
}
