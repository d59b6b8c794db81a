package lang

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// ref names one thing that an expression can read. It is comparable, so that
// what was read once is found again.
type ref struct {
	root string // var, local, each, env, model, secret; file for blobs
	name string // of the variable, local, model or secret; path of the file
	key  string // of an instance, "" without
	attr string // of a model, "" for the model as a whole
}

// String is the reference as it is written.
func (r ref) String() string {
	s := r.root + "." + r.name
	if r.key != "" {
		s += "[\"" + r.key + "\"]"
	}
	if r.attr != "" {
		s += "." + r.attr
	}
	return s
}

// reference is a ref and the place where it was written.
type reference struct {
	ref
	rng hcl.Range
}

// modelAttributes are what other blocks can read of a model.
var modelAttributes = [...]string{"name", "version", "image", "port", "replicas"}

// roots are the words that a reference can start with.
var roots = [...]string{"var", "local", "each", "env", "model", "secret"}

// foreignRoots are words of other tools, with what to write instead.
func foreignRoots(word string) string {
	switch word {
	case "locals":
		return "Values of a locals block are read one by one, as local.NAME."
	case "variable", "variables", "vars":
		return "Variables are read as var.NAME."
	case "environment", "environments":
		return "The name of the environment is env.name."
	case "count":
		return "Fairlead has no count. Use for_each with a set or a map, and each.key or each.value."
	case "self", "path", "terraform", "data", "module", "resource", "build", "source", "packer", "node", "attr", "meta", "NOMAD_META":
		return "That is a word of another tool."
	case "check":
		return "It can only be named where a list of checks is expected, such as `checks = [check.errors]`."
	case "param", "matrix", "step", "select", "dataset", "live", "pipeline", "run", "from":
		return "That is known only when a run is under way, or an object is judged, and this value when the commit is read. It can stand in env, command and when of a step, in version of publish, and in require."
	default:
		return ""
	}
}

// readReferences turns the traversals of an expression into references. What
// cannot be one is reported, and the second result is false.
func readReferences(r *reporter, p place, traversals []hcl.Traversal) ([]reference, bool) {
	ok := true
	var refs []reference
	for _, t := range traversals {
		found, good := readReference(r, p, t)
		if !good {
			ok = false
			continue
		}
		refs = append(refs, found)
	}
	return refs, ok
}

func readReference(r *reporter, p place, t hcl.Traversal) (reference, bool) {
	rng := t.SourceRange()
	root := t.RootName()
	switch root {
	case "var", "local", "each", "env", "model", "secret":
	default:
		reportUnknownRoot(r, p, t, root)
		return reference{}, false
	}
	name, named := "", false
	if len(t) > 1 {
		if step, isAttr := t[1].(hcl.TraverseAttr); isAttr {
			name, named = step.Name, true
		}
	}
	if !named {
		r.errorf(rng, p, "Incomplete reference", "%q alone is nothing that can be read. Write which one: %s.", root, rootExample(root))
		return reference{}, false
	}
	found := reference{ref{root: root, name: name}, rng}
	switch root {
	case "each":
		if name != "key" && name != "value" {
			r.errorf(rng, p, "Unknown reference", "There is no each.%s. In a block with for_each, each.key is the element's key and each.value its value.%s", name, didYouMean(name, []string{"key", "value"}))
			return reference{}, false
		}
	case "env":
		if name != "name" {
			r.errorf(rng, p, "Unknown reference", "There is no env.%s: env.name is the environment's name. The daemon's own environment cannot be read; declare a variable and set it from outside.", name)
			return reference{}, false
		}
	case "model":
		return readModelReference(r, p, found, t[2:])
	case "secret":
		if len(t) > 2 {
			found.key, _ = indexKey(t[2])
		}
	}
	return found, true
}

// readModelReference reads what follows model.NAME: an instance, an attribute,
// both, or nothing.
func readModelReference(r *reporter, p place, found reference, rest hcl.Traversal) (reference, bool) {
	if len(rest) > 0 {
		if key, isKey := indexKey(rest[0]); isKey {
			found.key, rest = key, rest[1:]
		}
	}
	if len(rest) == 0 {
		return found, true
	}
	step, isAttr := rest[0].(hcl.TraverseAttr)
	if !isAttr {
		return found, true // a splat: the model as a whole
	}
	for _, a := range modelAttributes {
		if a == step.Name {
			found.attr = a
			return found, true
		}
	}
	r.errorf(found.rng, p, "Unknown attribute of a model", "A model has no attribute %q that can be read. Readable are %s.%s",
		step.Name, strings.Join(modelAttributes[:], ", "), didYouMean(step.Name, modelAttributes[:]))
	return reference{}, false
}

// indexKey is the key of ["key"], as a string.
func indexKey(step hcl.Traverser) (string, bool) {
	index, isIndex := step.(hcl.TraverseIndex)
	if !isIndex || index.Key.IsNull() {
		return "", false
	}
	switch index.Key.Type() {
	case cty.String:
		return index.Key.AsString(), true
	case cty.Number:
		return index.Key.AsBigFloat().Text('f', -1), true
	default:
		return "", false
	}
}

func rootExample(root string) string {
	switch root {
	case "each":
		return "each.key or each.value"
	case "env":
		return "env.name"
	case "model":
		return "model.NAME.image"
	default:
		return root + ".NAME"
	}
}

// reportUnknownRoot explains a word that names nothing. The usual reasons are
// text without quotes, a shell variable and another tool's dialect.
func reportUnknownRoot(r *reporter, p place, t hcl.Traversal, root string) {
	rng := t.SourceRange()
	if hint := foreignRoots(root); hint != "" {
		r.errorf(rng, p, "Unknown reference", "Nothing named %q can be read here. %s Readable are %s.", root, hint, strings.Join(roots[:], ", "))
		return
	}
	if root == strings.ToUpper(root) && len(t) == 1 {
		r.errorf(rng, p, "Unknown reference",
			"%q looks like a variable of a shell, and specs are read before any process runs. To pass it on to the container as it is, write $${%s} in the string. If it is text, put it in quotes.", root, root)
		return
	}
	suggestion := didYouMean(root, slices.Concat(roots[:], factRoots[:]))
	if len(t) == 1 && suggestion == "" {
		r.errorf(rng, p, "Unknown reference", "A bare word names nothing here. If it is text, put it in quotes: %q.", root)
		return
	}
	r.errorf(rng, p, "Unknown reference", "References start with %s, those to facts, in conditions, and in env and command of a step, with %s; there is no %q.%s",
		strings.Join(roots[:], ", "), strings.Join(factRoots[:], ", "), root, suggestion)
}

// validIdentifier tells whether s can stand behind a dot.
func validIdentifier(s string) bool {
	if s == "" || len(s) > spec.MaxName {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case i > 0 && (c >= '0' && c <= '9' || c == '-'):
		default:
			return false
		}
	}
	return true
}
