package providertest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// accepted is the decision to follow the n-th commit of a config repo.
func accepted(repo string, n int) journal.Entry {
	at := day.Add(time.Duration(n) * time.Hour)
	commit, before := fmt.Sprintf("%040x", n), fmt.Sprintf("%040x", max(n-1, 0))
	return journal.Entry{
		At: at, Action: journal.ActionAccept, Repo: repo, From: before, To: commit, Commit: commit,
		Reason: "signed by ann, approved by bob", Actor: journal.Daemon,
		RepoRecord: &journal.RepoRecord{
			FormatVersion: journal.RecordFormat, Repo: repo, Accepted: commit, Before: before, Author: "Ann <ann@example.org>",
			Subject: "digits: 1.2.0", Mode: "every", Since: at,
			Commits: []journal.AcceptedCommit{{ID: commit, Author: "Ann <ann@example.org>", Signer: "ann", Key: "SHA256:abc"}},
			Pulls: []journal.AcceptedPull{{
				Number: n, URL: "https://forge.example/7", Author: "ann", Head: commit, Merged: commit, MergedBy: "bob",
				Approvals: []journal.Approver{{By: "bob", At: at, Rules: []string{"models"}}}, Objects: []string{"model.digits"},
			}},
		},
	}
}

// proposedAt is the decision to want a revert, for the n-th time.
func proposedAt(key string, n int) journal.Entry {
	at := day.Add(time.Duration(n) * time.Hour)
	return journal.Entry{
		At: at, Action: journal.ActionPropose, Proposal: key, Commit: fmt.Sprintf("%040x", n),
		Reason: "digits 1.2.0 was rolled back", Actor: journal.Daemon,
		ProposalRecord: &journal.ProposalRecord{
			FormatVersion: journal.RecordFormat, Proposal: key, Kind: journal.ProposeRevert, Model: "digits", Since: at,
			Open:  &journal.OpenProposal{Wish: fmt.Sprint("wish ", n), Title: "Revert digits", Branch: "fairlead/" + key, Base: "b", Commit: "c", Pull: n, Since: at},
			Ended: []journal.EndedProposal{{Wish: "an older one", Outcome: journal.ProposalRejected, By: "ann", At: at}},
		},
	}
}

func otherRecords(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	wantOthers(t, j, "", "")
	for _, e := range []journal.Entry{
		promoted("root", 1), accepted("root", 2), runEnded("root", 3), proposedAt("root", 4), // one name, four objects
		accepted("team-a", 5), proposedAt("revert-digits", 6), accepted("root", 7),
	} {
		mustAppend(t, j, e)
	}
	j = start()
	wantStable(t, opened(t, j), "root=1")
	wantPipelines(t, j, "root=3")
	wantOthers(t, j, "root=7 team-a=5", "revert-digits=6 root=4")
	repos, err := j.Repos(t.Context())
	if want := *accepted("team-a", 5).RepoRecord; err != nil || !reflect.DeepEqual(repos["team-a"], want) {
		t.Errorf("got %+v, %v; want %+v", repos["team-a"], err, want)
	}
	proposals, err := j.Proposals(t.Context())
	if want := *proposedAt("revert-digits", 6).ProposalRecord; err != nil || !reflect.DeepEqual(proposals["revert-digits"], want) {
		t.Errorf("got %+v, %v; want %+v", proposals["revert-digits"], err, want)
	}
	mustAppend(t, j, journal.Entry{At: day.Add(8 * time.Hour), Action: journal.ActionRemove, Repo: "root"})
	mustAppend(t, j, journal.Entry{At: day.Add(9 * time.Hour), Action: journal.ActionRemove, Proposal: "root"})
	j = start()
	wantStable(t, opened(t, j), "root=1")
	wantPipelines(t, j, "root=3")
	wantOthers(t, j, "team-a=5", "revert-digits=6")
}

