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
	round    *round
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
	if s, known := l.known(); known {
		if s.err != nil && s.wish == l.wanted() {
			return // it is tried again with the next Look
		}
		if move = propose.Step(l.record(), l.want, s.Seen, time.Now()); s.err == nil && move.Act == propose.Rest {
			l.tell(&move, l.awayAs(&s))
			return
		}
	}
	s, err := l.walk(ctx, &move)
	s.err, s.followed, s.wish = err, l.followed(), l.wanted()
	p.sights[l.key] = s
	if err == nil {
		err = l.awayAs(&s)
	}
	l.tell(&move, err)
}

// walk looks and acts until there is nothing to do.
func (l *look) walk(ctx context.Context, move *propose.Move) (s sight, err error) {
	for range maxActs {
		s = sight{}
		switch {
		case !propose.Asks(l.record(), l.want):
		case l.round.cut != nil:
			return s, l.round.cut
		default:
			if s, err = l.see(ctx); err != nil {
				return s, err
			}
		}
		*move = propose.Step(l.record(), l.want, s.Seen, time.Now())
		if move.Act == propose.Rest {
			return s, nil
		}
		if err = l.act(ctx, move); err != nil {
			return s, err
		}
	}
	return s, nil
}

// awayAs is what people are told of a key for which the forge would have to be asked.
func (l *look) awayAs(s *sight) error {
	if s.Away == "" {
		return nil
	}
	return errors.New(s.Away)
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
	case propose.Note:
		return l.write(ctx, journal.ActionPropose, m.Next, journal.TidiedUp+m.Reason, "")
	case propose.EditPull:
		return l.editPull(ctx, &r)
	case propose.ClosePull:
		number := r.Ended[len(r.Ended)-1].Pull
		l.round.touch(number)
		return l.left(ctx, &r, l.forge(o.Forge.ClosePull(ctx, number)))
	case propose.Withdraw:
		return l.left(ctx, &r, l.remote(o.Proposals.Withdraw(ctx, propose.Branch(o.Environment, l.key))))
	case propose.Rest:
	}
	return nil
}

// forge notes that an error of the forge is one of all keys.
func (l *look) forge(err error) error {
	l.round.lost(err)
	return err
}

// left journals what could not be tidied up and stays, as the branch that its forge
// protects: to try it at each look would change nothing. What may pass is tried again.
func (l *look) left(ctx context.Context, r *journal.ProposalRecord, err error) error {
	if err == nil || errors.Is(err, reconcile.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	l.proposer.opts.Log.Warn("tidy up after a proposal", "key", l.key, "error", err)
	next := propose.Tidied(*r, "something of it stays: "+err.Error(), time.Now())
	return l.write(ctx, journal.ActionPropose, next, journal.TidiedUp+next.Ended[len(next.Ended)-1].Tidied, "")
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
		return done, l.remote(err)
	}
	r := l.record()
	if r.Open != nil {
		l.round.touch(r.Open.Pull)
	}
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
	if w := l.want.Wish; w != nil && w.ID == r.Open.Wish { // it may have waited for long
		r = propose.Edited(*r, w, time.Now())
	}
	pull, err := o.Forge.OpenPull(ctx, reconcile.NewPull{Head: r.Open.Branch, Base: o.Base, Title: r.Open.Title, Body: r.Open.Body})
	if err != nil {
		return l.forge(err)
	}
	l.round.touch(pull.Number)
	next := propose.Opened(*r, pull, time.Now())
	if err := l.write(ctx, journal.ActionPropose, next, fmt.Sprintf("%s: #%d", r.Open.Title, pull.Number), ""); err != nil {
		return err
	}
	if o.OnOpened != nil {
		o.OnOpened(next)
	}
	return nil
}

func (l *look) editPull(ctx context.Context, r *journal.ProposalRecord) error {
	wish := l.want.Wish
	if err := l.proposer.opts.Forge.EditPull(ctx, r.Open.Pull, wish.Title, wish.Body); err != nil {
		return l.forge(err)
	}
	next := propose.Edited(*r, wish, time.Now())
	return l.write(ctx, journal.ActionPropose, next, fmt.Sprintf("%s: #%d is brought up to date", wish.Title, r.Open.Pull), "")
}

// write journals a record. Nothing counts before it is durable.
func (l *look) write(ctx context.Context, action journal.Action, r *journal.ProposalRecord, reason, actor string) error {
	if actor == "" {
		actor = journal.Daemon
	}
	r.Include = l.proposer.opts.Include
	e := journal.Entry{At: r.Since, Action: action, Proposal: l.key, Reason: reason, Actor: actor, ProposalRecord: r}
	if r.Include == "" {
		e.Commit = l.followed()
	} else {
		e.Include = r.Include + "@" + l.followed()
	}
	if err := l.proposer.opts.Journal.Append(ctx, e); err != nil {
		return err
	}
	l.proposer.records[l.key] = *r
	return nil
}

// tell keeps what people can read about the key.
func (l *look) tell(m *propose.Move, err error) {
	p := l.proposer
	r := l.record()
	s := Status{Key: l.key, Kind: r.Kind, Model: r.Model, Include: p.opts.Include, State: "blocked", Reason: m.Reason}
	if l.want.Wish != nil {
		s.Kind, s.Model, s.Title = l.want.Wish.Kind, l.want.Wish.Model, l.want.Wish.Title
	}
	if n := len(r.Ended); n > 0 {
		s.Last = &r.Ended[n-1]
	}
	if open := r.Open; open != nil {
		s.State, s.Title, s.Branch, s.Pull, s.URL, s.Since = "open", open.Title, open.Branch, open.Pull, open.URL, open.Since
		s.Waits = m.Waits || m.Act != propose.Rest
	}
	if err != nil {
		s.Error = err.Error()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if before, known := p.status[l.key]; err != nil && l.round.failed() == nil && (!known || before.Error != s.Error) {
		p.opts.Log.Warn("proposal", "key", l.key, "error", err)
	}
	if r.Open == nil && l.want.Wish == nil && err == nil {
		delete(p.status, l.key) // there is nothing to say about it
		return
	}
	p.status[l.key] = s
}
