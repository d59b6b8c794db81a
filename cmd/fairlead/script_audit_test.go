package main

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/spec"
)

// audited DIR REPO KEY writes a journal that is signed with a private key, and its head to
// DIR/head.json: on 3 March 2026 digits 1.0.0 came from a commit that nobody is known to
// have reviewed, and 1.1.0 by pull request 8, which bob approved; a newer image was
// proposed, and that was merged.
func writeAudited(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: audited DIR REPO KEY")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	signer, err := signature.NewSigner(ts.MkAbs(args[2]), "")
	ts.Check(err)
	dir := ts.MkAbs(args[0])
	j, err := git.NewJournal(git.JournalOptions{
		Dir: filepath.Join(dir, "journal"), URL: ts.MkAbs(args[1]), Branch: journal.Branch("prod"), HeadFile: filepath.Join(dir, "head.json"),
		Author: git.Author{Name: "Fairlead", Email: "fairlead@host", Signer: signer},
	})
	ts.Check(err)
	_, err = j.Open(ctx)
	ts.Check(err)
	for _, e := range auditedDecisions() {
		ts.Check(j.Append(ctx, e))
	}
	ts.Check(j.Deliver(ctx))
}

func auditedDecisions() []journal.Entry {
	start := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	one := journal.Release{Revision: "aaaaaaaaaaaa", Version: "1.0.0", Commit: strings.Repeat("1", 40), Image: "digits:1.0.0"}
	two := journal.Release{Revision: "bbbbbbbbbbbb", Version: "1.1.0", Commit: strings.Repeat("2", 40), Image: "digits:1.1.0"}
	clock := start
	at := func(after time.Duration) time.Time { clock = start.Add(after); return clock }
	var all []journal.Entry
	accept := func(after time.Duration, commit, before, subject string, r journal.RepoRecord) {
		r.FormatVersion, r.Repo, r.Accepted, r.Before, r.Since = journal.RecordFormat, journal.RootRepo, commit, before, at(after)
		r.URL, r.Author, r.Subject = "https://git.example.com/team/models.git", "Ann <ann@example.com>", subject
		all = append(all, journal.Entry{At: clock, Action: journal.ActionAccept, Repo: journal.RootRepo, From: before, To: commit, Commit: commit, Reason: subject, Actor: r.Author, RepoRecord: &r})
	}
	decide := func(after time.Duration, action journal.Action, from string, to journal.Release, weight int, reason string, r journal.Record) {
		r.FormatVersion, r.Model, r.Since = journal.RecordFormat, "digits", at(after)
		all = append(all, journal.Entry{At: clock, Action: action, Model: "digits", From: from, To: to.Revision, Version: to.Version, Weight: weight, Commit: to.Commit, Reason: reason, Actor: journal.Daemon, Record: &r})
	}
	accept(0, one.Commit, "", "digits: the first", journal.RepoRecord{Mode: string(spec.TrustOff)})
	decide(time.Minute, journal.ActionPromote, "", one, 100, "first deployment: its replicas are ready", journal.Record{Stable: &one})
	accept(time.Hour, two.Commit, one.Commit, "digits: 1.1.0", journal.RepoRecord{
		Mode:    string(spec.TrustEvery),
		Commits: []journal.AcceptedCommit{{ID: two.Commit, Author: "Ann <ann@example.com>", Signer: "ann", Key: "SHA256:ann"}},
		Pulls: []journal.AcceptedPull{{
			Number: 8, URL: "https://git.example.com/team/models/pulls/8", Author: "ann", Head: strings.Repeat("3", 40), Merged: two.Commit, MergedBy: "dora",
			Approvals: []journal.Approver{{By: "bob", At: start.Add(50 * time.Minute), Rules: []string{"models"}}}, Objects: []string{"model.digits"},
		}},
	})
	rolling := journal.Record{Stable: &one, Rollout: &journal.Rollout{
		Candidate: two, Policy: spec.Rollout{Strategy: spec.Canary, Steps: []spec.RolloutStep{{Weight: 5}}}, Started: start.Add(61 * time.Minute), Weight: 5,
		Checks: map[string]judge.Evidence{"errors": {Last: &judge.Verdict{Check: "errors", Outcome: judge.Pass, At: start.Add(70 * time.Minute), Text: "0.1 % of 1,200 requests failed, at most 1 % may"}}},
	}}
	decide(61*time.Minute, journal.ActionStart, one.Revision, two, 0, "Git wants revision bbbbbbbbbbbb", rolling)
	decide(70*time.Minute, journal.ActionStep, one.Revision, two, 5, "step 1 of 1, weight 5 %", rolling)
	decide(80*time.Minute, journal.ActionPromote, one.Revision, two, 100, "it passed 1 step", journal.Record{Stable: &two})
	open := journal.ProposalRecord{
		FormatVersion: journal.RecordFormat, Proposal: "pin-digits", Kind: journal.ProposePin, Model: "digits", Since: at(2 * time.Hour),
		Open: &journal.OpenProposal{Wish: "digits:1.1.1", Title: "digits: image digits:1.1.1", Branch: "fairlead/prod/pin-digits", Base: two.Commit, Commit: strings.Repeat("4", 40), Since: clock},
	}
	all = append(all, journal.Entry{At: clock, Action: journal.ActionPropose, Proposal: open.Proposal, Commit: two.Commit, Reason: open.Open.Title, Actor: journal.Daemon, ProposalRecord: &open})
	ended := open
	ended.Open, ended.Since = nil, at(3*time.Hour)
	ended.Ended = []journal.EndedProposal{{Wish: "digits:1.1.1", Outcome: journal.ProposalMerged, Title: open.Open.Title, At: clock, By: "bob"}}
	all = append(all, journal.Entry{At: clock, Action: journal.ActionConclude, Proposal: open.Proposal, Commit: two.Commit, Reason: "merged: the branch has it", Actor: "bob", ProposalRecord: &ended})
	return all
}
