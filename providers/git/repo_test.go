package git_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain lets the test program be the one that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("GIT_TEST_JOURNAL"); dir != "" {
		os.Exit(appendForever(dir, os.Getenv("GIT_TEST_URL")))
	}
	goleak.VerifyTestMain(m)
}

// repo is a repository that the git program writes: the oracle for what this
// package reads.
type repo struct {
	t   testing.TB
	dir string
}

// newRepo makes an empty repository with the branch main.
func newRepo(t testing.TB) *repo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("the git program is not installed; it is only needed by this test")
	}
	r := &repo{t: t, dir: filepath.Join(t.TempDir(), "repo")}
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	return r
}

// git runs the git program in the repository and returns what it prints.
func (r *repo) git(args ...string) string {
	r.t.Helper()
	return r.gitIn("", args...)
}

// gitIn is git with something on its standard input.
func (r *repo) gitIn(input string, args ...string) string {
	r.t.Helper()
	out, err := r.try(input, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// try is gitIn where a failure is a result.
func (r *repo) try(input string, args ...string) (string, error) {
	cmd := exec.CommandContext(r.t.Context(), "git", args...)
	cmd.Dir = r.dir
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=gc.auto", "GIT_CONFIG_VALUE_0=0", // no git that goes on in the background
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.org",
		"GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.org",
	)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return strings.TrimSpace(string(out)), nil
}

// write writes a file of the worktree.
func (r *repo) write(name, content string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// commit commits the whole worktree and returns the commit's id.
func (r *repo) commit(message string) string {
	r.t.Helper()
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", message)
	return r.head()
}

// head is the commit that HEAD is, read from where git keeps it: there are many commits,
// and a process takes longer than a file.
func (r *repo) head() string {
	r.t.Helper()
	head, err := os.ReadFile(filepath.Join(r.dir, ".git", "HEAD"))
	if ref, found := strings.CutPrefix(strings.TrimSpace(string(head)), "ref: "); err == nil && found {
		head, err = os.ReadFile(filepath.Join(r.dir, ".git", ref))
	}
	if err != nil {
		return r.git("rev-parse", "HEAD")
	}
	return strings.TrimSpace(string(head))
}
