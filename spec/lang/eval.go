package lang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// noRange is for what has no place in a file.
var noRange hcl.Range

// evaluator gives every expression of one load its value. It goes from an
// expression to what that reads, so the order of declarations never matters, and
// each thing is evaluated once.
type evaluator struct {
	reporter
	symbols   *symbols
	options   Options
	tree      spec.Tree
	all       []spec.File // of the tree
	files     []spec.File // that are the module's
	module    module
	meter     *meter
	limits    Limits
	functions map[string]function.Function

	memo map[ref]*result
	args map[argKey]*argResult
	// newRefs and newArgs are what memo and args hold, in the order in which it
	// came, so that the last of it can be taken back.
	newRefs []ref
	newArgs []argKey
	open    []reference // the way to the expression at hand, for cycles
	given   map[string]VariableValue
	deps    *recorder // who is asking, for the cache
	facts   *facts    // what earlier loads have read
	// contents are files that earlier loads have read.
	contents map[string]*content
	known    map[string][]string // names of facts, by root
	decoded  []*decoded          // the models of the load
	parts    []*evaluator        // of the includes
	// composable: nothing is wrong with the include blocks. movedThere are moves into
	// one of them.
	composable bool
	movedThere []move
}

// result is a value that was asked for; ok is false if it has none, which was
// reported then and must not be reported again.
type result struct {
	value cty.Value
	ok    bool
	done  bool
}

// recorder collects what one unit of the cache has read.
type recorder struct {
	seen map[ref]cty.Value
	// partial: something that was read has no value, so the outcome is not one
	// to keep.
	partial bool
}

// saw notes a value that was read.
func (d *recorder) saw(r ref, v cty.Value) {
	if d.seen == nil {
		d.seen = map[ref]cty.Value{}
	}
	d.seen[r] = v
}

// merge adds what another recorder has noted.
func (d *recorder) merge(other *recorder) {
	d.partial = d.partial || other.partial
	for r, v := range other.seen {
		d.saw(r, v)
	}
}

// scope is what differs between the instances of a block.
type scope struct {
	key   string // "" without for_each
	value cty.Value
}

// eval evaluates an argument. Where it has no value, that was reported.
func (e *evaluator) eval(a *arg, sc *scope) (cty.Value, bool) {
	if a.broken || a.expr == nil {
		e.fail()
		return cty.NilVal, false
	}
	return e.evalExpr(a, a.expr, a.refs, sc)
}

func (e *evaluator) evalExpr(a *arg, expr hcl.Expression, refs []reference, sc *scope) (cty.Value, bool) {
	vars, ok := e.variables(*a.place, refs, sc)
	if !ok {
		e.fail()
		return cty.NilVal, false
	}
	e.meter.begin()
	v, diags := expr.Value(&hcl.EvalContext{Variables: vars, Functions: e.functions})
	switch {
	case e.meter.tripped != nil:
		e.errorf(*e.meter.tripped.Subject, *a.place, e.meter.tripped.Summary, "%s", e.meter.tripped.Detail)
	case diags.HasErrors():
		e.evaluation(diags, a, refs)
	case !v.IsWhollyKnown():
		e.errorf(expr.Range(), *a.place, "No value", "The expression has no value that is known now. This is a bug in Fairlead; please report it with the expression.")
	default:
		for _, rng := range e.meter.unlike {
			e.warnf(rng, *a.place, "Comparison of unlike types", "A string and a number, or a bool, are never equal. Convert one of them with tostring() or tonumber().")
		}
		return v, true
	}
	e.fail()
	return cty.NilVal, false
}

// fail notes that the unit at hand depends on something without value.
func (e *evaluator) fail() {
	if e.deps != nil {
		e.deps.partial = true
	}
}

