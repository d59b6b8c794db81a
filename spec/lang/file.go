package lang

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead/spec/schema"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
)

// isSpec tells whether the loader reads a file of that name.
func isSpec(path string) bool {
	return strings.HasSuffix(path, ".hcl") || isJSON(path)
}

func isJSON(path string) bool { return strings.HasSuffix(path, ".hcl.json") }

// file is one spec file, read. It depends on nothing but its name and content,
// so it is kept for as long as a tree has both.
type file struct {
	hash   string
	root   *node
	report reporter // what is wrong with the file by itself
	// broken: parts of it could not be read, so names that it may have declared
	// are not known.
	broken bool
}

// unreadable stands for a file whose content is not known.
func unreadable() *file { return &file{root: &node{}, broken: true} }

// fileRange is the beginning of a file.
func fileRange(name string) hcl.Range {
	return hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
}

// reader reads one file.
type reader struct {
	reporter
	meter  *meter
	limits Limits
	src    []byte
	texts  []jsonText // of strings in JSON that may be of facts
	// recovered: mistakes of syntax were found, so some expressions are not what was
	// written.
	recovered bool
}

// read parses a file and checks it against the schema, without evaluating.
func (l *Loader) read(name, hash string, src []byte, limits Limits) *file {
	r := &reader{meter: l.meter, limits: limits, src: src}
	f := &file{hash: hash, root: &node{schema: l.root}}
	f.broken = !r.file(f.root, name)
	f.report = r.reporter
	return f
}

// file reads the whole file into root; false if parts of it could not be read.
func (r *reader) file(root *node, name string) bool {
	if !r.admit(name) {
		return false
	}
	if isJSON(name) {
		return r.jsonFile(root, name)
	}
	return r.nativeFile(root, name)
}

// admit tells whether it is safe to hand the file to a parser.
func (r *reader) admit(name string) bool {
	if int64(len(r.src)) > r.limits.FileBytes {
		r.errorf(fileRange(name), place{}, "Spec file too large", "The file has %d bytes, and a spec file may have %d. Split it: all files are read as one. Keep data in files of other types, and read it with file().", len(r.src), r.limits.FileBytes)
		return false
	}
	if at := invalidUTF8(r.src); at >= 0 {
		r.errorf(positionOf(r.src, name, at), place{}, "Spec file is not text", "Specs are UTF-8 text, and the byte here is none. Save the file as UTF-8.")
		return false
	}
	check := r.limits.checkNative
	if isJSON(name) {
		check = r.limits.checkJSON
	}
	if e := check(r.src, name); e != nil {
		r.tooComplex(e.rng, place{}, e.detail)
		return false
	}
	return true
}

func (r *reader) tooComplex(at hcl.Range, p place, detail string) {
	r.errorf(at, p, "Spec too complex", "%s Nobody can review that, and reading it could exhaust the daemon. Simplify the expression, or name parts of it in a locals block.", detail)
}

func (r *reader) nativeFile(root *node, name string) bool {
	parsed, diags := hclsyntax.ParseConfig(r.src, name, hcl.InitialPos)
	r.syntax(diags)
	r.recovered = diags.HasErrors()
	body, isNative := parsed.Body.(*hclsyntax.Body)
	if !isNative {
		return false
	}
	r.nativeBody(body, root)
	return !diags.HasErrors()
}

func (r *reader) jsonFile(root *node, name string) bool {
	parsed, diags := hcljson.Parse(r.src, name)
	if diags.HasErrors() {
		r.syntax(diags[:1]) // the others follow from it
		return false
	}
	r.jsonBody(parsed.Body, root)
	return true
}

