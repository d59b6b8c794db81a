package forgetest_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/forge/forgetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a forge with a repository that ann and bob write, and eve reads.
func world(t *testing.T) (*forgetest.World, *forgetest.Repo) {
	t.Helper()
	w := forgetest.Start(t)
	for _, login := range []string{"ann", "bob", "eve"} {
		w.AddUser(login)
	}
	r, err := w.AddRepo("acme/models", "ann", "bob")
	check(t, err)
	return w, r
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// git runs git as a user has it, apart from the machine's configuration.
func git(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "user.name=ann", "-c", "user.email=ann@forge.example"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func mustGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := git(t, dir, args...)
	if err != nil {
		t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

func withToken(r *forgetest.Repo, token string) string {
	return strings.Replace(r.CloneURL(), "://", "://x:"+token+"@", 1)
}

func TestRepositoriesAreServedByGit(t *testing.T) {
	w, r := world(t)
	clone := filepath.Join(t.TempDir(), "clone")
	mustGit(t, ".", "clone", "-q", r.CloneURL(), clone)
	check(t, os.WriteFile(filepath.Join(clone, "a.hcl"), []byte("x"), 0o600))
	mustGit(t, clone, "add", ".")
	mustGit(t, clone, "commit", "-qm", "a")
	for who, url := range map[string]string{"nobody": r.CloneURL(), "a wrong token": withToken(r, "wr0ng"), "eve": withToken(r, w.AddUser("eve"))} {
		if out, err := git(t, clone, "push", url, "HEAD:main"); err == nil {
			t.Errorf("%s may push: %s", who, out)
		}
	}
	mustGit(t, clone, "push", "-q", withToken(r, w.AddUser("ann")), "HEAD:main")
	if head := mustGit(t, clone, "rev-parse", "HEAD"); r.Head("main") != head {
		t.Errorf("main is %s; want %s", r.Head("main"), head)
	}
	if out, err := git(t, clone, "push", withToken(r, w.AddUser("ann")), "HEAD:refs/pull/1/head"); err == nil {
		t.Errorf("what was proposed can be pushed over: %s", out)
	}
	r.SetPrivate()
	if out, err := git(t, clone, "fetch", r.CloneURL()); err == nil {
		t.Errorf("a private repository is read by everybody: %s", out)
	}
	mustGit(t, clone, "fetch", "-q", withToken(r, w.AddUser("bob")))
}

func TestEachStyleOfMergeIsARealOne(t *testing.T) {
	for style, want := range map[string]struct {
		parents int
		subject string
	}{
		forgetest.Merge:  {2, "Merge pull request 'Change (#1)' from feature into main"},
		forgetest.Squash: {1, "Change (#1)"},
		forgetest.Rebase: {1, "second"},
	} {
		t.Run(style, func(t *testing.T) {
			_, r := world(t)
			_, err := r.Commit("ann", "feature", "first", map[string]string{"a.hcl": "1"})
			check(t, err)
			head, err := r.Commit("ann", "feature", "second", map[string]string{"b.hcl": "2"})
			check(t, err)
			_, err = r.Commit("bob", "main", "beside", map[string]string{"c.hcl": "3"})
			check(t, err)
			number, err := r.OpenPull("ann", "feature", "main", "Change", "")
			check(t, err)
			commit, err := r.MergePull(number, "bob", style)
			check(t, err)
			if r.Head("main") != commit {
				t.Errorf("main is %s; want %s", r.Head("main"), commit)
			}
			if files := mustGit(t, r.Dir(), "ls-tree", "--name-only", "main"); files != "README.md\na.hcl\nb.hcl\nc.hcl" {
				t.Errorf("main holds %q", files)
			}
			if parents := strings.Fields(mustGit(t, r.Dir(), "log", "-1", "--format=%P", commit)); len(parents) != want.parents {
				t.Errorf("it has the parents %v; want %d", parents, want.parents)
			}
			if subject := mustGit(t, r.Dir(), "log", "-1", "--format=%s", commit); subject != want.subject {
				t.Errorf("it says %q; want %q", subject, want.subject)
			}
			if ref := mustGit(t, r.Dir(), "rev-parse", fmt.Sprintf("refs/pull/%d/head", number)); ref != head {
				t.Errorf("refs/pull/%d/head is %s; want %s", number, ref, head)
			}
			if p, err := r.Pull(number); err != nil || p.State != "merged" || p.Merged != commit {
				t.Errorf("it is %+v, %v", p, err)
			}
			if _, err := r.MergePull(number, "bob", style); err == nil {
				t.Error("it was merged twice")
			}
		})
	}
}

func TestConflictIsNotMerged(t *testing.T) {
	for _, style := range []string{forgetest.Merge, forgetest.Squash, forgetest.Rebase} {
		t.Run(style, func(t *testing.T) {
			_, r := world(t)
			_, err := r.Commit("ann", "feature", "ours", map[string]string{"a.hcl": "1"})
			check(t, err)
			before, err := r.Commit("bob", "main", "theirs", map[string]string{"a.hcl": "2"})
			check(t, err)
			number, err := r.OpenPull("ann", "feature", "main", "Change", "")
			check(t, err)
			if _, err := r.MergePull(number, "bob", style); err == nil || !strings.Contains(err.Error(), "conflict") {
				t.Errorf("a conflict is told as %v", err)
			}
			if r.Head("main") != before {
				t.Errorf("main moved to %s", r.Head("main"))
			}
			if p, err := r.Pull(number); err != nil || p.State != "open" {
				t.Errorf("it is %+v, %v", p, err)
			}
		})
	}
}

func TestWhoMayNotDoesNot(t *testing.T) {
	_, r := world(t)
	_, err := r.Commit("ann", "feature", "change", map[string]string{"a.hcl": "1"})
	check(t, err)
	number, err := r.OpenPull("ann", "feature", "main", "Change", "")
	check(t, err)
	if _, err := r.MergePull(number, "eve", forgetest.Merge); err == nil {
		t.Error("eve has merged")
	}
	if err := r.ClosePull(number, "eve"); err == nil {
		t.Error("eve has closed")
	}
	if err := r.Review(number, "ann", forgetest.Approved, ""); err == nil {
		t.Error("ann approved her own")
	}
	if _, err := r.OpenPull("bob", "feature", "main", "Again", ""); err == nil {
		t.Error("a second pull request of the same branch was opened")
	}
	if _, err := r.MergePull(99, "bob", forgetest.Merge); err == nil {
		t.Error("an unknown pull request was merged")
	}
}

func TestMergesAreSignedByTheForge(t *testing.T) {
	w, r := world(t)
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Skipf("there is no ssh-keygen that makes a key: %v: %s", err, out)
	}
	w.SignMerges(key)
	check(t, w.SignAs("ann", key))
	for n, style := range []string{forgetest.Merge, forgetest.Squash, forgetest.Rebase} {
		branch := fmt.Sprintf("feature-%d", n)
		commit, err := r.Commit("ann", branch, "change", map[string]string{branch: "1"})
		check(t, err)
		number, err := r.OpenPull("ann", branch, "main", "Change", "")
		check(t, err)
		merged, err := r.MergePull(number, "bob", style)
		check(t, err)
		for _, id := range []string{commit, merged} {
			if raw := mustGit(t, r.Dir(), "cat-file", "commit", id); !strings.Contains(raw, "\ngpgsig -----BEGIN SSH SIGNATURE-----") {
				t.Errorf("%s: %s is not signed:\n%s", style, id, raw)
			}
		}
	}
}

func TestWebhooksAreSignedAsGiteaSignsThem(t *testing.T) {
	type received struct {
		header http.Header
		body   []byte
	}
	got := make(chan received, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- received{r.Header, body}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	w, r := world(t)
	r.AddHook(receiver.URL, "s3cret")
	_, err := r.Commit("ann", "feature", "change", map[string]string{"a.hcl": "1"})
	check(t, err)
	number, err := r.OpenPull("ann", "feature", "main", "Change", "")
	check(t, err)
	check(t, r.Review(number, "bob", forgetest.Approved, ""))
	check(t, r.Comment(number, "bob", "Well done"))
	_, err = r.Commit("ann", "feature", "more", map[string]string{"a.hcl": "2"})
	check(t, err)
	_, err = r.MergePull(number, "bob", forgetest.Merge)
	check(t, err)

	var events, ids []string
	for _, d := range w.Deliveries() {
		if d.Status != http.StatusNoContent {
			t.Errorf("%s was answered with %d", d.Event, d.Status)
		}
		event := <-got
		mac := hmac.New(sha256.New, []byte("s3cret"))
		mac.Write(event.body)
		if sum := hex.EncodeToString(mac.Sum(nil)); event.header.Get("X-Gitea-Signature") != sum || event.header.Get("X-Hub-Signature-256") != "sha256="+sum {
			t.Errorf("%s is signed %q; want %s", d.Event, event.header.Get("X-Gitea-Signature"), sum)
		}
		var payload struct {
			Action     string
			Repository struct {
				FullName string `json:"full_name"`
			}
		}
		check(t, json.Unmarshal(event.body, &payload))
		if payload.Repository.FullName != "acme/models" {
			t.Errorf("%s is of the repository %q", d.Event, payload.Repository.FullName)
		}
		events = append(events, strings.TrimSpace(event.header.Get("X-Gitea-Event")+" "+payload.Action))
		ids = append(ids, event.header.Get("X-Gitea-Delivery"))
	}
	want := []string{
		"push", "pull_request opened", "pull_request_approved reviewed", "issue_comment created",
		"push", "pull_request synchronized", "pull_request closed", "push",
	}
	if !slices.Equal(events, want) {
		t.Errorf("got %q; want %q", events, want)
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != len(want) || ids[0] == "" {
		t.Errorf("the ids of the deliveries are %q", ids)
	}
}

func TestWhatIsPushedBesideIsSeen(t *testing.T) {
	_, r := world(t)
	_, err := r.Commit("ann", "feature", "change", map[string]string{"a.hcl": "1"})
	check(t, err)
	number, err := r.OpenPull("ann", "feature", "main", "Change", "")
	check(t, err)
	clone := filepath.Join(t.TempDir(), "clone")
	mustGit(t, ".", "clone", "-q", "--branch", "feature", r.Dir(), clone)
	mustGit(t, clone, "commit", "-q", "--allow-empty", "-m", "more")
	mustGit(t, clone, "push", "-q", "origin", "feature")
	head := mustGit(t, clone, "rev-parse", "HEAD")
	if p, err := r.Pull(number); err != nil || p.HeadSHA != head {
		t.Errorf("the head is %+v, %v; want %s", p, err, head)
	}
}

func TestGarbageIsRefused(t *testing.T) {
	w, _ := world(t)
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/api/v1/repos/acme/models/pulls", "{", 422},
		{"POST", "/api/v1/repos/acme/models/pulls", `{"head":"a;b","base":"main","title":"x"}`, 404},
		{"POST", "/api/v1/repos/acme/models/statuses/--all", `{"state":"success"}`, 500},
		{"GET", "/api/v1/repos/acme/models/pulls/x", "", 404},
		{"GET", "/api/v1/repos/acme/nothing/pulls", "", 404},
		{"POST", "/api/v1/repos/acme/models/pulls", `{"body":"` + strings.Repeat("x", 5<<20) + `"}`, 413},
		{"DELETE", "/api/v1/repos/acme/models/pulls", "", 404},
		{"GET", "/api/v2/nothing", "", 404},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, w.URL+c.path, strings.NewReader(c.body))
		check(t, err)
		request.Header.Set("Authorization", "token "+w.AddUser("ann"))
		response, err := http.DefaultClient.Do(request)
		check(t, err)
		_, _ = io.Copy(io.Discard, response.Body)
		check(t, response.Body.Close())
		if response.StatusCode != c.want {
			t.Errorf("%s %s: %d; want %d", c.method, c.path, response.StatusCode, c.want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
