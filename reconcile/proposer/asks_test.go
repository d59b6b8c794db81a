package proposer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// errAway is a forge that does not answer.
var errAway = fmt.Errorf("%w: no answer", reconcile.ErrUnavailable)

func TestWhatCameToRestIsNotAskedAbout(t *testing.T) {
	f := newFixture(true)
	f.also("audio")
	f.also("fraud")
	f.look(t)
	clear(f.asked)
	for range 5 {
		f.subject.Glance(t.Context())
	}
	f.wantAsked(t, "decisions", map[string]int{})
	f.look(t)
	f.wantAsked(t, "a look", map[string]int{"pulls": 1})
	f.tree = treeAt(strings.Repeat("d", 40))
	f.subject.Glance(t.Context())
	f.wantAsked(t, "another commit is followed", map[string]int{"pulls": 1, "look": 3, "merge": 3})
	f.look(t)
	f.wantAsked(t, "a look", map[string]int{"pulls": 1})
	f.in.Wanted["audio"] = "one"
	f.subject.Glance(t.Context())
	if len(f.ended) != 1 || f.ended[0].Model != "audio" {
		t.Errorf("what is wanted no more: ended %+v", f.ended)
	}
	if f.asked["look"] > 4 || f.asked["merge"] > 0 {
		t.Errorf("the others were asked about: %v", f.asked)
	}
}

func TestWhatHasEndedIsNotAskedAbout(t *testing.T) {
	for name, end := range map[string]func(f *fixture){
		"moot":   func(f *fixture) { f.in.Wanted["digits"] = "one" },
		"merged": func(f *fixture) { f.pulls[0].State = reconcile.PullMerged },
		"closed": func(f *fixture) { f.pulls[0].State = reconcile.PullClosed },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(true)
			f.look(t)
			end(f)
			f.look(t)
			clear(f.asked)
			f.look(t)
			f.restart()
			f.look(t)
			f.wantAsked(t, "it has ended", map[string]int{})
		})
	}
}

// A wish that is not known is not one that is gone.
func TestWhatIsNotKnownClosesNothing(t *testing.T) {
	f := newFixture(true)
	f.look(t)
	f.in.Wanted["digits"] = ""
	f.look(t)
	f.restart()
	f.look(t)
	f.wantCalls(t, "propose "+revertBranch, "open "+revertBranch)
	if s := f.one(t); s.State != "open" || !strings.Contains(s.Reason, "is not known") {
		t.Errorf("%+v", s)
	}
}

// A branch that its forge protects stays, and blocks nothing.
func TestABranchThatCannotBeDeleted(t *testing.T) {
	f := newFixture(true)
	f.look(t)
	f.in.Wanted["digits"] = "one"
	f.fail["withdraw"] = errors.New("protected branch hook declined")
	for range 3 {
		f.look(t)
	}
	records, err := f.journal.Proposals(t.Context())
	if ended := records["revert-digits"].Ended; err != nil || len(ended) != 1 || !strings.Contains(ended[0].Tidied, "protected branch hook declined") {
		t.Fatalf("%+v, %v", ended, err)
	}
	entries, err := f.journal.History(t.Context(), journal.Query{Actions: []journal.Action{journal.ActionConclude}})
	if n := len(f.ended); n != 1 || len(entries) != 1 || err != nil {
		t.Errorf("it ended %d times", n)
	}
	f.in.Wanted["digits"] = "two"
	f.look(t)
	f.wantCalls(t, "propose "+revertBranch, "open "+revertBranch, "close 1", "propose "+revertBranch, "open "+revertBranch)
	if s := f.one(t); s.State != "open" || s.Pull != 2 {
		t.Errorf("%+v", s)
	}
}

// What may pass is tried again: not with every decision, and until it is done.
func TestARemoteThatIsAwayWhileABranchIsDeleted(t *testing.T) {
	f := newFixture(false)
	f.look(t)
	f.in.Wanted["digits"] = "one"
	f.fail["withdraw"] = errAway
	f.look(t)
	f.fail = map[string]error{}
	f.subject.Glance(t.Context())
	f.wantCalls(t, "propose "+revertBranch)
	f.look(t)
	f.wantCalls(t, "propose "+revertBranch, "withdraw "+revertBranch)
}

