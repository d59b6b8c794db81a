package webhook_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/providers/webhook"
)

// TestAReplayWakesNobody a thousand times over.
func TestAReplayWakesNobody(t *testing.T) {
	for _, kind := range kinds {
		good, _ := secretsOf(kind)
		w := newWorld(t)
		body := fixture(t, kind)
		for n := range 1000 {
			h := sign(kind, good, w.now, "d1", body)
			for _, id := range []string{"X-Github-Delivery", "X-Gitea-Delivery", "X-Forgejo-Delivery", "X-Gitlab-Event-Uuid"} {
				if h.Get(id) != "" { // not signed: whoever replays can change it
					h.Set(id, fmt.Sprint(n))
				}
			}
			if answer := w.post(string(kind), h, body); answer.Code != 200 {
				t.Fatalf("%s: got %d %q", kind, answer.Code, answer.Body)
			}
			if n%30 == 29 {
				w.now = w.now.Add(15 * time.Second) // within the rate
			}
		}
		if w.wakes.Load() != 1 {
			t.Errorf("%s: %d wakes", kind, w.wakes.Load())
		}
	}
}

// TestManyDeliveriesWakeOnceInAWindow, and none is lost.
func TestManyDeliveriesWakeOnceInAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var wakes []time.Duration
		start := time.Now()
		dir := t.TempDir()
		path := filepath.Join(dir, "secret")
		if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := webhook.New(webhook.Options{
			Endpoints: []webhook.Endpoint{{Name: "x", Kind: webhook.GitHub, SecretFile: path}},
			Wake: func(string) {
				mu.Lock()
				defer mu.Unlock()
				wakes = append(wakes, time.Since(start))
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{Receiver: r, t: t}
		send := func(n int) {
			body := fmt.Appendf(nil, `{"n": %d}`, n)
			if answer := w.post("x", sign(webhook.GitHub, secret, time.Now(), "d", body), body); answer.Code != 200 {
				t.Fatalf("got %d", answer.Code)
			}
		}
		for n := range 50 { // 2 s
			send(n)
			time.Sleep(40 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := fmt.Sprint(wakes); got != "[0s 1s 2s]" {
			t.Errorf("woken at %s", got)
		}
		send(100) // at once
		send(101) // later, and forgotten by Close
		r.Close()
		time.Sleep(10 * time.Second)
		if len(wakes) != 4 {
			t.Errorf("woken at %v", wakes)
		}
	})
}

func TestAFloodIsSlowedDownByAddress(t *testing.T) {
	w := newWorld(t)
	from := func(address, endpoint string) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/"+endpoint, strings.NewReader("{}"))
		req.RemoteAddr = address
		answer := httptest.NewRecorder()
		w.ServeHTTP(answer, req)
		return answer
	}
	until429 := func(address string) (n int) {
		for n = range 1000 {
			if answer := from(address, "github"); answer.Code == 429 {
				if answer.Header().Get("Retry-After") != "1" {
					t.Errorf("come back after %q", answer.Header().Get("Retry-After"))
				}
				return n
			}
		}
		return n
	}
	for _, c := range []struct {
		address string
		want    int
	}{
		{"192.0.2.1:5", 60},
		{"192.0.2.1:6", 0},
		{"192.0.2.2:5", 60},
		{"[::ffff:192.0.2.1]:7", 0},
		{"[2001:db8::1]:5", 60},
		{"[2001:db8::ffff:2]:5", 0},
		{"[2001:db8:0:1::1]:5", 60},
		{"@", 60},
	} {
		if got := until429(c.address); got != c.want {
			t.Errorf("%s: refused after %d; want %d", c.address, got, c.want)
		}
	}
	if answer := from("192.0.2.1:5", "gitea"); answer.Code == 429 {
		t.Error("another endpoint has no rate of its own")
	}
	w.now = w.now.Add(time.Second)
	if got := until429("192.0.2.1:5"); got != 2 {
		t.Errorf("a second later: refused after %d; want 2", got)
	}
	for n := range 10_000 { // the table has an end
		from(fmt.Sprintf("10.1.%d.%d:1", n/256, n%256), "github")
	}
	if lines := strings.Count(w.log.String(), "\n"); lines > 10 {
		t.Errorf("the log has %d lines", lines)
	}
}

// TestSlowBodiesDoNotPileUp on a real server: those that never end hold a few places,
// and lose them when the sender breaks off, long before their time is over. A busy
// machine may not get to that in time.
func TestSlowBodiesDoNotPileUp(t *testing.T) {
	const limit = 10 * time.Second // for a body
	held := pileUp(t)
	for tries := 0; tries < 3 && held >= limit; tries++ {
		held = pileUp(t)
	}
	if held >= limit {
		t.Errorf("places were held for %s: what broke off is waited for", held)
	}
}

// pileUp takes all places with bodies that do not end, breaks off, and says how long after
// the last of them began there was room again.
func pileUp(t *testing.T) (held time.Duration) {
	t.Helper()
	w := newWorld(t)
	w.clock = time.Now // the rate of one address lets more through with time
	server := httptest.NewUnstartedServer(nil)
	server.Config = webhook.NewServer(w)
	server.Start()
	defer server.Close()
	var slow []net.Conn
	var last time.Time
	open := func() {
		last = time.Now()
		c, err := (&net.Dialer{Timeout: time.Minute}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() }) // it may be closed
		_, err = io.WriteString(c, "POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: 100\r\n\r\n{")
		if err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	for range 8 {
		open()
	}
	// When all places are taken the next is told at once. A place is lost after 10 s,
	// which a busy machine may need to get here.
	body := fixture(t, webhook.GitHub)
	send := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/hooks/github", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = sign(webhook.GitHub, secret, w.now, "d1", body)
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }() // read only
		return resp.StatusCode
	}
	deadline := time.Now().Add(time.Minute)
	for status := send(); status != 503; status = send() {
		if time.Now().After(deadline) {
			t.Fatal("there is no limit")
		}
		if status == 200 {
			open()
		}
	}
	for _, c := range slow {
		if err := c.Close(); err != nil { // the sender breaks off
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(time.Minute); send() != 200; {
		if time.Now().After(deadline) {
			t.Fatal("the places are not free again")
		}
	}
	return time.Since(last)
}

func TestOptionsThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", secret, 0o600)
	wake := func(string) {}
	for name, c := range map[string]struct {
		endpoints []webhook.Endpoint
		want      string
	}{
		"no name":       {[]webhook.Endpoint{{Name: "", Kind: webhook.GitHub, SecretFile: good}}, "name"},
		"a path":        {[]webhook.Endpoint{{Name: "a/b", Kind: webhook.GitHub, SecretFile: good}}, "part of its path"},
		"no kind":       {[]webhook.Endpoint{{Name: "a", SecretFile: good}}, "no kind of sender"},
		"another kind":  {[]webhook.Endpoint{{Name: "a", Kind: "svn", SecretFile: good}}, "no kind of sender"},
		"twice":         {[]webhook.Endpoint{{Name: "a", Kind: webhook.GitHub, SecretFile: good}, {Name: "a", Kind: webhook.GitLab, SecretFile: good}}, "two of that name"},
		"no file":       {[]webhook.Endpoint{{Name: "a", Kind: webhook.GitHub, SecretFile: good + "-absent"}}, "no such file"},
		"a directory":   {[]webhook.Endpoint{{Name: "a", Kind: webhook.GitHub, SecretFile: dir}}, "no regular file"},
		"empty":         {[]webhook.Endpoint{{Name: "a", Kind: webhook.GitHub, SecretFile: write("empty", "\n \n", 0o600)}}, "is empty"},
		"short":         {[]webhook.Endpoint{{Name: "a", Kind: webhook.GitHub, SecretFile: write("short", "\nc4n4ry", 0o600)}}, "short:2 has fewer than 16"},
		"everybody's":   {[]webhook.Endpoint{{Name: "a", Kind: webhook.GitHub, SecretFile: write("open", secret, 0o666)}}, "everybody may write"},
		"many":          {[]webhook.Endpoint{{Name: "a", Kind: webhook.GitHub, SecretFile: write("many", strings.Repeat(secret+"\n", 5), 0o600)}}, "5 secrets"},
		"large":         {[]webhook.Endpoint{{Name: "a", Kind: webhook.GitHub, SecretFile: write("large", strings.Repeat("c4n4ry", 9999), 0o600)}}, "16 KiB"},
		"no key":        {[]webhook.Endpoint{{Name: "a", Kind: webhook.Standard, SecretFile: good}}, "whsec_"},
		"a damaged key": {[]webhook.Endpoint{{Name: "a", Kind: webhook.GitLab, SecretFile: write("key", "whsec_c4n4ry!!!!!!!!!!", 0o600)}}, "key:1 is no secret of Standard Webhooks"},
	} {
		_, err := webhook.New(webhook.Options{Endpoints: c.endpoints, Wake: wake})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "c4n4ry") {
			t.Errorf("%s: got %v; want %q", name, err, c.want)
		}
	}
	if _, err := webhook.New(webhook.Options{}); err == nil {
		t.Error("nobody to wake: it is allowed")
	}
}

// breaking is a body that ends with an error.
type breaking struct{ err error }

func (b breaking) Read([]byte) (int, error) { return 0, b.err }

// deadlined is an answer on a connection whose deadline can be set.
type deadlined struct {
	*httptest.ResponseRecorder
	at time.Time
}

func (d *deadlined) SetReadDeadline(at time.Time) error {
	d.at = at
	return nil
}

func TestABodyThatDoesNotCome(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want int
	}{"slow": {os.ErrDeadlineExceeded, 408}, "cut": {io.ErrUnexpectedEOF, 400}} {
		w := newWorld(t)
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/github", breaking{c.err})
		req.Header = sign(webhook.GitHub, secret, w.now, "d1", nil)
		answer := &deadlined{ResponseRecorder: httptest.NewRecorder()}
		const limit = 10 * time.Second
		begun := time.Now()
		w.ServeHTTP(answer, req)
		if answer.Code != c.want || answer.at.Before(begun.Add(limit)) || answer.at.After(time.Now().Add(limit)) {
			t.Errorf("%s: got %d, a deadline in %s", name, answer.Code, time.Until(answer.at))
		}
	}
}
