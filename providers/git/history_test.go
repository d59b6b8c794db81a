package git_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
)

// rewrite is one way in which a branch can move. It starts from a history of
// three commits a, b, c of which c was accepted, and returns the new tip.
type rewrite struct {
	move func(r *repo, a, b, c string) string
	note string // in the note; "": a forward step, which has none
}

var rewrites = map[string]rewrite{
	"one commit forward": {func(r *repo, _, _, _ string) string { return r.next("d") }, ""},
	"many commits forward": {func(r *repo, _, _, _ string) string {
		for range 5 {
			r.next("more")
		}
		return r.next("last")
	}, ""},
	"merge with the accepted commit as first parent": {func(r *repo, _, b, _ string) string {
		r.git("checkout", "-q", "-b", "side", b)
		r.next("side")
		r.git("checkout", "-q", "main")
		r.git("merge", "-q", "--no-ff", "-m", "merge", "-s", "ours", "side")
		return r.git("rev-parse", "main")
	}, ""},
	"merge with the accepted commit as second parent": {func(r *repo, _, b, c string) string {
		r.git("reset", "-q", "--hard", b)
		r.next("other")
		r.git("merge", "-q", "--no-ff", "-m", "merge", "-s", "ours", c)
		return r.git("rev-parse", "main")
	}, ""},
	"rewind by one":       {func(r *repo, _, b, _ string) string { r.git("reset", "-q", "--hard", b); return b }, "set back"},
	"rewind to the start": {func(r *repo, a, _, _ string) string { r.git("reset", "-q", "--hard", a); return a }, "set back"},
	"amended commit": {func(r *repo, _, _, _ string) string {
		r.git("commit", "-q", "--amend", "-m", "amended")
		return r.git("rev-parse", "main")
	}, "rewritten"},
	"another last commit": {func(r *repo, _, b, _ string) string { r.git("reset", "-q", "--hard", b); return r.next("instead") }, "rewritten"},
	"another whole history": {func(r *repo, _, _, _ string) string {
		r.git("checkout", "-q", "--orphan", "new")
		id := r.next("new start")
		r.git("branch", "-q", "-M", "new", "main")
		return id
	}, "rewritten"},
	"squashed history": {func(r *repo, a, _, _ string) string {
		r.git("reset", "-q", "--soft", a)
		r.git("commit", "-q", "--allow-empty", "-m", "squashed")
		return r.git("rev-parse", "main")
	}, "rewritten"},
}

// next makes one more commit.
func (r *repo) next(what string) string {
	r.t.Helper()
	r.write("what.hcl", what)
	return r.commit(what)
}

func TestRewrittenHistoryIsFollowedOrRefusedAndSaid(t *testing.T) {
	for name, c := range rewrites {
		for _, remote := range []bool{false, true} {
			where := map[bool]string{false: "local", true: "remote"}[remote]
			t.Run(name+", "+where, func(t *testing.T) {
				t.Parallel()
				r := newRepo(t)
				a, b, last := r.next("a"), r.next("b"), r.next("c")
				url := r.dir
				if remote {
					url = newServer(t, false).publish(r)
				}
				follow := mustNew(t, git.Options{URL: url, Branch: "main", DataDir: t.TempDir()})
				refuse := mustNew(t, git.Options{URL: url, Branch: "main", DataDir: t.TempDir(), OnRewrite: git.Refuse})
				mustLatest(t, follow)
				mustLatest(t, refuse)
				// This one starts without a clone and knows only what it accepted.
				restarted := mustNew(t, git.Options{URL: url, Branch: "main", DataDir: t.TempDir(), Accepted: last})
				tip := c.move(r, a, b, last)
				if remote {
					r.git("push", "-q", "--force", "origin", "main")
				}
				for _, source := range []*git.Source{follow, restarted} {
					snapshot := mustLatest(t, source)
					if got := snapshot.Tree.Commit().ID; got != tip {
						t.Fatalf("followed to %s; want %s", got, tip)
					}
					notes := strings.Join(snapshot.Notes, "\n")
					if (c.note == "") != (notes == "") || source == follow && !strings.Contains(notes, c.note) {
						t.Errorf("notes are %q; want one with %q", notes, c.note)
					}
					if again := mustLatest(t, source); strings.Join(again.Notes, "\n") != notes {
						t.Errorf("the second time the notes are %q; want %q again", again.Notes, notes)
					}
				}
				if c.note == "" {
					mustLatest(t, refuse)
					return
				}
				wantError(t, refuse, c.note, last[:7], tip[:7], "--on-rewrite follow")
				r.git("reset", "-q", "--hard", last)
				if remote {
					r.git("push", "-q", "--force", "origin", "main")
				}
				if got := mustLatest(t, refuse).Tree.Commit().ID; got != last {
					t.Errorf("after the branch is back it is %s; want %s", got, last)
				}
			})
		}
	}
}

func TestShallowRepositorySaysThatItCannotTell(t *testing.T) {
	r := newRepo(t)
	first := r.next("a")
	for range 5 {
		r.next("more")
	}
	shallow := &repo{t: t, dir: t.TempDir()}
	shallow.git("clone", "-q", "--depth", "2", "file://"+r.dir, "s")
	source := mustNew(t, git.Options{URL: shallow.dir + "/s", Branch: "main", Accepted: first})
	snapshot := mustLatest(t, source)
	if len(snapshot.Notes) != 1 || !strings.Contains(snapshot.Notes[0], "shallow") {
		t.Errorf("notes are %q", snapshot.Notes)
	}
}
