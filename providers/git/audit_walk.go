package git

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/audit"
)

// auditWalk goes over a branch from its newest commit to its first one. One goroutine
// follows the chain; others, each with the repository opened for itself, check what it has
// found, in pieces.
type auditWalk struct {
	options AuditOptions
	rules   audit.Rules
	trust   *journalTrust
	size    int // of a piece

	total          int
	newest, oldest time.Time
	shallow        bool
	sealed         bool // the walk has come to TrustedSince
	at             map[string]int

	mu       sync.Mutex
	unsigned int
	keys     map[string]int
	problems []audit.Problem // numbered from the newest entry, which is 0, downwards
	err      error
}

func newAuditWalk(o AuditOptions) *auditWalk {
	w := &auditWalk{
		options: o, size: pieceSize, trust: newJournalTrust(o.Trusted, o.TrustedSince), keys: map[string]int{}, at: map[string]int{},
		rules: audit.Rules{Signed: len(o.Trusted) > 0, Committers: o.Committers, Journal: o.Branch},
	}
	for _, h := range o.Heads {
		w.at[h.Commit] = 0
	}
	return w
}

// chained is a commit of the chain, with its bytes.
type chained struct {
	commit *object.Commit
	raw    []byte
	sealed bool
}

// piece is a part of the chain, newest first. The last one is only there to compare the
// one above it with, unless it is the first of all.
type piece struct {
	first int // number of its newest commit, counted from the newest of all
	links []chained
	begin bool // it ends with the first commit of all
}

// pieceSize is how many commits are checked in one go.
const pieceSize = 200

// walk reads and checks everything that leads to head.
func (w *auditWalk) walk(ctx context.Context, repo *repository, head plumbing.Hash) (audit.Found, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pieces := make(chan piece)
	var workers sync.WaitGroup
	for range max(runtime.GOMAXPROCS(0), 2) {
		workers.Go(func() {
			if err := recovering(func() error { return w.work(ctx, repo.path, pieces) }); err != nil {
				w.failed(err)
				cancel()
			}
		})
	}
	err := w.follow(ctx, repo, head, pieces)
	close(pieces)
	workers.Wait()
	if w.err != nil { // what made the walk end early is the cause
		err = w.err
	}
	if err != nil {
		return audit.Found{}, err
	}
	return w.found(), nil
}

func (w *auditWalk) failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// found turns the numbers around, so that the oldest entry is 1.
func (w *auditWalk) found() audit.Found {
	found := audit.Found{Problems: w.problems, Number: map[string]int{}, Keys: w.keys, Whole: !w.shallow}
	for i := range found.Problems {
		found.Problems[i].Entry = w.total - found.Problems[i].Entry
	}
	for id, n := range w.at {
		if n > 0 {
			found.Number[id] = w.total - (n - 1)
		}
	}
	return found
}

// follow reads the chain and hands it out.
func (w *auditWalk) follow(ctx context.Context, repo *repository, head plumbing.Hash, pieces chan<- piece) error {
	var part piece
	for id := head; !id.IsZero(); {
		next, err := readChained(repo, id)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			w.breaksOff(id, err)
			break
		}
		w.pass(&next)
		part.links = append(part.links, next)
		id = plumbing.ZeroHash
		if len(next.commit.ParentHashes) > 0 {
			id = next.commit.ParentHashes[0]
		}
		part.begin = id.IsZero()
		if len(part.links) > w.size {
			if err := hand(ctx, pieces, part); err != nil {
				return err
			}
			part = piece{first: w.total - 1, links: []chained{next}, begin: part.begin}
			if part.begin {
				return nil // it was checked as the last one of its piece
			}
		}
	}
	if len(part.links) > 0 {
		return hand(ctx, pieces, part)
	}
	return nil
}

