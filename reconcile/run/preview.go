package run

import (
	"maps"
	"slices"
	"time"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// Look answers what the cache has for a key; nil is a miss.
type Look func(key string) *Result

// PreviewOf says which nodes of a prepared run would hit the cache. before is the
// newest run of the pipeline, or nil; it tells what differs.
func PreviewOf(r *Run, prepared *Prepared, outside expr.Facts, before *Run, look Look, now time.Time) *Preview {
	r.Images, r.Datasets, r.Secrets = prepared.Images, prepared.Datasets, prepared.Secrets
	p := &Preview{Pipeline: r.Pipeline, Params: r.Params, Nodes: []NodePreview{}}
	for _, n := range r.Order() {
		m := &machine{run: r, in: Input{Outside: outside}, now: now, facts: r.Facts(outside)}
		p.Nodes = append(p.Nodes, m.preview(n, before, look))
	}
	return p
}

func (m *machine) preview(n *Node, before *Run, look Look) NodePreview {
	s := m.run.Step(n)
	v := NodePreview{Node: n.ID, Step: n.Step}
	if open := m.open(n, s); len(open) > 0 {
		v.Values, v.Depends = n.Values, open
		return v
	}
	m.consider(n)
	v.Values = n.Values
	switch n.Phase {
	case NodeSkipped, NodeFailed:
		v.Why = n.Reason
		return v
	case NodeReady:
		v.Why = "it is never taken from the cache"
		if s.Exit {
			v.Why = "exit steps always run"
		}
		n.Phase = NodeWaiting
		return v
	default: // the cache is to be asked
	}
	if hit := look(n.Key); hit != nil {
		m.looked(n, Answer{Hit: hit})
		if n.Phase == NodeSucceeded {
			v.Hit, v.From = true, hit.Run
			return v
		}
		v.Why = "the result of " + hit.Run + " is older than max_age"
	} else {
		v.Why = whyMiss(n, before)
	}
	n.Phase = NodeWaiting
	return v
}

// open are the nodes that have to run before anything can be said about this one.
func (m *machine) open(n *Node, s *spec.Step) []string {
	var open []string
	for _, need := range Needs(&m.run.Definition, s) {
		for _, other := range m.run.Of(need) {
			if !other.Phase.Ended() {
				open = append(open, other.ID)
			}
		}
	}
	if s.Search != nil {
		for _, t := range m.run.Of(s.Name)[:max(n.Trial-max(s.Search.Parallel, 1)+1, 0)] {
			if !t.Phase.Ended() {
				open = append(open, t.ID)
			}
		}
	}
	return open
}

// whyMiss compares with the run before.
func whyMiss(n *Node, before *Run) string {
	if before == nil {
		return "it never ran"
	}
	last := before.Nodes[n.ID]
	if last == nil || last.KeyOf == nil {
		return "it did not run in " + before.ID
	}
	if n.KeyOf == nil {
		return ""
	}
	if difference := n.KeyOf.Difference(*last.KeyOf); difference != "" {
		return difference
	}
	if last.Phase != NodeSucceeded {
		return "it did not succeed in " + before.ID
	}
	return "its result is not in the cache any more"
}

// Resumed returns a run that goes on where another one broke: the same definition,
// with the parameters that change. What the other run had finished is in the cache by
// its key, so it is found unless a parameter made it another one.
func Resumed(id string, old *Run, params map[string]any, now time.Time) (*Run, error) {
	merged := maps.Clone(old.Params)
	if merged == nil {
		merged = map[string]any{}
	}
	maps.Copy(merged, params)
	r, err := New(id, &old.Definition, merged, now)
	if err != nil {
		return nil, err
	}
	r.Environment, r.Commit = old.Environment, old.Commit
	r.Fresh, r.Reproduces, r.Recorded = old.Fresh, old.Reproduces, old.Recorded
	r.Chain = append(slices.Clone(old.Chain), old.ID)
	if old.Reproduces != "" {
		r.Images = old.Images
	}
	if len(params) == 0 { // with others the figures are others, of which nobody said anything
		r.Overrides = maps.Clone(old.Overrides)
	}
	return r, nil
}

// Producers are the nodes that an input depends on, in order: what it was made by.
func (r *Run) Producers(in spec.Input) []*Node {
	wanted := map[string]bool{}
	var add func(in spec.Input)
	visit := func(n *Node) {
		if wanted[n.ID] {
			return
		}
		wanted[n.ID] = true
		for _, name := range slices.Sorted(maps.Keys(r.Step(n).Inputs)) {
			add(r.Step(n).Inputs[name])
		}
	}
	add = func(in spec.Input) {
		for _, n := range r.sources(in) {
			visit(n)
		}
	}
	add(in)
	var nodes []*Node
	for _, n := range r.Order() {
		if wanted[n.ID] {
			nodes = append(nodes, n)
		}
	}
	return nodes
}
