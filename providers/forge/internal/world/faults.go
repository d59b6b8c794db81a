package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// Clock is a time that a test moves. It begins with the real one, as the Date header
// of a server has it.
type Clock struct {
	mu   sync.Mutex
	skip time.Duration
}

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.skip)
}

// Skip moves on.
func (c *Clock) Skip(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skip += by
}

// Fresh is a Forge, and the double that it calls.
type Fresh struct {
	Forge     reconcile.Forge
	Server    *Server
	Clock     *Clock
	TokenFile string // may be rotated
	Token     string // what it holds
	Pull      int    // a pull request that is there
}

// Faults holds a provider to what it does when its forge fails. fresh is told how long
// one request may take.
func Faults(t *testing.T, fresh func(t *testing.T, timeout time.Duration) Fresh) {
	const patient = time.Minute // a busy machine reads 32 MiB slowly
	for name, test := range map[string]func(t *testing.T, f Fresh){
		"asked too often, Retry-After":        tooOftenRetryAfter,
		"asked too often, a window that ends": tooOftenWindow,
		"the last request of a window":        lastOfWindow,
		"it is down":                          down,
		"something else answers":              somethingElse,
		"the answer is cut off":               cutOff,
		"the answer does not end":             endless,
		"it redirects to another host":        elsewhere,
		"the token is refused":                refused,
		"the token is rotated":                rotated,
		"the token file is none":              noToken,
		"pages without end":                   endlessPages,
		"answers that nobody expects":         oddities,
		"the repository is not there":         noRepository,
		"it repeats the credential":           repeats,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t, patient)) })
	}
	t.Run("it hangs", func(t *testing.T) { hangs(t, fresh(t, 100*time.Millisecond)) })
}

// calls are all that ask the forge.
func calls(f Fresh) map[string]func(ctx context.Context) error {
	commit := strings.Repeat("a1", 20)
	return map[string]func(ctx context.Context) error{
		"self":    func(ctx context.Context) error { _, err := f.Forge.Self(ctx); return err },
		"pulls":   func(ctx context.Context) error { _, err := f.Forge.Pulls(ctx, reconcile.PullQuery{}); return err },
		"pull":    func(ctx context.Context) error { _, err := f.Forge.Pull(ctx, f.Pull); return err },
		"latest":  func(ctx context.Context) error { _, err := f.Forge.Latest(ctx, "feature"); return err },
		"brought": func(ctx context.Context) error { _, err := f.Forge.Brought(ctx, commit); return err },
		"reviews": func(ctx context.Context) error { _, err := f.Forge.Reviews(ctx, f.Pull); return err },
		"commits": func(ctx context.Context) error { _, err := f.Forge.PullCommits(ctx, f.Pull); return err },
		"open": func(ctx context.Context) error {
			_, err := f.Forge.OpenPull(ctx, reconcile.NewPull{Head: "feature", Base: "main", Title: "x", Body: "y", Labels: []string{"z"}})
			return err
		},
		"edit":    func(ctx context.Context) error { return f.Forge.EditPull(ctx, f.Pull, "x", "y") },
		"close":   func(ctx context.Context) error { return f.Forge.ClosePull(ctx, f.Pull) },
		"comment": func(ctx context.Context) error { return f.Forge.Comment(ctx, f.Pull, "<!-- m -->", "x") },
		"status": func(ctx context.Context) error {
			_, err := f.Forge.Status(ctx, commit, reconcile.CommitStatus{Context: "c", State: reconcile.CommitHeld, Text: "x"})
			return err
		},
		"members": func(ctx context.Context) error { _, err := f.Forge.Members(ctx, "vision"); return err },
	}
}

func pulls(t *testing.T, f Fresh) error {
	_, err := f.Forge.Pulls(t.Context(), reconcile.PullQuery{})
	return err
}

// wantRetry is told when to come back, asks no more before that, and then does.
func wantRetry(t *testing.T, f Fresh, after time.Duration) {
	t.Helper()
	before := f.Clock.Now()
	err := pulls(t, f)
	var retry *reconcile.RetryError
	if !errors.As(err, &retry) || !errors.Is(err, reconcile.ErrUnavailable) {
		t.Fatalf("got %v; want a RetryError", err)
	}
	if wait := retry.After.Sub(before); wait < after-2*time.Second || wait > after+5*time.Second {
		t.Errorf("told to come back after %s; want %s", wait, after)
	}
	asked := len(f.Server.Requests())
	for name, call := range calls(f) {
		if err := call(t.Context()); !errors.As(err, &retry) {
			t.Errorf("%s meanwhile: %v; want a RetryError", name, err)
		}
	}
	if now := len(f.Server.Requests()); now != asked || asked != 1 {
		t.Errorf("it was asked %d times, and then %d times more", asked, now-asked)
	}
	f.Server.Fail(nil)
	f.Clock.Skip(after + 5*time.Second)
	if err := pulls(t, f); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func tooOftenRetryAfter(t *testing.T, f Fresh) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusForbidden} {
		f.Server.Fail(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			Answer(w, status, map[string]any{"message": "slow down"})
		})
		wantRetry(t, f, 30*time.Second)
	}
	f.Server.Fail(func(w http.ResponseWriter, _ *http.Request) { Answer(w, http.StatusTooManyRequests, nil) })
	wantRetry(t, f, time.Minute)
}

