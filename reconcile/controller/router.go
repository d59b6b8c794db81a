package controller

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// heard is what the gateway said.
type heard struct {
	gateway uint64 // which start of which container was asked
	table   reconcile.Table
	report  reconcile.Report
	at      time.Time
	err     error
	pushed  bool // an answer to a push, not to a question
}

// reporter asks one gateway for its report, again and again. A gateway that
// starts anew gets a new reporter: a question to the old one might never be
// answered.
type reporter struct {
	router   reconcile.Router
	endpoint string
	gateway  uint64
	out      chan<- heard
}

// How long a question may wait for news, and the wait after a failed one.
const (
	reportWait     = 10 * time.Second
	reportRetry    = 50 * time.Millisecond
	reportRetryMax = 5 * time.Second
)

func (r *reporter) run(ctx context.Context) {
	h := heard{gateway: r.gateway}
	failures := 0
	for ctx.Err() == nil {
		r.ask(ctx, &h)
		select {
		case r.out <- h:
		case <-ctx.Done():
			return
		}
		if h.err == nil {
			failures = 0
			continue
		}
		failures++
		select {
		case <-time.After(min(reportRetry<<min(failures, 10), reportRetryMax)):
		case <-ctx.Done():
		}
	}
}

// ask gets the next report, and the table where the report is of another one.
func (r *reporter) ask(ctx context.Context, h *heard) {
	since := h.report.Sequence
	if h.err != nil {
		since = 0
	}
	var report reconcile.Report
	if report, h.err = r.router.Report(ctx, r.endpoint, since, reportWait); h.err != nil {
		return
	}
	h.report, h.at = report, time.Now()
	if report.TableVersion != h.table.Version {
		h.table, h.err = r.router.Table(ctx, r.endpoint)
	}
}

// push puts a table in force and asks at once for a report of it: old replicas
// may go as soon as a report says that the new table has let go of them.
func push(ctx context.Context, router reconcile.Router, endpoint string, h heard) heard {
	h.pushed = true
	h.err = router.Push(ctx, endpoint, h.table)
	if errors.Is(h.err, reconcile.ErrStaleTable) {
		// Somebody else, or a push of ours whose answer was lost: look again.
		h.table, h.err = router.Table(ctx, endpoint)
	}
	if h.err == nil {
		h.report, h.err = router.Report(ctx, endpoint, 0, 0)
		h.at = time.Now()
	}
	return h
}
