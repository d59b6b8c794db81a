package controller

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

// movedTo is the object that a moved block made of o; nil if there is none.
func (l *loop) movedTo(o *object) *object {
	if l.desired == nil {
		return nil
	}
	to, moved := l.desired.MovedFrom[string(o.key)]
	if !moved {
		return nil
	}
	return l.objects[key(to)]
}

// movedFrom is the object with a record that a moved block made o of; nil if
// there is none. Of several names that o once had it is the one that was decided
// about last.
func (l *loop) movedFrom(o *object) *object {
	if l.desired == nil {
		return nil
	}
	var newest *object
	for from, to := range l.desired.MovedFrom {
		old := l.objects[key(from)]
		if to != string(o.key) || old == nil || !old.ledger.recorded {
			continue
		}
		if newest == nil || old.ledger.record.Since.After(newest.ledger.record.Since) {
			newest = old
		}
	}
	return newest
}

// moving is the decision about an object whose record has another name than the
// model has now. The record is written under the new name first: a crash between
// the two entries leaves it twice, and the new one counts.
func (l *loop) moving(o *object, now time.Time) (d rollout.Decision, moving bool) {
	d = rollout.Decision{State: o.state, Phase: rollout.Rolling}
	if from := l.movedFrom(o); from != nil && !o.ledger.recorded {
		record := from.ledger.record.Clone()
		record.Model, record.Since = string(o.key), now
		d.Reason = fmt.Sprintf("model %s is called %s now", from.key, o.key)
		d.Transition = &journal.Entry{At: now, Action: journal.ActionAdopt, Model: record.Model, Reason: d.Reason, Record: &record}
		if s := record.Stable; s != nil {
			d.Transition.From, d.Transition.To, d.Transition.Version = s.Revision, s.Revision, s.Version
		}
		return d, true
	}
	to := l.movedTo(o)
	if to == nil || !o.ledger.recorded {
		return d, false
	}
	d.Reason = fmt.Sprintf("model %s is called %s now", o.key, to.key)
	if to.ledger.recorded {
		d.Transition = &journal.Entry{At: now, Action: journal.ActionRemove, Model: string(o.key), Reason: d.Reason}
	}
	return d, true
}

// routedAsBefore is the entry of a model that is called otherwise now: it goes on
// under its old name until it is routed under the new one. Both at one time could
// not be: a replica belongs to one model.
func (l *loop) routedAsBefore(o, to *object) *reconcile.RoutedModel {
	if !l.wanted(to.key) || l.entry(to) != nil {
		return nil
	}
	return l.refreshed(l.view.Model(string(o.key)))
}

// refreshed is an entry with its replicas where they are now. A replica that does
// not run has lost its address, and the engine may have given it to another.
func (l *loop) refreshed(m *reconcile.RoutedModel) *reconcile.RoutedModel {
	if m == nil {
		return nil
	}
	next := *m
	next.Revisions = slices.Clone(m.Revisions)
	for i := range next.Revisions {
		r := &next.Revisions[i]
		replicas := make([]reconcile.RoutedReplica, 0, len(r.Replicas))
		for _, replica := range r.Replicas {
			if c := l.container(replica.ID); c != nil && c.State == reconcile.StateRunning && c.Address != "" && c.Port != 0 {
				replica.Address = net.JoinHostPort(c.Address, strconv.Itoa(c.Port))
				replicas = append(replicas, replica)
			}
		}
		r.Replicas = replicas
	}
	return &next
}

// container returns an observed container, or nil.
func (l *loop) container(id string) *reconcile.Container {
	k, owned := l.owners[id]
	if !owned {
		return nil
	}
	containers := l.objects[k].containers
	i := slices.IndexFunc(containers, func(c reconcile.Container) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return &containers[i]
}
