package rest_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = "glpat-canary0123456789"

var call = rest.Call{Doing: "list pull requests", Needs: "Pull requests: read"}

// client calls a server as the Forge of a test would.
func client(t *testing.T, server *httptest.Server, change func(*rest.Options)) *rest.Client {
	t.Helper()
	address, err := rest.Server(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	o := rest.Options{Name: "Forge acme/models", Server: address, Timeout: time.Minute, From: "the token", Credential: func(context.Context) (string, error) { return "Bearer " + canary, nil }}
	if change != nil {
		change(&o)
	}
	c, err := rest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// get is one call, as an SDK makes it.
func get(t *testing.T, c *rest.Client, method, address string) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.HTTP().Do(request)
	if err != nil {
		return "", c.Failed(call, response, "", err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		return "", c.Failed(call, response, string(body), err)
	}
	return string(body), nil
}

func TestACertificateOfOnesOwnIsTrustedByItsFile(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })) //nolint:errcheck // the client may be gone
	server.Config.ErrorLog = nil
	defer server.Close()
	if _, err := get(t, client(t, server, nil), http.MethodGet, server.URL); !errors.Is(err, reconcile.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without its certificate: %v", err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if body, err := get(t, client(t, server, func(o *rest.Options) { o.CAFile = file }), http.MethodGet, server.URL); err != nil || body != "hello" {
		t.Errorf("with its certificate: %q, %v", body, err)
	}
}

func TestARequestGoesToOneServerOnly(t *testing.T) {
	var seen []string
	answer := func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.URL.Path)
		switch r.URL.Path {
		case "/here":
			http.Redirect(w, r, "/there", http.StatusMovedPermanently)
		case "/around":
			http.Redirect(w, r, "/around", http.StatusTemporaryRedirect)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(answer))
	defer server.Close()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another server was asked") }))
	defer other.Close()
	c := client(t, server, nil)
	if _, err := get(t, c, http.MethodGet, other.URL); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(other.URL, "http://")) {
		t.Errorf("another server: %v", err)
	}
	if _, err := get(t, c, http.MethodGet, server.URL+"/here"); err != nil || strings.Join(seen, ", ") != "GET /here, GET /there" {
		t.Errorf("a redirect on the same server: %v, asked %v", err, seen)
	}
	seen = nil
	if _, err := get(t, c, http.MethodPost, server.URL+"/here"); err == nil || len(seen) != 1 {
		t.Errorf("a POST that would become a GET: %v, asked %v", err, seen)
	}
	if _, err := get(t, c, http.MethodGet, server.URL+"/around"); err == nil || errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("a redirect to itself: %v", err)
	}
}

func TestAnAnswerMayHaveSoManyBytes(t *testing.T) {
	size := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(bytes.Repeat([]byte("x"), size)) //nolint:errcheck // the client may be gone
	}))
	defer server.Close()
	c := client(t, server, nil)
	for _, size = range []int{rest.MaxBody - 1, rest.MaxBody, rest.MaxBody + 1} {
		body, err := get(t, c, http.MethodGet, server.URL)
		if fits := err == nil && len(body) == size; fits != (size <= rest.MaxBody) {
			t.Errorf("of %d bytes got %d, %v", size, len(body), err)
		}
	}
}

func TestHowLongToStayAway(t *testing.T) {
	now := time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		status int
		header map[string]string
		wait   time.Duration // 0: none
	}{
		"fine":                        {200, nil, 0},
		"fine, but the last":          {200, map[string]string{"Ratelimit-Remaining": "0", "Ratelimit-Reset": "1772546430"}, 30 * time.Second},
		"fine, of a window gone by":   {200, map[string]string{"Ratelimit-Remaining": "0", "Ratelimit-Reset": "1772546300"}, 0},
		"seconds":                     {429, map[string]string{"Retry-After": "7"}, 7 * time.Second},
		"no seconds":                  {429, map[string]string{"Retry-After": "0"}, time.Second},
		"a date":                      {503, map[string]string{"Retry-After": "Tue, 03 Mar 2026 14:02:00 GMT"}, 2 * time.Minute},
		"a date by the other's clock": {503, map[string]string{"Retry-After": "Tue, 03 Mar 2026 11:02:00 GMT", "Date": "Tue, 03 Mar 2026 11:00:00 GMT"}, 2 * time.Minute},
		"nonsense":                    {429, map[string]string{"Retry-After": "soon"}, time.Minute},
		"not said":                    {429, nil, time.Minute},
		"for ever":                    {429, map[string]string{"Retry-After": "2147483647"}, time.Hour},
		"a reset far away":            {403, map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "99999999999"}, time.Hour},
		"forbidden, and no limit":     {403, map[string]string{"X-Ratelimit-Remaining": "12"}, 0},
		"down":                        {503, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", now.Format(http.TimeFormat))
				for key, value := range c.header {
					w.Header().Set(key, value)
				}
				w.WriteHeader(c.status)
			}))
			defer server.Close()
			calls := client(t, server, func(o *rest.Options) { o.Now = func() time.Time { return now } })
			_, err := get(t, calls, http.MethodGet, server.URL)
			var retry *reconcile.RetryError
			if until := calls.Held(); c.wait == 0 != until.IsZero() || c.wait > 0 && until.Sub(now) != c.wait {
				t.Errorf("held until %s; want %s from now", until, c.wait)
			}
			if limited := errors.As(err, &retry); limited != (c.wait > 0 && c.status != 200) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnAddressHoldsNoPassword(t *testing.T) {
	for _, address := range []string{"https://me:" + canary + "@git.example.com", "https://" + canary + "@git.example.com", "https://git.example.com?token=" + canary, "git.example.com", "ssh://git.example.com", "https://", "%" + canary} {
		if _, err := rest.Server(address); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if server, err := rest.Server("https://git.example.com/forge/"); err != nil || *server != (url.URL{Scheme: "https", Host: "git.example.com", Path: "/forge"}) {
		t.Errorf("got %v, %v", server, err)
	}
}

func TestACancelledCallIsNoOutage(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	c := client(t, server, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.HTTP().Do(request)
	if err == nil {
		response.Body.Close() //nolint:errcheck // there is none
	}
	if err = c.Failed(call, response, "", err); !errors.Is(err, context.Canceled) || errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func FuzzTexts(f *testing.F) {
	f.Add("Plan: 1 change\r\n", "<!-- m -->", 20)
	f.Add("äöü", "", 2)
	f.Fuzz(func(t *testing.T, body, marker string, limit int) {
		if limit < 1 || limit > 1000 || !utf8.ValidString(body) || !utf8.ValidString(marker) {
			return
		}
		if cut := rest.Cut(body, limit); utf8.RuneCountInString(cut) > limit || !utf8.ValidString(cut) {
			t.Errorf("cut to %d: %q", limit, cut)
		}
		marked := rest.Marked(body, marker, limit)
		if utf8.RuneCountInString(marked) > limit || utf8.RuneCountInString(marker)+1 < limit && !strings.Contains(marked, marker) {
			t.Errorf("marked to %d: %q", limit, marked)
		}
		if !rest.Same(body, rest.Lines(body)) || !rest.Same(body, strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), "\n", "\r\n")) {
			t.Errorf("%q is another one than itself", body)
		}
	})
}