// variables resolves all references of an expression into the variables that
// HCL looks names up in. Only what is read is there.
func (e *evaluator) variables(p place, refs []reference, sc *scope) (map[string]cty.Value, bool) {
	if len(refs) == 0 {
		return nil, true
	}
	ok := true
	flat := map[string]map[string]cty.Value{}
	var nested []reference
	for _, r := range refs {
		v, found := e.resolve(r, p, sc)
		ok = ok && found
		if !found {
			continue
		}
		if r.root == "model" || r.root == "secret" {
			nested = append(nested, r)
			continue
		}
		if flat[r.root] == nil {
			flat[r.root] = map[string]cty.Value{}
		}
		flat[r.root][r.name] = v
	}
	if !ok {
		return nil, false
	}
	e.addNested(flat, nested)
	vars := make(map[string]cty.Value, len(flat))
	for root, members := range flat {
		vars[root] = cty.ObjectVal(members)
	}
	return vars, true
}

// addNested adds what has more than one step behind its root: model.x.image,
// model.x["key"].image, secret.x, secret.x["key"].
func (e *evaluator) addNested(flat map[string]map[string]cty.Value, refs []reference) {
	type object struct {
		whole   cty.Value
		members map[string]cty.Value
		keys    map[string]map[string]cty.Value
	}
	objects := map[[2]string]*object{}
	for _, r := range refs {
		id := [2]string{r.root, r.name}
		o := objects[id]
		if o == nil {
			o = &object{members: map[string]cty.Value{}, keys: map[string]map[string]cty.Value{}}
			objects[id] = o
		}
		v := e.memo[r.ref].value
		switch {
		case r.key == "" && r.attr == "":
			o.whole = v
		case r.key == "":
			o.members[r.attr] = v
		case r.attr == "" && r.root == "secret":
			o.members[r.key] = v
		case r.attr == "":
			o.keys[r.key] = v.AsValueMap()
		default:
			if o.keys[r.key] == nil {
				o.keys[r.key] = map[string]cty.Value{}
			}
			o.keys[r.key][r.attr] = v
		}
	}
	for id, o := range objects {
		v := o.whole
		if v == cty.NilVal {
			for key, members := range o.keys {
				o.members[key] = cty.ObjectVal(members)
			}
			v = cty.ObjectVal(o.members)
		}
		if flat[id[0]] == nil {
			flat[id[0]] = map[string]cty.Value{}
		}
		flat[id[0]][id[1]] = v
	}
}

// resolve gives a reference its value, evaluating what it names first.
func (e *evaluator) resolve(r reference, p place, sc *scope) (cty.Value, bool) {
	if r.root == "each" {
		return e.each(r, p, sc)
	}
	if known := e.memo[r.ref]; known != nil {
		if !known.done {
			e.cycle(r, p)
			known.ok = false
		}
		return e.note(r.ref, known)
	}
	if len(e.open) >= e.limits.References {
		e.errorf(r.rng, p, "References too deep", "More than %d references lead from one expression to the next. Shorten the chain.", e.limits.References)
		return e.note(r.ref, &result{})
	}
	res := &result{}
	e.memo[r.ref] = res
	e.newRefs = append(e.newRefs, r.ref)
	e.open = append(e.open, r)
	asking := e.deps
	e.deps = nil // what the named thing reads is its own affair
	res.value, res.ok = e.find(r, p)
	e.deps = asking
	e.open = e.open[:len(e.open)-1]
	res.done = true
	return e.note(r.ref, res)
}

// note records for the cache what was read.
func (e *evaluator) note(r ref, res *result) (cty.Value, bool) {
	if e.deps != nil {
		if res.ok {
			e.deps.saw(r, res.value)
		} else {
			e.deps.partial = true
		}
	}
	return res.value, res.ok
}

func (e *evaluator) each(r reference, p place, sc *scope) (cty.Value, bool) {
	if sc == nil || sc.key == "" {
		e.errorf(r.rng, p, "No instances here", "each.%s is known only in a block with for_each, and not in its enabled and for_each arguments themselves.", r.name)
		return cty.NilVal, false
	}
	if r.name == "key" {
		return cty.StringVal(sc.key), true
	}
	return sc.value, true
}

