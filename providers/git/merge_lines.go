package git

import (
	"bytes"
	"slices"
)

const (
	// maxEdits bounds the lines in which two versions of a file may differ to be
	// merged. Time and memory go with its square.
	maxEdits = 2000
	// binaryHead is how much of a file git looks at to tell whether it is text.
	binaryHead = 8000
)

// mergeLines merges what two sides made of a text, line by line, as diff3 and git do
// (Khanna, Kunal and Pierce, A Formal Investigation of Diff3, 2007). Changes must
// leave an unchanged line between them, wherever a diff might put them: of repeated
// lines it is not clear which one was added. The same change on both sides counts once.
// It is false where a person has to look.
func mergeLines(base, ours, theirs []byte) ([]byte, bool) {
	for _, text := range [][]byte{base, ours, theirs} {
		if bytes.IndexByte(text[:min(len(text), binaryHead)], 0) >= 0 {
			return nil, false
		}
	}
	ids := map[string]int{}
	a, b, c := number(base, ids), number(ours, ids), number(theirs, ids)
	our, ok := diffLines(a.ids, b.ids)
	if !ok {
		return nil, false
	}
	their, ok := diffLines(a.ids, c.ids)
	if !ok {
		return nil, false
	}
	var out []byte
	done := 0 // lines of the base that are written
	for len(our) > 0 || len(their) > 0 {
		g := nextGroup(&our, &their)
		out = append(out, a.join(done, g.from)...)
		done = g.to
		text := b
		at := g.ours
		if !g.inOurs {
			text, at = c, g.theirs
		}
		made := text.join(at[0], at[1])
		if g.inOurs && g.inTheirs {
			same := bytes.Equal(made, c.join(g.theirs[0], g.theirs[1]))
			if !same || !a.once(g.from, g.to) || !b.once(g.ours[0], g.ours[1]) {
				return nil, false
			}
		}
		out = append(out, made...)
	}
	return append(out, a.join(done, len(a.ids))...), true
}

// lines is a text whose lines have numbers: equal ones the same.
type lines struct {
	text [][]byte
	ids  []int
}

func number(text []byte, ids map[string]int) lines {
	var l lines
	for line := range bytes.Lines(text) {
		id, known := ids[string(line)]
		if !known {
			id = len(ids)
			ids[string(line)] = id
		}
		l.text = append(l.text, line)
		l.ids = append(l.ids, id)
	}
	return l
}

func (l lines) join(from, to int) []byte { return bytes.Join(l.text[from:to], nil) }

// once tells whether none of these lines is a second time in the text. Where one is,
// another diff may see another change.
func (l lines) once(from, to int) bool {
	count := map[int]int{}
	for _, id := range l.ids {
		count[id]++
	}
	return !slices.ContainsFunc(l.ids[from:to], func(id int) bool { return count[id] > 1 })
}

// hunk replaces the lines of a from a0 to a1 by those of b from b0 to b1.
type hunk struct{ a0, a1, b0, b1 int }

// group is a part of the base that the hunks of one or both sides replace.
type group struct {
	from, to         int    // of the base
	ours, theirs     [2]int // what a side has there, if it
	inOurs, inTheirs bool   // has changed it
}

// nextGroup takes off the first hunk, and all that touch or overlap with it.
func nextGroup(our, their *[]hunk) group {
	var taken [2][]hunk
	from, to := -1, -1
	take := func(hunks *[]hunk, side int) bool {
		if len(*hunks) == 0 || from >= 0 && (*hunks)[0].a0 > to {
			return false
		}
		h := (*hunks)[0]
		*hunks = (*hunks)[1:]
		if from < 0 {
			from = h.a0
		}
		to = max(to, h.a1)
		taken[side] = append(taken[side], h)
		return true
	}
	if len(*their) == 0 || len(*our) > 0 && (*our)[0].a0 <= (*their)[0].a0 {
		take(our, 0)
	} else {
		take(their, 1)
	}
	for take(our, 0) || take(their, 1) {
	}
	g := group{from: from, to: to, inOurs: len(taken[0]) > 0, inTheirs: len(taken[1]) > 0}
	g.ours, g.theirs = span(taken[0], from, to), span(taken[1], from, to)
	return g
}

