package view_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/notify"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/proposer"
	"github.com/fairlead/fairlead/reconcile/review"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
)

func sampleReview() *review.Report {
	p := samplePlan()
	p.Changes[2].Problem = "no room: needs 12 GiB"
	return &review.Report{
		Environment: "prod", Pull: 12, Head: strings.Repeat("1", 40), Base: strings.Repeat("2", 40), Root: "specs", Plan: p, Judged: 3,
		Diagnostics: []diag.JSONDiagnostic{
			{Severity: "warning", Summary: "Unused, and: odd", Detail: "100 % of\nit", Range: &diag.Range{Filename: "a,b.hcl", Start: diag.Pos{Line: 3, Column: 1}}},
			{Severity: "warning", Summary: "Nowhere"},
		},
		Policies: []review.PolicyResult{
			{Result: gate.Result{Name: "card", Policy: true, Subject: "model.fraud", Level: spec.LevelHard, Outcome: gate.Failed, Detail: "has_card is false", Message: "write one", Pos: spec.Pos{File: "p.hcl", Line: 2}}, New: true},
		},
		Declared: []review.Declared{
			{
				Address: spec.Address{Kind: spec.KindPipeline, Name: "train"}, Change: review.Changed, Pos: spec.Pos{File: "train.hcl", Line: 4, Column: 1},
				Gates:  []review.Gate{{Name: "good", Require: "step.test.metrics.accuracy >= 0.5", Level: spec.LevelHard}},
				Fields: []plan.Field{{Path: "gate.good.require", Old: "step.test.metrics.accuracy >= 0.95", New: "step.test.metrics.accuracy >= 0.5"}, {Path: "schedule.cron", New: "@daily"}},
			},
			{Address: spec.Address{Kind: spec.KindDataset, Name: "rows"}, Change: review.Added, Pos: spec.Pos{File: "train.hcl", Line: 30, Column: 1}},
			{Address: spec.Address{Kind: spec.KindPolicy, Name: "owned"}, Change: review.Removed, Pos: spec.Pos{File: "p.hcl", Line: 9, Column: 1}},
		},
		Pipelines: []run.Preview{{Pipeline: "train", Nodes: []run.NodePreview{{Node: "a", Hit: true}, {Node: "b", Why: "image"}}}, {Pipeline: "broken", Problem: "no data"}},
		Notes:     []string{"what a run of x would do is not known"},
	}
}

func TestReviewIsThePlanOfAPullRequest(t *testing.T) {
	golden(t, "review", func(v *view.View) error { return v.Review(sampleReview()) })
	conflict := &review.Report{Environment: "prod", Pull: 3, Head: "1", Base: "2", Conflicts: []string{"a.hcl"}}
	golden(t, "review-conflict", func(v *view.View) error { return v.Review(conflict) })
}

func TestAPlanByHandSaysWhatThatOfAPullRequestSays(t *testing.T) {
	r := sampleReview()
	r.Error = "3 of 4 models would be destroyed"
	golden(t, "planned", func(v *view.View) error { return v.Planned(false, r) })
	golden(t, "planned-json", func(v *view.View) error { return v.Planned(true, r) })
	quiet := &review.Report{Plan: &plan.Plan{FormatVersion: plan.FormatVersion, Environment: "prod", Commit: samplePlan().Commit, Unchanged: 4, Changes: []plan.Change{}}, Declared: r.Declared[1:2]}
	golden(t, "planned-no-model", func(v *view.View) error { return v.Planned(false, quiet) })
}

func TestGitHubGetsAnnotationsAndNoCommandOfTheSpecs(t *testing.T) {
	golden(t, "review-github", func(v *view.View) error { return v.GitHub(sampleReview(), "WORD") })
	evil := &review.Report{Environment: "prod", Conflicts: []string{"a\r\n::set-env name=X::y"}, Error: "::add-mask::\n::error::boo\n##[group]x"}
	var out bytes.Buffer
	if err := (&view.View{Out: &out}).GitHub(evil, "WORD"); err != nil {
		t.Fatal(err)
	}
	stopped := false
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSpace(line)
		switch {
		case line == "::stop-commands::WORD":
			stopped = true
		case line == "::WORD::":
			stopped = false
		case !stopped && !strings.HasPrefix(line, "::error file=a%0D%0A%3A%3Aset-env name=X%3A%3Ay,title=Conflict::") && !strings.HasPrefix(line, "::error title=No plan::%3A"):
			if line != "::error title=No plan::::add-mask::%0A::error::boo%0A##[group]x" {
				t.Errorf("a command of the specs: %q", line)
			}
		}
	}
	if stopped {
		t.Error("commands are not taken again at the end")
	}
}

