package view

import "fmt"

// Crossings counts the edges of a drawn graph that cross.
func Crossings(g *Graph) int { return newLayout(g, boxSize).crossings() }

// Overlap names boxes of a drawn graph that lie on each other, or outside of it.
func Overlap(g *Graph) string {
	l := newLayout(g, boxSize)
	for i := range g.Nodes {
		a := &l.nodes[i]
		if a.x < -0.01 || a.y-a.height/2 < -0.01 || a.x+a.width > l.width+0.01 || a.y+a.height/2 > l.height+0.01 {
			return fmt.Sprintf("%s is outside: %+v of %g x %g", g.Nodes[i].ID, *a, l.width, l.height)
		}
		for j := range i {
			b := &l.nodes[j]
			if a.x < b.x+b.width && b.x < a.x+a.width && a.y-a.height/2 < b.y+b.height/2 && b.y-b.height/2 < a.y+a.height/2 {
				return fmt.Sprintf("%s lies on %s", g.Nodes[i].ID, g.Nodes[j].ID)
			}
		}
	}
	return ""
}
