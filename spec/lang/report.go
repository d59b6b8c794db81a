package lang

import (
	"fmt"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/hashicorp/hcl/v2"
)

// place is where a diagnostic belongs: the object and the block, as people name
// them.
type place struct {
	address string // model.digits
	block   string // model "digits"
}

// reporter collects diagnostics.
type reporter struct{ diags diag.Diagnostics }

// errorf adds an error. The format makes the detail.
func (r *reporter) errorf(at hcl.Range, p place, summary, format string, args ...any) {
	r.add(diag.Error, at, p, summary, fmt.Sprintf(format, args...))
}

// warnf adds a warning.
func (r *reporter) warnf(at hcl.Range, p place, summary, format string, args ...any) {
	r.add(diag.Warning, at, p, summary, fmt.Sprintf(format, args...))
}

func (r *reporter) add(severity diag.Severity, at hcl.Range, p place, summary, detail string) {
	d := diag.Diagnostic{Severity: severity, Summary: summary, Detail: detail, Address: p.address, Block: p.block}
	if at.Filename != "" {
		d.Subject = diagRange(at)
	}
	r.diags = append(r.diags, d)
}

// diagRange is an HCL range in the words of package diag. At the end of a file
// the parser may give one that ends before it starts.
func diagRange(r hcl.Range) *diag.Range {
	if r.End.Byte < r.Start.Byte {
		r.End = r.Start
	}
	return &diag.Range{Filename: r.Filename, Start: diagPos(r.Start), End: diagPos(r.End)}
}

func diagPos(p hcl.Pos) diag.Pos { return diag.Pos{Line: p.Line, Column: p.Column, Byte: p.Byte} }

// specPos is where a range starts, as specs carry it.
func specPos(r hcl.Range) spec.Pos {
	return spec.Pos{File: r.Filename, Line: r.Start.Line, Column: r.Start.Column}
}
