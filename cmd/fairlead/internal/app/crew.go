package app

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/fairlead/fairlead/reconcile/proposer"
)

// crew is what speaks with people about one repository, beside the loop: proposals, plans
// of pull requests, statuses of commits. None of it holds up the loop, nor another crew.
type crew struct {
	repo    *repository
	pulls   *pullWatch      // nil: nobody reviews there
	commits *commitStatuses // likewise
	stop    context.CancelFunc
	done    chan struct{} // closed when nothing of it runs any more
}

// newCrew returns one that does not run.
func newCrew(r *repository, log *slog.Logger) *crew {
	c := &crew{repo: r, stop: func() {}, done: make(chan struct{})}
	if r.forge != nil && r.site.Config.Forge.Review {
		c.pulls, c.commits = newPullWatch(r, log), newCommitStatuses(r, log)
	}
	return c
}

// run works until ctx ends.
func (c *crew) run(ctx context.Context) {
	defer close(c.done)
	var wg sync.WaitGroup
	defer wg.Wait()
	if p := c.repo.proposer; p != nil {
		wg.Go(func() { p.Run(ctx); p.Close() })
	}
	if c.pulls != nil {
		wg.Go(func() { c.pulls.Run(ctx) })
		wg.Go(func() { c.commits.Run(ctx) })
	}
}

// wakeProposer asks for a look at what is proposed; deep: also on the forge.
func (c *crew) wakeProposer(deep bool) {
	switch p := c.repo.proposer; {
	case p == nil:
	case deep:
		p.WakeDeep()
	default:
		p.Wake()
	}
}

// crews are those of the config repo and of all that it includes. The zero crews do
// nothing before begin.
type crews struct {
	mu  sync.Mutex
	all map[string]*crew // by include; "" is the config repo itself
	// leaving are the ends of crews that were stopped: no two write about the same.
	leaving map[string]<-chan struct{}
	// Set by begin.
	log *slog.Logger
	ctx context.Context //nolint:containedctx // of all of them: they are begun when a commit brings them
	wg  *sync.WaitGroup
}

// begin has all work until ctx ends.
func (c *crews) begin(ctx context.Context, wg *sync.WaitGroup, s *Site, log *slog.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log, c.ctx, c.wg = log, ctx, wg
	c.all = map[string]*crew{}
	if s.own != nil {
		c.work(s.own)
	}
	for _, r := range s.includedRepos() {
		c.work(r)
	}
}

// stop ends the work on an include. What it returns is closed when nothing of it runs
// any more; nil: nothing ever did.
func (c *crews) stop(name string) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.all[name]; at != nil {
		at.stop()
		delete(c.all, name)
		if c.leaving == nil {
			c.leaving = map[string]<-chan struct{}{}
		}
		c.leaving[name] = at.done
	}
	return c.leaving[name]
}

// start has the work on an include begin, when that of before has ended.
func (c *crews) start(r *repository) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx != nil && c.ctx.Err() == nil {
		c.work(r)
	}
}

func (c *crews) work(r *repository) {
	before := c.leaving[r.name()]
	at := newCrew(r, c.log)
	ctx, stop := context.WithCancel(c.ctx)
	at.stop = stop
	c.all[r.name()] = at
	c.wg.Go(func() {
		defer stop()
		if before != nil {
			<-before
		}
		at.run(ctx)
	})
}

// wake has everybody look at what is to be proposed: another commit is followed, or
// something was decided.
func (c *crews) wake() {
	for _, at := range c.list() {
		at.wakeProposer(false)
	}
}

// list are all that work, that of the config repo first.
func (c *crews) list() []*crew {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*crew, 0, len(c.all))
	for _, at := range c.all {
		list = append(list, at)
	}
	slices.SortFunc(list, func(a, b *crew) int { return cmp.Compare(a.repo.name(), b.repo.name()) })
	return list
}

// proposals are how all proposals stand, those to the config repo first.
func (c *crews) proposals() []proposer.Status {
	var all []proposer.Status
	for _, at := range c.list() {
		if p := at.repo.proposer; p != nil {
			all = append(all, p.Status()...)
		}
	}
	return all
}
