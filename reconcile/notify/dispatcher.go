package notify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/plain"
	"github.com/fairlead/fairlead/spec"
)

// sendTimeout bounds one call of a notifier, whatever it does.
const sendTimeout = 30 * time.Second

// storeRetry is the pause after the store did not take an outbox.
const storeRetry = 5 * time.Second

// Options are what a Dispatcher works with.
type Options struct {
	Store reconcile.Store // keeps what waits, under notify-NAME
	// Open makes the sender of a notifier. It is called from the notifier's own
	// worker, before its first message and after every failure, so that a secret that
	// was changed is read again. Whatever its error, the message waits: it is not to
	// blame.
	Open func(ctx context.Context, n *spec.Notifier) (reconcile.Notifier, error)
	// Redact blots the secrets that are known out of a text; nil: there are none.
	Redact func(string) string
	Log    *slog.Logger     // nil: nothing is logged
	Now    func() time.Time // nil: time.Now
}

// Dispatcher sends messages to the notifiers that want them. All methods are safe for
// concurrent use but Configure, which one goroutine calls; Send and Status wait for
// nothing outside.
type Dispatcher struct {
	opts Options

	mu      sync.Mutex
	lanes   map[string]*lane
	running context.Context // nil: Run has not begun, or has ended
	workers sync.WaitGroup
	unsaved map[string]struct{} // names of outboxes that have changed
	busy    bool                // some of them are being stored
	saving  chan struct{}       // wakes the saver
	stored  chan struct{}       // closed, and made anew, after each attempt to store
}

// lane is the way to one notifier.
type lane struct {
	notifier  *spec.Notifier
	templates Templates
	broken    string // why the templates cannot be used
	wake      chan struct{}

	// The Dispatcher's mu guards these.
	outbox   *Outbox
	stop     context.CancelFunc // nil: no worker
	storeErr string
}

// New returns a Dispatcher that knows no notifiers yet.
func New(opts Options) *Dispatcher {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Redact == nil {
		opts.Redact = func(s string) string { return s }
	}
	return &Dispatcher{
		opts: opts, lanes: map[string]*lane{}, unsaved: map[string]struct{}{},
		saving: make(chan struct{}, 1), stored: make(chan struct{}),
	}
}

// Configure makes these the notifiers. What waits for one of a name that stays goes on
// waiting; what waits for one that is gone is forgotten. The error names templates
// that cannot be used, and outboxes that could not be read: those notifiers work in
// the usual words, or from an empty outbox.
func (d *Dispatcher) Configure(ctx context.Context, notifiers []*spec.Notifier) error {
	stored, err := d.loadNew(ctx, notifiers)
	errs := []error{err}
	d.mu.Lock()
	defer d.mu.Unlock()
	wanted := make(map[string]bool, len(notifiers))
	for _, n := range notifiers {
		wanted[n.Name] = true
		if l := d.lanes[n.Name]; l != nil && sameNotifier(l.notifier, n) {
			continue
		}
		errs = append(errs, d.set(n, stored[n.Name]))
	}
	for _, name := range slices.Sorted(maps.Keys(d.lanes)) {
		if l := d.lanes[name]; !wanted[name] {
			l.halt()
			delete(d.lanes, name)
			d.changed(name)
		}
	}
	return errors.Join(errs...)
}

// loadNew reads the outboxes of the notifiers that are not known yet. Nobody who sends
// waits for the store meanwhile.
func (d *Dispatcher) loadNew(ctx context.Context, notifiers []*spec.Notifier) (map[string]*Outbox, error) {
	d.mu.Lock()
	known := maps.Clone(d.lanes)
	d.mu.Unlock()
	outboxes := map[string]*Outbox{}
	var errs []error
	for _, n := range notifiers {
		if known[n.Name] == nil {
			o, err := d.load(ctx, n.Name)
			outboxes[n.Name] = o
			errs = append(errs, err)
		}
	}
	return outboxes, errors.Join(errs...)
}

// sameNotifier compares all but the place in the file.
func sameNotifier(a, b *spec.Notifier) bool {
	x, y := *a, *b
	x.Pos, y.Pos = spec.Pos{}, spec.Pos{}
	return reflect.DeepEqual(x, y)
}

// set makes the lane of a notifier that is new or has changed. The caller holds mu.
func (d *Dispatcher) set(n *spec.Notifier, stored *Outbox) error {
	templates, err := ParseTemplates(n)
	l := &lane{notifier: n, templates: templates, outbox: stored, wake: make(chan struct{}, 1)}
	if err != nil {
		l.broken = err.Error()
	}
	if old := d.lanes[n.Name]; old != nil {
		old.halt()
		l.outbox = old.outbox
	}
	if l.outbox == nil {
		l.outbox = &Outbox{}
	}
	d.lanes[n.Name] = l
	d.start(l)
	return err
}