func tooOftenWindow(t *testing.T, f Fresh) {
	for _, prefix := range []string{"X-RateLimit-", "RateLimit-"} {
		f.Server.Fail(func(w http.ResponseWriter, _ *http.Request) {
			// Its clock is not ours.
			its := time.Now().Add(-3 * time.Hour)
			w.Header().Set("Date", its.UTC().Format(http.TimeFormat))
			w.Header().Set(prefix+"Remaining", "0")
			w.Header().Set(prefix+"Reset", strconv.FormatInt(its.Add(20*time.Minute).Unix(), 10))
			Answer(w, http.StatusForbidden, map[string]any{"message": "API rate limit exceeded"})
		})
		wantRetry(t, f, 20*time.Minute)
	}
}

func lastOfWindow(t *testing.T, f Fresh) {
	f.Server.Fail(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10))
		Answer(w, http.StatusOK, []any{})
	})
	if err := pulls(t, f); err != nil {
		t.Errorf("the last one is answered, but: %v", err)
	}
	var retry *reconcile.RetryError
	if err := pulls(t, f); !errors.As(err, &retry) || len(f.Server.Requests()) != 1 {
		t.Errorf("the next one: %v, after %v", err, f.Server.Requests())
	}
}

func down(t *testing.T, f Fresh) {
	for _, status := range []int{500, 502} {
		for name, call := range calls(f) {
			f.Server.Fail(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(status)
				fmt.Fprint(w, "<html>Whoops")
			})
			err := call(t.Context())
			if !errors.Is(err, reconcile.ErrUnavailable) || !strings.Contains(err.Error(), strconv.Itoa(status)) || !strings.Contains(err.Error(), f.Forge.Name()) {
				t.Errorf("%s: %v; want that it is not there (%d)", name, err, status)
			}
			if asked := f.Server.Requests(); len(asked) != 1 {
				t.Errorf("%s hammers: %v", name, asked)
			}
		}
	}
}

func somethingElse(t *testing.T, f Fresh) {
	f.Server.Fail(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><form>Sign in")
	})
	for name, call := range calls(f) {
		if err := call(t.Context()); err == nil || errors.Is(err, reconcile.ErrUnavailable) || !strings.Contains(err.Error(), "text/html") {
			t.Errorf("%s: %v; want that it is not the API", name, err)
		}
	}
}

func cutOff(t *testing.T, f Fresh) {
	f.Server.Fail(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `[{"title": "Digi`)
	})
	for name, call := range calls(f) {
		if err := call(t.Context()); !errors.Is(err, reconcile.ErrUnavailable) {
			t.Errorf("%s: %v; want that it may pass", name, err)
		}
	}
}

func endless(t *testing.T, f Fresh) {
	f.Server.Fail(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `[{"title": "`)
		for piece := strings.Repeat("x", 1<<20); r.Context().Err() == nil; {
			if _, err := io.WriteString(w, piece); err != nil {
				return
			}
		}
	})
	if err := pulls(t, f); err == nil || errors.Is(err, reconcile.ErrUnavailable) || !strings.Contains(err.Error(), "MiB") {
		t.Errorf("got %v; want that it is too large", err)
	}
}

