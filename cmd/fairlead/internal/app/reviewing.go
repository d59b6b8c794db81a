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
	if s.Proposer != nil {
		wg.Go(func() { s.Proposer.Run(ctx) })
		wg.Go(func() { s.runUpdates(ctx) })
	}
	if s.Forge == nil || !s.Config.Forge.Review {
		return
	}
	pulls, commits := newPullWatch(s, d.log), newCommitStatuses(s, d.log)
	d.pulls.Store(pulls)
	d.commits.Store(commits)
	wg.Go(func() { pulls.Run(ctx) })
	wg.Go(func() { commits.Run(ctx) })
}

// hook is what a webhook does: it wakes who looks at the forge, and nothing else.
func (d *Daemon) hook(string) {
	if g := d.site.gate; g != nil {
		g.Hint()
	}
	select {
	case d.hooked <- struct{}{}:
	default:
	}
	if w := d.pulls.Load(); w != nil {
		w.Wake()
	}
	if d.current.Load() == nil {
		return // nothing is opened yet
	}
	if p := d.site.Proposer; p != nil {
		p.WakeDeep()
	}
}

// changed says that the status may be another one.
func (d *Daemon) changed() {
	d.journalNotes()
	if c := d.commits.Load(); c != nil {
		c.Wake()
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
	switch e.Type { //nolint:exhaustive // nothing else changes what is wanted
	case controller.Decided:
		if p := d.site.Proposer; p != nil {
			p.Wake()
		}
	case controller.CommitAccepted:
		if w := d.pulls.Load(); w != nil {
			w.Wake()
		}
	}
}
