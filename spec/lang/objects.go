package lang

import (
	"cmp"
	"slices"

	"github.com/fairlead/fairlead/spec"
)

// instanceOf is one instance of a block, decoded.
type instanceOf[T any] struct {
	served  string
	node    *node
	enabled bool
	value   T
}

// decodeAll decodes every block of a kind, in the order of the names of its
// instances, and reports names that two of them share. What is disabled is
// checked, and then left out.
func decodeAll[T any](e *evaluator, kind spec.Kind, decode func(s section, a spec.Address, enabled bool) T) []T {
	var all []instanceOf[T]
	declared := e.symbols.byKind(string(kind))
	for _, name := range names(declared) {
		n := e.merged(declared[name])
		enabled, ok := e.enabled(n)
		scopes, good := e.instances(n)
		if !ok || !good {
			continue
		}
		for _, sc := range scopes {
			a := spec.Address{Kind: kind, Name: n.label, Key: sc.key}
			all = append(all, instanceOf[T]{a.ServedName(), n, enabled, decode(section{ev: e, n: n, sc: sc}, a, enabled)})
		}
	}
	slices.SortStableFunc(all, func(a, b instanceOf[T]) int { return cmp.Compare(a.served, b.served) })
	var list []T
	for i, o := range all {
		if i > 0 && all[i-1].served == o.served {
			e.errorf(o.node.rng, o.node.place, "Duplicate name", "This %s and the one at %s are both named %q. Rename one of them.", kind, specPos(all[i-1].node.rng), o.served)
		}
		if o.enabled {
			list = append(list, o.value)
		}
	}
	return list
}

// requireObject reports a reference to an object that is not declared or not
// enabled; found says that it is there.
func (e *evaluator) requireObject(found bool, a spec.Address, r reference, p place) bool {
	if found {
		return true
	}
	kind := string(a.Kind)
	declared := e.symbols.byKind(kind)
	base := declared[a.Name]
	if base == nil {
		e.unknown(r, p, kind, names(declared), "Declare it, or remove the reference.")
		return false
	}
	n := e.merged(base)
	if enabled, ok := e.enabled(n); !ok || !enabled {
		if ok {
			e.errorf(r.rng, p, "Disabled "+kind, "%s.%s is not enabled in the environment %s, at %s.", kind, a.Name, e.options.Environment, specPos(n.rng))
		}
		return false
	}
	scopes, ok := e.instances(n)
	switch {
	case !ok: // reported with the block
	case n.args["for_each"] == nil:
		e.errorf(r.rng, p, sentence(kind)[:len(kind)]+" without instances", "%s.%s has no for_each, so it has no instance %q. Write %s.%s.", kind, a.Name, a.Key, kind, a.Name)
	case a.Key == "":
		e.errorf(r.rng, p, "Which instance", "%s.%s has for_each. Write %s.%s[\"KEY\"].%s", kind, a.Name, kind, a.Name, instanceWords(scopes, ""))
	default:
		e.errorf(r.rng, p, "Unknown instance", "%s.%s has no instance %q.%s", kind, a.Name, a.Key, instanceWords(scopes, a.Key))
	}
	return false
}
