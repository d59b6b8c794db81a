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
	if c.repo.proposer != nil {
		wg.Go(func() { c.repo.proposer.Run(ctx) })
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
	site *Site
	log  *slog.Logger
	ctx  context.Context //nolint:containedctx // of all of them: they are begun when a commit brings them
	wg   *sync.WaitGroup
}

// begin has all work until ctx ends.
func (c *crews) begin(ctx context.Context, wg *sync.WaitGroup, s *Site, log *slog.Logger) {
	c.mu.Lock()
	c.site, c.log, c.ctx, c.wg = s, log, ctx, wg
	c.all, c.leaving = map[string]*crew{}, map[string]<-chan struct{}{}
	if s.own != nil {
		c.start(s.own)
	}
	c.mu.Unlock()
	c.settle()
}

// settle makes the repositories that are included now those that are spoken about, and
// wakes who proposes: another commit is followed.
func (c *crews) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil || c.ctx.Err() != nil {
		return
	}
	for name, at := range c.all {
		if name != "" && c.site.repo(name) != at.repo { // gone, or opened anew as its block has changed
			at.stop()
			c.leaving[name] = at.done
			delete(c.all, name)
		}
	}
	for _, r := range c.site.includedRepos() {
		if c.all[r.name()] == nil {
			c.start(r)
		}
	}
	for _, at := range c.all {
		at.wakeProposer(false)
	}
}

// start begins with a repository, when nothing about one of that name runs any more.
func (c *crews) start(r *repository) {
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
