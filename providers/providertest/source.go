package providertest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// SourceSuite holds the contract of reconcile.Source. open returns a fresh
// source together with what makes the given files, by path, its newest revision.
func SourceSuite(t *testing.T, open func(t *testing.T) (reconcile.Source, func(files map[string]string))) {
	t.Run("the tree holds exactly the files, sorted", func(t *testing.T) {
		source, set := open(t)
		files := map[string]string{"b.hcl": "b", "a/b/c.hcl": "deep", "a.hcl": "", "a-b.hcl": "ä\n"}
		set(files)
		wantFiles(t, latest(t, source).Tree, files)
	})
	t.Run("a change is seen, and only where it is", func(t *testing.T) {
		source, set := open(t)
		set(map[string]string{"a.hcl": "1", "dir/b.hcl": "2", "dir/c.hcl": "3"})
		before := latest(t, source).Tree
		files := map[string]string{"a.hcl": "1", "dir/b.hcl": "two", "new/d.hcl": "4"}
		set(files)
		after := latest(t, source).Tree
		wantFiles(t, after, files)
		wantFiles(t, before, map[string]string{"a.hcl": "1", "dir/b.hcl": "2", "dir/c.hcl": "3"})
		old, now := hashes(before), hashes(after)
		if old["a.hcl"] != now["a.hcl"] || old["dir/b.hcl"] == now["dir/b.hcl"] {
			t.Errorf("hashes were %v and are %v", old, now)
		}
	})
	t.Run("nothing new is an equal commit", func(t *testing.T) {
		source, set := open(t)
		set(map[string]string{"a.hcl": "1"})
		first, again := latest(t, source).Tree, latest(t, source).Tree
		if first.Commit().ID != again.Commit().ID || !slices.Equal(first.Files(), again.Files()) {
			t.Errorf("got %+v and then %+v", first.Commit(), again.Commit())
		}
	})
	t.Run("a path that is not listed does not read", func(t *testing.T) {
		source, set := open(t)
		set(map[string]string{"dir/a.hcl": "1"})
		tree := latest(t, source).Tree
		for _, path := range []string{"", ".", "dir", "b.hcl", "../a.hcl", "dir/../dir/a.hcl", "/etc/passwd", "dir/a.hcl/"} {
			if data, err := tree.Read(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%q reads %q, %v; want that there is no such file", path, data, err)
			}
		}
	})
	t.Run("who changes what was returned changes nothing", func(t *testing.T) {
		source, set := open(t)
		set(map[string]string{"a.hcl": "1"})
		tree := latest(t, source).Tree
		data, err := tree.Read("a.hcl")
		if err != nil {
			t.Fatal(err)
		}
		data[0] = 'x'
		tree.Files()[0].Path = "x"
		wantFiles(t, tree, map[string]string{"a.hcl": "1"})
	})
	t.Run("many may ask at once", func(t *testing.T) {
		source, set := open(t)
		set(map[string]string{"a.hcl": "1"})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				snapshot, err := source.Latest(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := snapshot.Tree.Read("a.hcl"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
	t.Run("a call that was cancelled fails, and the next one works", func(t *testing.T) {
		source, set := open(t)
		set(map[string]string{"a.hcl": "1"})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := source.Latest(ctx); err == nil {
			t.Error("a cancelled call succeeds")
		}
		latest(t, source)
	})
}

// SnapshotsSuite holds the contract of reconcile.Snapshots. open returns two
// views of one empty place, as before and after a restart.
func SnapshotsSuite(t *testing.T, open func(t *testing.T) (before, after reconcile.Snapshots)) {
	commit := spec.Commit{ID: strings.Repeat("ab", 20), Author: "Ann <ann@example.org>", Subject: "two words", Trailers: map[string][]string{"Key": {"v1", "v2"}}}
	t.Run("nothing is kept at first", func(t *testing.T) {
		before, _ := open(t)
		if _, err := before.LastGood(t.Context()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v; want that there is none", err)
		}
	})
	t.Run("what was kept last comes back whole", func(t *testing.T) {
		before, after := open(t)
		files := map[string]string{"a.hcl": "a\nb\n", "dir/empty": "", "dir/bytes": "\x00\xff\n"}
		for i, content := range []map[string]string{{"old.hcl": "old"}, files, files} {
			snapshot := reconcile.Snapshot{Tree: treeOf(commit, content), Notes: []string{fmt.Sprint(min(i, 1))}}
			if err := before.Keep(t.Context(), snapshot); err != nil {
				t.Fatal(err)
			}
		}
		got, err := after.LastGood(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wantFiles(t, got.Tree, files)
		if fmt.Sprintf("%+v", got.Tree.Commit()) != fmt.Sprintf("%+v", commit) || !slices.Equal(got.Notes, []string{"1"}) {
			t.Errorf("got %+v with the notes %q", got.Tree.Commit(), got.Notes)
		}
	})
	t.Run("an empty revision comes back", func(t *testing.T) {
		before, after := open(t)
		if err := before.Keep(t.Context(), reconcile.Snapshot{Tree: treeOf(spec.Commit{}, nil)}); err != nil {
			t.Fatal(err)
		}
		got, err := after.LastGood(t.Context())
		if err != nil || len(got.Tree.Files()) != 0 || got.Tree.Commit().ID != "" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// treeOf is a tree with these files.
func treeOf(commit spec.Commit, files map[string]string) spec.Tree {
	var contents []spec.Content
	for path, data := range files {
		file := spec.File{Path: path, Hash: fmt.Sprintf("hash of %q", data), Size: int64(len(data))}
		contents = append(contents, spec.Content{File: file, Data: []byte(data)})
	}
	return spec.NewTree(commit, contents)
}

func latest(t *testing.T, source reconcile.Source) reconcile.Snapshot {
	t.Helper()
	snapshot, err := source.Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func hashes(tree spec.Tree) map[string]string {
	all := map[string]string{}
	for _, f := range tree.Files() {
		all[f.Path] = f.Hash
	}
	return all
}

// wantFiles wants the tree to list and hold exactly these files.
func wantFiles(t *testing.T, tree spec.Tree, want map[string]string) {
	t.Helper()
	var listed []string
	for _, f := range tree.Files() {
		listed = append(listed, f.Path)
		data, err := tree.Read(f.Path)
		if err != nil || string(data) != want[f.Path] || f.Size != int64(len(data)) || f.Hash == "" {
			t.Errorf("%+v reads %q, %v; want %q", f, data, err, want[f.Path])
		}
	}
	if sorted := slices.Sorted(maps.Keys(want)); !slices.Equal(listed, sorted) {
		t.Errorf("files are %q; want %q", listed, sorted)
	}
}
