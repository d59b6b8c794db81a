package view

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

// svgPaint is how a state is drawn. The colors are told apart without their hue,
// too: by the sign in the box.
type svgPaint struct{ fill, stroke string }

var svgColors = map[GraphState]svgPaint{
	"":             {"#f6f8fa", "#57606a"},
	StateWaiting:   {"#f6f8fa", "#8c959f"},
	StateRunning:   {"#ddf4ff", "#0969da"},
	StateSucceeded: {"#dafbe1", "#1a7f37"},
	StateCached:    {"#e4f7f6", "#0f7b83"},
	StateFailed:    {"#ffebe9", "#cf222e"},
	StateSkipped:   {"#eaeef2", "#8c959f"},
}

// Sizes of the drawing, in pixels. Texts are in a monospaced font, of which a letter
// is never wider than so much of its size; textLength holds a viewer without such a
// font to it.
const (
	margin     = 24.0
	headHeight = 44.0
	legendRow  = 34.0
	nameSize   = 13.0
	detailSize = 11.0
	letter     = 0.62
	longest    = 30 // letters of a name that are shown
	pip        = 8.0
	pips       = 24 // variants that are shown one by one
)

// SVG is the graph as a picture of its own.
func (g *Graph) SVG() string {
	l := newLayout(g, boxSize)
	legend := g.legend()
	width := max(l.width, float64(utf8.RuneCountInString(g.title()))*18*letter, legendWidth(legend)) + 2*margin
	height := headHeight + l.height + 2*margin
	if len(legend) > 0 {
		height += legendRow
	}
	s := &svg{}
	s.line(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace">`, width, height, width, height)
	s.line(`<title>%s</title>`, escape(g.title()))
	s.line(`<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0.8 L7.4,4 L0,7.2 z" fill="#57606a"/></marker></defs>`)
	s.line(`<rect width="100%%" height="100%%" fill="#ffffff"/>`)
	s.text(margin, margin+16, 18, "start", "#1f2328", `font-weight="600"`, g.title())
	s.line(`<g transform="translate(%.1f,%.1f)">`, margin, margin+headHeight)
	for _, r := range l.edges {
		s.edge(l, &r)
	}
	for i := range g.Nodes {
		s.node(&g.Nodes[i], &l.nodes[i])
	}
	for _, r := range l.edges {
		s.label(l, &r)
	}
	s.line(`</g>`)
	s.legend(legend, height-margin)
	s.line(`</svg>`)
	return s.String()
}

// boxSize is how much room a box needs.
func boxSize(n *GraphNode) (width, height float64) {
	width = max(textWidth("○ "+shortName(n.Name), nameSize), textWidth(shortName(n.Detail), detailSize), textWidth(string(n.Kind), detailSize))
	height = 52
	if len(n.Variants) > 0 {
		width = max(width, float64(min(len(n.Variants), pips))*(pip+3))
		height += pip + 7
	}
	return max(width, 70) + 24, height
}

func textWidth(s string, size float64) float64 {
	return float64(utf8.RuneCountInString(s)) * size * letter
}

// shortName is as much of a name as is drawn; the whole of it shows when it is
// pointed at.
func shortName(s string) string {
	letters := []rune(s)
	if len(letters) <= longest {
		return s
	}
	return string(letters[:longest-1]) + "…"
}

// svg collects the elements of a picture.
type svg struct{ strings.Builder }

func (s *svg) line(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// escape makes a text safe inside of an element. XML has no other way to hold
// control characters than to leave them out.
func escape(text string) string {
	return html.EscapeString(strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == utf8.RuneError || c == 0xfffe || c == 0xffff {
			return -1
		}
		return c
	}, text))
}

func (s *svg) text(x, y, size float64, anchor, color, more, text string) {
	if text == "" {
		return
	}
	s.line(`<text x="%.1f" y="%.1f" font-size="%.0f" text-anchor="%s" fill="%s" textLength="%.1f" lengthAdjust="spacingAndGlyphs" %s>%s</text>`,
		x, y, size, anchor, color, textWidth(text, size)*0.97, more, escape(text))
}

