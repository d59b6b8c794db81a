package proposer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/propose"
	"github.com/fairlead/fairlead/reconcile/proposer"
)

const revertBranch = "fairlead/revert/prod/digits"

func (f *fixture) wantCalls(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(f.calls, want) {
		t.Errorf("the calls are %q; want %q", f.calls, want)
	}
}

func (f *fixture) one(t *testing.T) proposer.Status {
	t.Helper()
	all := f.subject.Status()
	if len(all) != 1 {
		t.Fatalf("the status is %+v; want one key", all)
	}
	return all[0]
}

func TestARollbackIsFollowedByAPullRequestOnce(t *testing.T) {
	f := newFixture(true)
	for range 3 {
		f.look(t)
		f.restart() // what is known is in the journal
	}
	f.look(t)
	f.wantCalls(t, "propose "+revertBranch, "open "+revertBranch)
	if len(f.opened) != 1 || f.opened[0].Open.Pull != 1 {
		t.Errorf("opened %+v", f.opened)
	}
	body := f.pulls[0].Body
	for _, words := range []string{"errors 5.2 % of 412 requests", "**1.1.0**", "**1.0.0**", "`two`", "fairlead rollout retry digits"} {
		if !strings.Contains(body, words) {
			t.Errorf("%q is missing in\n%s", words, body)
		}
	}
	if s := f.one(t); s.State != "open" || s.Pull != 1 || s.Model != "digits" || s.Error != "" {
		t.Errorf("%+v", s)
	}
}

func TestWithoutAForgeThereIsABranch(t *testing.T) {
	f := newFixture(false)
	f.look(t)
	f.look(t)
	f.wantCalls(t, "propose "+revertBranch)
	if s := f.one(t); s.State != "open" || s.Branch != revertBranch || !strings.Contains(s.Reason, "merge the branch") || len(f.opened) != 1 {
		t.Errorf("%+v, opened %+v", s, f.opened)
	}
}

func TestAPersonWhoRevertsFirstClosesTheProposal(t *testing.T) {
	f := newFixture(true)
	f.look(t)
	f.in.Wanted["digits"] = "one"
	f.look(t)
	f.wantCalls(t, "propose "+revertBranch, "open "+revertBranch, "close 1", "withdraw "+revertBranch)
	if len(f.ended) != 1 || f.ended[0].Ended[0].Outcome != journal.ProposalMoot || len(f.subject.Status()) != 0 {
		t.Errorf("ended %+v, status %+v", f.ended, f.subject.Status())
	}
}

func TestWhoMergesIsJournaled(t *testing.T) {
	f := newFixture(true)
	f.look(t)
	f.pulls[0].State, f.pulls[0].MergedBy = reconcile.PullMerged, "ann"
	f.look(t)
	entries, err := f.journal.History(t.Context(), journal.Query{Actions: []journal.Action{journal.ActionConclude}})
	if err != nil || len(entries) != 1 || entries[0].Actor != "ann" || entries[0].Proposal != "revert-digits" || entries[0].Reason != "merged: #1 was merged" {
		t.Errorf("%+v, %v", entries, err)
	}
	if s := f.one(t); s.State != "blocked" || !strings.Contains(s.Reason, "not proposed again") {
		t.Errorf("%+v", s)
	}
}

// A program that dies at any call goes on where it was.
func TestADeathBetweenTwoCalls(t *testing.T) {
	died := errors.New("died")
	for _, call := range []string{"look", "latest", "propose", "open"} {
		t.Run(call, func(t *testing.T) {
			f := newFixture(true)
			f.fail[call] = died
			f.look(t)
			f.fail = map[string]error{}
			f.restart()
			f.look(t)
			f.wantCalls(t, "propose "+revertBranch, "open "+revertBranch)
		})
	}
	t.Run("before the journal has the branch", func(t *testing.T) {
		f := newFixture(true)
		f.journal.Fail(died)
		f.look(t)
		if len(f.pulls) != 0 {
			t.Fatalf("%+v was opened, and is in no journal", f.pulls)
		}
		f.journal.Fail(nil)
		f.restart()
		f.look(t)
		if len(f.pulls) != 1 || f.commits != 1 {
			t.Errorf("%d pull requests, %d commits", len(f.pulls), f.commits)
		}
	})
	t.Run("before the journal has its end", func(t *testing.T) {
		f := newFixture(true)
		f.look(t)
		f.in.Wanted["digits"] = "one"
		f.fail["close"] = reconcile.ErrUnavailable
		f.look(t)
		f.fail = map[string]error{}
		f.restart()
		f.look(t)
		if f.pulls[0].State != reconcile.PullClosed || len(f.branches) != 0 {
			t.Errorf("%+v, %v", f.pulls, f.branches)
		}
	})
}

