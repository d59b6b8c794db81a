package propose_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/propose"
)

func eachWorld(t *testing.T, test func(t *testing.T, w *world)) {
	for name, forge := range map[string]bool{"with a forge": true, "without a forge": false} {
		t.Run(name, func(t *testing.T) { test(t, newWorld(forge)) })
	}
}

func (w *world) wantEnded(t *testing.T, want ...journal.ProposalOutcome) {
	t.Helper()
	if got := w.ended(); !slices.Equal(got, want) {
		t.Errorf("the ledger has %v; want %v", got, want)
	}
}

func TestAProposalIsOpenedOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for range 5 {
			w.settle(wish("a"))
		}
		if w.record.Open == nil || w.record.Open.Wish != "a" || w.acts[propose.Push] != 1 || len(w.pulls) > 1 || w.forge != (len(w.pulls) == 1) {
			t.Errorf("%+v, acts %v, %d pull requests", w.record.Open, w.acts, len(w.pulls))
		}
	})
}

func TestAMergedProposalIsDone(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.settle(wish("a"))
		w.merge()
		w.settle(nil)
		w.wantEnded(t, journal.ProposalMerged)
		if w.forge && w.record.Ended[0].By != "ann" {
			t.Errorf("%+v", w.record.Ended)
		}
	})
}

func TestWhatPeopleRejectOrRevertIsNotProposedAgain(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.settle(wish("a"))
		w.reject()
		for range 5 {
			w.settle(wish("a"))
		}
		w.wantEnded(t, journal.ProposalRejected)
		w.settle(wish("b"))
		w.merge()
		reason := w.settle(wish("b")) // somebody has reverted it
		w.wantEnded(t, journal.ProposalRejected, journal.ProposalMerged)
		if w.acts[propose.Push] != 2 || !strings.Contains(reason, "not proposed again") {
			t.Errorf("%v, %q", w.acts, reason)
		}
	})
}

func TestAMootProposalIsTidiedUp(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.settle(wish("a"))
		w.settle(nil)
		w.wantEnded(t, journal.ProposalMoot)
		if w.tip != "" || w.forge && w.pulls[0].State != reconcile.PullClosed {
			t.Errorf("branch %q, pull requests %+v", w.tip, w.pulls)
		}
		// It may come to be wanted again: nobody has said no.
		w.settle(wish("a"))
		if w.record.Open == nil {
			t.Errorf("%+v", w.record)
		}
	})
}

func TestANewerWishTakesThePlace(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.settle(wish("a"))
		w.settle(wish("b"))
		w.wantEnded(t, journal.ProposalReplaced)
		if w.record.Open == nil || w.record.Open.Wish != "b" || len(w.pulls) > 1 || w.forge && w.record.Open.Pull != 1 {
			t.Errorf("%+v, %d pull requests", w.record.Open, len(w.pulls))
		}
	})
}

func TestWorkOfSomebodyElseStays(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.settle(wish("a"))
		w.tip, w.theirs = "theirs", true
		w.settle(wish("a"))
		w.settle(wish("b"))
		w.settle(nil)
		if w.tip != "theirs" || w.acts[propose.Push] != 1 || w.acts[propose.Withdraw] != 0 || w.acts[propose.ClosePull] != 0 {
			t.Errorf("branch %q, acts %v", w.tip, w.acts)
		}
		// Nor does it end: they go on with it, until they merge it or delete it.
		w.wantEnded(t)
		w.merge()
		w.settle(nil)
		w.wantEnded(t, journal.ProposalMerged)
	})
}

func TestAConflictIsResolvedByMakingItAnew(t *testing.T) {
	w := newWorld(true)
	w.settle(wish("a"))
	seen := w.seen()
	seen.Conflicts = true
	if m := propose.Step(w.record, propose.Want{Wish: wish("a")}, seen, w.now); m.Act != propose.Push {
		t.Errorf("%+v", m)
	}
}

// Not known is not the same as not wanted: a registry that is away closes nothing.
func TestWhatIsNotKnownEndsNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		unknown := propose.Want{Unknown: "the registry was not asked yet"}
		if why := w.settleWant(unknown); why != unknown.Unknown || w.acts[propose.Push] != 0 {
			t.Errorf("%q, %v", why, w.acts)
		}
		w.settle(wish("a"))
		why := w.settleWant(unknown)
		w.settle(wish("a"))
		w.wantEnded(t)
		if w.tip == "" || w.acts[propose.Push] != 1 || !strings.Contains(why, unknown.Unknown) {
			t.Errorf("branch %q, acts %v, %q", w.tip, w.acts, why)
		}
		// People decide all the same.
		w.merge()
		w.settleWant(unknown)
		w.wantEnded(t, journal.ProposalMerged)
	})
}

