package app

import (
	"context"
	"slices"
	"sync"

	"github.com/fairlead/fairlead/reconcile/controller"
)

// runReview runs what speaks with people beside the loop, until ctx ends: proposals, plans
// of pull requests, statuses of commits, messages. None of it holds up the loop, nor each
// other.
func (d *Daemon) runReview(ctx context.Context, wg *sync.WaitGroup) {
	s := d.site
	if s.dispatcher != nil {
		wg.Go(func() { s.dispatcher.Run(ctx) })
	}
	s.crews.begin(ctx, wg, s, d.log)
	if s.own != nil {
		wg.Go(func() { s.runUpdates(ctx) })
	}
}

// hook is what a webhook does: it wakes who looks at the forge, and nothing else.
func (d *Daemon) hook(string) {
	s := d.site
	if s.own != nil && s.own.gate != nil {
		s.own.gate.Hint()
	}
	for _, r := range s.includedRepos() {
		r.gate.Hint()
	}
	select {
	case d.hooked <- struct{}{}:
	default:
	}
	for _, c := range s.crews.list() {
		c.wakeProposer(true)
		if c.pulls != nil {
			c.pulls.Wake()
		}
	}
}

// changed says that the status may be another one.
func (d *Daemon) changed() {
	d.journalNotes()
	for _, c := range d.site.crews.list() {
		if c.commits != nil {
			c.commits.Wake()
		}
	}
}

// journalNotes logs what a person should know about the journal: somebody may have
// written to it. Only the loop calls it.
func (d *Daemon) journalNotes() {
	notes := d.site.Journal.Delivery().Notes
	for _, note := range notes {
		if !slices.Contains(d.noted, note) {
			d.log.Error("journal: " + note)
		}
	}
	d.noted = notes
}

// spread passes an event on to who speaks with people.
func (d *Daemon) spread(e controller.Event) {
	d.site.notice(e)
	if e.Type != controller.Decided && e.Type != controller.CommitAccepted {
		return // nothing else changes what is wanted
	}
	for _, c := range d.site.crews.list() {
		switch {
		case e.Type == controller.Decided:
			c.wakeProposer(false)
		case c.pulls != nil:
			c.pulls.Wake()
		}
	}
}
