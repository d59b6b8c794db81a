package trust

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// Options say what a Gate asks.
type Options struct {
	Name   string // of the repo: journal.RootRepo, or that of an include
	Source reconcile.Source
	// Commits is the history of the same repo.
	Commits    reconcile.Commits
	Signatures reconcile.Signatures
	Forge      reconcile.Forge // nil: there is none
	Memory     Memory
	Root       *spec.Trust // of the operator; nil: there is none
	// Load reads a tree as the daemon does. Any error of the config is an error.
	Load func(ctx context.Context, tree spec.Tree) (*spec.Config, error)

	Path    string  // configured path below the top of the repository
	Branch  string  // that is followed; "": pull requests into any branch count
	URL     string  // for the journal, without credentials
	Dialect Dialect // of CODEOWNERS; "": GitHub
	// Timeout bounds one judgement; 0: two minutes.
	Timeout time.Duration
	Now     func() time.Time // nil: time.Now
}

// Memory keeps which commit was accepted last. The journal is one.
type Memory interface {
	// Accepted is the record of the newest accepted commit; false if there is none.
	Accepted(ctx context.Context) (journal.RepoRecord, bool, error)
	// Accept stores the next, durable when it returns.
	Accept(ctx context.Context, r journal.RepoRecord) error
}

// again is how long a refusal stands before it is looked into again: approvals come
// later, forges come back.
const again = time.Minute

// Gate is a Source that passes on only what may be followed. It is safe for
// concurrent use.
type Gate struct {
	Options
	turn    chan struct{} // holds one token: one judgement at a time
	noting  chan struct{} // holds one token: one record is written at a time
	answers answers

	mu      sync.Mutex
	last    outcome
	base    position           // of the accepted commit, the last that was looked for
	pending map[string]pending // by commit: accepted, not followed yet
	order   []string           // of pending, oldest first
	unnoted *pending           // followed, and not in Memory yet; nil: there is none

	// Of the judgement that has the turn.
	checks   map[string]Check
	seen     map[string]time.Time
	progress progress
}

// outcome is what the last judgement came to.
type outcome struct {
	head, before string // commits
	refusals     []*reconcile.Refusal
	until        time.Time // when a refusal is looked into again
}

// pending is an accepted commit that nobody follows yet.
type pending struct {
	record journal.RepoRecord
	tree   spec.Tree
}

// New makes a Gate.
func New(o Options) *Gate {
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Name == "" {
		o.Name = journal.RootRepo
	}
	return &Gate{
		Options: o, turn: make(chan struct{}, 1), noting: make(chan struct{}, 1), pending: make(map[string]pending),
		checks: make(map[string]Check), seen: make(map[string]time.Time),
	}
}

// Latest is the newest revision of the source, if it may be followed. Else the error
// is a *reconcile.Refusal, the gravest one with a word on the others; Refusals has
// all. What was refused is judged again after a minute, and overtaken by any newer
// commit that is good. Any other error says why nothing could be judged.
func (g *Gate) Latest(ctx context.Context) (reconcile.Snapshot, error) {
	snap, err := g.Source.Latest(ctx)
	if err != nil {
		return reconcile.Snapshot{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return reconcile.Snapshot{}, g.failed(snap, ctx.Err())
	}
	notes, err := g.judged(ctx, snap)
	if err != nil {
		return reconcile.Snapshot{}, err
	}
	snap.Notes = append(snap.Notes[:len(snap.Notes):len(snap.Notes)], notes...)
	return snap, nil
}

func (g *Gate) failed(snap reconcile.Snapshot, err error) error {
	return fmt.Errorf("commit %s of %s could not be judged, and is not followed: %w", snap.Tree.Commit().Short(), g.Name, err)
}

// judged says whether a snapshot may be followed, out of memory where that is known.
func (g *Gate) judged(ctx context.Context, snap reconcile.Snapshot) (notes []string, err error) {
	accepted, err := g.accepted(ctx)
	if err != nil {
		return nil, g.failed(snap, fmt.Errorf("which commit was accepted last is not known: %w", err))
	}
	head, now := snap.Tree.Commit(), g.Now()
	if head.ID != "" && head.ID == accepted.Accepted && !g.raised(accepted) {
		g.settle(outcome{head: head.ID, before: head.ID})
		return nil, nil
	}
	last, known := g.remembered(head.ID, accepted.Accepted, now)
	if known {
		return nil, refused(last.refusals)
	}
	found, err := g.look(ctx, snap, accepted)
	if err != nil {
		return nil, g.failed(snap, err)
	}
	g.settle(outcome{head: head.ID, before: accepted.Accepted, refusals: found.Refusals, until: found.again})
	if !found.Accepted() {
		return nil, refused(found.Refusals)
	}
	if head.ID == "" {
		return found.notes, nil
	}
	g.await(head.ID, pending{record: g.record(found, snap.Tree.Commit(), accepted), tree: snap.Tree})
	return found.notes, nil
}

// remembered is the outcome for a commit, where it still stands.
func (g *Gate) remembered(head, before string, now time.Time) (outcome, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.last
	if head == "" || o.head != head || o.before != before {
		return o, false
	}
	_, waits := g.pending[head]
	return o, len(o.refusals) == 0 && waits || len(o.refusals) > 0 && now.Before(o.until)
}

func (g *Gate) settle(o outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = o
}

// Hint says that there may be news of what a refused commit waits for: it is looked into
// again at the next Latest. Where refusals need no evidence it changes nothing.
func (g *Gate) Hint() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if slices.ContainsFunc(g.last.refusals, func(r *reconcile.Refusal) bool { return r.Waiting }) {
		g.last.until = time.Time{}
	}
}

// maxPending is how many accepted commits may wait to be followed: one that does not
// load is never.
const maxPending = 16

func (g *Gate) await(id string, p pending) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.pending[id]; !known {
		g.order = append(g.order, id)
	}
	g.pending[id] = p
	if len(g.order) > maxPending {
		delete(g.pending, g.order[0])
		g.order = g.order[1:]
	}
}

// Refusals are all reasons against the newest commit; empty: there are none.
func (g *Gate) Refusals() []*reconcile.Refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]*reconcile.Refusal(nil), g.last.refusals...)
}

// refused makes one error of all refusals; nil if there are none.
func refused(all []*reconcile.Refusal) error {
	if len(all) == 0 {
		return nil
	}
	const shown = 3
	first := *all[0]
	for i, r := range all[1:] {
		first.Waiting = first.Waiting && r.Waiting
		switch {
		case i < shown:
			first.Reason += "; also " + r.Rule + ": " + r.Reason
		case i == shown:
			first.Reason += fmt.Sprintf("; and %d more", len(all)-1-shown)
		}
	}
	return &first
}

// record is what the journal keeps of an accepted commit, but for what is found out
// when it is followed.
func (g *Gate) record(f found, head spec.Commit, before journal.RepoRecord) journal.RepoRecord {
	return journal.RepoRecord{
		FormatVersion: journal.RecordFormat, Repo: g.Name, URL: g.URL, Accepted: head.ID, Before: before.Accepted,
		Author: head.Author, Subject: head.Subject, Mode: string(f.Mode), Commits: newest(f.Commits), Pulls: newest(f.Pulls),
	}
}

// newest are the last of a list, as many as a record holds.
func newest[T any](all []T) []T { return all[max(0, len(all)-100):] }
