package gitea_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/forge/forgetest"
	"github.com/fairlead/fairlead/providers/forge/gitea"
	"github.com/fairlead/fairlead/reconcile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = "c4narytoken0123456789"

// against is a Forge on a server that answers by a handler.
func against(t *testing.T, handler http.HandlerFunc) *gitea.Forge {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newForge(t, server.URL, canary)
}

// calls are all that ask the server, by name.
func calls(f *gitea.Forge) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"self":    func(ctx context.Context) error { _, err := f.Self(ctx); return err },
		"pulls":   func(ctx context.Context) error { _, err := f.Pulls(ctx, reconcile.PullQuery{}); return err },
		"pull":    func(ctx context.Context) error { _, err := f.Pull(ctx, 1); return err },
		"latest":  func(ctx context.Context) error { _, err := f.Latest(ctx, "feature"); return err },
		"brought": func(ctx context.Context) error { _, err := f.Brought(ctx, strings.Repeat("ab", 20)); return err },
		"reviews": func(ctx context.Context) error { _, err := f.Reviews(ctx, 1); return err },
		"commits": func(ctx context.Context) error { _, err := f.PullCommits(ctx, 1); return err },
		"open": func(ctx context.Context) error {
			_, err := f.OpenPull(ctx, reconcile.NewPull{Head: "feature", Base: "main", Title: "x", Body: "y", Labels: []string{"fairlead"}})
			return err
		},
		"edit":    func(ctx context.Context) error { return f.EditPull(ctx, 1, "x", "y") },
		"close":   func(ctx context.Context) error { return f.ClosePull(ctx, 1) },
		"comment": func(ctx context.Context) error { return f.Comment(ctx, 1, "<!-- m -->", "<!-- m -->") },
		"status": func(ctx context.Context) error {
			_, err := f.Status(ctx, strings.Repeat("ab", 20), reconcile.CommitStatus{Context: "c", State: reconcile.CommitSuccess})
			return err
		},
		"members": func(ctx context.Context) error { _, err := f.Members(ctx, "vision"); return err },
	}
}

func TestWhatGoesWrongIsTold(t *testing.T) {
	type want struct {
		words       []string
		unavailable bool
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   want
	}{
		"the token is not taken": {status(401, `{"message":"invalid username, password or token"}`), want{[]string{"401", "invalid username", "the token in", "expired or revoked"}, false}},
		"a right is missing":     {status(403, `{"message":"token does not have at least one of required scope(s)"}`), want{[]string{"403", "required scope", "needs the right"}, false}},
		"there is no such repo":  {status(404, `{"message":"not found"}`), want{[]string{"404"}, false}},
		"it is broken":           {status(500, `{"message":""}`), want{[]string{"500"}, true}},
		"its proxy is":           {status(502, "<html><body>Bad Gateway</body></html>"), want{[]string{"502"}, true}},
		"a login page":           {status(200, "<html><body>Sign in</body></html>"), want{[]string{"not of its API"}, false}},
		"another shape":          {status(200, `"text"`), want{[]string{"not of its API"}, false}},
		"a number too large":     {status(200, `{"number":1e400}`), want{nil, false}},
		"nothing at all":         {status(200, ""), want{nil, false}},
		"null":                   {status(200, "null"), want{nil, false}},
		"nulls":                  {status(200, "[null]"), want{nil, false}},
		"an empty object":        {status(200, "{}"), want{nil, false}},
		"a cut answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`[{"number":`))
		}, want{[]string{"cut off"}, true}},
		"a reset connection": {func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = connection.Close()
			}
		}, want{nil, true}},
		"the token, said back": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			_ = json.NewEncoder(w).Encode(map[string]string{"message": "what is " + r.Header.Get("Authorization")})
		}, want{[]string{"400"}, false}},
	} {
		t.Run(name, func(t *testing.T) {
			f := against(t, c.answer)
			for call, do := range calls(f) {
				err := do(t.Context())
				if err == nil {
					if c.want.words != nil || c.want.unavailable {
						t.Errorf("%s: no error", call)
					}
					continue // what tells of nothing is no failure of every call
				}
				if errors.Is(err, reconcile.ErrUnavailable) != c.want.unavailable && c.want.words != nil {
					t.Errorf("%s: may it pass? %v; want %v", call, err, c.want.unavailable)
				}
				for _, word := range c.want.words {
					if !strings.Contains(err.Error(), word) {
						t.Errorf("%s: %q does not say %q", call, err, word)
					}
				}
				if c.want.words != nil && errors.Is(err, reconcile.ErrNoPull) { // it may be there, if only the repository is seen
					t.Errorf("%s: is taken for a pull request that is not there: %v", call, err)
				}
				if strings.Contains(err.Error(), canary) {
					t.Errorf("%s: the error shows the token: %v", call, err)
				}
				if !strings.Contains(err.Error(), "Gitea acme/models") {
					t.Errorf("%s: %q does not say where", call, err)
				}
			}
		})
	}
}

