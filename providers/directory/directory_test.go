package directory_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/directory"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, o directory.Options) *directory.Source {
	t.Helper()
	source, err := directory.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestSourceKeepsThePort(t *testing.T) {
	providertest.SourceSuite(t, func(t *testing.T) (reconcile.Source, func(map[string]string)) {
		dir := t.TempDir()
		return open(t, directory.Options{Dir: dir}), func(files map[string]string) {
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
					t.Fatal(err)
				}
			}
			for name, content := range files {
				write(t, filepath.Join(dir, name), content)
			}
		}
	})
}

func TestWhatDoesNotBelongInARepoIsRefusedByName(t *testing.T) {
	symlink := func(target, at string) func(string) error {
		return func(dir string) error { return os.Symlink(target, filepath.Join(dir, at)) }
	}
	file := func(name string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600) }
	}
	for name, c := range map[string]struct {
		make  func(dir string) error
		words []string
	}{
		"symlink out":               {symlink("/etc/passwd", "sub/link.hcl"), []string{"sub/link.hcl", "symlink"}},
		"symlink inside":            {symlink("good.hcl", "link.hcl"), []string{"link.hcl", "symlink"}},
		"symlink to a directory":    {symlink("/etc", "etc"), []string{"etc", "symlink"}},
		"named pipe":                {func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600) }, []string{"pipe", "regular file"}},
		"control character":         {file("a\x1b.hcl"), []string{`a\x1b.hcl`, "invisible"}},
		"short name of .git":        {file("git~1"), []string{"git~1", ".git"}},
		"names that differ by case": {func(dir string) error { return file("GOOD.hcl")(dir) }, []string{"upper and lower case"}},
		"large file":                {func(dir string) error { return os.WriteFile(filepath.Join(dir, "big"), make([]byte, 2000), 0o600) }, []string{"big", "1000 bytes"}},
		"many files": {func(dir string) error {
			for i := range 20 {
				if err := file(fmt.Sprintf("f%d", i))(dir); err != nil {
					return err
				}
			}
			return nil
		}, []string{"more than"}},
		"deep directories": {func(dir string) error { return os.MkdirAll(filepath.Join(dir, "1/2/3/4/5"), 0o700) }, []string{"1/2/3/4", "deeper"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "good.hcl"), "good")
			write(t, filepath.Join(dir, "sub", "good.hcl"), "good")
			if err := c.make(dir); err != nil {
				t.Fatal(err)
			}
			source := open(t, directory.Options{Dir: dir, Limits: reconcile.TreeLimits{Files: 10, FileSize: 1000, Depth: 3}})
			_, err := source.Latest(t.Context())
			if err == nil {
				t.Fatal("it is accepted")
			}
			for _, word := range c.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("got %q; want %q in it", err, word)
				}
			}
		})
	}
}

func TestToolsMayKeepHiddenThingsBeside(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.hcl"), "a")
	write(t, filepath.Join(dir, ".git", "HEAD"), "ref: refs/heads/main")
	if err := os.Symlink("nobody@host.1", filepath.Join(dir, ".#a.hcl")); err != nil { // the lock of an editor
		t.Fatal(err)
	}
	snapshot, err := open(t, directory.Options{Dir: dir}).Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if files := snapshot.Tree.Files(); len(files) != 1 || files[0].Path != "a.hcl" {
		t.Errorf("files are %+v", files)
	}
	if short := snapshot.Tree.Commit().Short(); short != "worktree" {
		t.Errorf("the commit is shown as %q", short)
	}
}

func TestALinkedWorktreeIsADirectoryOfSpecs(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.hcl"), "a")
	write(t, filepath.Join(dir, ".git"), "gitdir: /elsewhere/.git/worktrees/a\n")
	write(t, filepath.Join(dir, "sub", ".git"), "gitdir: ../../.git/modules/sub\n") // a submodule
	write(t, filepath.Join(dir, "sub", "b.hcl"), "b")
	snapshot, err := open(t, directory.Options{Dir: dir}).Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if files := snapshot.Tree.Files(); len(files) != 2 || files[0].Path != "a.hcl" || files[1].Path != "sub/b.hcl" {
		t.Errorf("files are %+v", files)
	}
}

func TestChangeIsSeenThoughSizeAndTimeAreEqual(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.hcl")
	source := open(t, directory.Options{Dir: dir})
	for _, age := range []time.Duration{0, time.Hour} {
		for _, content := range []string{"one", "two"} {
			replacement := filepath.Join(t.TempDir(), "new")
			write(t, replacement, content)
			moment := time.Now().Add(-age)
			if err := os.Chtimes(replacement, moment, moment); err != nil {
				t.Fatal(err)
			}
			// An atomic replacement, as editors and deployments do it: the inode
			// tells it even where time and size are those from before.
			if err := os.Rename(replacement, path); err != nil {
				t.Fatal(err)
			}
			snapshot, err := source.Latest(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := snapshot.Tree.Read("a.hcl"); err != nil || string(got) != content {
				t.Errorf("age %s: got %q, %v; want %q", age, got, err, content)
			}
		}
	}
}

func TestDirectoryThatIsNoneIsExplained(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "x")
	for dir, word := range map[string]string{"/no/such/directory": "check the path", file: "not a directory"} {
		if _, err := directory.New(directory.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got %v; want an error with %q", dir, err, word)
		}
	}
}

func BenchmarkLatestUnchanged10k(b *testing.B) {
	dir := b.TempDir()
	for i := range 10_000 {
		path := filepath.Join(dir, fmt.Sprintf("d%02d/m%04d.hcl", i%100, i))
		write(b, path, fmt.Sprint(i))
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			b.Fatal(err)
		}
	}
	source := open(b, directory.Options{Dir: dir})
	for b.Loop() {
		if _, err := source.Latest(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