func hand(ctx context.Context, pieces chan<- piece, part piece) error {
	select {
	case pieces <- part:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pass counts a commit.
func (w *auditWalk) pass(c *chained) {
	id := c.commit.Hash.String()
	w.oldest = c.commit.Committer.When.UTC()
	if w.total == 0 {
		w.newest = w.oldest
	}
	w.total++
	if _, asked := w.at[id]; asked {
		w.at[id] = w.total
	}
	w.sealed = w.sealed || id == w.options.TrustedSince
	c.sealed = w.sealed
}

// breaksOff tells that the chain ends where it should go on. What is missing counts as
// an entry.
func (w *auditWalk) breaksOff(id plumbing.Hash, err error) {
	w.shallow = true
	w.total++
	w.add(w.total-1, audit.Problem{Commit: id.String(), Rule: audit.RuleObject, Reason: fmt.Sprintf("the history cannot be read from here on back: %s", err)})
}

func (w *auditWalk) add(number int, problems ...audit.Problem) {
	if len(problems) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range problems {
		p.Entry = number
		w.problems = append(w.problems, p)
	}
}

// readChained reads a commit and its bytes.
func readChained(repo *repository, id plumbing.Hash) (chained, error) {
	raw, err := repo.read(plumbing.CommitObject, id, maxMetaObject)
	if err != nil {
		return chained{}, err
	}
	o, err := encoded(plumbing.CommitObject, raw)
	if err != nil {
		return chained{}, err
	}
	c := new(object.Commit)
	if err := c.Decode(o); err != nil {
		return chained{}, fmt.Errorf("%w: the commit %s does not parse: %w", errUnreadable, id, err)
	}
	c.Hash = id
	return chained{commit: c, raw: raw}, nil
}

// work checks pieces until there are no more.
func (w *auditWalk) work(ctx context.Context, path string, pieces <-chan piece) error {
	repo, err := openLocal(path)
	if err != nil {
		return err
	}
	defer repo.close()
	trees := &recordDiff{repo: repo, known: map[plumbing.Hash][]object.TreeEntry{}}
	for part := range pieces {
		for i := range part.links {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			var before *chained
			switch {
			case i+1 < len(part.links):
				before = &part.links[i+1]
			case !part.begin && !w.lastOf(part):
				continue // the next piece begins with it
			}
			w.check(trees, part.first+i, &part.links[i], before)
		}
	}
	return nil
}

// lastOf tells whether a piece ends where the history cannot be read any further, so
// that its last commit stands for itself.
func (w *auditWalk) lastOf(part piece) bool { return len(part.links) <= w.size }

// check judges one commit.
func (w *auditWalk) check(trees *recordDiff, number int, c, before *chained) {
	facts := factsOf(c.commit)
	rules := w.rules
	if c.sealed {
		rules.Signed, rules.Journal = false, ""
	}
	if w.trust != nil {
		facts.Signature = w.trust.verify(c.raw)
		w.counted(facts.Signature, c.sealed)
	}
	older := plumbing.ZeroHash
	var previous *audit.Commit
	if before != nil {
		older = before.commit.TreeHash
		facts := factsOf(before.commit)
		previous = &facts
	}
	// Without the commit before there is nothing to compare the tree with.
	if before != nil || len(c.commit.ParentHashes) == 0 {
		changes, err := trees.changes(c.commit.TreeHash, older)
		if err != nil {
			w.add(number, audit.Problem{Commit: facts.ID, Subject: printable(subjectOf(facts.Message)), Rule: ruleOf(err), Reason: err.Error()})
		}
		facts.Changes = changes
	}
	w.add(number, rules.Check(facts, previous)...)
}

// ruleOf tells a damage from what is not as it should be.
func ruleOf(err error) audit.Rule {
	if errors.Is(err, errUnreadable) {
		return audit.RuleObject
	}
	return audit.RuleTree
}

func (w *auditWalk) counted(s reconcile.SignatureCheck, sealed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case s.State == reconcile.SignatureGood:
		w.keys[s.Key]++
	case sealed:
		w.unsigned++
	}
}

// factsOf is a commit in the words of the audit, without its signature and changes.
func factsOf(c *object.Commit) audit.Commit {
	facts := audit.Commit{
		ID: c.Hash.String(), Message: c.Message,
		Author:    stamp(c.Author.Name, c.Author.Email, c.Author.When),
		Committer: stamp(c.Committer.Name, c.Committer.Email, c.Committer.When),
	}
	for _, p := range c.ParentHashes {
		facts.Parents = append(facts.Parents, p.String())
	}
	return facts
}
