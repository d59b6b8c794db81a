package edit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
)

// jsonSyntax is the notation of .hcl.json files.
type jsonSyntax struct{ body hcl.Body }

func parseJSON(path string, src []byte) (*block, error) {
	parsed, diags := hcljson.Parse(src, path)
	if diags.HasErrors() {
		return nil, fmt.Errorf("read %s: %w", path, diags)
	}
	rng := hcl.Range{Filename: path, Start: hcl.InitialPos, End: hcl.InitialPos}
	// At the top there are only blocks, and it may be an array.
	return &block{file: path, src: src, rng: rng, syntax: jsonSyntax{parsed.Body}}, nil
}

func (s jsonSyntax) blocks(of *block, kind, label string) []*block {
	if label == "" {
		return s.all(of, hcl.BlockHeaderSchema{Type: kind})
	}
	return slices.DeleteFunc(s.labelled(of, kind), func(b *block) bool { return b.label != label })
}

func (s jsonSyntax) labelled(of *block, kind string) []*block {
	return s.all(of, hcl.BlockHeaderSchema{Type: kind, LabelNames: []string{"name"}})
}

func (s jsonSyntax) all(of *block, header hcl.BlockHeaderSchema) []*block {
	content, _, diags := s.body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{header}})
	if diags.HasErrors() {
		return nil // no block of that kind stands there
	}
	var found []*block
	for _, b := range content.Blocks {
		rng, label := b.TypeRange, ""
		if len(b.Labels) > 0 {
			rng, label = b.LabelRanges[0], b.Labels[0]
		}
		inner := jsonBlock(of.file, of.src, rng, b.Body)
		inner.label = label
		found = append(found, inner)
	}
	return found
}

func jsonBlock(path string, src []byte, rng hcl.Range, body hcl.Body) *block {
	b := &block{file: path, src: src, rng: rng, arguments: map[string]argument{}, syntax: jsonSyntax{body}}
	attributes, _ := body.JustAttributes() // whatever is no argument is not asked for
	for name, attribute := range attributes {
		a := argument{name: name, rng: attribute.Range, value: attribute.Expr.Range()}
		a.source = oneLine(b.text(a.value))
		a.text, a.plain = plainJSON(attribute.Expr)
		if expression, whole := wholeExpression(attribute.Expr); whole {
			a.source = oneLine(expression)
		}
		b.arguments[name] = a
	}
	return b
}

// jsonString is a string of the file as it stands, templates and all.
func jsonString(expr hcl.Expression) (string, bool) {
	v, diags := expr.Value(nil)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

func plainJSON(expr hcl.Expression) (string, bool) {
	raw, isString := jsonString(expr)
	if !isString {
		v, diags := expr.Value(nil)
		return "", !diags.HasErrors() && v.IsNull()
	}
	template, diags := hclsyntax.ParseTemplate([]byte(raw), "", hcl.InitialPos)
	if diags.HasErrors() {
		return "", false
	}
	if raw == "" {
		return "", true
	}
	literal, isTemplate := template.(*hclsyntax.TemplateExpr)
	if !isTemplate || !allLiteral(literal) {
		return "", false
	}
	v, diags := literal.Value(nil)
	return v.AsString(), !diags.HasErrors()
}

func allLiteral(t *hclsyntax.TemplateExpr) bool {
	return !slices.ContainsFunc(t.Parts, func(part hclsyntax.Expression) bool {
		_, literal := part.(*hclsyntax.LiteralValueExpr)
		return !literal
	})
}

// wholeExpression is what stands between ${ and } where that is the whole string.
func wholeExpression(expr hcl.Expression) (string, bool) {
	raw, isString := jsonString(expr)
	inner, opened := strings.CutPrefix(raw, "${")
	inner, closed := strings.CutSuffix(inner, "}")
	return strings.TrimSpace(inner), isString && opened && closed && !strings.ContainsAny(inner, "{}")
}

// quote writes a text in JSON, where every string is a template.
func (s jsonSyntax) quote(text string) string {
	text = strings.NewReplacer("${", "$${", "%{", "%%{").Replace(strings.ToValidUTF8(text, "�"))
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		return `""` // a string always encodes
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func (s jsonSyntax) tidy(_, content []byte) []byte { return content }

// insert adds a member behind its neighbour, or behind the last one.
func (s jsonSyntax) insert(into *block, name, value string) []byte {
	member := `"` + name + `": ` + value
	beside, found := into.neighbour(name)
	if !found {
		for _, a := range into.arguments {
			if !found || a.rng.Start.Byte > beside.rng.Start.Byte {
				beside, found = a, true
			}
		}
	}
	if !found {
		end := s.body.MissingItemRange().Start.Byte // the closing brace
		last := len(bytes.TrimRight(into.src[:end], " \t\r\n"))
		if into.src[last-1] != '{' {
			return into.splice(last, last, ", "+member)
		}
		return into.splice(last, last, member)
	}
	between := " "
	if indent, alone := indentation(into.src, beside.rng.Start.Byte); alone {
		between = newline(into.src) + indent
	}
	at := beside.value.End.Byte
	return into.splice(at, at, ","+between+member)
}
