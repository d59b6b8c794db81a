package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// GraphFormat is the version of the JSON form of Graph.
const GraphFormat = "1.0"

// Graph is a pipeline as it is drawn: what it reads, its steps, selections and
// gates, and what it publishes; of a run with the state of each.
type Graph struct {
	FormatVersion string      `json:"format_version"`
	Pipeline      string      `json:"pipeline"`
	Run           string      `json:"run,omitempty"`   // "": as declared
	State         string      `json:"state,omitempty"` // of the run
	Nodes         []GraphNode `json:"nodes"`           // each after all that it needs
	Edges         []GraphEdge `json:"edges"`
}

// GraphNode is one box.
type GraphNode struct {
	ID     string     `json:"id"` // as it is referred to: dataset.digits, step.train
	Kind   GraphKind  `json:"kind"`
	Name   string     `json:"name"`
	State  GraphState `json:"state,omitempty"`
	Detail string     `json:"detail,omitempty"`
	// Variants are the states of the containers of a step with a matrix or a search.
	Variants []GraphState `json:"variants,omitempty"`
	Level    int          `json:"level"` // the longest way from a source
}

// GraphEdge says that To needs From.
type GraphEdge struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Label string `json:"label,omitempty"` // the output that is read
	// Order: nothing is read, To only comes after From.
	Order bool `json:"order,omitempty"`
}

// GraphKind is what a box stands for.
type GraphKind string

// The kinds of box.
const (
	GraphDataset GraphKind = "dataset"
	GraphStep    GraphKind = "step"
	GraphSelect  GraphKind = "select"
	GraphGate    GraphKind = "gate"
	GraphPublish GraphKind = "publish"
)

// GraphState is how far a box is. "" is that of a graph without a run.
type GraphState string

// The states.
const (
	StateWaiting   GraphState = "waiting"
	StateRunning   GraphState = "running"
	StateSucceeded GraphState = "succeeded"
	StateCached    GraphState = "cached"
	StateFailed    GraphState = "failed"
	StateSkipped   GraphState = "skipped" // or cancelled
)

// PipelineGraph is the graph of a pipeline as it is declared.
func PipelineGraph(p *spec.Pipeline) *Graph {
	g := &Graph{FormatVersion: GraphFormat, Pipeline: p.Name}
	datasets := map[string]bool{}
	connect := func(in spec.Input, to string) {
		id := inputID(in)
		if in.Kind == spec.InputDataset && !datasets[in.Name] {
			datasets[in.Name] = true
			g.Nodes = append(g.Nodes, GraphNode{ID: id, Kind: GraphDataset, Name: in.Name})
		}
		g.connect(GraphEdge{From: id, To: to, Label: in.Output})
	}
	for _, s := range p.Steps {
		id := "step." + s.Name
		g.Nodes = append(g.Nodes, GraphNode{ID: id, Kind: GraphStep, Name: s.Name, Detail: stepDetail(s)})
		for _, name := range slices.Sorted(maps.Keys(s.Inputs)) {
			connect(s.Inputs[name], id)
		}
		for _, after := range s.After {
			g.connect(GraphEdge{From: "step." + after, To: id, Order: true})
		}
	}
	for _, s := range p.Selects {
		id := "select." + s.Name
		goal := "most "
		if s.Minimize {
			goal = "least "
		}
		g.Nodes = append(g.Nodes, GraphNode{ID: id, Kind: GraphSelect, Name: s.Name, Detail: goal + s.Metric})
		g.connect(GraphEdge{From: "step." + s.Of, To: id})
	}
	for _, gt := range p.Gates {
		id := "gate." + gt.Name
		g.Nodes = append(g.Nodes, GraphNode{ID: id, Kind: GraphGate, Name: gt.Name, Detail: string(cmp.Or(gt.Level, spec.LevelHard))})
		for _, path := range gt.Require.Refs() {
			if len(path) > 1 && (path[0] == "step" || path[0] == "select" || path[0] == "dataset") {
				g.connect(GraphEdge{From: path[0] + "." + path[1], To: id})
			}
		}
	}
	if pub := p.Publish; pub != nil {
		g.Nodes = append(g.Nodes, GraphNode{ID: "publish", Kind: GraphPublish, Name: "publish", Detail: pub.Model.ServedName()})
		connect(pub.Artifact, "publish")
		if pub.Profile != nil {
			connect(*pub.Profile, "publish")
		}
		for _, gt := range p.Gates {
			g.connect(GraphEdge{From: "gate." + gt.Name, To: "publish", Order: true})
		}
	}
	g.exits(p)
	g.sort()
	return g
}

