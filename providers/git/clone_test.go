package git_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
)

// cloneFiles lists the files of the clone in a data directory that match.
func cloneFiles(t *testing.T, dataDir string, match func(path string) bool) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join(dataDir, "git"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && match(path) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func suffix(s string) func(string) bool {
	return func(path string) bool { return strings.HasSuffix(path, s) }
}

func TestDamagedCloneIsReplaced(t *testing.T) {
	truncate := func(path string) error { return os.Truncate(path, 40) }
	empty := func(path string) error { return replace(path, nil) }
	flip := func(path string) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data[len(data)/2] ^= 0xff
		return replace(path, data)
	}
	for name, c := range map[string]struct {
		match  func(string) bool
		damage func(string) error
	}{
		"truncated pack":    {suffix(".pack"), truncate},
		"empty pack":        {suffix(".pack"), empty},
		"flipped bit":       {suffix(".pack"), flip},
		"missing pack":      {suffix(".pack"), os.Remove},
		"truncated index":   {suffix(".idx"), truncate},
		"flipped index":     {suffix(".idx"), flip},
		"missing index":     {suffix(".idx"), os.Remove},
		"empty ref":         {suffix("fairlead/fetched"), empty},
		"ref of nothing":    {suffix("fairlead/fetched"), func(p string) error { return replace(p, []byte(strings.Repeat("1", 40)+"\n")) }},
		"garbage for a ref": {suffix("fairlead/fetched"), func(p string) error { return replace(p, []byte("garbage")) }},
		"empty config":      {suffix("/config"), empty},
		"everything gone":   {func(string) bool { return true }, os.Remove},
	} {
		// A running daemon looks into its clone only when the remote moved on.
		// The damages that matter to it then are enough.
		moves := []bool{false}
		if slices.Contains([]string{"truncated pack", "empty ref", "missing index", "everything gone"}, name) {
			moves = append(moves, true)
		}
		for _, moved := range moves {
			t.Run(fmt.Sprintf("%s, remote moved on: %t", name, moved), func(t *testing.T) {
				t.Parallel()
				dataDir := t.TempDir()
				work, _, source := overHTTP(t, git.Options{DataDir: dataDir})
				id := mustLatest(t, source).Tree.Commit().ID
				paths := cloneFiles(t, dataDir, c.match)
				if len(paths) == 0 {
					t.Fatal("there is nothing to damage")
				}
				for _, path := range paths {
					if err := c.damage(path); err != nil {
						t.Fatal(err)
					}
				}
				if moved {
					id = work.next("second")
					work.git("push", "-q", "origin", "main")
				} else {
					source = mustNew(t, git.Options{URL: sourceURL(work), Branch: "main", DataDir: dataDir})
				}
				if got := mustLatest(t, source).Tree.Commit().ID; got != id {
					t.Errorf("got %s; want %s", got, id)
				}
				if clones, err := os.ReadDir(filepath.Join(dataDir, "git")); err != nil || len(clones) != 1 {
					t.Errorf("there are %d clones, %v; want 1", len(clones), err)
				}
			})
		}
	}
}

// sourceURL is where the repository was published.
func sourceURL(r *repo) string { return r.git("config", "fairlead.url") }

func TestCloneIsReadableForGit(t *testing.T) {
	dataDir := t.TempDir()
	work, _, source := overHTTP(t, git.Options{DataDir: dataDir})
	for range 3 {
		work.next(fmt.Sprint(time.Now().UnixNano()))
		work.git("push", "-q", "origin", "main")
		mustLatest(t, source)
	}
	clones, err := filepath.Glob(filepath.Join(dataDir, "git", "*.git"))
	if err != nil || len(clones) != 1 {
		t.Fatalf("there are %d clones, %v", len(clones), err)
	}
	clone := &repo{t: t, dir: clones[0]}
	clone.git("fsck", "--full", "--strict")
	if got := clone.git("rev-parse", "refs/fairlead/fetched"); got != work.git("rev-parse", "main") {
		t.Errorf("the clone has %s", got)
	}
}

