package e2e

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repo is a config repository.
type repo struct {
	t   *testing.T
	dir string
}

func newRepo(t *testing.T) *repo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("this test needs git")
	}
	r := &repo{t, filepath.Join(t.TempDir(), "config")}
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	return r
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	command := exec.CommandContext(r.t.Context(), "git", append([]string{"-C", r.dir}, args...)...)
	command.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.com", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.com")
	out, err := command.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// write puts a file into the work tree.
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

// commit makes the models all that the repository wants, and returns the id.
func (r *repo) commit(models ...model) string {
	r.t.Helper()
	var hcl strings.Builder
	for _, m := range models {
		hcl.WriteString(m.hcl())
	}
	return r.commitText(hcl.String())
}

// commitText commits the text of the one spec file.
func (r *repo) commitText(hcl string) string {
	r.t.Helper()
	r.write("models.hcl", hcl)
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", "change the models")
	return r.git("rev-parse", "HEAD")
}

// model is a model as the tests write it.
type model struct {
	name, image string
	version     string // another one needs new containers
	replicas    int
	env         map[string]string // expressions of HCL
	deadline    string            // for being healthy; a generous one if empty
	body        string            // more of the block
}

func (m model) hcl() string {
	var env strings.Builder
	for name, value := range m.env {
		fmt.Fprintf(&env, "    %s = %s\n", name, value)
	}
	return fmt.Sprintf(`
model %q {
  version      = %q
  image        = %q
  replicas     = %d
  stop_timeout = "2s"
  env = {
    VERSION = %q
%s  }
  health {
    interval    = "500ms"
    min_healthy = "500ms"
    deadline    = %q
  }
%s}
`, m.name, m.version, m.image, m.replicas, m.version, env.String(), cmp.Or(m.deadline, "45s"), m.body)
}
