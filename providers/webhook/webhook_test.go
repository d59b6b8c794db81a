package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret      = "hunter2-c4n4ry-of-the-webhook"
	otherSecret = "another-secret-of-the-webhook"
	key         = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // of the standard's own vectors
	otherKey    = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
)

var kinds = []webhook.Kind{webhook.GitHub, webhook.GitLab, webhook.Gitea, webhook.Forgejo, webhook.Standard}

// world is a Receiver with an endpoint of each kind and gitlab's signing keys.
type world struct {
	*webhook.Receiver
	t     testing.TB
	dir   string
	wakes atomic.Int64
	log   bytes.Buffer
	now   time.Time
	clock func() time.Time // tells now, unless a test sets it
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)}
	w.clock = func() time.Time { return w.now }
	var endpoints []webhook.Endpoint
	add := func(name string, kind webhook.Kind, secret string) {
		endpoints = append(endpoints, webhook.Endpoint{Name: name, Kind: kind, SecretFile: w.write(t, name, secret)})
	}
	for _, kind := range kinds[:4] {
		add(string(kind), kind, secret)
	}
	add("standard", webhook.Standard, key)
	add("gitlab-signed", webhook.GitLab, key)
	r, err := webhook.New(webhook.Options{
		Endpoints: endpoints, Wake: func(string) { w.wakes.Add(1) }, Now: func() time.Time { return w.clock() },
		Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	w.Receiver = r
	return w
}

func (w *world) write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(content+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (w *world) post(endpoint string, header http.Header, body []byte) *httptest.ResponseRecorder {
	req := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, "/hooks/"+endpoint, bytes.NewReader(body))
	req.Header = header
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, req)
	return answer
}

func fixture(t testing.TB, kind webhook.Kind) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", string(kind)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// sign returns the headers that the forge would send.
func sign(kind webhook.Kind, secret string, now time.Time, id string, body []byte) http.Header {
	sum := hmac.New(sha256.New, []byte(secret))
	sum.Write(body)
	signature := hex.EncodeToString(sum.Sum(nil))
	h := http.Header{"Content-Type": {"application/json"}}
	switch kind {
	case webhook.GitHub:
		h.Set("X-GitHub-Event", "push")
		h.Set("X-GitHub-Delivery", id)
		h.Set("X-Hub-Signature-256", "sha256="+signature)
	case webhook.Gitea: // sends the headers of GitHub and Gogs as well
		h.Set("X-Gitea-Delivery", id)
		h.Set("X-Gitea-Signature", signature)
		h.Set("X-Gogs-Signature", signature)
		h.Set("X-Hub-Signature-256", "sha256="+signature)
	case webhook.Forgejo:
		h.Set("X-Forgejo-Delivery", id)
		h.Set("X-Forgejo-Signature", signature)
		h.Set("X-Gitea-Signature", signature)
	case webhook.GitLab:
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("X-Gitlab-Event", "Push Hook")
		h.Set("X-Gitlab-Event-UUID", id)
		h.Set("X-Gitlab-Token", secret)
	case webhook.Standard:
		raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		sum := hmac.New(sha256.New, raw)
		fmt.Fprintf(sum, "%s.%d.%s", id, now.Unix(), body)
		h.Set("Webhook-Id", id)
		h.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
		h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(sum.Sum(nil)))
	}
	return h
}

func secretsOf(kind webhook.Kind) (good, other string) {
	if kind == webhook.Standard {
		return key, otherKey
	}
	return secret, otherSecret
}

// signatureOf is the header that a kind is verified by.
var signatureOf = map[webhook.Kind]string{
	webhook.GitHub: "X-Hub-Signature-256", webhook.GitLab: "X-Gitlab-Token", webhook.Gitea: "X-Gitea-Signature",
	webhook.Forgejo: "X-Forgejo-Signature", webhook.Standard: "Webhook-Signature",
}

