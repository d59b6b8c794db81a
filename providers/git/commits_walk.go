package git

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// walk goes through history from newer to older commits, as git rev-list does. The
// dates of commits only order the work: anybody can set them.
type walk struct {
	ctx   context.Context
	repo  *repository
	nodes map[plumbing.Hash]*node
	queue queue
	// live counts what is queued and may still change the outcome.
	live func(flags) bool
	left int // live ones
}

// node is a commit on the way.
type node struct {
	id      plumbing.Hash
	parents []plumbing.Hash
	date    int64
	missing bool // a shallow repository does not have it
	flags   flags
	queued  bool
}

// flags say from where a commit was reached.
type flags uint8

const (
	fromNew flags = 1 << iota // from the newer of the two
	fromOld
	common // by way of a commit that both lead to
)

func newWalk(ctx context.Context, repo *repository) *walk {
	return &walk{ctx: ctx, repo: repo, nodes: map[plumbing.Hash]*node{}}
}

// load reads a commit, once.
func (w *walk) load(id plumbing.Hash) (*node, error) {
	if n := w.nodes[id]; n != nil {
		return n, nil
	}
	n := &node{id: id, missing: !w.repo.has(id)}
	if !n.missing {
		facts, err := w.repo.facts(id)
		if err != nil {
			return nil, err
		}
		n.parents, n.date = facts.parents, facts.when.Unix()
	}
	w.nodes[id] = n
	return n, nil
}

// reach marks a commit, and queues it if that is news.
func (w *walk) reach(id plumbing.Hash, f flags) error {
	n, err := w.load(id)
	if err != nil || n.flags|f == n.flags {
		return err
	}
	if n.queued && w.live(n.flags) {
		w.left--
	}
	n.flags |= f
	if w.live(n.flags) {
		w.left++
	}
	if !n.queued {
		n.queued = true
		heap.Push(&w.queue, n)
	}
	return nil
}

// step takes the newest commit out of the queue.
func (w *walk) step() (*node, error) {
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	n := heap.Pop(&w.queue).(*node)
	n.queued = false
	if w.live(n.flags) {
		w.left--
	}
	return n, nil
}

// stretch is what leads to one commit and not to another.
type stretch struct {
	commits         []plumbing.Hash // parents first
	descends, known bool
}

// slop is how many commits are looked at further to see whether a commit with a wrong
// date is older than it says. Missing one makes the stretch too long, never too short.
const slop = 256

// between finds the commits that lead to `to` and not to `from`; from zero: all.
func (w *walk) between(from, to plumbing.Hash) (stretch, error) {
	if !w.repo.has(to) {
		return stretch{}, fmt.Errorf("it has no commit %s", to)
	}
	if from == to {
		return stretch{descends: true, known: true}, nil
	}
	w.live = func(f flags) bool { return f == fromNew }
	err := w.reach(to, fromNew)
	if err == nil && !from.IsZero() {
		err = w.reach(from, fromOld)
	}
	if err != nil {
		return stretch{}, err
	}
	mixed, spare := false, slop
	for len(w.queue) > 0 && (w.left > 0 || mixed && spare > 0) {
		if w.left == 0 {
			spare--
		}
		n, err := w.step()
		if err != nil {
			return stretch{}, err
		}
		f := n.flags
		if n.id == from {
			f = fromOld // what lies beyond is old whichever way it was reached
		} else if f == fromNew|fromOld {
			mixed = true
		}
		for _, parent := range n.parents {
			if err := w.reach(parent, f); err != nil {
				return stretch{}, err
			}
		}
		if len(w.nodes) > 4*maxRange {
			return stretch{}, fmt.Errorf("more than %d commits lead to %s", 4*maxRange, shortHash(to))
		}
	}
	return w.stretch(from, to)
}

