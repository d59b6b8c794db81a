package providertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// ArtifactsHost is what ArtifactsSuite asks of the world behind the port.
type ArtifactsHost interface {
	// Open opens the store of the host. Each call stands for a process of its own.
	Open(t *testing.T) reconcile.Artifacts
	// Tamper changes one byte of the stored bytes with the SHA-256, and leaves no other
	// trace.
	Tamper(t *testing.T, sha256 string)
}

// ArtifactsSuite holds the contract of reconcile.Artifacts, as far as no registry is
// needed. fresh returns a host with an empty store.
func ArtifactsSuite(t *testing.T, fresh func(t *testing.T) ArtifactsHost) {
	for name, test := range map[string]func(t *testing.T, host ArtifactsHost){
		"equal files have an equal digest, others do not":   equalFiles,
		"a directory without files is content too":          noFiles,
		"what is no regular file is refused by its path":    refusedFiles,
		"one file is the same content as a directory of it": oneFile,
		"a checkout has the files, for all, unchangeable":   checkedOut,
		"very many files come back":                         manyFiles,
		"one file is read":                                  readFile,
		"what is not there is not found":                    nothingThere,
		"a tampered file never comes out":                   tamperedBlob,
		"a changed checkout is refused, then made again":    tamperedCheckout,
		"collect takes what nobody needs and nothing else":  collected,
		"collect leaves alone what is in use":               collectedInUse,
		"two processes store, read and collect together":    processes,
		"a model is published with what is attached":        publishedModel,
		"a version that is there stays what it was":         publishedTwice,
		"a cancelled call fails, and the next one works":    cancelledArtifacts,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

// Tree writes files by path and returns their directory. A path that ends with * is
// that of a file that may be executed, without the *.
func Tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, data := range files {
		path, exec := strings.CutSuffix(path, "*")
		mode := fs.FileMode(0o640)
		if exec {
			mode = 0o750
		}
		full := filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o700), os.WriteFile(full, []byte(data), mode), os.Chmod(full, mode)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// mustPut stores a tree.
func mustPut(t *testing.T, a reconcile.Artifacts, files map[string]string) reconcile.Content {
	t.Helper()
	content, err := a.Put(t.Context(), Tree(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// WantTree compares a directory with files as Tree has them.
func WantTree(t testing.TB, dir string, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		name := strings.TrimPrefix(path, dir+"/")
		if err == nil && info.Mode().Perm()&0o111 != 0 {
			name += "*"
		}
		got[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range want {
		if found, there := got[path]; !there || found != data {
			t.Errorf("%q is %.80q, there: %t; want %.80q", path, found, there, data)
		}
	}
	if len(got) != len(want) {
		t.Errorf("there are %d files; want %d", len(got), len(want))
	}
}

func wantArtifactErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got the error %v; want one that is %q", what, err, want)
	}
}

func hexOf(data string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(data))) }

func equalFiles(t *testing.T, host ArtifactsHost) {
	a := host.Open(t)
	files := map[string]string{"model.bin": "weights", "sub/b": "", "sub/a": "same", "z": "same", "run.sh*": "#!/bin/sh"}
	first := mustPut(t, a, files)
	dir := Tree(t, files)
	old := time.Unix(1e9, 0)
	if err := errors.Join(os.Chtimes(filepath.Join(dir, "z"), old, old), os.Chmod(filepath.Join(dir, "z"), 0o604), os.Mkdir(filepath.Join(dir, "empty"), 0o755)); err != nil {
		t.Fatal(err)
	}
	second, err := host.Open(t).Put(t.Context(), dir)
	if err != nil || second != first {
		t.Errorf("the same files are %+v, %v; want %+v", second, err, first)
	}
	if first.Files != 5 || first.Size != int64(len("weights")+len("same")*2+len("#!/bin/sh")) {
		t.Errorf("got %+v", first)
	}
	for _, other := range []map[string]string{
		{"model.bin": "weights", "sub/b": "", "sub/a": "same", "z": "same", "run.sh": "#!/bin/sh"},
		{"model.bin": "weightS", "sub/b": "", "sub/a": "same", "z": "same", "run.sh*": "#!/bin/sh"},
		{"model.bin": "weights", "sub/c": "", "sub/a": "same", "z": "same", "run.sh*": "#!/bin/sh"},
		{"model.bin": "weights", "sub/a": "same", "z": "same", "run.sh*": "#!/bin/sh"},
	} {
		if c := mustPut(t, a, other); c.Digest == first.Digest {
			t.Errorf("%v has the digest of other files", other)
		}
	}
}

func noFiles(t *testing.T, host ArtifactsHost) {
	a := host.Open(t)
	content := mustPut(t, a, nil)
	if content.Files != 0 || content.Size != 0 {
		t.Errorf("got %+v", content)
	}
	dir, err := a.Checkout(t.Context(), content.Digest)
	if err != nil {
		t.Fatal(err)
	}
	WantTree(t, dir, nil)
}

func refusedFiles(t *testing.T, host ArtifactsHost) {
	a := host.Open(t)
	elsewhere := filepath.Join(Tree(t, map[string]string{"secret": "s"}), "secret")
	for what, make := range map[string]func(dir string) error{
		"link":     func(dir string) error { return os.Symlink(elsewhere, filepath.Join(dir, "bad")) },
		"dir link": func(dir string) error { return os.Symlink("/etc", filepath.Join(dir, "bad")) },
		"loop":     func(dir string) error { return os.Symlink(".", filepath.Join(dir, "bad")) },
		"pipe":     func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "bad"), 0o644) },
		"hard":     func(dir string) error { return os.Link(elsewhere, filepath.Join(dir, "bad")) },
		"name":     func(dir string) error { return os.WriteFile(filepath.Join(dir, "bad\n"), nil, 0o644) },
	} {
		dir := Tree(t, map[string]string{"good": "1"})
		if err := make(dir); err != nil {
			t.Fatal(err)
		}
		_, err := a.Put(t.Context(), dir)
		wantArtifactErr(t, what, err, reconcile.ErrNotStorable)
		if err != nil && !strings.Contains(err.Error(), "bad") {
			t.Errorf("%s: %q does not name the path", what, err)
		}
	}
	for _, name := range []string{"", "/a", "../a", "a/../b", "a//b", "a\x00", "a/"} {
		_, err := a.PutFile(t.Context(), name, strings.NewReader("x"))
		wantArtifactErr(t, fmt.Sprintf("%q", name), err, reconcile.ErrNotStorable)
	}
	dir := Tree(t, map[string]string{"a": "1"})
	if err := os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	if c, err := a.Put(t.Context(), dir); err != nil || c != mustPut(t, a, map[string]string{"a": "1", "b": "1"}) {
		t.Errorf("two names of one file within the directory: %+v, %v", c, err)
	}
}

