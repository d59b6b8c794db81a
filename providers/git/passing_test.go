package git_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile"
)

// Whoever asks for a commit tries again soon where that may help, and only there.
func TestSourceSaysWhatMayPass(t *testing.T) {
	const ref = "refs/pull/7/head"
	answer := func(status int) func(*server) {
		return func(s *server) {
			s.hook(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(status); return true })
		}
	}
	for name, c := range map[string]struct {
		fault  func(*server)
		passes bool
	}{
		"in trouble": {answer(502), true},
		"overloaded": {answer(429), true},
		"locked":     {answer(401), false},
		"shut":       {answer(403), false},
		"moved": {func(s *server) {
			s.hook(func(w http.ResponseWriter, r *http.Request) bool {
				http.Redirect(w, r, "http://git.example.com/config.git", http.StatusFound)
				return true
			})
		}, false},
		"hangs up": {func(s *server) {
			s.hook(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
		}, true},
		"silent": {func(s *server) {
			s.hook(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
		}, true},
		"away": {func(s *server) { s.Close() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			work, s, source := overHTTP(t, git.Options{DataDir: t.TempDir()})
			mustLatest(t, source)
			pullRequest(work, "b.hcl", "b")
			c.fault(s)
			if name == "silent" {
				hurried := git.Options{URL: s.URL + "/config.git", Branch: "main", DataDir: t.TempDir(), Timeout: 300 * time.Millisecond}
				source = mustNew(t, hurried)
			}
			_, latest := source.Latest(t.Context())
			if latest == nil || errors.Is(latest, reconcile.ErrUnavailable) != c.passes {
				t.Errorf("Latest: got %v; want that it passes: %t", latest, c.passes)
			}
			if name == "silent" {
				return // nothing was fetched, so no ref is asked for
			}
			_, err := source.FetchRef(t.Context(), ref)
			if err == nil || errors.Is(err, reconcile.ErrUnavailable) != c.passes {
				t.Errorf("FetchRef: got %v; want that it passes: %t", err, c.passes)
			}
		})
	}
}

func TestWhatWasNotFetchedYetPasses(t *testing.T) {
	work, _, source := overHTTP(t, git.Options{})
	tip := work.head()
	_, ref := source.FetchRef(t.Context(), "refs/heads/main")
	_, tree := source.TreeAt(t.Context(), tip)
	for _, err := range []error{ref, tree} {
		wantWords(t, err, "nothing of it has been fetched yet")
		if !errors.Is(err, reconcile.ErrUnavailable) {
			t.Errorf("%v does not pass", err)
		}
	}
	mustLatest(t, source)
	if _, err := source.FetchRef(t.Context(), "refs/pull/7/head"); err == nil || errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("a ref that is not there: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := source.TreeAt(ctx, tip); !errors.Is(err, context.Canceled) || errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("whoever gives up gets %v", err)
	}
}

func TestDamageOfALocalRepositoryDoesNotPass(t *testing.T) {
	r := newRepo(t)
	tip := r.next("first")
	if err := os.Remove(filepath.Join(r.dir, ".git", "objects", tip[:2], tip[2:])); err != nil {
		t.Fatal(err)
	}
	_, err := mustNew(t, git.Options{URL: r.dir, Branch: "main"}).Latest(t.Context())
	wantWords(t, err, "git fsck")
	if errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("%v passes", err)
	}
}
