package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

// ErrNotJournaled: what was ordered could not be written down, so it was not
// done.
var ErrNotJournaled = errors.New("the journal cannot be written, so nothing was changed")

// order is a person's order on its way through the loop.
type order struct {
	ctx   context.Context
	act   rollout.Act
	reply chan orderReply // has room for the one answer
}

type orderReply struct {
	entry *journal.Entry
	err   error
}

func (o *order) answer(e *journal.Entry, err error) { o.reply <- orderReply{e, err} }

// Order carries out what a person wants with a model. It returns the entry once
// that is in the journal; what follows from it is in the status. The errors wrap
// rollout.ErrMovedOn, rollout.ErrImpossible or ErrNotJournaled. When ctx ends
// first, nobody knows: the status tells.
func (c *Controller) Order(ctx context.Context, act rollout.Act) (*journal.Entry, error) {
	o := &order{ctx: ctx, act: act, reply: make(chan orderReply, 1)}
	select {
	case c.orders <- o:
	case <-ctx.Done():
		return nil, fmt.Errorf("hand the order to the daemon: %w", context.Cause(ctx))
	}
	select {
	case r := <-o.reply:
		return r.entry, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("wait until the order is in the journal (it may still come to that; look at the status): %w", context.Cause(ctx))
	}
}

// onOrder takes an order in. It waits while an entry about its model is being
// written: that decides what the order means.
func (l *loop) onOrder(by *order) {
	o := l.objects[key(by.act.Model)]
	switch {
	case by.act.Model == string(gatewayKey), l.journal.open && o == nil:
		by.answer(nil, fmt.Errorf("there is no model %q here: %w", by.act.Model, rollout.ErrImpossible))
	case !l.journal.open:
		by.answer(nil, fmt.Errorf("%w: it is not open yet: %s", ErrNotJournaled, l.status.Journal.Broken))
	default:
		o.ledger.orders = append(o.ledger.orders, by)
		l.nextOrder(o)
	}
}

func (l *loop) nextOrder(o *object) {
	for !o.ledger.writing && len(o.ledger.orders) > 0 {
		by := o.ledger.orders[0]
		o.ledger.orders = o.ledger.orders[1:]
		if by.ctx.Err() != nil {
			continue // nobody waits for it any more
		}
		commit := ""
		if l.desired != nil {
			commit = l.desired.Commit.ID
		}
		entry, err := rollout.Order(o.ledger.record, by.act, commit, time.Now())
		if err != nil {
			by.answer(nil, err)
			continue
		}
		l.write(o, entry, by)
	}
}
