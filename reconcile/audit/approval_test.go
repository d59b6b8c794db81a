package audit

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile/journal"
)

func TestWhoApproved(t *testing.T) {
	order := decided(4, journal.ActionApprove, "1.2", "c1")
	order.Actor, order.Reason = "dora", "looked at the numbers"
	entries := newestFirst(
		decided(1, journal.ActionPromote, "1.1", "c0"),
		decided(2, journal.ActionTolerate, "1.2", "c1"), // is not how it came
		decided(3, journal.ActionStart, "1.2", "c1"),
		order,
		decided(5, journal.ActionPromote, "1.2", "c9"),
		decided(6, journal.ActionStart, "1.3", "c2"),
	)
	a, ok := WhoApproved(entries, newestFirst(accepts(0, "c0", "model.other"), accepts(2, "c1", "model.digits", "model.other"), accepts(6, "c2", "model.digits")), "digits", "1.2")
	if !ok || a.Commit != "c1" || a.Revision != "rev-1.2" || !a.Started.Equal(promoted(3).At) || !a.Promoted.Equal(promoted(5).At) || a.Signer != "forge" || a.Key != "SHA256:forge" || a.Trust != "every" {
		t.Fatalf("got %+v, %v", a, ok)
	}
	if len(a.Pulls) != 1 || a.Pulls[0].MergedBy != "bob" || len(a.Pulls[0].Approvals) != 2 {
		t.Errorf("the pull requests are %+v", a.Pulls)
	}
	if len(a.Orders) != 1 || a.Orders[0].Actor != "dora" || len(a.Notes) != 0 {
		t.Errorf("the orders are %+v, the notes %q", a.Orders, a.Notes)
	}
	for _, unknown := range [][2]string{{"digits", "9"}, {"other", "1.2"}} {
		if a, ok := WhoApproved(entries, nil, unknown[0], unknown[1]); ok {
			t.Errorf("%v: got %+v", unknown, a)
		}
	}
}

func TestVersionThatWaitedIsTracedToItsPullRequest(t *testing.T) {
	// The rollout began when a later commit, about something else, was followed already.
	entries := newestFirst(decided(5, journal.ActionStart, "1.2", "c2"))
	accepted := newestFirst(accepts(1, "c0", "model.digits"), accepts(2, "c1", "model.digits"), accepts(3, "c2", "model.other"), accepts(9, "c3", "model.digits"))
	a, ok := WhoApproved(entries, accepted, "digits", "1.2")
	if !ok || a.Commit != "c1" || len(a.Pulls) != 1 || a.Pulls[0].Number != 20 {
		t.Errorf("got %+v, %v", a, ok)
	}
	// One of unknown reach may have been it.
	a, ok = WhoApproved(entries, newestFirst(accepts(2, "c1", "model.digits"), accepts(3, "c2")), "digits", "1.2")
	if !ok || a.Commit != "c2" || !strings.Contains(strings.Join(a.Notes, "\n"), "no pull request") {
		t.Errorf("got %+v, %v", a, ok)
	}
}

// Where no rule asks for reviews, the pull request is looked for when the commit is
// followed already, and noted in an entry of its own.
func TestPullRequestThatIsFoundLaterCounts(t *testing.T) {
	bare := accepts(2, "c1")
	bare.RepoRecord.Before = "c0"
	later := accepts(3, "c1", "model.digits")
	later.RepoRecord.Before = "c0"
	again := accepts(9, "c1", "model.other") // it is followed once more, after another one
	again.RepoRecord.Before = "c5"
	a, ok := WhoApproved([]journal.Entry{decided(2, journal.ActionStart, "1.2", "c1")}, newestFirst(bare, later, again), "digits", "1.2")
	if !ok || len(a.Pulls) != 1 || a.Pulls[0].Number != 30 || !a.Accepted.Equal(bare.At) {
		t.Errorf("got %+v, %v", a, ok)
	}
}

// What an included repository declares came by a commit of that repository, whatever the
// root's was meanwhile.
func TestVersionOfAnIncludeIsTracedInItsOwnRepository(t *testing.T) {
	began := decided(5, journal.ActionStart, "1.2", "c2")
	began.Include = "team@t1"
	theirs := accepts(3, "t1", "model.digits")
	theirs.Repo, theirs.RepoRecord.Repo = "team", "team"
	accepted := newestFirst(accepts(2, "c2", "model.digits"), theirs, accepts(4, "c3", "model.digits"))
	a, ok := WhoApproved([]journal.Entry{began}, accepted, "digits", "1.2")
	if !ok || a.Repo != "team" || a.Commit != "t1" || len(a.Pulls) != 1 || a.Pulls[0].Number != 30 {
		t.Errorf("got %+v, %v", a, ok)
	}
	if rows := Rows([]journal.Entry{began}, accepted); rows[0].Commit != "c2" || rows[0].Include != "team@t1" || len(rows[0].Pulls) != 1 || rows[0].Pulls[0] != "https://forge/pull/30" {
		t.Errorf("the row is %+v", rows[0])
	}
}

func TestWhatTheJournalDoesNotKnowIsSaid(t *testing.T) {
	adopted := decided(1, journal.ActionAdopt, "1.0", "")
	a, ok := WhoApproved([]journal.Entry{adopted}, nil, "digits", "1.0")
	if !ok || !strings.Contains(strings.Join(a.Notes, "\n"), "found running") {
		t.Errorf("got %+v, %v", a, ok)
	}
	a, ok = WhoApproved([]journal.Entry{decided(1, journal.ActionStart, "1.0", "c1")}, nil, "digits", "1.0")
	if !ok || !strings.Contains(strings.Join(a.Notes, "\n"), "does not tell") {
		t.Errorf("got %+v, %v", a, ok)
	}
	other := decided(3, journal.ActionStart, "1.0", "c2")
	other.To = "rev-other"
	a, ok = WhoApproved(newestFirst(decided(1, journal.ActionStart, "1.0", "c1"), other), nil, "digits", "1.0")
	if !ok || !strings.Contains(strings.Join(a.Notes, "\n"), "rev-other") || a.Revision != "rev-1.0" {
		t.Errorf("got %+v, %v", a, ok)
	}
}
