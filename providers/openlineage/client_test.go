package openlineage_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/openlineage"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is one that collects lineage.
type service struct {
	*httptest.Server
	got chan received

	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request) (taken bool)
}

type received struct {
	header http.Header
	reason string // of the run, which the tests count in
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{got: make(chan received, 10_000)}
	s.does(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusCreated); return true })
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var d map[string]any
		if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		answer := s.answer
		s.mu.Unlock()
		if answer(w, r) {
			reason, _ := at(d, "run", "facets", "fairlead_run", "reason").(string)
			s.got <- received{r.Header, reason}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) does(answer func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func client(t *testing.T, opts openlineage.Options) *openlineage.Client {
	t.Helper()
	opts.Backoff = time.Millisecond
	c, err := openlineage.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// event is one that is told by its number.
func event(i int) run.Event {
	r := pipelineRun()
	r.Trigger.Reason = fmt.Sprint(i)
	return run.Event{Kind: run.EventStart, At: begin(), Run: r}
}

func expect(t *testing.T, s *service, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		select {
		case got := <-s.got:
			if got.reason != fmt.Sprint(i) {
				t.Fatalf("got event %s, want %d", got.reason, i)
			}
		case <-t.Context().Done():
			t.Fatal("no event came")
		}
	}
}

func TestEventsAreSentInTheirOrderWithTheKey(t *testing.T) {
	s := newService(t)
	c := client(t, openlineage.Options{URL: s.URL + "/api/v1/lineage", Key: spec.NewSensitive("s3cret")})
	for i := range 20 {
		c.Emit(t.Context(), event(i))
	}
	first := <-s.got
	if first.header.Get("Authorization") != "Bearer s3cret" || first.header.Get("Content-Type") != "application/json" || first.reason != "0" {
		t.Errorf("got %+v", first)
	}
	expect(t, s, 1, 19)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if got := c.Stats(); got != (openlineage.Stats{Sent: 20}) {
		t.Errorf("got %+v", got)
	}
}

func TestAnOutageDelaysAndLosesNothing(t *testing.T) {
	s := newService(t)
	failures := make(chan struct{}, 100)
	s.does(func(w http.ResponseWriter, r *http.Request) bool {
		select {
		case failures <- struct{}{}:
		default:
		}
		if len(failures)%2 == 0 {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return false
	})
	c := client(t, openlineage.Options{URL: s.URL})
	for i := range 10 {
		c.Emit(t.Context(), event(i))
	}
	for range 5 {
		<-failures
	}
	s.does(func(http.ResponseWriter, *http.Request) bool { return true })
	expect(t, s, 0, 9)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if got := c.Stats(); got.Dropped != 0 || got.Sent != 10 {
		t.Errorf("got %+v", got)
	}
}

func TestWhatIsRefusedIsDroppedAndSaid(t *testing.T) {
	s := newService(t)
	for status, hint := range map[int]string{400: "does not take", 401: "check the key", 404: "check the URL", 307: "redirects"} {
		s.does(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "no, thanks")
			return false
		})
		var log bytes.Buffer
		c := client(t, openlineage.Options{URL: s.URL + "/lineage?code=hidden", Key: spec.NewSensitive("s3cret"), Log: slog.New(slog.NewTextHandler(&log, nil))})
		c.Emit(t.Context(), event(0))
		c.Emit(t.Context(), event(1))
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if got := c.Stats(); got != (openlineage.Stats{Dropped: 2}) {
			t.Errorf("status %d: got %+v", status, got)
		}
		if text := log.String(); !strings.Contains(text, hint) || !strings.Contains(text, "no, thanks") || strings.Contains(text, "s3cret") || strings.Contains(text, "hidden") {
			t.Errorf("status %d: the log says %s", status, text)
		}
	}
}

func TestAFullQueueDropsTheOldest(t *testing.T) {
	s := newService(t)
	busy, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.does(func(http.ResponseWriter, *http.Request) bool {
		once.Do(func() { close(busy); <-release })
		return true
	})
	c := client(t, openlineage.Options{URL: s.URL})
	c.Emit(t.Context(), event(0))
	<-busy // event 0 is under way, and nothing else can be
	for i := 1; i <= 1010; i++ {
		c.Emit(t.Context(), event(i))
	}
	if got := c.Stats(); got.Dropped != 10 || got.Waiting != 1000 {
		t.Errorf("got %+v", got)
	}
	close(release)
	expect(t, s, 0, 0)
	expect(t, s, 11, 1010)
}

func TestCloseFlushesAndIsBounded(t *testing.T) {
	s := newService(t)
	c := client(t, openlineage.Options{URL: s.URL})
	for i := range 50 {
		c.Emit(t.Context(), event(i))
	}
	if err := c.Close(); err != nil { // without waiting for any before
		t.Error(err)
	}
	expect(t, s, 0, 49)
	c.Emit(t.Context(), event(50))
	if got := c.Stats(); got != (openlineage.Stats{Sent: 50, Dropped: 1}) {
		t.Errorf("got %+v", got)
	}
	if err := c.Close(); err != nil {
		t.Errorf("a second time: %v", err)
	}

	s.does(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return false
	})
	away := client(t, openlineage.Options{URL: s.URL})
	for i := range 3 {
		away.Emit(t.Context(), event(i))
	}
	if err := away.Close(); err == nil || !strings.Contains(err.Error(), "3 OpenLineage events could not be sent") {
		t.Errorf("got %v", err)
	}
}

func TestBadURLsAreRefusedWithoutTheirSecrets(t *testing.T) {
	for _, text := range []string{"", "marquez:5000", "ftp://marquez/x?code=hidden", "http://", "http://ada:hidden@marquez/x", "http://marquez/%zz?code=hidden"} {
		c, err := openlineage.New(openlineage.Options{URL: text})
		if err == nil {
			_ = c.Close()
			t.Errorf("%q was taken", text)
		} else if strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: the error says %v", text, err)
		}
	}
}

func TestTheRepoIsAURLWithoutCredentials(t *testing.T) {
	for repo, want := range map[string]any{
		"https://ada:hidden@git.example.com/models.git?x=hidden": "https://git.example.com/models.git",
		"git@git.example.com:team/models.git":                    "ssh://git.example.com/team/models.git",
		"git.example.com:/srv/models":                            "ssh://git.example.com/srv/models",
		"ssh://git@git.example.com:22/models":                    "ssh://git.example.com:22/models",
		"/srv/my models":                                         "file:///srv/my%20models",
		"models":                                                 nil,
		"":                                                       nil,
	} {
		bodies := make(chan map[string]any, 1)
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			var d map[string]any
			if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
				t.Error(err)
			}
			bodies <- d
		}))
		c := client(t, openlineage.Options{URL: server.URL, Repo: repo})
		c.Emit(t.Context(), event(0))
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if got := at(<-bodies, "job", "facets", "sourceCodeLocation", "url"); got != want {
			t.Errorf("%q: got %v, want %v", repo, got, want)
		}
		server.Close()
	}
}
