package lang

import (
	"bytes"

	"github.com/fairlead/fairlead/spec/diag"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns a native spec file in the one layout that everybody uses. Only
// spaces change, never a token. A file that does not parse, or that breaks a
// limit, is refused: what cannot be read must not be rewritten.
//
// Unknown blocks and arguments do not matter to the layout, so that a file can
// be formatted before it is right.
func Format(src []byte, filename string) ([]byte, diag.Diagnostics) {
	r := &reader{limits: DefaultLimits(), src: src}
	if isJSON(filename) {
		r.errorf(fileRange(filename), place{}, "Not a native spec file", "JSON is written by machines, and only files in HCL's own syntax are formatted.")
		return nil, r.diags
	}
	if !r.admit(filename) {
		return nil, r.diags
	}
	if _, diags := hclsyntax.ParseConfig(src, filename, hcl.InitialPos); diags.HasErrors() {
		r.syntax(diags)
		return nil, r.diags
	}
	// Without a line break at its end the last line would keep spaces that a
	// second run takes away.
	return endOnce(hclwrite.Format(endOnce(src))), nil
}

// endOnce gives a file exactly one line break at its end, which the formatter
// leaves as it is. Only lines of nothing but spaces are cut: spaces at the end
// of a comment are part of it.
func endOnce(src []byte) []byte {
	for len(src) > 0 {
		lines := bytes.TrimRight(src, "\r\n")
		last := lines[bytes.LastIndexByte(lines, '\n')+1:]
		if len(bytes.TrimSpace(last)) > 0 {
			return append(bytes.Clone(lines), '\n')
		}
		src = lines[:len(lines)-len(last)]
	}
	return src
}
