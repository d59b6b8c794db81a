package review

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
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
	Require string         `json:"require"` // as it was written, and what it says where names hide that
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

// object is what is compared: each argument, by its path.
type object struct {
	address spec.Address
	pos     spec.Pos
	gates   []Gate
	values  map[string]value
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
			o.gates = append(o.gates, Gate{g.Name, shown(written(&g.Require)), cmp.Or(g.Level, spec.LevelHard)})
		}
		add(o, p)
	}
	for _, d := range cfg.Datasets {
		add(object{address: d.Address, pos: d.Pos}, d)
	}
	for _, p := range cfg.Policies {
		add(object{address: p.Address, pos: p.Pos}, p)
	}
	return all
}

func differences(was, is map[string]value) []plan.Field {
	paths := maps.Clone(was)
	maps.Copy(paths, is)
	var fields []plan.Field
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		before, had := was[path]
		after, has := is[path]
		switch {
		case had && has && before.same == after.same, !has && before.zero, !had && after.zero:
			continue
		}
		f := plan.Field{Path: shown(path)}
		f.Old, f.New = pair(before.text, after.text)
		fields = append(fields, f)
	}
	return fields
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
