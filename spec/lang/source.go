package lang

import (
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// jsonText is a string in JSON that is a template. The places in its expressions
// count from its start, without the escapes of JSON.
type jsonText struct {
	start int
	text  string
}

// sourceOf is the text of an expression as a person reads it: what is written in
// the native syntax, or would be.
func (r *reader) sourceOf(e hclsyntax.Expression) string {
	rng := e.Range()
	if !isJSON(rng.Filename) {
		return strings.TrimSpace(part(string(r.src), rng.Start.Byte, rng.End.Byte))
	}
	for _, t := range r.texts {
		if rng.Start.Byte < t.start || rng.End.Byte > t.start+len(t.text) {
			continue
		}
		text := strings.TrimSpace(part(t.text, rng.Start.Byte-t.start, rng.End.Byte-t.start))
		switch bare(e).(type) {
		case *hclsyntax.TemplateWrapExpr:
			return strings.TrimSpace(strings.Trim(strings.TrimSuffix(strings.TrimPrefix(text, "${"), "}"), "~"))
		case *hclsyntax.TemplateExpr:
			if !strings.HasPrefix(text, `"`) {
				return strconv.Quote(text)
			}
		}
		return text
	}
	return ""
}

// part is what stands between two places of a text.
func part(text string, from, to int) string {
	if from < 0 || to > len(text) || from > to {
		return ""
	}
	return text[from:to]
}
