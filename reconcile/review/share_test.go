package review_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/review"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
)

// Who reads a team's repository learns from the plan of a pull request there what becomes
// of the team's objects, at the places where they stand there, and nothing of others'.
func TestATeamSeesWhatIsItsOwn(t *testing.T) {
	team := &spec.Include{Name: "team", Prefix: "team_"}
	at := func(file string) spec.Pos { return spec.Pos{File: file, Line: 3} }
	finding := func(severity diag.Severity, file, summary string) diag.JSONDiagnostic {
		return diag.JSONDiagnostic{Severity: severity.String(), Summary: summary, Range: &diag.Range{Filename: file}}
	}
	r := &review.Report{
		FormatVersion: review.FormatVersion, Environment: "prod",
		Plan: &plan.Plan{
			Changes: []plan.Change{
				{Address: model("hidden"), Action: plan.Destroy, Problem: "hidden"},
				{Address: model("team_x"), Action: plan.Create, Pos: at(team.Mount() + "x.hcl")},
				{Address: address(spec.KindGateway, ""), Action: plan.Replace, Reasons: []string{"hidden"}},
			},
			Unchanged: 7, Summary: plan.Summary{Create: 1, Destroy: 1, Replace: 1, Problems: 1}, Notes: []string{"hidden"},
		},
		Declared: []review.Declared{
			{Address: address(spec.KindPipeline, "hidden"), Change: review.Added},
			{Address: address(spec.KindDataset, "team_rows"), Change: review.Added, Pos: at(team.Mount() + "d.hcl")},
		},
		Pipelines: []run.Preview{{Pipeline: "hidden"}, {Pipeline: "team_train"}},
		Policies: []review.PolicyResult{
			{Result: gate.Result{Name: "owned", Subject: "model.hidden", Outcome: gate.Failed}, New: true},
			{Result: gate.Result{Name: "owned", Subject: "model.team_x", Outcome: gate.Failed, Pos: at("hidden.hcl")}, New: true},
		},
		Diagnostics: []diag.JSONDiagnostic{
			finding(diag.Error, "hidden.hcl", "hidden"), finding(diag.Warning, "hidden.hcl", "hidden"), finding(diag.Warning, team.Mount()+"x.hcl", "Not so good"),
		},
		Error: "hidden", Notes: []string{"hidden"},
	}
	r.Share(team)
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"JSON": string(raw), "comment": r.Markdown(), "check": r.Headline()} {
		if strings.Contains(text, "hidden") || strings.Contains(text, team.Mount()) {
			t.Errorf("the %s tells what it must not:\n%s", what, text)
		}
	}
	if s := r.Plan.Summary; len(r.Plan.Changes) != 1 || s != (plan.Summary{Create: 1}) || r.Plan.Changes[0].Pos != at("x.hcl") {
		t.Errorf("the plan is %+v", r.Plan)
	}
	if len(r.Declared) != 1 || r.Declared[0].Pos != at("d.hcl") || len(r.Pipelines) != 1 || len(r.Policies) != 1 {
		t.Errorf("got %+v, %+v, %+v", r.Declared, r.Pipelines, r.Policies)
	}
	if len(r.Diagnostics) != 2 || r.Diagnostics[0].Range.Filename != "x.hcl" || r.Diagnostics[1].Summary != "Does not compose" || !r.Failed() || r.Error == "" {
		t.Errorf("the diagnostics are %+v, the error %q", r.Diagnostics, r.Error)
	}
	if len(r.Annotations()) != 1 {
		t.Errorf("the annotations are %+v", r.Annotations())
	}
}
