package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/providers/forge/forgetest"
	"github.com/fairlead/fairlead/reconcile/review"
)

// planned runs plan without an engine.
func planned(t *testing.T, data string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := Env{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Getenv: func(string) string { return "" }, Environ: func() []string { return nil }}
	code = Main(append([]string{"plan", "--data", data, "--engine", "unix://" + filepath.Join(data, "no-engine.sock")}, args...), env)
	return code, stdout.String(), stderr.String()
}

func TestPullRequestIsPlannedByHand(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("the git program is not installed; the forge of this test needs it")
	}
	forge := forgetest.Start(t)
	forge.AddUser("ann")
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(forge.AddUser("fairlead-bot")), 0o600); err != nil {
		t.Fatal(err)
	}
	repo, err := forge.AddRepo("acme/models", "ann", "fairlead-bot")
	if err != nil {
		t.Fatal(err)
	}
	const good = "model \"a\" {\n  version = \"1\"\n  image   = \"a:1\"\n}\n"
	commit := func(branch, content string) {
		t.Helper()
		if _, err := repo.Commit("ann", branch, "a", map[string]string{"a.hcl": content}); err != nil {
			t.Fatal(err)
		}
	}
	commit("main", good)
	commit("feature", strings.Replace(good, "version", "replica", 1))
	number, err := repo.OpenPull("ann", "feature", "main", "A mistake", "")
	if err != nil || number != 1 {
		t.Fatal(number, err)
	}
	data := t.TempDir()
	args := []string{"--pr", "1", "--forge", "gitea", "--forge-token-file", token}
	at := repo.CloneURL() + "@main"

	code, out, errs := planned(t, data, append(args, at)...)
	if code != exitError || errs != "" || !strings.Contains(out, "#1 in default: 1 error in the specs") || !strings.Contains(out, "a.hcl:2: Unknown argument") {
		t.Errorf("got %d\n%s\n%s", code, out, errs)
	}
	code, out, _ = planned(t, data, append(args, "--json", at)...)
	var r review.Report
	if err := json.Unmarshal([]byte(out), &r); code != exitError || err != nil || r.Pull != 1 || len(r.Diagnostics) != 1 || r.Base != repo.Head("main") || r.Head != repo.Head("feature") {
		t.Errorf("got %d %s, %v", code, out, err)
	}
	if code, out, _ = planned(t, data, append(args, "--format", "github", at)...); !strings.HasPrefix(out, "::error file=a.hcl,line=2,title=Unknown argument::") {
		t.Errorf("got %d %s", code, out)
	}
	if comments := repo.Comments(1); len(comments) != 0 {
		t.Errorf("without --post there are %+v", comments)
	}

	for range 2 { // the second time the comment is edited
		if code, _, errs = planned(t, data, append(args, "--post", at)...); code != exitError || errs != "" {
			t.Errorf("got %d %s", code, errs)
		}
	}
	comments, statuses := repo.Comments(1), repo.Statuses(repo.Head("feature"))
	if len(comments) != 1 || !strings.Contains(comments[0].Body, "1 error in the specs") {
		t.Errorf("the comments are %+v", comments)
	}
	if len(statuses) == 0 || statuses[0].Context != review.Context("default", "") {
		t.Errorf("the statuses are %+v", statuses)
	}

	commit("other", good)
	if code, _, errs = planned(t, data, append(args, repo.CloneURL()+"@other")...); code != exitError || !strings.Contains(errs, "#1 is into the branch main, and other was read; name that branch behind the URL: URL@main") {
		t.Errorf("got %d %s", code, errs)
	}
	if code, out, errs = planned(t, data, append(args, repo.CloneURL())...); !strings.Contains(out, "1 error in the specs") { // the default branch
		t.Errorf("got %d %s %s", code, out, errs)
	}
	if code, _, errs = planned(t, data, "--pr", "7", "--forge", "gitea", "--forge-token-file", token, at); code != exitError || !strings.Contains(errs, "pull request 7") {
		t.Errorf("got %d %s", code, errs)
	}
}

func TestFilesAreNamedFromTheTopOfTheCheckout(t *testing.T) {
	top := t.TempDir()
	for _, c := range []struct{ workspace, dir, want string }{
		{"", ".", ""}, {"", "./specs/", "specs"}, {top, top, ""}, {top, filepath.Join(top, "a", "b"), "a/b"}, {filepath.Join(top, "x"), filepath.Join(top, "y"), filepath.ToSlash(filepath.Join(top, "y"))},
	} {
		p := &program{Env: Env{Getenv: func(string) string { return c.workspace }}}
		if got := p.inWorkspace(c.dir); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}
