package oci_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/providers/oci"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

// memoryDir returns a directory in memory where there is such a file system: these
// tests wait for the disk thousands of times, which proves nothing.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "fairlead-oci-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// reachable returns the blobs that the artifacts of keep consist of.
func reachable(t rapid.TB, dir string, keep map[string]bool) map[string]bool {
	need := map[string]bool{}
	for digest := range keep {
		need[strings.TrimPrefix(digest, "sha256:")] = true
		raw, err := os.ReadFile(filepath.Join(dir, "layout/blobs/sha256", strings.TrimPrefix(digest, "sha256:")))
		if err != nil {
			t.Fatalf("what is kept is lost: %v", err)
		}
		var m v1.Manifest
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		need[m.Config.Digest.Hex] = true
		for _, layer := range m.Layers {
			need[layer.Digest.Hex] = true
		}
	}
	return need
}

func names(t rapid.TB, dir string) map[string]bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, e := range entries {
		all[e.Name()] = true
	}
	return all
}

// TestCollectionsNeverLoseWhatIsKept stores, checks out, publishes and collects at
// random, through two processes. What is kept is always there in full; after a
// collection that spares nothing else, nothing else is there.
func TestCollectionsNeverLoseWhatIsKept(t *testing.T) {
	base := memoryDir(t)
	number := 0
	rapid.Check(t, func(rt *rapid.T) {
		number++
		dir := filepath.Join(base, fmt.Sprint(number))
		stores := []*oci.Store{open(t, oci.Options{Dir: dir}), open(t, oci.Options{Dir: dir})}
		files := map[string]map[string]string{} // by digest of the artifact
		used := map[string]bool{}               // since the last collection that spared what was used
		store := func() *oci.Store { return rapid.SampledFrom(stores).Draw(rt, "process") }
		some := func() string {
			return rapid.SampledFrom(slices.Sorted(maps.Keys(files))).Draw(rt, "artifact")
		}
		put := func(rt *rapid.T) {
			tree := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c/d", "e*"}), rapid.SampledFrom([]string{"", "x", "y", "{}", "zzz"}), 0, 3).Draw(rt, "tree")
			content, err := store().Put(t.Context(), providertest.Tree(t, tree))
			if err != nil {
				rt.Fatal(err)
			}
			files[content.Digest] = tree
			used[content.Digest] = true
		}
		put(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"put": put,
			"checkout": func(rt *rapid.T) {
				digest := some()
				dir, err := store().Checkout(t.Context(), digest)
				if err != nil {
					rt.Fatal(err)
				}
				used[digest] = true
				providertest.WantTree(t, dir, files[digest])
			},
			"publish": func(rt *rapid.T) {
				digest := some()
				if len(files[digest]) == 0 {
					rt.Skip("nothing to publish")
				}
				version := fmt.Sprintf("1.0.%d", rapid.IntRange(0, 2).Draw(rt, "version"))
				published, err := store().Publish(t.Context(), reconcile.ModelPackage{Name: "m", Version: version, Content: digest})
				if err != nil {
					rt.Fatal(err)
				}
				files[published.Digest] = files[digest]
				used[digest], used[published.Digest] = true, true
			},
			"collect": func(rt *rapid.T) {
				keep := map[string]bool{}
				for _, digest := range slices.Sorted(maps.Keys(files)) {
					if rapid.Bool().Draw(rt, "keep") {
						keep[digest] = true
					}
				}
				before := time.Now().Add(time.Hour)
				spare := rapid.Bool().Draw(rt, "spare what was used")
				if spare {
					before = time.Now().Add(-time.Hour)
				}
				if _, err := store().Collect(t.Context(), keep, before); err != nil {
					rt.Fatal(err)
				}
				if spare {
					maps.Copy(keep, used)
				} else {
					used = map[string]bool{}
				}
				maps.DeleteFunc(files, func(digest string, _ map[string]string) bool { return !keep[digest] })
				need := reachable(rt, dir, keep)
				if got := names(rt, filepath.Join(dir, "layout/blobs/sha256")); !spare && !maps.Equal(got, need) {
					rt.Fatalf("there are the blobs %v; want %v", got, need)
				}
				for checkout := range names(rt, filepath.Join(dir, "checkout")) {
					if !keep["sha256:"+checkout] {
						rt.Fatalf("the checkout %s is left", checkout)
					}
				}
				if left := names(rt, filepath.Join(dir, "work")); len(left) > 0 {
					rt.Fatalf("there is left %v", left)
				}
				if len(files) == 0 {
					put(rt)
				}
			},
			"": func(rt *rapid.T) {
				for digest, tree := range files {
					content, err := stores[0].Lookup(t.Context(), digest)
					if err != nil || content.Files != len(tree) {
						rt.Fatalf("%v is %+v, %v", tree, content, err)
					}
				}
				for digest := range files { // Lookup is a use
					used[digest] = true
				}
			},
		})
	})
}