func oneFile(t *testing.T, host ArtifactsHost) {
	a := host.Open(t)
	want := mustPut(t, a, map[string]string{"data/digits.csv": "1,2\n"})
	got, err := a.PutFile(t.Context(), "data/digits.csv", strings.NewReader("1,2\n"))
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	broken := errors.New("the line broke")
	if _, err := a.PutFile(t.Context(), "f", io.MultiReader(strings.NewReader("half"), iotest{broken})); !errors.Is(err, broken) {
		t.Errorf("a source that breaks off: %v", err)
	}
}

// iotest is a reader that fails.
type iotest struct{ err error }

func (r iotest) Read([]byte) (int, error) { return 0, r.err }

func checkedOut(t *testing.T, host ArtifactsHost) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	a := host.Open(t)
	files := map[string]string{"a/b/c": "deep", "run*": "same bytes", "data": "same bytes", "void": ""}
	content := mustPut(t, a, files)
	dir, err := a.Checkout(t.Context(), content.Digest)
	if err != nil {
		t.Fatal(err)
	}
	WantTree(t, dir, files)
	for path, mode := range map[string]fs.FileMode{"": 0o755, "a": 0o755, "a/b": 0o755, "a/b/c": 0o444, "run": 0o555, "data": 0o444} {
		if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%q: %v, %v; want the mode %v", path, info.Mode(), err, mode)
		}
	}
	for _, again := range []reconcile.Artifacts{a, host.Open(t)} {
		if got, err := again.Checkout(t.Context(), content.Digest); err != nil || got != dir {
			t.Errorf("the second checkout is %q, %v; want %q", got, err, dir)
		}
	}
}

