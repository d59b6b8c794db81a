package notify_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/notify"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

// listen listens as net.Listen does.
func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// rollback is a message with everything that there may be.
func rollback() reconcile.Message {
	return reconcile.Message{
		Key: "fairlead/prod-1/prod/model.digits/rollback/2026-03-03T12:00:00Z", Event: spec.NotifyRolledBack, Severity: spec.SeverityError,
		Subject: "model.digits", Owners: []string{"@vision"}, Environment: "prod", Installation: "prod-1", At: noon,
		Title: "digits: 1.2.0 is rolled back <!channel> & <@U123>", Text: "5.2 % of 1,204 requests failed\n- errors: fail. <b>& more</b>",
		Facts: map[string]string{"revision": "bbb", "check.errors": "fail <http://evil|x>"}, URL: "https://git.example.com/c/c0ffee?a=1&b=2|x",
		Thread: "fairlead/prod-1/prod/model.digits", JournalHead: "feedbeef",
	}
}

// promoted resolves what the rollback complained of.
func promoted() reconcile.Message {
	m := rollback()
	m.Key, m.Event, m.Severity, m.Title, m.Resolves = m.Key+"/promote", spec.NotifyPromoted, spec.SeverityInfo, "digits: 1.3.0 is promoted", true
	return m
}

// request is what a double was sent.
type request struct {
	Method, Path string
	Header       http.Header
	Body         []byte
}

// double is an HTTP server that answers as it is told and remembers what it was sent.
type double struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
}

func newDouble(t *testing.T, answer http.HandlerFunc) *double {
	t.Helper()
	d := &double{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		d.mu.Lock()
		d.requests = append(d.requests, request{r.Method, r.URL.RequestURI(), r.Header, body})
		d.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(d.Close)
	return d
}

// last is the newest request, its body read into v.
func (d *double) last(t *testing.T, v any) request {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.requests) == 0 {
		t.Fatal("nothing was sent")
	}
	r := d.requests[len(d.requests)-1]
	if err := json.Unmarshal(r.Body, v); err != nil {
		t.Fatalf("%s: %v", r.Body, err)
	}
	return r
}

func (d *double) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.requests)
}

// open makes a notifier that may talk to doubles.
func open(t *testing.T, o notify.Options) reconcile.Notifier {
	t.Helper()
	o.AllowPrivate = true
	n, err := notify.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func send(t *testing.T, n reconcile.Notifier, m reconcile.Message) {
	t.Helper()
	if err := n.Notify(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // to a client that may be gone
	}
}

// equal compares one field of what was sent.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(g) != string(w) {
		t.Errorf("%s is %s, want %s", what, g, w)
	}
}
