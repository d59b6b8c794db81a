package lang

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/zclconf/go-cty/cty"
)

// decodeAll decodes every block of a kind, in the order of the names of its
// instances, and reports names that two of them share. What is disabled is
// checked, and then left out.
func decodeAll[T any](e *evaluator, kind spec.Kind, decode func(s section, a spec.Address, enabled bool) T) []T {
	type instance struct {
		object
		node    *node
		enabled bool
	}
	var all []instance
	declared := e.symbols.byKind(string(kind))
	for _, name := range names(declared) {
		m := e.decodeBlock(declared[name], func(n *node, m *memo) {
			enabled, ok := e.enabled(n)
			scopes, good := e.instances(n)
			if !ok || !good {
				return
			}
			m.enabled = enabled
			for _, sc := range scopes {
				a := spec.Address{Kind: kind, Name: n.label, Key: sc.key}
				m.objects = append(m.objects, object{a.ServedName(), decode(section{ev: e, n: n, sc: sc}, a, enabled)})
			}
		})
		for _, o := range m.objects {
			all = append(all, instance{o, declared[name], m.enabled})
		}
	}
	slices.SortStableFunc(all, func(a, b instance) int { return cmp.Compare(a.served, b.served) })
	var list []T
	for i, o := range all {
		if i > 0 && all[i-1].served == o.served {
			e.errorf(o.node.rng, o.node.place, "Duplicate name", "This %s and the one at %s are both named %q. Rename one of them.", kind, specPos(all[i-1].node.rng), o.served)
		}
		if value, is := o.value.(T); is && o.enabled {
			list = append(list, value)
		}
	}
	return list
}

// noteObject notes for the cache all that one block asks about the block of
// another object: whether that is there, and what publishing and simulations want
// to know of a model.
func (e *evaluator) noteObject(a spec.Address) {
	e.resolve(reference{ref: ref{root: objectRoot, name: string(a.Kind) + "." + a.Name, key: a.Key}}, place{}, nil)
}

// objectRoot is the root of the references that noteObject makes; nobody can write
// it.
const objectRoot = "(object)"

// objectState is what noteObject notes.
func (e *evaluator) objectState(r ref) (cty.Value, bool) {
	kind, name, _ := strings.Cut(r.name, ".")
	base := e.symbols.byKind(kind)[name]
	if base == nil {
		return cty.StringVal("undeclared"), true
	}
	n := e.merged(base)
	enabled, ok := e.enabled(n)
	scopes, good := e.instances(n)
	if !ok || !good {
		return cty.NilVal, false
	}
	state := []string{"declared"}
	for _, sc := range scopes {
		if sc.key != r.key {
			continue
		}
		state = append(state, "instance", strconv.FormatBool(enabled))
		if kind == string(spec.KindModel) {
			s := section{ev: e, n: n, sc: sc}
			state = append(state, s.str("version"), s.str("card"), editProblem(n), strconv.FormatBool(n.child("rollout") != nil))
		}
	}
	return cty.StringVal(strings.Join(state, "\x00")), true
}

// requireObject reports a reference to an object that is not declared or not
// enabled; found says that it is there.
func (e *evaluator) requireObject(found bool, a spec.Address, r reference, p place) bool {
	e.noteObject(a)
	if found {
		return true
	}
	e.fail() // a file that could not be read may declare it, and then nothing is reported
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
	case n.args.get("for_each") == nil:
		e.errorf(r.rng, p, sentence(kind)[:len(kind)]+" without instances", "%s.%s has no for_each, so it has no instance %q. Write %s.%s.", kind, a.Name, a.Key, kind, a.Name)
	case a.Key == "":
		e.errorf(r.rng, p, "Which instance", "%s.%s has for_each. Write %s.%s[\"KEY\"].%s", kind, a.Name, kind, a.Name, instanceWords(scopes, ""))
	default:
		e.errorf(r.rng, p, "Unknown instance", "%s.%s has no instance %q.%s", kind, a.Name, a.Key, instanceWords(scopes, a.Key))
	}
	return false
}
