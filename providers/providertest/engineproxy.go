package providertest

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// EngineProxy stands between a program and a Docker Engine on a unix socket of
// its own. It counts the calls, and does to them what networks and engines do:
//
//	proxy := providertest.NewEngineProxy(t, providertest.EngineSocket(t))
//	proxy.OnCall(func(call providertest.EngineCall) providertest.EngineFault {
//		if call.Mutation == 3 {
//			return providertest.LoseAnswer // the engine acts, nobody hears of it
//		}
//		return providertest.Forward
//	})
//	runtime := docker.New(docker.Options{Host: proxy.Host(), ...})
//
// Streams (events, logs, pulls) and upgraded connections pass through.
type EngineProxy struct {
	path    string
	forward *httputil.ReverseProxy
	backend *http.Transport
	server  *http.Server

	mu        sync.Mutex
	calls     []EngineCall
	mutations int
	down      bool
	onCall    func(EngineCall) EngineFault
	onAnswer  func(EngineCall)
	conns     map[net.Conn]bool
}

// EngineCall is one call that came by.
type EngineCall struct {
	Method string
	Path   string // without the version of the API
	Query  string
	// Mutation counts the calls so far that may change the engine, this one
	// included; it is 0 for a call that does not.
	Mutation int
}

// String is the call as one line of a log.
func (c EngineCall) String() string { return c.Method + " " + c.Path }

// Is tells whether the call is of that method, with a path of that pattern, whose
// "*" stand for one segment: POST, /containers/*/start.
func (c EngineCall) Is(method, pattern string) bool {
	matched, err := filepath.Match(pattern, c.Path)
	return err == nil && matched && c.Method == method
}

// EngineFault is what becomes of a call.
type EngineFault int

// The faults.
const (
	Forward    EngineFault = iota // nothing happens to it
	LoseAnswer                    // the engine acts, then the connection breaks
	CutAnswer                     // the engine acts, half of its answer arrives
	Refuse                        // status 500; the engine never sees the call
	Reset                         // the connection breaks; the engine never sees the call
	Hang                          // no answer until the caller gives up; the engine never sees the call
)

// NewEngineProxy starts a proxy in front of the engine at the socket. It ends with
// the test.
func NewEngineProxy(tb testing.TB, socket string) *EngineProxy {
	tb.Helper()
	// A short path: those of unix sockets are limited to about 100 bytes, and
	// t.TempDir is named after the test.
	dir, err := os.MkdirTemp("", "engine")
	if err != nil {
		tb.Fatal(err)
	}
	p := &EngineProxy{
		path:    filepath.Join(dir, "engine.sock"),
		backend: dialSocket(socket),
		conns:   make(map[net.Conn]bool),
	}
	p.forward = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine" },
		Transport:     p.backend,
		FlushInterval: -1, // streams arrive as they are sent
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "unix", p.path)
	if err != nil {
		tb.Fatal(err)
	}
	p.server = &http.Server{
		Handler:   http.HandlerFunc(p.serve),
		ConnState: p.track,
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- p.server.Serve(listener) }()
	tb.Cleanup(func() {
		_ = p.server.Close()
		p.backend.CloseIdleConnections()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			tb.Errorf("engine proxy: %v", err)
		}
		_ = os.RemoveAll(dir)
	})
	return p
}

// Host is the address of the proxy, as DOCKER_HOST wants it.
func (p *EngineProxy) Host() string { return "unix://" + p.path }

// OnCall installs what decides about each call, before the engine sees it. It may
// block, and a test may end another process in it.
func (p *EngineProxy) OnCall(decide func(EngineCall) EngineFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onCall = decide
}

// OnAnswer installs what runs when the engine has acted on a call, before its
// answer passes on.
func (p *EngineProxy) OnAnswer(notice func(EngineCall)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onAnswer = notice
}

// SetDown takes the engine away, with every open stream, or brings it back.
func (p *EngineProxy) SetDown(down bool) {
	p.mu.Lock()
	p.down = down
	p.mu.Unlock()
	if down {
		p.Break()
	}
}

