package proposer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/propose"
	"github.com/fairlead/fairlead/spec"
)

// Options are what a Proposer needs.
type Options struct {
	Environment string
	Proposals   reconcile.Proposals
	Forge       reconcile.Forge // nil: proposals are branches
	Base        string          // branch that is proposed to, of the forge
	Journal     journal.Journal
	// Commits tells whether what was proposed can still be merged; nil: it is not asked.
	Commits reconcile.Commits
	// Input is how things stand now; nil: it is not known yet. The tree is the one that
	// is followed.
	Input func(ctx context.Context) (*propose.Input, spec.Tree, error)
	// Edit makes a wish's changes to the files of a tree. The error is for people; one
	// that wraps ErrByHand says what a person has to do.
	Edit func(ctx context.Context, tree spec.Tree, w *propose.Wish) (map[string][]byte, error)
	// Interval is how often everything is looked at, with a tenth of jitter.
	Interval time.Duration
	// OnOpened is called for each proposal that was opened, and OnEnded for each that came
	// to an end. They must not block, and may be nil.
	OnOpened, OnEnded func(r *journal.ProposalRecord)
	Log               *slog.Logger
}

// ErrByHand: the change has to be made by a person.
var ErrByHand = errors.New("it has to be changed by hand")

// Proposer keeps proposals current. Make it with New, then call Run once.
type Proposer struct {
	opts Options
	wake chan struct{}
	turn chan struct{} // holds one token: one look at a time

	mu      sync.Mutex
	records map[string]journal.ProposalRecord
	status  map[string]Status
	open    bool
}

// Status is how one key is doing, for people.
type Status struct {
	Key    string                 `json:"key"`
	Kind   journal.ProposalKind   `json:"kind"`
	Model  string                 `json:"model"`
	Title  string                 `json:"title"`
	Branch string                 `json:"branch,omitempty"`
	Pull   int                    `json:"pull,omitempty"`
	URL    string                 `json:"url,omitempty"`
	Since  time.Time              `json:"since,omitzero"`
	State  string                 `json:"state"` // open, blocked, or an outcome
	Reason string                 `json:"reason,omitempty"`
	Error  string                 `json:"error,omitempty"` // of the last attempt
	Last   *journal.EndedProposal `json:"last,omitempty"`
}

// New returns a Proposer that does nothing before Run.
func New(o Options) *Proposer {
	p := &Proposer{opts: o, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1), records: map[string]journal.ProposalRecord{}, status: map[string]Status{}}
	p.turn <- struct{}{}
	return p
}

// Wake asks for a look now.
func (p *Proposer) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Status returns how every key is doing that is open, or wanted, sorted by key.
func (p *Proposer) Status() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.SortedFunc(maps.Values(p.status), func(a, b Status) int { return cmp.Compare(a.Key, b.Key) })
}

// lookTimeout bounds one look at everything.
const lookTimeout = 5 * time.Minute

// pause is the least between two looks: while many models come up, there is a reason to
// look with every decision.
const pause = time.Second

// Run looks until ctx ends: when woken, and at each interval.
func (p *Proposer) Run(ctx context.Context) {
	for {
		p.Look(ctx)
		if !wait(ctx, pause) {
			return
		}
		timer := time.NewTimer(p.opts.Interval - p.opts.Interval/10 + rand.N(max(p.opts.Interval/5, 1)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-p.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// wait returns false if ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Look takes every key as far as it goes now.
func (p *Proposer) Look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if err := p.look(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, journal.ErrClosed) {
		p.opts.Log.Warn("proposals", "error", err)
	}
}

func (p *Proposer) look(ctx context.Context) error {
	giveBack, err := p.take(ctx)
	if err != nil {
		return err
	}
	defer giveBack()
	in, tree, err := p.opts.Input(ctx)
	if err != nil || in == nil {
		return err
	}
	if err := p.remember(ctx); err != nil {
		return err
	}
	wishes := propose.Wishes(in, time.Now())
	keys := map[string]bool{}
	for key, want := range wishes {
		keys[key] = want.Wish != nil
	}
	for key, r := range p.records {
		keys[key] = keys[key] || r.Open != nil || len(r.Ended) > 0 && r.Ended[len(r.Ended)-1].Outcome == journal.ProposalMoot
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.settle(ctx, &look{proposer: p, key: key, want: wishes[key], tree: tree, config: in.Config})
	}
	p.forget(keys)
	return nil
}

func (p *Proposer) take(ctx context.Context) (giveBack func(), err error) {
	select {
	case <-p.turn:
		return func() { p.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// remember reads the records once.
func (p *Proposer) remember(ctx context.Context) error {
	if p.open {
		return nil
	}
	records, err := p.opts.Journal.Proposals(ctx)
	if err != nil {
		return fmt.Errorf("read what was proposed before: %w", err)
	}
	maps.Copy(p.records, records)
	p.open = true
	return nil
}

// forget drops the status of keys about which there is nothing to say any more.
func (p *Proposer) forget(keys map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.status, func(key string, _ Status) bool { return !keys[key] })
}

// Offer proposes a wish that does not follow from how things stand, as a version that a
// pipeline has made. Its branch is there when Offer returns; the pull request follows.
func (p *Proposer) Offer(ctx context.Context, tree spec.Tree, w *propose.Wish) (reconcile.Proposed, error) {
	giveBack, err := p.take(ctx)
	if err != nil {
		return reconcile.Proposed{}, err
	}
	defer giveBack()
	if err := p.remember(ctx); err != nil {
		return reconcile.Proposed{}, err
	}
	l := &look{proposer: p, key: w.Key, want: propose.Want{Wish: w}, tree: tree}
	proposed, err := l.push(ctx)
	if err == nil {
		p.Wake()
	}
	return proposed, err
}
