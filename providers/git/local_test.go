package git_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// paths lists the paths of a tree.
func paths(t spec.Tree) []string {
	var names []string
	for _, f := range t.Files() {
		names = append(names, f.Path)
	}
	return names
}

func mustNew(t testing.TB, o git.Options) *git.Source {
	t.Helper()
	source, err := git.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func mustLatest(t testing.TB, s reconcile.Source) reconcile.Snapshot {
	t.Helper()
	snapshot, err := s.Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

// wantError calls Latest and wants an error that holds every word.
func wantError(t *testing.T, s reconcile.Source, words ...string) {
	t.Helper()
	_, err := s.Latest(t.Context())
	if err == nil {
		t.Fatalf("Latest succeeds; want an error with %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error is %q; want %q in it", err, word)
		}
	}
}

func TestLocalRepositoryShapesReadAlike(t *testing.T) {
	shapes := map[string]func(t *testing.T, work *repo) string{
		"worktree": func(_ *testing.T, work *repo) string { return work.dir },
		"file URL": func(_ *testing.T, work *repo) string { return "file://" + work.dir },
		"bare repository": func(t *testing.T, work *repo) string {
			bare := filepath.Join(t.TempDir(), "bare.git")
			work.git("clone", "-q", "--bare", work.dir, bare)
			return bare
		},
		"packed objects and refs": func(_ *testing.T, work *repo) string {
			work.git("gc", "-q", "--prune=now")
			work.git("pack-refs", "--all")
			return work.dir
		},
		"linked worktree": func(t *testing.T, work *repo) string {
			linked := filepath.Join(t.TempDir(), "linked")
			work.git("worktree", "add", "-q", "--detach", linked)
			return linked
		},
		"clone that borrows its objects": func(t *testing.T, work *repo) string {
			shared := filepath.Join(t.TempDir(), "shared")
			work.git("clone", "-q", "--shared", work.dir, shared)
			return shared
		},
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			work := newRepo(t)
			work.write("models/a.hcl", "a")
			work.write("models/b/c.hcl", "c")
			work.write("README.md", "outside of the path")
			id := work.commit("models: two\n\nFirst words.\n\nReviewed-by: Ann <ann@example.org>\nFairlead-Allow: mass-delete")
			source := mustNew(t, git.Options{URL: shape(t, work), Branch: "main", Path: "models"})
			snapshot := mustLatest(t, source)
			if got := fmt.Sprint(paths(snapshot.Tree)); got != "[a.hcl b/c.hcl]" {
				t.Errorf("files are %s", got)
			}
			commit := snapshot.Tree.Commit()
			if commit.ID != id || commit.Subject != "models: two" || commit.Author != "Ann <ann@example.org>" || commit.Ref != "main" {
				t.Errorf("commit is %+v", commit)
			}
			if commit.Trailers["Fairlead-Allow"][0] != "mass-delete" || len(commit.Trailers) != 2 {
				t.Errorf("trailers are %v", commit.Trailers)
			}
			if got, err := snapshot.Tree.Read("b/c.hcl"); err != nil || string(got) != "c" {
				t.Errorf("b/c.hcl reads %q, %v", got, err)
			}
			if hash := snapshot.Tree.Files()[0].Hash; hash != work.git("rev-parse", "HEAD:models/a.hcl") {
				t.Errorf("hash of a.hcl is %s", hash)
			}
		})
	}
}

func TestBranchTagAndCommitCanBeNamed(t *testing.T) {
	work := newRepo(t)
	work.write("a.hcl", "1")
	first := work.commit("first")
	work.git("tag", "light", first)
	work.git("tag", "-a", "-m", "annotated", "v1", first)
	work.write("a.hcl", "2")
	second := work.commit("second")
	for ref, want := range map[string]string{
		"main": second, "light": first, "v1": first, first: first, second: second,
		"refs/tags/v1": first, "HEAD": second,
	} {
		t.Run(ref, func(t *testing.T) {
			source := mustNew(t, git.Options{URL: work.dir, Ref: ref})
			if got := mustLatest(t, source).Tree.Commit().ID; got != want {
				t.Errorf("%s is %s; want %s", ref, got, want)
			}
		})
	}
	t.Run("no branch is the one of HEAD", func(t *testing.T) {
		snapshot := mustLatest(t, mustNew(t, git.Options{URL: work.dir}))
		if commit := snapshot.Tree.Commit(); commit.ID != second || commit.Ref != "main" {
			t.Errorf("got %+v", commit)
		}
	})
}