// span is where a side has what the base has between two lines, around its hunks.
func span(hunks []hunk, from, to int) [2]int {
	if len(hunks) == 0 {
		return [2]int{}
	}
	first, last := hunks[0], hunks[len(hunks)-1]
	return [2]int{first.b0 - (first.a0 - from), last.b1 + (to - last.a1)}
}

// diffLines finds the hunks that make b of a, by the greedy algorithm of Myers (An
// O(ND) Difference Algorithm and Its Variations, 1986). Each is widened to all places
// where it might as well be. It is false if they differ in too many lines.
func diffLines(a, b []int) ([]hunk, bool) {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	hunks, ok := shortestEdit(a[head:len(a)-tail], b[head:len(b)-tail])
	if !ok {
		return nil, false
	}
	for i, h := range hunks {
		hunks[i] = hunk{h.a0 + head, h.a1 + head, h.b0 + head, h.b1 + head}
	}
	return widened(hunks, a, b), true
}

// widened joins the hunks that touch once each is as wide as it could be.
func widened(hunks []hunk, a, b []int) []hunk {
	type wide struct {
		from, to int
		hunks    []hunk
	}
	var all []wide
	for _, h := range hunks {
		up, down := h.slides(a, b)
		w := wide{h.a0 - up, h.a1 + down, []hunk{h}}
		for len(all) > 0 && w.from <= all[len(all)-1].to {
			last := all[len(all)-1]
			all = all[:len(all)-1]
			w = wide{min(last.from, w.from), max(last.to, w.to), append(last.hunks, w.hunks...)}
		}
		all = append(all, w)
	}
	joined := make([]hunk, 0, len(all))
	for _, w := range all {
		at := span(w.hunks, w.from, w.to)
		joined = append(joined, hunk{w.from, w.to, at[0], at[1]})
	}
	return joined
}

// slides counts the lines above and below over which the hunk could slide.
func (h hunk) slides(a, b []int) (up, down int) {
	for _, g := range []struct {
		lines    []int
		from, to int
	}{{a, h.a0, h.a1}, {b, h.b0, h.b1}} {
		if g.from == g.to {
			continue
		}
		n := 0
		for g.from-1-n >= 0 && g.lines[g.from-1-n] == g.lines[g.to-1-n] {
			n++
		}
		up = max(up, n)
		n = 0
		for g.to+n < len(g.lines) && g.lines[g.from+n] == g.lines[g.to+n] {
			n++
		}
		down = max(down, n)
	}
	return min(up, h.a0), min(down, len(a)-h.a1)
}

// shortestEdit is the algorithm itself.
func shortestEdit(a, b []int) ([]hunk, bool) {
	n, m := len(a), len(b)
	limit := min(n+m, maxEdits)
	reach := make([]int, 2*limit+3) // by diagonal: how far into a it goes
	var trace [][]int
	for d := 0; d <= limit; d++ {
		trace = append(trace, slices.Clone(reach[limit+1-d:limit+2+d]))
		for k := -d; k <= d; k += 2 {
			x := 0
			switch at := limit + 1 + k; {
			case d == 0:
			case k == -d || k != d && reach[at-1] < reach[at+1]:
				x = reach[at+1]
			default:
				x = reach[at-1] + 1
			}
			for x < n && x-k < m && a[x] == b[x-k] {
				x++
			}
			reach[limit+1+k] = x
			if x >= n && x-k >= m {
				return backtrack(trace, n, m), true
			}
		}
	}
	return nil, false
}

// backtrack follows the way back through what each round had reached, and joins the
// single edits to hunks.
func backtrack(trace [][]int, x, y int) []hunk {
	var hunks []hunk
	for d := len(trace) - 1; d > 0; d-- {
		before := trace[d] // diagonals from -d to d, as they were before round d
		k := x - y
		down := k == -d || k != d && before[k-1+d] < before[k+1+d]
		fromK := k - 1
		if down {
			fromK = k + 1
		}
		px := before[fromK+d]
		py := px - fromK
		ex, ey := px+1, py // where the edit ends
		if down {
			ex, ey = px, py+1
		}
		if last := len(hunks) - 1; last >= 0 && hunks[last].a0 == ex && hunks[last].b0 == ey {
			hunks[last].a0, hunks[last].b0 = px, py
		} else {
			hunks = append(hunks, hunk{px, ex, py, ey})
		}
		x, y = px, py
	}
	slices.Reverse(hunks)
	return hunks
}
