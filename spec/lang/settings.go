package lang

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/fairlead/fairlead/spec/diag"
)

// Setting is one argument of a settings file.
type Setting struct {
	Name string
	// Values are those of a list, or the one of anything else, as text.
	Values []string
	// Literal is the value as it is written in HCL; of a string its text.
	Literal string
	Range   *diag.Range
}

// Settings reads a file of the operator: arguments with literal values and
// nothing else, such as the configuration of the daemon or values of variables.
// It is HCL so that people need one syntax only, but no spec: there is nothing
// to refer to in it.
func Settings(src []byte, filename string) ([]Setting, diag.Diagnostics) {
	r := &reader{meter: &meter{}, limits: DefaultLimits(), src: src}
	if !r.admit(filename) {
		return nil, r.diags
	}
	parsed, diags := hclsyntax.ParseConfig(src, filename, hcl.InitialPos)
	r.syntax(diags)
	attributes, more := parsed.Body.JustAttributes()
	for _, d := range more {
		if !diags.HasErrors() {
			r.errorf(*d.Subject, place{}, "Not a setting", "This file holds arguments only, NAME = VALUE, and no blocks.")
		}
	}
	var settings []Setting
	for _, attribute := range attributes {
		if s, ok := r.setting(attribute); ok {
			settings = append(settings, s)
		}
	}
	slices.SortFunc(settings, func(a, b Setting) int { return cmp.Compare(a.Range.Start.Byte, b.Range.Start.Byte) })
	return settings, r.diags
}

func (r *reader) setting(a *hcl.Attribute) (Setting, bool) {
	value, diags := a.Expr.Value(nil)
	if diags.HasErrors() || !value.IsWhollyKnown() || value.IsNull() {
		r.errorf(a.Expr.Range(), place{}, "Not a literal value", "Settings are plain values: \"text\", 12, true, or [\"a\", \"b\"]. There is nothing to refer to here.")
		return Setting{}, false
	}
	s := Setting{Name: a.Name, Range: diagRange(a.NameRange), Literal: strings.TrimSpace(string(a.Expr.Range().SliceBytes(r.src)))}
	if value.Type() == cty.String {
		s.Literal = value.AsString()
	}
	values := []cty.Value{value}
	if t := value.Type(); t.IsTupleType() {
		values = value.AsValueSlice()
	}
	for _, v := range values {
		text, err := convert.Convert(v, cty.String)
		if err != nil || text.IsNull() {
			if value.Type().IsObjectType() {
				return s, true // an object is a value for a variable; no flag takes one
			}
			r.errorf(a.Expr.Range(), place{}, "Not a literal value", "A setting is text, a number, true or false, or a list of these.")
			return Setting{}, false
		}
		s.Values = append(s.Values, text.AsString())
	}
	return s, true
}
