package trust

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// found is a verdict with what the driver adds.
type found struct {
	Verdict
	notes []string
	again time.Time // when a refusal is looked into again
}

// position is a commit of the branch that is accepted, or would have been, had it
// been seen: what comes after it is judged by its rules.
type position struct {
	id     string       // "": before the first commit
	rules  string       // commit whose rules and CODEOWNERS hold: id, or the last before it that loads
	trust  *spec.Trust  // that the rules commit declares
	config *spec.Config // of the rules commit; nil: it is not known
	err    error        // why it is not
}

// maxSteps bounds how many commits between two looks are taken as if each had been
// seen. What follows is judged by the rules of the last of them.
const maxSteps = 1000

// look judges a snapshot from the accepted commit on.
func (g *Gate) look(ctx context.Context, snap reconcile.Snapshot, accepted journal.RepoRecord) (found, error) {
	head := snap.Tree.Commit()
	w := &walk{Gate: g, head: head, snap: snap, again: g.Now().Add(again), number: g.answers.begin()}
	pos, err := w.start(ctx, accepted)
	if err != nil {
		return w.refuse(err)
	}
	if (Rules{Old: pos.trust, Root: g.Root}).Off() {
		return found{Verdict: Verdict{Mode: spec.TrustOff}}, nil
	}
	if head.ID == "" {
		return w.refuse(&reconcile.Refusal{
			Rule: "trust.history", Reason: "it is a plain directory: there is no history that could be judged",
			Remedy: "follow a Git repository, or do without trust rules",
		})
	}
	if w.full, err = g.Commits.Range(ctx, pos.id, head.ID); err != nil {
		return w.refuse(w.lost(ctx, pos.id, err))
	}
	done, line := w.resume(accepted.Accepted, pos)
	v, err := w.along(ctx, done, line)
	if err != nil {
		return w.refuse(err)
	}
	if w.raised(accepted) {
		for _, r := range v.Refusals {
			r.Remedy += fmt.Sprintf("; what was followed while less was asked for is taken as it is with since = %q in the operator's trust file", accepted.Accepted)
		}
	}
	return found{Verdict: v, notes: w.full.Notes, again: w.again}, nil
}

// walk is one judgement as it goes along the branch.
type walk struct {
	*Gate
	head  spec.Commit
	snap  reconcile.Snapshot
	full  reconcile.CommitRange
	again time.Time
	loads map[string]*spec.Config

	// Of the forge.
	number int             // of this look, for what it said
	away   error           // why it is not asked any more
	teams  map[string]Team // that were asked for
}

// refuse makes a verdict of an error that is a refusal; another one is returned.
func (w *walk) refuse(err error) (found, error) {
	var r *reconcile.Refusal
	if !errors.As(err, &r) {
		return found{}, err
	}
	r.Repo, r.Head = w.Name, w.head
	if r.Commit == "" {
		r.Commit = w.head.ID
	}
	return found{Verdict: Verdict{Refusals: []*reconcile.Refusal{r}}, again: w.again}, nil
}

// progress is how far a judgement has come: what it found good is not judged again in
// the next look, which a slow forge or a commit that waits would never get through.
type progress struct {
	accepted, start string // commits that it began from
	pos             position
	kept            Verdict
}

// resume is where the last judgement from the same commit has come to, and what is
// left of the branch.
func (w *walk) resume(accepted string, pos position) (progress, []*reconcile.RawCommit) {
	line := newLine(w.full, nil).branch
	if last := w.progress; last.accepted == accepted && last.start == pos.id {
		for i, c := range line[:max(0, len(line)-1)] {
			if c.ID == last.pos.id {
				return last, line[i+1:]
			}
		}
	}
	return progress{accepted: accepted, start: pos.id, pos: pos}, line
}

// along goes from commit to commit of the branch, so that each is judged by the
// rules of the one before it, and judges what is left to the head.
func (w *walk) along(ctx context.Context, done progress, line []*reconcile.RawCommit) (Verdict, error) {
	for i, c := range line {
		if i == len(line)-1 || i == maxSteps {
			break
		}
		pos := done.pos
		part := stretch(w.full, pos.id, c.ID)
		if !part.Descends {
			continue // it came beside the accepted commit, and knows nothing of its rules
		}
		if _, err := w.tree(ctx, c.ID); err != nil {
			continue // it could not have been followed, and nothing can be compared with it
		}
		v, signed, err := w.judge(ctx, pos, part, spec.Commit{ID: c.ID, Author: c.Author, Subject: c.Subject, Time: c.When, Ref: w.head.Ref})
		if err != nil {
			return v, err
		}
		if !v.Accepted() {
			if !v.partial && (signed || v.Mode == spec.TrustEvery) {
				break // nor is anything that follows
			}
			continue
		}
		done = w.good(ctx, done, v, c)
	}
	v, _, err := w.judge(ctx, done.pos, stretch(w.full, done.pos.id, w.head.ID), w.head)
	if err == nil && v.Accepted() && len(line) > 0 {
		w.good(ctx, done, v, line[len(line)-1])
	}
	v.Commits, v.Pulls = slices.Concat(done.kept.Commits, v.Commits), slices.Concat(done.kept.Pulls, v.Pulls)
	return v, err
}

// good goes on to a commit that is good, and remembers that.
func (w *walk) good(ctx context.Context, done progress, v Verdict, c *reconcile.RawCommit) progress {
	done.kept.Commits = newest(slices.Concat(done.kept.Commits, v.Commits))
	done.kept.Pulls = newest(slices.Concat(done.kept.Pulls, v.Pulls))
	done.pos = w.step(ctx, done.pos, c)
	if ctx.Err() == nil { // or else its config may not have been read for want of time
		w.progress = done
	}
	return done
}