func manyFiles(t *testing.T, host ArtifactsHost) {
	a := host.Open(t)
	files := map[string]string{"bin/tool*": "#!"}
	for n := range 1200 {
		files[fmt.Sprintf("%d/%d", n%7, n)] = strings.Repeat("x", n)
	}
	content := mustPut(t, a, files)
	if again := mustPut(t, host.Open(t), files); again != content || content.Files != 1201 {
		t.Errorf("got %+v and %+v", content, again)
	}
	dir, err := a.Checkout(t.Context(), content.Digest)
	if err != nil {
		t.Fatal(err)
	}
	WantTree(t, dir, files)
	next := host.Open(t)
	if c, err := next.Lookup(t.Context(), content.Digest); err != nil || c != content {
		t.Errorf("got %+v, %v", c, err)
	}
	if _, err := next.Checkout(t.Context(), content.Digest); err != nil {
		t.Error(err)
	}
	if got := mustRead(t, next, content.Digest, "3/17"); got != files["3/17"] {
		t.Errorf("read %q", got)
	}
	file := filepath.Join(dir, "3/17")
	if err := errors.Join(os.Chmod(file, 0o644), os.WriteFile(file, []byte(strings.Repeat("y", 17)), 0o644), os.Chmod(file, 0o444)); err != nil {
		t.Fatal(err)
	}
	_, err = next.Checkout(t.Context(), content.Digest)
	wantArtifactErr(t, "a file of an archive that was changed", err, reconcile.ErrTampered)
}

func mustRead(t *testing.T, a reconcile.Artifacts, digest, path string) string {
	t.Helper()
	r, err := a.Open(t.Context(), digest, path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func readFile(t *testing.T, host ArtifactsHost) {
	a := host.Open(t)
	big := string(bytes.Repeat([]byte("0123456789abcdef"), 1<<16))
	content := mustPut(t, a, map[string]string{"metrics.json": `{"accuracy":0.97}`, "sub/big": big})
	if got := mustRead(t, a, content.Digest, "metrics.json"); got != `{"accuracy":0.97}` {
		t.Errorf("read %q", got)
	}
	if got := mustRead(t, a, content.Digest, "sub/big"); got != big {
		t.Errorf("read %d bytes", len(got))
	}
	for _, path := range []string{"other", "sub", "../metrics.json", ""} {
		_, err := a.Open(t.Context(), content.Digest, path)
		wantArtifactErr(t, path, err, fs.ErrNotExist)
	}
}

func nothingThere(t *testing.T, host ArtifactsHost) {
	a := host.Open(t)
	unknown := "sha256:" + hexOf("unknown")
	_, err := a.Lookup(t.Context(), unknown)
	wantArtifactErr(t, "lookup", err, reconcile.ErrNoContent)
	_, err = a.Checkout(t.Context(), unknown)
	wantArtifactErr(t, "checkout", err, reconcile.ErrNoContent)
	_, err = a.Open(t.Context(), unknown, "f")
	wantArtifactErr(t, "open", err, reconcile.ErrNoContent)
	_, err = a.Fetch(t.Context(), "oci://local/m@"+unknown)
	wantArtifactErr(t, "fetch", err, reconcile.ErrNoContent)
	_, err = a.Resolve(t.Context(), "oci://local/m:1.0.0")
	wantArtifactErr(t, "resolve", err, reconcile.ErrNoContent)
	_, err = a.Publish(t.Context(), reconcile.ModelPackage{Name: "m", Version: "1.0.0", Content: unknown})
	wantArtifactErr(t, "publish", err, reconcile.ErrNoContent)
	for _, bad := range []string{"", "sha256:", "sha256:12", "md5:" + strings.Repeat("a", 32), "sha256:" + strings.Repeat("../", 20), unknown + "/x"} {
		if _, err := a.Lookup(t.Context(), bad); err == nil {
			t.Errorf("%q was taken for a digest", bad)
		}
		if _, err := a.Fetch(t.Context(), "oci://local/m@"+bad); err == nil {
			t.Errorf("%q was taken for a digest", bad)
		}
	}
}

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
