package propose_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/propose"
)

// What was tidied up is noted, and nobody looks at it again.
func TestWhatIsTidiedUpIsNoted(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.settle(wish("a"))
		w.settle(nil)
		if w.record.Ended[0].Tidied == "" || propose.Asks(w.record, propose.Want{}) || w.acts[propose.Note] != 1 {
			t.Errorf("%+v, acts %v", w.record.Ended, w.acts)
		}
		w.settle(nil)
		if w.acts[propose.Note] != 1 {
			t.Errorf("it was noted %d times", w.acts[propose.Note])
		}
	})
}

// What is refused stays, and holds up nothing: the branch is taken by the next wish.
func TestWhatCannotBeTidiedUpBlocksNothing(t *testing.T) {
	w := newWorld(false)
	w.settle(wish("a"))
	m := propose.Step(w.record, propose.Want{}, w.seen(), w.now)
	w.act(m, nil)
	if m = propose.Step(w.record, propose.Want{}, w.seen(), w.now); m.Act != propose.Withdraw {
		t.Fatalf("%+v", m)
	}
	if m := propose.Step(w.record, propose.Want{Wish: wish("b")}, w.seen(), w.now); m.Act != propose.Push {
		t.Errorf("something is wanted, and the branch is to be deleted first: %+v", m)
	}
	w.record = *propose.Tidied(w.record, "it stays: protected\nbranch", w.now)
	if w.record.Ended[0].Tidied != "it stays: protected branch" || propose.Asks(w.record, propose.Want{}) {
		t.Errorf("%+v", w.record.Ended)
	}
	w.settle(nil)
	w.settle(wish("a"))
	if w.acts[propose.Withdraw] != 0 || w.record.Open == nil {
		t.Errorf("acts %v, %+v", w.acts, w.record)
	}
}

// One that was replaced, and then what replaced it was not wanted either.
func TestWhatWasReplacedIsTidiedUpToo(t *testing.T) {
	w := newWorld(true)
	w.settle(wish("a"))
	m := propose.Step(w.record, propose.Want{Wish: wish("b")}, w.seen(), w.now)
	w.act(m, wish("b")) // and the program dies
	w.settle(nil)
	if w.pulls[0].State != reconcile.PullClosed || w.tip != "" {
		t.Errorf("branch %q, %+v", w.tip, w.pulls)
	}
}

// What people have decided about does not come back in the place of something else, and
// what it would replace is wanted no more.
func TestAWishThatWasDecidedAboutReplacesNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.settle(wish("a"))
		w.reject()
		w.settle(wish("b"))
		w.settle(wish("a"))
		w.wantEnded(t, journal.ProposalRejected, journal.ProposalMoot)
		if w.tip != "" || w.forge && w.pulls[1].State != reconcile.PullClosed {
			t.Errorf("branch %q, %+v", w.tip, w.pulls)
		}
	})
}

// Somebody writes to the branch of a proposal that has just become moot.
func TestWorkOfSomebodyElseIsNotTidiedUp(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.settle(wish("a"))
		w.act(propose.Step(w.record, propose.Want{}, w.seen(), w.now), nil)
		w.tip, w.theirs = "theirs", true
		w.settle(nil)
		if w.tip != "theirs" || w.acts[propose.ClosePull] != 0 || !strings.Contains(w.record.Ended[0].Tidied, "somebody else") {
			t.Errorf("branch %q, acts %v, %+v", w.tip, w.acts, w.record.Ended)
		}
	})
}

func TestABranchThatIsGoneWithoutAForge(t *testing.T) {
	w := newWorld(false)
	w.settle(wish("a"))
	w.reject()
	w.settle(wish("a"))
	if e := w.record.Ended[0]; e.Outcome != journal.ProposalRejected || !strings.Contains(e.Reason, "merged it by hand") {
		t.Errorf("%+v", e)
	}
}

// The newest end is kept, however many people have decided about.
func TestTheNewestEndIsKept(t *testing.T) {
	w := newWorld(true)
	for i := range 200 {
		w.record.Ended = append(w.record.Ended, journal.EndedProposal{Wish: fmt.Sprint("old ", i), Outcome: journal.ProposalRejected, At: noon})
	}
	w.settle(wish("a"))
	w.settle(nil)
	if last := w.record.Ended[len(w.record.Ended)-1]; len(w.record.Ended) != 200 || last.Wish != "a" || last.Outcome != journal.ProposalMoot || w.tip != "" {
		t.Errorf("%d ends, the last is %+v, branch %q", len(w.record.Ended), last, w.tip)
	}
	w.settle(wish("b"))
	w.settle(nil)
	if w.record.Ended[0].Wish != "old 1" || w.record.Ended[199].Wish != "b" {
		t.Errorf("a moot one goes before what people have decided: %+v", w.record.Ended[0])
	}
}

// Figures move all the time: what is said is brought up to date every ten minutes at most.
func TestTheTextIsBroughtUpToDate(t *testing.T) {
	w := newWorld(true)
	w.settle(wish("a"))
	for minute := range 60 {
		w.now = noon.Add(time.Duration(minute+1) * time.Minute)
		newer := wish("a")
		newer.Body = fmt.Sprint("figure ", minute)
		w.settle(newer)
	}
	if n := w.acts[propose.EditPull]; n < 5 || n > 6 {
		t.Errorf("%d edits in an hour", n)
	}
	if w.pulls[0].Body != w.record.Open.Body || !strings.HasPrefix(w.pulls[0].Body, "figure") || w.acts[propose.Push] != 1 {
		t.Errorf("%+v, acts %v", w.pulls[0], w.acts)
	}
}

// A forge that is away holds up no branch, and ends nothing.
func TestAForgeThatIsAway(t *testing.T) {
	w := newWorld(true)
	w.away = "no answer"
	why := w.settle(wish("a"))
	if w.tip == "" || len(w.pulls) != 0 || !strings.Contains(why, "no answer") {
		t.Errorf("branch %q, %+v, %q", w.tip, w.pulls, why)
	}
	w.away = ""
	w.settle(wish("a"))
	w.merge()
	w.away = "no answer"
	w.settle(nil)
	w.wantEnded(t)
	w.away = ""
	w.settle(nil)
	w.wantEnded(t, journal.ProposalMerged)
	if len(w.pulls) != 1 || w.record.Ended[0].By != "ann" {
		t.Errorf("%+v, %+v", w.pulls, w.record.Ended)
	}
}
