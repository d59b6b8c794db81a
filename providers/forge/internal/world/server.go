package world

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Server is a forge that can be made to fail.
type Server struct {
	URL string

	mu       sync.Mutex
	tokens   []string
	fault    http.HandlerFunc
	requests []string
}

// Serve starts a Server whose API is a handler behind a token. What refuses tells that
// a token is none; it may be asked for paths that need another proof.
func Serve(t *testing.T, token string, api http.Handler, refuse http.HandlerFunc, open func(*http.Request) bool) *Server {
	t.Helper()
	s := &Server{tokens: []string{token}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		fault := s.fault
		known := slices.Contains(s.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		s.requests = append(s.requests, r.Method+" "+r.URL.EscapedPath())
		s.mu.Unlock()
		switch {
		case fault != nil:
			fault(w, r)
		case !known && (open == nil || !open(r)):
			refuse(w, r)
		default:
			api.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Fail answers everything by a handler from now on; nil ends that.
func (s *Server) Fail(fault http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.requests = fault, nil
}

// Tokens are the ones that count from now on.
func (s *Server) Tokens(tokens ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = tokens
}

// Requests are those since the last Fail.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// File is a new file with a content.
func File(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "credential")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Answer writes JSON.
func Answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value) //nolint:errcheck // the client may be gone
}

// Read reads JSON. What is missing, as a client gave up, is empty.
func Read(r *http.Request) Object {
	var value Object
	json.NewDecoder(r.Body).Decode(&value) //nolint:errcheck // it is empty then
	return value
}

// Object is one of JSON.
type Object map[string]any

// Text is a string in it.
func (o Object) Text(key string) string {
	text, _ := o[key].(string)
	return text
}