func elsewhere(t *testing.T, f Fresh) {
	var mu sync.Mutex
	var seen []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.URL.Path+" "+r.Header.Get("Authorization"))
		Answer(w, http.StatusOK, []any{})
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 307, 308} {
		f.Server.Fail(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/x", status) })
		for name, call := range calls(f) {
			if err := call(t.Context()); err == nil || !strings.Contains(err.Error(), "redirects to "+other.URL) {
				t.Errorf("%s, redirected by %d: %v; want the other host named", name, status, err)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) > 0 {
		t.Errorf("the other host was asked: %v", seen)
	}
}

func refused(t *testing.T, f Fresh) {
	f.Server.Tokens("another")
	for name, call := range calls(f) {
		if err := call(t.Context()); err == nil || errors.Is(err, reconcile.ErrUnavailable) || !strings.Contains(err.Error(), "401") ||
			!strings.Contains(err.Error(), f.TokenFile) || strings.Contains(err.Error(), f.Token) {
			t.Errorf("%s: %v; want what is refused", name, err)
		}
	}
}

func rotated(t *testing.T, f Fresh) {
	f.Server.Tokens("glpat-rotated")
	if err := pulls(t, f); err == nil {
		t.Error("the old token still counts")
	}
	if err := os.WriteFile(f.TokenFile, []byte("glpat-rotated\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := pulls(t, f); err != nil {
		t.Errorf("with the new token: %v", err)
	}
}

func noToken(t *testing.T, f Fresh) {
	for name, content := range map[string]string{"empty": " \n", "two": "a\nb\n", "long": strings.Repeat("x", 1<<20)} {
		if err := os.WriteFile(f.TokenFile, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f.Server.Fail(nil)
		if err := pulls(t, f); err == nil || !strings.Contains(err.Error(), f.TokenFile) || errors.Is(err, reconcile.ErrUnavailable) || len(f.Server.Requests()) > 0 {
			t.Errorf("%s: %v, asked %v", name, err, f.Server.Requests())
		}
	}
}

func endlessPages(t *testing.T, f Fresh) {
	f.Server.Fail(func(w http.ResponseWriter, r *http.Request) {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d>; rel="next"`, r.Host, r.URL.Path, page+1))
		w.Header().Set("X-Next-Page", strconv.Itoa(page+1))
		Answer(w, http.StatusOK, []any{})
	})
	if err := pulls(t, f); err == nil || !strings.Contains(err.Error(), "pages") {
		t.Errorf("got %v; want that it ends", err)
	}
	// One that leads back to itself.
	f.Server.Fail(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=1>; rel="next"`, r.Host, r.URL.Path))
		w.Header().Set("X-Next-Page", "1")
		Answer(w, http.StatusOK, []any{})
	})
	if err := pulls(t, f); err != nil || len(f.Server.Requests()) != 1 {
		t.Errorf("got %v after %d requests", err, len(f.Server.Requests()))
	}
}

// oddities must not be more than an error.
func oddities(t *testing.T, f Fresh) {
	for _, body := range []string{
		"null", "[null]", "{}", "[]", "[{}]", `"x"`, "1", "[1]", "", `{"data": null, "approved_by": [null, {}], "statuses": [null], "check_runs": [null]}`,
		`[{"user": null, "author": null, "head": null, "base": null, "state": null}]`, `{"user": null, "head": null, "number": -1, "iid": -1, "merged_at": "x"}`,
		strings.Repeat("[", 100_000),
	} {
		for _, status := range []int{200, 204, 404, 409} {
			f.Server.Fail(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Link", `<; rel=next>,;,=<>; rel`)
				w.Header().Set("X-Next-Page", "-x")
				w.WriteHeader(status)
				if status != http.StatusNoContent {
					io.WriteString(w, body) //nolint:errcheck // the client may be gone
				}
			})
			for _, call := range calls(f) {
				call(t.Context()) //nolint:errcheck // what it says is not the point
			}
		}
	}
}

func noRepository(t *testing.T, f Fresh) {
	f.Server.Fail(func(w http.ResponseWriter, _ *http.Request) {
		Answer(w, http.StatusNotFound, map[string]any{"message": "Not Found"})
	})
	for name, call := range calls(f) {
		if err := call(t.Context()); err == nil || errors.Is(err, reconcile.ErrNoPull) || errors.Is(err, reconcile.ErrUnavailable) {
			t.Errorf("%s: %v; it is not known whether there is such a pull request", name, err)
		}
	}
}

func repeats(t *testing.T, f Fresh) {
	for _, status := range []int{400, 401, 403, 404, 409, 418, 422, 429, 500} {
		f.Server.Fail(func(w http.ResponseWriter, r *http.Request) {
			text := "you are " + r.Header.Get("Authorization")
			Answer(w, status, map[string]any{"message": text, "error": text, "errors": []any{map[string]any{"message": text, "code": text, "field": text}}, "documentation_url": text})
		})
		f.Clock.Skip(2 * time.Hour)
		for name, call := range calls(f) {
			if err := call(t.Context()); err == nil || strings.Contains(err.Error(), f.Token) || strings.Contains(fmt.Sprintf("%+v %#v", err, err), f.Token) {
				t.Errorf("%s, answered by %d: %v", name, status, err)
			}
		}
	}
}

func hangs(t *testing.T, f Fresh) {
	stop := make(chan struct{})
	defer close(stop)
	wait := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-stop:
		}
	}
	half := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `[{"title":`)       //nolint:errcheck // the client may be gone
		http.NewResponseController(w).Flush() //nolint:errcheck // the same
		wait(w, r)
	}
	for what, fault := range map[string]http.HandlerFunc{"before the answer": wait, "within it": half} {
		f.Server.Fail(fault)
		start := time.Now()
		err := pulls(t, f)
		if !errors.Is(err, reconcile.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v; want that it took too long", what, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: it took %s", what, took)
		}
	}
}
