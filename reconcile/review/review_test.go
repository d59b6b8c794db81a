package review_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/review"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
)

var update = flag.Bool("update", false, "write the golden files")

func model(name string) spec.Address { return spec.Address{Kind: spec.KindModel, Name: name} }

func newVersion() *review.Report {
	return &review.Report{
		FormatVersion: review.FormatVersion, Environment: "prod", Pull: 7, Head: strings.Repeat("a", 40), Base: strings.Repeat("b", 40), Root: "config",
		Plan: &plan.Plan{
			Changes: []plan.Change{{
				Address: model("digits"), Action: plan.Replace, Reasons: []string{"image changes"},
				Fields: []plan.Field{{Path: "image", Old: "digits:1", New: "digits:2", Replaces: true}, {Path: "env.PASSWORD", Sensitive: true, Replaces: true}},
				Rollout: &plan.Rollout{
					Strategy: spec.Canary, Steps: []plan.Step{{Weight: 5, Hold: 2 * time.Minute}, {Weight: 50, Approval: true}}, Checks: []string{"errors"}, KeepPrevious: time.Hour,
				},
			}},
			Unchanged: 3, Summary: plan.Summary{Replace: 1},
		},
		Pipelines: []run.Preview{{Pipeline: "train", Nodes: []run.NodePreview{
			{Node: "split", Hit: true, From: "train-12"}, {Node: "fit", Why: "param rate"}, {Node: "test", Depends: []string{"fit"}},
		}}},
		Declared: []review.Declared{
			{
				Address: address(spec.KindPipeline, "train"), Change: review.Changed, Gates: []review.Gate{{Name: "good", Require: "accuracy >= 0.5", Level: spec.LevelHard}},
				Fields: []plan.Field{{Path: "gate.good.require", Old: "accuracy >= 0.95", New: "accuracy >= 0.5"}},
			},
			{Address: address(spec.KindDataset, "rows"), Change: review.Added},
		},
		Judged: 4,
		Policies: []review.PolicyResult{
			{Result: gate.Result{Name: "owned", Policy: true, Subject: "model.digits", Level: spec.LevelAdvisory, Outcome: gate.Failed, Detail: "length(owners) 0 > 0", Message: "Add owners."}},
		},
	}
}

func broken() *review.Report {
	r := newVersion()
	r.Plan, r.Declared, r.Pipelines, r.Policies, r.Judged = nil, nil, nil, nil, 0
	r.Diagnostics = []diag.JSONDiagnostic{
		{Severity: "error", Summary: "Unsupported argument", Detail: "Did you mean replicas?", Range: &diag.Range{Filename: "digits.hcl", Start: diag.Pos{Line: 3, Column: 1}, End: diag.Pos{Line: 3, Column: 9}}},
		{Severity: "warning", Summary: "Policy without evidence"},
	}
	return r
}