func TestOneKeyHoldsUpNoOther(t *testing.T) {
	f := newFixture(true)
	f.also("audio")
	f.branches["fairlead/revert/prod/audio"] = branch{tip: "mine", theirs: true}
	f.look(t)
	f.wantCalls(t, "propose "+revertBranch, "open "+revertBranch)
	status := f.subject.Status()
	if len(status) != 2 || status[0].State != "blocked" || !strings.Contains(status[0].Reason, "somebody else") || status[1].State != "open" {
		t.Errorf("%+v", status)
	}
}

func TestWhatHasToBeDoneByHandIsSaid(t *testing.T) {
	f := newFixture(true)
	f.byHand = fmt.Errorf("%w: digits.hcl:1: image is computed there", proposer.ErrByHand)
	f.look(t)
	if s := f.one(t); !strings.Contains(s.Error, "image is computed there") || s.State != "blocked" || len(f.pulls) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAVersionThatIsOfferedGetsAPullRequest(t *testing.T) {
	f := newFixture(true)
	f.in.Wanted["digits"] = "one" // nothing else is wanted
	w := &propose.Wish{
		Key: "retrain-digits", Kind: journal.ProposeRetrain, Model: "digits", ID: "digits@1.2.0", Title: "digits: publish 1.2.0", Body: "| accuracy | 0.98 |",
		Edit: propose.Edit{Files: map[string][]byte{"versions/digits/1.2.0.hcl": []byte("version {}")}},
	}
	done, err := f.subject.Offer(t.Context(), tree(), w)
	if err != nil || done.Branch != "fairlead/publish/prod/digits" || !done.Pushed {
		t.Fatalf("got %+v, %v", done, err)
	}
	f.look(t)
	if len(f.pulls) != 1 || f.pulls[0].Title != "digits: publish 1.2.0" || f.edits != 0 {
		t.Fatalf("%+v", f.pulls)
	}
	w.ID, w.Title = "digits@1.3.0", "digits: publish 1.3.0"
	w.Edit.Files = map[string][]byte{"versions/digits/1.3.0.hcl": []byte("version {}")}
	if _, err := f.subject.Offer(t.Context(), tree(), w); err != nil {
		t.Fatal(err)
	}
	f.look(t)
	if s := f.one(t); s.Title != "digits: publish 1.3.0" || s.Last.Outcome != journal.ProposalReplaced {
		t.Errorf("%+v", s)
	}
}

// Two repositories share one journal, and each Proposer looks after its own.
func TestEachProposesToItsOwnRepository(t *testing.T) {
	root := newFixture(true)
	root.look(t)
	team := newFixture(true)
	team.journal = root.journal
	team.options.Journal, team.options.Include = root.journal, "team"
	team.in.Config.Models[0].Name, team.in.Config.Models[0].Address.Name = "team_x", "team_x"
	team.in.Wanted["team_x"], team.in.Records["team_x"] = "two", team.in.Records["digits"]
	delete(team.in.Records, "digits")
	team.restart()
	team.look(t)
	team.look(t)
	if len(team.pulls) != 1 || len(root.pulls) != 1 {
		t.Fatalf("%d and %d pull requests are open, want one in each", len(root.pulls), len(team.pulls))
	}
	records, err := root.journal.Proposals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 2 || records["revert-digits"].Include != "" || records["revert-team_x"].Include != "team" {
		t.Errorf("the journal has %+v", records)
	}
	history, err := root.journal.History(t.Context(), journal.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range history {
		about := e.Commit
		if e.Proposal == "revert-team_x" {
			about = e.Include
		}
		if !strings.HasSuffix(about, strings.Repeat("c", 40)) || (e.Include != "") != (e.Proposal == "revert-team_x") {
			t.Errorf("an entry about %s names commit %q and include %q", e.Proposal, e.Commit, e.Include)
		}
	}
	for _, f := range []*fixture{root, team} { // after a restart neither knows of the other's
		f.restart()
		f.look(t)
		if s := f.subject.Status(); len(s) != 1 || s[0].Include != f.options.Include {
			t.Errorf("of include %q the status is %+v", f.options.Include, s)
		}
	}
}

// Who takes over waits until the one before has ended, and that one takes nothing on any
// more.
func TestOneFollowsOnTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(true)
		before := f.subject
		f.look(t)
		ended := make(chan struct{})
		f.options.After = ended
		f.restart()
		looked := make(chan struct{})
		go func() { f.subject.Look(t.Context()); close(looked) }()
		synctest.Wait()
		select {
		case <-looked:
			t.Error("it looked while the one before was at work")
		default:
		}
		before.Close()
		if _, err := before.Offer(t.Context(), tree(), &propose.Wish{Key: "retrain-x"}); !errors.Is(err, proposer.ErrClosed) {
			t.Errorf("what is offered to one that has ended: %v", err)
		}
		close(ended)
		<-looked
		if s := f.subject.Status(); len(s) != 1 || s[0].Pull != 1 || len(f.pulls) != 1 {
			t.Errorf("it did not go on with what there was: %+v", s)
		}
	})
}