func TestStatusTellsWhichIncludeIsNotFollowed(t *testing.T) {
	s := sampleStatus()
	s.Models, s.Converged = s.Models[:1], true
	s.Source = controller.SourceStatus{Fetched: ago(time.Minute), Behind: []string{"risk", "ads"}, Notes: []string{`include "risk" stays at commit 5dda80f: its commit 1a2b3c4 does not load: models.hcl:3`, `include "ads" stays at commit 6eeb91a: it is not signed`}}
	golden(t, "status-behind", func(v *view.View) error { return v.Status(&app.DaemonStatus{Status: *s}, now) })
}

func TestStatusTellsWhatWaitsForPeople(t *testing.T) {
	pos := spec.Pos{File: "trust.hcl", Line: 3, Column: 1}
	s := &app.DaemonStatus{
		Status: controller.Status{Environment: "prod", Owner: "fairlead", Commit: samplePlan().Commit, Source: controller.SourceStatus{Fetched: ago(time.Minute), Refused: true, Error: "told by the refusals"}},
		Refusals: []app.RefusalStatus{
			{Repo: journal.RootRepo, Head: strings.Repeat("9", 40), Subject: "fraud: 1.5.0", Rule: "trust.signed", Pos: pos, Commit: strings.Repeat("7", 40), Path: "models/fraud.hcl", Reason: "it is not signed", Remedy: "sign it with git commit -S, and push again"},
			{Repo: "team-a", Head: strings.Repeat("6", 40), Rule: `trust.review "models"`, Reason: "1 of 2 approvals", Waiting: true},
		},
		Notifiers: []notify.Status{
			{Name: "fine", Kind: "slack"},
			{Name: "chat", Kind: "slack", Queue: 3, FailingSince: ago(10 * time.Minute), LastError: "503 Service Unavailable"},
			{Name: "mail", Kind: "email", Queue: 1, FailingSince: ago(time.Minute), LastError: "no route", Notes: []string{"its template is not used"}},
		},
		Proposals: []proposer.Status{
			{Key: "done", State: "merged", Title: "not shown"},
			{Key: "pin-digits", State: "blocked", Title: "digits: image digits:2", Reason: "what it wants is written by hand"},
			{Key: "promote-churn", State: "open", Title: "Promote churn", URL: "https://git.example.com/11", Since: ago(time.Hour), Reason: "somebody else's commit is on its branch, which is not touched any more; merge it, or close it"},
			{Key: "promote-fraud", State: "open", Title: "Promote fraud", URL: "https://git.example.com/12", Since: ago(2 * time.Hour), Waits: true, Reason: "it waits for people: #12"},
			{Key: "revert-fraud", State: "open", Title: "Revert fraud to 1.3.9", Branch: "fairlead/prod/revert-fraud", Since: ago(time.Hour), Error: "push: no answer"},
		},
		Pulls: []app.PullStatus{
			{Number: 7, Headline: "1 to roll out"},
			{Number: 8, Headline: "2 errors in the specs", Failed: true},
			{Number: 9, Skipped: "it is from a fork; --plan-forks plans those too"},
			{Number: 10, Error: "fetch: no answer"},
		},
	}
	golden(t, "status-review", func(v *view.View) error { return v.Status(s, now) })
	s = &app.DaemonStatus{Status: s.Status, Refusals: s.Refusals[1:]}
	golden(t, "status-waits", func(v *view.View) error { return v.Status(s, now) })
}