// step goes on to an accepted commit. One whose config does not load could not have
// been followed: its rules are none.
func (w *walk) step(ctx context.Context, pos position, c *reconcile.RawCommit) position {
	next := pos
	next.id = c.ID
	if !w.configured(c) {
		return next
	}
	if config, err := w.load(ctx, c.ID); err == nil {
		next.rules, next.trust, next.config, next.err = c.ID, config.Trust, config, nil
	}
	return next
}

// configured tells whether a commit changes anything that its config is made of, or
// CODEOWNERS.
func (w *walk) configured(c *reconcile.RawCommit) bool {
	if !c.ChangedAll {
		return true
	}
	for _, changed := range c.Changed {
		if _, inside := below(w.Path, changed); inside || isCodeowners(changed) {
			return true
		}
	}
	return false
}

// load is the config of a commit, read once in one judgement.
func (w *walk) load(ctx context.Context, id string) (*spec.Config, error) {
	if config := w.loads[id]; config != nil {
		return config, nil
	}
	tree, err := w.tree(ctx, id)
	if err != nil {
		return nil, err
	}
	config, err := w.Load(ctx, tree)
	if err != nil {
		return nil, err
	}
	if w.loads == nil || len(w.loads) > 8 { // those of the commits next to each other are asked for again
		w.loads = make(map[string]*spec.Config)
	}
	w.loads[id] = config
	return config, nil
}

func (w *walk) tree(ctx context.Context, id string) (spec.Tree, error) {
	if id == w.head.ID {
		return w.snap.Tree, nil
	}
	return w.Commits.TreeAt(ctx, id)
}

// judge judges one stretch: the signatures, and only where they are good, whatever
// has to be read for the reviews. signed says that it came to the latter.
func (w *walk) judge(ctx context.Context, pos position, part reconcile.CommitRange, head spec.Commit) (v Verdict, signed bool, err error) {
	in := Input{
		Repo: w.Name, Head: head, Range: part, Now: w.Now(),
		Rules: Rules{Old: pos.trust, Root: w.Root}, Sealed: w.sealed(pos),
	}
	in.Checks = w.verified(in)
	v = Signed(in)
	if !v.Accepted() || !in.Rules.Reviewed() {
		return v, false, ctx.Err()
	}
	if err = w.evidence(ctx, &in, pos, false); err != nil {
		return v, true, err
	}
	v = Judge(in)
	for _, r := range v.Refusals {
		if !v.partial || part.To == w.head.ID {
			w.answers.doubt(r.Commit)
		}
	}
	return v, true, ctx.Err()
}

// sealed are the commits up to the `since` of the repo's own rules. One that is not
// in the range lies before it, or elsewhere, and seals nothing.
func (w *walk) sealed(pos position) map[string]bool {
	if pos.trust == nil || pos.trust.Since == "" {
		return nil
	}
	return reached(byID(w.full), pos.trust.Since)
}

// verified checks the signatures that the judgement asks for, and those of the newest
// commits for the journal.
func (w *walk) verified(in Input) map[string]Check {
	const newest = 100
	checks := make(map[string]Check)
	key := in.Rules.signersKey()
	check := func(id string, raw []byte) Check {
		c, known := checks[id]
		if !known {
			c = w.check(key, id, raw, in.Rules)
			checks[id] = c
		}
		return c
	}
	mode, _ := in.Rules.Mode()
	commits := in.Range.Commits
	by := byID(in.Range)
	for i := range commits {
		if mode == spec.TrustEvery || in.Rules.Reviewed() || i >= len(commits)-newest {
			check(commits[i].ID, commits[i].Raw)
		}
	}
	for i := range in.Range.Tags {
		check(in.Range.Tags[i].ID, in.Range.Tags[i].Raw)
	}
	// What a forge merged is as good as the parents.
	asked := make(map[string]bool)
	for left := []string{in.Range.To}; len(left) > 0; {
		id := left[len(left)-1]
		left = left[:len(left)-1]
		c := by[id]
		if c == nil || asked[id] {
			continue
		}
		asked[id] = true
		if found := check(id, c.Raw); found.By.State == reconcile.SignatureGood && len(c.Parents) > 1 {
			left = append(left, c.Parents...)
		}
	}
	return checks
}

// signersKey is the same for the same signers.
func (r Rules) signersKey() string {
	signers, err := json.Marshal(r.Signers())
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(signers)
	return string(sum[:])
}

// maxKept bounds the signatures and first sights that are remembered. Forgetting
// costs time, and makes what was seen before a revocation be seen after it.
const maxKept = 50_000

func (w *walk) check(key, id string, raw []byte, rules Rules) Check {
	if len(w.seen) > maxKept {
		clear(w.seen)
	}
	if _, known := w.seen[id]; !known {
		w.seen[id] = w.Now()
	}
	if len(w.checks) > maxKept {
		clear(w.checks)
	}
	c, known := w.checks[key+id]
	if !known || key == "" {
		c.By = w.Signatures.Verify(raw, rules.Signers())
		if rules.Root != nil && rules.Old != nil {
			c.Root = w.Signatures.Verify(raw, rules.Root.Signers)
		}
		w.checks[key+id] = c
	}
	c.Seen = w.seen[id]
	return c
}
