package lang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/schema"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// targets reads the references of an argument that names other objects. They
// are read, not evaluated: what is named is an object, not a value.
func (r *reader) targets(a *arg, expr hclsyntax.Expression) {
	switch a.schema.Type {
	case schema.RefList, schema.Triggers:
		r.targetList(a, expr)
	case schema.Inputs:
		r.targetMap(a, expr)
	default:
		r.addTarget(a, "", expr)
	}
}

func (r *reader) addTarget(a *arg, as string, expr hclsyntax.Expression) {
	t, ok := r.target(a, expr)
	t.as = as
	a.broken = a.broken || !ok
	a.targets = append(a.targets, t)
}

func (r *reader) targetList(a *arg, expr hclsyntax.Expression) {
	list, isList := expr.(*hclsyntax.TupleConsExpr)
	if !isList {
		r.errorf(expr.Range(), *a.place, "Wrong type", "%s takes a list in brackets: %s.", a.name, listForm(a.schema))
		a.broken = true
		return
	}
	for _, item := range list.Exprs {
		word := hcl.ExprAsKeyword(item)
		switch {
		case a.schema.Type != schema.Triggers, word == "" && quoted(item) == "":
			r.addTarget(a, "", item)
		case contains(a.schema.Keywords, word):
			a.keywords = append(a.keywords, keyword{word, item.Range()})
		case contains(a.schema.Keywords, quoted(item)):
			r.errorf(item.Range(), *a.place, "Keyword in quotes", "Keywords are bare words. Write %s, without quotes.", quoted(item))
			a.broken = true
		default:
			r.errorf(item.Range(), *a.place, "Unknown keyword", "%s takes %s, and references such as %s.NAME.%s", a.name, strings.Join(a.schema.Keywords, ", "), a.schema.Refers, didYouMean(word+quoted(item), a.schema.Keywords))
			a.broken = true
		}
	}
}

func listForm(def *schema.Argument) string {
	if def.Type == schema.Triggers {
		return def.Example
	}
	return "[" + def.Refers + ".NAME]"
}

// targetMap reads { name = reference }.
func (r *reader) targetMap(a *arg, expr hclsyntax.Expression) {
	object, isObject := expr.(*hclsyntax.ObjectConsExpr)
	if !isObject {
		r.errorf(expr.Range(), *a.place, "Wrong type", "%s takes references by name, in braces: %s. It cannot be computed.", a.name, a.schema.Example)
		a.broken = true
		return
	}
	for _, item := range object.Items {
		name := hcl.ExprAsKeyword(item.KeyExpr)
		if name == "" {
			name = quoted(keyOf(item.KeyExpr))
		}
		twin := slices.ContainsFunc(a.targets, func(t target) bool { return t.as == name })
		switch {
		case !validIdentifier(name):
			r.errorf(item.KeyExpr.Range(), *a.place, "Invalid name", "The key is the name of a directory below /in: it starts with a letter and holds letters, digits, _ and -.")
			a.broken = true
		case twin:
			r.errorf(item.KeyExpr.Range(), *a.place, "Duplicate name", "There is an input of this name already. Give one of them another.")
			a.broken = true
		default:
			r.addTarget(a, name, item.ValueExpr)
		}
	}
}

func keyOf(e hclsyntax.Expression) hclsyntax.Expression {
	if k, isKey := e.(*hclsyntax.ObjectConsKeyExpr); isKey {
		return k.Wrapped
	}
	return e
}

// kindsOf are the kinds of object that an argument can name.
func kindsOf(def *schema.Argument) []string {
	switch def.Type {
	case schema.Inputs:
		return []string{"dataset", "step", "select"}
	case schema.Input:
		return []string{"step", "select"}
	default:
		return strings.Split(def.Refers, " or ")
	}
}

// kindWords names kinds of object in a sentence.
func kindWords(kinds []string) string {
	words := make([]string, 0, len(kinds))
	for _, kind := range kinds {
		words = append(words, schema.WithArticle(kind))
	}
	return strings.Join(words, " or ")
}

// hasOutput tells whether an output follows the name.
func hasOutput(def *schema.Argument, kind string) bool {
	return (def.Type == schema.Input || def.Type == schema.Inputs) && kind != "dataset"
}