// node draws a box: its kind, its sign and name, its detail, its variants.
func (s *svg) node(n *GraphNode, at *placed) {
	paint, l := svgColors[n.State], graphLooks[n.State]
	top := at.y - at.height/2
	radius := 6.0
	dash := ""
	switch n.Kind {
	case GraphDataset, GraphPublish:
		radius = 20
	case GraphGate, GraphSelect:
		dash = ` stroke-dasharray="5 3"`
	case GraphStep:
	}
	tip := strings.TrimSpace(n.ID + " " + l.words + " " + n.Detail)
	s.line(`<g><title>%s</title><rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.0f" fill="%s" stroke="%s" stroke-width="1.6"%s/>`,
		escape(tip), at.x, top, at.width, at.height, radius, paint.fill, paint.stroke, dash)
	middle := at.x + at.width/2
	s.text(middle, top+14, 10, "middle", "#57606a", "", string(n.Kind))
	name := shortName(n.Name)
	if l.words != "" {
		name = l.mark + " " + name
	}
	s.text(middle, top+29, nameSize, "middle", "#1f2328", `font-weight="600"`, name)
	s.text(middle, top+44, detailSize, "middle", "#424a53", "", shortName(n.Detail))
	shown := min(len(n.Variants), pips)
	x := middle - (float64(shown)*(pip+3)-3)/2
	for i := range shown {
		variant := svgColors[n.Variants[i]]
		s.line(`<rect x="%.1f" y="%.1f" width="%.0f" height="%.0f" rx="2" fill="%s" stroke="%s"/>`, x+float64(i)*(pip+3), top+50, pip, pip, variant.stroke, variant.stroke)
	}
	s.line(`</g>`)
}

// edge draws a smooth line through the bends of an edge.
func (s *svg) edge(l *layout, r *route) {
	dash := ""
	if r.edge.Order {
		dash = ` stroke-dasharray="2 4"`
	}
	var path strings.Builder
	for k := range len(r.via) - 1 {
		from, to := &l.nodes[r.via[k]], &l.nodes[r.via[k+1]]
		x1, x2 := from.x+from.width, to.x
		if k == 0 {
			fmt.Fprintf(&path, "M%.1f,%.1f ", x1, from.y)
		}
		if to.real {
			x2 -= 2 // room for the arrow's tip
		}
		bend := (x2 - x1) / 2
		fmt.Fprintf(&path, "C%.1f,%.1f %.1f,%.1f %.1f,%.1f ", x1+bend, from.y, x2-bend, to.y, x2, to.y)
		if !to.real {
			fmt.Fprintf(&path, "H%.1f ", to.x+to.width)
		}
	}
	s.line(`<path d="%s" fill="none" stroke="#8c959f" stroke-width="1.4"%s marker-end="url(#arrow)"><title>%s</title></path>`,
		strings.TrimSpace(path.String()), dash, escape(strings.TrimSpace(r.edge.From+" → "+r.edge.To+" "+r.edge.Label)))
}

// label writes the name of the output that is read where the edge begins.
func (s *svg) label(l *layout, r *route) {
	if r.edge.Label == "" {
		return
	}
	from, to := &l.nodes[r.via[0]], &l.nodes[r.via[1]]
	text := shortName(r.edge.Label)
	size := 9.0
	x, y := (from.x+from.width+to.x)/2, (from.y+to.y)/2-3
	half := textWidth(text, size)/2 + 2
	s.line(`<rect x="%.1f" y="%.1f" width="%.1f" height="12" fill="#ffffff" fill-opacity="0.85"/>`, x-half, y-9, 2*half)
	s.text(x, y, size, "middle", "#57606a", "", text)
}

// legend are the states that occur.
func (g *Graph) legend() []GraphState {
	var states []GraphState
	for _, state := range graphStates {
		if g.has(state) {
			states = append(states, state)
		}
	}
	return states
}

func legendWidth(states []GraphState) float64 {
	width := 0.0
	for _, state := range states {
		width += legendCell(state)
	}
	return width
}

func legendCell(state GraphState) float64 { return 42 + textWidth(graphLooks[state].words, detailSize) }

func (s *svg) legend(states []GraphState, y float64) {
	x := margin
	for _, state := range states {
		paint := svgColors[state]
		s.line(`<rect x="%.1f" y="%.1f" width="14" height="14" rx="3" fill="%s" stroke="%s" stroke-width="1.6"/>`, x, y-12, paint.fill, paint.stroke)
		s.text(x+20, y, detailSize, "start", "#424a53", "", graphLooks[state].mark+" "+graphLooks[state].words)
		x += legendCell(state)
	}
}
