package git_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile"
)

// rawTree writes a tree object byte by byte, past all the checks of git mktree.
// Each entry is MODE NAME and the id of its object.
func (r *repo) rawTree(entries ...[3]string) string {
	r.t.Helper()
	var raw strings.Builder
	for _, e := range entries {
		raw.WriteString(e[0] + " " + e[1] + "\x00")
		for i := 0; i < len(e[2]); i += 2 {
			var b byte
			if _, err := fmt.Sscanf(e[2][i:i+2], "%02x", &b); err != nil {
				r.t.Fatal(err)
			}
			raw.WriteByte(b)
		}
	}
	return r.gitIn(raw.String(), "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
}

// commitTree makes a tree the content of main.
func (r *repo) commitTree(tree string) string {
	r.t.Helper()
	id := r.git("commit-tree", "-m", "hostile", tree)
	r.git("update-ref", "refs/heads/main", id)
	return id
}

// hostile is a tree that must be refused with an error that holds every word.
type hostile struct {
	tree  func(r *repo, blob string) string
	words []string
}

func one(mode, name string) func(r *repo, blob string) string {
	return func(r *repo, blob string) string { return r.rawTree([3]string{mode, name, blob}) }
}

func link(target string) func(r *repo, blob string) string {
	return func(r *repo, _ string) string {
		blob := r.gitIn(target, "hash-object", "-w", "--stdin")
		sub := r.rawTree([3]string{"120000", "link.hcl", blob})
		return r.rawTree([3]string{"40000", "models", sub})
	}
}

// hostileTrees are all trees that could make a reader, or a person with a
// checkout, read or write something else than the repo.
var hostileTrees = map[string]hostile{
	"symlink to an absolute path": {link("/etc/passwd"), []string{"models/link.hcl", "symlink"}},
	"symlink that climbs out":     {link("../../../etc/passwd"), []string{"models/link.hcl", "symlink"}},
	"symlink inside of the tree":  {link("other.hcl"), []string{"models/link.hcl", "symlink"}},
	"symlink for a directory":     {one("120000", "models"), []string{"models", "symlink"}},
	"submodule":                   {one("160000", "vendor"), []string{"vendor", "submodule"}},
	"parent directory":            {one("40000", ".."), []string{`..`, "way to another directory"}},
	"parent directory as a file":  {one("100644", ".."), []string{`..`, "way to another directory"}},
	"same directory":              {one("100644", "."), []string{"way to another directory"}},
	"path with slashes":           {one("100644", "../../etc/x.hcl"), []string{"x.hcl", "holds a /"}},
	"absolute path":               {one("100644", "/etc/x.hcl"), []string{"/etc/x.hcl", "holds a /"}},
	"backslashes":                 {one("100644", `..\..\x.hcl`), []string{`x.hcl`, `\`}},
	"empty name":                  {one("100644", ""), []string{"empty"}},
	".git":                        {one("100644", ".git"), []string{".git"}},
	".GIT":                        {one("100644", ".GIT"), []string{".GIT", ".git"}},
	".git for NTFS":               {one("100644", ".git . ."), []string{".git"}},
	".git as a stream":            {one("100644", ".git::$INDEX_ALLOCATION"), []string{".git"}},
	"short name of .git":          {one("100644", "GIT~1"), []string{"GIT~1", ".git"}},
	".git for HFS+":               {one("100644", ".g\u200cit"), []string{".git"}},
	"control character":           {one("100644", "a\x1b[2J.hcl"), []string{"invisible", "U+001B"}},
	"text that runs backwards":    {one("100644", "a\u202elch.exe"), []string{"invisible", "U+202E"}},
	"name that is not UTF-8":      {one("100644", "a\xff.hcl"), []string{"UTF-8"}},
	"name without an end":         {one("100644", strings.Repeat("a", 300)), []string{"255"}},
	"device mode":                 {one("20644", "tty"), []string{"tty", "neither"}},
	"mode that is none":           {one("99999", "x.hcl"), []string{"99999"}},
	"twice the same name": {func(r *repo, b string) string {
		return r.rawTree([3]string{"100644", "a", b}, [3]string{"100644", "a", b})
	}, []string{"a", "twice"}},
	"file and directory of one name": {func(r *repo, b string) string {
		return r.rawTree([3]string{"100644", "a", b}, [3]string{"40000", "a", r.rawTree()})
	}, []string{"a", "twice"}},
	"names that differ by case": {func(r *repo, b string) string {
		return r.rawTree([3]string{"100644", "A", b}, [3]string{"100644", "a", b})
	}, []string{"a", "upper and lower case"}},
	"tree that is not sorted": {func(r *repo, b string) string {
		return r.rawTree([3]string{"100644", "b", b}, [3]string{"100644", "a", b})
	}, []string{"a", "not sorted"}},
	"tree that is cut short": {func(r *repo, b string) string { return r.rawTree([3]string{"100644", "a", b[:10]}) }, []string{"cut short"}},
	"blob for a directory":   {one("40000", "models"), []string{"models", "not a tree"}},
	"tree for a file":        {func(r *repo, _ string) string { return r.rawTree([3]string{"100644", "a", r.rawTree()}) }, []string{"a", "not a blob"}},
	"blob that is not there": {func(r *repo, _ string) string { return r.rawTree([3]string{"100644", "a", strings.Repeat("12", 20)}) }, []string{"a", "damaged"}},
}

func TestHostileTreesAreRefusedByName(t *testing.T) {
	for name, h := range hostileTrees {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.write("good.hcl", "good")
			r.commit("good")
			source := mustNew(t, git.Options{URL: r.dir, Branch: "main"})
			good := mustLatest(t, source)
			blob := r.gitIn("hostile", "hash-object", "-w", "--stdin")
			r.commitTree(h.tree(r, blob))
			wantError(t, source, h.words...)
			if data, err := good.Tree.Read("good.hcl"); err != nil || string(data) != "good" {
				t.Errorf("the revision from before reads %q, %v", data, err)
			}
			r.write("good.hcl", "better")
			r.git("reset", "-q", good.Tree.Commit().ID)
			r.commit("better")
			if data, err := mustLatest(t, source).Tree.Read("good.hcl"); err != nil || string(data) != "better" {
				t.Errorf("the revision afterwards reads %q, %v", data, err)
			}
		})
	}
}

func TestHostileNamesOutsideOfThePathDoNotMatter(t *testing.T) {
	r := newRepo(t)
	r.write("models/a.hcl", "a")
	if err := os.Symlink("/etc/passwd", filepath.Join(r.dir, "link")); err != nil {
		t.Fatal(err)
	}
	r.commit("a link beside the models")
	snapshot := mustLatest(t, mustNew(t, git.Options{URL: r.dir, Branch: "main", Path: "models"}))
	if got := paths(snapshot.Tree); len(got) != 1 {
		t.Errorf("files are %q", got)
	}
}

func TestEveryMistakeOfATreeIsNamed(t *testing.T) {
	r := newRepo(t)
	for _, name := range []string{"one", "two", "deep/er/three"} {
		r.write(name+".hcl", "x")
		if err := os.Symlink("/etc/passwd", filepath.Join(r.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r.commit("three links")
	wantError(t, mustNew(t, git.Options{URL: r.dir, Branch: "main"}), "one: ", "two: ", "deep/er/three: ")
}

func TestTreeLimitsStopTheReading(t *testing.T) {
	// 10 levels of 10 equal subtrees are 10^10 directories in 11 objects.
	bomb := func(r *repo, leaf string) string {
		tree := leaf
		for range 10 {
			var entries [][3]string
			for i := range 10 {
				entries = append(entries, [3]string{"40000", fmt.Sprint(i), tree})
			}
			tree = r.rawTree(entries...)
		}
		return tree
	}
	for name, c := range map[string]struct {
		tree  func(r *repo, blob string) string
		words []string
	}{
		"bomb of directories": {func(r *repo, _ string) string { return bomb(r, r.rawTree()) }, []string{"more than 1000 files"}},
		"bomb of files": {func(r *repo, b string) string {
			return bomb(r, r.rawTree([3]string{"100644", "a", b}))
		}, []string{"more than 1000 files"}},
		"deep tree": {func(r *repo, b string) string {
			tree := r.rawTree([3]string{"100644", "a", b})
			for range 200 {
				tree = r.rawTree([3]string{"40000", "d", tree})
			}
			return tree
		}, []string{"d/d/d", "deeper than 16"}},
		"large file": {func(r *repo, _ string) string {
			return r.rawTree([3]string{"100644", "big.bin", r.gitIn(strings.Repeat("x", 5000), "hash-object", "-w", "--stdin")})
		}, []string{"big.bin", "5000 bytes", "large files"}},
		"too much together": {func(r *repo, _ string) string {
			blob := r.gitIn(strings.Repeat("x", 4000), "hash-object", "-w", "--stdin")
			return r.rawTree([3]string{"100644", "a", blob}, [3]string{"100644", "b", blob}, [3]string{"100644", "c", blob})
		}, []string{"c: ", "larger than 10000 bytes together"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			blob := r.gitIn("x", "hash-object", "-w", "--stdin")
			r.commitTree(c.tree(r, blob))
			source := mustNew(t, git.Options{URL: r.dir, Branch: "main", Limits: git.Limits{
				Tree: reconcile.TreeLimits{Files: 1000, FileSize: 4096, TotalSize: 10_000, Depth: 16},
			}})
			wantError(t, source, c.words...)
		})
	}
}
