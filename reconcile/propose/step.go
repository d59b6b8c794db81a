package propose

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// Seen is how a proposal stands outside.
type Seen struct {
	// Tip is the commit of the branch, "" if it is gone. Ours: Fairlead wrote it.
	Tip  string
	Ours bool
	// Merged: what was proposed is part of the branch that is followed, although no
	// forge says so.
	Merged bool
	// Conflicts: what was proposed cannot be merged any more without a person.
	Conflicts bool
	// Forge: there is one, and it was asked. Pull is the newest pull request of the
	// branch; nil: there never was one.
	Forge bool
	Pull  *reconcile.Pull
}

// Act is what to do next about a proposal.
type Act string

// The acts. After each the record is journaled as Next gives it, if at all, and Step is
// called again with what is seen then.
const (
	// Rest: there is nothing to do.
	Rest Act = "rest"
	// Push writes the wish to the branch. The record is open afterwards, with the
	// commit that was pushed: Pushed makes it.
	Push Act = "push"
	// OpenPull opens the pull request of what is open, or brings it up to date. Opened
	// makes the record.
	OpenPull Act = "open_pull"
	// Conclude journals Next: the proposal has come to an end.
	Conclude Act = "conclude"
	// ClosePull and Withdraw tidy up after a proposal that is moot: its pull request,
	// and its branch if nobody else has written to it.
	ClosePull Act = "close_pull"
	Withdraw  Act = "withdraw"
)

// Move is one step.
type Move struct {
	Act    Act
	Next   *journal.ProposalRecord // of Conclude
	Reason string                  // for people, and the journal
}

// ErrEnded: a wish was proposed before and has come to an end.
var ErrEnded = errors.New("it was proposed before")

// Ended returns what became of a wish that people have decided about; nil: nothing
// yet. One that was moot or replaced may be wanted again.
func Ended(r *journal.ProposalRecord, id string) *journal.EndedProposal {
	for i, e := range slices.Backward(r.Ended) {
		if e.Wish == id && (e.Outcome == journal.ProposalMerged || e.Outcome == journal.ProposalRejected) {
			return &r.Ended[i]
		}
	}
	return nil
}

// Step decides what to do about one key. want is what is wanted under it now.
func Step(r journal.ProposalRecord, want Want, seen Seen, now time.Time) Move {
	wish := want.Wish
	if r.Open == nil {
		return begin(&r, want, seen)
	}
	whole := found(r, seen)
	if end, reason, by := outcome(&whole, want, seen); end != "" {
		return conclude(whole, end, reason, by, now)
	}
	switch {
	case seen.Tip != "" && !seen.Ours:
		return Move{Act: Rest, Reason: "somebody else has written to its branch, and goes on with it"}
	case seen.Conflicts && wish != nil: // a version that was made stays as it was proposed
		return Move{Act: Push, Reason: "it cannot be merged as it is: it is made anew on the newest commit"}
	}
	m := pull(&r, seen)
	if m.Act == Rest && want.Unknown != "" {
		m.Reason += "; whether it is wanted still is not known: " + want.Unknown
	}
	return m
}

// begin is for a key of which nothing is open.
func begin(r *journal.ProposalRecord, want Want, seen Seen) Move {
	if m := tidy(r, seen); m.Act != Rest {
		return m
	}
	wish := want.Wish
	if wish == nil {
		return Move{Act: Rest, Reason: want.Unknown}
	}
	if e := Ended(r, wish.ID); e != nil {
		return Move{Act: Rest, Reason: fmt.Sprintf("it was %s before, at %s, and is not proposed again", e.Outcome, e.At.UTC().Format(time.DateOnly))}
	}
	if seen.Tip != "" && !seen.Ours {
		return Move{Act: Rest, Reason: "its branch holds a commit of somebody else; merge it, or delete the branch"}
	}
	return Move{Act: Push, Reason: wish.Title}
}

// tidy closes what a proposal left that is moot: the end is journaled before the pull
// request is closed, and the program may die in between.
func tidy(r *journal.ProposalRecord, seen Seen) Move {
	if len(r.Ended) == 0 {
		return Move{Act: Rest}
	}
	last := &r.Ended[len(r.Ended)-1]
	if last.Outcome != journal.ProposalMoot {
		return Move{Act: Rest}
	}
	switch {
	case seen.Pull != nil && seen.Pull.State == reconcile.PullOpen && seen.Pull.Number == last.Pull:
		return Move{Act: ClosePull, Reason: last.Reason}
	case seen.Tip != "" && seen.Ours:
		return Move{Act: Withdraw, Reason: last.Reason}
	}
	return Move{Act: Rest}
}

