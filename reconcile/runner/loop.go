package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/run"
)

// loop owns every run that has not ended. Everything in it belongs to one goroutine.
type loop struct {
	r    *Runner
	opts *Options
	ctx  context.Context // of the workers
	wg   *sync.WaitGroup

	back   chan func(*loop) // what workers bring
	hints  reconcile.Hints  // of the engine
	wanted *Wanted          // nil: nothing was accepted yet
	prints map[string]string
	// records are what the journal holds of each pipeline.
	records  map[string]journal.PipelineRecord
	peeks    map[string]peek // what datasets are that pipelines wait for
	peekedAt time.Time
	// next is when each pipeline has to be looked at; zero: never. One that is not in it
	// is looked at now.
	next     map[string]time.Time
	numbers  map[string]int    // newest that the store or this loop gave, by pipeline
	tagged   map[string]bool   // versions, MODEL@VERSION, that have their tag
	problems map[string]string // why a pipeline cannot start, by name
	active   map[string]*active
	tidiedAt time.Time
}

// active is a run that has not ended, or whose end is not in the journal yet.
type active struct {
	run    *run.Run
	saved  []byte // as it was stored last
	begun  bool   // the journal knows that it has started
	cancel *run.Order
	// answers that no Step has seen yet.
	answers []run.Answer
	flying  map[string]context.CancelFunc // commands under way, by node and kind
	// unnoted is the answer of a publication that the journal does not have yet.
	unnoted *run.Answer
	// tidies counts how often the directory of an attempt could not be removed.
	tidies map[string]int
	// watching holds, by node, what is closed when the log of its attempt is complete.
	watching map[string]chan struct{}
	list     listing
	dirty    bool
	wake     time.Time
	retryAt  time.Time // of storing or journaling
	tries    int
}

// listing is what the engine last said about the containers of a run.
type listing struct {
	known      bool
	at         time.Time // when the call was begun
	containers []reconcile.Container
	flying     bool
	again      bool // something changed since it was begun
	askedAt    time.Time
}

func newLoop(ctx context.Context, r *Runner, wg *sync.WaitGroup) (*loop, error) {
	l := &loop{
		r: r, opts: &r.opts, ctx: ctx, wg: wg, back: make(chan func(*loop)), hints: r.opts.Runtime.Events(ctx),
		peeks: map[string]peek{}, problems: map[string]string{}, prints: map[string]string{}, tagged: map[string]bool{}, numbers: map[string]int{}, next: map[string]time.Time{}, active: map[string]*active{},
	}
	if err := l.awaitJournal(); err != nil {
		return nil, err
	}
	return l, l.takeUp()
}

// journalRetry is how often it is tried again to read the journal, which somebody else
// opens.
const journalRetry = time.Second

// awaitJournal reads what is known of pipelines, as soon as the journal can be read.
func (l *loop) awaitJournal() error {
	ticker := time.NewTicker(journalRetry)
	defer ticker.Stop()
	for said := ""; ; {
		records, err := l.opts.Journal.Pipelines(l.ctx)
		if err == nil {
			l.records = records
			if l.records == nil {
				l.records = map[string]journal.PipelineRecord{}
			}
			return nil
		}
		if text := err.Error(); text != said && l.ctx.Err() == nil {
			said = text
			l.opts.Log.Info("pipelines wait for the journal", "error", err)
		}
		select {
		case <-l.ctx.Done():
			return fmt.Errorf("read what is known of pipelines: %w", err)
		case <-ticker.C:
		}
	}
}

// takeUp finds the runs that a daemon before this one left.
func (l *loop) takeUp() error {
	summaries, err := l.opts.Store.List(l.ctx, "")
	if err != nil && len(summaries) == 0 {
		return fmt.Errorf("read the runs: %w", err)
	}
	for _, s := range summaries {
		l.numbers[s.Pipeline] = max(l.numbers[s.Pipeline], number(s.ID))
		record := l.records[s.Pipeline]
		if s.Phase == run.Done && record.Current != s.ID {
			continue
		}
		r, err := l.opts.Store.Load(l.ctx, s.ID)
		if err != nil { // the others are not to suffer for it
			l.problems[s.Pipeline] = fmt.Sprintf("run %s cannot be taken up: %v", s.ID, err)
			l.opts.Log.Error("a run cannot be taken up", "run", s.ID, "error", err)
			continue
		}
		l.add(r).begun = record.Current == s.ID
	}
	if err != nil {
		l.opts.Log.Error("some runs cannot be read", "error", err)
		return nil
	}
	l.giveUpLost(time.Now())
	return nil
}