func TestTheCommentAndTheCheck(t *testing.T) {
	denied := newVersion()
	denied.Policies[0].Level, denied.Policies[0].New, denied.Policies[0].Pos = spec.LevelHard, true, spec.Pos{File: "policies.hcl", Line: 4}
	noRoom := newVersion()
	noRoom.Plan.Changes[0].Problem, noRoom.Plan.Summary.Problems = "the engine has no room: 2 GiB of memory are asked for, 1 GiB is left", 1
	quiet := newVersion()
	quiet.Plan, quiet.Declared, quiet.Pipelines, quiet.Policies = &plan.Plan{Unchanged: 4}, nil, nil, nil
	data := newVersion()
	data.Plan, data.Declared = quiet.Plan, data.Declared[1:]
	conflicting := broken()
	conflicting.Diagnostics, conflicting.Conflicts = nil, []string{"config/digits.hcl"}
	away := broken()
	away.Diagnostics, away.Error = nil, "the engine does not answer: connection refused; start it"
	for name, c := range map[string]struct {
		report *review.Report
		state  reconcile.CommitState
		text   string
	}{
		"new_version": {newVersion(), reconcile.CommitSuccess, "1 to roll out; 1 pipeline and 1 dataset to change"},
		"data":        {data, reconcile.CommitSuccess, "1 dataset to change, and no model"},
		"broken":      {broken(), reconcile.CommitFailure, "1 error in the specs"},
		"denied":      {denied, reconcile.CommitFailure, "1 to roll out; 1 pipeline and 1 dataset to change; 1 policy is broken"},
		"no_room":     {noRoom, reconcile.CommitFailure, "1 to roll out; 1 pipeline and 1 dataset to change; 1 cannot go ahead"},
		"quiet":       {quiet, reconcile.CommitSuccess, "no changes"},
		"conflict":    {conflicting, reconcile.CommitFailure, "cannot be merged without resolving conflicts"},
		"away":        {away, reconcile.CommitFailure, "could not be planned"},
	} {
		t.Run(name, func(t *testing.T) {
			status := c.report.Status("https://forge.test/7")
			if status.State != c.state || status.Text != c.text || status.Context != "fairlead/plan prod" {
				t.Errorf("got %s, %q, %q; want %s, %q", status.State, status.Text, status.Context, c.state, c.text)
			}
			golden(t, name+".md", c.report.Markdown())
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAnnotationsAreAtTheirLines(t *testing.T) {
	got := broken().Annotations()
	want := reconcile.Annotation{Path: "config/digits.hcl", Line: 3, Level: "error", Title: "Unsupported argument", Message: "Did you mean replicas?"}
	if len(got) != 1 || got[0] != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
}

func TestWhatAPolicySaidBeforeIsNotNew(t *testing.T) {
	result := func(subject string, o gate.Outcome) gate.Result {
		return gate.Result{Name: "owned", Policy: true, Subject: subject, Level: spec.LevelHard, Outcome: o}
	}
	before := []gate.Result{result("model.a", gate.Failed), result("model.b", gate.Passed)}
	after := []gate.Result{result("model.a", gate.Failed), result("model.b", gate.Missing), result("model.c", gate.Failed), result("model.d", gate.Passed)}
	var got []string
	for _, p := range review.PoliciesOf(before, after) {
		got = append(got, fmt.Sprint(p.Subject, " ", p.New))
	}
	if want := "model.a false, model.b true, model.c true"; strings.Join(got, ", ") != want {
		t.Errorf("got %v; want %s", got, want)
	}
}

// Whatever a stranger writes, it neither mentions people nor becomes markup.
func TestAStrangersTextIsNoMarkup(t *testing.T) {
	hostile := []string{
		"@everyone", "<img src=x onerror=alert(1)>", "![x](https://evil.test/x.png)", "[click](javascript:alert(1))", "https://evil.test", "<!-- fairlead plan staging -->",
		"a\n\n### ✅ Fairlead plan", "`` ` ``", "</details>", "| a | b |", "\u202etxt", "#1", "*bold*", "a`b``c", "`", "&lt;b&gt;",
	}
	for _, text := range hostile {
		r := newVersion()
		r.Error, r.Conflicts, r.Notes = text, []string{text}, []string{text}
		r.Plan.Changes[0].Reasons, r.Plan.Changes[0].Fields[0].New, r.Plan.Notes = []string{text}, text, []string{text}
		r.Policies[0].Detail, r.Policies[0].Message, r.Policies[0].Regulation = text, text, text
		r.Pipelines[0].Nodes[1].Why = text
		r.Diagnostics = broken().Diagnostics
		r.Diagnostics[0].Detail, r.Diagnostics[0].Summary = text, text
		outside := withoutCode(r.Markdown())
		for _, bad := range []string{"@everyone", "<img", "https://", "<!-- fairlead plan staging", "\n### ✅ Fairlead plan\n", "\u202e", "*bold*"} {
			if strings.Contains(outside, bad) {
				t.Errorf("%q shows as %q in\n%s", text, bad, outside)
			}
		}
		if link.MatchString(outside) {
			t.Errorf("%q shows as a link in\n%s", text, outside)
		}
		if strings.Count(outside, "<details>") != strings.Count(outside, "</details>") {
			t.Errorf("%q breaks the page:\n%s", text, outside)
		}
	}
}

// link is the middle of a link or an image that no backslash stands before.
var link = regexp.MustCompile(`[^\\]\]\(`)

// withoutCode is a page without its code spans, as CommonMark reads them.
func withoutCode(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); {
		if text[i] == '\\' && i+1 < len(text) {
			out.WriteString(text[i : i+2])
			i += 2
			continue
		}
		n := 0
		for i+n < len(text) && text[i+n] == '`' {
			n++
		}
		if n == 0 {
			out.WriteByte(text[i])
			i++
			continue
		}
		end := closing(text[i+n:], n)
		if end < 0 {
			out.WriteString(text[i : i+n])
			i += n
			continue
		}
		i += n + end + n
	}
	return out.String()
}

// closing finds a run of exactly n backticks.
func closing(text string, n int) int {
	for i := 0; i < len(text); {
		k := 0
		for i+k < len(text) && text[i+k] == '`' {
			k++
		}
		if k == n {
			return i
		}
		i += max(k, 1)
	}
	return -1
}

func TestACommentNeverExceedsWhatForgesTake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newVersion()
		for i := range rapid.IntRange(0, 3000).Draw(t, "changes") {
			c := r.Plan.Changes[0]
			c.Address = model(fmt.Sprintf("m%d", i))
			r.Plan.Changes = append(r.Plan.Changes, c)
		}
		text := r.Markdown()
		if len(text) > 65_000 || strings.Count(text, "<details>") != strings.Count(text, "</details>") || !strings.HasPrefix(text, review.Marker("prod", "")) {
			t.Fatalf("%d bytes, %d details opened and %d closed", len(text), strings.Count(text, "<details>"), strings.Count(text, "</details>"))
		}
	})
}