// What is moot and wanted again later is proposed anew: that its last pull request is
// closed says nothing about this one.
func TestWhatWasMootMayBeWantedAgain(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for range 3 {
			w.settle(wish("a"))
			w.settle(nil)
		}
		w.settle(wish("a"))
		if w.record.Open == nil || w.acts[propose.Push] != 4 || w.forge && (len(w.pulls) != 4 || w.pulls[3].State != reconcile.PullOpen) {
			t.Errorf("%+v, acts %v, pull requests %+v", w.record, w.acts, w.pulls)
		}
		w.wantEnded(t, journal.ProposalMoot, journal.ProposalMoot, journal.ProposalMoot)
	})
}

// The pull request of which the number was lost is closed with its proposal.
func TestAPullRequestThatWasNotWrittenDownIsClosed(t *testing.T) {
	w := newWorld(true)
	w.settle(wish("a"))
	lost := *w.record.Open
	lost.Pull, lost.URL = 0, ""
	w.record.Open = &lost
	w.settle(nil)
	if w.pulls[0].State != reconcile.PullClosed || w.tip != "" || w.record.Ended[0].Pull != 1 {
		t.Errorf("%+v, pull requests %+v", w.record, w.pulls)
	}
}

// byItself counts what has ended without people.
func (w *world) byItself() (n int) {
	for _, e := range w.record.Ended {
		if e.Outcome == journal.ProposalMoot || e.Outcome == journal.ProposalReplaced {
			n++
		}
	}
	return n
}

// Whatever people do, whoever does not answer and whenever the program dies: it comes to rest, nobody's commit is
// overwritten, and no wish that people have decided about comes back.
func TestLivesOfProposals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Bool().Draw(t, "forge"))
		w.die = func() bool { return rapid.IntRange(0, 9).Draw(t, "dies") == 9 }
		decided := map[string]bool{}
		current := func() string {
			if w.record.Open == nil {
				return ""
			}
			return w.record.Open.Wish
		}
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			var wanted *propose.Wish
			if id := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "wish"); id != "" {
				wanted = wish(id)
			}
			before, ends := w.acts[propose.Push], w.byItself()
			want := propose.Want{Wish: wanted}
			if rapid.IntRange(0, 5).Draw(t, "known") == 0 {
				want, wanted = propose.Want{Unknown: "nobody can be asked"}, nil
			}
			if w.away = ""; rapid.IntRange(0, 5).Draw(t, "answers") == 0 {
				w.away = "no answer"
			}
			why := w.settleWant(want)
			if want.Unknown != "" && (w.byItself() != ends || w.acts[propose.Push] != before) {
				t.Fatalf("what is wanted is not known, and %+v", w.record)
			}
			if why == "it does not come to rest" {
				t.Fatalf("%+v", w.record)
			}
			if wanted != nil && decided[wanted.ID] && w.acts[propose.Push] > before {
				t.Fatalf("%s was decided about, and is proposed again", wanted.ID)
			}
			switch rapid.SampledFrom([]string{"nothing", "merge", "reject", "write"}).Draw(t, "person") {
			case "merge":
				if w.tip != "" && !w.theirs && w.record.Open != nil {
					decided[current()] = true
					w.merge()
				}
			case "reject":
				if w.tip != "" && w.record.Open != nil && (w.forge == (w.record.Open.Pull != 0)) {
					decided[current()] = true
					w.reject()
				}
			case "write":
				if w.tip != "" {
					theirs := w.tip + "+"
					w.tip, w.theirs = theirs, true
					w.settleWant(want)
					if w.tip != theirs {
						t.Fatalf("a commit of somebody else was overwritten")
					}
					w.tip, w.theirs = "", false // they take it away again
				}
			}
		}
	})
}

func TestTheBranchOfAMergedProposalGoesWhereThereIsNoForge(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.settle(wish("a"))
		tip := w.tip
		w.merge()
		w.tip = tip // nobody has deleted it
		w.settle(nil)
		w.wantEnded(t, journal.ProposalMerged)
		if gone := w.tip == ""; gone == w.forge {
			t.Errorf("the branch is at %q", w.tip)
		}
		acts := w.acts[propose.Withdraw]
		w.settle(nil)
		if w.acts[propose.Withdraw] != acts {
			t.Error("it is tidied up twice")
		}
	})
}
