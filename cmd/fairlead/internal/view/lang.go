package view

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
)

// Validated says that specs are in order.
func (v *View) Validated(environments []string, models map[string]int) error {
	var parts []string
	for _, name := range environments {
		if name == "" {
			name = spec.DefaultEnvironment
		}
		n := models[name]
		if n == 0 {
			n = models[""]
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", name, count(n, "model")))
	}
	return v.Line(fmt.Sprintf("%s Valid: %s.", v.paint(green, "✓"), strings.Join(parts, ", ")))
}

// ValidTrust says what the operator's rules ask for.
func (v *View) ValidTrust(t *spec.Trust) error {
	asks := map[spec.TrustMode]string{
		spec.TrustOff: "no signatures", spec.TrustHead: "a signature on the commit that is followed, or a tag on it", spec.TrustEvery: "a signature on every commit",
	}[t.Mode]
	text := fmt.Sprintf("%s Valid: %s, %s", v.paint(green, "✓"), asks, count(len(t.Signers), "signer"))
	if n := len(t.Reviews); n > 0 {
		text += ", " + count(n, "rule") + " for reviews"
	}
	if t.Since != "" {
		text += fmt.Sprintf("; nothing is asked of history up to %s", shortID(t.Since))
	}
	return v.Line(text + ".")
}

// Invalid counts what is wrong, below the findings themselves.
func (v *View) Invalid(ds diag.Diagnostics) {
	mistakes, warnings := ds.Sorted().Count()
	text := count(mistakes, "mistake")
	if warnings > 0 {
		text += ", " + count(warnings, "warning")
	}
	_, _ = fmt.Fprintf(v.Err, "%s Not valid: %s.\n", v.paint(red, "✗"), text)
}

// Explanation prints every layer of a value, the weakest first, and marks the
// one that counts.
func (v *View) Explanation(x *lang.Explanation) error {
	out := &printer{v: v}
	out.explain(x)
	return out.flush()
}

func (p *printer) explain(x *lang.Explanation) {
	title := p.v.paint(bold, x.Address)
	if x.Value != "" {
		title += " = " + p.v.paint(green, oneLine(x.Value))
	}
	p.line("%s", title)
	for _, l := range x.Layers {
		mark := " "
		if l.Wins {
			mark = p.v.paint(green, "▸")
		}
		name := string(l.Kind)
		if l.Name != "" {
			name += " " + l.Name
		}
		text := oneLine(cmp.Or(l.Value, l.Expression))
		if l.Expression != "" && l.Value != "" && l.Expression != l.Value {
			text += p.v.paint(dim, "  from "+oneLine(l.Expression))
		}
		where := ""
		if l.Range != nil {
			where = fmt.Sprintf("%s:%d", l.Range.Filename, l.Range.Start.Line)
		}
		p.line("  %s %-18s %-24s %s", mark, name, where, text)
	}
	for i := range x.Fields {
		p.explain(&x.Fields[i])
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
