package view

import (
	"math"
	"slices"
)

// layout is where the nodes of a graph are drawn, by Sugiyama's method (1981): in
// levels from left to right, ordered so that few edges cross, and shifted towards
// their neighbours.
type layout struct {
	nodes  []placed // those of the graph, then the bends of edges over several levels
	edges  []route
	levels [][]int // indices into nodes, from top to bottom
	width  float64
	height float64
}

// placed is a box, or with real = false a point where an edge passes a level.
type placed struct {
	real          bool
	x, y          float64 // of the left edge, and of the middle
	width, height float64
	level         int
	ins, outs     []int // neighbours on the level before and behind
}

// route is an edge: the nodes that it goes through, from its begin to its end.
type route struct {
	edge GraphEdge
	via  []int
}

// Distances of the drawing, in pixels.
const (
	levelGap  = 64.0
	nodeGap   = 22.0
	bendSpace = 14.0
)

// newLayout lays a graph out; size tells how large a box is.
func newLayout(g *Graph, size func(*GraphNode) (width, height float64)) *layout {
	l := &layout{}
	index := map[string]int{}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		width, height := size(n)
		index[n.ID] = i
		l.nodes = append(l.nodes, placed{real: true, width: width, height: height, level: n.Level})
		for len(l.levels) <= n.Level {
			l.levels = append(l.levels, nil)
		}
		l.levels[n.Level] = append(l.levels[n.Level], i)
	}
	for _, e := range g.Edges {
		l.connect(e, index[e.From], index[e.To])
	}
	l.order()
	l.place()
	return l
}

// connect adds an edge, with a bend on every level that it passes.
func (l *layout) connect(e GraphEdge, from, to int) {
	if l.nodes[from].level >= l.nodes[to].level {
		return // on a cycle
	}
	r := route{edge: e, via: []int{from}}
	at := from
	join := func(next int) {
		l.nodes[at].outs, l.nodes[next].ins = append(l.nodes[at].outs, next), append(l.nodes[next].ins, at)
		r.via, at = append(r.via, next), next
	}
	for level := l.nodes[from].level + 1; level < l.nodes[to].level; level++ {
		bend := len(l.nodes)
		l.nodes = append(l.nodes, placed{height: bendSpace, level: level})
		l.levels[level] = append(l.levels[level], bend)
		join(bend)
	}
	join(to)
	l.edges = append(l.edges, r)
}

// sweeps are enough for graphs that a person can read.
const sweeps = 24

// order sorts each level by the mean position of the neighbours, to and fro, and
// keeps what crosses least.
func (l *layout) order() {
	best, least := l.copyLevels(), l.crossings()
	for sweep := 0; sweep < sweeps && least > 0; sweep++ {
		position := l.positions()
		for step := range l.levels {
			level := step
			neighbours := func(i int) []int { return l.nodes[i].ins }
			if sweep%2 == 1 {
				level = len(l.levels) - 1 - step
				neighbours = func(i int) []int { return l.nodes[i].outs }
			}
			weight := map[int]float64{}
			for _, i := range l.levels[level] {
				weight[i] = barycentre(neighbours(i), position, position[i])
			}
			slices.SortStableFunc(l.levels[level], func(a, b int) int {
				switch {
				case weight[a] < weight[b]:
					return -1
				case weight[a] > weight[b]:
					return 1
				}
				return 0
			})
			for at, i := range l.levels[level] {
				position[i] = float64(at)
			}
		}
		if n := l.crossings(); n < least {
			best, least = l.copyLevels(), n
		}
	}
	l.levels = best
}

func (l *layout) copyLevels() [][]int {
	levels := make([][]int, len(l.levels))
	for i := range l.levels {
		levels[i] = slices.Clone(l.levels[i])
	}
	return levels
}

func (l *layout) positions() []float64 {
	position := make([]float64, len(l.nodes))
	for _, level := range l.levels {
		for at, i := range level {
			position[i] = float64(at)
		}
	}
	return position
}

