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
	formatted := hclwrite.Format(src)
	// The formatter leaves the end of the file as it is.
	if formatted = bytes.TrimRight(formatted, "\n"); len(formatted) > 0 {
		formatted = append(formatted, '\n')
	}
	return formatted, nil
}
