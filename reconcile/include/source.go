package include

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Options are what a Source needs.
type Options struct {
	Root reconcile.Source
	// Includes reads the include blocks of a tree of the root. Where that does not load
	// it is an error, and the tree is passed on as it is: loading it says why.
	Includes func(tree spec.Tree) ([]*spec.Include, error)
	// Open makes the Source of an include, which passes on only what may be followed. It
	// is called anew when the block changes, and what it returned then takes the place of
	// what it returned before.
	Open func(ctx context.Context, i *spec.Include) (reconcile.Source, error)
	// Closed is told the name of an include that is none any more; nil: nobody asks.
	Closed func(name string)
	// Check loads a composed tree. The error is for people.
	Check func(ctx context.Context, tree spec.Tree) error
	// Last is the tree that was followed before this program started; the error wraps
	// fs.ErrNotExist if there is none.
	Last func(ctx context.Context) (spec.Tree, error)
}

// Source is a composed Source. It is safe for concurrent use.
type Source struct {
	opts Options
	turn chan struct{} // holds one token
	// Of who has the turn.
	repos map[string]*repo
	last  *reconcile.Snapshot // composed, as it was returned
	read  *blocks             // of the newest tree of the root that was read
}

// repo is one included repository.
type repo struct {
	block  spec.Include
	source reconcile.Source
	open   bool
	tree   spec.Tree // that is mounted; nil: none was read yet
}

var _ reconcile.Source = (*Source)(nil)

// New returns a Source. It asks nobody.
func New(o Options) *Source {
	s := &Source{opts: o, turn: make(chan struct{}, 1), repos: map[string]*repo{}}
	s.turn <- struct{}{}
	return s
}

// Latest implements reconcile.Source.
func (s *Source) Latest(ctx context.Context) (reconcile.Snapshot, error) {
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
	case <-ctx.Done():
		return reconcile.Snapshot{}, fmt.Errorf("wait for another look at the repositories: %w", context.Cause(ctx))
	}
	root, err := s.opts.Root.Latest(ctx)
	if err != nil {
		return s.aside(ctx, err)
	}
	blocks, err := s.blocksOf(root.Tree)
	if err != nil {
		s.last = nil
		return root, nil //nolint:nilerr // whoever loads the tree tells
	}
	if len(blocks) == 0 {
		s.last = nil
		s.forget(blocks)
		return root, nil
	}
	return s.compose(ctx, root, blocks)
}

// blocks are the include blocks of a commit.
type blocks struct {
	commit string
	list   []*spec.Include
}

// blocksOf reads the include blocks of a tree, once for each commit.
func (s *Source) blocksOf(tree spec.Tree) ([]*spec.Include, error) {
	commit := tree.Commit().ID
	if s.read != nil && commit != "" && s.read.commit == commit {
		return s.read.list, nil
	}
	list, err := s.opts.Includes(tree)
	if err == nil {
		s.read = &blocks{commit, list}
	}
	return list, err
}

// aside looks at the included repositories while the root cannot be read, or its newest
// commit is refused: they go on with the root as it was.
func (s *Source) aside(ctx context.Context, cause error) (reconcile.Snapshot, error) {
	refusal, refused := errors.AsType[*reconcile.Refusal](cause)
	if s.last == nil {
		return reconcile.Snapshot{}, cause
	}
	rooted, composed := s.last.Tree.(*tree)
	if !composed {
		return reconcile.Snapshot{}, cause
	}
	blocks, err := s.blocksOf(rooted.root)
	if err != nil {
		return reconcile.Snapshot{}, cause
	}
	before := s.last.Tree.Commit().Key()
	next, err := s.compose(ctx, reconcile.Snapshot{Tree: rooted.root}, blocks)
	if err != nil || next.Tree.Commit().Key() == before {
		return reconcile.Snapshot{}, cause // nothing is new but what is wrong with the root
	}
	note := "the root: " + cause.Error()
	if refused {
		note = refusal.Error()
	}
	next.Notes = append(next.Notes, note)
	return next, nil
}

// compose mounts the newest tree of each include that is good.
func (s *Source) compose(ctx context.Context, root reconcile.Snapshot, blocks []*spec.Include) (reconcile.Snapshot, error) {
	if err := s.settle(ctx, blocks); err != nil {
		return reconcile.Snapshot{}, err
	}
	news := s.ask(ctx, blocks)
	out := reconcile.Snapshot{Notes: slices.Clone(root.Notes)}
	for _, b := range blocks {
		r, n := s.repos[b.Name], news[b.Name]
		switch {
		case n.err == nil:
			out.Notes = append(out.Notes, prefixed(b.Name, n.snapshot.Notes)...)
		case r.tree == nil:
			return reconcile.Snapshot{}, fmt.Errorf("include %q (%s) was never read, and what it declares is not known: %w", b.Name, b.Pos, n.err)
		default:
			out.Notes = append(out.Notes, fmt.Sprintf("include %q stays at commit %s: %v", b.Name, r.tree.Commit().Short(), n.err))
			if _, refused := errors.AsType[*reconcile.Refusal](n.err); refused {
				out.Behind = append(out.Behind, b.Name)
			}
		}
	}
	s.takeGood(ctx, root.Tree, blocks, news, &out)
	out.Tree = s.mounted(root.Tree, blocks)
	s.last = &out
	return out, nil
}

