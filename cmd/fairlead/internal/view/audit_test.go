package view_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/audit"
	"github.com/fairlead/fairlead/reconcile/journal"
)

func TestAuditReportSaysWhatIsWrongAndWhatThatMeans(t *testing.T) {
	inUTC(t)
	id := strings.Repeat("8c1f2e0a", 5)
	r := audit.Report{
		Repository: "/data/journal", Branch: "fairlead/journal/prod", Head: audit.Head{Commit: id, Entries: 812, At: now}, First: ago(500 * time.Hour),
		Signed: []audit.KeyUse{{Key: "SHA256:abc", Entries: 800}}, Unsigned: 12,
		Heads: []audit.HeadFound{{Commit: id, Source: "head.json", Entry: 812}},
	}
	golden(t, "audit", func(v *view.View) error { return v.AuditReport(&r, "prod", true, true) })
	bare := r
	bare.Signed, bare.Unsigned, bare.Heads = nil, 0, nil
	bare.Notes = []string{"no key was named, so it was not checked who signed the entries", "no head was given, so it cannot be told whether entries are missing at the end", "the repository does not reach back to the first entry"}
	golden(t, "audit-bare", func(v *view.View) error { return v.AuditReport(&bare, "prod", false, false) })
	for i := range 25 {
		r.Problems = append(r.Problems, audit.Problem{Entry: i + 7, Commit: id, Rule: audit.RuleSignature, Reason: "it is not signed"})
	}
	r.Problems[0].Rule = audit.RuleTime
	r.Problems = append(r.Problems, audit.Problem{Rule: audit.RuleReplace, Reason: "info/grafts makes git show other parents"})
	r.More, r.Heads[0].Entry = 3, 0
	golden(t, "audit-wrong", func(v *view.View) error { return v.AuditReport(&r, "prod", true, true) })
}

func TestApprovalNamesEveryoneAndWhatIsNotKnown(t *testing.T) {
	inUTC(t)
	a := app.VersionApproval{Environment: "prod", Approval: audit.Approval{
		Model: "fraud", Version: "1.4.0", Revision: "36cbc3a60313", Started: ago(time.Hour), Commit: strings.Repeat("8c1f2e0a", 5), Repo: "team-a", Subject: "fraud: 1.4.0",
		Author: "Ann <ann@example.com>", Signer: "forge", Key: "SHA256:abc", Accepted: ago(2 * time.Hour), Trust: "every",
		Pulls: []journal.AcceptedPull{
			{Number: 12, URL: "https://git.example.com/12", Author: "ann", Merged: strings.Repeat("7", 40), MergedBy: "cid", Approvals: []journal.Approver{
				{By: "bob", At: ago(3 * time.Hour), Rules: []string{"models", "data"}}, {By: "cid", At: ago(3 * time.Hour)},
			}},
			{Number: 13, URL: "https://git.example.com/13", Approvals: []journal.Approver{{By: "dora", At: ago(3 * time.Hour)}}},
		},
		Orders: []audit.Order{{At: ago(30 * time.Minute), What: "approve", Actor: "eve@host", Reason: "looks good"}},
		Notes:  []string{"fraud 1.4.0 came again as another revision"},
	}}
	a.Evidence = []audit.Evidence{{Check: "errors", Outcome: "pass", Text: "0.1 % of 1,200 requests failed\nmore"}}
	golden(t, "approval", func(v *view.View) error { return v.Approval(&a) })
	merged := a
	merged.Pulls = []journal.AcceptedPull{{Number: 12, URL: "https://git.example.com/12", MergedBy: "cid", Merged: "7"}}
	merged.Outcome = &app.RolloutEnd{What: "rollback", At: now, Reason: "5 % failed"}
	merged.Repo, merged.Signer, merged.Key, merged.Orders, merged.Evidence, merged.Notes = journal.RootRepo, "", "", nil, nil, nil
	golden(t, "approval-merged", func(v *view.View) error { return v.Approval(&merged) })
}

func TestHistoryTellsOfCommitsAndProposals(t *testing.T) {
	inUTC(t)
	h := view.History{Environment: "prod", Entries: []journal.Entry{
		{At: now, Action: journal.ActionPropose, Proposal: "pin-fraud", Actor: journal.Daemon, Reason: journal.TidiedUp + "nothing is left of it"},
		{At: now, Action: journal.ActionConclude, Proposal: "revert-fraud", Actor: "bob", Reason: "merged: the branch has it"},
		{At: now, Action: journal.ActionPropose, Proposal: "revert-fraud", Actor: journal.Daemon, Reason: "Revert fraud to 1.3.9: #12"},
		{At: now, Action: journal.ActionAccept, Repo: "root", From: strings.Repeat("1", 40), To: strings.Repeat("2", 40), Actor: "Ann <ann@example.com>", Reason: "fraud: 1.4.0"},
		{At: now, Action: journal.ActionAccept, Repo: "team-a", To: strings.Repeat("3", 40), Actor: journal.Daemon, Reason: "the first"},
	}}
	golden(t, "history-commits", func(v *view.View) error { return v.History(&h) })
}