// giveUpLost ends the runs that the journal knows as under way and the store does not
// know any more: the data directory was lost.
func (l *loop) giveUpLost(now time.Time) {
	for _, pipeline := range slices.Sorted(maps.Keys(l.records)) {
		record := l.records[pipeline]
		lost := record.Current
		if lost == "" || l.active[lost] != nil {
			continue
		}
		const reason = "what was known of it was lost with the data directory"
		record.Current = ""
		record.Last = &journal.RunEnded{Run: lost, Outcome: string(run.Failed), Reason: reason, Started: record.Since, At: now}
		e := journal.Entry{Action: journal.ActionEnd, Run: lost, Reason: string(run.Failed) + ": " + reason}
		l.append(pipeline, e, record, now) // a journal that cannot be written is a problem of the status; the next run says so, too
	}
}

func (l *loop) add(r *run.Run) *active {
	a := &active{run: r, flying: map[string]context.CancelFunc{}, dirty: true}
	l.active[r.ID] = a
	return a
}

func (l *loop) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case f := <-l.back:
			f(l)
		case f := <-l.r.calls:
			f(l)
		case <-l.r.fresh:
			l.follow()
		case _, open := <-l.hints:
			if !open {
				l.hints = nil
			}
			l.relist()
		case <-timer.C:
		}
		now := time.Now()
		wake := l.turn(now)
		timer.Reset(max(wake.Sub(now), 0))
	}
}

// turn does everything that is due, and says when something will be.
func (l *loop) turn(now time.Time) (wake time.Time) {
	wake = now.Add(l.opts.Interval)
	sooner := func(at time.Time) {
		if !at.IsZero() && at.Before(wake) {
			wake = at
		}
	}
	if l.wanted == nil {
		return wake // what runs goes on; to judge or to publish, Git has to be known
	}
	sooner(l.trigger(now))
	for {
		again := false
		for _, id := range slices.Sorted(maps.Keys(l.active)) {
			a := l.active[id]
			if !a.retryAt.IsZero() && now.Before(a.retryAt) {
				sooner(a.retryAt)
				continue
			}
			a.retryAt = time.Time{}
			if !a.dirty && (a.wake.IsZero() || now.Before(a.wake)) {
				sooner(a.wake)
				continue
			}
			again = true
			l.move(a, now)
			sooner(a.wake)
			sooner(a.retryAt)
		}
		if !again {
			break
		}
	}
	for _, a := range l.active {
		if now.Sub(a.list.askedAt) >= l.opts.Interval && a.run.Active() > 0 {
			l.list(a)
		}
	}
	l.tidyUp(now)
	return wake
}

// unsettledRetry is how soon it is asked again what is live, after a start.
const unsettledRetry = time.Second

// move brings one run on by one Step.
func (l *loop) move(a *active, now time.Time) {
	a.dirty, a.wake = false, time.Time{}
	if a.run.Phase == run.Queued {
		switch {
		case a.cancel != nil:
			l.drop(a, now)
			return
		case !l.first(a):
			return
		}
		a.run.Phase = run.Preparing
	}
	if !a.begun && !l.begin(a, now) {
		return
	}
	if a.unnoted != nil && !l.noted(a, now) {
		return
	}
	before := a.run.Active()
	in := run.Input{
		Answers: a.answers, Listed: a.list.known, ListedAt: a.list.at, Containers: a.list.containers,
		Slots: l.slots(), Busy: l.busy(a), Outside: l.outside(a.run, now), Policies: l.policies(a.run, now), Cancel: a.cancel,
	}
	in.Unsettled = l.opts.LiveVersions != nil && l.live() == nil
	a.answers = nil
	old := a.run.Clone()
	commands, wake := run.Step(a.run, in, now)
	a.wake = wake
	if in.Unsettled && a.run.Phase == run.Judging {
		a.wake = earlier(a.wake, now.Add(unsettledRetry))
	}
	if !l.store(a, now) {
		return
	}
	l.tell(old, a.run, now)
	if a.run.Active() < before || a.run.Phase == run.Done {
		l.wakeAll()
	}
	if a.run.Phase == run.Done {
		l.finish(a, now)
		return
	}
	if cancel, busy := a.flying[""]; busy && a.run.Phase == run.Exiting {
		cancel() // what was to be prepared is needed no more
	}
	for _, c := range commands {
		l.carryOut(a, c)
	}
}

