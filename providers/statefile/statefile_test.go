package statefile_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/providers/statefile"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// TestMain lets the test program be the other daemon: with a path in its
// environment it takes the lock, says so, and waits to be killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("STATEFILE_TEST_LOCK"); path != "" {
		if _, err := statefile.TryLock(path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("locked")
		select {}
	}
	os.Exit(m.Run())
}

func snapshotOf(content string) reconcile.Snapshot {
	file := spec.File{Path: "a.hcl", Hash: content, Size: int64(len(content))}
	return reconcile.Snapshot{Tree: spec.NewTree(spec.Commit{}, []spec.Content{{File: file, Data: []byte(content)}})}
}

func TestSnapshotsKeepThePort(t *testing.T) {
	providertest.SnapshotsSuite(t, func(t *testing.T) (before, after reconcile.Snapshots) {
		path := filepath.Join(t.TempDir(), "data", "last-good")
		return statefile.NewSnapshots(path), statefile.NewSnapshots(path)
	})
}

func TestDamagedSnapshotIsSaidAndNotUsed(t *testing.T) {
	for name, damage := range map[string]func(raw []byte) []byte{
		"flipped bit": func(raw []byte) []byte { raw[len(raw)/2] ^= 1; return raw },
		"cut short":   func(raw []byte) []byte { return raw[:len(raw)-1] },
		"nearly gone": func(raw []byte) []byte { return raw[:5] },
		"empty":       func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "last-good")
			s := statefile.NewSnapshots(path)
			if err := s.Keep(t.Context(), snapshotOf("content")); err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(raw), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := s.LastGood(t.Context()); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v; want an error that names the file", err)
			}
		})
	}
}

func TestStoreReturnsWhatWasSavedLast(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := statefile.NewStore(dir)
	if _, err := s.Load(t.Context(), "pins.prod"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v; want that there is none", err)
	}
	for _, value := range []string{`{"a":1}`, `{"a":2}`} {
		if err := s.Save(t.Context(), "pins.prod", []byte(value)); err != nil {
			t.Fatal(err)
		}
		if got, err := statefile.NewStore(dir).Load(t.Context(), "pins.prod"); err != nil || string(got) != value {
			t.Errorf("got %s, %v; want %s", got, err, value)
		}
	}
	for path, want := range map[string]fs.FileMode{dir: 0o700, filepath.Join(dir, "pins.prod.json"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has the mode %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v; want one file", entries, err)
	}
}

func TestStoreRefusesWhatItCannotKeep(t *testing.T) {
	s := statefile.NewStore(t.TempDir())
	for _, key := range []string{"", ".", "..", ".hidden", "a/b", "../a", `a\b`, "a b", "ä", strings.Repeat("k", 200)} {
		if err := s.Save(t.Context(), key, []byte("1")); err == nil {
			t.Errorf("the key %q is allowed", key)
		}
		if _, err := s.Load(t.Context(), key); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("loading %q: got %v", key, err)
		}
	}
	if err := s.Save(t.Context(), "k", []byte("{")); err == nil {
		t.Error("half a document is allowed")
	}
	if err := s.Save(t.Context(), "k", []byte(`"`+strings.Repeat("x", 5<<20)+`"`)); err == nil {
		t.Error("a huge value is allowed")
	}
}

func TestDamagedValueIsSaid(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "k.json"), []byte(`{"a":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := statefile.NewStore(dir).Load(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "k.json") {
		t.Errorf("got %v; want an error that names the file", err)
	}
}

func TestFullDiskLeavesTheOldContent(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a small file system cannot be mounted here, only root may: %v", err)
	}
	defer func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }()
	snapshots := statefile.NewSnapshots(filepath.Join(dir, "last-good"))
	store := statefile.NewStore(filepath.Join(dir, "state"))
	if err := errors.Join(snapshots.Keep(t.Context(), snapshotOf("old")), store.Save(t.Context(), "k", []byte(`"old"`))); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	large := strings.Repeat("x", 64<<10)
	for _, err := range []error{snapshots.Keep(t.Context(), snapshotOf(large)), store.Save(t.Context(), "k", []byte(`"`+large+`"`))} {
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free space") {
			t.Errorf("got %v; want that the disk is full", err)
		}
	}
	if got, err := snapshots.LastGood(t.Context()); err != nil || got.Tree.Files()[0].Hash != "old" {
		t.Errorf("the last good revision is %+v, %v", got, err)
	}
	if got, err := store.Load(t.Context(), "k"); err != nil || string(got) != `"old"` {
		t.Errorf("the value is %s, %v", got, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := snapshots.Keep(t.Context(), snapshotOf(large)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestLockIsHeldByOneAndEndsWithItsProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "lock")
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), "STATEFILE_TEST_LOCK="+path)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	_, err = statefile.TryLock(path)
	held, ok := errors.AsType[*statefile.HeldError](err)
	if !ok || held.Holder.PID != other.Process.Pid || held.Holder.Since.IsZero() {
		t.Fatalf("got %v; want that pid %d holds it", err, other.Process.Pid)
	}
	if !strings.Contains(err.Error(), fmt.Sprintf("pid %d, since ", other.Process.Pid)) {
		t.Errorf("got %q", err)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // it was killed
	lock, err := statefile.TryLock(path)
	if err != nil {
		t.Fatalf("after its holder was killed: %v", err)
	}
	if _, err := statefile.TryLock(path); err == nil {
		t.Error("it can be taken twice in one process")
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := statefile.TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Unlock(); err != nil {
		t.Fatal(err)
	}
}
