package propose

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/plain"
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
	// Forge: there is one. Away says why it cannot be asked now: nothing is known of
	// pull requests then.
	Forge bool
	Away  string
	// Pull is the pull request of what is open, or of what is to be tidied up, as far as
	// it has one.
	Pull *reconcile.Pull
}

// theirs: the newest commit of the branch is of somebody else.
func (s *Seen) theirs() bool { return s.Tip != "" && !s.Ours }

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
	// OpenPull opens the pull request of what is open. Opened makes the record.
	OpenPull Act = "open_pull"
	// EditPull brings title and text of the pull request up to date. Edited makes the
	// record.
	EditPull Act = "edit_pull"
	// Conclude journals Next: the proposal has come to an end.
	Conclude Act = "conclude"
	// ClosePull and Withdraw tidy up after a proposal that is moot: its pull request,
	// and its branch if nobody else has written to it. What is refused is left, and
	// Tidied makes the record that says so.
	ClosePull Act = "close_pull"
	Withdraw  Act = "withdraw"
	// Note journals Next, as a proposal that is brought up to date and not as another end:
	// what the last one left is tidied up.
	Note Act = "note"
)

// Move is one step.
type Move struct {
	Act    Act
	Next   *journal.ProposalRecord // of Conclude and Note
	Reason string                  // for people, and the journal
	// Waits, of a Rest: people's word is all that is wanted, and Reason tells no more.
	Waits bool
}

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

// Asks tells whether Step needs to know how a key stands outside. Nobody has to ask about
// one that people have decided about, and of which all is tidied up.
func Asks(r journal.ProposalRecord, want Want) bool {
	return r.Open != nil || untidied(&r) != nil || proposable(&r, want)
}

// proposable: there is a wish, and people have not decided about it yet.
func proposable(r *journal.ProposalRecord, want Want) bool {
	return want.Wish != nil && Ended(r, want.Wish.ID) == nil
}

// Step decides what to do about one key. want is what is wanted under it now.
func Step(r journal.ProposalRecord, want Want, seen Seen, now time.Time) Move {
	if r.Open == nil {
		return begin(&r, want, &seen, now)
	}
	if seen.Away != "" {
		return Move{Act: Rest, Reason: away(&r, &seen)}
	}
	whole := found(r, seen)
	if end, reason, by := outcome(&whole, want, &seen); end != "" {
		return conclude(whole, end, reason, by, now)
	}
	switch {
	case seen.theirs():
		reason := "somebody else's commit is on its branch, which is not touched any more; merge it, or "
		if whole.Open.Pull == 0 {
			return Move{Act: Rest, Reason: reason + "delete the branch"}
		}
		return Move{Act: Rest, Reason: reason + "close it"}
	case seen.Conflicts && want.Wish != nil: // a version that was made stays as it was proposed
		return Move{Act: Push, Reason: "it cannot be merged as it is: it is made anew on the newest commit"}
	}
	m := pull(&r, want.Wish, &seen, now)
	if m.Act == Rest && want.Unknown != "" {
		m.Waits = false
		m.Reason += "; whether it is wanted still is not known: " + want.Unknown
	}
	return m
}

func away(r *journal.ProposalRecord, seen *Seen) string {
	if r.Open.Pull == 0 {
		return "its pull request follows as soon as the forge can be asked: " + seen.Away
	}
	return fmt.Sprintf("how #%d stands cannot be asked now: %s", r.Open.Pull, seen.Away)
}

// begin is for a key of which nothing is open.
func begin(r *journal.ProposalRecord, want Want, seen *Seen, now time.Time) Move {
	if m, busy := tidy(r, want, seen, now); busy {
		return m
	}
	wish := want.Wish
	if wish == nil {
		return Move{Act: Rest, Reason: want.Unknown}
	}
	if e := Ended(r, wish.ID); e != nil {
		return Move{Act: Rest, Reason: fmt.Sprintf("it was %s before, at %s, and is not proposed again", e.Outcome, e.At.UTC().Format(time.DateOnly))}
	}
	if seen.theirs() {
		return Move{Act: Rest, Reason: "its branch holds a commit of somebody else; merge it, or delete the branch"}
	}
	return Move{Act: Push, Reason: wish.Title}
}

// untidied is the last proposal, if its branch and its pull request may still be there;
// nil: nothing is left of it.
func untidied(r *journal.ProposalRecord) *journal.EndedProposal {
	if len(r.Ended) == 0 {
		return nil
	}
	last := &r.Ended[len(r.Ended)-1]
	switch {
	case last.Tidied != "":
		return nil
	case last.Outcome == journal.ProposalMoot, last.Outcome == journal.ProposalReplaced:
	case last.Outcome == journal.ProposalMerged && last.Pull == 0 && r.Kind != journal.ProposeRetrain:
		// A forge deletes what was merged, or was told not to. Without one nobody does.
	default:
		return nil
	}
	return last
}

