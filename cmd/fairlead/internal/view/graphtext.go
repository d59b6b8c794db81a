package view

import (
	"fmt"
	"strings"
)

var graphLooks = map[GraphState]look{
	"":             {"○", "", ""},
	StateWaiting:   {"·", dim, "waiting"},
	StateRunning:   {"●", cyan, "running"},
	StateSucceeded: {"✓", green, "succeeded"},
	StateCached:    {"✓", cyan, "cached"},
	StateFailed:    {"✗", red, "failed"},
	StateSkipped:   {"-", dim, "skipped"},
}

// GraphText prints a graph as a list, each node behind all that it needs.
func (v *View) GraphText(g *Graph) error {
	out := &printer{v: v}
	out.line("%s", v.paint(bold, g.title()))
	rows := [][]string{{"NODE", "STATE", "WHAT", "NEEDS"}}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		l := graphLooks[n.State]
		rows = append(rows, []string{l.mark + " " + n.ID, l.words, n.Detail, strings.Join(g.needs(n.ID), ", ")})
	}
	if g.Run == "" {
		for i := range rows {
			rows[i] = append(rows[i][:1], rows[i][2:]...)
		}
	}
	out.table(rows, func(row, column int) string {
		if column == 0 || column == 1 && g.Run != "" {
			return graphLooks[g.Nodes[row].State].color
		}
		return ""
	})
	return out.flush()
}

// needs are the nodes that one needs, with the outputs that are read of them.
func (g *Graph) needs(id string) []string {
	var needs []string
	for _, e := range g.Edges {
		if e.To != id {
			continue
		}
		text := e.From
		if e.Label != "" {
			text += " (" + e.Label + ")"
		}
		needs = append(needs, text)
	}
	return needs
}

// mermaidShapes are how Mermaid writes the kinds of box.
var mermaidShapes = map[GraphKind][2]string{
	GraphDataset: {"[(", ")]"}, GraphStep: {"[", "]"}, GraphSelect: {"{{", "}}"}, GraphGate: {"{", "}"}, GraphPublish: {"([", "])"},
}

// Mermaid is a graph as forges draw it in Markdown.
func (g *Graph) Mermaid() string {
	var b strings.Builder
	fmt.Fprintf(&b, "---\ntitle: %s\n---\nflowchart LR\n", mermaidText(g.title()))
	number := map[string]int{}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		number[n.ID] = i
		text := n.Name
		if n.Detail != "" {
			text += "<br/>" + mermaidText(n.Detail)
		}
		shape := mermaidShapes[n.Kind]
		fmt.Fprintf(&b, "  n%d%s\"%s\"%s", i, shape[0], text, shape[1])
		if n.State != "" {
			fmt.Fprintf(&b, ":::%s", n.State)
		}
		b.WriteString("\n")
	}
	for _, e := range g.Edges {
		arrow := "-->"
		if e.Order {
			arrow = "-.->"
		}
		if e.Label != "" {
			arrow += "|\"" + mermaidText(e.Label) + "\"|"
		}
		fmt.Fprintf(&b, "  n%d %s n%d\n", number[e.From], arrow, number[e.To])
	}
	for _, state := range graphStates {
		if g.has(state) {
			paint := svgColors[state]
			fmt.Fprintf(&b, "  classDef %s fill:%s,stroke:%s,color:#1f2328\n", state, paint.fill, paint.stroke)
		}
	}
	return b.String()
}

// graphStates are the states in the order of a legend.
var graphStates = []GraphState{StateSucceeded, StateCached, StateRunning, StateWaiting, StateFailed, StateSkipped}

// has tells whether a node, or a variant of one, is in a state.
func (g *Graph) has(state GraphState) bool {
	for i := range g.Nodes {
		if g.Nodes[i].State == state {
			return true
		}
		for _, variant := range g.Nodes[i].Variants {
			if variant == state {
				return true
			}
		}
	}
	return false
}

// mermaidText keeps a text from ending its quotes, or from being read as markup.
func mermaidText(s string) string {
	return strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "\n", " ").Replace(s)
}
