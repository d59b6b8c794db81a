package edit

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// native is HCL's own syntax. block is nil for the file itself.
type native struct {
	body  *hclsyntax.Body
	block *hclsyntax.Block
}

func parseNative(path string, src []byte) (*block, error) {
	parsed, diags := hclsyntax.ParseConfig(src, path, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, fmt.Errorf("read %s: %w", path, diags)
	}
	body, isNative := parsed.Body.(*hclsyntax.Body)
	if !isNative {
		return nil, fmt.Errorf("read %s: it has no body", path)
	}
	return nativeBlock(path, src, body.SrcRange, native{body: body}), nil
}

func nativeBlock(path string, src []byte, rng hcl.Range, n native) *block {
	b := &block{file: path, src: src, rng: rng, arguments: map[string]argument{}, syntax: n}
	for name, attribute := range n.body.Attributes {
		a := argument{name: name, rng: attribute.SrcRange, value: attribute.Expr.Range()}
		a.source = oneLine(b.text(a.value))
		a.text, a.plain = plainText(attribute.Expr, src)
		b.arguments[name] = a
	}
	return b
}

// plainText is the value of a quoted text on one line without templates, or of
// null.
func plainText(expr hclsyntax.Expression, src []byte) (string, bool) {
	switch e := expr.(type) {
	case *hclsyntax.LiteralValueExpr:
		return "", e.Val.IsNull()
	case *hclsyntax.TemplateExpr:
		if !e.IsStringLiteral() || src[e.SrcRange.Start.Byte] != '"' {
			return "", false
		}
		v, diags := e.Value(nil)
		return v.AsString(), !diags.HasErrors()
	default:
		return "", false
	}
}

func (n native) blocks(of *block, kind, label string) []*block {
	var found []*block
	for _, b := range n.body.Blocks {
		if b.Type == kind && strings.Join(b.Labels, "\n") == label {
			found = append(found, nativeBlock(of.file, of.src, b.DefRange(), native{body: b.Body, block: b}))
		}
	}
	return found
}

func (n native) labelled(of *block, kind string) []*block {
	var found []*block
	for _, b := range n.body.Blocks {
		if b.Type == kind && len(b.Labels) == 1 {
			inner := nativeBlock(of.file, of.src, b.DefRange(), native{body: b.Body, block: b})
			inner.label = b.Labels[0]
			found = append(found, inner)
		}
	}
	return found
}

func (n native) quote(text string) string { return quoted(text) }

// quoted writes a text in HCL.
func quoted(text string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(strings.ToValidUTF8(text, "�"))).Bytes())
}

// tidy keeps the canonical layout of a file that has it.
func (n native) tidy(src, content []byte) []byte {
	if bytes.Equal(hclwrite.Format(src), src) {
		return hclwrite.Format(content)
	}
	return content
}

func (n native) insert(into *block, name, value string) []byte {
	end := newline(into.src)
	outer, _ := indentation(into.src, n.block.TypeRange.Start.Byte)
	if n.block.OpenBraceRange.Start.Line == n.block.CloseBraceRange.Start.Line {
		return n.unfold(into, outer, end, name+" = "+value)
	}
	tokens, _ := hclsyntax.LexConfig(into.src, into.file, hcl.InitialPos) // it has been parsed
	if beside, found := into.neighbour(name); found {
		attribute := n.body.Attributes[beside.name]
		indent, _ := indentation(into.src, attribute.NameRange.Start.Byte)
		width := attribute.EqualsRange.Start.Byte - attribute.NameRange.Start.Byte
		at := lineEnd(tokens, attribute.SrcRange.End.Byte)
		return into.splice(at, at, fmt.Sprintf("%s%-*s= %s%s", indent, max(width, len(name)+1), name, value, end))
	}
	line := outer + "  " + name + " = " + value + end
	if len(n.body.Attributes) == 0 && len(n.body.Blocks) > 0 {
		line += end
	}
	at := lineEnd(tokens, n.block.OpenBraceRange.End.Byte)
	return into.splice(at, at, line)
}

// unfold writes a block of one line on several, so that it can hold two arguments.
func (n native) unfold(into *block, outer, end, line string) []byte {
	from, to := n.block.OpenBraceRange.End.Byte, n.block.CloseBraceRange.Start.Byte
	inside := end
	if content := strings.TrimSpace(string(into.src[from:to])); content != "" {
		inside += outer + "  " + content + end
	}
	return into.splice(from, to, inside+outer+"  "+line+end+outer)
}

// lineEnd is where the line ends on which something ends, behind its comments.
func lineEnd(tokens hclsyntax.Tokens, from int) int {
	for _, t := range tokens {
		if t.Range.Start.Byte < from {
			if t.Range.End.Byte == from && bytes.HasSuffix(t.Bytes, []byte("\n")) {
				return from // a heredoc ends with its line
			}
			continue
		}
		switch {
		case t.Type == hclsyntax.TokenNewline, t.Type == hclsyntax.TokenComment && bytes.HasSuffix(t.Bytes, []byte("\n")):
			return t.Range.End.Byte
		case t.Type == hclsyntax.TokenEOF:
			return t.Range.Start.Byte
		}
	}
	return from
}
