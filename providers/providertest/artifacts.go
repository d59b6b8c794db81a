package providertest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
