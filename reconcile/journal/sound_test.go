package journal_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/spec"
)

func fullPipeline() journal.PipelineRecord {
	return journal.PipelineRecord{
		FormatVersion: journal.RecordFormat, Pipeline: "train", Number: 12, Schedule: "0 3 * * 1 UTC", Since: noon, Current: "train-12",
		Last:      &journal.RunEnded{Run: "train-11", Outcome: "denied", Reason: "why", Commit: strings.Repeat("ab", 20), Started: noon, At: noon, Gates: []gate.Result{{Name: "fair", Detail: "0.9 >= 0.95"}}},
		Published: []journal.RunPublished{{Run: "train-10", Model: "digits", Version: "1.2.0+a", Branch: "fairlead/publish/digits", Commit: strings.Repeat("ab", 20), At: noon}},
	}
}

func fullRepo() journal.RepoRecord {
	commit := strings.Repeat("cd", 20)
	return journal.RepoRecord{
		FormatVersion: journal.RecordFormat, Repo: journal.RootRepo, URL: "git@host:a/b.git", Accepted: commit, Before: commit, Author: "Änn <ann@example.org>", Subject: "one, two",
		Mode: string(spec.TrustEvery), Since: noon, Commits: []journal.AcceptedCommit{{ID: commit, Author: "Ann", Signer: "ann", Key: "SHA256:a/b+c"}},
		Pulls: []journal.AcceptedPull{{Number: 7, URL: "https://git.example.com/a/b/pulls/7", Author: "ann", Head: commit, Merged: commit, Approvals: []journal.Approver{{By: "bob", At: noon, Rules: []string{"models"}}}, Objects: []string{"model.digits"}}},
		Rules: &journal.AcceptedRules{Since: commit},
	}
}

func fullProposal() journal.ProposalRecord {
	commit := strings.Repeat("ef", 20)
	return journal.ProposalRecord{
		FormatVersion: journal.RecordFormat, Proposal: "revert-digits", Kind: journal.ProposeRevert, Model: "digits", Since: noon,
		Open:  &journal.OpenProposal{Wish: "revert a to b", Title: "digits: back to 1.0", Body: "**Why**\n\n| a |\n|---|\n\t- x\n", Branch: "fairlead/revert/staging/digits", Base: commit, Commit: commit, Pull: 7, URL: "http://forge/7", Since: noon},
		Ended: []journal.EndedProposal{{Wish: "w", Outcome: journal.ProposalMoot, Title: "t", Pull: 6, URL: "https://forge/6", Commit: commit, By: "ann", Reason: "r", At: noon}},
	}
}

func TestOtherRecordsComeBackWhole(t *testing.T) {
	data, err := journal.EncodePipelineRecord("train", fullPipeline())
	if got, bad := journal.DecodePipelineRecord("train", data); err != nil || bad != nil || !reflect.DeepEqual(got, fullPipeline()) {
		t.Errorf("got %+v, %v, %v", got, err, bad)
	}
	data, err = journal.EncodeRepoRecord(journal.RootRepo, fullRepo())
	if got, bad := journal.DecodeRepoRecord(journal.RootRepo, data); err != nil || bad != nil || !reflect.DeepEqual(got, fullRepo()) {
		t.Errorf("got %+v, %v, %v", got, err, bad)
	}
	data, err = journal.EncodeProposalRecord("revert-digits", fullProposal())
	if got, bad := journal.DecodeProposalRecord("revert-digits", data); err != nil || bad != nil || !reflect.DeepEqual(got, fullProposal()) {
		t.Errorf("got %+v, %v, %v", got, err, bad)
	}
}

