package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
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

// onHeard takes in what the gateway said.
func (l *loop) onHeard(h heard) {
	if h.pushed {
		l.pushing = false
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
	if h.pushed && h.err != nil && !errors.Is(h.err, reconcile.ErrRouterUnavailable) {
		l.status.Gateway.Error = h.err.Error() // it answers, but not as it should
		l.tableDirty = true
		return
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