// cycle reports references that lead back to where they started, as a path with
// every position. Each cycle is reported once: at the reference that closes it.
func (e *evaluator) cycle(r reference, p place) {
	from := slices.IndexFunc(e.open, func(o reference) bool { return o.ref == r.ref })
	path := append(slices.Clone(e.open[max(from, 0):]), r)
	var lines []string
	for i, step := range path[1:] {
		lines = append(lines, fmt.Sprintf("    %s reads %s at %s:%d", path[i].ref, step.ref, step.rng.Filename, step.rng.Start.Line))
	}
	e.errorf(r.rng, p, "References in a circle", "To know the value, the value itself would be needed:\n%s\nBreak the circle at one of these places.", strings.Join(lines, "\n"))
}

// find evaluates what a reference names.
func (e *evaluator) find(r reference, p place) (cty.Value, bool) {
	switch r.root {
	case "env":
		return cty.StringVal(e.options.Environment), true
	case "file":
		return e.fileHash(r.name)
	case objectRoot:
		return e.objectState(r.ref)
	case "var":
		if n := e.symbols.variables[r.name]; n != nil {
			return e.variable(n)
		}
		return e.unknown(r, p, "variable", names(e.symbols.variables), fmt.Sprintf("Declare it:\n    variable %q {}", r.name))
	case "local":
		a := e.symbols.overLocals[r.name]
		if a == nil {
			a = e.symbols.locals[r.name]
		}
		if a != nil {
			return e.eval(a, nil)
		}
		return e.unknown(r, p, "local", e.localNames(), fmt.Sprintf("Define it:\n    locals {\n      %s = ...\n    }", r.name))
	case "secret":
		return e.secretValue(r, p)
	default:
		return e.modelValue(r, p)
	}
}

func (e *evaluator) localNames() []string {
	return append(names(e.symbols.locals), names(e.symbols.overLocals)...)
}

// unknown reports a name that nothing has. Where a file could not be read the
// name may stand in it, and saying so would be noise.
func (e *evaluator) unknown(r reference, p place, kind string, known []string, remedy string) (cty.Value, bool) {
	if e.symbols.incomplete {
		return cty.NilVal, false
	}
	if near := Nearest(r.name, known); near != "" {
		remedy = "Did you mean " + r.root + "." + near + "?"
	}
	e.errorf(r.rng, p, "Unknown "+kind, "Nothing declares %s. %s", ref{root: r.root, name: r.name}, remedy)
	return cty.NilVal, false
}

// merged is the block with the overlay of the environment on it.
func (e *evaluator) merged(n *node) *node {
	if over := e.symbols.over[n.address]; over != nil {
		return overlay(n, over)
	}
	return n
}

// modelValue is an attribute of a model, or the model as a whole.
func (e *evaluator) modelValue(r reference, p place) (cty.Value, bool) {
	base := e.symbols.models[r.name]
	if base == nil {
		return e.unknown(r, p, "model", names(e.symbols.models), fmt.Sprintf("Declare it:\n    model %q {\n      ...\n    }", r.name))
	}
	n := e.merged(base)
	if n.args.get("for_each") == nil {
		if r.key != "" {
			e.errorf(r.rng, p, "Model without instances", "model.%s has no for_each, so it has no instance %q. Write model.%s.", r.name, r.key, strings.TrimSuffix(r.name+"."+r.attr, "."))
			return cty.NilVal, false
		}
		return e.modelAttributes(n, r, p, &scope{})
	}
	if r.key == "" && r.attr != "" {
		e.errorf(r.rng, p, "Which instance", "model.%s has for_each. Write model.%s[\"KEY\"].%s, or use a for expression over all of its instances.", r.name, r.name, r.attr)
		return cty.NilVal, false
	}
	scopes, ok := e.instances(n)
	if !ok {
		return cty.NilVal, false
	}
	all := map[string]cty.Value{}
	for _, sc := range scopes {
		if r.key == sc.key {
			return e.modelAttributes(n, r, p, sc)
		}
		if r.key == "" {
			v, good := e.resolve(reference{ref{root: "model", name: r.name, key: sc.key}, r.rng}, p, nil)
			ok = ok && good
			all[sc.key] = v
		}
	}
	if r.key != "" {
		e.errorf(r.rng, p, "Unknown instance", "model.%s has no instance %q.%s", r.name, r.key, instanceWords(scopes, r.key))
		return cty.NilVal, false
	}
	if !ok {
		return cty.NilVal, false
	}
	return cty.ObjectVal(all), true
}

