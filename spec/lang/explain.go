package lang

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/schema"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Explanation tells where the value of something comes from: every layer that
// could have given it one, from the weakest to the strongest. A secret is its
// name here, as everywhere in a load.
type Explanation struct {
	Address string  `json:"address"`         // model.digits.health.interval
	Value   string  `json:"value,omitempty"` // as HCL; "" if it has none
	Layers  []Layer `json:"layers,omitempty"`
	// Fields are the arguments of what is no single value: a model, a block.
	Fields []Explanation `json:"fields,omitempty"`
}

// Layer is one place that says what a value is.
type Layer struct {
	Kind       LayerKind   `json:"kind"`
	Name       string      `json:"name,omitempty"`       // of the environment, or the source of a variable's value
	Range      *diag.Range `json:"range,omitempty"`      // of the argument; nil for defaults and values from outside
	Expression string      `json:"expression,omitempty"` // as written
	Value      string      `json:"value,omitempty"`      // as HCL
	Wins       bool        `json:"wins,omitempty"`
}

// LayerKind is what sort of place a layer is.
type LayerKind string

// The kinds of layer, from the weakest to the strongest.
const (
	LayerDefault     LayerKind = "default"     // of the language
	LayerBlock       LayerKind = "block"       // the block itself
	LayerEnvironment LayerKind = "environment" // the overlay of the environment
	LayerGiven       LayerKind = "given"       // a variable's value from outside
)

// Explain tells where a value comes from. The path is written as in a
// reference, and goes on into blocks: model.digits, model.digits["eu"].replicas,
// model.digits.rollout.check.errors.max, model.digits.route[0].path,
// var.registry, local.team, secret.token.
//
// The diagnostics are those of the load, and of the path.
func (l *Loader) Explain(tree spec.Tree, o Options, path string) (Explanation, diag.Diagnostics) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, _ := l.load(tree, o)
	if e.symbols == nil || e.functions == nil {
		return Explanation{}, finish(e.diags, o)
	}
	found := reporter{}
	load := e.reporter
	e.reporter = reporter{} // what explaining runs into was said by the load
	x := explainer{e: e, sources: Sources(tree), report: &found}
	explanation := x.explain(path)
	return explanation, append(finish(load.diags, o), found.diags...)
}

type explainer struct {
	e       *evaluator
	sources diag.Sources
	report  *reporter
}

// layer is a block in one of the layers.
type layer struct {
	kind LayerKind
	name string
	n    *node
}

func (x *explainer) fail(format string, args ...any) Explanation {
	x.report.errorf(noRange, place{}, "Unknown address", format, args...)
	return Explanation{}
}

func (x *explainer) explain(path string) Explanation {
	steps, ok := pathSteps(path)
	if ok && steps[0] == "trust" {
		return x.single("trust", x.e.symbols.trust, steps[1:])
	}
	if !ok || len(steps) < 2 {
		return x.fail("An address is written as a reference: model.NAME, model.NAME.ARGUMENT, var.NAME, local.NAME, secret.NAME, simulation.NAME, dataset.NAME, pipeline.NAME, policy.NAME, notifier.NAME or trust.")
	}
	name := steps[1]
	switch steps[0] {
	case "var":
		return x.variable(name, steps)
	case "local":
		return x.local(name, steps)
	case "model", "secret", "simulation", "dataset", "pipeline", "policy", "notifier", "include":
		return x.object(steps)
	default:
		return x.fail("There is nothing of the kind %q to explain. Addresses start with model, secret, simulation, dataset, pipeline, policy, notifier, trust, var or local.", steps[0])
	}
}

// pathSteps splits a path at its dots and brackets.
func pathSteps(path string) ([]string, bool) {
	if len(path) > 1024 {
		return nil, false
	}
	traversal, diags := hclsyntax.ParseTraversalAbs([]byte(path), "address", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, false
	}
	steps := []string{traversal.RootName()}
	for _, step := range traversal[1:] {
		if attr, isAttr := step.(hcl.TraverseAttr); isAttr {
			steps = append(steps, attr.Name)
			continue
		}
		key, isKey := indexKey(step)
		if !isKey {
			return nil, false
		}
		steps = append(steps, key)
	}
	return steps, true
}

func (x *explainer) variable(name string, steps []string) Explanation {
	base := x.e.symbols.variables[name]
	if base == nil || len(steps) > 2 {
		return x.fail("No file declares var.%s.%s", name, didYouMean(name, names(x.e.symbols.variables)))
	}
	out := x.argument("var."+name, base.schema.Argument("default"), x.layers(base), &scope{})
	if given, isGiven := x.e.given[name]; isGiven {
		v, _ := x.e.resolve(reference{ref: ref{root: "var", name: name}}, place{}, nil)
		for i := range out.Layers {
			out.Layers[i].Wins = false
		}
		out.Value = render(v)
		out.Layers = append(out.Layers, Layer{Kind: LayerGiven, Name: sourceOf(given), Value: out.Value, Wins: true})
	}
	return out
}

