package controller

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// decide decides every object about which something is new, starts what follows
// from it, and publishes the status.
func (l *loop) decide(now time.Time) {
	changed := false
	if l.desired != nil && l.seen {
		l.seed()
		for _, o := range l.objects {
			switch {
			case !o.dirty:
			case o.key != gatewayKey && !l.journal.open: // once it is, all are decided
			case o.busy || now.Before(o.retryAt):
				l.reroute(o, now)
				changed = changed || o.ledger.record.Rollout != nil
			default:
				l.decideObject(o, now)
				changed = true
			}
		}
		l.publish(now)
	}
	l.flush() // orders too, while there is nothing to decide by
	l.report(now, changed)
}

func (l *loop) decideObject(o *object, now time.Time) {
	o.dirty, o.retryAt = false, time.Time{}
	l.touch()
	before := o.decision.Phase
	address := spec.Address{Kind: spec.KindGateway}
	if o.key == gatewayKey {
		o.decision = rollout.StepGateway(o.state, rollout.GatewayInput{
			Scope: l.desired.Scope, Target: l.desired.Gateway, Containers: o.containers, Failed: o.failed,
		}, now)
	} else {
		address = l.address(o)
		l.bring(o, now)
		o.decision = l.next(o, now)
		if err := l.desired.Unbound[string(o.key)]; err != nil {
			o.decision.Phase, o.decision.Reason = rollout.Degraded, err.Error()
		}
	}
	o.state = o.decision.State
	l.emit(Event{Type: Reconciled, Address: address})
	if o.decision.Phase != before {
		o.phaseSince = now
		l.emit(Event{Type: PhaseChanged, Address: address, Phase: o.decision.Phase, Message: o.decision.Reason})
	}
	engine := l.inspect(o, o.decision.Commands, now)
	if o.key != gatewayKey {
		l.noteDrift(o, address, engine)
	}
	if len(engine) > 0 {
		l.start(o, address, engine)
	} else if o.decision.Phase == rollout.Steady {
		o.failures, o.err = 0, nil
	}
	if o.key != gatewayKey && l.nothingLeft(o) {
		o.supply.stop()
		delete(l.objects, o.key)
		if o.ledger.recorded {
			l.departed[o.key] = o.ledger.record
		}
	}
}

// nothingLeft: Git does not want it, and neither the engine nor the gateway nor
// the journal has anything of it.
func (l *loop) nothingLeft(o *object) bool {
	return len(o.containers) == 0 && !l.wanted(o.key) && l.entry(o) == nil && l.view.Model(string(o.key)) == nil &&
		!o.ledger.writing && (!o.ledger.recorded || onlyRejections(&o.ledger.record))
}

// onlyRejections: the record is that of a model which is gone, kept for the day
// when it comes back.
func onlyRejections(r *journal.Record) bool {
	return r.Stable == nil && r.Rollout == nil && r.Previous == nil
}

// next asks what the next move of a model is, and starts what does not act on
// the engine: a transition goes into the journal, measurements are made. Until a
// transition is durable the routing stays as the record before it allows.
func (l *loop) next(o *object, now time.Time) rollout.Decision {
	d, moving := l.moving(o, now)
	if !moving {
		in := l.input(o)
		in.NoJournal = now.Before(o.ledger.retryAt) // the last entry could not be written
		d = rollout.Step(o.state, in, now)
	}
	l.compareVerdicts(o, d.Verdicts)
	l.measure(o, d.Measure, now)
	if d.Transition == nil {
		o.ledger.kept, o.ledger.rested = d.Entry, o.ledger.rested || l.view.Known
		unwritable(o, &d)
		return d
	}
	if !o.ledger.rested && l.view.Known {
		// Before the gateway has told, nothing is known of what it does: were that
		// kept, a daemon that starts with a transition would take the routes away.
		o.ledger.kept, o.ledger.rested = l.view.Model(string(o.key)), true
	}
	d.Commands, d.Entry = nil, l.refreshed(o.ledger.kept)
	d.Serving, d.Ready, d.Want = d.Entry.Serving(), o.decision.Ready, o.decision.Want
	d.Phase = cmp.Or(d.Phase, rollout.Rolling)
	unwritable(o, &d)
	switch {
	case o.ledger.writing: // another entry, or this one
	case now.Before(o.ledger.retryAt):
		o.wakeAt(o.ledger.retryAt)
	default:
		l.write(o, d.Transition, nil)
	}
	return d
}

// unwritable says of a model that its next decision cannot be written.
func unwritable(o *object, d *rollout.Decision) {
	if o.ledger.err != nil {
		d.Phase, d.Reason = rollout.Degraded, o.ledger.err.Error()
	}
}

// reroute keeps up to date what does not act on the engine while nothing can be
// done there, because commands are under way or failed a moment ago. A replica
// that comes back at another address must not be missed, nor another container
// that has its old one be taken for it; and a candidate that fails its checks
// loses the traffic at once.
func (l *loop) reroute(o *object, now time.Time) {
	o.dirty = false
	if o.key == gatewayKey {
		return
	}
	l.bring(o, now)
	d := l.next(o, now)
	o.decision.Entry, o.decision.Serving, o.decision.Ready = d.Entry, d.Serving, d.Ready
	o.decision.Wake, o.decision.Verdicts = d.Wake, d.Verdicts
	starts := o.state.Starts // none of those that d counts was begun
	o.state = d.State
	o.state.Starts = starts
	l.touch()
}

