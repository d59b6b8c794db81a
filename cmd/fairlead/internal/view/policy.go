package view

import (
	"cmp"
	"fmt"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/gate/fixture"
	"github.com/fairlead/fairlead/spec"
)

// Policies prints what became of policies: those that do not hold with what to do,
// the others as a number, or with all each on a line.
func (v *View) Policies(r *gate.Report, all bool) error {
	out := &printer{v: v}
	for i := range r.Environments {
		if i > 0 {
			out.line("")
		}
		out.policies(&r.Environments[i], all)
	}
	return out.flush()
}

func (p *printer) policies(e *gate.EnvironmentReport, all bool) {
	environment := p.v.paint(bold, e.Environment)
	if e.Policies == 0 {
		p.line("%s has no policies; examples/policies has some to start with.", environment)
		return
	}
	var passed, denied, soft, said int
	p.line("%s: %s, judged %s", environment, policyCount(e.Policies), times(len(e.Results)))
	for i := range e.Results {
		r := &e.Results[i]
		switch {
		case r.Outcome == gate.Passed:
			if passed++; !all {
				continue
			}
		case r.Level == spec.LevelHard:
			denied++
		case r.Level == spec.LevelSoft:
			soft++
		default:
			said++
		}
		p.result(r)
	}
	end := fmt.Sprintf("%d passed, %d denied, %d denied and may be overridden, %d only said.", passed, denied, soft, said)
	if denied > 0 {
		p.line("%s %s", p.v.paint(red, "✗"), end)
	} else {
		p.line("%s %s", p.v.paint(green, "✓"), end)
	}
}

// result prints what became of one policy about one object.
func (p *printer) result(r *gate.Result) {
	mark, color := "✗", red
	switch {
	case r.Outcome == gate.Passed:
		mark, color = "✓", green
	case r.Level != spec.LevelHard:
		mark, color = "!", yellow
	}
	level := ""
	if r.Level != spec.LevelHard {
		level = " (" + string(r.Level) + ")"
	}
	where := ""
	if place := r.Pos.String(); place != "" {
		where = p.v.paint(dim, "  "+place)
	}
	p.line("  %s %s%s about %s%s", p.v.paint(color, mark), p.v.paint(bold, r.Name), level, r.Subject, where)
	if r.Outcome == gate.Missing {
		p.line("      no evidence: %s", r.Detail)
	} else {
		p.line("      %s", r.Detail)
	}
	if r.Outcome == gate.Passed {
		return
	}
	if r.Message != "" {
		p.line("      %s", p.v.paint(cyan, r.Message))
	}
	if r.Regulation != "" {
		p.line("      %s", p.v.paint(dim, r.Regulation))
	}
}

func policyCount(n int) string {
	if n == 1 {
		return "1 policy"
	}
	return fmt.Sprintf("%d policies", n)
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	default:
		return fmt.Sprintf("%d times", n)
	}
}

// PolicyTests prints which policies say what their fixtures expect.
func (v *View) PolicyTests(r *fixture.Report) error {
	out := &printer{v: v}
	width := 0
	for i := range r.Policies {
		width = max(width, len(r.Policies[i].Name))
	}
	good, fixtures := 0, 0
	for i := range r.Policies {
		p := &r.Policies[i]
		fixtures += len(p.Fixtures)
		if p.OK {
			good++
		}
		out.tested(p, width)
	}
	for i := range r.Strays {
		out.line("  %s %s", v.paint(red, "✗"), r.Strays[i].Path)
		out.line("      %s", v.paint(red, r.Strays[i].Error))
	}
	if len(r.Policies) == 0 {
		out.line("%s There are no policies here.", v.paint(red, "✗"))
		return out.flush()
	}
	mark := v.paint(green, "✓")
	if !r.OK {
		mark = v.paint(red, "✗")
	}
	out.line("%s %d of %s as tested, with %s.", mark, good, policyCount(len(r.Policies)), count(fixtures, "fixture"))
	return out.flush()
}

func (p *printer) tested(policy *fixture.Policy, width int) {
	mark, color := "✓", green
	if !policy.OK {
		mark, color = "✗", red
	}
	counts := map[fixture.Expect]int{}
	for i := range policy.Fixtures {
		counts[policy.Fixtures[i].Expect]++
	}
	why := ""
	if policy.Regulation != "" {
		why = "  " + p.v.paint(dim, policy.Regulation)
	}
	p.line("  %s %-*s  %d pass, %d fail, %d skip%s", p.v.paint(color, mark), width, policy.Name,
		counts[fixture.Pass], counts[fixture.Fail], counts[fixture.Skip], why)
	for _, wanting := range policy.Untested {
		p.line("      %s", p.v.paint(yellow, fmt.Sprintf("untested: there is no tests/%s/%s-*%s", policy.Name, wanting, fixture.Ext)))
	}
	for i := range policy.Fixtures {
		f := &policy.Fixtures[i]
		if f.OK {
			continue
		}
		p.line("      %s should %s", f.Path, cmp.Or(string(f.Expect), "say what is expected"))
		p.line("          %s", p.v.paint(red, cmp.Or(f.Error, f.Got)))
	}
}
