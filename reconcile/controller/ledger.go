package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// book is how the journal itself is doing.
type book struct {
	open     bool
	opening  bool
	failures int
	retryAt  time.Time // when it is opened again; zero if it need not be
	queue    []*writing
	busy     bool // entries are being appended
}

func (b *book) due(now time.Time) bool {
	return !b.open && !b.opening && !b.retryAt.IsZero() && !now.Before(b.retryAt)
}

// ledger is what was decided about one model.
type ledger struct {
	record   journal.Record
	recorded bool // the journal has a record of that name
	// writing: an entry waits until it is durable. Until then nothing of what it
	// decides has an effect.
	writing  bool
	err      error // why the last entry could not be written
	failures int   // in a row
	retryAt  time.Time
	orders   []*order // that wait for the entry before them
	// kept is the entry of the routing table that rests on the record: what is in
	// force until the entry that is being written allows another.
	kept   *reconcile.RoutedModel
	rested bool // kept is set
}

// writing is one entry on its way into the journal.
type writing struct {
	key   key
	entry *journal.Entry
	order *order // that it follows from; nil for what Step decided
	err   error
}

// opened is the outcome of opening the journal.
type opened struct {
	records map[string]journal.Record
	err     error
}

// openTimeout bounds opening the journal: a remote that hangs must not keep the
// local copy from being read.
const openTimeout = 2 * time.Minute

// openJournal reads what was decided before. No model is decided about without
// it: a rollout would begin anew, and a rejected revision might start.
func (l *loop) openJournal() {
	l.journal.opening, l.journal.retryAt = true, time.Time{}
	spawn(l, l.opened, func(ctx context.Context) opened {
		ctx, cancel := context.WithTimeout(ctx, openTimeout)
		defer cancel()
		records, err := l.c.opts.Journal.Open(ctx)
		return opened{records, err}
	})
}

func (l *loop) onOpened(r opened) {
	l.journal.opening = false
	if r.err != nil {
		l.journal.failures++
		l.journal.retryAt = time.Now().Add(backoff(l.journal.failures, maxRetry))
		l.journalAnswered(fmt.Errorf("open the journal: %w", r.err))
		return
	}
	l.journal.open, l.journal.failures = true, 0
	l.journalAnswered(nil)
	for name, record := range r.records {
		o := l.object(key(name))
		o.ledger.record, o.ledger.recorded = record, true
	}
	l.dirtyAll()
}

// journalAnswered keeps the status of the journal, and tells of a change.
func (l *loop) journalAnswered(err error) {
	before := l.status.Journal.Broken
	l.status.Journal.Broken = ""
	if err != nil {
		l.status.Journal.Broken = err.Error()
	}
	switch {
	case err != nil && before == "":
		l.emit(Event{Type: JournalFailed, Message: err.Error(), Err: err})
	case err == nil && before != "":
		l.emit(Event{Type: JournalRecovered, Message: "the journal can be written again"})
	}
}

// write hands an entry to the journal. The object waits until it is durable.
func (l *loop) write(o *object, e *journal.Entry, by *order) {
	entry := *e
	if entry.Commit == "" && l.desired != nil {
		entry.Commit = l.desired.Commit.ID
	}
	entry.Include = l.include(entry.Model)
	if entry.Actor == "" {
		entry.Actor = journal.Daemon
	}
	o.ledger.writing = true
	l.journal.queue = append(l.journal.queue, &writing{key: o.key, entry: &entry, order: by})
}

// appendTimeout bounds one append, and a whole batch of them is bounded by its
// size.
const (
	appendTimeout = 30 * time.Second
	appendBatch   = 64
)

// flush appends what is queued, one batch at a time and in order. An append that
// was begun is finished although the program ends: its effect has not begun, but
// whoever reads the journal next should not find less than could be known.
func (l *loop) flush() {
	if l.journal.busy || len(l.journal.queue) == 0 {
		return
	}
	n := min(len(l.journal.queue), appendBatch)
	batch := l.journal.queue[:n:n]
	l.journal.queue, l.journal.busy = l.journal.queue[n:], true
	spawn(l, l.appended, func(ctx context.Context) []*writing {
		for _, w := range batch {
			if w.err = ctx.Err(); w.err == nil {
				w.err = l.appendEntry(context.WithoutCancel(ctx), w.entry)
			}
		}
		return batch
	})
}

func (l *loop) appendEntry(ctx context.Context, e *journal.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	return l.c.opts.Journal.Append(ctx, *e)
}

// onAppended lets the effect of durable entries begin.
func (l *loop) onAppended(batch []*writing) {
	l.journal.busy = false
	for _, w := range batch {
		o := l.object(w.key)
		o.ledger.writing, o.dirty = false, true
		if w.err != nil {
			l.unwritten(o, w)
		} else {
			l.written(o, w)
		}
		l.nextOrder(o)
	}
}

// unwritten: nothing of the entry counts, and what is in force stays.
func (l *loop) unwritten(o *object, w *writing) {
	err := fmt.Errorf("write to the journal that %s: %w", w.entry.Reason, w.err)
	l.journalAnswered(err)
	if w.order != nil {
		w.order.answer(nil, fmt.Errorf("%w: %w", ErrNotJournaled, w.err))
		return
	}
	o.ledger.failures++
	o.ledger.err = err
	o.ledger.retryAt = time.Now().Add(backoff(o.ledger.failures, maxRetry))
	o.wakeAt(o.ledger.retryAt)
}

func (l *loop) written(o *object, w *writing) {
	l.journalAnswered(nil)
	before := o.ledger.record
	o.ledger.err, o.ledger.failures, o.ledger.retryAt = nil, 0, time.Time{}
	o.ledger.record, o.ledger.recorded = journal.Record{}, w.entry.Record != nil
	if w.entry.Record != nil {
		o.ledger.record = *w.entry.Record
	}
	l.roomChanged()
	if candidateOf(&before) != candidateOf(&o.ledger.record) {
		o.evidence = evidence{} // of another rollout
	}
	if o.busy && w.order != nil {
		o.cancel() // a person wants something else than what is under way
	}
	if l.movedFrom(o) != nil || l.movedTo(o) != nil {
		l.dirtyAll() // who waited for the record to move
	}
	l.emit(decided(l.address(o), &before, w.entry))
	if w.order != nil {
		w.order.answer(w.entry, nil)
	}
}

// candidateOf names the rollout under way; "" if there is none.
func candidateOf(r *journal.Record) string {
	if r.Rollout == nil {
		return ""
	}
	return r.Rollout.Candidate.Revision + r.Rollout.Started.Format(time.RFC3339Nano)
}

// decided is the event of a journaled entry.
func decided(address spec.Address, before *journal.Record, entry *journal.Entry) Event {
	told := *entry
	told.Record = nil // it says more than an event should, and is in the journal
	e := Event{Type: Decided, Address: address, Commit: entry.Commit, Message: entry.Reason, Entry: &told}
	if r := entry.Record; r != nil && r.Last != nil && (before.Last == nil || !before.Last.At.Equal(r.Last.At)) {
		e.Ended = r.Last
	}
	return e
}