// status answers everything in one way.
func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		kind := "application/json"
		if strings.HasPrefix(body, "<") {
			kind = "text/html"
		}
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

func TestWhoIsAskedTooOftenIsLeftAlone(t *testing.T) {
	var asked atomic.Int64
	now := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	clock := &now
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Retry-After", "77")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()
	f, err := gitea.New(gitea.Options{BaseURL: server.URL, Repo: "acme/models", TokenFile: tokenFile(t, canary), Now: func() time.Time { return *clock }})
	check(t, err)
	defer f.Close()
	for call, do := range calls(f) {
		var retry *reconcile.RetryError
		if err := do(t.Context()); !errors.As(err, &retry) || !errors.Is(err, reconcile.ErrUnavailable) || !retry.After.Equal(now.Add(77*time.Second)) {
			t.Errorf("%s: %v; want a RetryError after %s", call, err, now.Add(77*time.Second))
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("it was asked %d times; want once", n)
	}
	now = now.Add(78 * time.Second)
	if _, err := f.Pull(t.Context(), 1); err == nil || asked.Load() != 2 {
		t.Errorf("after the time it was asked %d times, %v", asked.Load(), err)
	}
}

func TestServerThatHangsIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	f, err := gitea.New(gitea.Options{BaseURL: server.URL, Repo: "acme/models", TokenFile: tokenFile(t, canary), Timeout: 100 * time.Millisecond})
	check(t, err)
	defer f.Close()
	const limit = 15 * time.Second // without the option it is 20 s
	for call, do := range calls(f) {
		least := time.Hour
		for tries := 0; tries < 3 && least > limit; tries++ { // the machine may be busy
			start := time.Now()
			if err := do(t.Context()); !errors.Is(err, reconcile.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", call, err)
			}
			least = min(least, time.Since(start))
		}
		if least > limit {
			t.Errorf("%s took %s at the least", call, least)
		}
	}
}

func TestRedirectToAnotherServerDoesNotSeeTheToken(t *testing.T) {
	var seen atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen.Add(1) }))
	defer other.Close()
	f := against(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	})
	for call, do := range calls(f) {
		if err := do(t.Context()); err == nil || !strings.Contains(err.Error(), "another server") {
			t.Errorf("%s: %v", call, err)
		}
	}
	if seen.Load() != 0 {
		t.Errorf("the other server was asked %d times", seen.Load())
	}
}

func TestHugeAnswerIsGivenUp(t *testing.T) {
	f := against(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range 40 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if _, err := f.Pull(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("40 MiB are told as %v", err)
	}
}

func TestListWithoutAnEndIsGivenUp(t *testing.T) {
	f := against(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Total-Count", "1000000")
		fmt.Fprint(w, `[{"number":7,"state":"open","base":{"ref":"main","repo_id":1},"head":{"label":"feature","ref":"feature","sha":"aa","repo_id":1}}]`)
	})
	if _, err := f.Pulls(t.Context(), reconcile.PullQuery{}); err == nil || !strings.Contains(err.Error(), "pages") {
		t.Errorf("a list without an end is told as %v", err)
	}
}

// While pages are read somebody opens a pull request, and all others move on by one.
func TestPullRequestThatMovesOnIsListedOnce(t *testing.T) {
	page := func(numbers ...int) string {
		var items []string
		for _, n := range numbers {
			items = append(items, fmt.Sprintf(`{"number":%d,"state":"open","base":{"ref":"main","repo_id":1},"head":{"label":"feature","ref":"feature","sha":"aa","repo_id":1}}`, n))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	f := against(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Total-Count", "4")
		fmt.Fprint(w, map[string]string{"1": page(3, 2), "2": page(2, 1)}[r.URL.Query().Get("page")])
	})
	pulls, err := f.Pulls(t.Context(), reconcile.PullQuery{})
	if err != nil || len(pulls) != 3 || pulls[0].Number != 3 || pulls[2].Number != 1 {
		t.Errorf("got %+v, %v; want 3, 2 and 1", pulls, err)
	}
}

func TestTokenIsReadAgain(t *testing.T) {
	world := forgetest.Start(t)
	old := world.AddUser("fairlead-bot")
	if _, err := world.AddRepo("acme/models", "fairlead-bot"); err != nil {
		t.Fatal(err)
	}
	file := tokenFile(t, old)
	f, err := gitea.New(gitea.Options{BaseURL: world.URL, Repo: "acme/models", TokenFile: file})
	check(t, err)
	defer f.Close()
	if _, err := f.Self(t.Context()); err != nil {
		t.Fatal(err)
	}
	next, err := world.NewToken("fairlead-bot")
	check(t, err)
	if _, err := f.Self(t.Context()); err == nil || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), old) {
		t.Errorf("a revoked token is told as %v", err)
	}
	check(t, os.WriteFile(file, []byte(next), 0o600))
	if self, err := f.Self(t.Context()); err != nil || self.Login != "fairlead-bot" {
		t.Errorf("with the new token it is %+v, %v", self, err)
	}
}