func prefixed(name string, notes []string) []string {
	all := make([]string, 0, len(notes))
	for _, n := range notes {
		all = append(all, fmt.Sprintf("include %q: %s", name, n))
	}
	return all
}

// settle opens what is new among the includes, and forgets what is gone.
func (s *Source) settle(ctx context.Context, blocks []*spec.Include) error {
	for _, b := range blocks {
		block := *b
		block.Pos = spec.Pos{}
		if r := s.repos[b.Name]; r != nil && r.open && sameBlock(&r.block, &block) {
			continue
		}
		source, err := s.opts.Open(ctx, b)
		if err != nil { // it is opened again at the next look; nobody else waits for it
			source = unopened{err}
		}
		r := &repo{block: block, source: source, open: err == nil}
		if err := s.inherit(ctx, r, s.repos[b.Name]); err != nil {
			return err
		}
		s.repos[b.Name] = r
	}
	s.forget(blocks)
	return nil
}

// forget closes what is included no more.
func (s *Source) forget(blocks []*spec.Include) {
	for name := range s.repos {
		if slices.ContainsFunc(blocks, func(b *spec.Include) bool { return b.Name == name }) {
			continue
		}
		delete(s.repos, name)
		if s.opts.Closed != nil {
			s.opts.Closed(name)
		}
	}
}

// unopened stands for a repository that could not be opened.
type unopened struct{ err error }

// Latest implements reconcile.Source.
func (u unopened) Latest(context.Context) (reconcile.Snapshot, error) {
	return reconcile.Snapshot{}, u.err
}

// inherit gives a repository the tree that it had: under another block of the same
// place, or before this program started.
func (s *Source) inherit(ctx context.Context, r, old *repo) error {
	if old != nil {
		if old.block.Repo == r.block.Repo && old.block.Path == r.block.Path {
			r.tree = old.tree
		}
		return nil
	}
	last, err := s.opts.Last(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		r.tree = Part(last, r.block.Name)
	}
	return err
}

// sameBlock compares what an include is opened by.
func sameBlock(a, b *spec.Include) bool {
	return a.Repo == b.Repo && a.Path == b.Path && a.Ref == b.Ref && a.Prefix == b.Prefix && a.Token == b.Token && slices.Equal(a.Allow, b.Allow) && reflect.DeepEqual(a.Trust, b.Trust)
}

// news is what one look at an include brought.
type news struct {
	snapshot reconcile.Snapshot
	err      error
}

// ask looks at all includes side by side.
func (s *Source) ask(ctx context.Context, blocks []*spec.Include) map[string]news {
	all := map[string]news{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, b := range blocks {
		source := s.repos[b.Name].source
		wg.Go(func() {
			snapshot, err := source.Latest(ctx)
			mu.Lock()
			defer mu.Unlock()
			all[b.Name] = news{snapshot, err}
		})
	}
	wg.Wait()
	return all
}

// takeGood takes each new tree that loads in the composition. Where the composition does
// not load without it either, that is not its fault.
func (s *Source) takeGood(ctx context.Context, root spec.Tree, blocks []*spec.Include, all map[string]news, out *reconcile.Snapshot) {
	for _, b := range blocks {
		r, n := s.repos[b.Name], all[b.Name]
		if n.err != nil || r.tree != nil && r.tree.Commit().ID == n.snapshot.Tree.Commit().ID {
			continue
		}
		before := r.tree
		r.tree = n.snapshot.Tree
		if before == nil {
			continue // there is nothing that it could stay at
		}
		bad := s.opts.Check(ctx, s.mounted(root, blocks))
		if bad == nil {
			continue
		}
		r.tree = before
		if s.opts.Check(ctx, s.mounted(root, blocks)) != nil {
			r.tree = n.snapshot.Tree
			continue
		}
		first, _, _ := strings.Cut(bad.Error(), "\n")
		out.Notes = append(out.Notes, fmt.Sprintf("include %q stays at commit %s: its commit %s does not load: %s", b.Name, before.Commit().Short(), n.snapshot.Tree.Commit().Short(), first))
		out.Behind = append(out.Behind, b.Name)
	}
}

func (s *Source) mounted(root spec.Tree, blocks []*spec.Include) *tree {
	parts := map[string]spec.Tree{}
	for _, b := range blocks {
		if part := s.repos[b.Name].tree; part != nil {
			parts[b.Name] = part
		}
	}
	return compose(root, parts)
}
