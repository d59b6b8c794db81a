package lang

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec/schema"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// jsonBody reads a body in JSON into n. Every value becomes an expression of the
// native syntax, so that from here on a spec in JSON is the same thing as its
// native twin: the same checks, the same budget, the same meaning.
func (r *reader) jsonBody(body hcl.Body, n *node) {
	var wanted hcl.BodySchema
	for _, b := range n.schema.Blocks {
		header := hcl.BlockHeaderSchema{Type: b.Name}
		if b.Label != "" {
			header.LabelNames = []string{b.Label}
		}
		wanted.Blocks = append(wanted.Blocks, header)
	}
	content, rest, diags := body.PartialContent(&wanted)
	r.syntax(diags)
	attributes, diags := rest.JustAttributes()
	if n.schema.Name != "" || len(content.Blocks) == 0 {
		// At file level an array of objects is allowed, which has blocks only.
		r.syntax(diags)
	}
	r.jsonArguments(attributes, n)
	slices.SortStableFunc(content.Blocks, func(a, b *hcl.Block) int {
		return cmp.Compare(a.DefRange.Start.Byte, b.DefRange.Start.Byte)
	})
	for _, block := range content.Blocks {
		header := labelRange(block.LabelRanges, block.TypeRange)
		b := r.open(n, n.schema.Block(block.Type), block.Labels, header, header)
		if b == nil {
			continue
		}
		b.end = block.Body.MissingItemRange()
		r.jsonBody(block.Body, b)
	}
}

func (r *reader) jsonArguments(attributes hcl.Attributes, n *node) {
	sorted := make([]*hcl.Attribute, 0, len(attributes))
	for _, a := range attributes {
		sorted = append(sorted, a)
	}
	slices.SortFunc(sorted, func(a, b *hcl.Attribute) int { return cmp.Compare(a.Range.Start.Byte, b.Range.Start.Byte) })
	for _, attribute := range sorted {
		if n.schema.Name == "" {
			r.unknownBlock(n, attribute.Name, attribute.NameRange)
			continue
		}
		def, known := r.argumentNamed(n, attribute.Name, attribute.NameRange)
		if !known {
			continue
		}
		a := newArg(n, def, attribute.Name, attribute.NameRange, attribute.Range)
		a.json = true
		expr, ok := r.jsonExpression(attribute.Expr, a, def != nil && (def.Type.Literal() || isWord(attribute.Expr, def)))
		n.args.set(r.argument(a, expr, !ok))
	}
}

// isWord tells whether the value is one of the words that an argument takes which
// takes other values, too.
func isWord(expr hcl.Expression, def *schema.Argument) bool {
	var words []string
	switch def.Type {
	case schema.GPUs:
		words = []string{"all"}
	case schema.Bump:
		words = def.Keywords
	default:
		return false
	}
	v, diags := expr.Value(nil)
	return !diags.HasErrors() && v.Type() == cty.String && !v.IsNull() && contains(words, v.AsString())
}

// jsonExpression turns a JSON value into a native expression. Strings are
// templates, as HCL says; where the language reads instead of evaluating
// (keywords, references, types), they are the expression itself.
func (r *reader) jsonExpression(expr hcl.Expression, a *arg, literal bool) (hclsyntax.Expression, bool) {
	rng := expr.Range()
	if items, diags := hcl.ExprList(expr); !diags.HasErrors() {
		tuple := &hclsyntax.TupleConsExpr{SrcRange: rng, OpenRange: expr.StartRange()}
		for _, item := range items {
			e, ok := r.jsonExpression(item, a, literal)
			if !ok {
				return nil, false
			}
			tuple.Exprs = append(tuple.Exprs, e)
		}
		return tuple, true
	}
	if pairs, diags := hcl.ExprMap(expr); !diags.HasErrors() {
		object := &hclsyntax.ObjectConsExpr{SrcRange: rng, OpenRange: expr.StartRange()}
		for _, pair := range pairs {
			key, ok := r.jsonExpression(pair.Key, a, false)
			value, good := r.jsonExpression(pair.Value, a, literal)
			if !ok || !good {
				return nil, false
			}
			object.Items = append(object.Items, hclsyntax.ObjectConsItem{KeyExpr: &hclsyntax.ObjectConsKeyExpr{Wrapped: key, ForceNonLiteral: true}, ValueExpr: value})
		}
		return object, true
	}
	// Without a context the JSON parser gives a string as it stands, templates
	// and all; with one it would evaluate, outside of our budget.
	v, diags := expr.Value(nil)
	if diags.HasErrors() {
		r.syntax(diags)
		return nil, false
	}
	if v.IsNull() || v.Type() != cty.String {
		return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: rng}, true
	}
	return r.jsonString(v.AsString(), rng, a, literal)
}

func (r *reader) jsonString(text string, rng hcl.Range, a *arg, literal bool) (hclsyntax.Expression, bool) {
	start := rng.Start
	start.Column++
	start.Byte++
	if e := r.checkText(text, rng.Filename, start, literal); e != nil {
		r.tooComplex(rng, *a.place, e.detail)
		return nil, false
	}
	if !literal {
		expr, diags := hclsyntax.ParseTemplate([]byte(text), rng.Filename, start)
		r.syntax(diags)
		if a.schema != nil && a.schema.Type.Late() {
			r.texts = append(r.texts, jsonText{start.Byte, text})
		}
		return expr, !diags.HasErrors()
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), rng.Filename, start)
	if diags.HasErrors() {
		r.errorf(rng, *a.place, "Invalid expression", "%s is read as an expression in JSON too, and this is none. %s", a.name, sentence(diags[0].Detail))
		return nil, false
	}
	return expr, true
}

// checkText looks at the tokens of a string that holds a template, or that is an
// expression itself.
func (r *reader) checkText(text, filename string, start hcl.Pos, literal bool) *excess {
	switch {
	case literal:
		return r.limits.checkLexed([]byte(text), func(part []byte) hclsyntax.Tokens {
			tokens, _ := hclsyntax.LexExpression(part, filename, start)
			return tokens
		})
	case strings.Contains(text, "${"), strings.Contains(text, "%{"):
		return r.limits.checkLexed([]byte(text), func(part []byte) hclsyntax.Tokens {
			tokens, _ := hclsyntax.LexTemplate(part, filename, start)
			return tokens
		})
	default:
		return nil
	}
}
