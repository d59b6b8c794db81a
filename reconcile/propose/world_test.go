package propose_test

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/propose"
)

var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

// world is a repository with one branch for proposals, and a forge beside it or none. It
// carries out what Step says, one act at a time.
type world struct {
	now    time.Time
	forge  bool
	record journal.ProposalRecord

	tip     string // of the proposal's branch
	theirs  bool   // somebody else wrote to it
	merged  map[string]bool
	pulls   []reconcile.Pull
	commits int
	acts    map[propose.Act]int
	opened  map[string]int // how often, by wish
	away    string         // why the forge cannot be asked
	// die stops the program between an act and the record of it.
	die func() bool
}

func newWorld(forge bool) *world {
	return &world{now: noon, forge: forge, merged: map[string]bool{}, acts: map[propose.Act]int{}, opened: map[string]int{}, die: func() bool { return false }}
}

func (w *world) seen() propose.Seen {
	s := propose.Seen{Tip: w.tip, Ours: !w.theirs, Forge: w.forge, Away: w.away}
	if w.record.Open != nil {
		s.Merged = w.merged[w.record.Open.Commit]
	}
	if w.forge && w.away == "" && len(w.pulls) > 0 {
		p := w.pulls[len(w.pulls)-1]
		s.Pull = &p
	}
	return s
}

// settle runs until there is nothing to do, and says why that is.
func (w *world) settle(wish *propose.Wish) string { return w.settleWant(propose.Want{Wish: wish}) }

func (w *world) settleWant(want propose.Want) string {
	for range 20 {
		w.now = w.now.Add(time.Second)
		m := propose.Step(w.record, want, w.seen(), w.now)
		w.acts[m.Act]++
		if m.Act == propose.Rest {
			return m.Reason
		}
		w.act(m, want.Wish)
	}
	return "it does not come to rest"
}

func (w *world) act(m propose.Move, wish *propose.Wish) {
	next := m.Next
	switch m.Act {
	case propose.Push:
		if w.record.Open == nil || w.record.Open.Wish != wish.ID {
			w.opened[wish.ID]++
		}
		w.commits++
		w.tip, w.theirs = fmt.Sprintf("%040x", w.commits), false
		for i := range w.pulls {
			if w.pulls[i].State != reconcile.PullMerged { // Gitea tells it of those that are closed, too
				w.pulls[i].HeadSHA = w.tip
			}
		}
		next = propose.Pushed(w.record, wish, "base", reconcile.Proposed{Branch: "b", Commit: w.tip}, w.now)
	case propose.OpenPull:
		p := w.openPull()
		next = propose.Opened(w.record, p, w.now)
	case propose.EditPull:
		p := &w.pulls[w.record.Open.Pull-1]
		p.Title, p.Body = wish.Title, wish.Body
		next = propose.Edited(w.record, wish, w.now)
	case propose.ClosePull:
		w.pulls[len(w.pulls)-1].State = reconcile.PullClosed
	case propose.Withdraw:
		w.tip = ""
	case propose.Conclude, propose.Note, propose.Rest:
	}
	if next != nil && !w.die() {
		w.record = *next
	}
}

func (w *world) openPull() reconcile.Pull {
	if n := len(w.pulls); n > 0 && w.pulls[n-1].State == reconcile.PullOpen {
		return w.pulls[n-1]
	}
	p := reconcile.Pull{Number: len(w.pulls) + 1, State: reconcile.PullOpen, HeadSHA: w.tip, Title: w.record.Open.Title, Body: w.record.Open.Body}
	w.pulls = append(w.pulls, p)
	return p
}

// merge is a person who merges, and has the branch deleted.
func (w *world) merge() {
	w.merged[w.tip] = true
	if w.record.Open != nil {
		w.merged[w.record.Open.Commit] = true // what others have put on top of it brings it along
	}
	if n := len(w.pulls); n > 0 && w.pulls[n-1].State == reconcile.PullOpen {
		w.pulls[n-1].State, w.pulls[n-1].MergedBy, w.pulls[n-1].HeadSHA = reconcile.PullMerged, "ann", w.tip
	}
	w.tip = ""
}

// reject is a person who closes the pull request, or deletes the branch.
func (w *world) reject() {
	if n := len(w.pulls); n > 0 && w.pulls[n-1].State == reconcile.PullOpen {
		w.pulls[n-1].State, w.pulls[n-1].ClosedBy = reconcile.PullClosed, "bob"
		return
	}
	w.tip = ""
}

func wish(id string) *propose.Wish {
	return &propose.Wish{Key: "revert-digits", Kind: journal.ProposeRevert, Model: "digits", ID: id, Title: "digits: back to 1.0.0"}
}

func (w *world) ended() []journal.ProposalOutcome {
	var all []journal.ProposalOutcome
	for _, e := range w.record.Ended {
		all = append(all, e.Outcome)
	}
	return all
}
