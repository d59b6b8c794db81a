package controller

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// synced is what one look at the source brought.
type synced struct {
	desired *reconcile.Desired // nil: nothing new
	notes   []string
	behind  []string
	commit  spec.Commit
	err     error // of the fetch, the load or the binding
	loadErr bool  // err is about the content of the commit
	stale   bool  // desired is the last good revision, for want of a newer one
	again   bool  // desired is the revision that is followed, bound anew
	// accepted is where the loop says whether it takes desired; kept, that it did,
	// and that desired is stored as the last good revision since.
	accepted chan error
	kept     bool
}

// maxBackoff bounds the wait after failures of the source, where the interval is
// even longer: at first a failed look is repeated sooner than the interval says.
const maxBackoff = 5 * time.Minute

// follow keeps an eye on the source: at each hint, and at each interval.
func (c *Controller) follow(ctx context.Context, out chan<- synced) {
	f := &follower{c: c, out: out}
	var wg sync.WaitGroup
	defer wg.Wait()
	hints := merge(ctx, &wg, append(slices.Clone(c.opts.Hints), c.kick))
	failures := 0
	for {
		if f.look(ctx) {
			failures = 0
		} else {
			failures++
		}
		wait := c.opts.Interval
		if failures > 0 {
			wait = min(wait, backoff(failures, maxBackoff))
		}
		timer := time.NewTimer(jittered(wait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-hints:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// follower turns revisions of the source into desired states.
type follower struct {
	c    *Controller
	out  chan<- synced
	last spec.Tree          // loaded with success
	cfg  *spec.Config       // of last
	sent *reconcile.Desired // the last one that was accepted
	kept revision           // that sent was bound from
}

// revision is a loaded snapshot.
type revision struct {
	cfg      *spec.Config
	snapshot reconcile.Snapshot
	stale    bool
}

// look does one round; false means that it should be tried again soon.
func (f *follower) look(ctx context.Context) bool {
	snapshot, err := f.c.opts.Source.Latest(ctx)
	if refusal, refused := errors.AsType[*reconcile.Refusal](err); refused {
		// Approvals may come, and a newer commit: both are found at the next round.
		f.send(ctx, synced{commit: refusal.Head, err: err, loadErr: true})
		f.goOn(ctx)
		return true
	}
	if err != nil {
		f.send(ctx, synced{err: err})
		f.goOn(ctx)
		return false
	}
	commit := snapshot.Tree.Commit()
	if f.cfg == nil || !sameTree(f.last, snapshot.Tree) {
		cfg, err := f.c.opts.Load(ctx, snapshot.Tree)
		if err != nil {
			f.send(ctx, synced{commit: commit, notes: snapshot.Notes, behind: snapshot.Behind, err: err, loadErr: true})
			f.goOn(ctx)
			return true // the commit will not get better by trying again
		}
		f.cfg = cfg
	}
	f.last = snapshot.Tree
	return f.offer(ctx, snapshot, false)
}

// offer binds what was loaded and gives it to the loop. It binds at each round:
// a secret on the host, or a tag that could not be resolved, may have changed.
func (f *follower) offer(ctx context.Context, snapshot reconcile.Snapshot, stale bool) bool {
	commit := snapshot.Tree.Commit()
	desired, err := f.c.opts.Binder.Bind(ctx, f.cfg, commit)
	if err != nil {
		f.send(ctx, synced{commit: commit, notes: snapshot.Notes, behind: snapshot.Behind, err: err})
		return false
	}
	s := synced{commit: commit, notes: snapshot.Notes, behind: snapshot.Behind, stale: stale}
	if !sameDesired(f.sent, desired) {
		s.desired, s.accepted = desired, make(chan error, 1)
	}
	f.send(ctx, s)
	if s.desired == nil {
		return len(desired.Unbound) == 0
	}
	select {
	case err = <-s.accepted:
	case <-ctx.Done():
		return true
	}
	if err != nil {
		// It is offered again at each round: the guard compares with what runs,
		// and that may change. Until then the last good revision is followed.
		if f.sent == nil && !stale {
			f.fallBack(ctx)
		}
		return true
	}
	f.sent, f.kept = desired, revision{f.cfg, snapshot, stale}
	f.c.opts.Binder.Accept(ctx)
	if f.c.opts.OnFollow != nil {
		f.c.opts.OnFollow(f.cfg, snapshot.Tree)
	}
	// Before anything is decided by it: else a daemon that dies in between, while
	// the remote is away, would follow the one before, and abort what it began.
	if !stale && f.c.opts.Snapshots != nil {
		err = f.c.opts.Snapshots.Keep(ctx, snapshot)
	}
	s.kept = true
	f.send(ctx, s)
	if err != nil {
		f.send(ctx, synced{commit: commit, err: fmt.Errorf("commit %s is applied, but could not be stored as the last good one: %w", commit.Short(), err)})
	}
	return len(desired.Unbound) == 0
}

// goOn looks after the revision that is followed while there is no newer one: a
// model that could not be bound may be bound now, and a secret of the host may
// have changed. Before any was accepted, that is the last good one.
func (f *follower) goOn(ctx context.Context) {
	if f.sent == nil {
		if f.cfg == nil {
			f.fallBack(ctx)
		}
		return
	}
	desired, err := f.c.opts.Binder.Bind(ctx, f.kept.cfg, f.kept.snapshot.Tree.Commit())
	if err != nil || sameDesired(f.sent, desired) {
		return
	}
	s := synced{commit: desired.Commit, desired: desired, accepted: make(chan error, 1), again: true}
	f.send(ctx, s)
	select {
	case err := <-s.accepted:
		if err == nil {
			f.sent = desired
		}
	case <-ctx.Done():
	}
}

// fallBack takes the last good revision when there is none in memory yet: the
// daemon was started while the remote is away, or on a commit that does not
// load or is refused.
func (f *follower) fallBack(ctx context.Context) {
	if f.c.opts.Snapshots == nil {
		return
	}
	snapshot, err := f.c.opts.Snapshots.LastGood(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		f.cfg, err = f.c.opts.Load(ctx, snapshot.Tree)
	}
	if err != nil {
		f.cfg = nil
		f.send(ctx, synced{err: fmt.Errorf("read the last good revision: %w", err)})
		return
	}
	f.last = snapshot.Tree
	f.offer(ctx, snapshot, true)
}

func (f *follower) send(ctx context.Context, s synced) {
	select {
	case f.out <- s:
	case <-ctx.Done():
	}
}

// sameTree: equal commits are equal trees; a plain directory has no commit and
// is compared file by file.
func sameTree(a, b spec.Tree) bool {
	if a == nil || a.Commit().Key() != b.Commit().Key() {
		return false
	}
	if a.Commit().ID != "" {
		return true
	}
	fa, fb := a.Files(), b.Files()
	if len(fa) != len(fb) {
		return false
	}
	for i := range fa {
		if fa[i] != fb[i] {
			return false
		}
	}
	return true
}

// sameDesired tells whether binding again brought nothing new.
func sameDesired(a, b *reconcile.Desired) bool {
	if a == nil || a.Config != b.Config || a.Commit.ID != b.Commit.ID || len(a.Targets) != len(b.Targets) || len(a.Unbound) != len(b.Unbound) ||
		!maps.Equal(a.SecretVersions, b.SecretVersions) { // the key of a route changes no revision
		return false
	}
	for name, t := range b.Targets {
		if old := a.Targets[name]; old == nil || old.Revision != t.Revision {
			return false
		}
	}
	for name, err := range b.Unbound {
		if old := a.Unbound[name]; old == nil || old.Error() != err.Error() {
			return false
		}
	}
	return (a.Gateway == nil) == (b.Gateway == nil) && (a.Gateway == nil || a.Gateway.Revision == b.Gateway.Revision)
}

// merge turns several hint channels into one. A closed channel hints no more.
func merge(ctx context.Context, wg *sync.WaitGroup, all []reconcile.Hints) <-chan struct{} {
	out := make(chan struct{}, 1)
	for _, hints := range all {
		if hints == nil {
			continue
		}
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case _, open := <-hints:
					if !open {
						return
					}
				}
				select {
				case out <- struct{}{}:
				default:
				}
			}
		})
	}
	return out
}