func inputID(in spec.Input) string { return string(in.Kind) + "." + in.Name }

// stepDetail says what is special about a step.
func stepDetail(s *spec.Step) string {
	switch {
	case s.Search != nil:
		return fmt.Sprintf("%s, %d trials", s.Search.Method, s.Search.Trials)
	case len(s.Matrix) > 0:
		n := 1
		for _, axis := range s.Matrix {
			n *= len(axis.Values)
		}
		return fmt.Sprintf("%d variants", n)
	case s.Exit:
		return "exit step"
	case !s.When.IsZero():
		return "conditional"
	}
	return ""
}

// connect adds an edge, once; one to what there is not is left out when the graph
// is sorted.
func (g *Graph) connect(e GraphEdge) {
	for i := range g.Edges {
		if old := &g.Edges[i]; old.From == e.From && old.To == e.To {
			old.Order = old.Order && e.Order
			if old.Label != e.Label && e.Label != "" && !strings.Contains(", "+old.Label+",", ", "+e.Label+",") {
				old.Label = strings.TrimPrefix(old.Label+", "+e.Label, ", ")
			}
			return
		}
	}
	g.Edges = append(g.Edges, e)
}

// exits lets exit steps come after everything else.
func (g *Graph) exits(p *spec.Pipeline) {
	needed := map[string]bool{}
	exit := map[string]bool{}
	for _, s := range p.Steps {
		exit["step."+s.Name] = s.Exit
	}
	for _, e := range g.Edges {
		if !exit[e.To] {
			needed[e.From] = true
		}
	}
	for _, s := range p.Steps {
		if !s.Exit {
			continue
		}
		for _, n := range g.Nodes {
			if !exit[n.ID] && !needed[n.ID] {
				g.connect(GraphEdge{From: n.ID, To: "step." + s.Name, Order: true})
			}
		}
	}
}

// sort sorts the nodes topologically (Kahn 1962) and gives each its level. What lies
// on a cycle, which no definition that was loaded has, comes last.
func (g *Graph) sort() {
	index := map[string]int{}
	for i, n := range g.Nodes {
		index[n.ID] = i
	}
	g.Edges = slices.DeleteFunc(g.Edges, func(e GraphEdge) bool {
		_, from := index[e.From]
		_, to := index[e.To]
		return !from || !to || e.From == e.To
	})
	open := make([]int, len(g.Nodes))
	for _, e := range g.Edges {
		open[index[e.To]]++
	}
	var sorted []GraphNode
	var level []int
	for i := range g.Nodes {
		if open[i] == 0 {
			level = append(level, i)
		}
	}
	done := make([]bool, len(g.Nodes))
	depth := 0
	for ; len(level) > 0; depth++ {
		slices.SortFunc(level, func(a, b int) int { return strings.Compare(g.Nodes[a].ID, g.Nodes[b].ID) })
		var next []int
		for _, i := range level {
			done[i] = true
			g.Nodes[i].Level = depth
			sorted = append(sorted, g.Nodes[i])
		}
		for _, e := range g.Edges {
			if slices.Contains(level, index[e.From]) {
				if open[index[e.To]]--; open[index[e.To]] == 0 {
					next = append(next, index[e.To])
				}
			}
		}
		level = next
	}
	for i, n := range g.Nodes {
		if !done[i] {
			n.Level = depth
			sorted = append(sorted, n)
		}
	}
	g.Nodes = sorted
}