// Left is the pull request that the last proposal left open, as far as is known; 0: none.
func Left(r journal.ProposalRecord) int {
	if last := untidied(&r); last != nil && r.Open == nil {
		return last.Pull
	}
	return 0
}

// tidy closes what a proposal left that is moot: the end is journaled before the pull
// request is closed, and the program may die in between. busy: that comes first.
func tidy(r *journal.ProposalRecord, want Want, seen *Seen, now time.Time) (m Move, busy bool) {
	last := untidied(r)
	goesOn := proposable(r, want) || want.Unknown != "" // with its branch
	switch {
	case last == nil, last.Outcome == journal.ProposalReplaced && goesOn:
		return m, false
	case seen.theirs():
		return note(*r, "its branch holds a commit of somebody else, and stays", now), true
	case last.Pull != 0 && seen.Away != "":
		return Move{Act: Rest, Reason: fmt.Sprintf("#%d cannot be closed now: %s", last.Pull, seen.Away)}, true
	case last.Pull != 0 && seen.Pull != nil && seen.Pull.State == reconcile.PullOpen && seen.Pull.Number == last.Pull:
		return Move{Act: ClosePull, Reason: last.Reason}, true
	case goesOn:
		return m, false
	case seen.Tip != "":
		return Move{Act: Withdraw, Reason: last.Reason}, true
	}
	return note(*r, "nothing is left of it", now), true
}

func note(r journal.ProposalRecord, how string, now time.Time) Move {
	return Move{Act: Note, Next: Tidied(r, how, now), Reason: how}
}

// Tidied is the record after it was seen to what the last proposal left. Nobody looks at
// that again.
func Tidied(r journal.ProposalRecord, how string, now time.Time) *journal.ProposalRecord {
	r.Ended = slices.Clone(r.Ended)
	r.Ended[len(r.Ended)-1].Tidied = plain.Line(how)
	r.Since = now
	return &r
}

// outcome tells how an open proposal has ended; "": it has not.
func outcome(r *journal.ProposalRecord, want Want, seen *Seen) (end journal.ProposalOutcome, reason, by string) {
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
	case seen.Tip == "" && seen.Forge: // that comes first: who has decided counts, also where the wish has gone meanwhile
		return journal.ProposalRejected, "somebody has deleted its branch", ""
	case seen.Tip == "":
		return journal.ProposalRejected, "its branch is gone: somebody has deleted it, or has merged it by hand as another commit, which cannot be told apart", ""
	case seen.theirs(), want.Unknown != "", wish == nil && r.Kind == journal.ProposeRetrain:
		return "", "", "" // people end it, or nobody does
	case wish == nil:
		return journal.ProposalMoot, "what it is for is no more", ""
	case wish.ID == open.Wish:
		return "", "", ""
	case Ended(r, wish.ID) != nil:
		return journal.ProposalMoot, "what is wanted now was decided about before: " + wish.Title, ""
	default:
		return journal.ProposalReplaced, "replaced: " + wish.Title, ""
	}
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
	// The newest is always kept, and what people decided longest.
	for len(r.Ended) > maxEnded {
		i := slices.IndexFunc(r.Ended[:len(r.Ended)-1], func(e journal.EndedProposal) bool {
			return e.Outcome == journal.ProposalMoot || e.Outcome == journal.ProposalReplaced
		})
		r.Ended = slices.Delete(r.Ended, max(i, 0), max(i, 0)+1)
	}
	r.Open, r.Since = nil, now
	return Move{Act: Conclude, Next: &r, Reason: reason}
}

// editPause is the least between two changes of what is said about one key: figures move
// all the time, and people read.
const editPause = 10 * time.Minute

// pull sees to the pull request of what is open.
func pull(r *journal.ProposalRecord, wish *Wish, seen *Seen, now time.Time) Move {
	open := r.Open
	switch {
	case !seen.Forge:
		return Move{Act: Rest, Waits: true, Reason: "it waits for people: merge the branch " + open.Branch}
	case open.Pull == 0:
		return Move{Act: OpenPull, Reason: open.Title}
	case wish != nil && (wish.Title != open.Title || wish.Body != open.Body) && !now.Before(r.Since.Add(editPause)):
		return Move{Act: EditPull, Reason: wish.Title}
	default:
		return Move{Act: Rest, Waits: true, Reason: fmt.Sprintf("it waits for people: #%d", open.Pull)}
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

// Edited is the record after title and text of the pull request were brought up to date.
func Edited(r journal.ProposalRecord, w *Wish, now time.Time) *journal.ProposalRecord {
	open := *r.Open
	open.Title, open.Body = w.Title, w.Body
	r.Open, r.Since = &open, now
	return &r
}