// A forge that hangs is asked once in a look, and no branch waits for it.
func TestAForgeThatHangs(t *testing.T) {
	for _, call := range []string{"latest", "open"} {
		t.Run(call, func(t *testing.T) {
			f := newFixture(true)
			for _, name := range []string{"audio", "fraud", "speech"} {
				f.also(name)
			}
			f.fail[call] = errAway
			f.look(t)
			if len(f.branches) != 4 || len(f.pulls) != 0 || f.asked["latest"] != 1 {
				t.Errorf("%d branches, %d pull requests, asked %v", len(f.branches), len(f.pulls), f.asked)
			}
			for _, s := range f.subject.Status() {
				if s.State != "open" || !strings.Contains(s.Error, "no answer") {
					t.Errorf("%+v", s)
				}
			}
			clear(f.asked)
			f.subject.Glance(t.Context())
			f.wantAsked(t, "a decision", map[string]int{})
			f.fail = map[string]error{}
			f.look(t)
			if len(f.pulls) != 4 {
				t.Errorf("%d pull requests once it is back", len(f.pulls))
			}
			if all := f.subject.Status(); all[0].Error != "" || all[0].Pull == 0 {
				t.Errorf("%+v", all[0])
			}
		})
	}
}

// Whoever makes trouble comes last the next time.
func TestTheStartMovesOn(t *testing.T) {
	f := newFixture(false)
	f.also("audio")
	f.also("fraud")
	f.fail["look"] = errAway
	f.look(t)
	f.wantAsked(t, "a remote that is away", map[string]int{"look": 1})
	f.fail = map[string]error{}
	f.look(t)
	f.wantCalls(t, "propose "+revertBranch, "propose fairlead/revert/prod/fraud", "propose fairlead/revert/prod/audio")
}

// A commit of somebody else keeps the proposal open, also when it is wanted no more.
func TestWorkOfSomebodyElseIsNotClosed(t *testing.T) {
	f := newFixture(true)
	f.look(t)
	b := f.branches[revertBranch]
	b.tip, b.theirs = strings.Repeat("e", 40), true
	f.branches[revertBranch] = b
	f.in.Wanted["digits"] = "one"
	f.look(t)
	f.look(t)
	f.wantCalls(t, "propose "+revertBranch, "open "+revertBranch)
	if s := f.one(t); s.State != "open" || !strings.Contains(s.Reason, "somebody else") {
		t.Errorf("%+v", s)
	}
}

func TestThePullRequestIsBroughtUpToDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(true)
		f.look(t)
		r := f.in.Records["digits"]
		r.Rejected[0].Reason = "errors 6 % of 500 requests"
		f.subject.Glance(t.Context())
		f.wantCalls(t, "propose "+revertBranch, "open "+revertBranch)
		time.Sleep(11 * time.Minute)
		f.subject.Glance(t.Context())
		f.look(t)
		f.wantCalls(t, "propose "+revertBranch, "open "+revertBranch, "edit 1")
		if !strings.Contains(f.pulls[0].Body, "errors 6 %") || f.commits != 1 || len(f.opened) != 1 {
			t.Errorf("%+v", f.pulls[0])
		}
		entries, err := f.journal.History(t.Context(), journal.Query{Actions: []journal.Action{journal.ActionPropose}})
		if err != nil || len(entries) != 3 || !slices.ContainsFunc(entries, func(e journal.Entry) bool { return strings.Contains(e.Reason, "brought up to date") }) {
			t.Errorf("%+v, %v", entries, err)
		}
	})
}

// Decisions do not keep it from asking, neither at its time nor when a webhook comes.
func TestRunAsksWhenItIsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(true)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.subject.Run(ctx) }()
		wake := func(d time.Duration) {
			for range int(d / time.Second) {
				f.subject.Wake()
				time.Sleep(time.Second)
			}
		}
		wake(10 * time.Minute)
		synctest.Wait()
		clear(f.asked)
		wake(10 * time.Minute)
		synctest.Wait()
		f.wantAsked(t, "decisions", map[string]int{})
		f.subject.WakeDeep()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		f.wantAsked(t, "a webhook", map[string]int{"pulls": 1, "look": 1})
		wake(90 * time.Minute)
		synctest.Wait()
		f.wantAsked(t, "an interval of an hour", map[string]int{"pulls": 1, "look": 1})
		cancel()
		<-done
	})
}
