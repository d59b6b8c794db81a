package git_test

import (
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing/hash"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile"
)

// ids are those of the commits of a range.
func ids(r reconcile.CommitRange) []string {
	var list []string
	for i := range r.Commits {
		list = append(list, r.Commits[i].ID)
	}
	return list
}

func mustRange(t *testing.T, source *git.Source, from, to string) reconcile.CommitRange {
	t.Helper()
	r, err := source.Range(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRangeTellsWhatCommitsChange(t *testing.T) {
	r := newRepo(t)
	r.write("a.hcl", "a\n")
	first := r.commit("first")
	r.write("dir/b.hcl", "b\n")
	r.write("a.hcl", "A\n")
	second := r.commit("second: two files\n\nWhy.")
	r.git("rm", "-q", "a.hcl")
	third := r.commit("third")
	got := mustRange(t, mustNew(t, git.Options{URL: r.dir}), first, third)
	if !got.Descends || !got.Known || got.From != first || got.To != third || len(got.Commits) != 2 {
		t.Fatalf("the range is %+v", got)
	}
	c := got.Commits[0]
	if c.ID != second || c.Subject != "second: two files" || c.Author != "Ann <ann@example.org>" || c.Email != "ann@example.org" ||
		!slices.Equal(c.Parents, []string{first}) || !c.Clean || !c.ChangedAll || !slices.Equal(c.Changed, []string{"a.hcl", "dir/b.hcl"}) ||
		fmt.Sprint(c.When.Unix()) != r.git("show", "-s", "--format=%ct", second) {
		t.Errorf("the commit is %+v", c)
	}
	if want := r.git("cat-file", "commit", second); strings.TrimSpace(string(c.Raw)) != want {
		t.Errorf("the bytes are %q; want %q", c.Raw, want)
	}
	if c := got.Commits[1]; c.ID != third || !slices.Equal(c.Changed, []string{"a.hcl"}) {
		t.Errorf("the last commit is %+v", c)
	}
	if all := mustRange(t, mustNew(t, git.Options{URL: r.dir}), "", third); len(all.Commits) != 3 || !all.Descends || !slices.Equal(all.Commits[0].Changed, []string{"a.hcl"}) {
		t.Errorf("all of it is %+v", all)
	}
	if same := mustRange(t, mustNew(t, git.Options{URL: r.dir}), third, third); len(same.Commits) != 0 || !same.Descends || !same.Known {
		t.Errorf("nothing is %+v", same)
	}
}

// Dates are random, since anybody can set them.
func TestRangesAreThoseOfGit(t *testing.T) {
	r := newRepo(t)
	h := &histories{Rand: rand.New(rand.NewPCG(3, 5)), files: map[int]version{}}
	v := version{"a": {"100644", "a\n"}}
	const commits = 60
	for n := 1; n <= commits; n++ {
		var parents []int
		for i := range min(n-1, 1+h.IntN(8)/6) {
			if p := max(1, n-1-h.IntN(5)-i); !slices.Contains(parents, p) {
				parents = append(parents, p)
			}
		}
		h.commit(v, parents...)
	}
	r.gitIn(h.stream.String(), "fast-import", "--quiet")
	source := mustNew(t, git.Options{URL: r.dir, Ref: "c1"})
	for range 40 {
		one, two := r.git("rev-parse", fmt.Sprintf("c%d", 1+h.IntN(commits))), r.git("rev-parse", fmt.Sprintf("c%d", 1+h.IntN(commits)))
		got := mustRange(t, source, one, two)
		want := strings.Fields(r.git("rev-list", one+".."+two))
		listed := ids(got)
		for i := range got.Commits {
			for _, parent := range got.Commits[i].Parents {
				if slices.Index(listed, parent) > i {
					t.Errorf("%s comes before its parent", listed[i])
				}
			}
		}
		slices.Sort(want)
		slices.Sort(listed)
		if !slices.Equal(listed, want) {
			t.Errorf("%s..%s are %v; want %v", one, two, listed, want)
		}
		if _, err := r.try("", "merge-base", "--is-ancestor", one, two); got.Descends != (err == nil) || !got.Known {
			t.Errorf("%s..%s descends %v, known %v; git says %v", one, two, got.Descends, got.Known, err)
		}
	}
}

func TestRangeOfAShallowRepositoryIsNotKnown(t *testing.T) {
	r := newRepo(t)
	first := r.commit("first")
	second := r.commit("second")
	third := r.commit("third")
	for depth, known := range map[string]bool{"1": false, "2": true, "3": true} {
		shallow := filepath.Join(t.TempDir(), "shallow")
		r.git("clone", "-q", "--depth", depth, "file://"+r.dir, shallow)
		got := mustRange(t, mustNew(t, git.Options{URL: shallow}), first, third)
		if got.Known != known || got.Descends != known || known && !slices.Equal(ids(got), []string{second, third}) {
			t.Errorf("depth %s: known %v, descends %v, commits %v", depth, got.Known, got.Descends, ids(got))
		}
		if all := mustRange(t, mustNew(t, git.Options{URL: shallow}), "", third); all.Known != (depth == "3") {
			t.Errorf("depth %s: all of it is known: %v", depth, all.Known)
		}
		if err := os.RemoveAll(shallow); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARangeOfARemoteHasTheTagsOfItsCommit(t *testing.T) {
	r := newRepo(t)
	r.git("tag", "-a", "-m", "old", "old", r.commit("first"))
	tip := r.commit("second")
	source := mustNew(t, git.Options{URL: newServer(t, false).publish(r), Branch: "main", DataDir: t.TempDir()})
	names := func() []string {
		var list []string
		for _, tag := range mustRange(t, source, "", tip).Tags {
			list = append(list, tag.Name)
		}
		return list
	}
	if _, err := source.Range(t.Context(), "", tip); err == nil || !strings.Contains(err.Error(), "fetched yet") {
		t.Errorf("before the first fetch the error is %v", err)
	}
	mustLatest(t, source)
	if got := names(); len(got) != 0 {
		t.Errorf("the tags are %v; want none", got)
	}
	r.git("tag", "light", tip)
	r.git("tag", "-a", "-m", "v1", "v1", tip)
	r.git("update-ref", "refs/tags/v2", r.git("rev-parse", "v1")) // which calls itself v1
	r.git("push", "-q", "origin", "--tags")
	mustLatest(t, source)
	if got := names(); !slices.Equal(got, []string{"v1"}) {
		t.Errorf("the tags are %v; want v1", got)
	}
	r.git("push", "-q", "origin", ":refs/tags/v1", ":refs/tags/v2")
	mustLatest(t, source)
	if got := names(); len(got) != 0 {
		t.Errorf("the tags are %v; want none", got)
	}
}

func TestRefsThatAreNotFollowedCanBeFetchedAndMerged(t *testing.T) {
	r := newRepo(t)
	r.write("a.hcl", "a\n")
	base := r.commit("first")
	r.git("checkout", "-q", "-b", "topic")
	r.write("b.hcl", "b\n")
	topic := r.commit("topic")
	r.git("checkout", "-q", "main")
	r.write("a.hcl", "A\n")
	tip := r.commit("second")
	at := newServer(t, false).publish(r)
	r.git("push", "-q", "origin", "topic:refs/pull/7/head")
	for name, options := range map[string]git.Options{
		"remote": {URL: at, Branch: "main", DataDir: t.TempDir()},
		"local":  {URL: r.dir, Branch: "main"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "local" {
				r.git("update-ref", "refs/pull/7/head", topic)
			}
			source := mustNew(t, options)
			mustLatest(t, source)
			got, err := source.FetchRef(t.Context(), "refs/pull/7/head")
			if err != nil || got != topic {
				t.Fatalf("the ref is %s, %v; want %s", got, err, topic)
			}
			merged, err := source.Merge(t.Context(), tip, topic)
			if err != nil {
				t.Fatal(err)
			}
			text := map[string]string{}
			for _, f := range merged.Tree.Files() {
				data, err := merged.Tree.Read(f.Path)
				if err != nil {
					t.Fatal(err)
				}
				text[f.Path] = string(data)
			}
			if want := map[string]string{"a.hcl": "A\n", "b.hcl": "b\n"}; !maps.Equal(text, want) || merged.Base != base || !slices.Equal(merged.Changed, []string{"b.hcl"}) {
				t.Errorf("the merge is %+v of %v; want %v", merged, text, want)
			}
			if snapshot := mustLatest(t, source); snapshot.Tree.Commit().ID != tip {
				t.Errorf("what is followed is %s now; want %s", snapshot.Tree.Commit().ID, tip)
			}
			for _, ref := range []string{"refs/pull/8/head", "main", "refs/heads/../x"} {
				if _, err := source.FetchRef(t.Context(), ref); err == nil {
					t.Errorf("the ref %s can be fetched", ref)
				}
			}
		})
	}
}

func TestAConflictNamesItsPaths(t *testing.T) {
	r := newRepo(t)
	r.write("a.hcl", "one\n")
	r.write("b.hcl", "one\n")
	r.commit("first")
	r.git("checkout", "-q", "-b", "topic")
	r.write("a.hcl", "two\n")
	r.write("b.hcl", "two\n")
	topic := r.commit("topic")
	r.git("checkout", "-q", "main")
	r.write("a.hcl", "three\n")
	r.git("rm", "-q", "b.hcl")
	tip := r.commit("second")
	_, err := mustNew(t, git.Options{URL: r.dir}).Merge(t.Context(), tip, topic)
	if conflict, ok := errors.AsType[*reconcile.MergeConflict](err); !ok || !slices.Equal(conflict.Paths, []string{"a.hcl", "b.hcl"}) {
		t.Errorf("the error is %v; want a conflict in both files", err)
	}
}

func TestFilesAreReadByPath(t *testing.T) {
	r := newRepo(t)
	r.write("docs/CODEOWNERS", "* @ann\n")
	r.write("large", strings.Repeat("x", 1<<20+1))
	if err := os.Symlink("/etc/passwd", filepath.Join(r.dir, "link")); err != nil {
		t.Fatal(err)
	}
	tip := r.commit("first")
	source := mustNew(t, git.Options{URL: r.dir, Path: "specs"})
	if data, err := source.FileAt(t.Context(), tip, "docs/CODEOWNERS"); err != nil || string(data) != "* @ann\n" {
		t.Errorf("the file is %q, %v", data, err)
	}
	for _, name := range []string{"CODEOWNERS", "docs/CODEOWNERS/x", "docs/none"} {
		if _, err := source.FileAt(t.Context(), tip, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the error is %v; want that it does not exist", name, err)
		}
	}
	for _, name := range []string{"docs", "link", "large", "", "/docs/CODEOWNERS", "docs/../docs/CODEOWNERS", ".git/config"} {
		if data, err := source.FileAt(t.Context(), tip, name); err == nil {
			t.Errorf("%q reads %d bytes", name, len(data))
		}
	}
	if _, err := source.TreeAt(t.Context(), strings.Repeat("1", 40)); err == nil || !strings.Contains(err.Error(), "no commit") {
		t.Errorf("the tree of no commit: %v", err)
	}
}

func TestCommitsEndWithTheirContext(t *testing.T) {
	r := newRepo(t)
	tip := r.commit("first")
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	if _, err := mustNew(t, git.Options{URL: r.dir}).Range(ctx, "", tip); err == nil {
		t.Error("it went on without any time")
	}
}

func TestReplaceRefsAndGraftsAreNoted(t *testing.T) {
	r := newRepo(t)
	first := r.commit("first")
	tip := r.commit("second")
	r.git("replace", tip, first)
	r.write(".git/info/grafts", tip+"\n")
	got := mustRange(t, mustNew(t, git.Options{URL: r.dir}), "", tip)
	if len(got.Commits) != 2 || got.Commits[1].Subject != "second" || len(got.Notes) != 2 {
		t.Errorf("the range is %+v; want two commits as they are stored, and two notes", got)
	}
}

// The two files are the chosen-prefix collision of Leurent and Peyrin (SHA-1 is a
// Shambles, 2020). The hash that objects are checked with sees the attack.
func TestTheHashOfObjectsSeesCollisions(t *testing.T) {
	var sums [2]string
	for i := range sums {
		data, err := os.ReadFile(fmt.Sprintf("testdata/sha-mbles-%d.bin", i+1))
		if err != nil {
			t.Fatal(err)
		}
		h := hash.New(crypto.SHA1)
		h.Write(data)
		sums[i] = hex.EncodeToString(h.Sum(nil))
	}
	const collision = "8ac60ba76f1999a1ab70223f225aefdc78d4ddc0"
	if sums[0] == sums[1] || sums[0] == collision || sums[1] == collision {
		t.Errorf("the sums are %v; both have the SHA-1 %s", sums, collision)
	}
}
