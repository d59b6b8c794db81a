package proposer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/propose"
	"github.com/fairlead/fairlead/spec"
)

// look is one look at one key.
type look struct {
	proposer *Proposer
	key      string
	want     propose.Want
	tree     spec.Tree    // that is followed
	config   *spec.Config // of the tree; nil where that is not known
}

func (l *look) record() journal.ProposalRecord { return l.proposer.records[l.key] }

// maxActs bounds the acts of one look. Four are the most that follow on each other.
const maxActs = 8

// settle takes a key as far as it goes.
func (p *Proposer) settle(ctx context.Context, l *look) {
	var move propose.Move
	var err error
	for range maxActs {
		var seen propose.Seen
		if seen, err = l.see(ctx); err != nil {
			break
		}
		move = propose.Step(l.record(), l.want, seen, time.Now())
		if move.Act == propose.Rest {
			break
		}
		if err = l.act(ctx, &move); err != nil {
			break
		}
	}
	l.tell(&move, err)
}

// see finds out how the proposal stands.
func (l *look) see(ctx context.Context) (propose.Seen, error) {
	o := &l.proposer.opts
	r := l.record()
	branch, commit := propose.Branch(o.Environment, l.key), ""
	if r.Open != nil {
		branch, commit = r.Open.Branch, r.Open.Commit
	}
	at, err := o.Proposals.Look(ctx, branch, commit, l.tree.Commit().ID)
	if err != nil {
		return propose.Seen{}, err
	}
	seen := propose.Seen{Tip: at.Tip, Ours: at.Ours, Merged: at.Merged || l.registered(&r), Forge: o.Forge != nil}
	if o.Forge != nil && (r.Open != nil || len(r.Ended) > 0 || at.Tip != "") {
		pull, err := o.Forge.Latest(ctx, branch)
		switch {
		case err == nil:
			seen.Pull = &pull
		case !errors.Is(err, reconcile.ErrNoPull):
			return propose.Seen{}, err
		}
	}
	seen.Conflicts = r.Open != nil && at.Tip != "" && at.Ours && !seen.Merged && l.conflicts(ctx, at.Tip)
	return seen, nil
}

// registered: the version that a retrain proposes is in the registry of the commit that
// is followed, however it came there.
func (l *look) registered(r *journal.ProposalRecord) bool {
	if r.Open == nil || r.Kind != journal.ProposeRetrain || l.config == nil {
		return false
	}
	for _, v := range l.config.Versions {
		if v.ID() == r.Open.Wish {
			return true
		}
	}
	return false
}

func (l *look) conflicts(ctx context.Context, tip string) bool {
	if l.proposer.opts.Commits == nil || l.want.Wish == nil {
		return false
	}
	_, err := l.proposer.opts.Commits.Merge(ctx, l.tree.Commit().ID, tip)
	_, conflict := errors.AsType[*reconcile.MergeConflict](err)
	return conflict
}

func (l *look) act(ctx context.Context, m *propose.Move) error {
	o := &l.proposer.opts
	r := l.record()
	switch m.Act {
	case propose.Push:
		_, err := l.push(ctx)
		return err
	case propose.OpenPull:
		return l.openPull(ctx, &r)
	case propose.Conclude:
		ended := m.Next.Ended[len(m.Next.Ended)-1]
		if err := l.write(ctx, journal.ActionConclude, m.Next, fmt.Sprintf("%s: %s", ended.Outcome, m.Reason), ended.By); err != nil {
			return err
		}
		if o.OnEnded != nil {
			o.OnEnded(m.Next)
		}
		return nil
	case propose.ClosePull:
		return o.Forge.ClosePull(ctx, r.Ended[len(r.Ended)-1].Pull)
	case propose.Withdraw:
		return o.Proposals.Withdraw(ctx, propose.Branch(o.Environment, l.key))
	case propose.Rest:
	}
	return nil
}

// push writes the wish to its branch, and then down.
func (l *look) push(ctx context.Context) (reconcile.Proposed, error) {
	o := &l.proposer.opts
	files := l.want.Wish.Edit.Files
	if files == nil {
		var err error
		if files, err = o.Edit(ctx, l.tree, l.want.Wish); err != nil {
			return reconcile.Proposed{}, err
		}
	}
	base := l.tree.Commit().ID
	done, err := o.Proposals.Propose(ctx, reconcile.Proposal{
		Branch: propose.Branch(o.Environment, l.key), Base: base, Message: l.want.Wish.Title + "\n\n" + l.want.Wish.Body, Files: files,
	})
	if err != nil {
		return done, err
	}
	r := l.record()
	first := r.Open == nil || r.Open.Wish != l.want.Wish.ID
	next := propose.Pushed(r, l.want.Wish, base, done, time.Now())
	if err := l.write(ctx, journal.ActionPropose, next, l.want.Wish.Title, ""); err != nil {
		return done, err
	}
	if first && o.Forge == nil && o.OnOpened != nil {
		o.OnOpened(next)
	}
	return done, nil
}

func (l *look) openPull(ctx context.Context, r *journal.ProposalRecord) error {
	o := &l.proposer.opts
	title, body := r.Open.Title, r.Open.Body
	pull, err := o.Forge.OpenPull(ctx, reconcile.NewPull{Head: r.Open.Branch, Base: o.Base, Title: title, Body: body})
	if err != nil {
		return err
	}
	next := propose.Opened(*r, pull, time.Now())
	if err := l.write(ctx, journal.ActionPropose, next, fmt.Sprintf("%s: #%d", title, pull.Number), ""); err != nil {
		return err
	}
	if o.OnOpened != nil {
		o.OnOpened(next)
	}
	return nil
}

// write journals a record. Nothing counts before it is durable.
func (l *look) write(ctx context.Context, action journal.Action, r *journal.ProposalRecord, reason, actor string) error {
	if actor == "" {
		actor = journal.Daemon
	}
	err := l.proposer.opts.Journal.Append(ctx, journal.Entry{
		At: r.Since, Action: action, Proposal: l.key, Commit: l.tree.Commit().ID, Reason: reason, Actor: actor, ProposalRecord: r,
	})
	if err != nil {
		return err
	}
	l.proposer.records[l.key] = *r
	return nil
}

// tell keeps what people can read about the key.
func (l *look) tell(m *propose.Move, err error) {
	p := l.proposer
	r := l.record()
	s := Status{Key: l.key, Kind: r.Kind, Model: r.Model, State: "blocked", Reason: m.Reason}
	if l.want.Wish != nil {
		s.Kind, s.Model, s.Title = l.want.Wish.Kind, l.want.Wish.Model, l.want.Wish.Title
	}
	if n := len(r.Ended); n > 0 {
		s.Last = &r.Ended[n-1]
	}
	if open := r.Open; open != nil {
		s.State, s.Title, s.Branch, s.Pull, s.URL, s.Since = "open", open.Title, open.Branch, open.Pull, open.URL, open.Since
	}
	if err != nil {
		s.Error = err.Error()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if before, known := p.status[l.key]; err != nil && (!known || before.Error != s.Error) {
		p.opts.Log.Warn("proposal", "key", l.key, "error", err)
	}
	if r.Open == nil && l.want.Wish == nil && err == nil {
		delete(p.status, l.key) // there is nothing to say about it
		return
	}
	p.status[l.key] = s
}
