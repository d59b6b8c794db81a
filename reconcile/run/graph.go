package run

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/reconcile/search"
	"github.com/fairlead/fairlead/spec"
)

// NodeID is the name of a node: that of its step, and with variants which one,
// from 0.
func NodeID(step string, variant int, varied bool) string {
	if !varied {
		return step
	}
	return step + "." + strconv.Itoa(variant)
}

// varied tells whether a step has several nodes.
func varied(s *spec.Step) bool { return len(s.Matrix) > 0 || s.Search != nil }

// nodesOf makes the nodes of a pipeline, all waiting. The values of trials follow
// when their turn comes.
func nodesOf(p *spec.Pipeline) map[string]*Node {
	nodes := map[string]*Node{}
	add := func(s *spec.Step, i int, values map[string]any) {
		id := NodeID(s.Name, i, varied(s))
		nodes[id] = &Node{ID: id, Step: s.Name, Values: values, Trial: i, Phase: NodeWaiting}
	}
	for _, s := range p.Steps {
		switch {
		case s.Search != nil:
			for i := range s.Search.Trials {
				add(s, i, nil)
			}
		case len(s.Matrix) > 0:
			for i, values := range search.Variants(s.Matrix) {
				add(s, i, values)
			}
		default:
			add(s, 0, nil)
		}
	}
	return nodes
}

// Of returns the nodes of a step, in the order of their variants.
func (r *Run) Of(step string) []*Node {
	var nodes []*Node
	for _, n := range r.Nodes {
		if n.Step == step {
			nodes = append(nodes, n)
		}
	}
	slices.SortFunc(nodes, func(a, b *Node) int { return a.Trial - b.Trial })
	return nodes
}

// Step returns the step that a node is of.
func (r *Run) Step(n *Node) *spec.Step { return r.Definition.Step(n.Step) }

// Order returns the nodes such that each comes after all that it needs; exit steps
// come last.
func (r *Run) Order() []*Node {
	var ordered []*Node
	for _, step := range stepOrder(&r.Definition) {
		ordered = append(ordered, r.Of(step)...)
	}
	return ordered
}

// stepOrder sorts the steps topologically (Kahn 1962), by name where the graph
// leaves it open.
func stepOrder(p *spec.Pipeline) []string {
	needs := map[string]map[string]bool{}
	for _, s := range p.Steps {
		needs[s.Name] = map[string]bool{}
		for _, n := range Needs(p, s) {
			needs[s.Name][n] = true
		}
	}
	var order []string
	for len(needs) > 0 {
		var ready []string
		for name, n := range needs {
			if len(n) == 0 {
				ready = append(ready, name)
			}
		}
		if len(ready) == 0 { // a cycle: no definition that was loaded has one
			for name := range needs {
				ready = append(ready, name)
			}
		}
		slices.SortFunc(ready, func(a, b string) int {
			if x, y := p.Step(a).Exit, p.Step(b).Exit; x != y {
				if x {
					return 1
				}
				return -1
			}
			return strings.Compare(a, b)
		})
		for _, name := range ready {
			delete(needs, name)
			order = append(order, name)
		}
		for _, n := range needs {
			for _, name := range ready {
				delete(n, name)
			}
		}
	}
	return order
}

// Needs are the steps that must have ended before a step may start, sorted: those
// whose outputs it reads, those that it is declared after, and for an exit step
// all that are none.
func Needs(p *spec.Pipeline, s *spec.Step) []string {
	need := map[string]bool{}
	for _, in := range s.Inputs {
		if step := producer(p, in); step != "" {
			need[step] = true
		}
	}
	for _, step := range s.After {
		need[step] = true
	}
	if s.Exit {
		for _, other := range p.Steps {
			if !other.Exit {
				need[other.Name] = true
			}
		}
	}
	delete(need, s.Name)
	names := make([]string, 0, len(need))
	for name := range need {
		if p.Step(name) != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// producer is the step that an input comes from; "" for a dataset.
func producer(p *spec.Pipeline, in spec.Input) string {
	switch in.Kind {
	case spec.InputStep:
		return in.Name
	case spec.InputSelect:
		if s := p.Select(in.Name); s != nil {
			return s.Of
		}
	case spec.InputDataset:
	}
	return ""
}

// reads tells whether a step reads an output of another, directly.
func reads(p *spec.Pipeline, s *spec.Step, other string) bool {
	for _, in := range s.Inputs {
		if producer(p, in) == other {
			return true
		}
	}
	return false
}

// Selected returns the best variant of a selection, or nil where none has
// succeeded with the metric. Of equal ones it is the first.
func (r *Run) Selected(s *spec.Select) *Node {
	var best *Node
	for _, n := range r.Of(s.Of) {
		value, measured := n.Metrics[s.Metric]
		if n.Phase != NodeSucceeded || !measured {
			continue
		}
		if best == nil || better(value, best.Metrics[s.Metric], s.Minimize) {
			best = n
		}
	}
	return best
}

func better(a, b float64, minimize bool) bool {
	if minimize {
		return a < b
	}
	return a > b
}

// sources are the nodes that an input is read from, by variant: "" where it is one.
func (r *Run) sources(in spec.Input) map[string]*Node {
	switch in.Kind {
	case spec.InputSelect:
		if s := r.Definition.Select(in.Name); s != nil {
			if best := r.Selected(s); best != nil {
				return map[string]*Node{"": best}
			}
		}
	case spec.InputStep:
		step := r.Definition.Step(in.Name)
		nodes := map[string]*Node{}
		for _, n := range r.Of(in.Name) {
			variant := ""
			if step != nil && varied(step) {
				variant = strconv.Itoa(n.Trial)
			}
			if n.Phase == NodeSucceeded {
				nodes[variant] = n
			}
		}
		return nodes
	case spec.InputDataset:
	}
	return nil
}

// Digests are those of the contents that an input stands for, by variant; nil while
// they are not known.
func (r *Run) Digests(in spec.Input) map[string]string {
	if in.Kind == spec.InputDataset {
		d := r.Datasets[in.Name]
		if d.Content == "" {
			return nil
		}
		return map[string]string{"": d.Content}
	}
	digests := map[string]string{}
	for variant, n := range r.sources(in) {
		if output, written := n.Outputs[in.Output]; written {
			digests[variant] = output.Digest
		}
	}
	if len(digests) == 0 {
		return nil
	}
	return digests
}
