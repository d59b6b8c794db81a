package docker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// settledFiles are the secret files of an engine that has told who it is.
func settledFiles(t *testing.T) *secretFiles {
	t.Helper()
	files, err := newSecretFiles(filepath.Join(t.TempDir(), "secrets"), false)
	if err != nil {
		t.Fatal(err)
	}
	files.settle("AB:CD")
	return files
}

// emptyEngine is an engine with an id and without a container.
func emptyEngine(t *testing.T, id string) (host string) {
	t.Helper()
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/info"):
			_, _ = fmt.Fprintf(w, `{"ID":%q}`, id)
		case strings.HasSuffix(r.URL.Path, "/containers/json"):
			_, _ = fmt.Fprint(w, "[]")
		}
	}))
	t.Cleanup(engine.Close)
	return "tcp://" + strings.TrimPrefix(engine.URL, "http://")
}

func TestOnlyTheEngineThatActsSweepsItsOwn(t *testing.T) {
	here, there, nobody := emptyEngine(t, "AB:CD"), emptyEngine(t, "EF:01"), emptyEngine(t, "")
	for _, test := range []struct {
		name  string
		looks Options
		swept bool
	}{
		{"a list of the same engine sweeps", Options{Host: here}, true},
		{"a read-only list does not", Options{Host: here, ReadOnly: true}, false},
		{"a list of another engine does not", Options{Host: there}, false},
		{"a list of an engine without an id does not", Options{Host: nobody}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := settledFiles(t)
			dir, old := filepath.Join(files.root(), "m.rev1"), time.Now().Add(-2*sweepGrace)
			if err := errors.Join(files.makeRoot(), os.Mkdir(dir, 0o755), os.Chtimes(dir, old, old)); err != nil {
				t.Fatal(err)
			}
			test.looks.Scope, test.looks.SecretsDir = testScope, files.base
			r, err := New(test.looks)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			if _, err := r.List(t.Context(), reconcile.Filter{}); err != nil {
				t.Fatal(err)
			}
			if got := files.lost(dir); got != test.swept {
				t.Errorf("swept is %t, want %t", got, test.swept)
			}
		})
	}
}

func TestReadOnlyWritesAndDeletesNoSecretFile(t *testing.T) {
	files := settledFiles(t)
	c := testSpec()
	c.SecretFiles = map[string]spec.Sensitive{"token": spec.NewSensitive("x")}
	if err := files.write(c); err != nil {
		t.Fatal(err)
	}
	looks, err := newSecretFiles(files.base, true)
	if err != nil {
		t.Fatal(err)
	}
	looks.settle("AB:CD")
	if err := looks.write(c); err == nil {
		t.Error("it writes")
	}
	if err := looks.deleteUnused(looks.dir(c.Labels), looks.now()); err != nil || files.lost(files.dir(c.Labels)) {
		t.Errorf("it deletes, %v", err)
	}
}

func TestSweepDeletesWhatNothingUses(t *testing.T) {
	files := settledFiles(t)
	root := files.root()
	if err := files.makeRoot(); err != nil {
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
	files := settledFiles(t)
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
	files := settledFiles(t)
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
	if entries, err := os.ReadDir(files.root()); err != nil || len(entries) != 1 {
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