func TestEachForge(t *testing.T) {
	for _, kind := range kinds {
		good, other := secretsOf(kind)
		body := fixture(t, kind)
		large := append(append([]byte(`{"x":"`), bytes.Repeat([]byte("x"), 10<<20)...), `"}`...)
		with := func(h http.Header, name string, values ...string) http.Header {
			h = h.Clone()
			h[http.CanonicalHeaderKey(name)] = values
			return h
		}
		now := newWorld(t).now
		valid := sign(kind, good, now, "d1", body)
		proof := signatureOf[kind]
		for name, c := range map[string]struct {
			header http.Header
			body   []byte
			status int
			wakes  int64
		}{
			"valid":                 {valid, body, 200, 1},
			"another secret":        {sign(kind, other, now, "d1", body), body, 401, 0},
			"no signature":          {with(valid, proof), body, 401, 0},
			"an empty signature":    {with(valid, proof, ""), body, 401, 0},
			"a signature twice":     {with(valid, proof, valid.Get(proof), valid.Get(proof)), body, 401, 0},
			"half a signature":      {with(valid, proof, valid.Get(proof)[:len(valid.Get(proof))/2]), body, 401, 0},
			"garbage for it":        {with(valid, proof, "sha256=\x00zz,,, v1, =="), body, 401, 0},
			"a long one":            {with(valid, proof, strings.Repeat("v1,x ", 2000)), body, 401, 0},
			"a form":                {with(valid, "Content-Type", "application/x-www-form-urlencoded"), body, 415, 0},
			"text":                  {with(valid, "Content-Type", "text/plain"), body, 415, 0},
			"no type":               {with(valid, "Content-Type"), body, 415, 0},
			"two types":             {with(valid, "Content-Type", "application/json", "application/json"), body, 415, 0},
			"compressed":            {with(valid, "Content-Encoding", "gzip"), body, 415, 0},
			"an empty body":         {sign(kind, good, now, "d1", nil), nil, 400, 0},
			"no JSON":               {sign(kind, good, now, "d1", body[:len(body)/2]), body[:len(body)/2], 400, 0},
			"10 MB":                 {sign(kind, good, now, "d1", large), large, 413, 0},
			"another method's name": {with(valid, "X-Http-Method-Override", "DELETE"), body, 200, 1},
		} {
			t.Run(string(kind)+", "+name, func(t *testing.T) {
				w := newWorld(t)
				answer := w.post(string(kind), c.header, c.body)
				if answer.Code != c.status || w.wakes.Load() != c.wakes {
					t.Errorf("got %d %q, %d wakes; want %d, %d", answer.Code, answer.Body, w.wakes.Load(), c.status, c.wakes)
				}
				if said := w.log.String() + answer.Body.String(); strings.Contains(said, "c4n4ry") || strings.Contains(said, "MfKQ9") || (c.status != 200) != strings.Contains(said, "webhook refused") {
					t.Errorf("it says %s", said)
				}
			})
		}
		if kind != webhook.GitLab {
			t.Run(string(kind)+", a body that was cut or changed", func(t *testing.T) {
				w := newWorld(t)
				for _, changed := range [][]byte{body[:len(body)-1], append(bytes.Clone(body), ' '), bytes.Replace(body, []byte("main"), []byte("evil"), 1), nil} {
					if answer := w.post(string(kind), valid, changed); answer.Code != 401 || w.wakes.Load() != 0 {
						t.Errorf("got %d %q", answer.Code, answer.Body)
					}
				}
			})
		}
	}
}

// TestHeadersOfAnotherForgeCountForNothing: what is right for one kind is not for the
// others, though the secret and the body are the same. Gitea's and Forgejo's servers
// send each other's headers, and GitHub's.
func TestHeadersOfAnotherForgeCountForNothing(t *testing.T) {
	sends := map[webhook.Kind][]webhook.Kind{webhook.Gitea: {webhook.GitHub}, webhook.Forgejo: {webhook.Gitea}}
	for _, sender := range kinds {
		for _, at := range kinds {
			good, _ := secretsOf(sender)
			w := newWorld(t)
			answer := w.post(string(at), sign(sender, good, w.now, "d1", fixture(t, sender)), fixture(t, sender))
			want := 401
			if sender == at || len(sends[sender]) > 0 && sends[sender][0] == at {
				want = 200
			}
			if answer.Code != want {
				t.Errorf("%s at %s: got %d %q", sender, at, answer.Code, answer.Body)
			}
		}
	}
}

// TestVectors are published: GitHub's documentation, and the libraries of Standard
// Webhooks.
func TestVectors(t *testing.T) {
	w := newWorld(t)
	w.write(t, "github", "It's a Secret to Everybody")
	h := http.Header{"Content-Type": {"application/json"}, "X-Hub-Signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}}
	if answer := w.post("github", h, []byte("Hello, World!")); answer.Code != 400 || !strings.Contains(answer.Body.String(), "no JSON") {
		t.Errorf("got %d %q; want it verified, and refused as no JSON", answer.Code, answer.Body)
	}
	vector := func(signature string) http.Header {
		return http.Header{
			"Content-Type": {"application/json"}, "Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"},
			"Webhook-Signature": {signature},
		}
	}
	const good, payload = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", `{"test": 2432232314}`
	const wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
	at := time.Unix(1614265330, 0)
	for name, c := range map[string]struct {
		signature string
		now       time.Time
		status    int
	}{
		"good":               {good, at, 200},
		"of several":         {wrong + " v2,x " + wrong + " " + good, at, 200},
		"wrong":              {wrong, at, 401},
		"wrong ones":         {wrong + " " + wrong, at, 401},
		"of another version": {"v2" + good[2:], at, 401},
		"no version":         {good[3:], at, 401},
		"five minutes old":   {good, at.Add(5 * time.Minute), 200},
		"older":              {good, at.Add(5*time.Minute + time.Second), 401},
		"of the future":      {good, at.Add(-5*time.Minute - time.Second), 401},
	} {
		for _, endpoint := range []string{"standard", "gitlab-signed"} {
			w := newWorld(t)
			w.now = c.now
			if answer := w.post(endpoint, vector(c.signature), []byte(payload)); answer.Code != c.status {
				t.Errorf("%s at %s: got %d %q; want %d", name, endpoint, answer.Code, answer.Body, c.status)
			}
		}
	}
	for _, bad := range []string{"", "now", "-1614265330", "99999999999999999999", "1614265330.5", "9223372036854775807", "-9223372036854775808"} {
		h := vector(good)
		h.Set("Webhook-Timestamp", bad)
		w := newWorld(t)
		w.now = at
		if answer := w.post("standard", h, []byte(payload)); answer.Code != 401 {
			t.Errorf("time %q: got %d", bad, answer.Code)
		}
	}
}

