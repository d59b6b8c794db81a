package providertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

func tamperedBlob(t *testing.T, host ArtifactsHost) {
	a := host.Open(t)
	files := map[string]string{"f": "good bytes", "run*": "executable"}
	for _, bytes := range []string{"good bytes", "executable"} {
		content := mustPut(t, a, files)
		host.Tamper(t, hexOf(bytes))
		path := map[string]string{"good bytes": "f", "executable": "run"}[bytes]
		_, err := a.Publish(t.Context(), reconcile.ModelPackage{Name: "m", Version: "1.0.0", Content: content.Digest})
		wantArtifactErr(t, "publish", err, reconcile.ErrTampered)
		_, err = a.Open(t.Context(), content.Digest, path)
		wantArtifactErr(t, "open", err, reconcile.ErrTampered)
		_, err = a.Checkout(t.Context(), content.Digest)
		wantArtifactErr(t, "checkout", err, reconcile.ErrTampered)
		if err != nil && !strings.Contains(err.Error(), hexOf(bytes)) {
			t.Errorf("%q does not name the digest", err)
		}
		_, err = a.Lookup(t.Context(), content.Digest)
		wantArtifactErr(t, "lookup of what is known to be tampered with", err, reconcile.ErrTampered)
		if again := mustPut(t, a, files); again != content {
			t.Errorf("got %+v; want %+v", again, content)
		}
		dir, err := a.Checkout(t.Context(), content.Digest)
		if err != nil {
			t.Fatalf("after storing it again: %v", err)
		}
		WantTree(t, dir, files)
		if _, err := a.Collect(t.Context(), nil, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	content := mustPut(t, a, files)
	host.Tamper(t, strings.TrimPrefix(content.Digest, "sha256:"))
	_, err := a.Lookup(t.Context(), content.Digest)
	wantArtifactErr(t, "a manifest", err, reconcile.ErrTampered)
	if _, err = a.Collect(t.Context(), map[string]bool{content.Digest: true}, time.Now().Add(time.Hour)); !errors.Is(err, reconcile.ErrTampered) {
		t.Errorf("a collection that cannot know what is needed: %v", err)
	}
}

func tamperedCheckout(t *testing.T, host ArtifactsHost) {
	files := map[string]string{"f": "good", "run*": "executable", "sub/g": "g"}
	for what, change := range map[string]func(dir string) error{
		"a changed copy": func(dir string) error {
			return errors.Join(os.Chmod(filepath.Join(dir, "run"), 0o755), os.WriteFile(filepath.Join(dir, "run"), []byte("Executable"), 0o755), os.Chmod(filepath.Join(dir, "run"), 0o555))
		},
		"a new file":      func(dir string) error { return os.WriteFile(filepath.Join(dir, "sub/new"), nil, 0o444) },
		"a link":          func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "link")) },
		"a missing file":  func(dir string) error { return os.Remove(filepath.Join(dir, "f")) },
		"another mode":    func(dir string) error { return os.Chmod(filepath.Join(dir, "run"), 0o444) },
		"a file replaced": func(dir string) error { return os.Rename(filepath.Join(dir, "sub/g"), filepath.Join(dir, "f")) },
		"a closed folder": func(dir string) error { return os.Chmod(filepath.Join(dir, "sub"), 0o700) },
	} {
		for _, process := range []string{"the process that made it", "another process"} {
			a := host.Open(t)
			content := mustPut(t, a, files)
			dir, err := a.Checkout(t.Context(), content.Digest)
			if err != nil {
				t.Fatal(err)
			}
			if err := change(dir); err != nil {
				t.Fatal(err)
			}
			if process == "another process" {
				a = host.Open(t)
			}
			_, err = a.Checkout(t.Context(), content.Digest)
			wantArtifactErr(t, what+", "+process, err, reconcile.ErrTampered)
			dir, err = a.Checkout(t.Context(), content.Digest)
			if err != nil {
				t.Fatalf("%s, %s: the next checkout: %v", what, process, err)
			}
			WantTree(t, dir, files)
		}
	}
}

