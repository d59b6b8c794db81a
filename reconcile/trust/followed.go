package trust

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// Followed tells that the controller follows a commit from now on: the next ones are
// judged by its rules, also where the error says that this could not be noted; then it
// is to be called again. It is idempotent. Where rules did not ask for pull requests,
// what the forge tells of them in short time is added to the record once that is written.
func (g *Gate) Followed(ctx context.Context, commit string) error {
	if commit == "" {
		return nil // a plain directory has no history to go on from
	}
	if err := g.followed(ctx, commit); err != nil {
		return fmt.Errorf("noting that commit %s of %s is followed: %w", short(commit), g.Name, err)
	}
	return nil
}

var errNotJudged = errors.New("it was not accepted, so it is not known why it could be trusted; ask for the newest revision again")

func (g *Gate) followed(ctx context.Context, commit string) error {
	p, known := g.hold(commit)
	if !known {
		accepted, _, err := g.Memory.Accepted(ctx)
		if err == nil && commit != accepted.Accepted {
			err = errNotJudged
		}
		return err
	}
	g.rule(commit, g.rules(ctx, p))
	record, written, err := g.note(ctx, commit)
	if err != nil || !written {
		return err
	}
	err = g.credit(ctx, p, record)
	g.rules(ctx, p) // which are asked for next
	return err
}

// hold remembers a commit as followed until that is noted: from now on the next ones
// are judged from it.
func (g *Gate) hold(commit string) (p pending, known bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p, known = g.pending[commit]
	before := g.unnoted
	if !known {
		if before == nil || before.record.Accepted != commit {
			return pending{}, false
		}
		return *before, true
	}
	if before != nil && before.record.Accepted != commit { // what Memory never heard of came with this one
		p.record.Pulls = newest(slices.Concat(before.record.Pulls, p.record.Pulls))
		if all := &p.record.Commits; len(*all) > 0 && len(before.record.Commits) > 0 {
			*all = newest(slices.Concat(before.record.Commits, *all))
		} else {
			*all = nil // of one of them they are not known: they are listed when it is noted
		}
	}
	g.unnoted = &p
	delete(g.pending, commit)
	g.order = slices.DeleteFunc(g.order, func(id string) bool { return id == commit })
	return p, true
}

// accepted is the record of the commit that is followed, noted or not.
func (g *Gate) accepted(ctx context.Context) (journal.RepoRecord, error) {
	if held, known := g.held(); known {
		return held.record, nil
	}
	accepted, _, err := g.Memory.Accepted(ctx)
	return accepted, err
}

// held is the commit that is followed and not noted.
func (g *Gate) held() (pending, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.unnoted == nil {
		return pending{}, false
	}
	return *g.unnoted, true
}

// rule adds its rules to the commit that is held.
func (g *Gate) rule(commit string, rules *journal.AcceptedRules) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.unnoted != nil && g.unnoted.record.Accepted == commit {
		g.unnoted.record.Rules = rules
	}
}

// release forgets the commit that is held, once it is noted.
func (g *Gate) release(commit string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.unnoted != nil && g.unnoted.record.Accepted == commit {
		g.unnoted = nil
	}
}

// note writes the record of the commit that is held, with its rules. It asks nobody.
// Nothing is written where a newer one is followed by now, or the same is there.
func (g *Gate) note(ctx context.Context, commit string) (record journal.RepoRecord, written bool, err error) {
	select {
	case g.noting <- struct{}{}:
		defer func() { <-g.noting }()
	case <-ctx.Done():
		return record, false, ctx.Err()
	}
	accepted, _, err := g.Memory.Accepted(ctx)
	if err != nil {
		return record, false, err
	}
	held, known := g.held()
	if !known || held.record.Accepted != commit {
		return record, false, nil
	}
	record = held.record
	same := accepted.Accepted == commit
	if same && accepted.Mode == record.Mode && accepted.Rules != nil {
		g.release(commit)
		return record, false, nil
	}
	record.Since = g.Now()
	if record.Before = accepted.Accepted; same {
		record.Before = accepted.Before
	}
	if len(record.Commits) == 0 {
		record.Commits = g.between(ctx, record.Before, commit)
	}
	if err := g.Memory.Accept(ctx, record); err != nil {
		return record, false, err
	}
	g.release(commit)
	return record, true, nil
}

// rules are those that a commit declares; nil where it does not load.
func (g *Gate) rules(ctx context.Context, p pending) *journal.AcceptedRules {
	config, err := g.Load(ctx, p.tree)
	if err != nil {
		return nil
	}
	id := p.record.Accepted
	g.based(position{id: id, rules: id, trust: config.Trust, config: config})
	rules := &journal.AcceptedRules{Trust: config.Trust}
	if g.Root != nil {
		rules.Since = g.Root.Since
	}
	return rules
}

// between are the commits that came, where nobody judged them; none where that is all
// of history.
func (g *Gate) between(ctx context.Context, before, commit string) []journal.AcceptedCommit {
	if before == "" {
		return nil
	}
	r, err := g.Commits.Range(ctx, before, commit)
	if err != nil {
		return nil
	}
	return newest(newJudge(Input{Range: r}).commits())
}

// courtesy bounds how long evidence is looked for that no rule asks for.
const courtesy = 20 * time.Second

// credit adds to a record that is written by which pull requests the commits came, as
// far as the forge tells.
func (g *Gate) credit(ctx context.Context, p pending, record journal.RepoRecord) error {
	if record.Before == "" || len(record.Pulls) > 0 || g.Forge == nil {
		return nil // all of history is not asked about
	}
	if record.Pulls = g.volunteer(ctx, p, record.Before); len(record.Pulls) == 0 {
		return nil
	}
	select {
	case g.noting <- struct{}{}:
		defer func() { <-g.noting }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if accepted, _, err := g.Memory.Accepted(ctx); err != nil || accepted.Accepted != record.Accepted {
		return err // another one is followed by now
	}
	record.Since = g.Now()
	return g.Memory.Accept(ctx, record)
}

// volunteer are the pull requests by which commits came, where no rule asked for them.
func (g *Gate) volunteer(ctx context.Context, p pending, before string) []journal.AcceptedPull {
	ctx, cancel := context.WithTimeout(ctx, courtesy)
	defer cancel()
	head := p.tree.Commit()
	r, err := g.Commits.Range(ctx, before, head.ID)
	if err != nil {
		return nil
	}
	in := Input{Repo: g.Name, Head: head, Range: r, Now: g.Now()}
	w := &walk{Gate: g, head: head, snap: reconcile.Snapshot{Tree: p.tree}, full: r, number: g.answers.begin()}
	pos, err := w.at(ctx, journal.RepoRecord{Accepted: before, Rules: &journal.AcceptedRules{}})
	if err == nil {
		err = w.evidence(ctx, &in, pos, true)
	}
	if err != nil {
		return nil
	}
	return newest(Judge(in).Pulls)
}
