package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/review"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
)

// Plan prints what would change.
func (v *View) Plan(p *plan.Plan) error {
	out := &printer{v: v}
	out.plan(p)
	return out.flush()
}

// Planned is a plan by hand in its JSON form: the plan, and what changes beside the models.
type Planned struct {
	FormatVersion string `json:"format_version"` // of the plan with what is below
	*plan.Plan
	Declared    []review.Declared     `json:"declared,omitempty"`
	Pipelines   []run.Preview         `json:"pipelines,omitempty"`
	Policies    []review.PolicyResult `json:"policies,omitempty"` // those that do not pass
	Judged      int                   `json:"judged,omitempty"`   // results of policies in all
	Diagnostics []diag.JSONDiagnostic `json:"diagnostics,omitempty"`
	Error       string                `json:"error,omitempty"` // why nothing of it would be done
	Notes       []string              `json:"notes,omitempty"`
}

// plannedFormat is the version of the JSON form of Planned. 1.0 was the plan alone.
const plannedFormat = "1.1"

// Planned prints a plan by hand: what would change of the models, and beside them.
func (v *View) Planned(asJSON bool, r *review.Report) error {
	if asJSON {
		return v.JSON(&Planned{
			Plan: r.Plan, FormatVersion: plannedFormat, Declared: r.Declared, Pipelines: r.Pipelines, Policies: r.Policies, Judged: r.Judged,
			Diagnostics: r.Diagnostics, Error: r.Error, Notes: slices.Concat(r.Plan.Notes, r.Notes),
		})
	}
	out := &printer{v: v}
	out.findings(r)
	out.plan(r.Plan)
	out.besideModels(r)
	return out.flush()
}

func (p *printer) plan(of *plan.Plan) {
	v := p.v
	if of.Empty() {
		p.line("%s Nothing to do: what runs in %s is what %s says (%d unchanged).", v.paint(green, "✓"), v.paint(bold, of.Environment), v.commit(of), of.Unchanged)
	} else {
		p.line("Plan for %s at %s", v.paint(bold, of.Environment), v.commit(of))
		for i := range of.Changes {
			p.line("")
			p.change(&of.Changes[i])
		}
		p.line("")
		p.line("Plan: %s.%s", summary(&of.Summary), unchanged(of.Unchanged))
	}
	for _, note := range of.Notes {
		p.note(note)
	}
}

func (v *View) commit(p *plan.Plan) string {
	if p.Commit.Subject == "" {
		return v.paint(bold, p.Commit.Short())
	}
	return fmt.Sprintf("%s (%s)", v.paint(bold, p.Commit.Short()), p.Commit.Subject)
}

func unchanged(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" %d unchanged.", n)
}

// look is how an action is shown: its mark, and what it does in words.
type look struct{ mark, color, words string }

var looks = map[plan.Action]look{
	plan.Create:  {"+", green, "will be created"},
	plan.Replace: {"+/-", yellow, "will be replaced: new containers first, then the old ones go"},
	plan.Update:  {"~", yellow, "will be changed in place"},
	plan.Heal:    {"~", cyan, "is not as Git wants it and will be put right"},
	plan.Destroy: {"-", red, "will be destroyed"},
	plan.Forget:  {".", dim, "will be left alone"},
	plan.Blocked: {"!", red, "stays as it is: Git wants something that cannot be done"},
	plan.Hold:    {"!", yellow, "is held: Git wants a release that was rejected"},
}

func (p *printer) change(c *plan.Change) {
	l := looks[c.Action]
	if c.Action == plan.Replace && c.Rollout != nil && c.Rollout.Strategy == spec.Recreate {
		l.words = "will be replaced: the old containers go first, and until the new ones are ready nothing answers"
	}
	p.line("  # %s %s", p.v.paint(bold, c.Address.String()), l.words)
	for _, reason := range c.Reasons {
		p.line("  # (%s)", reason)
	}
	if c.Rollout != nil {
		p.line("  # %s", c.Rollout.String())
	}
	if c.Problem != "" {
		p.line("  # %s %s", p.v.paint(red, "Problem:"), c.Problem)
		p.line("  # Nothing is started for it until that is solved.")
	}
	where := ""
	if c.Pos.File != "" {
		where = p.v.paint(dim, "  "+c.Pos.String())
	}
	p.line("  %s %s%s", p.v.paint(l.color, fmt.Sprintf("%-3s", l.mark)), c.Address, where)
	p.fields(c.Fields)
}

func (p *printer) fields(fields []plan.Field) {
	width := 0
	for _, f := range fields {
		width = max(width, len(f.Path))
	}
	for _, f := range fields {
		p.line("        %-*s = %s", width, f.Path, p.field(&f))
	}
}

func (p *printer) field(f *plan.Field) string {
	var text string
	switch {
	case f.Sensitive:
		text = "(sensitive, changed)"
	case f.Old == "":
		text = p.v.paint(green, quote(f.New))
	case f.New == "":
		text = p.v.paint(red, quote(f.Old)) + " -> (none)"
	default:
		text = p.v.paint(red, quote(f.Old)) + " -> " + p.v.paint(green, quote(f.New))
	}
	if f.Replaces {
		text += p.v.paint(dim, "  # needs new containers")
	}
	return text
}

// quote leaves numbers and lists as they are, and quotes everything else.
func quote(s string) string {
	if s == "" {
		return `""`
	}
	if strings.Trim(s, "-0123456789.") == "" || s[0] == '[' || s[0] == '{' || s == "true" || s == "false" {
		return s
	}
	return fmt.Sprintf("%q", s)
}

func summary(s *plan.Summary) string {
	var parts []string
	for _, part := range []struct {
		n     int
		words string
	}{
		{s.Create, "to create"},
		{s.Replace, "to replace"},
		{s.Update, "to change in place"},
		{s.Heal, "to heal"},
		{s.Destroy, "to destroy"},
		{s.Blocked, "blocked"},
		{s.Hold, "held"},
		{s.Problems, "with a problem"},
	} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.words))
		}
	}
	if parts == nil {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}