func (l *loop) wanted(k key) bool {
	return l.desired.Targets[string(k)] != nil || l.desired.Unbound[string(k)] != nil
}

func (l *loop) input(o *object) rollout.Input {
	name := string(o.key)
	in := rollout.Input{
		Name: name, Scope: l.desired.Scope, Containers: o.containers, View: &l.view,
		Target: l.desired.Targets[name], Failed: o.failed, Spoiled: o.spoiled,
		Record: o.ledger.record, Commit: l.desired.Commit.ID, Include: l.include(name), Readings: o.evidence.readings, Inspected: o.inspected(),
		NoRoom: l.noRoom(o), Lacks: o.supply.lacks(),
	}
	for _, a := range l.desired.Config.Approvals {
		if a.Model == name {
			in.Approvals, in.ApprovedBy = append(in.Approvals, a), l.broughtBy(name)
		}
	}
	if l.desired.Unbound[name] != nil {
		in.Target = o.bound // what cannot be bound changes nothing: what was wanted before goes on
	}
	switch {
	case in.Target != nil:
		in.Intent = rollout.Serve
	case l.desired.Unbound[name] != nil:
		in.Intent = rollout.Hold
	case l.desired.Forgotten[name]:
		in.Intent = rollout.Forget
	default:
		in.Intent = rollout.Destroy
	}
	return in
}

// include is NAME@COMMIT of the included repo that declares a model; "" where none does.
func (l *loop) include(model string) string {
	if l.desired == nil {
		return ""
	}
	i := l.desired.Config.IncludeOf(model)
	if i == nil {
		return ""
	}
	return l.desired.Commit.Included(i.Name)
}

// broughtBy is who answers for the commit that declares a model, of the repo that does.
func (l *loop) broughtBy(model string) string {
	include, commit, included := strings.Cut(l.include(model), "@")
	if !included {
		commit = l.desired.Commit.ID
	}
	if ask := l.c.opts.Brought; ask != nil {
		if who := ask(include, commit); who != "" {
			return who
		}
	}
	if included {
		return "commit " + commit[:min(len(commit), 7)] + " of include " + include
	}
	return l.desired.Commit.Author
}

func (l *loop) address(o *object) spec.Address {
	if l.desired == nil {
		return spec.Address{Kind: spec.KindModel, Name: string(o.key)}
	}
	if t := l.desired.Targets[string(o.key)]; t != nil {
		return t.Model.Address
	}
	if m := l.desired.Config.Model(string(o.key)); m != nil {
		return m.Address
	}
	return spec.Address{Kind: spec.KindModel, Name: string(o.key)}
}

// start hands commands about containers of an object to the workers.
func (l *loop) start(o *object, address spec.Address, commands []rollout.Command) {
	o.busy = true
	j := job{key: o.key, address: address, commands: commands, desired: l.desired}
	run := l.actor.run
	if o.key == gatewayKey {
		run = l.actor.runGateway
	} else {
		j.labels = l.labelsOf(o)
	}
	acting, cancel := context.WithCancel(l.ctx)
	o.cancel = cancel
	spawn(l, l.results, func(ctx context.Context) result {
		defer cancel()
		return run(ctx, acting, j)
	})
}

// labelsOf are the model labels that the containers of an object carry: its
// name, and the old ones of a moved model.
func (l *loop) labelsOf(o *object) []string {
	labels := []string{string(o.key)}
	for from, to := range l.desired.MovedFrom {
		if to == string(o.key) {
			labels = append(labels, from)
		}
	}
	return labels
}

// runGateway is run for the gateway, which no model label finds.
func (a *actor) runGateway(ctx, acting context.Context, j job) result {
	r := a.run(ctx, acting, j)
	all, err := a.runtime.List(ctx, reconcile.Filter{})
	r.listErr = err
	r.containers = slices.DeleteFunc(all, func(c reconcile.Container) bool { return c.Kind != spec.KindGateway })
	return r
}

// publish puts the routing table in force where it is not what was decided.
func (l *loop) publish(now time.Time) {
	if !l.view.Known || l.pushing || now.Before(l.pushRetryAt) || !l.tableDirty {
		return
	}
	table := l.table()
	if slices.EqualFunc(table.Models, l.view.Table.Models, reconcile.RoutedModel.Equal) {
		l.tableDirty, l.pushRetryAt = false, time.Time{}
		return
	}
	l.pushing, l.pushRetryAt = true, time.Time{}
	endpoint, h := l.endpoint, heard{gateway: l.gatewaySeq, table: table}
	spawn(l, l.heard, func(ctx context.Context) heard { return push(ctx, l.c.opts.Router, endpoint, h) })
}

// routed tells whether the table in force is what was decided.
func (l *loop) routed() bool {
	if l.desired == nil || l.desired.Gateway == nil {
		return true
	}
	return l.view.Known && !l.pushing && !l.tableDirty
}

// report publishes the status, if anything in it changed.
func (l *loop) report(now time.Time, changed bool) {
	if l.desired != nil {
		if changed || l.status.Models == nil {
			l.status.Models = l.modelStatus(now)
			l.aimScrapes()
		}
		if l.planDirty {
			l.c.plan.Store(&planInputs{l.desired, append(l.observed(), l.steps), l.view, l.host(), l.openRecords()})
		}
	}
	l.planDirty = false
	s := l.status
	s.Gateway = l.gatewayStatus()
	s.Journal = l.journalStatus()
	s.Converged = l.routed() && l.decidedAll() && s.converged()
	l.status.Gateway = s.Gateway
	l.c.status.Store(&s)
}
