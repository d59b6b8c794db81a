package git

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fairlead/fairlead/reconcile"
)

// Source reads one branch of one repository. It implements reconcile.Source and
// reconcile.Commits. An error that may pass by itself wraps reconcile.ErrUnavailable: the
// network, a server in trouble, a clone that is not there yet or is made anew.
type Source struct {
	options Options
	link    link

	// turn holds one token. Whoever has it owns state, and may replace clones.
	turn  chan struct{}
	state state
	refs  chan struct{} // holds one token: one FetchRef at a time, beside the turn

	mu     sync.Mutex
	clones clones // of a remote
}

var (
	_ reconcile.Source  = (*Source)(nil)
	_ reconcile.Commits = (*Source)(nil)
)

// state is what one Latest leaves for the next. Its parts are never changed,
// only replaced, so an abandoned operation can do no harm with its copy.
type state struct {
	accepted plumbing.Hash // newest accepted commit; zero: none yet
	snapshot *reconcile.Snapshot
	tree     *dir // of snapshot, so that the next tree reuses what is equal
	// tags are the annotated tags on the accepted commit of a remote, by name.
	tags map[string]plumbing.Hash
}

// New returns the source that the options describe. It does not touch the
// network.
func New(o Options) (*Source, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	at, err := parseLocation(o.URL)
	if err != nil {
		return nil, err
	}
	s := &Source{
		options: o,
		link:    link{location: at, auth: o.Auth, limits: o.Limits, timeout: o.Timeout, words: reading, pace: new(pace)},
		turn:    make(chan struct{}, 1),
		refs:    make(chan struct{}, 1),
		state:   state{accepted: plumbing.NewHash(o.Accepted)},
	}
	if !at.local() {
		if o.DataDir == "" {
			return nil, fmt.Errorf("the clone of %s needs a data directory; set --data", at)
		}
		if err := o.Auth.check(at); err != nil {
			return nil, err
		}
		s.clones = newClones(o.DataDir, at.String(), o.wanted().String())
	}
	s.turn <- struct{}{}
	s.refs <- struct{}{}
	return s, nil
}

// Latest implements reconcile.Source.
func (s *Source) Latest(ctx context.Context) (reconcile.Snapshot, error) {
	after, err := inTurn(ctx, s, s.latest, func(after state) { s.state = after })
	if err != nil {
		return reconcile.Snapshot{}, err
	}
	return *after.snapshot, nil
}

// inTurn does one operation on the repository after the other, and ends in bounded
// time. keep is called with what came out of it while the turn lasts. An operation that
// outlives its time is let go. The clone is given up only where it was written to then.
func inTurn[T any](ctx context.Context, s *Source, work func(context.Context, state, clones) (T, error), keep func(T)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	var none T
	giveBack, err := s.take(ctx, s.turn)
	if err != nil {
		return none, err
	}
	defer giveBack()
	before, clones := s.state, s.currentClones()
	clones.writing = new(atomic.Bool)
	value, err := bounded(ctx, func() (T, error) { return work(ctx, before, clones) })
	switch {
	case errors.Is(err, errOutlived):
		if clones.writing.Load() {
			s.abandonClone()
		}
		return none, s.explain(ctx, context.Cause(ctx))
	case err != nil:
		s.distrust(err)
		return none, s.explain(ctx, err)
	}
	keep(value)
	return value, nil
}

// take waits for a token.
func (s *Source) take(ctx context.Context, token chan struct{}) (giveBack func(), err error) {
	giveBack, err = take(ctx, token)
	if err != nil {
		return nil, s.explain(ctx, fmt.Errorf("waiting for another read of it to end: %w", err))
	}
	return giveBack, nil
}

// explain is that of the link, and marks what may pass by itself. A repository on this
// machine that does not read is nobody's to mend but its owner's.
func (s *Source) explain(ctx context.Context, err error) error {
	explained := s.link.explain(ctx, err)
	if s.link.location.local() && errors.Is(err, errUnreadable) {
		return explained
	}
	return passing(explained)
}

// errOutlived: an operation has not ended in its time, and goes on for itself.
var errOutlived = errors.New("it outlives its time")

// bounded does work until shortly after the end of ctx.
func bounded[T any](ctx context.Context, work func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		o.err = recovering(func() (err error) {
			o.value, err = work()
			return err
		})
		done <- o // has room, also when nobody waits any more
	}()
	o, ended := await(ctx, done)
	if !ended {
		o.err = errOutlived
	}
	return o.value, o.err
}

