package view

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/spec"
)

// Plan prints what would change.
func (v *View) Plan(p *plan.Plan) error {
	out := &printer{v: v}
	if p.Empty() {
		out.line("%s Nothing to do: what runs in %s is what %s says (%d unchanged).", v.paint(green, "✓"), v.paint(bold, p.Environment), v.commit(p), p.Unchanged)
	} else {
		out.line("Plan for %s at %s", v.paint(bold, p.Environment), v.commit(p))
		for i := range p.Changes {
			out.line("")
			out.change(&p.Changes[i])
		}
		out.line("")
		out.line("Plan: %s.%s", summary(&p.Summary), unchanged(p.Unchanged))
	}
	for _, note := range p.Notes {
		out.line("%s %s", v.paint(yellow, "Note:"), note)
	}
	return out.flush()
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
	width := 0
	for _, f := range c.Fields {
		width = max(width, len(f.Path))
	}
	for _, f := range c.Fields {
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