func (x *explainer) local(name string, steps []string) Explanation {
	var layers []layer
	if a := x.e.symbols.locals[name]; a != nil {
		layers = append(layers, layer{LayerBlock, "", &node{args: arguments{a}}})
	}
	if a := x.e.symbols.overLocals[name]; a != nil {
		layers = append(layers, layer{LayerEnvironment, x.e.options.Environment, &node{args: arguments{a}}})
	}
	if len(layers) == 0 || len(steps) > 2 {
		return x.fail("No file defines local.%s.%s", name, didYouMean(name, x.e.localNames()))
	}
	return x.argument("local."+name, &schema.Argument{Name: name, Type: schema.Any}, layers, &scope{})
}

// single explains a block that stands once.
func (x *explainer) single(kind string, declared []*node, rest []string) Explanation {
	if len(declared) == 0 {
		return x.fail("No file declares a %s block.", kind)
	}
	return x.descend(kind, declared[0].schema, []layer{{LayerBlock, "", declared[0]}}, rest, &scope{})
}

// layers are the block and its overlay.
func (x *explainer) layers(base *node) []layer {
	list := []layer{{LayerBlock, "", base}}
	if over := x.e.symbols.over[base.address]; over != nil {
		list = append(list, layer{LayerEnvironment, x.e.options.Environment, over})
	}
	return list
}

// object explains a model or a secret, or something in it.
func (x *explainer) object(steps []string) Explanation {
	kind, name, rest := steps[0], steps[1], steps[2:]
	for _, part := range x.e.parts {
		if strings.HasPrefix(name, part.module.include.Prefix) && part.symbols != nil && part.functions != nil {
			x.e = part
		}
	}
	declared := x.e.symbols.byKind(kind)
	base := declared[name]
	if base == nil {
		return x.fail("No file declares %s.%s.%s", kind, name, didYouMean(name, names(declared)))
	}
	address := base.address
	sc := &scope{}
	if merged := x.e.merged(base); merged.args.get("for_each") != nil {
		scopes, _ := x.e.instances(merged)
		if len(rest) > 0 && merged.schema.Argument(rest[0]) == nil && merged.schema.Block(rest[0]) == nil {
			for _, candidate := range scopes {
				if candidate.key == rest[0] {
					sc = candidate
				}
			}
			if sc.key == "" {
				return x.fail("%s has no instance %q.%s", address, rest[0], instanceWords(scopes, rest[0]))
			}
			address, rest = fmt.Sprintf("%s[%q]", address, sc.key), rest[1:]
		} else if len(scopes) > 0 && (len(rest) == 0 || rest[0] != "for_each" && rest[0] != "enabled") {
			return x.fail("%s has for_each; name one instance: %s[\"KEY\"].%s", address, address, instanceWords(scopes, ""))
		}
	}
	return x.descend(address, base.schema, x.layers(base), rest, sc)
}

// descend follows the rest of a path into a block.
func (x *explainer) descend(address string, b *schema.Block, layers []layer, rest []string, sc *scope) Explanation {
	if len(rest) == 0 {
		return Explanation{Address: address, Fields: x.fields(address, b, layers, sc)}
	}
	if def := b.Argument(rest[0]); def != nil && len(rest) == 1 {
		return x.argument(address+"."+def.Name, def, layers, sc)
	}
	inner := b.Block(rest[0])
	if inner == nil {
		return x.fail("%s has no argument or block %q.%s", address, strings.Join(rest, "."), didYouMean(rest[0], argumentNames(b)))
	}
	address, rest = address+"."+inner.Name, rest[1:]
	if !inner.Repeats {
		return x.descend(address, inner, blocksIn(layers, inner, "", 0), rest, sc)
	}
	if len(rest) == 0 {
		return x.fail("There can be several %s blocks; say which: %s", inner.Name, exampleOf(address, inner))
	}
	which, rest := rest[0], rest[1:]
	index, _ := strconv.Atoi(which)
	found := blocksIn(layers, inner, which, index)
	if len(found) == 0 {
		return x.fail("There is no %s here.", blockAddress(address, inner, which, index))
	}
	return x.descend(blockAddress(address, inner, which, index), inner, found, rest, sc)
}

func exampleOf(address string, b *schema.Block) string { return blockAddress(address, b, "NAME", 0) }

func blockAddress(address string, b *schema.Block, label string, index int) string {
	switch {
	case b.List():
		return fmt.Sprintf("%s[%d]", address, index)
	case validIdentifier(label):
		return address + "." + label
	default:
		return fmt.Sprintf("%s[%q]", address, label)
	}
}

