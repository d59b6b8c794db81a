package providertest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// playEngine is an engine of three calls: one that acts, a stream, and a
// connection that is upgraded.
func playEngine(t *testing.T) (socket string, acted *atomic.Int32) {
	t.Helper()
	dir, err := os.MkdirTemp("", "play")
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "engine.sock")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	acted = new(atomic.Int32)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1.41/containers/create", func(w http.ResponseWriter, _ *http.Request) {
		acted.Add(1)
		_, _ = io.WriteString(w, `{"Id":"0123456789"}`)
	})
	mux.HandleFunc("GET /v1.41/events", func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			_, _ = fmt.Fprintln(w, i)
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	})
	mux.HandleFunc("POST /v1.41/containers/x/attach", func(w http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
		line, _ := buffered.ReadString('\n')
		_, _ = io.WriteString(conn, "heard "+line)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		_ = os.RemoveAll(dir)
	})
	return socket, acted
}

// caller makes calls through the proxy.
func caller(t *testing.T, proxy *providertest.EngineProxy) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(proxy.Host(), "unix://"))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func create(ctx context.Context, client *http.Client) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://engine/v1.41/containers/create?name=x", strings.NewReader("{}"))
	if err != nil {
		return 0, "", err
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

func TestEngineProxyFaults(t *testing.T) {
	for name, test := range map[string]struct {
		fault  providertest.EngineFault
		acts   int32
		status int // 0: the connection breaks
	}{
		"a call passes":                        {providertest.Forward, 1, http.StatusOK},
		"a lost answer was acted upon":         {providertest.LoseAnswer, 1, 0},
		"a cut answer was acted upon":          {providertest.CutAnswer, 1, 0},
		"a refused call was not":               {providertest.Refuse, 0, http.StatusInternalServerError},
		"a reset call was not":                 {providertest.Reset, 0, 0},
		"a hanging call ends with its context": {providertest.Hang, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			socket, acted := playEngine(t)
			proxy := providertest.NewEngineProxy(t, socket)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			proxy.OnCall(func(providertest.EngineCall) providertest.EngineFault {
				if test.fault == providertest.Hang {
					cancel()
				}
				return test.fault
			})
			var noticed atomic.Int32
			proxy.OnAnswer(func(providertest.EngineCall) { noticed.Add(1) })
			status, body, err := create(ctx, caller(t, proxy))
			if (err != nil) != (test.status == 0) || err == nil && status != test.status {
				t.Errorf("the caller got %d %q, %v; want %d", status, body, err, test.status)
			}
			if acted.Load() != test.acts || noticed.Load() != test.acts {
				t.Errorf("the engine acted %d times, noticed %d; want %d", acted.Load(), noticed.Load(), test.acts)
			}
			if calls := proxy.Mutations(); len(calls) != 1 || !calls[0].Is(http.MethodPost, "/containers/create") || calls[0].Mutation != 1 {
				t.Errorf("counted %+v", calls)
			}
		})
	}
}

func TestEngineProxyStreams(t *testing.T) {
	socket, _ := playEngine(t)
	proxy := providertest.NewEngineProxy(t, socket)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://engine/v1.41/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := caller(t, proxy).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewReader(answer.Body)
	for i := range 3 {
		if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintln(i) {
			t.Fatalf("line %d of an open stream is %q, %v", i, line, err)
		}
	}
	proxy.SetDown(true)
	if _, err := lines.ReadString('\n'); err == nil {
		t.Error("the stream goes on although the engine is away")
	}
	if _, _, err := create(t.Context(), caller(t, proxy)); err == nil {
		t.Error("a call succeeds although the engine is away")
	}
	proxy.SetDown(false)
	if _, _, err := create(t.Context(), caller(t, proxy)); err != nil {
		t.Errorf("the engine is back: %v", err)
	}
}

func TestEngineProxyUpgrades(t *testing.T) {
	socket, _ := playEngine(t)
	proxy := providertest.NewEngineProxy(t, socket)
	conn, err := new(net.Dialer).DialContext(t.Context(), "unix", strings.TrimPrefix(proxy.Host(), "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "POST /v1.41/containers/x/attach HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(conn)
	read := func() string {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	if status := read(); !strings.Contains(status, " 101 ") {
		t.Fatalf("the answer is %q", status)
	}
	for read() != "\r\n" { // the header
	}
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if got := read(); got != "heard hello\n" {
		t.Errorf("got %q", got)
	}
}
