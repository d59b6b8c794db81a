package docker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

func TestSweepDeletesWhatNothingUses(t *testing.T) {
	root := t.TempDir()
	files, err := newSecretFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * sweepGrace)
	for name, modified := range map[string]time.Time{
		"used.rev1": old, "unused.rev1": old, "fresh.rev1": time.Now(), partial + "crashed": old,
	} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.Mkdir(path, 0o755), os.WriteFile(filepath.Join(path, "x"), nil, 0o444), os.Chtimes(path, modified, modified)); err != nil {
			t.Fatal(err)
		}
	}
	rows := []container.Summary{{Mounts: []container.MountPoint{{Source: filepath.Join(root, "used.rev1"), Destination: secretsTarget}}}}
	left := func() []string {
		entries, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	files.sweep(rows, files.now())
	if got, want := left(), []string{"fresh.rev1", "used.rev1"}; !slices.Equal(got, want) {
		t.Errorf("the sweep left %q, want %q", got, want)
	}
}

func TestSecretFilesOfAnAnnouncedContainerStay(t *testing.T) {
	files, err := newSecretFiles(filepath.Join(t.TempDir(), "secrets"))
	if err != nil {
		t.Fatal(err)
	}
	c := testSpec()
	c.SecretFiles = map[string]spec.Sensitive{"token": spec.NewSensitive("x")}
	dir := files.dir(c.Labels)
	attempt := func(moment uint64) (deleted bool) {
		if err := errors.Join(files.write(c), files.deleteUnused(dir, moment)); err != nil {
			t.Fatal(err)
		}
		return files.lost(dir)
	}
	before := files.now()
	done := files.announce(c)
	if attempt(files.now()) {
		t.Error("they were deleted while the container was created")
	}
	done()
	if attempt(before) {
		t.Error("they were deleted by an answer that is older than the container")
	}
	if !attempt(files.now()) {
		t.Error("they were kept although nothing uses them")
	}
	if len(files.last)+len(files.open) != 0 {
		t.Errorf("left in memory: %v, %v", files.last, files.open)
	}
}

func TestSecretFilesAppearAllAtOnce(t *testing.T) {
	files, err := newSecretFiles(filepath.Join(t.TempDir(), "secrets"))
	if err != nil {
		t.Fatal(err)
	}
	c := testSpec()
	c.SecretFiles = map[string]spec.Sensitive{"a": spec.NewSensitive("1"), "b": spec.NewSensitive("2")}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if err := files.write(c); err != nil {
				t.Error(err)
			}
			for name, want := range c.SecretFiles {
				got, err := os.ReadFile(filepath.Join(files.dir(c.Labels), name))
				if err != nil || string(got) != want.Reveal() {
					t.Errorf("%s holds %q, %v", name, got, err)
				}
			}
		})
	}
	wait.Wait()
	if entries, err := os.ReadDir(files.root); err != nil || len(entries) != 1 {
		t.Errorf("beside the files there is %v, %v", entries, err)
	}
}

func TestSecretFilesNeedAPlace(t *testing.T) {
	c := testSpec()
	c.SecretFiles = map[string]spec.Sensitive{"token": spec.NewSensitive("x")}
	for name, options := range map[string]Options{
		"no directory":      {Scope: testScope},
		"engine far away":   {Scope: testScope, SecretsDir: t.TempDir(), Host: "tcp://engine.example:2376"},
		"directory is fine": {Scope: testScope, SecretsDir: t.TempDir(), Host: "unix:///run/docker.sock"},
	} {
		r, err := New(options)
		if err != nil {
			t.Fatal(err)
		}
		_, denied := errors.AsType[*reconcile.DeniedError](r.Vet(c))
		if want := name != "directory is fine"; denied != want {
			t.Errorf("%s: denied is %t, want %t", name, denied, want)
		}
		_ = r.Close()
	}
}

func TestKeyedLock(t *testing.T) {
	locks := newKeyedLock()
	unlock, err := locks.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := locks.lock(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	other()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := locks.lock(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("a waiter that gives up gets %v", err)
	}
	unlock()
	again, err := locks.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	again()
	if len(locks.held) != 0 {
		t.Errorf("%d locks are left", len(locks.held))
	}
}