func collected(t *testing.T, host ArtifactsHost) {
	a := host.Open(t)
	kept := mustPut(t, a, map[string]string{"shared": "both have this", "own": "kept"})
	gone := mustPut(t, a, map[string]string{"shared": "both have this", "own": "nobody needs this"})
	for _, c := range []reconcile.Content{kept, gone} {
		if _, err := a.Checkout(t.Context(), c.Digest); err != nil {
			t.Fatal(err)
		}
	}
	keep := map[string]bool{kept.Digest: true, "sha256:" + hexOf("both have this"): true, "sha256:" + hexOf("not there"): true}
	if freed, err := a.Collect(t.Context(), keep, time.Now().Add(-time.Hour)); err != nil || freed != 0 {
		t.Errorf("freed %d, %v of what was used lately", freed, err)
	}
	if _, err := a.Lookup(t.Context(), gone.Digest); err != nil {
		t.Error(err)
	}
	freed, err := a.Collect(t.Context(), keep, time.Now().Add(time.Hour))
	if least := int64(len("nobody needs this")); err != nil || freed < least {
		t.Errorf("freed %d, %v; want at least %d", freed, err, least)
	}
	_, err = a.Lookup(t.Context(), gone.Digest)
	wantArtifactErr(t, "collected", err, reconcile.ErrNoContent)
	_, err = a.Checkout(t.Context(), gone.Digest)
	wantArtifactErr(t, "collected", err, reconcile.ErrNoContent)
	dir, err := host.Open(t).Checkout(t.Context(), kept.Digest)
	if err != nil {
		t.Fatal(err)
	}
	WantTree(t, dir, map[string]string{"shared": "both have this", "own": "kept"})
	if freed, err := a.Collect(t.Context(), keep, time.Now().Add(time.Hour)); err != nil || freed != 0 {
		t.Errorf("the second collection freed %d, %v", freed, err)
	}
	if again := mustPut(t, a, map[string]string{"shared": "both have this", "own": "nobody needs this"}); again != gone {
		t.Errorf("got %+v; want %+v", again, gone)
	}
}