// TestAKilledProcessLosesNothing kills a process that stores, checks out, publishes and
// collects without end, and looks at the store after each death.
func TestAKilledProcessLosesNothing(t *testing.T) {
	dir := memoryDir(t)
	s := open(t, oci.Options{Dir: dir})
	tree := map[string]string{"model": "kept", "sub/run*": "#!", "common": "common"}
	kept, err := s.Put(t.Context(), providertest.Tree(t, tree))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 12 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^$")
		cmd.Env = append(os.Environ(), "OCI_TEST_CHURN="+dir, "OCI_TEST_KEEP="+kept.Digest)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It writes a byte for each thing that it has done; the delay differs, so that
		// it dies at another place each time.
		if _, err := io.ReadFull(stdout, make([]byte, 3+n)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(n) * 1700 * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		checkout, err := s.Checkout(t.Context(), kept.Digest)
		if err != nil {
			t.Fatalf("after death %d: %v", n, err)
		}
		providertest.WantTree(t, checkout, tree)
		for blob := range names(t, filepath.Join(dir, "layout/blobs/sha256")) {
			data, err := os.ReadFile(filepath.Join(dir, "layout/blobs/sha256", blob))
			if err != nil || hexOf(string(data)) != blob {
				t.Errorf("after death %d the blob %s has the bytes %.80q, %v", n, blob, data, err)
			}
		}
		for root := range names(t, filepath.Join(dir, "roots")) {
			if _, err := s.Checkout(t.Context(), "sha256:"+root); err != nil && !errors.Is(err, reconcile.ErrNoContent) {
				t.Errorf("after death %d: %v", n, err)
			}
		}
	}
	if _, err := s.Collect(t.Context(), map[string]bool{kept.Digest: true}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got, need := names(t, filepath.Join(dir, "layout/blobs/sha256")), reachable(t, dir, map[string]bool{kept.Digest: true}); !maps.Equal(got, need) {
		t.Errorf("the last collection left the blobs %v; want %v", got, need)
	}
	if left := names(t, filepath.Join(dir, "work")); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

// churn is the process that is killed.
func churn(dir, keep string) error {
	s, err := oci.New(oci.Options{Dir: dir})
	if err != nil {
		return err
	}
	ctx := context.Background() // it is killed
	for n := 0; ; n++ {
		content, err := s.PutFile(ctx, fmt.Sprint(n%5), strings.NewReader("common"))
		if err != nil {
			return err
		}
		if _, err := s.Checkout(ctx, content.Digest); err != nil {
			return err
		}
		if _, err := s.Publish(ctx, reconcile.ModelPackage{Name: "m", Version: fmt.Sprint(n % 3), Content: content.Digest}); err != nil {
			return err
		}
		if _, err := s.Collect(ctx, map[string]bool{keep: true}, time.Now().Add(time.Hour)); err != nil {
			return err
		}
		if _, err := os.Stdout.WriteString("."); err != nil {
			return err
		}
	}
}
