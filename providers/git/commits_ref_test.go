package git_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
)

// pullRequest pushes a commit on top of main as refs/pull/7/head, and returns it. main
// stays.
func pullRequest(work *repo, file, content string) string {
	work.t.Helper()
	work.git("checkout", "-q", "-b", "topic")
	work.write(file, content)
	topic := work.commit("topic")
	work.git("push", "-q", "origin", "topic:refs/pull/7/head")
	work.git("checkout", "-q", "main")
	return topic
}

// The head of a pull request may be large, and its server slow.
func TestLatestDoesNotWaitForARefThatIsNotFollowed(t *testing.T) {
	work, s, source := overHTTP(t, git.Options{})
	mustLatest(t, source)
	topic := pullRequest(work, "b.hcl", "b")
	asked, answer := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	s.hook(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && !first.Swap(true) {
			close(asked)
			<-answer
		}
		return false
	})
	fetched := make(chan string)
	go func() {
		id, err := source.FetchRef(context.WithoutCancel(t.Context()), "refs/pull/7/head")
		if err != nil {
			id = err.Error()
		}
		fetched <- id
	}()
	<-asked
	work.write("a.hcl", "2")
	tip := work.commit("second")
	work.git("push", "-q", "origin", "main")
	if got := mustLatest(t, source).Tree.Commit().ID; got != tip {
		t.Errorf("got %s; want %s", got, tip)
	}
	if _, err := source.TreeAt(t.Context(), tip); err != nil {
		t.Error(err)
	}
	close(answer)
	if got := <-fetched; got != topic {
		t.Errorf("the ref is %s; want %s", got, topic)
	}
	if _, err := source.Merge(t.Context(), tip, topic); err != nil {
		t.Error(err)
	}
}

// Latest makes a clone of too many packs anew, also while a ref is fetched into it.
func TestRefIsFetchedIntoTheCloneThatReplacedItsOwn(t *testing.T) {
	dataDir := t.TempDir()
	work, s, source := overHTTP(t, git.Options{DataDir: dataDir})
	mustLatest(t, source)
	topic := pullRequest(work, "b.hcl", "b")
	var first atomic.Bool
	s.hook(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && !first.Swap(true) {
			packs := filepath.Dir(cloneFiles(t, dataDir, suffix(".pack"))[0])
			for n := range 200 {
				if err := os.WriteFile(filepath.Join(packs, fmt.Sprintf("pack-%d.pack", n)), nil, 0o600); err != nil {
					t.Error(err)
				}
			}
			work.write("a.hcl", "2")
			work.commit("second")
			work.git("push", "-q", "origin", "main")
			if _, err := source.Latest(t.Context()); err != nil {
				t.Error(err)
			}
		}
		return false
	})
	if got, err := source.FetchRef(t.Context(), "refs/pull/7/head"); err != nil || got != topic {
		t.Errorf("the ref is %s, %v; want %s", got, err, topic)
	}
	if _, err := source.TreeAt(t.Context(), topic); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(dataDir, "git", "*-000002.git")); err != nil || len(left) != 1 {
		t.Errorf("the clones are %v, %v", left, err)
	}
}

func TestRefThatIsNotFollowedMayCostLess(t *testing.T) {
	noise := make([]byte, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for name, c := range map[string]struct {
		limits git.Limits
		words  []string
	}{
		"bytes":   {git.Limits{RefTransfer: 1 << 19}, []string{"refs/pull/7/head", "524288 bytes"}},
		"objects": {git.Limits{RefObjects: 2}, []string{"refs/pull/7/head", "3 objects", "2 that are allowed"}},
	} {
		t.Run(name, func(t *testing.T) {
			work, _, source := overHTTP(t, git.Options{Limits: c.limits, Timeout: time.Minute})
			mustLatest(t, source)
			pullRequest(work, "b.bin", string(noise))
			_, err := source.FetchRef(t.Context(), "refs/pull/7/head")
			wantWords(t, err, c.words...)
			work.write("c.bin", strings.Repeat("c", 1<<19)+string(noise))
			tip := work.commit("second")
			work.git("push", "-q", "origin", "main")
			if got := mustLatest(t, source).Tree.Commit().ID; got != tip {
				t.Errorf("what is followed is %s; want %s", got, tip)
			}
		})
	}
}