func instanceWords(scopes []*scope, key string) string {
	keys := make([]string, 0, len(scopes))
	for _, sc := range scopes {
		keys = append(keys, sc.key)
	}
	slices.Sort(keys)
	if near := didYouMean(key, keys); near != "" {
		return near
	}
	if len(keys) == 0 {
		return " Its for_each is empty."
	}
	const most = 8
	if len(keys) > most {
		return fmt.Sprintf(" Its instances are %s and %d more.", strings.Join(keys[:most], ", "), len(keys)-most)
	}
	return " Its instances are " + strings.Join(keys, ", ") + "."
}

// modelAttributes is one attribute of one instance, or an object of all.
func (e *evaluator) modelAttributes(n *node, r reference, p place, sc *scope) (cty.Value, bool) {
	if r.attr != "" {
		return e.modelAttribute(n, r.attr, sc)
	}
	ok := true
	all := make(map[string]cty.Value, len(modelAttributes))
	for _, attr := range modelAttributes {
		v, good := e.resolve(reference{ref{root: "model", name: n.label, key: sc.key, attr: attr}, r.rng}, p, nil)
		ok = ok && good
		all[attr] = v
	}
	if !ok {
		return cty.NilVal, false
	}
	return cty.ObjectVal(all), true
}

func (e *evaluator) modelAttribute(n *node, attr string, sc *scope) (cty.Value, bool) {
	if attr == "name" {
		return cty.StringVal(spec.Address{Kind: spec.KindModel, Name: n.label, Key: sc.key}.ServedName()), true
	}
	s := section{ev: e, n: n, sc: sc}
	return s.typed(attr)
}

// variable is the value of a variable: from outside, from the environment's
// overlay, or its default.
func (e *evaluator) variable(base *node) (cty.Value, bool) {
	n := e.merged(base)
	want, ok := e.constraint(n)
	if !ok {
		return cty.NilVal, false
	}
	if given, isGiven := e.given[n.label]; isGiven {
		return e.givenValue(n, given, want)
	}
	def := n.args.get("default")
	if def == nil {
		if e.module.include != nil {
			e.errorf(n.rng, n.place, "Variable without value", "Nothing sets var.%s where this repo is included: values from outside reach the root alone. Give the variable a default.", n.label)
			return cty.NilVal, false
		}
		e.errorf(n.rng, n.place, "Variable without value", "Nothing sets var.%s, and it has no default. Set it with --var %s=VALUE, or in the environment of Fairlead as FAIRLEAD_VAR_%s.", n.label, n.label, n.label)
		return cty.NilVal, false
	}
	if !e.closed(def, "a variable") {
		return cty.NilVal, false
	}
	v, ok := e.eval(def, nil)
	if !ok {
		return cty.NilVal, false
	}
	if e.meter.total += conversionSteps(v); e.meter.total > e.limits.LoadSteps {
		e.errorf(def.expr.Range(), *def.place, "Evaluation too expensive", "The defaults of the repo's variables are too long together. Keep long lists in files, and read them with jsondecode(file()).")
		return cty.NilVal, false
	}
	converted, err := toType(v, want)
	if err != nil {
		e.errorf(def.expr.Range(), *def.place, "Wrong type", "The default does not fit the type of the variable: %s.", typeError(err))
		return cty.NilVal, false
	}
	return converted, true
}

// closed reports references where none may stand.
func (e *evaluator) closed(a *arg, where string) bool {
	if len(a.refs) == 0 {
		return true
	}
	e.errorf(a.refs[0].rng, *a.place, "Reference not allowed", "Nothing can be read in %s: it is known before everything else is. Use a locals block for values that are made of others.", where)
	return false
}
