package notify

import (
	"context"
	"maps"
	"slices"
	"time"
)

// changed notes that an outbox has to be stored. The caller holds mu.
func (d *Dispatcher) changed(name string) {
	d.unsaved[name] = struct{}{}
	select {
	case d.saving <- struct{}{}:
	default:
	}
}

// Flush returns when everything that was sent before the call is stored, so that no
// crash can lose it. It needs Run; the error is the context's.
func (d *Dispatcher) Flush(ctx context.Context) error {
	for {
		d.mu.Lock()
		done, stored := len(d.unsaved) == 0 && !d.busy, d.stored
		d.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-stored:
		}
	}
}

// save stores the outboxes that have changed, until the context ends. It is apart from
// the workers, so that a receiver that hangs keeps nothing from the store.
func (d *Dispatcher) save(ctx context.Context) {
	for ctx.Err() == nil {
		if !d.saveAll(ctx) {
			wait(ctx, nil, storeRetry)
			continue
		}
		wait(ctx, d.saving, -1)
	}
}

// saveAll stores what has changed, and tells whether all of it could be.
func (d *Dispatcher) saveAll(ctx context.Context) bool {
	d.mu.Lock()
	names := d.unsaved
	d.unsaved, d.busy = map[string]struct{}{}, true
	d.mu.Unlock()
	failed := map[string]struct{}{}
	for name := range names {
		if err := d.saveOne(ctx, name); err != nil {
			failed[name] = struct{}{}
			if ctx.Err() != nil {
				continue // the end of Run tries once more
			}
			d.opts.Log.Error("messages that wait could not be stored: a crash would lose them", "notifier", name, "error", err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range failed {
		d.unsaved[name] = struct{}{}
	}
	d.busy = false
	close(d.stored)
	d.stored = make(chan struct{})
	return len(failed) == 0
}

// saveOne stores one outbox; of a notifier that is gone an empty one.
func (d *Dispatcher) saveOne(ctx context.Context, name string) error {
	d.mu.Lock()
	l, outbox := d.lanes[name], &Outbox{}
	if l != nil {
		outbox = l.outbox
	}
	data, err := EncodeOutbox(outbox)
	d.mu.Unlock()
	if err == nil {
		err = d.opts.Store.Save(ctx, storeKey(name), data)
	}
	if l != nil {
		d.mu.Lock()
		l.storeErr = ""
		if err != nil {
			l.storeErr = err.Error()
		}
		d.mu.Unlock()
	}
	return err
}

// Status is the state of one notifier, for people.
type Status struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Queue  int    `json:"queue"` // messages that wait
	Counts Counts `json:"counts"`
	// Oldest is since when the first of the queue waits.
	Oldest   time.Time `json:"oldest,omitzero"`
	LastSent time.Time `json:"last_sent,omitzero"`
	// FailingSince is set while it fails; LastError is the newest failure of all.
	FailingSince time.Time `json:"failing_since,omitzero"`
	LastError    string    `json:"last_error,omitempty"`
	LastErrorAt  time.Time `json:"last_error_at,omitzero"`
	NextTry      time.Time `json:"next_try,omitzero"`
	// Notes are what somebody should look after: a template that is not used, a
	// message that was given up, a store that takes nothing.
	Notes []string `json:"notes,omitempty"`
}

// Status tells of every notifier, sorted by name.
func (d *Dispatcher) Status() []Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]Status, 0, len(d.lanes))
	for _, name := range slices.Sorted(maps.Keys(d.lanes)) {
		l := d.lanes[name]
		o := l.outbox
		s := Status{
			Name: name, Kind: string(l.notifier.Kind), Queue: len(o.Queue), Counts: o.Counts, LastSent: o.LastSent,
			FailingSince: o.FailingSince, LastError: o.LastError, LastErrorAt: o.LastErrorAt,
		}
		if len(o.Queue) > 0 {
			s.Oldest, s.NextTry = o.Queue[0].Since, later(o.Queue[0].NotBefore, o.PauseUntil)
		}
		for _, note := range []string{l.broken, o.LastNote, l.storeErr} {
			if note != "" {
				s.Notes = append(s.Notes, d.opts.Redact(note))
			}
		}
		all = append(all, s)
	}
	return all
}