func TestLocalMistakesAreExplained(t *testing.T) {
	work := newRepo(t)
	work.write("a.hcl", "1")
	work.commit("first")
	empty := newRepo(t)
	for name, c := range map[string]struct {
		options git.Options
		words   []string
	}{
		"no repository":       {git.Options{URL: t.TempDir()}, []string{"no Git repository", "git init"}},
		"no such branch":      {git.Options{URL: work.dir, Branch: "trunk"}, []string{"no branch trunk", "--branch"}},
		"no such tag":         {git.Options{URL: work.dir, Ref: "v9"}, []string{"no v9"}},
		"no such directory":   {git.Options{URL: work.dir, Path: "models/x"}, []string{"no directory models/x", "--path"}},
		"no commit yet":       {git.Options{URL: empty.dir, Branch: "main"}, []string{"no branch main", "first commit"}},
		"no such commit":      {git.Options{URL: work.dir, Ref: strings.Repeat("1", 40)}, []string{strings.Repeat("1", 40)}},
		"a file for the path": {git.Options{URL: work.dir, Path: "a.hcl"}, []string{"a.hcl", "no directory"}},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, mustNew(t, c.options), c.words...)
		})
	}
}

func TestBadOptionsAreRefusedAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		options git.Options
		word    string
	}{
		"no URL":                   {git.Options{}, "--repo"},
		"path leads out":           {git.Options{URL: "/r", Path: "../x"}, "inside"},
		"absolute path":            {git.Options{URL: "/r", Path: "/x"}, "inside"},
		"git protocol":             {git.Options{URL: "git://host/r"}, "https://"},
		"unknown scheme":           {git.Options{URL: "ftp://host/r"}, "https://"},
		"file on another host":     {git.Options{URL: "file://host/r"}, "another host"},
		"no data directory":        {git.Options{URL: "https://host/r"}, "--data"},
		"token in clear":           {git.Options{URL: "http://host/r", DataDir: "/d", Auth: git.Auth{TokenEnv: "T"}}, "https"},
		"ssh without key":          {git.Options{URL: "git@host:r", DataDir: "/d"}, "--git-ssh-key"},
		"policy that is none":      {git.Options{URL: "/r", OnRewrite: "perhaps"}, "follow"},
		"short id as accepted":     {git.Options{URL: "/r", Accepted: "abc"}, "full commit id"},
		"token as file and as env": {git.Options{URL: "https://host/r", DataDir: "/d", Auth: git.Auth{TokenEnv: "T", TokenFile: "/t"}}, "keep one"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := git.New(c.options)
			if err == nil || !strings.Contains(err.Error(), c.word) {
				t.Errorf("got %v; want an error with %q", err, c.word)
			}
		})
	}
}

func TestUnchangedRevisionIsTheSameSnapshot(t *testing.T) {
	work := newRepo(t)
	work.write("a.hcl", "1")
	work.commit("first")
	source := mustNew(t, git.Options{URL: work.dir, Branch: "main"})
	if first, again := mustLatest(t, source), mustLatest(t, source); first.Tree != again.Tree {
		t.Error("a second look built the tree again")
	}
}

func TestTreeOutlivesItsRepository(t *testing.T) {
	work := newRepo(t)
	work.write("a.hcl", "1")
	work.commit("first")
	snapshot := mustLatest(t, mustNew(t, git.Options{URL: work.dir, Branch: "main"}))
	if err := os.RemoveAll(work.dir); err != nil {
		t.Fatal(err)
	}
	if data, err := snapshot.Tree.Read("a.hcl"); err != nil || string(data) != "1" {
		t.Errorf("read %q, %v", data, err)
	}
	if _, err := snapshot.Tree.Read("../a.hcl"); err == nil {
		t.Error("a path out of the tree reads")
	}
}

func TestDamagedLocalRepositoryIsTold(t *testing.T) {
	work := newRepo(t)
	work.write("a.hcl", "some content")
	work.commit("first")
	blob := work.git("rev-parse", "HEAD:a.hcl")
	object := filepath.Join(work.dir, ".git", "objects", blob[:2], blob[2:])
	for name, damage := range map[string]func() error{
		"missing": func() error { return os.Remove(object) },
		"empty":   func() error { return replace(object, nil) },
		"garbage": func() error { return replace(object, []byte("garbage")) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			wantError(t, mustNew(t, git.Options{URL: work.dir, Branch: "main"}), "a.hcl", "damaged", "git fsck")
		})
	}
}

// replace writes a file that may be read-only or absent.
func replace(path string, data []byte) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.WriteFile(path, data, fs.FileMode(0o600))
}

func TestCancelledCallEndsAtOnce(t *testing.T) {
	work := newRepo(t)
	work.write("a.hcl", "1")
	work.commit("first")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mustNew(t, git.Options{URL: work.dir}).Latest(ctx); err == nil {
		t.Error("a cancelled call succeeds")
	}
}