func barycentre(neighbours []int, position []float64, alone float64) float64 {
	if len(neighbours) == 0 {
		return alone
	}
	sum := 0.0
	for _, n := range neighbours {
		sum += position[n]
	}
	return sum / float64(len(neighbours))
}

// crossings counts pairs of edges between two levels that cross.
func (l *layout) crossings() int {
	position := l.positions()
	n := 0
	for _, level := range l.levels {
		var ends [][2]float64
		for _, i := range level {
			for _, out := range l.nodes[i].outs {
				ends = append(ends, [2]float64{position[i], position[out]})
			}
		}
		for i, a := range ends {
			for _, b := range ends[i+1:] {
				if (a[0]-b[0])*(a[1]-b[1]) < 0 {
					n++
				}
			}
		}
	}
	return n
}

// place gives every node its coordinates.
func (l *layout) place() {
	x := 0.0
	for _, level := range l.levels {
		widest := 0.0
		for _, i := range level {
			widest = max(widest, l.nodes[i].width)
		}
		for _, i := range level {
			if !l.nodes[i].real {
				l.nodes[i].width = widest // past the boxes an edge goes straight
			}
			l.nodes[i].x = x + (widest-l.nodes[i].width)/2
		}
		x += widest + levelGap
	}
	l.width = max(x-levelGap, 0)
	for _, level := range l.levels {
		l.settle(level, func(int) float64 { return 0 })
	}
	for sweep := range sweeps {
		for step := range l.levels {
			level := step
			if sweep%2 == 1 {
				level = len(l.levels) - 1 - step
			}
			l.settle(l.levels[level], l.wanted)
		}
	}
	top, bottom := math.Inf(1), math.Inf(-1)
	for i := range l.nodes {
		top, bottom = min(top, l.nodes[i].y-l.nodes[i].height/2), max(bottom, l.nodes[i].y+l.nodes[i].height/2)
	}
	if len(l.nodes) == 0 {
		return
	}
	for i := range l.nodes {
		l.nodes[i].y -= top
	}
	l.height = bottom - top
}

// wanted is the height that a node would have if it were alone: between its
// neighbours.
func (l *layout) wanted(i int) float64 {
	n := &l.nodes[i]
	sum, count := 0.0, 0.0
	for _, other := range slices.Concat(n.ins, n.outs) {
		sum, count = sum+l.nodes[other].y, count+1
	}
	if count == 0 {
		return n.y
	}
	return sum / count
}

// settle puts the nodes of a level as near as can be to where they want to be, in
// their order and apart from each other: nodes that touch move as one block to the
// mean of their wishes.
func (l *layout) settle(level []int, wanted func(int) float64) {
	type block struct {
		first, last int     // of the level
		sum         float64 // of the wishes for the first node's place
		at          float64 // of the first node
	}
	offset := make([]float64, len(level)) // of a node from the first one, if all touched
	for k := 1; k < len(level); k++ {
		a, b := &l.nodes[level[k-1]], &l.nodes[level[k]]
		offset[k] = offset[k-1] + (a.height+b.height)/2 + nodeGap
	}
	var blocks []block
	for k, i := range level {
		wish := wanted(i) - offset[k]
		blocks = append(blocks, block{k, k, wish, wish})
		for n := len(blocks); n > 1 && blocks[n-2].at > blocks[n-1].at; n = len(blocks) {
			a, b := blocks[n-2], blocks[n-1]
			merged := block{first: a.first, last: b.last, sum: a.sum + b.sum}
			merged.at = merged.sum / float64(merged.last-merged.first+1)
			blocks = append(blocks[:n-2], merged)
		}
	}
	for _, b := range blocks {
		for k := b.first; k <= b.last; k++ {
			l.nodes[level[k]].y = b.at + offset[k]
		}
	}
}