func (d *Dispatcher) load(ctx context.Context, name string) (*Outbox, error) {
	data, err := d.opts.Store.Load(ctx, storeKey(name))
	if errors.Is(err, fs.ErrNotExist) {
		return &Outbox{}, nil
	}
	var o *Outbox
	if err == nil {
		o, err = DecodeOutbox(data)
	}
	if err != nil {
		return &Outbox{}, fmt.Errorf("notifier %q: read what waited for it: %w; it begins with nothing", name, err)
	}
	return o, nil
}

func storeKey(name string) string { return "notify-" + name }

// halt ends the worker of a lane. It does not wait: what it sends at this moment ends
// with its context.
func (l *lane) halt() {
	if l.stop != nil {
		l.stop()
		l.stop = nil
	}
}

// poke wakes the worker.
func (l *lane) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Send takes a message in for every notifier that wants it. It never blocks on the
// outside. What is sent before the first Configure is for nobody.
func (d *Dispatcher) Send(m reconcile.Message) {
	m = Clean(m, d.opts.Redact)
	now := d.opts.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, l := range d.lanes {
		if l.outbox.Add(m, Wants(l.notifier, &m), l.notifier.Repeat, now) {
			d.changed(name)
			l.poke()
		}
	}
}

// Run sends until the context ends, and returns when every worker has and what waits
// is stored. It is called once.
func (d *Dispatcher) Run(ctx context.Context) {
	d.mu.Lock()
	d.running = ctx
	for _, l := range d.lanes {
		d.start(l)
	}
	d.mu.Unlock()
	d.save(ctx)

	d.mu.Lock()
	d.running = nil
	d.mu.Unlock()
	d.workers.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeRetry)
	defer cancel()
	d.saveAll(last)
}

// start begins the worker of a lane, if workers run.
func (d *Dispatcher) start(l *lane) {
	if d.running == nil || d.running.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(d.running)
	l.stop = cancel
	d.workers.Go(func() {
		defer cancel()
		d.work(ctx, l)
	})
}

// work sends what is due, one after another, and waits.
func (d *Dispatcher) work(ctx context.Context, l *lane) {
	var port reconcile.Notifier
	for ctx.Err() == nil {
		due, pause := d.next(l)
		if due == nil {
			wait(ctx, l.wake, pause)
			continue
		}
		if err := d.deliver(ctx, l, &port, due); err != nil {
			port = nil // with the secrets as they are by then
		}
	}
}

// next is what the lane has to send, or for how long it has nothing; negative: until
// it is woken.
func (d *Dispatcher) next(l *lane) (*Queued, time.Duration) {
	now := d.opts.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(l.outbox.Queue)
	due, at := l.outbox.Step(l.notifier.Repeat, now)
	if len(l.outbox.Queue) != before {
		d.changed(l.notifier.Name)
	}
	if due == nil && at.IsZero() {
		return nil, -1
	}
	return due, at.Sub(now)
}

// deliver sends one message and notes what became of it.
func (d *Dispatcher) deliver(ctx context.Context, l *lane, port *reconcile.Notifier, due *Queued) error {
	m, err := l.templates.Render(due.Message)
	if err != nil {
		d.opts.Log.Warn("a template of a notifier fails: the message goes in the usual words", "notifier", l.notifier.Name, "error", d.opts.Redact(err.Error()))
	}
	err = d.send(ctx, l.notifier, port, m)
	if err != nil && ctx.Err() != nil {
		return err // it was interrupted: that says nothing about the receiver
	}
	text := ""
	if err != nil {
		text = plain.Clip(plain.Line(d.opts.Redact(err.Error())), 2*maxShort)
		d.opts.Log.Warn("a message could not be sent", "notifier", l.notifier.Name, "message", m.Title, "attempt", due.Attempts+1, "retry", errors.Is(err, reconcile.ErrUnavailable), "error", text)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l.outbox.Done(due.Serial, err, text, d.opts.Now())
	d.changed(l.notifier.Name)
	return err
}

// send calls the notifier, which is opened first where it is not. A notifier that
// panics has failed, for good.
func (d *Dispatcher) send(ctx context.Context, n *spec.Notifier, port *reconcile.Notifier, m reconcile.Message) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("its sender panicked: %v; please report this", r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if *port == nil {
		opened, err := d.opts.Open(ctx, n)
		if err != nil {
			// A secret that cannot be read, a URL that cannot be used: somebody may put
			// that right, and the message is not to blame.
			return &reconcile.RetryError{Cause: fmt.Errorf("it cannot be used: %w", err)}
		}
		*port = opened
	}
	err = (*port).Notify(ctx, m)
	if err != nil && ctx.Err() != nil {
		return &reconcile.RetryError{Cause: fmt.Errorf("no answer within %s: %w", sendTimeout, err)}
	}
	return err
}

// wait waits for the wake, or for as long as a pause that is not negative.
func wait(ctx context.Context, wake <-chan struct{}, pause time.Duration) {
	var timer <-chan time.Time
	if pause >= 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer:
	}
}