func TestServerWithItsOwnAuthority(t *testing.T) {
	server := httptest.NewTLSServer(status(200, `{"login":"fairlead-bot"}`))
	defer server.Close()
	server.Config.ErrorLog = nil
	file := filepath.Join(t.TempDir(), "ca.pem")
	check(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	for ca, words := range map[string]string{"": "certificate", file: ""} {
		f, err := gitea.New(gitea.Options{BaseURL: server.URL, Repo: "acme/models", TokenFile: tokenFile(t, canary), CAFile: ca})
		check(t, err)
		_, err = f.Self(t.Context())
		if (err == nil) != (words == "") || err != nil && !strings.Contains(err.Error(), words) {
			t.Errorf("with the authority %q: %v", ca, err)
		}
		f.Close()
	}
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	for name, o := range map[string]gitea.Options{
		"no repo":            {BaseURL: "https://git.example", TokenFile: "t"},
		"half a repo":        {BaseURL: "https://git.example", Repo: "acme", TokenFile: "t"},
		"too much of a repo": {BaseURL: "https://git.example", Repo: "acme/models/x", TokenFile: "t"},
		"another path":       {BaseURL: "https://git.example", Repo: "acme/..", TokenFile: "t"},
		"no token":           {BaseURL: "https://git.example", Repo: "acme/models"},
		"no address":         {Repo: "acme/models", TokenFile: "t"},
		"no URL":             {BaseURL: "git.example", Repo: "acme/models", TokenFile: "t"},
		"a password in it":   {BaseURL: "https://ann:" + canary + "@git.example", Repo: "acme/models", TokenFile: "t"},
		"no such authority":  {BaseURL: "https://git.example", Repo: "acme/models", TokenFile: "t", CAFile: "/nonexistent"},
	} {
		if _, err := gitea.New(o); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two daemons open the same pull request: the slower one finds that of the faster.
func TestWhoIsSlowerFindsThePullRequest(t *testing.T) {
	f, w := newLocal(t)
	world := w.(*local)
	world.Push(t, "ann", "fairlead/pin/digits")
	var raced atomic.Bool
	number := 0
	world.forge.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/pulls") && !raced.Swap(true) {
			number = world.OpenPull(t, "fairlead-bot", "fairlead/pin/digits", "main", "By the other")
		}
		return false
	})
	p, err := f.OpenPull(t.Context(), reconcile.NewPull{Head: "fairlead/pin/digits", Base: "main", Title: "Pin digits", Body: "text"})
	if err != nil || p.Number != number || p.Title != "Pin digits" {
		t.Errorf("got %+v, %v; want number %d", p, err, number)
	}
}

// Somebody merges in the moment in which Fairlead closes.
func TestWhatWasMergedMeanwhileIsNotClosed(t *testing.T) {
	f, w := newLocal(t)
	world := w.(*local)
	world.Push(t, "ann", "feature")
	number := world.OpenPull(t, "ann", "feature", "main", "Change")
	world.forge.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			world.Merge(t, "bob", number)
		}
		return false
	})
	if err := f.ClosePull(t.Context(), number); err != nil {
		t.Error(err)
	}
	world.forge.Intercept(nil)
	if p, err := f.Pull(t.Context(), number); err != nil || p.State != reconcile.PullMerged {
		t.Errorf("it is %+v, %v", p, err)
	}
}

func TestBranchThatIsGoneLeavesThePullRequestReadable(t *testing.T) {
	f, w := newLocal(t)
	world := w.(*local)
	head := world.Push(t, "ann", "feature")
	number := world.OpenPull(t, "ann", "feature", "main", "Change")
	world.Merge(t, "bob", number)
	check(t, world.repo.DeleteBranch("ann", "feature"))
	p, err := f.Pull(t.Context(), number)
	if err != nil || p.Head != "feature" || p.HeadSHA != head || p.Fork || p.State != reconcile.PullMerged {
		t.Errorf("it is %+v, %v", p, err)
	}
}

// A label that cannot be made is left out.
func TestLabelsAreNoObstacle(t *testing.T) {
	f, w := newLocal(t)
	world := w.(*local)
	world.Push(t, "ann", "feature")
	world.forge.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/labels") {
			http.Error(w, `{"message":"no"}`, http.StatusForbidden)
			return true
		}
		return false
	})
	ask := reconcile.NewPull{Head: "feature", Base: "main", Title: "x", Body: "y", Labels: []string{"fairlead"}}
	p, err := f.OpenPull(t.Context(), ask)
	check(t, err)
	world.forge.Intercept(nil)
	if told, err := world.repo.Pull(p.Number); err != nil || len(told.Labels) != 0 {
		t.Errorf("it is %+v, %v", told, err)
	}
	check(t, f.ClosePull(t.Context(), p.Number))
	p, err = f.OpenPull(t.Context(), ask)
	check(t, err)
	if told, err := world.repo.Pull(p.Number); err != nil || len(told.Labels) != 1 || told.Labels[0] != "fairlead" {
		t.Errorf("it is %+v, %v", told, err)
	}
}
