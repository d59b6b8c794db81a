package lang

import (
	"fmt"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/schema"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// targets reads the references of an argument that names other objects. They
// are read, not evaluated: what is named is an object, not a value.
func (r *reader) targets(a *arg, expr hclsyntax.Expression) {
	items := []hclsyntax.Expression{expr}
	if a.schema.Type == schema.RefList {
		list, isList := expr.(*hclsyntax.TupleConsExpr)
		if !isList {
			r.errorf(expr.Range(), a.place, "Wrong type", "%s takes a list of references in brackets: [%s.NAME].", a.name, a.schema.Refers)
			a.broken = true
			return
		}
		items = list.Exprs
	}
	for _, item := range items {
		t, ok := r.target(a, item)
		a.broken = a.broken || !ok
		a.targets = append(a.targets, t)
	}
}

// target reads one reference of the form kind.name or kind.name["key"].
func (r *reader) target(a *arg, expr hclsyntax.Expression) (target, bool) {
	t := target{rng: expr.Range()}
	kind := a.schema.Refers
	traversal, isTraversal := expr.(*hclsyntax.ScopeTraversalExpr)
	if index, isIndex := expr.(*hclsyntax.IndexExpr); isIndex {
		traversal, isTraversal = index.Collection.(*hclsyntax.ScopeTraversalExpr)
		t.key = index.Key
	}
	if !isTraversal {
		r.notAReference(a, expr, kind)
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
		if index, isIndex := path[2].(hcl.TraverseIndex); isIndex {
			t.key = &hclsyntax.LiteralValueExpr{Val: index.Key, SrcRange: index.SrcRange}
			path = path[:2]
		}
	}
	switch {
	case len(path) == 1 && spec.ValidName(t.kind):
		r.errorf(expr.Range(), a.place, "Wrong kind of reference", "%s names a %s. Write %s.%s.", a.name, kind, kind, t.kind)
		return t, false
	case t.kind != kind || t.name == "" || len(path) != 2:
		r.errorf(expr.Range(), a.place, "Wrong kind of reference", "%s names a %s: write %s.NAME%s.", a.name, kind, kind, instanceHint(kind))
		return t, false
	}
	if t.key != nil {
		refs, ok := readReferences(&r.reporter, a.place, t.key.Variables())
		t.refs, t.key = refs, guard(t.key, r.meter)
		return t, ok
	}
	return t, true
}

func instanceHint(kind string) string {
	if kind == "model" {
		return fmt.Sprintf(", or %s.NAME[\"KEY\"] for one instance", kind)
	}
	return ""
}

// notAReference explains what to write instead of something that names no
// object; a quoted name is the common case.
func (r *reader) notAReference(a *arg, expr hclsyntax.Expression, kind string) {
	text := quoted(expr)
	switch {
	case spec.ValidName(text):
		r.errorf(expr.Range(), a.place, "Reference in quotes", "References are written without quotes, so that they can be checked. Write %s = %s.%s.", a.name, kind, text)
	case text != "":
		r.errorf(expr.Range(), a.place, "Reference in quotes", "References are written without quotes, so that they can be checked. Write %s = %s.", a.name, text)
	default:
		r.errorf(expr.Range(), a.place, "Reference expected", "%s names a %s and cannot be computed. Write %s.NAME%s.", a.name, kind, kind, instanceHint(kind))
	}
}
