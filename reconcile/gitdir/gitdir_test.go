package gitdir_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile/gitdir"
)

func git(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestEveryKindOfRepositoryIsFound(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("the git program is not installed; it makes the repositories of this test")
	}
	top, err := filepath.EvalSymlinks(t.TempDir()) // as git writes it
	if err != nil {
		t.Fatal(err)
	}
	in := func(path ...string) string { return filepath.Join(append([]string{top}, path...)...) }
	git(t, "init", "-q", "-b", "main", in("main"))
	git(t, "-C", in("main"), "commit", "-q", "--allow-empty", "-m", "first")
	git(t, "-C", in("main"), "worktree", "add", "-q", in("linked"), "-b", "other")
	git(t, "clone", "-q", "--bare", in("main"), in("bare.git"))
	git(t, "init", "-q", in("super"))
	git(t, "-C", in("super"), "submodule", "--quiet", "add", in("bare.git"), "sub")
	for path, want := range map[string]gitdir.Dirs{
		"main":      {Own: in("main", ".git"), Common: in("main", ".git")},
		"linked":    {Own: in("main", ".git", "worktrees", "linked"), Common: in("main", ".git")},
		"bare.git":  {Own: in("bare.git"), Common: in("bare.git")},
		"super/sub": {Own: in("super", ".git", "modules", "sub"), Common: in("super", ".git", "modules", "sub")},
	} {
		got, err := gitdir.Find(in(path))
		if err != nil || got != want || !gitdir.Is(in(path)) {
			t.Errorf("%s: got %+v, %v; want %+v", path, got, err, want)
		}
	}
}

func TestWhatIsNoRepositorySaysWhatToDo(t *testing.T) {
	top := t.TempDir()
	broken := filepath.Join(top, "broken")
	if err := os.MkdirAll(broken, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, ".git"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		top: "name the top of a worktree or a bare repository", filepath.Join(top, "nowhere"): "there is no Git repository at", broken: "does not say where the repository is",
	} {
		if _, err := gitdir.Find(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	if gitdir.Is(top) || gitdir.Is(filepath.Join(top, "nowhere")) {
		t.Error("a plain directory is taken for a repository")
	}
}