func (s *Source) currentClones() clones {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clones
}

// abandonClone makes the next Latest clone anew. The caller has the turn.
func (s *Source) abandonClone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clones = s.clones.abandonCurrent()
}

// distrust makes the next Latest clone anew, where a clone turned out not to hold what
// it should, unless that was replaced already. Latest itself has tried that. The caller
// has the turn.
func (s *Source) distrust(err error) {
	damaged, ok := errors.AsType[*damagedCloneError](err)
	if !ok || s.currentClones().currentPath() != damaged.path {
		return
	}
	s.abandonClone()
	s.state.snapshot, s.state.tree = nil, nil
}

// damagedCloneError is an error of a clone that has to be made anew.
type damagedCloneError struct {
	path  string // of the clone
	cause error
}

func (e *damagedCloneError) Error() string {
	return e.cause.Error() + "; the next look at the remote makes a fresh clone"
}
func (e *damagedCloneError) Unwrap() error { return e.cause }

// damaged marks an error of a clone that does not hold what it should.
func damaged(at *clone, err error) error {
	if errors.Is(err, errUnreadable) {
		return &damagedCloneError{at.path, err}
	}
	return err
}

// grace is how long an operation may take to notice that its time is over,
// before it is abandoned.
const grace = time.Second

// await returns what comes out of done, or false if nothing does until shortly
// after the end of ctx.
func await[T any](ctx context.Context, done <-chan T) (T, bool) {
	select {
	case v := <-done:
		return v, true
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case v := <-done:
		return v, true
	case <-timer.C:
		var none T
		return none, false
	}
}

// recovering calls f and returns its panic as an error: go-git panics on some
// damaged repositories.
func recovering(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: go-git panicked: %v", errUnreadable, p)
		}
	}()
	return f()
}

// latest is one operation on the repository. It changes nothing of s.
func (s *Source) latest(ctx context.Context, before state, clones clones) (state, error) {
	if s.link.location.local() {
		return s.latestLocal(ctx, before)
	}
	return s.latestRemote(ctx, before, clones)
}

// latestLocal reads a repository in place. Somebody else's git may repack it
// meanwhile, which moves objects from where they were looked for, so a damage is
// believed only if it is still there when the repository is opened again.
func (s *Source) latestLocal(ctx context.Context, before state) (state, error) {
	after, err := s.readLocal(ctx, before)
	if errors.Is(err, errUnreadable) {
		after, err = s.readLocal(ctx, before)
	}
	if errors.Is(err, errUnreadable) {
		err = fmt.Errorf("%w; git fsck in it tells more", err)
	}
	return after, err
}

func (s *Source) readLocal(ctx context.Context, before state) (after state, err error) {
	err = recovering(func() error {
		repo, err := openLocal(s.link.location.path)
		if err != nil {
			return err
		}
		defer repo.close()
		tip, ref, err := repo.resolve(s.options.wanted())
		if err != nil {
			return err
		}
		after, err = s.accept(ctx, repo, before, tip, ref)
		return err
	})
	return after, err
}

// accept turns a commit into a state, or says why it is not acceptable.
func (s *Source) accept(ctx context.Context, repo *repository, before state, tip plumbing.Hash, ref string) (state, error) {
	if before.snapshot != nil && before.accepted == tip {
		return before, nil
	}
	commit, err := repo.commit(tip)
	if err != nil {
		return state{}, err
	}
	notes, err := s.judgeHistory(ctx, repo, before.accepted, commit)
	if err != nil {
		return state{}, err
	}
	read := &treeReader{ctx: ctx, repo: repo, limits: s.options.Limits.Tree, at: shortHash(tip)}
	tree, err := read.tree(commit.TreeHash, s.options.Path, before.tree)
	if err != nil {
		return state{}, err
	}
	snapshot := reconcile.Snapshot{Tree: tree.snapshot(commitOf(commit, ref)), Notes: notes}
	return state{accepted: tip, snapshot: &snapshot, tree: tree}, nil
}

// errUnreadable marks errors of a repository that does not hold what it should:
// a clone is made anew, of a local repository its owner is told.
var errUnreadable = errors.New("the repository is damaged")

// shortHash is an id as people write it.
func shortHash(h plumbing.Hash) string { return h.String()[:7] }