func TestTransferLimitsStopABomb(t *testing.T) {
	noise := make([]byte, 3<<20)
	for i, x := 0, uint64(1); i < len(noise); i++ {
		x = x*6364136223846793005 + 1442695040888963407
		noise[i] = byte(x >> 56)
	}
	for name, c := range map[string]struct {
		content func(r *repo)
		limits  git.Limits
		words   []string
	}{
		"too many bytes": {
			func(r *repo) { r.write("noise", string(noise)) },
			git.Limits{Transfer: 1 << 20},
			[]string{"1048576 bytes", "large files"},
		},
		"too many objects": {
			func(r *repo) {
				for i := range 200 {
					r.write(fmt.Sprint(i), fmt.Sprint(i))
				}
			},
			git.Limits{Objects: 100},
			[]string{"objects", "100"},
		},
		"object that inflates": {
			func(r *repo) { r.write("zeros", strings.Repeat("\x00", 12<<20)) },
			git.Limits{ObjectSize: 10 << 20},
			[]string{"12582912 bytes", "10485760"},
		},
		"delta that inflates": {
			func(r *repo) {
				r.write("zeros", string(noise[:100<<10]))
				r.commit("base")
				r.write("zeros", strings.Repeat(string(noise[:100<<10]), 40))
				r.commit("bomb")
				r.git("repack", "-q", "-a", "-d", "-f", "--depth=50")
			},
			git.Limits{ObjectSize: 1 << 20},
			[]string{"4096000 bytes"},
		},
		"all objects together": {
			func(r *repo) {
				for i := range 8 {
					r.write(fmt.Sprint(i), fmt.Sprint(i)+strings.Repeat("\x00", 1<<20))
				}
			},
			git.Limits{Inflated: 4 << 20},
			[]string{"4194304 bytes together"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dataDir := t.TempDir()
			work, _, source := overHTTP(t, git.Options{DataDir: dataDir, Limits: c.limits})
			if name == "too many objects" || name == "too many bytes" {
				mustLatest(t, source)
			}
			c.content(work)
			work.commit("bomb")
			work.git("push", "-q", "origin", "main")
			wantError(t, source, c.words...)
			if left := cloneFiles(t, dataDir, func(p string) bool { return strings.Contains(p, "tmp_pack") }); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func TestKilledFetchLeavesNothingThatHurts(t *testing.T) {
	dataDir := t.TempDir()
	work, s, source := overHTTP(t, git.Options{DataDir: dataDir})
	mustLatest(t, source)
	second := work.next("second")
	work.git("push", "-q", "origin", "main")
	ctx, cancel := context.WithCancel(t.Context())
	s.hook(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/git-upload-pack") {
			// The server notices that a client has gone once it has read the body.
			_, _ = io.Copy(io.Discard, r.Body)
			cancel()
			<-r.Context().Done()
			return true
		}
		return false
	})
	if _, err := source.Latest(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v; want that it was cancelled", err)
	}
	s.hook(nil)
	// What a kill -9 in the middle of a write leaves.
	pack := cloneFiles(t, dataDir, suffix(".pack"))[0]
	left := filepath.Join(filepath.Dir(pack), "tmp_pack_123")
	old := time.Now().Add(-2 * time.Hour)
	if err := errors.Join(os.WriteFile(left, []byte("PACK"), 0o600), os.Chtimes(left, old, old)); err != nil {
		t.Fatal(err)
	}
	if got := mustLatest(t, source).Tree.Commit().ID; got != second {
		t.Errorf("got %s; want %s", got, second)
	}
	if left := cloneFiles(t, dataDir, func(p string) bool { return strings.Contains(p, "tmp_pack") }); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestFullDiskIsSaidAndPasses(t *testing.T) {
	dataDir := t.TempDir()
	if err := syscall.Mount("tmpfs", dataDir, "tmpfs", 0, "size=600k"); err != nil {
		t.Skipf("a small file system cannot be mounted here, only root may: %v", err)
	}
	defer func() { _ = syscall.Unmount(dataDir, syscall.MNT_DETACH) }()
	work, _, source := overHTTP(t, git.Options{DataDir: dataDir})
	first := mustLatest(t, source)
	filler := filepath.Join(dataDir, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	second := work.next("second")
	work.git("push", "-q", "origin", "main")
	wantError(t, source, "full", "free some space")
	if _, err := first.Tree.Read("a.hcl"); err != nil {
		t.Errorf("the revision from before does not read: %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if got := mustLatest(t, source).Tree.Commit().ID; got != second {
		t.Errorf("with room again it is %s; want %s", got, second)
	}
}

func TestAnotherRemoteIsAnotherClone(t *testing.T) {
	dataDir := t.TempDir()
	_, _, one := overHTTP(t, git.Options{DataDir: dataDir})
	mustLatest(t, one)
	other, _, two := overHTTP(t, git.Options{DataDir: dataDir})
	if got := mustLatest(t, two).Tree.Commit().ID; got != other.git("rev-parse", "main") {
		t.Errorf("got %s", got)
	}
}

func TestRemoteRevisionsCanBeNamed(t *testing.T) {
	work, _, _ := overHTTP(t, git.Options{})
	first := work.git("rev-parse", "main")
	for _, name := range []string{"v1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5"} { // refs are looked at in any order
		work.git("tag", "-a", "-m", "annotated", name)
	}
	second := work.next("second")
	work.git("push", "-q", "--tags", "origin", "main")
	for ref, want := range map[string]string{"v1": first, "main": second, first: first, second: second, "HEAD": second} {
		t.Run(ref, func(t *testing.T) {
			source := mustNew(t, git.Options{URL: sourceURL(work), Ref: ref, DataDir: t.TempDir()})
			if got := mustLatest(t, source).Tree.Commit().ID; got != want {
				t.Errorf("%s is %s; want %s", ref, got, want)
			}
		})
	}
	t.Run("unknown ones are refused", func(t *testing.T) {
		for ref, word := range map[string]string{"v9": "there are main", strings.Repeat("1", 40): "no branch and no tag"} {
			wantError(t, mustNew(t, git.Options{URL: sourceURL(work), Ref: ref, DataDir: t.TempDir()}), word)
		}
	})
}

func TestEmptyRemoteIsExplained(t *testing.T) {
	r := newRepo(t)
	source := mustNew(t, git.Options{URL: newServer(t, false).publish(r), Branch: "main", DataDir: t.TempDir()})
	wantError(t, source, "no branch main", "first commit")
}
