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
	// Include is the name of the include whose repo is proposed to; "": it is the config
	// repo itself.
	Include string
	// Mine tells which of the proposals in the journal this Proposer looks after, where
	// several share it; nil: those to the repo of Include. It is asked after Input.
	Mine func(r *journal.ProposalRecord) bool
	// After is closed when the one that looked after the same proposals before has ended:
	// no two write about one. nil: there was none.
	After     <-chan struct{}
	Proposals reconcile.Proposals
	Forge     reconcile.Forge // nil: proposals are branches
	Base      string          // branch that is proposed to, of the forge
	Journal   journal.Journal
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

// ErrClosed: another Proposer looks after the repository by now.
var ErrClosed = errors.New("the repository was opened anew meanwhile; it is tried again with what it is now")

// ErrByHand: the change has to be made by a person.
var ErrByHand = errors.New("it has to be changed by hand")

// Proposer keeps proposals current. Make it with New, then call Run once.
type Proposer struct {
	opts Options
	wake chan struct{}
	ask  chan struct{}
	turn chan struct{} // holds one token: one look at a time
	over chan struct{} // closed by Close

	// Of whoever has the turn.
	records map[string]journal.ProposalRecord
	open    bool // the records were read
	sights  map[string]sight
	after   string // key behind which the next look begins
	trouble string // that was logged last

	mu     sync.Mutex
	status map[string]Status
}

// Status is how one key is doing, for people.
type Status struct {
	Key   string               `json:"key"`
	Kind  journal.ProposalKind `json:"kind"`
	Model string               `json:"model"`
	// Include is whose repo it is proposed to; "": the config repo itself.
	Include string    `json:"include,omitempty"`
	Title   string    `json:"title"`
	Branch  string    `json:"branch,omitempty"`
	Pull    int       `json:"pull,omitempty"`
	URL     string    `json:"url,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	State   string    `json:"state"` // open, blocked, or an outcome
	Reason  string    `json:"reason,omitempty"`
	// Waits: it is open, and waits for nothing but people's word. Where it is open and does
	// not, Reason says what there is to know.
	Waits bool                   `json:"waits,omitempty"`
	Error string                 `json:"error,omitempty"` // of the last attempt
	Last  *journal.EndedProposal `json:"last,omitempty"`
}

// New returns a Proposer that does nothing before Run.
func New(o Options) *Proposer {
	p := &Proposer{
		opts: o, wake: make(chan struct{}, 1), ask: make(chan struct{}, 1), turn: make(chan struct{}, 1), over: make(chan struct{}),
		records: map[string]journal.ProposalRecord{}, sights: map[string]sight{}, status: map[string]Status{},
	}
	p.turn <- struct{}{}
	return p
}

// Wake asks for a Glance now: something was decided, or another commit is followed.
func (p *Proposer) Wake() { send(p.wake) }

// WakeDeep asks for a Look now: something has changed on the forge or the remote.
func (p *Proposer) WakeDeep() { send(p.ask) }

func send(to chan struct{}) {
	select {
	case to <- struct{}{}:
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
	p.Look(ctx)
	due := p.due()
	for wait(ctx, pause) {
		timer := time.NewTimer(time.Until(due))
		deep := true
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-p.ask:
		case <-timer.C:
		case <-p.wake:
			deep = !time.Now().Before(due)
		}
		timer.Stop()
		if !deep {
			p.Glance(ctx)
			continue
		}
		p.Look(ctx)
		due = p.due()
	}
}

// due is when to look again, although nothing woke anybody.
func (p *Proposer) due() time.Time {
	return time.Now().Add(p.opts.Interval - p.opts.Interval/10 + rand.N(max(p.opts.Interval/5, 1)))
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

// Look takes every key as far as it goes now. The forge and the remote are asked how each
// stands of which something is open.
func (p *Proposer) Look(ctx context.Context) { p.run(ctx, &round{deep: true}) }

// Glance is a Look that trusts what was seen last of keys that came to rest then: it asks
// about one only where something else is wanted of it now, or another commit is followed.
func (p *Proposer) Glance(ctx context.Context) { p.run(ctx, &round{}) }

func (p *Proposer) run(ctx context.Context, at *round) {
	bound, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if err := p.look(bound, at); err != nil && ctx.Err() == nil && !errors.Is(err, journal.ErrClosed) && !errors.Is(err, ErrClosed) {
		p.opts.Log.Warn("proposals", "error", err)
	}
}

func (p *Proposer) look(ctx context.Context, at *round) error {
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
	wants := propose.Wishes(in, time.Now())
	keys := p.keys(wants)
	after := ""
	for _, key := range p.turned(keys) {
		if ctx.Err() != nil {
			break
		}
		p.settle(ctx, &look{proposer: p, round: at, key: key, want: wants[key], tree: tree, config: in.Config})
		if after == "" && (ctx.Err() != nil || at.failed() != nil) {
			after = key // whoever makes trouble comes last next time
		}
	}
	p.after = after
	p.log(at)
	p.forget(keys)
	if ctx.Err() != nil {
		return fmt.Errorf("not everything was looked at, and the rest comes first next time: %w", ctx.Err())
	}
	return nil
}

// keys are those about which there is something to do or to say.
func (p *Proposer) keys(wants map[string]propose.Want) map[string]bool {
	keys := map[string]bool{}
	for key, want := range wants {
		if want.Wish != nil {
			keys[key] = true
		}
	}
	for key, r := range p.records {
		if propose.Asks(r, wants[key]) {
			keys[key] = true
		}
	}
	return keys
}

// turned are the keys in order, beginning behind the one that made trouble last.
func (p *Proposer) turned(keys map[string]bool) []string {
	all := slices.Sorted(maps.Keys(keys))
	from, found := slices.BinarySearch(all, p.after)
	if found {
		from++
	}
	return slices.Concat(all[from:], all[:from])
}

// log says once that nobody could be asked.
func (p *Proposer) log(at *round) {
	err := at.failed()
	if err == nil {
		if at.deep {
			p.trouble = ""
		}
		return
	}
	if p.trouble != err.Error() {
		p.trouble = err.Error()
		p.opts.Log.Warn("proposals wait for the forge, or for the remote", "error", err)
	}
}

// Close ends the Proposer: what is under way is waited for, and nothing is done any more
// when it returns. It is called once.
func (p *Proposer) Close() {
	close(p.over)
	<-p.turn
}

func (p *Proposer) take(ctx context.Context) (giveBack func(), err error) {
	if after := p.opts.After; after != nil {
		select {
		case <-after:
		case <-p.over:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	select {
	case <-p.turn:
		select {
		case <-p.over:
			p.turn <- struct{}{}
			return nil, ErrClosed
		default:
			return func() { p.turn <- struct{}{} }, nil
		}
	case <-p.over:
		return nil, ErrClosed
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
	for key, r := range records {
		if p.mine(&r) {
			p.records[key] = r
		}
	}
	p.open = true
	return nil
}

func (p *Proposer) mine(r *journal.ProposalRecord) bool {
	if p.opts.Mine != nil {
		return p.opts.Mine(r)
	}
	return r.Include == p.opts.Include
}

// forget drops what is kept of keys about which there is nothing to say any more.
func (p *Proposer) forget(keys map[string]bool) {
	maps.DeleteFunc(p.sights, func(key string, _ sight) bool { return !keys[key] })
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
	delete(p.sights, w.Key)
	l := &look{proposer: p, round: &round{}, key: w.Key, want: propose.Want{Wish: w}, tree: tree}
	proposed, err := l.push(ctx)
	if err == nil {
		p.Wake()
	}
	return proposed, err
}