// form is how a reference of an argument is written.
func form(def *schema.Argument) string {
	forms := make([]string, 0, 3)
	for _, kind := range kindsOf(def) {
		f := kind + ".NAME"
		if hasOutput(def, kind) {
			f += ".OUTPUT"
		}
		forms = append(forms, f)
	}
	last := len(forms) - 1
	if last == 0 {
		return forms[0]
	}
	return strings.Join(forms[:last], ", ") + " or " + forms[last]
}

// target reads one reference of the form kind.name or kind.name["key"], or
// kind.name.output.
func (r *reader) target(a *arg, expr hclsyntax.Expression) (target, bool) {
	t := target{rng: expr.Range()}
	traversal, isTraversal := expr.(*hclsyntax.ScopeTraversalExpr)
	if index, isIndex := expr.(*hclsyntax.IndexExpr); isIndex {
		traversal, isTraversal = index.Collection.(*hclsyntax.ScopeTraversalExpr)
		t.key = index.Key
	}
	if !isTraversal {
		r.notAReference(a, expr)
		return t, false
	}
	path := traversal.Traversal
	t.kind = path.RootName()
	if len(path) > 1 {
		if step, isAttr := path[1].(hcl.TraverseAttr); isAttr {
			t.name = step.Name
		}
	}
	if len(path) == 3 && t.key == nil {
		switch step := path[2].(type) {
		case hcl.TraverseIndex:
			t.key = &hclsyntax.LiteralValueExpr{Val: step.Key, SrcRange: step.SrcRange}
			path = path[:2]
		case hcl.TraverseAttr:
			if hasOutput(a.schema, t.kind) {
				t.output = step.Name
				path = path[:2]
			}
		}
	}
	kinds := kindsOf(a.schema)
	switch {
	case len(path) == 1 && spec.ValidName(t.kind) && len(kinds) == 1:
		r.errorf(expr.Range(), *a.place, "Wrong kind of reference", "%s names %s. Write %s.%s.", a.name, kindWords(kinds), kinds[0], t.kind)
		return t, false
	case !contains(kinds, t.kind) || t.name == "" || len(path) != 2 || t.key != nil && (t.kind == "step" || t.kind == "select"):
		r.errorf(expr.Range(), *a.place, "Wrong kind of reference", "%s names %s: write %s%s.", a.name, kindWords(kinds), form(a.schema), instanceHint(kinds[0]))
		return t, false
	}
	if t.key != nil {
		refs, ok := readReferences(&r.reporter, *a.place, t.key.Variables())
		t.refs, t.key = refs, guard(t.key, r.meter)
		return t, ok
	}
	return t, true
}

func instanceHint(kind string) string {
	if kind == "model" || kind == "dataset" {
		return fmt.Sprintf(", or %s.NAME[\"KEY\"] for one instance", kind)
	}
	return ""
}

// notAReference explains what to write instead of something that names no
// object; a quoted name is the common case.
func (r *reader) notAReference(a *arg, expr hclsyntax.Expression) {
	kinds := kindsOf(a.schema)
	assigned := a.name + " = "
	if a.schema.Type == schema.Inputs || a.schema.Type == schema.Triggers {
		assigned = ""
	}
	text := quoted(expr)
	switch {
	case spec.ValidName(text):
		example := strings.ReplaceAll(form(a.schema), "NAME", text)
		if len(kinds) == 1 {
			example = assigned + example
		}
		r.errorf(expr.Range(), *a.place, "Reference in quotes", "References are written without quotes, so that they can be checked. Write %s.", example)
	case text != "" && a.schema.Type == schema.Inputs && !strings.HasPrefix(text, "dataset.") && !strings.HasPrefix(text, "step.") && !strings.HasPrefix(text, "select."):
		r.errorf(expr.Range(), *a.place, "Reference in quotes", "A step reads datasets and outputs of other steps. Declare the data:\n    dataset \"NAME\" {\n      source = %q\n    }\nand write dataset.NAME.", text)
	case text != "":
		r.errorf(expr.Range(), *a.place, "Reference in quotes", "References are written without quotes, so that they can be checked. Write %s%s.", assigned, text)
	default:
		r.errorf(expr.Range(), *a.place, "Reference expected", "%s names %s and cannot be computed. Write %s%s.", a.name, kindWords(kinds), form(a.schema), instanceHint(kinds[0]))
	}
}
