package git_test

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// server serves repositories below a directory with git's own http back end.
type server struct {
	*httptest.Server
	root string

	mu       sync.Mutex
	seen     []string // Authorization headers of all requests
	requests int
	// before is called ahead of the back end; true: it has answered.
	before func(http.ResponseWriter, *http.Request) bool
}

const token = "s3cret-t0ken"

// newServer starts a server over TLS or in clear. Its repositories are bare.
func newServer(t *testing.T, secure bool) *server {
	t.Helper()
	program, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	backend := filepath.Join(strings.TrimSpace(string(program)), "git-http-backend")
	if _, statErr := os.Stat(backend); err != nil || statErr != nil {
		t.Skip("git-http-backend is not installed; it is only needed by this test")
	}
	s := &server{root: t.TempDir()}
	gateway := &cgi.Handler{Path: backend, Dir: s.root, Env: []string{"GIT_PROJECT_ROOT=" + s.root, "GIT_HTTP_EXPORT_ALL=1"}}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r.Header.Get("Authorization"))
		s.requests++
		before := s.before
		s.mu.Unlock()
		if before == nil || !before(w, r) {
			gateway.ServeHTTP(w, r)
		}
	})
	s.Server = httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that refuse or vanish are part of the tests
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// hook replaces what happens ahead of the back end.
func (s *server) hook(before func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

// credentials lists the Authorization headers that were received.
func (s *server) credentials() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []string
	for _, header := range s.seen {
		if header != "" {
			got = append(got, header)
		}
	}
	return got
}

// count is how many requests there were.
func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// publish makes the repository reachable, and returns its URL. A push to the
// remote called origin publishes again.
func (s *server) publish(r *repo) string {
	r.t.Helper()
	bare := filepath.Join(s.root, "config.git")
	r.git("clone", "-q", "--bare", r.dir, bare)
	r.git("remote", "add", "origin", bare)
	r.git("config", "fairlead.url", s.URL+"/config.git")
	return s.URL + "/config.git"
}

// authority writes the certificate of a TLS server to a file.
func (s *server) authority(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// tokenFile writes a token to a file.
func tokenFile(t *testing.T, value string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// requireToken answers 401 to whoever does not send the token.
func requireToken(w http.ResponseWriter, r *http.Request) bool {
	if _, password, _ := r.BasicAuth(); password == token {
		return false
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
	// A careless server repeats what it was sent.
	http.Error(w, "bad credentials: "+r.Header.Get("Authorization")+" "+token, http.StatusUnauthorized)
	return true
}