func otherHistory(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	for _, e := range []journal.Entry{accepted("root", 1), promoted("digits", 2), proposedAt("revert-digits", 3), accepted("team-a", 4), accepted("root", 5)} {
		mustAppend(t, j, e)
	}
	for want, q := range map[string]journal.Query{
		"root team-a revert-digits digits root": {},
		"root root":                             {Repo: "root"},
		"root":                                  {Repo: "root", Limit: 1},
		"root team-a root":                      {Actions: []journal.Action{journal.ActionAccept}},
		"revert-digits":                         {Proposal: "revert-digits"},
		"":                                      {Repo: "digits"},
	} {
		entries, err := j.History(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Subject())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("the history for %+v is %q; want %q", q, got, want)
		}
	}
	if entries, err := j.History(t.Context(), journal.Query{Repo: "root", Model: "digits"}); err != nil || len(entries) > 0 {
		t.Errorf("entries about two things at once are %v, %v", entries, err)
	}
}

func mixedOther(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	for name, spoil := range map[string]func(*journal.Entry){
		"a model, too":           func(e *journal.Entry) { e.Model = "digits" },
		"nothing":                func(e *journal.Entry) { e.Repo, e.Proposal = "", "" },
		"a path":                 func(e *journal.Entry) { e.Repo, e.Proposal = "../x", "" },
		"an action on models":    func(e *journal.Entry) { e.Action = journal.ActionPromote },
		"a run":                  func(e *journal.Entry) { e.Run = "train-1" },
		"a weight":               func(e *journal.Entry) { e.Weight = 5 },
		"a record of a model":    func(e *journal.Entry) { e.Record = promoted("digits", 1).Record },
		"a record of a pipeline": func(e *journal.Entry) { e.PipelineRecord = runEnded("train", 1).PipelineRecord },
		"both records": func(e *journal.Entry) {
			e.RepoRecord, e.ProposalRecord = accepted("root", 1).RepoRecord, proposedAt("revert-digits", 1).ProposalRecord
		},
		"a record of another": func(e *journal.Entry) {
			if e.RepoRecord != nil {
				e.RepoRecord.Repo = "other"
			} else {
				e.ProposalRecord.Proposal = "other"
			}
		},
	} {
		for _, e := range []journal.Entry{accepted("root", 1), proposedAt("revert-digits", 1)} {
			spoil(&e)
			if err := j.Append(t.Context(), e); err == nil {
				t.Errorf("%s: it is stored", name)
			}
		}
	}
	wantOthers(t, j, "", "")
	wantHistory(t, j, journal.Query{}, "")
}

func historyRecords(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	want := []journal.Entry{accepted("root", 1), promoted("digits", 2), runEnded("train", 3), proposedAt("revert-digits", 4), accepted("root", 5)}
	for _, e := range want {
		mustAppend(t, j, e)
	}
	gone := journal.Entry{At: day.Add(6 * time.Hour), Action: journal.ActionRemove, Model: "digits"}
	mustAppend(t, j, gone)
	want = append(want, gone)
	slices.Reverse(want)
	got, err := j.History(t.Context(), journal.Query{Records: true})
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	for i, e := range got {
		want[i].ID = e.ID
		if !reflect.DeepEqual(e, want[i]) {
			t.Errorf("got %+v; want %+v", e, want[i])
		}
	}
	got, err = j.History(t.Context(), journal.Query{Repo: "root", Records: true, Limit: 1})
	if err != nil || len(got) != 1 || got[0].RepoRecord == nil || got[0].RepoRecord.Accepted != got[0].To {
		t.Errorf("got %+v, %v", got, err)
	}
}

// wantOthers compares the numbers of the newest records, written as NAME=N.
func wantOthers(t *testing.T, j journal.Journal, repos, proposals string) {
	t.Helper()
	repoRecords, err := j.Repos(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range slices.Sorted(maps.Keys(repoRecords)) {
		got = append(got, fmt.Sprintf("%s=%d", name, repoRecords[name].Pulls[0].Number))
	}
	if strings.Join(got, " ") != repos {
		t.Errorf("the repos are %q; want %q", got, repos)
	}
	proposalRecords, err := j.Proposals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	for _, name := range slices.Sorted(maps.Keys(proposalRecords)) {
		got = append(got, fmt.Sprintf("%s=%d", name, proposalRecords[name].Open.Pull))
	}
	if strings.Join(got, " ") != proposals {
		t.Errorf("the proposals are %q; want %q", got, proposals)
	}
}
