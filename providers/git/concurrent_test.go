package git_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
)

// A pull request is merged by a fast-forward: whoever asks first has looked what the clone
// lacks when the other one overtakes it, and stores the same pack.
func TestLatestAndFetchRefStoreTheSamePack(t *testing.T) {
	latest := func(source *git.Source) (string, error) {
		s, err := source.Latest(context.Background())
		if err != nil {
			return "", err
		}
		return s.Tree.Commit().ID, nil
	}
	ref := func(source *git.Source) (string, error) {
		return source.FetchRef(context.Background(), "refs/pull/7/head")
	}
	type call = func(*git.Source) (string, error)
	for name, c := range map[string]struct{ slow, fast call }{"latest overtakes": {ref, latest}, "ref overtakes": {latest, ref}} {
		t.Run(name, func(t *testing.T) {
			dataDir := t.TempDir()
			work, s, source := overHTTP(t, git.Options{DataDir: dataDir})
			mustLatest(t, source)
			tip := work.next("second")
			work.git("push", "-q", "origin", "main", "main:refs/pull/7/head")
			var posts atomic.Int32
			s.hook(func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPost && posts.Add(1) == 1 {
					if id, err := c.fast(source); err != nil || id != tip {
						t.Errorf("the fast one gets %s, %v", id, err)
					}
				}
				return false
			})
			if id, err := c.slow(source); err != nil || id != tip {
				t.Errorf("the slow one gets %s, %v", id, err)
			}
			if _, err := source.TreeAt(t.Context(), tip); err != nil {
				t.Error(err)
			}
			if clones := cloneFiles(t, dataDir, suffix("HEAD")); len(clones) != 1 {
				t.Errorf("the clones are %q", clones)
			}
		})
	}
}

// All that reads and writes one clone at a time finds what is there, and nobody gives the
// clone up.
func TestUsersOfOneCloneAreInNobodysWay(t *testing.T) {
	dataDir := t.TempDir()
	work, _, source := overHTTP(t, git.Options{DataDir: dataDir})
	first := work.head()
	work.next("second")
	work.git("push", "-q", "origin", "main", "main:refs/pull/7/head")
	var tip atomic.Value
	tip.Store(mustLatest(t, source).Tree.Commit().ID)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var users sync.WaitGroup
	var turns [4]atomic.Int32
	for i, use := range []func(newest string) error{
		func(string) error {
			s, err := source.Latest(t.Context())
			if err == nil {
				tip.Store(s.Tree.Commit().ID)
			}
			return err
		},
		func(string) error { _, err := source.FetchRef(t.Context(), "refs/pull/7/head"); return err },
		func(newest string) error { _, err := source.Range(t.Context(), first, newest); return err },
		func(newest string) error {
			_, merged := source.Merge(t.Context(), first, newest)
			_, err := source.TreeAt(t.Context(), newest)
			return errors.Join(merged, err)
		},
	} {
		users.Go(func() {
			for ctx.Err() == nil && !t.Failed() {
				if err := use(tip.Load().(string)); err != nil {
					t.Errorf("user %d: %v", i, err)
				}
				turns[i].Add(1)
			}
		})
	}
	for n := range 12 {
		work.next(fmt.Sprint("another ", n))
		work.git("push", "-q", "origin", "main:refs/pull/7/head", "main")
		for i := range turns { // each of them sees it, or what is on the way
			for before := turns[i].Load(); turns[i].Load() < before+2 && !t.Failed(); {
				if _, err := source.TreeAt(t.Context(), first); err != nil {
					t.Error(err)
				}
			}
		}
	}
	stop()
	users.Wait()
	if clones := cloneFiles(t, dataDir, suffix("HEAD")); len(clones) != 1 {
		t.Errorf("the clones are %q", clones)
	}
}