// invalidUTF8 is the offset of the first byte that is not UTF-8, or -1. A zero
// byte counts as one: it is a sign of UTF-16.
func invalidUTF8(src []byte) int {
	if i := bytes.IndexByte(src, 0); i >= 0 {
		return i
	}
	if utf8.Valid(src) {
		return -1
	}
	for i := 0; i < len(src); {
		c, n := utf8.DecodeRune(src[i:])
		if c == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// argument reads the value of one argument in the way that its type asks for.
func (r *reader) argument(a *arg, expr hclsyntax.Expression, problem bool) *arg {
	if problem {
		a.broken = true
		return a
	}
	typ := schema.Any
	if a.schema != nil {
		typ = a.schema.Type
	}
	switch typ {
	case schema.Keyword, schema.KeywordList:
		r.keywords(a, expr)
	case schema.Ref, schema.RefList, schema.Input, schema.Inputs, schema.Triggers:
		r.targets(a, expr)
	case schema.Constraint:
		a.expr = expr
	case schema.GPUs:
		if hcl.ExprAsKeyword(expr) == "all" {
			a.keywords = []keyword{{"all", expr.Range()}}
			return a
		}
		r.value(a, expr)
	case schema.Bump:
		if word := hcl.ExprAsKeyword(expr); contains(a.schema.Keywords, word) {
			a.keywords = []keyword{{word, expr.Range()}}
			return a
		}
		r.late(a, expr)
	case schema.Condition, schema.Conditions, schema.Words, schema.Variables:
		r.late(a, expr)
	default:
		r.value(a, expr)
	}
	return a
}

// late prepares an expression that may be of facts. What else it reads is
// evaluated when the commit is read, as everywhere.
func (r *reader) late(a *arg, expr hclsyntax.Expression) {
	var early []hcl.Traversal
	for _, t := range expr.Variables() {
		if !contains(factRoots[:], t.RootName()) {
			early = append(early, t)
		}
	}
	refs, ok := readReferences(&r.reporter, *a.place, early)
	a.refs, a.broken = refs, !ok
	if e := checkLiterals(expr); e != nil {
		r.tooComplex(e.rng, *a.place, e.detail)
		a.broken = true
	}
	a.source = r.sourceOf
	a.expr = guard(expr, r.meter)
}

// value prepares an expression for evaluation.
func (r *reader) value(a *arg, expr hclsyntax.Expression) {
	refs, ok := readReferences(&r.reporter, *a.place, expr.Variables())
	a.refs, a.broken = refs, !ok
	if e := checkLiterals(expr); e != nil {
		r.tooComplex(e.rng, *a.place, e.detail)
		a.broken = true
	}
	a.expr = guard(plainText(expr), r.meter)
}

// plainText makes a string without templates in it, which most arguments are, one
// node instead of the three that HCL makes of it. They are kept for as long as the file.
func plainText(expr hclsyntax.Expression) hclsyntax.Expression {
	t, isTemplate := expr.(*hclsyntax.TemplateExpr)
	if !isTemplate || !t.IsStringLiteral() {
		return expr
	}
	v, _ := t.Value(nil) // a literal has no diagnostics
	return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: t.SrcRange}
}

// keywords reads bare words. They are part of the language, not text: a word in
// quotes would look as if an expression could stand there.
func (r *reader) keywords(a *arg, expr hclsyntax.Expression) {
	items := []hcl.Expression{expr}
	if a.schema.Type == schema.KeywordList {
		list, diags := hcl.ExprList(expr)
		if diags.HasErrors() {
			r.errorf(expr.Range(), *a.place, "Wrong type", "%s takes a list of keywords in brackets: [%s].", a.name, a.schema.Keywords[0])
			a.broken = true
			return
		}
		items = list
	}
	for _, item := range items {
		word := hcl.ExprAsKeyword(item)
		switch {
		case contains(a.schema.Keywords, word):
			a.keywords = append(a.keywords, keyword{word, item.Range()})
			continue
		case word != "":
			r.errorf(item.Range(), *a.place, "Unknown keyword", "%s takes one of %s.%s", a.name, strings.Join(a.schema.Keywords, ", "), didYouMean(word, a.schema.Keywords))
		case quoted(item) != "" && contains(a.schema.Keywords, quoted(item)):
			word = quoted(item)
			if a.schema.Type == schema.KeywordList {
				word = "[" + word + "]"
			}
			r.errorf(item.Range(), *a.place, "Keyword in quotes", "Keywords are bare words. Write %s = %s, without quotes.", a.name, word)
		default:
			r.errorf(item.Range(), *a.place, "Keyword expected", "%s is fixed by the text of the spec and cannot be computed. Write one of %s, without quotes.", a.name, strings.Join(a.schema.Keywords, ", "))
		}
		a.broken = true
	}
}

func contains(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

// quoted is the text of a string without templates in it, or "".
func quoted(expr hcl.Expression) string {
	e, isNative := expr.(hclsyntax.Expression)
	if !isNative {
		return ""
	}
	literal, isLiteral := plainText(e).(*hclsyntax.LiteralValueExpr)
	if !isLiteral || literal.Val.Type() != cty.String || literal.Val.IsNull() || !literal.Val.IsKnown() {
		return ""
	}
	return literal.Val.AsString()
}