// Each of these could only be written by somebody else.
func TestFieldsThatNoDecisionLeadsToAreRefused(t *testing.T) {
	model := func(change func(*journal.Record)) func() ([]byte, error) {
		return func() ([]byte, error) { r := fullRecord(); change(&r); return journal.EncodeRecord("digits", r) }
	}
	pipeline := func(change func(*journal.PipelineRecord)) func() ([]byte, error) {
		return func() ([]byte, error) {
			r := fullPipeline()
			change(&r)
			return journal.EncodePipelineRecord("train", r)
		}
	}
	repo := func(change func(*journal.RepoRecord)) func() ([]byte, error) {
		return func() ([]byte, error) { r := fullRepo(); change(&r); return journal.EncodeRepoRecord("root", r) }
	}
	proposal := func(change func(*journal.ProposalRecord)) func() ([]byte, error) {
		return func() ([]byte, error) {
			r := fullProposal()
			change(&r)
			return journal.EncodeProposalRecord("revert-digits", r)
		}
	}
	for word, write := range map[string]func() ([]byte, error){
		"stable.revision":   model(func(r *journal.Record) { r.Stable = &journal.Release{Revision: "a b"} }),
		"stable.commit":     model(func(r *journal.Record) { r.Stable = &journal.Release{Commit: "a\nb"} }),
		"previous.revision": model(func(r *journal.Record) { r.Previous.Revision = "[x](y)" }),
		"rollout.candidate": model(func(r *journal.Record) { r.Rollout.Candidate.Commit = "a b" }),
		"from -1 to 1":      model(func(r *journal.Record) { r.Rollout.Step = 2 }),
		"rollout.step":      model(func(r *journal.Record) { r.Rollout.Step = -2 }),
		"rollout.weight":    model(func(r *journal.Record) { r.Rollout.Weight = 101 }),
		"rollout.approved":  model(func(r *journal.Record) { r.Rollout.Approved = -1 }),
		"rollout.checks.x": model(func(r *journal.Record) {
			r.Rollout.Checks = map[string]judge.Evidence{"x": {Last: &judge.Verdict{Outcome: "good"}}}
		}),
		"rejected.cause":           model(func(r *journal.Record) { r.Rejected[0].Cause = "why not" }),
		"rejected.revision":        model(func(r *journal.Record) { r.Rejected[0].Revision = "\x1b" }),
		"rejected.evidence":        model(func(r *journal.Record) { r.Rejected[0].Evidence[0].Outcome = "good" }),
		"last.outcome":             model(func(r *journal.Record) { r.Last.Outcome = "won" }),
		"last.revision":            model(func(r *journal.Record) { r.Last.Revision = "a b" }),
		"restarts":                 model(func(r *journal.Record) { r.Restarts = -1 }),
		"number":                   pipeline(func(r *journal.PipelineRecord) { r.Number = -1 }),
		"current":                  pipeline(func(r *journal.PipelineRecord) { r.Current = "../x" }),
		"last.run":                 pipeline(func(r *journal.PipelineRecord) { r.Last.Run = "a b" }),
		"last.commit":              pipeline(func(r *journal.PipelineRecord) { r.Last.Commit = "a b" }),
		"published.run":            pipeline(func(r *journal.PipelineRecord) { r.Published[0].Run = "a b" }),
		"published.model":          pipeline(func(r *journal.PipelineRecord) { r.Published[0].Model = "../digits" }),
		"published.branch":         pipeline(func(r *journal.PipelineRecord) { r.Published[0].Branch = "a..b" }),
		"published.commit":         pipeline(func(r *journal.PipelineRecord) { r.Published[0].Commit = "a b" }),
		"accepted":                 repo(func(r *journal.RepoRecord) { r.Accepted = "HEAD^{x}" }),
		"before":                   repo(func(r *journal.RepoRecord) { r.Before = "a b" }),
		"mode":                     repo(func(r *journal.RepoRecord) { r.Mode = "none" }),
		"commits.id":               repo(func(r *journal.RepoRecord) { r.Commits[0].ID = "a b" }),
		"pulls.number":             repo(func(r *journal.RepoRecord) { r.Pulls[0].Number = -1 }),
		"pulls.url":                repo(func(r *journal.RepoRecord) { r.Pulls[0].URL = "javascript:alert(1)" }),
		"begins with https://":     repo(func(r *journal.RepoRecord) { r.Pulls[0].URL = "https://" }),
		"pulls.head":               repo(func(r *journal.RepoRecord) { r.Pulls[0].Head = "a b" }),
		"pulls.merged":             repo(func(r *journal.RepoRecord) { r.Pulls[0].Merged = "a b" }),
		"rules.since":              repo(func(r *journal.RepoRecord) { r.Rules.Since = "a b" }),
		"kind":                     proposal(func(r *journal.ProposalRecord) { r.Kind = "merge" }),
		"model":                    proposal(func(r *journal.ProposalRecord) { r.Model = "a b" }),
		"open.branch":              proposal(func(r *journal.ProposalRecord) { r.Open.Branch = "-x" }),
		"name of a branch":         proposal(func(r *journal.ProposalRecord) { r.Open.Branch = "a\u202eb" }),
		"open.base":                proposal(func(r *journal.ProposalRecord) { r.Open.Base = "a\nb" }),
		"open.commit":              proposal(func(r *journal.ProposalRecord) { r.Open.Commit = "a\nb" }),
		"open.pull":                proposal(func(r *journal.ProposalRecord) { r.Open.Pull = -1 }),
		"open.url":                 proposal(func(r *journal.ProposalRecord) { r.Open.URL = "https://a b/" }),
		"ended.outcome":            proposal(func(r *journal.ProposalRecord) { r.Ended[0].Outcome = "won" }),
		"ended.pull":               proposal(func(r *journal.ProposalRecord) { r.Ended[0].Pull = -1 }),
		"ended.url":                proposal(func(r *journal.ProposalRecord) { r.Ended[0].URL = "//forge/7" }),
		"ended.commit":             proposal(func(r *journal.ProposalRecord) { r.Ended[0].Commit = "a b" }),
		"holds what fairlead does": proposal(func(r *journal.ProposalRecord) { r.Kind = "merge" }),
	} {
		if _, err := write(); err == nil || !strings.Contains(err.Error(), word) || strings.ContainsAny(err.Error(), "\n\x1b\u202e") {
			t.Errorf("%s: got %v", word, err)
		}
	}
	data, err := json.Marshal(map[string]any{"format_version": 1, "proposal": "p", "ended": []any{map[string]any{"outcome": "won"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := journal.DecodeProposalRecord("p", data); err == nil || !strings.Contains(err.Error(), "ended.outcome") {
		t.Errorf("got %v", err)
	}
}

func TestTextsOfRecordsSteerNothing(t *testing.T) {
	const evil = "a\n\n# Approved\r\u2028by \x1b[2J\u202ebob\x00"
	const tame = "a  # Approved  by [2Jbob"
	r := fullRecord()
	r.Stable.Version, r.Last.Reason, r.Rejected[0].Reason, r.Rollout.Held, r.Rollout.Paused.Actor = evil, evil, evil, evil, evil
	data, err := journal.EncodeRecord("digits", r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := journal.DecodeRecord("digits", data)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{got.Stable.Version, got.Last.Reason, got.Rejected[0].Reason, got.Rollout.Held, got.Rollout.Paused.Actor} {
		if text != tame {
			t.Errorf("got %q; want %q", text, tame)
		}
	}
	repo := fullRepo()
	repo.Author, repo.Subject, repo.Pulls[0].Approvals[0].Rules[0], repo.Commits[0].Signer = evil, evil, evil, evil
	if data, err = journal.EncodeRepoRecord("root", repo); err != nil {
		t.Fatal(err)
	}
	if got, err := journal.DecodeRepoRecord("root", data); err != nil || got.Author != tame || got.Subject != tame || got.Pulls[0].Approvals[0].Rules[0] != tame || got.Commits[0].Signer != tame {
		t.Errorf("got %+v, %v", got, err)
	}
	p := fullProposal()
	p.Open.Title, p.Open.Body, p.Ended[0].Reason = evil, evil, evil
	if data, err = journal.EncodeProposalRecord("revert-digits", p); err != nil {
		t.Fatal(err)
	}
	if got, err := journal.DecodeProposalRecord("revert-digits", data); err != nil || got.Open.Title != tame || got.Ended[0].Reason != tame || got.Open.Body != "a\n\n# Approved  by [2Jbob" {
		t.Errorf("got %+v, %v", got.Open, err)
	}
}

func FuzzDecodeOtherRecords(f *testing.F) {
	repo, err := journal.EncodeRepoRecord("x", fullRepo())
	if err != nil {
		f.Fatal(err)
	}
	proposal, err := journal.EncodeProposalRecord("x", fullProposal())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(repo)
	f.Add(proposal)
	f.Add([]byte(`{"format_version": 1, "repo": "x", "proposal": "x", "pulls": [null, {}], "ended": [null, {}], "rules": {}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := journal.DecodeRepoRecord("x", data); err == nil {
			if written, err := journal.EncodeRepoRecord("x", r); err == nil { // JSON reads years that it does not write
				if again, err := journal.DecodeRepoRecord("x", written); err != nil || !same(t, r, again) {
					t.Fatalf("%+v became %+v, %v", r, again, err)
				}
			}
		}
		if r, err := journal.DecodeProposalRecord("x", data); err == nil {
			if written, err := journal.EncodeProposalRecord("x", r); err == nil {
				if again, err := journal.DecodeProposalRecord("x", written); err != nil || !same(t, r, again) {
					t.Fatalf("%+v became %+v, %v", r, again, err)
				}
			}
		}
	})
}

// same compares what would be written.
func same(t *testing.T, a, b any) bool {
	t.Helper()
	one, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	two, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(one) == string(two)
}
