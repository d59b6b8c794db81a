package controller

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/capacity"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// Loader reads the specs of a tree for one environment. The error is for people
// and holds every mistake.
type Loader func(ctx context.Context, tree spec.Tree) (*spec.Config, error)

// Options are what a Controller needs.
type Options struct {
	Source    reconcile.Source
	Snapshots reconcile.Snapshots // may be nil: nothing is remembered
	Load      Loader
	Binder    *Binder
	Runtime   reconcile.Runtime
	Router    reconcile.Router
	Hints     []reconcile.Hints // wake the source; may be empty
	// Journal keeps what is decided about models. Nothing is decided before it
	// could be opened, and nothing has an effect before it is in there.
	Journal   journal.Journal
	Metrics   reconcile.Metrics   // what the checks of a rollout ask
	Scraper   reconcile.Scraper   // may be nil: something else scrapes
	Inspector reconcile.Inspector // verifies and warms up replicas
	// Artifacts is where models take their files from. It may be nil: then no
	// release that needs an artifact starts.
	Artifacts reconcile.Artifacts

	// Host is what an engine has room for, by its own word and the operator's;
	// nil: it is not checked.
	Host func(reconcile.Engine) capacity.Host

	// Interval is how often the source is polled and everything is listed, with
	// a tenth of jitter.
	Interval time.Duration
	// Parallel is how many engine commands may be under way at one time.
	Parallel int
	Limits   plan.Limits
	// OnFollow is called with every revision that is followed from now on, with the
	// tree that it was read from. It must not block, and may be nil.
	OnFollow func(cfg *spec.Config, tree spec.Tree)
	// Brought names who answers for a commit that is followed, as whoever approves by
	// merging; "" where that is not known. nil: it is the commit's author. include is
	// the name of the included repo that has the commit; "": the config repo itself has.
	Brought func(include, commit string) string
	// OnEvent is called for every event, from several goroutines; it must not
	// block. It may be nil.
	OnEvent func(Event)
}

// Controller keeps one environment equal to Git. Make it with New, then call Run
// once.
type Controller struct {
	opts   Options
	status atomic.Pointer[Status]
	plan   atomic.Pointer[planInputs]
	scrape atomic.Pointer[[]reconcile.ScrapeTarget]
	kick   chan struct{} // wakes the source
	orders chan *order   // to the loop
}

// New returns a Controller that does nothing before Run.
func New(opts Options) *Controller {
	c := &Controller{opts: opts, kick: make(chan struct{}, 1), orders: make(chan *order)}
	c.status.Store(&Status{FormatVersion: StatusFormat, Environment: opts.Binder.Scope.Environment, Owner: opts.Binder.Scope.Owner})
	return c
}

// Status returns the newest status. It is immutable.
func (c *Controller) Status() *Status { return c.status.Load() }

// Plan compares what Git wants with what was last observed. It is nil before the
// first observation.
func (c *Controller) Plan(now time.Time) *plan.Plan {
	in := c.plan.Load()
	if in == nil {
		return nil
	}
	return plan.Diff(in.desired, &plan.Observed{
		Containers: slices.Concat(in.containers...), View: in.view, Host: in.host, Records: in.records,
	}, now)
}

type planInputs struct {
	desired    *reconcile.Desired
	containers [][]reconcile.Container // by object
	view       reconcile.RouterView
	host       capacity.Host
	records    map[string]journal.Record
}

// Sync asks for a fetch now, as a hint does.
func (c *Controller) Sync() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// Run reconciles until ctx ends or done returns true; done is asked after each
// decision and may be nil. Commands under way are finished or given up by their
// own deadlines; what is half done the next Run finds. It returns when every
// goroutine has ended.
func (c *Controller) Run(ctx context.Context, done func(*Status) bool) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()

	l := newLoop(ctx, c, &wg)
	wg.Go(func() { c.follow(ctx, l.synced) })
	wg.Go(func() { l.watchEvents(ctx) })
	l.run(ctx, done)
}

// jittered spreads d by a tenth to both sides, so that many daemons do not poll
// at the same moment.
func jittered(d time.Duration) time.Duration {
	return d - d/10 + rand.N(max(d/5, 1))
}

// backoff is the wait after the n-th failure in a row: 1, 2, 4, ... seconds up
// to the limit.
func backoff(n int, limit time.Duration) time.Duration {
	return min(time.Second<<min(max(n-1, 0), 20), limit)
}

// key names one object of the loop.
type key string

// gatewayKey cannot be the name of a model.
const gatewayKey key = "gateway."

// object is what the loop knows about a model, or the gateway.
type object struct {
	key        key
	containers []reconcile.Container
	state      rollout.State
	decision   rollout.Decision
	failed     map[string]int  // commands in a row, by container id
	spoiled    map[string]bool // cannot be mended in place, by container id
	failures   int             // jobs in a row
	err        error           // of the last job
	retryAt    time.Time
	busy       bool                   // a job is under way
	cancel     context.CancelFunc     // ends the job early
	judged     *reconcile.RoutedModel // the entry that unroutable is about
	unroutable error                  // why its entry cannot be part of a routing table
	dirty      bool                   // to be decided anew
	actedAt    uint64
	phaseSince time.Time
	target     *reconcile.Target
	bound      *reconcile.Target // the last that Git wanted and that could be bound

	ledger      ledger
	evidence    evidence
	supply      *supply                // of the release that is next; nil if it needs none
	inspections map[string]*inspection // by container id
	restarts    map[string]*restarts   // by revision
	drift       drift
	// alarm is when the loop has to look again for a reason of its own: something
	// is tried anew.
	alarm time.Time
}

// wakeAt keeps the earliest of all times at which something is tried anew.
func (o *object) wakeAt(at time.Time) {
	if o.alarm.IsZero() || at.Before(o.alarm) {
		o.alarm = at
	}
}