// drop ends a run that never began. The journal knows nothing of it.
func (l *loop) drop(a *active, now time.Time) {
	run.Drop(a.run, a.cancel, now)
	if !l.store(a, now) {
		return
	}
	delete(l.active, a.run.ID)
	l.wakeAll()
}

// wakeAll lets every run look again: a slot is free.
func (l *loop) wakeAll() {
	for _, a := range l.active {
		a.dirty = true
	}
}

// store writes the run down, if it changed. Nothing is carried out before it could
// be written.
func (l *loop) store(a *active, now time.Time) bool {
	data, err := json.Marshal(a.run)
	if err == nil && bytes.Equal(data, a.saved) {
		return true
	}
	if err == nil {
		err = l.opts.Store.Save(l.ctx, a.run)
	}
	if err != nil {
		l.postpone(a, now, fmt.Errorf("store run %s: %w", a.run.ID, err))
		return false
	}
	a.saved, a.tries = data, 0
	if l.opts.OnEvent != nil {
		l.opts.OnEvent(a.run)
	}
	return true
}

// maxRetry bounds the wait before the disk or the journal is tried again.
const maxRetry = time.Minute

// postpone tries again later what the disk or the journal refused.
func (l *loop) postpone(a *active, now time.Time, err error) {
	a.tries++
	a.retryAt = now.Add(min(time.Second<<min(a.tries-1, 10), maxRetry))
	a.dirty = true
	l.problems[a.run.Pipeline] = err.Error()
}

// slots is how many more steps may begin.
func (l *loop) slots() int {
	slots := l.opts.Parallel
	for _, a := range l.active {
		slots -= a.run.Active()
	}
	return max(slots, 0)
}

// busy are the keys that other runs compute.
func (l *loop) busy(of *active) map[string]bool {
	keys := map[string]bool{}
	for _, a := range l.active {
		if a == of {
			continue
		}
		for key := range a.run.Computing() {
			keys[key] = true
		}
	}
	return keys
}

// first tells whether the run is the next of its pipeline.
func (l *loop) first(a *active) bool {
	for _, other := range l.active {
		if other == a || other.run.Pipeline != a.run.Pipeline {
			continue
		}
		if other.run.Phase != run.Queued || number(other.run.ID) < number(a.run.ID) {
			return false
		}
	}
	return true
}

// number is N of PIPELINE-N.
func number(id string) int {
	i := strings.LastIndexByte(id, '-')
	n, err := strconv.Atoi(id[i+1:])
	if err != nil {
		return 0
	}
	return n
}

// tell reports what changed to the lineage.
func (l *loop) tell(before, after *run.Run, now time.Time) {
	if l.opts.Lineage == nil {
		return
	}
	var snapshot *run.Run
	emit := func(kind run.EventKind, id string) {
		if snapshot == nil {
			snapshot = after.Clone()
		}
		e := run.Event{Kind: kind, At: now, Run: snapshot}
		if id != "" {
			e.Node = snapshot.Nodes[id]
		}
		l.opts.Lineage.Emit(l.ctx, e)
	}
	if before.Phase != after.Phase && after.Phase == run.Running {
		emit(run.EventStart, "")
	}
	for id, n := range after.Nodes {
		was := before.Nodes[id]
		if n.Phase == run.NodeRunning && was.Phase != run.NodeRunning && n.Attempt == 1 {
			emit(run.EventStart, id)
		}
		if n.Phase.Ended() && !was.Phase.Ended() && n.Attempt > 0 {
			emit(ended[n.Phase], id)
		}
	}
	if before.Phase != after.Phase && after.Phase == run.Done && !after.Started.IsZero() {
		switch after.Outcome {
		case run.Succeeded:
			emit(run.EventComplete, "")
		case run.Cancelled:
			emit(run.EventAbort, "")
		default:
			emit(run.EventFail, "")
		}
	}
}

var ended = map[run.NodePhase]run.EventKind{
	run.NodeSucceeded: run.EventComplete, run.NodeFailed: run.EventFail, run.NodeCancelled: run.EventAbort, run.NodeSkipped: run.EventAbort,
}

// work lets a worker do something, and the loop take what came of it.
func (l *loop) work(f func(ctx context.Context) func(*loop)) {
	l.wg.Go(func() {
		take := f(l.ctx)
		select {
		case l.back <- take:
		case <-l.ctx.Done():
		}
	})
}