func TestWatchTellsOfProposals(t *testing.T) {
	var out bytes.Buffer
	w := (&view.View{Out: &out}).Watch(false, nil)
	open := proposer.Status{Key: "revert-fraud", State: "open", Title: "Revert fraud", Branch: "fairlead/prod/revert-fraud"}
	pulled := open
	pulled.URL = "https://git.example.com/12"
	theirs := pulled
	theirs.Reason = "somebody else's commit is on its branch"
	blocked := proposer.Status{Key: "pin-fraud", State: "blocked", Title: "x", Reason: "by hand"}
	refused := app.RefusalStatus{Head: strings.Repeat("9", 40), Rule: "trust.signed", Reason: "it is not signed"}
	for _, s := range []*app.DaemonStatus{
		{},
		{Proposals: []proposer.Status{open}},
		{Proposals: []proposer.Status{pulled}},
		{Proposals: []proposer.Status{blocked, pulled}},
		{Proposals: []proposer.Status{blocked, pulled}},
		{Proposals: []proposer.Status{blocked, theirs}},
		{Proposals: []proposer.Status{blocked, theirs}},
		{Proposals: []proposer.Status{{Key: "revert-fraud", Last: &journal.EndedProposal{Outcome: journal.ProposalMerged, Title: "Revert fraud"}}}},
		{Refusals: []app.RefusalStatus{refused}},
		{Refusals: []app.RefusalStatus{refused}},
	} {
		if err := w.Show(s, now); err != nil {
			t.Fatal(err)
		}
	}
	want := `14:00:00 proposal revert-fraud: Revert fraud, branch fairlead/prod/revert-fraud
14:00:00 proposal revert-fraud: https://git.example.com/12
14:00:00 proposal pin-fraud is not made: by hand
14:00:00 proposal revert-fraud: somebody else's commit is on its branch
14:00:00 proposal revert-fraud was merged: Revert fraud
14:00:00 commit 9999999 is refused by trust.signed: it is not signed
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestPinsSayWhatIsLeft(t *testing.T) {
	pins := &view.Pins{
		Changes: []view.Pin{{File: "a.hcl", Line: 3, From: "x:1", To: "x:1@sha256:abc"}},
		Unknown: []view.UnknownAt{{Image: "local:1", Reason: "no registry has it\nmore"}, {Image: "away:1", Reason: "Docker Hub cannot be asked now", Unasked: true}},
		ByHand:  []view.ByHand{{Address: "model.b", File: "b.hcl", Line: 2, Expression: "var.image", Remedy: "write it where it comes from"}},
	}
	golden(t, "pins", func(v *view.View) error { return v.Pins(pins) })
	golden(t, "pins-all", func(v *view.View) error { return v.Pins(&view.Pins{Changes: pins.Changes}) })
	golden(t, "pins-none", func(v *view.View) error { return v.Pins(&view.Pins{}) })
	golden(t, "pins-check", func(v *view.View) error { return v.Pins(&view.Pins{Check: true, Changes: pins.Changes}) })
}

// Whatever is in the specs, each annotation is one line, and GitHub reads from it what was
// meant.
func TestAnnotationsComeBackAsTheyWere(t *testing.T) {
	undo := func(s string) string {
		return strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%").Replace(s)
	}
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab:,%=\r\n #[]AD032C5é")), 0, 20, -1)
	rapid.Check(t, func(t *rapid.T) {
		d := diag.JSONDiagnostic{Severity: "error", Summary: text.Draw(t, "summary"), Detail: text.Draw(t, "detail"), Range: &diag.Range{Filename: "x" + strings.ReplaceAll(text.Draw(t, "file"), "/", ""), Start: diag.Pos{Line: 3}}}
		var out bytes.Buffer
		if err := (&view.View{Out: &out}).GitHub(&review.Report{Environment: "prod", Diagnostics: []diag.JSONDiagnostic{d}}, "WORD"); err != nil {
			t.Fatal(err)
		}
		first, rest, _ := strings.Cut(out.String(), "\n")
		command, isCommand := strings.CutPrefix(first, "::error ")
		properties, message, _ := strings.Cut(command, "::")
		parts := strings.Split(properties, ",")
		if !isCommand || !strings.HasPrefix(rest, "::stop-commands::WORD\n") || len(parts) != 3 {
			t.Fatalf("got %q", out.String())
		}
		file, title := strings.TrimPrefix(parts[0], "file="), strings.TrimPrefix(parts[2], "title=")
		if undo(file) != d.Range.Filename || parts[1] != "line=3" || undo(title) != d.Summary || undo(message) != d.Detail {
			t.Fatalf("of %+v came %q", d, first)
		}
	})
}
