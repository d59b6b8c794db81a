package review

import (
	"fmt"
	"path"
	"strings"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec/diag"
)

// FormatVersion is the version of the JSON form of a Report.
const FormatVersion = "1.0"

// Report is what merging a pull request would do to one environment.
type Report struct {
	FormatVersion string `json:"format_version"`
	Environment   string `json:"environment"`
	// Include is whose repo the pull request is to; "": the config repo itself.
	Include string `json:"include,omitempty"`
	Pull    int    `json:"pull,omitempty"`
	Head    string `json:"head"` // commit that is proposed
	Base    string `json:"base"` // commit that it was merged with, in memory
	// Root is the directory of the specs in the repository; "" for its top.
	Root string `json:"root,omitempty"`

	Plan *plan.Plan `json:"plan,omitempty"` // nil where there is none
	// Declared is what changes beside the models.
	Declared []Declared `json:"declared,omitempty"`
	// Pipelines are those that the pull request changes, or whose data it does: which
	// steps a run would run, and which results it would take from earlier ones.
	Pipelines []run.Preview `json:"pipelines,omitempty"`
	// Policies are the results that do not pass. New: they did before.
	Policies []PolicyResult `json:"policies,omitempty"`
	Judged   int            `json:"judged,omitempty"` // results of policies in all
	// Diagnostics are about the specs as they would be.
	Diagnostics []diag.JSONDiagnostic `json:"diagnostics,omitempty"`
	Conflicts   []string              `json:"conflicts,omitempty"` // paths that cannot be merged
	// Error is why there is no plan although the specs are good.
	Error string   `json:"error,omitempty"`
	Notes []string `json:"notes,omitempty"`
}

// PolicyResult is one result that does not pass.
type PolicyResult struct {
	gate.Result
	New bool `json:"new,omitempty"`
}

// Marker is how Fairlead finds its comment again. Each environment has its own, and each
// include: one repository may be composed in several ways.
func Marker(environment, include string) string {
	return "<!-- fairlead plan " + scope(environment, include) + " -->"
}

// Context is the name of the check.
func Context(environment, include string) string {
	return "fairlead/plan " + scope(environment, include)
}

func scope(environment, include string) string {
	if include == "" {
		return environment
	}
	return environment + "/" + include
}

// PoliciesOf picks what does not pass, and tells what is new of it.
func PoliciesOf(before, after []gate.Result) []PolicyResult {
	passed := map[string]bool{}
	for i := range before {
		passed[before[i].ID()] = before[i].Outcome == gate.Passed
	}
	var results []PolicyResult
	for i := range after {
		if after[i].Outcome == gate.Passed {
			continue
		}
		was, known := passed[after[i].ID()]
		results = append(results, PolicyResult{after[i], was || !known})
	}
	return results
}

// Failed tells whether merging should wait for a change.
func (r *Report) Failed() bool {
	errors, _ := r.count()
	return errors > 0 || len(r.Conflicts) > 0 || r.Error != "" || r.Plan == nil || r.Plan.Summary.Problems > 0 || r.denied() > 0
}

// count counts the diagnostics.
func (r *Report) count() (errors, warnings int) {
	for i := range r.Diagnostics {
		if r.Diagnostics[i].Severity == diag.Error.String() {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

// denied counts the policies that newly keep something from going on.
func (r *Report) denied() (n int) {
	for i := range r.Policies {
		if r.Policies[i].New && r.Policies[i].Denies() {
			n++
		}
	}
	return n
}

// Headline is the outcome in a line.
func (r *Report) Headline() string {
	errors, _ := r.count()
	switch {
	case len(r.Conflicts) > 0:
		return "cannot be merged without resolving conflicts"
	case errors == 1:
		return "1 error in the specs"
	case errors > 1:
		return fmt.Sprintf("%d errors in the specs", errors)
	case r.Error != "" || r.Plan == nil:
		return "could not be planned"
	}
	text := changes(&r.Plan.Summary)
	switch also := Counted(r.Declared); {
	case also == "":
	case r.Plan.Empty():
		text = also + " to change, and no model"
	default:
		text += "; " + also + " to change"
	}
	if n := r.Plan.Summary.Problems; n > 0 {
		text += fmt.Sprintf("; %d cannot go ahead", n)
	}
	switch n := r.denied(); {
	case n == 1:
		text += "; 1 policy is broken"
	case n > 1:
		text += fmt.Sprintf("; %d policies are broken", n)
	}
	return text
}

// changes counts what a plan does.
func changes(s *plan.Summary) string {
	var parts []string
	for _, c := range []struct {
		n    int
		what string
	}{
		{s.Create, "to create"},
		{s.Replace, "to roll out"},
		{s.Update, "to update in place"},
		{s.Heal, "to heal"},
		{s.Destroy, "to destroy"},
		{s.Forget, "to forget"},
		{s.Blocked, "blocked"},
		{s.Hold, "held"},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if len(parts) == 0 {
		return "no changes"
	}
	return strings.Join(parts, ", ")
}

// Status is the check beside the commit.
func (r *Report) Status(url string) reconcile.CommitStatus {
	s := reconcile.CommitStatus{
		Context: Context(r.Environment, r.Include), State: reconcile.CommitSuccess, Text: r.Headline(), URL: url, Summary: r.Markdown(), Annotations: r.Annotations(),
	}
	if r.Failed() {
		s.State = reconcile.CommitFailure
	}
	return s
}

// Annotations are the diagnostics, and the policies that do not pass, at their lines.
func (r *Report) Annotations() []reconcile.Annotation {
	var all []reconcile.Annotation
	for i := range r.Diagnostics {
		d := &r.Diagnostics[i]
		if d.Range == nil {
			continue
		}
		all = append(all, reconcile.Annotation{
			Path: path.Join(r.Root, d.Range.Filename), Line: d.Range.Start.Line, Level: d.Severity, Title: d.Summary, Message: d.Detail,
		})
	}
	for i := range r.Policies {
		p := &r.Policies[i]
		if p.Pos.File == "" || !p.New {
			continue
		}
		level := "warning"
		if p.Denies() {
			level = "error"
		}
		all = append(all, reconcile.Annotation{
			Path: path.Join(r.Root, p.Pos.File), Line: p.Pos.Line, Level: level, Title: "policy." + p.Name + " about " + p.Subject, Message: strings.TrimSpace(p.Detail + ". " + p.Message),
		})
	}
	return all
}