func collectedInUse(t *testing.T, host ArtifactsHost) {
	a := host.Open(t)
	content := mustPut(t, a, map[string]string{"f": "in use"})
	r, err := a.Open(t.Context(), content.Digest, "f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.Open(t).Collect(t.Context(), nil, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Lookup(t.Context(), content.Digest); err != nil {
		t.Errorf("while it is read: %v", err)
	}
	if data, err := io.ReadAll(r); err != nil || string(data) != "in use" {
		t.Errorf("read %q, %v", data, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	// While it is stored: a collection runs between the bytes.
	content, err = a.PutFile(t.Context(), "f", readerFunc(func(p []byte) (int, error) {
		if _, err := host.Open(t).Collect(t.Context(), nil, time.Now().Add(time.Hour)); err != nil {
			t.Error(err)
		}
		return copy(p, "stored"), io.EOF
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := mustRead(t, a, content.Digest, "f"); got != "stored" {
		t.Errorf("read %q", got)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func processes(t *testing.T, host ArtifactsHost) {
	stores := []reconcile.Artifacts{host.Open(t), host.Open(t)}
	keep := mustPut(t, stores[0], map[string]string{"kept": "always", "common": "c"})
	var group sync.WaitGroup
	for worker := range 6 {
		a := stores[worker%2]
		group.Go(func() {
			for n := range 15 {
				if worker == 0 {
					if _, err := a.Collect(t.Context(), map[string]bool{keep.Digest: true}, time.Now().Add(-time.Minute)); err != nil {
						t.Error(err)
					}
					continue
				}
				name := fmt.Sprintf("f%d", n)
				content, err := a.PutFile(t.Context(), name, strings.NewReader("common"))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := a.Checkout(t.Context(), content.Digest); err != nil {
					t.Error(err)
				}
				if _, err := a.Checkout(t.Context(), keep.Digest); err != nil {
					t.Error(err)
				}
				if _, err := a.Publish(t.Context(), reconcile.ModelPackage{Name: name, Version: "1.0.0", Content: content.Digest}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for n := range 15 {
		if _, err := stores[0].Resolve(t.Context(), fmt.Sprintf("oci://local/f%d:1.0.0", n)); err != nil {
			t.Error(err)
		}
	}
}

// digitsPackage is a model to be published, in the store only.
func digitsPackage(content reconcile.Content, version string) reconcile.ModelPackage {
	return reconcile.ModelPackage{
		Name: "digits", Version: version, Content: content.Digest, Created: time.Date(2026, 3, 3, 14, 0, 0, 5, time.FixedZone("", 3600)),
		Licenses: []string{"Apache-2.0"}, Annotations: map[string]string{"io.fairlead.commit": "abc"},
		Attached: []reconcile.Attachment{
			{ArtifactType: reconcile.ArtifactMetrics, MediaType: "application/json", Data: []byte(`{"accuracy":0.97}`)},
			{ArtifactType: reconcile.ArtifactLineage, MediaType: "application/json", Data: []byte(`{"model":"digits"}`)},
		},
	}
}

func publishedModel(t *testing.T, host ArtifactsHost) {
	a := host.Open(t)
	files := map[string]string{"model.bin": "weights", "labels.txt": "0 1 2", "predict*": "#!"}
	content := mustPut(t, a, files)
	first, err := a.Publish(t.Context(), digitsPackage(content, "1.2.0"))
	if err != nil {
		t.Fatal(err)
	}
	if first.Ref != "oci://local/digits@"+first.Digest || first.Pushed {
		t.Errorf("got %+v", first)
	}
	if again, err := host.Open(t).Publish(t.Context(), digitsPackage(content, "1.2.0")); err != nil || again != first {
		t.Errorf("again: %+v, %v; want %+v", again, err, first)
	}
	for _, ref := range []string{"oci://local/digits:1.2.0", first.Ref} {
		if digest, err := a.Resolve(t.Context(), ref); err != nil || digest != first.Digest {
			t.Errorf("%s is %q, %v; want %q", ref, digest, err, first.Digest)
		}
	}
	got, err := a.Fetch(t.Context(), first.Ref)
	if err != nil || got.Files != content.Files || got.Size != content.Size || got.Digest != first.Digest {
		t.Errorf("fetched %+v, %v", got, err)
	}
	dir, err := a.Checkout(t.Context(), first.Digest)
	if err != nil {
		t.Fatal(err)
	}
	WantTree(t, dir, files)

	// What is attached stays as long as the model does, and the files with it.
	if _, err := a.Collect(t.Context(), map[string]bool{first.Digest: true}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	attached, err := a.Referrers(t.Context(), first.Ref, "")
	if err != nil || len(attached) != 2 {
		t.Fatalf("attached is %v, %v", attached, err)
	}
	metrics, err := a.Referrers(t.Context(), "oci://local/digits:1.2.0", reconcile.ArtifactMetrics)
	if err != nil || len(metrics) != 1 || string(metrics[0].Data) != `{"accuracy":0.97}` || metrics[0].ArtifactType != reconcile.ArtifactMetrics {
		t.Fatalf("metrics are %v, %v", metrics, err)
	}
	if got := mustRead(t, a, metrics[0].Digest, "metrics.json"); got != `{"accuracy":0.97}` {
		t.Errorf("read %q", got)
	}
	if dir, err = a.Checkout(t.Context(), first.Digest); err != nil {
		t.Fatal(err)
	}
	WantTree(t, dir, files)
	if _, err := a.Collect(t.Context(), nil, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, err = a.Referrers(t.Context(), first.Ref, "")
	wantArtifactErr(t, "referrers of what was collected", err, reconcile.ErrNoContent)
}

func publishedTwice(t *testing.T, host ArtifactsHost) {
	a := host.Open(t)
	first, err := a.Publish(t.Context(), digitsPackage(mustPut(t, a, map[string]string{"m": "1"}), "1.0.0+cpu"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.Publish(t.Context(), digitsPackage(mustPut(t, a, map[string]string{"m": "2"}), "1.0.0+cpu"))
	if err != nil || second.Digest == first.Digest {
		t.Fatalf("got %+v, %v", second, err)
	}
	for ref, want := range map[string]string{
		"oci://local/digits:1.0.0_cpu":                          first.Digest,
		"oci://local/digits:1.0.0_cpu_" + second.Digest[7:7+12]: second.Digest,
	} {
		if got, err := a.Resolve(t.Context(), ref); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", ref, got, err, want)
		}
	}
	for _, bad := range []reconcile.ModelPackage{
		{Version: "1.0.0", Content: first.Digest},
		{Name: "m", Version: "1 0", Content: first.Digest},
		{Name: "m", Content: first.Digest},
		{Name: "m", Version: "1.0.0", Content: "nothing"},
		{Name: "m", Version: "1.0.0", Content: mustPut(t, a, nil).Digest},
		{Name: "m", Version: "1.0.0", Content: first.Digest, Registry: "registry/m"},
		{Name: "m", Version: "1.0.0", Content: first.Digest, Registry: "oci://registry/m:1"},
	} {
		if _, err := a.Publish(t.Context(), bad); err == nil {
			t.Errorf("%+v was published", bad)
		}
	}
}

func cancelledArtifacts(t *testing.T, host ArtifactsHost) {
	a := host.Open(t)
	dir := Tree(t, map[string]string{"f": "1"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := a.Put(ctx, dir)
	wantArtifactErr(t, "put", err, context.Canceled)
	content, err := a.Put(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Checkout(ctx, content.Digest)
	wantArtifactErr(t, "checkout", err, context.Canceled)
	_, err = a.Collect(ctx, nil, time.Now().Add(time.Hour))
	wantArtifactErr(t, "collect", err, context.Canceled)
	if _, err = a.Checkout(t.Context(), content.Digest); err != nil {
		t.Error(err)
	}
}