// Break cuts all open connections.
func (p *EngineProxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// Calls returns all calls since the last Forget, in their order.
func (p *EngineProxy) Calls() []EngineCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]EngineCall(nil), p.calls...)
}

// Mutations returns the calls since the last Forget that may have changed the
// engine.
func (p *EngineProxy) Mutations() []EngineCall {
	var found []EngineCall
	for _, call := range p.Calls() {
		if call.Mutation > 0 {
			found = append(found, call)
		}
	}
	return found
}

// Count returns the number of calls since the last Forget for which Is holds.
func (p *EngineProxy) Count(method, pattern string) int {
	n := 0
	for _, call := range p.Calls() {
		if call.Is(method, pattern) {
			n++
		}
	}
	return n
}

// Forget starts counting anew, also the numbers of mutations.
func (p *EngineProxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls, p.mutations = nil, 0
}

// track keeps the set of open connections.
func (p *EngineProxy) track(conn net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew, http.StateActive, http.StateIdle:
		p.conns[conn] = true
	case http.StateClosed, http.StateHijacked:
		delete(p.conns, conn)
	}
}

// serve handles one call.
func (p *EngineProxy) serve(w http.ResponseWriter, r *http.Request) {
	call, decide, notice, down := p.register(r)
	if down {
		panic(http.ErrAbortHandler)
	}
	fault := Forward
	if decide != nil {
		fault = decide(call)
	}
	switch fault {
	case Forward:
		p.pass(w, r, call, notice)
	case LoseAnswer, CutAnswer:
		p.actThenBreak(w, r, call, notice, fault)
	case Refuse:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"message":"refused by the test"}`)
	case Reset:
		panic(http.ErrAbortHandler)
	case Hang:
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see the caller leave
		<-r.Context().Done()
	}
}

// pass forwards a call as it is.
func (p *EngineProxy) pass(w http.ResponseWriter, r *http.Request, call EngineCall, notice func(EngineCall)) {
	forward := *p.forward
	if notice != nil {
		forward.ModifyResponse = func(*http.Response) error {
			notice(call)
			return nil
		}
	}
	forward.ServeHTTP(w, r)
}

// actThenBreak lets the engine act to the end, also when the caller has left, and
// keeps some or all of its answer.
func (p *EngineProxy) actThenBreak(w http.ResponseWriter, r *http.Request, call EngineCall, notice func(EngineCall), fault EngineFault) {
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.URL.Scheme, out.URL.Host, out.RequestURI = "http", "engine", ""
	answer, err := p.backend.RoundTrip(out)
	if err == nil {
		var body []byte
		body, _ = io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if notice != nil {
			notice(call)
		}
		if fault == CutAnswer {
			w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
			w.Header().Set("Content-Length", answer.Header.Get("Content-Length"))
			w.WriteHeader(answer.StatusCode)
			_, _ = w.Write(body[:len(body)/2])
			_ = http.NewResponseController(w).Flush()
		}
	}
	panic(http.ErrAbortHandler)
}

// apiVersion is the first part of most paths of the API.
var apiVersion = regexp.MustCompile(`^/v[0-9.]+/`)

// register counts a call.
func (p *EngineProxy) register(r *http.Request) (EngineCall, func(EngineCall) EngineFault, func(EngineCall), bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	call := EngineCall{Method: r.Method, Path: apiVersion.ReplaceAllString(r.URL.Path, "/"), Query: r.URL.RawQuery}
	if mutates(call) {
		p.mutations++
		call.Mutation = p.mutations
	}
	p.calls = append(p.calls, call)
	return call, p.onCall, p.onAnswer, p.down
}

// mutates tells whether a call may change the engine.
func mutates(call EngineCall) bool {
	if call.Method == http.MethodGet || call.Method == http.MethodHead {
		return false
	}
	return !strings.HasSuffix(call.Path, "/wait") && call.Path != "/auth"
}
