package view

import (
	"cmp"
	"fmt"

	"github.com/fairlead/fairlead/providers/oip"
)

// Conformance prints a line per requirement, and for each that is not met what
// decided it.
func (v *View) Conformance(r *oip.Report) error {
	out := &printer{v: v}
	title := "Open Inference Protocol v2 at " + v.paint(bold, r.URL)
	if r.Server != "" {
		title += fmt.Sprintf(" (%s)", r.Server)
	}
	if r.Model != "" {
		title += ", model " + v.paint(bold, r.Model)
	}
	out.line("%s", title)
	for _, result := range r.Results {
		out.requirement(&result)
	}
	out.line("")
	s := r.Summary
	mark := v.paint(green, "✓ Conforms")
	if !r.Conforms {
		mark = v.paint(red, "✗ Does not conform")
	}
	if r.Problem != "" {
		out.line("%s: %s.", v.paint(red, "✗ Not checked whole"), r.Problem)
		mark = "Of the requirements"
	}
	out.line("%s: %d passed, %d failed, %d skipped.", mark, s.Passed, s.Failed, s.Skipped)
	return out.flush()
}

// marks are how outcomes are shown.
var marks = map[oip.Outcome]look{
	oip.Passed:  {"✓", green, ""},
	oip.Failed:  {"✗", red, ""},
	oip.Skipped: {"-", dim, ""},
}

func (p *printer) requirement(r *oip.Result) {
	m := marks[r.Outcome]
	p.line("  %s %-25s %s", p.v.paint(m.color, m.mark), r.ID, r.Demand)
	switch r.Outcome {
	case oip.Passed:
	case oip.Skipped:
		p.line("      %s", p.v.paint(dim, "skipped: "+r.Reason))
	case oip.Failed:
		p.line("      %s", p.v.paint(red, r.Reason))
		if r.Sent != "" {
			p.line("      sent      %s", r.Sent)
			p.line("      answered  %s", cmp.Or(r.Answered, "nothing"))
		}
		p.line("      demanded  %s, in section %q of the protocol", r.Endpoint, r.Section)
	}
}
