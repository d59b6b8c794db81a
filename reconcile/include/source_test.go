package include_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/include"
	"github.com/fairlead/fairlead/spec"
)

// repo is a Source whose newest revision a test sets.
type repo struct {
	tree spec.Tree
	err  error
}

func (r *repo) Latest(context.Context) (reconcile.Snapshot, error) {
	if r.err != nil {
		return reconcile.Snapshot{}, r.err
	}
	return reconcile.Snapshot{Tree: r.tree}, nil
}

func tree(commit string, files map[string]string) spec.Tree {
	var contents []spec.Content
	for path, text := range files {
		contents = append(contents, spec.Content{File: spec.File{Path: path, Hash: text, Size: int64(len(text))}, Data: []byte(text)})
	}
	return spec.NewTree(spec.Commit{ID: commit}, contents)
}

// world is a root with the includes a and b. A file that says "broken" does not load.
type world struct {
	root, a, b *repo
	blocks     []*spec.Include
	opened     int
	closed     error // why a cannot be opened
	last       spec.Tree
	source     *include.Source
}

func newWorld() *world {
	w := &world{
		root: &repo{tree: tree("r1", map[string]string{"root.hcl": "r"})},
		a:    &repo{tree: tree("a1", map[string]string{"m.hcl": "a"})}, b: &repo{tree: tree("b1", map[string]string{"m.hcl": "b"})},
		blocks: []*spec.Include{{Name: "a", Repo: "https://git.test/a"}, {Name: "b", Repo: "https://git.test/b"}},
	}
	w.restart()
	return w
}

func (w *world) restart() {
	w.source = include.New(include.Options{
		Root:     w.root,
		Includes: func(spec.Tree) ([]*spec.Include, error) { return w.blocks, nil },
		Open: func(_ context.Context, i *spec.Include) (reconcile.Source, error) {
			if w.closed != nil && i.Name == "a" {
				return nil, w.closed
			}
			w.opened++
			return map[string]*repo{"a": w.a, "b": w.b}[i.Name], nil
		},
		Check: func(_ context.Context, t spec.Tree) error {
			for _, f := range t.Files() {
				if data, err := t.Read(f.Path); err != nil || string(data) == "broken" {
					return fmt.Errorf("%s:1: it is broken (%w)", f.Path, err)
				}
			}
			return nil
		},
		Last: func(context.Context) (spec.Tree, error) {
			if w.last == nil {
				return nil, fs.ErrNotExist
			}
			return w.last, nil
		},
	})
}

// want looks, and compares the commits and files that come out.
func (w *world) want(t *testing.T, key string, files string) reconcile.Snapshot {
	t.Helper()
	got, err := w.source.Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range got.Tree.Files() {
		data, err := got.Tree.Read(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Path+"="+string(data))
	}
	if got.Tree.Commit().Key() != key || strings.Join(all, " ") != files {
		t.Errorf("got %s: %v, with the notes %q; want %s: %s", got.Tree.Commit().Key(), all, got.Notes, key, files)
	}
	return got
}

const (
	mountA = ".fairlead/include/a/m.hcl="
	mountB = ".fairlead/include/b/m.hcl="
)

func TestIncludedTreesAreMounted(t *testing.T) {
	w := newWorld()
	w.want(t, "r1 a@a1 b@b1", mountA+"a "+mountB+"b root.hcl=r")
	w.a.tree = tree("a2", map[string]string{"m.hcl": "A"})
	w.want(t, "r1 a@a2 b@b1", mountA+"A "+mountB+"b root.hcl=r")
	if w.opened != 2 {
		t.Errorf("%d repositories were opened; want 2", w.opened)
	}
	w.blocks, w.root.tree = w.blocks[:1], tree("r2", map[string]string{"root.hcl": "r"})
	w.want(t, "r2 a@a2", mountA+"A root.hcl=r")
	w.blocks, w.root.tree = nil, tree("r3", map[string]string{"root.hcl": "r"})
	w.want(t, "r3", "root.hcl=r")
}

func TestOneThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	w := newWorld()
	w.want(t, "r1 a@a1 b@b1", mountA+"a "+mountB+"b root.hcl=r")
	w.a.err = errors.New("the network is away")
	w.b.tree, w.root.tree = tree("b2", map[string]string{"m.hcl": "B"}), tree("r2", map[string]string{"root.hcl": "R"})
	got := w.want(t, "r2 a@a1 b@b2", mountA+"a "+mountB+"B root.hcl=R")
	if len(got.Notes) != 1 || !strings.Contains(got.Notes[0], `include "a" stays at commit a1: the network is away`) || len(got.Behind) > 0 {
		t.Errorf("%q", got.Notes)
	}
	// The same after a restart.
	w.last = got.Tree
	w.restart()
	w.want(t, "r2 a@a1 b@b2", mountA+"a "+mountB+"B root.hcl=R")
}

