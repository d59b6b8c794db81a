package lang

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/zclconf/go-cty/cty"
)

// enabled tells whether a block counts.
func (e *evaluator) enabled(n *node) (enabled, ok bool) {
	if n.args.get("enabled") == nil {
		return true, true
	}
	s := section{ev: e, n: n, sc: &scope{}}
	v, ok := s.typed("enabled")
	if !ok {
		return false, false
	}
	return v.True(), true
}

// instances are the scopes of a block's instances: one without a key where
// there is no for_each.
func (e *evaluator) instances(n *node) ([]*scope, bool) {
	a := n.args.get("for_each")
	if a == nil {
		return []*scope{{}}, true
	}
	v, ok := e.eval(a, nil)
	if !ok {
		return nil, false
	}
	t := v.Type()
	if t.IsTupleType() || t.IsListType() {
		e.errorf(a.expr.Range(), *a.place, "Wrong type", "for_each takes a map, or a set of strings. The elements of a list have no names of their own: a change of the first would move all others. Write toset(%s).", "[...]")
		return nil, false
	}
	if v.IsNull() || !t.IsMapType() && !t.IsObjectType() && !t.IsSetType() {
		e.errorf(a.expr.Range(), *a.place, "Wrong type", "for_each takes a map, or a set of strings, and this is %s.", kindOf(v))
		return nil, false
	}
	var scopes []*scope
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		sc, problem := instance(n, key, value)
		if problem != "" {
			e.errorf(a.expr.Range(), *a.place, "Invalid for_each key", "%s", problem)
			return nil, false
		}
		scopes = append(scopes, sc)
	}
	if e.meter.total += instanceSteps * len(scopes); e.meter.total > e.limits.LoadSteps {
		e.errorf(a.expr.Range(), *a.place, "Evaluation too expensive", "The for_each blocks of the repo make too many instances together. Split the repo.")
		return nil, false
	}
	slices.SortFunc(scopes, func(a, b *scope) int { return strings.Compare(a.key, b.key) })
	return scopes, true
}

// instanceSteps is what one instance of a block costs of the budget of a load.
const instanceSteps = 200

func instance(n *node, key, value cty.Value) (*scope, string) {
	if key.IsNull() || key.Type() != cty.String {
		return nil, "The elements of the set are no strings. Write toset([\"a\", \"b\"])."
	}
	k := key.AsString()
	if !spec.ValidKey(k) {
		return nil, "A key of for_each becomes part of names. It holds a-z, 0-9, _ and -, starts with a letter or a digit, and has 63 of them at the most."
	}
	if len(n.label)+1+len(k) > spec.MaxName {
		return nil, "The name of the block and the key together are longer than 63 characters. Shorten one of them."
	}
	return &scope{key: k, value: value}, ""
}