// outcome tells how an open proposal has ended; "": it has not.
func outcome(r *journal.ProposalRecord, want Want, seen Seen) (end journal.ProposalOutcome, reason, by string) {
	open, wish := r.Open, want.Wish
	if p := seen.Pull; p != nil && p.Number == open.Pull {
		switch p.State {
		case reconcile.PullMerged:
			return journal.ProposalMerged, fmt.Sprintf("#%d was merged", p.Number), p.MergedBy
		case reconcile.PullClosed:
			return journal.ProposalRejected, fmt.Sprintf("#%d was closed without merging it", p.Number), p.ClosedBy
		case reconcile.PullOpen:
		}
	}
	switch {
	case seen.Merged:
		return journal.ProposalMerged, "it is part of the branch that is followed", ""
	case seen.Tip == "": // that comes first: who has decided counts, also where the wish has gone meanwhile
		return journal.ProposalRejected, "somebody has deleted its branch", ""
	case wish == nil && want.Unknown == "" && r.Kind != journal.ProposeRetrain:
		return journal.ProposalMoot, "what it is for is no more", ""
	case wish != nil && wish.ID != open.Wish:
		return journal.ProposalReplaced, "replaced: " + wish.Title, ""
	}
	return "", "", ""
}

// found is the record with the pull request of what is open: the program may have died
// between opening it and writing down its number. One of an earlier proposal is another,
// also where the forge tells that it has the commit which its branch holds by now. One of
// a proposal that was replaced goes on.
func found(r journal.ProposalRecord, seen Seen) journal.ProposalRecord {
	p := seen.Pull
	if p == nil || r.Open.Pull != 0 || p.HeadSHA != r.Open.Commit || slices.ContainsFunc(r.Ended, func(e journal.EndedProposal) bool {
		return e.Pull == p.Number && e.Outcome != journal.ProposalReplaced
	}) {
		return r
	}
	open := *r.Open
	open.Pull, open.URL = p.Number, p.URL
	r.Open = &open
	return r
}

// maxEnded bounds the ledger of one key.
const maxEnded = 200

func conclude(r journal.ProposalRecord, end journal.ProposalOutcome, reason, by string, now time.Time) Move {
	open := r.Open
	r.Ended = append(slices.Clone(r.Ended), journal.EndedProposal{
		Wish: open.Wish, Outcome: end, Title: open.Title, Pull: open.Pull, URL: open.URL, Commit: open.Commit, By: by, Reason: reason, At: now,
	})
	// What people decided is kept longest.
	for extra := len(r.Ended) - maxEnded; extra > 0; extra-- {
		i := slices.IndexFunc(r.Ended, func(e journal.EndedProposal) bool {
			return e.Outcome == journal.ProposalMoot || e.Outcome == journal.ProposalReplaced
		})
		r.Ended = slices.Delete(r.Ended, max(i, 0), max(i, 0)+1)
	}
	r.Open, r.Since = nil, now
	return Move{Act: Conclude, Next: &r, Reason: reason}
}

// pull sees to the pull request of what is open.
func pull(r *journal.ProposalRecord, seen Seen) Move {
	switch {
	case !seen.Forge:
		return Move{Act: Rest, Reason: "it waits for people: merge the branch " + r.Open.Branch}
	case r.Open.Pull == 0:
		return Move{Act: OpenPull, Reason: r.Open.Title}
	default:
		return Move{Act: Rest, Reason: fmt.Sprintf("it waits for people: #%d", r.Open.Pull)}
	}
}

// Pushed is the record after a wish was pushed. A pull request of the same key that is
// still open goes on under its number.
func Pushed(r journal.ProposalRecord, w *Wish, base string, at reconcile.Proposed, now time.Time) *journal.ProposalRecord {
	open := journal.OpenProposal{Wish: w.ID, Title: w.Title, Body: w.Body, Branch: at.Branch, Base: base, Commit: at.Commit, Since: now}
	switch {
	case r.Open != nil && r.Open.Wish != w.ID:
		replaced := conclude(r, journal.ProposalReplaced, "replaced: "+w.Title, "", now)
		r.Ended = replaced.Next.Ended
	case r.Open != nil:
		open.Pull, open.URL, open.Since = r.Open.Pull, r.Open.URL, r.Open.Since
	}
	r.Proposal, r.Kind, r.Model, r.Open, r.Since = w.Key, w.Kind, w.Model, &open, now
	return &r
}

// Opened is the record after the pull request was opened.
func Opened(r journal.ProposalRecord, p reconcile.Pull, now time.Time) *journal.ProposalRecord {
	open := *r.Open
	open.Pull, open.URL = p.Number, p.URL
	r.Open, r.Since = &open, now
	return &r
}