func TestOneThatDoesNotLoadStaysAsItWas(t *testing.T) {
	w := newWorld()
	w.want(t, "r1 a@a1 b@b1", mountA+"a "+mountB+"b root.hcl=r")
	w.a.tree = tree("a2", map[string]string{"m.hcl": "broken"})
	w.b.tree = tree("b2", map[string]string{"m.hcl": "B"})
	got := w.want(t, "r1 a@a1 b@b2", mountA+"a "+mountB+"B root.hcl=r")
	if len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "does not load: .fairlead/include/a/m.hcl:1: it is broken") || strings.Join(got.Behind, " ") != "a" {
		t.Errorf("%q", got.Notes)
	}
	w.a.tree = tree("a3", map[string]string{"m.hcl": "mended"})
	w.want(t, "r1 a@a3 b@b2", mountA+"mended "+mountB+"B root.hcl=r")
	// Where the root is what does not load, it is the root that is told.
	w.root.tree = tree("r2", map[string]string{"root.hcl": "broken"})
	w.a.tree = tree("a4", map[string]string{"m.hcl": "good"})
	w.want(t, "r2 a@a4 b@b2", mountA+"good "+mountB+"B root.hcl=broken")
}

func TestWithoutItsTreeNothingOfItSeemsToBeGone(t *testing.T) {
	w := newWorld()
	w.a.err = errors.New("the network is away")
	if _, err := w.source.Latest(t.Context()); err == nil || !strings.Contains(err.Error(), `include "a"`) || !strings.Contains(err.Error(), "the network is away") {
		t.Errorf("got %v", err)
	}
}

func TestARefusedRootDoesNotStopTheIncludes(t *testing.T) {
	w := newWorld()
	w.want(t, "r1 a@a1 b@b1", mountA+"a "+mountB+"b root.hcl=r")
	w.root.err = &reconcile.Refusal{Rule: "trust.signed", Reason: "it is not signed", Head: spec.Commit{ID: "r2"}}
	if _, err := w.source.Latest(t.Context()); !errors.Is(err, reconcile.ErrRefused) {
		t.Errorf("got %v", err)
	}
	w.a.tree = tree("a2", map[string]string{"m.hcl": "A"})
	got := w.want(t, "r1 a@a2 b@b1", mountA+"A "+mountB+"b root.hcl=r")
	if len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "it is not signed") {
		t.Errorf("%q", got.Notes)
	}
}

func TestTheRootCannotPassForAnInclude(t *testing.T) {
	w := newWorld()
	w.root.tree = tree("r1", map[string]string{"root.hcl": "r", ".fairlead/include/a/m.hcl": "forged", ".fairlead/include/c/m.hcl": "forged"})
	w.want(t, "r1 a@a1 b@b1", mountA+"a "+mountB+"b root.hcl=r")
}

func TestAnotherRepositoryUnderTheSameNameIsReadAnew(t *testing.T) {
	w := newWorld()
	w.want(t, "r1 a@a1 b@b1", mountA+"a "+mountB+"b root.hcl=r")
	w.last = w.want(t, "r1 a@a1 b@b1", mountA+"a "+mountB+"b root.hcl=r").Tree
	w.blocks[0], w.root.tree = &spec.Include{Name: "a", Repo: "https://git.test/other"}, tree("r2", map[string]string{"root.hcl": "r"})
	w.a.err = errors.New("away")
	if _, err := w.source.Latest(t.Context()); err == nil {
		t.Error("the tree of the former repository passed for that of the new one")
	}
}

func TestOneThatCannotBeOpenedHoldsUpNoOther(t *testing.T) {
	w := newWorld()
	w.last = w.want(t, "r1 a@a1 b@b1", mountA+"a "+mountB+"b root.hcl=r").Tree
	w.restart()
	w.closed = errors.New("its token is not there")
	w.a.tree, w.b.tree = tree("a2", map[string]string{"m.hcl": "A"}), tree("b2", map[string]string{"m.hcl": "B"})
	got := w.want(t, "r1 a@a1 b@b2", mountA+"a "+mountB+"B root.hcl=r")
	if len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "its token is not there") {
		t.Errorf("%q", got.Notes)
	}
	w.closed = nil
	w.want(t, "r1 a@a2 b@b2", mountA+"A "+mountB+"B root.hcl=r")
}