func TestASecretIsChangedWithoutARestart(t *testing.T) {
	for _, kind := range kinds {
		good, other := secretsOf(kind)
		w := newWorld(t)
		n := 0
		try := func(secret string) int {
			n++
			body := fmt.Appendf(nil, `{"n": %d}`, n)
			return w.post(string(kind), sign(kind, secret, w.now, fmt.Sprint("d", n), body), body).Code
		}
		got := []int{try(good), try(other)}
		w.write(t, string(kind), "\n"+good+"\r\n"+other)
		got = append(got, try(good), try(other))
		w.write(t, string(kind), other)
		got = append(got, try(good), try(other))
		if err := os.Remove(filepath.Join(w.dir, string(kind))); err != nil {
			t.Fatal(err)
		}
		got = append(got, try(other))
		if want := "[200 401 200 200 401 200 503]"; fmt.Sprint(got) != want {
			t.Errorf("%s: got %v; want %s", kind, got, want)
		}
	}
}

func TestGitLabWithTokenAndKey(t *testing.T) {
	body := []byte(`{}`)
	w := newWorld(t)
	w.write(t, "gitlab", secret+"\n"+key)
	token, signed := sign(webhook.GitLab, secret, w.now, "d1", body), sign(webhook.Standard, key, w.now, "d2", body)
	both := signed.Clone()
	both.Set("X-Gitlab-Token", secret)
	forged := sign(webhook.Standard, otherKey, w.now, "d3", body)
	forged.Set("X-Gitlab-Token", secret)
	for name, c := range map[string]struct {
		header http.Header
		want   int
	}{"the token": {token, 200}, "a signature": {signed, 200}, "both": {both, 200}, "a wrong signature and the token": {forged, 401}} {
		if answer := w.post("gitlab", c.header, body); answer.Code != c.want {
			t.Errorf("%s: got %d %q", name, answer.Code, answer.Body)
		}
	}
	if answer := w.post("gitlab-signed", token, body); answer.Code != 401 {
		t.Errorf("a token where a key is wanted: got %d", answer.Code)
	}
}

func TestPathsAndMethods(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/hooks/github", 405},
		{"PUT", "/hooks/github", 405},
		{"HEAD", "/hooks/github", 405},
		{"POST", "/hooks/", 404},
		{"POST", "/hooks", 404},
		{"POST", "/hooks/none", 404},
		{"POST", "/github", 404},
		{"POST", "/hooks/github/", 404},
		{"POST", "/hooks/../hooks/github", 404},
		{"GET", "/", 404},
	} {
		req := httptest.NewRequestWithContext(t.Context(), c.method, "http://x"+c.path, nil)
		answer := httptest.NewRecorder()
		w.ServeHTTP(answer, req)
		if answer.Code != c.want || (c.want == 405) != (answer.Header().Get("Allow") == "POST") {
			t.Errorf("%s %s: got %d", c.method, c.path, answer.Code)
		}
	}
	body := []byte(`{"zen": "Keep it logically awesome."}`)
	ping := sign(webhook.GitHub, secret, w.now, "d1", body)
	ping.Set("X-GitHub-Event", "ping")
	if answer := w.post("github", ping, body); answer.Code != 200 || answer.Body.String() != "pong\n" || w.wakes.Load() != 0 {
		t.Errorf("a ping: got %d %q, %d wakes", answer.Code, answer.Body, w.wakes.Load())
	}
}

// FuzzReceive: nobody without the secret wakes the loop, whatever they send, and
// nothing panics.
func FuzzReceive(f *testing.F) {
	now := time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)
	for _, kind := range kinds {
		body := fixture(f, kind)
		f.Add(string(kind), "application/json", "sha256=00", "id", "1772546400", body)
		f.Add(string(kind), "application/json", sign(kind, otherSecret, now, "d", body).Get(signatureOf[kind]), "d", "1772546400", body)
	}
	f.Add("gitlab-signed", "", "v1,", "", "", []byte{})
	w := newWorld(f)
	n := 0
	f.Fuzz(func(t *testing.T, endpoint, contentType, signature, id, at string, body []byte) {
		h := http.Header{"Content-Type": {contentType}, "Webhook-Id": {id}, "Webhook-Timestamp": {at}}
		for _, name := range signatureOf {
			h.Set(name, signature)
		}
		n++
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
		req.URL.Path, req.Header, req.RemoteAddr = "/hooks/"+endpoint, h, fmt.Sprintf("10.0.%d.%d:1", n/256%256, n%256)
		answer := httptest.NewRecorder()
		w.ServeHTTP(answer, req)
		if answer.Code == 200 || w.wakes.Load() != 0 {
			t.Errorf("got %d %q", answer.Code, answer.Body)
		}
	})
}
