package review

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile/plain"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// Declared is a pipeline, a dataset or a policy that differs between two revisions of
// the specs. What becomes of models is in the plan.
type Declared struct {
	Address spec.Address `json:"address"`
	Change  Change       `json:"change"`
	Fields  []plan.Field `json:"fields,omitempty"` // of one that changes: by the path of what does
	Gates   []Gate       `json:"gates,omitempty"`  // of a pipeline: those that a run has to pass from now on
	Pos     spec.Pos     `json:"declared,omitzero"`
}

// Change is how an object differs.
type Change string

// The changes.
const (
	Added   Change = "added"
	Changed Change = "changed"
	Removed Change = "removed"
)

// Gate is a condition of a pipeline.
type Gate struct {
	Name    string         `json:"name"`
	Require string         `json:"require"` // as it was written
	Level   spec.GateLevel `json:"level"`
}

// maxValue bounds what is shown of one value, in bytes.
const maxValue = 200

// DeclaredOf tells what of the pipelines, datasets and policies differs. Where in a file
// something stands is no difference; what is in a file of the repo is one.
func DeclaredOf(before, after *spec.Config) []Declared {
	old, now := objects(before), objects(after)
	var all []Declared
	for key, o := range now {
		was, known := old[key]
		d := Declared{Address: o.address, Pos: o.pos, Gates: o.gates, Change: Added}
		if known {
			d.Change, d.Fields = Changed, differences(was.values, o.values)
			if len(d.Fields) == 0 {
				continue
			}
		}
		all = append(all, d)
	}
	for key, o := range old {
		if _, stays := now[key]; !stays {
			all = append(all, Declared{Address: o.address, Pos: o.pos, Change: Removed})
		}
	}
	slices.SortFunc(all, func(a, b Declared) int {
		return cmp.Or(cmp.Compare(rank(a.Address.Kind), rank(b.Address.Kind)), cmp.Compare(a.Address.String(), b.Address.String()))
	})
	return all
}

// kinds are those that are compared, in the order in which they are shown.
var kinds = []struct {
	kind      spec.Kind
	one, more string
}{{spec.KindPipeline, "pipeline", "pipelines"}, {spec.KindDataset, "dataset", "datasets"}, {spec.KindPolicy, "policy", "policies"}}

func rank(of spec.Kind) int {
	for i := range kinds {
		if kinds[i].kind == of {
			return i
		}
	}
	return len(kinds)
}

// Touched are the pipelines of a revision of which a run could be another one than
// before: they differ, or data that they read does.
func Touched(cfg *spec.Config, declared []Declared) []*spec.Pipeline {
	differs := map[string]bool{}
	for i := range declared {
		differs[declared[i].Address.String()] = true
	}
	var touched []*spec.Pipeline
	for _, p := range cfg.Pipelines {
		if differs[p.Address.String()] || slices.ContainsFunc(cfg.Datasets, func(d *spec.Dataset) bool {
			return differs[d.Address.String()] && run.Reads(p, d.Name)
		}) {
			touched = append(touched, p)
		}
	}
	return touched
}

// object is what is compared: each argument as text, by its path.
type object struct {
	address spec.Address
	pos     spec.Pos
	gates   []Gate
	values  map[string]string
}

func objects(cfg *spec.Config) map[string]object {
	all := map[string]object{}
	add := func(o object, of any) {
		o.values = values(of)
		all[o.address.String()] = o
	}
	for _, p := range cfg.Pipelines {
		o := object{address: p.Address, pos: p.Pos}
		for _, g := range p.Gates {
			o.gates = append(o.gates, Gate{g.Name, shown(cmp.Or(g.Require.Source, g.Require.String())), cmp.Or(g.Level, spec.LevelHard)})
		}
		add(o, p)
	}
	for _, d := range cfg.Datasets {
		add(object{address: d.Address, pos: d.Pos}, d)
		if len(d.Source.Data) > 0 {
			all[d.Address.String()].values["content"] = fmt.Sprintf("sha256:%.8x, %d bytes", sha256.Sum256(d.Source.Data), len(d.Source.Data))
		}
	}
	for _, p := range cfg.Policies {
		add(object{address: p.Address, pos: p.Pos}, map[string]any{
			"description": p.Description, "for": p.For, "where": p.Where, "require": p.Require, "level": p.Level, "message": p.Message, "regulation": p.Regulation,
		})
	}
	return all
}

// values flattens what a value is as JSON.
func values(of any) map[string]string {
	flat := map[string]string{}
	raw, err := json.Marshal(of)
	if err != nil {
		// A spec is plain data that is kept as JSON, so this is a fault of ours; it is
		// shown as a value, rather than taken for no difference.
		flat["error"] = err.Error()
		return flat
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		flat["error"] = err.Error()
		return flat
	}
	flatten(flat, "", value)
	return flat
}

// blocks are the lists of named blocks, and what one of them is called.
var blocks = map[string]string{"steps": "step", "selects": "select", "gates": "gate", "params": "param"}

func flatten(into map[string]string, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		if source, is := written(path, v); is {
			into[path] = source
			return
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if path == "" && (name == "address" || name == "name") {
				continue
			}
			if name != "pos" {
				flatten(into, join(path, name), v[name])
			}
		}
	case []any:
		for i, element := range v {
			flatten(into, elementPath(path, i, element), element)
		}
	case string:
		if v != "" {
			into[path] = v
		}
	case nil:
	default:
		into[path] = fmt.Sprint(v)
	}
}

// expressions are the arguments that are kept as expressions.
var expressions = map[string]bool{"require": true, "where": true, "when": true, "version": true, "expr": true, "command": true}

// written is an expression as it stands in the file.
func written(path string, v map[string]any) (source string, is bool) {
	last, _, _ := strings.Cut(path[strings.LastIndexByte(path, '.')+1:], "[")
	if !expressions[last] {
		return "", false
	}
	var e expr.Expr
	raw, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(raw, &e)
	}
	if err != nil || e.IsZero() {
		return "", false
	}
	return cmp.Or(e.Source, e.String()), true
}

// elementPath names an element of a list: by its name where it has one.
func elementPath(path string, i int, element any) string {
	if block, is := element.(map[string]any); is {
		if name, is := block["name"].(string); is {
			return join(cmp.Or(blocks[path], path), name)
		}
	}
	return fmt.Sprintf("%s[%d]", path, i)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func differences(was, is map[string]string) []plan.Field {
	paths := maps.Clone(was)
	maps.Copy(paths, is)
	var fields []plan.Field
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if was[path] != is[path] {
			fields = append(fields, plan.Field{Path: path, Old: shown(was[path]), New: shown(is[path])})
		}
	}
	return fields
}

// shown is a value as it may be shown. Its spaces stay: it may differ by them alone.
func shown(value string) string {
	return plain.Clip(strings.Map(plain.Rune, strings.ToValidUTF8(value, "")), maxValue)
}

// Counted counts by kind: "1 pipeline and 2 policies".
func Counted(declared []Declared) string {
	var parts []string
	for _, k := range kinds {
		n := 0
		for i := range declared {
			if declared[i].Address.Kind == k.kind {
				n++
			}
		}
		switch n {
		case 0:
		case 1:
			parts = append(parts, "1 "+k.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, k.more))
		}
	}
	if n := len(parts); n > 1 {
		parts = []string{strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]}
	}
	return strings.Join(parts, "")
}