// stretch sums up what was walked.
func (w *walk) stretch(from, to plumbing.Hash) (stretch, error) {
	s := stretch{descends: from.IsZero(), known: true}
	if n := w.nodes[from]; n != nil && n.flags&fromNew != 0 {
		s.descends = true
	}
	for _, n := range w.nodes {
		if n.missing && n.flags == fromNew {
			s.known = false
		}
	}
	s.commits = w.sorted(to, func(n *node) bool { return n.flags == fromNew && !n.missing })
	if len(s.commits) > maxRange {
		return s, fmt.Errorf("%d commits lead to %s, more than the %d that can be judged at once", len(s.commits), shortHash(to), maxRange)
	}
	return s, nil
}

// sorted lists the commits that lead to one, parents first.
func (w *walk) sorted(to plumbing.Hash, wanted func(*node) bool) []plumbing.Hash {
	type visit struct {
		n    *node
		next int // of its parents
	}
	var order []plumbing.Hash
	seen := map[plumbing.Hash]bool{}
	var path []visit
	enter := func(id plumbing.Hash) {
		if n := w.nodes[id]; n != nil && wanted(n) && !seen[id] {
			seen[id] = true
			path = append(path, visit{n: n})
		}
	}
	for enter(to); len(path) > 0; {
		at := &path[len(path)-1]
		if at.next < len(at.n.parents) {
			at.next++
			enter(at.n.parents[at.next-1])
			continue
		}
		order = append(order, at.n.id)
		path = path[:len(path)-1]
	}
	return order
}

// bases are the best common ancestors of two commits, the newest first, as git
// merge-base --all prints them. whole is false where a shallow repository ends before
// they are clear.
func (w *walk) bases(one, two plumbing.Hash) (found []plumbing.Hash, whole bool, err error) {
	if one == two {
		return []plumbing.Hash{one}, true, nil
	}
	const both = fromNew | fromOld
	w.live = func(f flags) bool { return f&common == 0 }
	if err := w.reach(one, fromNew); err != nil {
		return nil, false, err
	}
	if err := w.reach(two, fromOld); err != nil {
		return nil, false, err
	}
	results := map[plumbing.Hash]*node{}
	for w.left > 0 {
		n, err := w.step()
		if err != nil {
			return nil, false, err
		}
		f := n.flags
		if f == both {
			results[n.id] = n
			f |= common
		}
		for _, parent := range n.parents {
			if err := w.reach(parent, f); err != nil {
				return nil, false, err
			}
		}
		if len(w.nodes) > 4*maxRange {
			return nil, false, fmt.Errorf("more than %d commits lie between %s and %s", 4*maxRange, shortHash(one), shortHash(two))
		}
	}
	whole = true
	for _, n := range w.nodes {
		whole = whole && (!n.missing || n.flags&common != 0)
	}
	var candidates []*node
	for _, n := range results {
		if n.flags&common == 0 { // else another one is newer
			candidates = append(candidates, n)
		}
	}
	slices.SortFunc(candidates, func(a, b *node) int {
		return cmp.Or(cmp.Compare(b.date, a.date), cmp.Compare(a.id.String(), b.id.String()))
	})
	found, err = w.independent(candidates)
	return found, whole, err
}

// maxBases bounds the best common ancestors that are told apart.
const maxBases = 16

// independent leaves out what another one descends from. There is any only where
// dates are wrong.
func (w *walk) independent(candidates []*node) ([]plumbing.Hash, error) {
	if len(candidates) > maxBases {
		return nil, fmt.Errorf("the two have more than %d best common ancestors", maxBases)
	}
	var found []plumbing.Hash
	for _, n := range candidates {
		redundant := false
		for _, other := range candidates {
			if other == n || redundant {
				continue
			}
			tip, err := w.repo.commit(other.id)
			if err != nil {
				return nil, err
			}
			if redundant, _, err = w.repo.isAncestor(w.ctx, n.id, tip); err != nil {
				return nil, err
			}
		}
		if !redundant {
			found = append(found, n.id)
		}
	}
	return found, nil
}

// queue orders commits by date, the newest first.
type queue []*node

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[j].date, q[i].date), cmp.Compare(q[i].id.String(), q[j].id.String())) < 0
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(*node)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	n := (*q)[last]
	*q = (*q)[:last]
	return n
}