// blocksIn finds one nested block in every layer that has it. A list of blocks
// without label comes from the strongest layer that has any.
func blocksIn(layers []layer, b *schema.Block, label string, index int) []layer {
	var found []layer
	for _, l := range layers {
		children := l.n.children(b.Name)
		if b.List() {
			if len(children) > 0 {
				found = nil
			}
			if index >= 0 && index < len(children) {
				found = append(found, layer{l.kind, l.name, children[index]})
			}
			continue
		}
		for _, c := range children {
			if c.label == label || !b.Repeats {
				found = append(found, layer{l.kind, l.name, c})
			}
		}
	}
	return found
}

// fields explains every argument that has a value, in the order of the schema.
func (x *explainer) fields(address string, b *schema.Block, layers []layer, sc *scope) []Explanation {
	var fields []Explanation
	for _, def := range b.Arguments {
		f := x.argument(address+"."+def.Name, def, layers, sc)
		if len(f.Layers) > 0 {
			fields = append(fields, f)
		}
	}
	for _, inner := range b.Blocks {
		here := address + "." + inner.Name
		if !inner.Repeats {
			found := blocksIn(layers, inner, "", 0)
			if len(found) > 0 || inner.Always {
				fields = append(fields, x.fields(here, inner, found, sc)...)
			}
			continue
		}
		for _, which := range labelsIn(layers, inner) {
			index, _ := strconv.Atoi(which)
			fields = append(fields, x.fields(blockAddress(here, inner, which, index), inner, blocksIn(layers, inner, which, index), sc)...)
		}
	}
	return fields
}

// labelsIn are the labels, or the positions, of the blocks of one kind.
func labelsIn(layers []layer, b *schema.Block) []string {
	var labels []string
	for _, l := range layers {
		children := l.n.children(b.Name)
		if b.List() && len(children) > 0 {
			labels = nil
		}
		for i, c := range children {
			label := c.label
			if b.List() {
				label = strconv.Itoa(i)
			}
			if !contains(labels, label) {
				labels = append(labels, label)
			}
		}
	}
	return labels
}

// argument explains one argument. The strongest layer that does not say null
// wins.
func (x *explainer) argument(address string, def *schema.Argument, layers []layer, sc *scope) Explanation {
	out := Explanation{Address: address}
	if def.Default != "" || def.Note != "" && def.Name != "type" {
		out.Layers = append(out.Layers, Layer{Kind: LayerDefault, Value: def.Default, Expression: def.Note})
	}
	for _, l := range layers {
		a := l.n.args.get(def.Name)
		if a == nil {
			continue
		}
		out.Layers = append(out.Layers, Layer{
			Kind: l.kind, Name: l.name, Range: diagRange(a.rng), Expression: x.source(a), Value: x.value(a, sc),
		})
	}
	for i := len(out.Layers) - 1; i >= 0; i-- {
		if out.Layers[i].Value != "null" {
			out.Layers[i].Wins = true
			out.Value = out.Layers[i].Value
			break
		}
	}
	return out
}

// source is the text of the value as it is written.
func (x *explainer) source(a *arg) string {
	src := x.sources(a.rng.Filename)
	from, to := a.nameRange().End.Byte, a.rng.End.Byte
	if from < 0 || to > len(src) || from > to {
		return ""
	}
	text := strings.TrimLeft(string(src[from:to]), " \t=:")
	const most = 200
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

func (x *explainer) value(a *arg, sc *scope) string {
	switch {
	case a.broken:
		return ""
	case len(a.keywords) > 0:
		return a.keywords[0].word
	case a.schema != nil && (a.schema.Type.Literal() || a.schema.Type.Late()):
		return x.source(a)
	}
	v, ok := x.e.evalOnce(a, sc)
	if !ok {
		return ""
	}
	return render(v)
}

// render writes a value as HCL.
func render(v cty.Value) string {
	if v == cty.NilVal || !v.IsKnown() {
		return ""
	}
	if v.IsNull() {
		return "null"
	}
	if name, isSecret := secretOf(v); isSecret {
		return "secret." + name
	}
	switch t := v.Type(); {
	case t == cty.String:
		quoted := strings.NewReplacer("${", "$${", "%{", "%%{").Replace(strconv.Quote(v.AsString()))
		return quoted
	case t == cty.Number:
		return v.AsBigFloat().Text('f', -1)
	case t == cty.Bool:
		return strconv.FormatBool(v.True())
	case t.IsMapType(), t.IsObjectType():
		var members []string
		for it := v.ElementIterator(); it.Next(); {
			key, member := it.Element()
			members = append(members, render(key)+" = "+render(member))
		}
		return "{ " + strings.Join(members, ", ") + " }"
	default:
		var items []string
		for it := v.ElementIterator(); it.Next(); {
			_, item := it.Element()
			items = append(items, render(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
}