// RunGraph is the graph of a run: as its definition, with the state of each box.
func RunGraph(r *run.Run, now time.Time) *Graph {
	g := PipelineGraph(&r.Definition)
	g.Pipeline, g.Run, g.State = r.Pipeline, r.ID, cmp.Or(string(r.Outcome), string(r.Phase))
	for i := range g.Nodes {
		g.Nodes[i].of(r, now)
	}
	return g
}

// of fills in the state of a box.
func (n *GraphNode) of(r *run.Run, now time.Time) {
	n.State = StateWaiting
	if r.Phase == run.Done {
		n.State = StateSkipped
	}
	switch n.Kind {
	case GraphDataset:
		if d, known := r.Datasets[n.Name]; known {
			n.State, n.Detail = StateSucceeded, shortDigest(cmp.Or(d.Digest, d.Content))
		}
	case GraphStep:
		n.ofStep(r, now)
	case GraphSelect:
		if s := r.Definition.Select(n.Name); s != nil {
			if best := r.Selected(s); best != nil && endedIn(r.Of(s.Of)) == len(r.Of(s.Of)) {
				n.State, n.Detail = StateSucceeded, fmt.Sprintf("%s, %s", best.ID, figure(best.Metrics[s.Metric]))
			}
		}
	case GraphGate:
		for i := range r.Gates {
			if result := &r.Gates[i]; result.Name == n.Name && !result.Policy {
				n.Detail = string(result.Outcome)
				if n.State = StateSucceeded; result.Outcome != gate.Passed {
					n.State = StateFailed
					if !result.Denies() {
						n.State, n.Detail = StateSkipped, n.Detail+", does not count"
					}
				}
			}
		}
	case GraphPublish:
		switch {
		case r.Published != nil && r.Published.Unneeded != "":
			n.State, n.Detail = StateSkipped, "a version already"
		case r.Published != nil:
			n.State, n.Detail = StateSucceeded, strings.TrimSpace(n.Detail+" "+r.Published.Version)
		case r.Phase == run.Publishing:
			n.State = StateRunning
		}
	}
}

func (n *GraphNode) ofStep(r *run.Run, now time.Time) {
	group := r.Of(n.Name)
	if len(group) == 0 {
		return
	}
	if len(group) == 1 && !isVaried(r.Definition.Step(n.Name)) {
		node := group[0]
		n.State, n.Detail = graphState(node), took(node.Started, node.Finished, now)
		switch {
		case node.From != "":
			n.Detail = "from " + node.From
		case node.Started.IsZero():
			n.Detail = lookOf(node).words
		case node.Attempt > 1:
			n.Detail += fmt.Sprintf(", attempt %d", node.Attempt)
		}
		return
	}
	succeeded := succeededIn(group)
	for _, node := range group {
		n.Variants = append(n.Variants, graphState(node))
	}
	n.Detail = fmt.Sprintf("%d of %d", succeeded, len(group))
	if t := groupTook(group, now); t != "-" {
		n.Detail += ", " + t
	}
	n.State = StateWaiting
	for _, state := range []GraphState{StateFailed, StateRunning, StateSucceeded, StateCached, StateSkipped} {
		if slices.Contains(n.Variants, state) {
			n.State = state
			break
		}
	}
	if ended := endedIn(group); ended > 0 && ended < len(group) && n.State != StateFailed {
		n.State = StateRunning
	}
}

func graphState(n *run.Node) GraphState {
	switch n.Phase {
	case run.NodeWaiting, run.NodeLooking, run.NodeReady:
		return StateWaiting
	case run.NodeSucceeded:
		if n.From != "" {
			return StateCached
		}
		return StateSucceeded
	case run.NodeFailed:
		return StateFailed
	case run.NodeSkipped, run.NodeCancelled:
		return StateSkipped
	default:
		return StateRunning
	}
}

// title is what the graph is about.
func (g *Graph) title() string {
	if g.Run == "" {
		return g.Pipeline
	}
	return g.Run + " " + g.State
}
