package gateway_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/gateway"
	"github.com/fairlead/fairlead/reconcile"
)

// oneModel is a gateway in front of one model server with this handler.
func oneModel(t *testing.T, change func(*gateway.Config), handler http.HandlerFunc) *rig {
	t.Helper()
	b := newBackend(t, "a", handler)
	g := start(t, change)
	g.push(t, model("digits", revision("r1", 100, b.replica())))
	g.ready(t)
	return g
}

// quick is a gateway whose one model has the route /quick with this time-out.
func quick(t *testing.T, timeout time.Duration, handler http.HandlerFunc) *rig {
	t.Helper()
	b := newBackend(t, "a", handler)
	g := start(t, nil)
	m := model("digits", revision("r1", 100, b.replica()))
	m.Routes = []reconcile.RoutedPath{{Path: "/quick", Timeout: timeout}}
	g.push(t, m)
	g.ready(t)
	return g
}

// echoLines sends each line back as soon as it has come.
func echoLines(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex()
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		_, _ = fmt.Fprintf(w, "echo %s\n", lines.Text())
		_ = control.Flush()
	}
}

func TestBodiesStreamBothWays(t *testing.T) {
	g := oneModel(t, nil, echoLines)
	// HTTP/2 is the client's way to send and receive at the same time.
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	body, input := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/v2/models/digits/stream", body)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(input, "first\n")
		sent <- err
	}()
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.ProtoMajor != 2 {
		t.Errorf("spoke %s, want HTTP/2 in the clear", answer.Proto)
	}
	lines := bufio.NewReader(answer.Body)
	for _, next := range []string{"second", "third", ""} {
		line, err := lines.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "echo ") {
			t.Fatalf("got %q, %v; want the line back while the request is still open", line, err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		if next == "" {
			break
		}
		go func() {
			_, err := io.WriteString(input, next+"\n")
			sent <- err
		}()
	}
	_ = input.Close()
	if rest, err := io.ReadAll(lines); err != nil || len(rest) != 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

func TestEventStreamOutlivesTheTimeout(t *testing.T) {
	outlasting(t, func(timeout time.Duration) error {
		g := quick(t, timeout, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
			for i := range 4 {
				_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
				_ = http.NewResponseController(w).Flush()
				select {
				case <-time.After(timeout * 6 / 10):
				case <-r.Context().Done():
					return
				}
			}
		})
		if _, body := g.get(t, "/quick/events", nil); strings.Count(body, "data:") != 4 {
			return fmt.Errorf("got %q, want all four events beyond the route's time-out", body)
		}
		return nil
	})
}

func TestAnswerThatBreaksOffIsSeenByTheClient(t *testing.T) {
	g := oneModel(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 10_000))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/v2/models/digits", nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.ReadAll(answer.Body); err == nil {
		t.Error("half an answer was passed on as a whole one")
	}
	awaitMetric(t, g, `fairlead_requests_total{code="5xx",model="digits",revision="r1"} 1`)
}

func TestEarlyHintsAndTrailersPass(t *testing.T) {
	g := oneModel(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</x>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
	})
	hints := 0
	answer, _ := g.get(t, "/v2/models/digits", func(r *http.Request) {
		*r = *r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
				hints += code
				return nil
			},
		}))
	})
	if hints != http.StatusEarlyHints || answer.Trailer.Get("X-Sum") != "42" || answer.Header.Get("X-Request-Id") == "" {
		t.Errorf("hints %d, trailer %q, header %v; want 103, 42 and a request id", hints, answer.Trailer.Get("X-Sum"), answer.Header)
	}
}

// echoUpgrade switches protocols and sends every byte back.
func echoUpgrade(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		w.WriteHeader(http.StatusUpgradeRequired)
		return
	}
	w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
	w.Header().Set("Connection", "Upgrade")
	w.WriteHeader(http.StatusSwitchingProtocols)
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = connection.Close() }()
	_, _ = io.Copy(connection, buffered)
}

// openWebsocket upgrades a connection by hand.
func openWebsocket(t *testing.T, g *rig, path string) (net.Conn, *bufio.Reader, error) {
	t.Helper()
	var dialer net.Dialer
	connection, err := dialer.DialContext(t.Context(), "tcp", g.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	_ = connection.SetDeadline(time.Now().Add(patience))
	_, _ = fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", path)
	reader := bufio.NewReader(connection)
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, fmt.Errorf("upgrade answered %s", answer.Status)
	}
	return connection, reader, nil
}

func TestWebsocketEchoesBeyondTheTimeout(t *testing.T) {
	outlasting(t, func(timeout time.Duration) error {
		g := quick(t, timeout, echoUpgrade)
		connection, reader, err := openWebsocket(t, g, "/quick/socket")
		if err != nil {
			return err
		}
		began := time.Now()
		for i := 0; time.Since(began) < 2*timeout; i++ {
			want := fmt.Sprintf("frame %d\n", i)
			if _, err := io.WriteString(connection, want); err != nil {
				return err
			}
			if got, err := reader.ReadString('\n'); err != nil || got != want {
				return errors.Join(fmt.Errorf("got %q, want %q", got, want), err)
			}
		}
		report, err := g.client.Report(t.Context(), g.admin, 0, 0)
		if err != nil || report.Replicas["a"].InFlight != 1 {
			t.Errorf("in flight = %d, %v; want the open websocket", report.Replicas["a"].InFlight, err)
		}
		_ = connection.Close()
		g.await(t, "the websocket is off the books", func(r reconcile.Report) bool { return r.Replicas["a"].InFlight == 0 })
		return nil
	})
}

func TestWebsocketEndsWithTheDrain(t *testing.T) {
	g := oneModel(t, func(c *gateway.Config) { c.DrainTimeout = 100 * time.Millisecond }, echoUpgrade)
	_, reader, err := openWebsocket(t, g, "/v2/models/digits/socket")
	if err != nil {
		t.Fatal(err)
	}
	g.stop()
	if _, err := reader.ReadByte(); err == nil {
		t.Error("the websocket goes on after the gateway has stopped")
	}
}

func TestBodyLimit(t *testing.T) {
	g := oneModel(t, func(c *gateway.Config) { c.Limits.Body = 100_000 }, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err == nil {
			_, _ = fmt.Fprint(w, n)
		}
	})
	post := func(size int, known bool) (*http.Response, string) {
		t.Helper()
		var body io.Reader = strings.NewReader(strings.Repeat("x", size))
		if !known {
			body = io.MultiReader(body) // sent in chunks
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/v2/models/digits/infer", body)
		if err != nil {
			t.Fatal(err)
		}
		return do(t, request)
	}
	for _, size := range []int{1, 70_000, 100_000} {
		for _, known := range []bool{true, false} {
			if answer, body := post(size, known); body != fmt.Sprint(size) {
				t.Errorf("%d bytes, length known %v: %s %s", size, known, answer.Status, body)
			}
		}
	}
	for _, known := range []bool{true, false} {
		answer, body := post(100_001, known)
		if answer.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(body, "100000 bytes") {
			t.Errorf("one byte over, length known %v: %s %s, want 413 and the limit", known, answer.Status, body)
		}
	}
}

func TestSmallBodyIsNotAnnouncedToTheModel(t *testing.T) {
	g := oneModel(t, nil, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s, expect %q", body, r.Header.Get("Expect"))
	})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/v2/models/digits", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Expect", "100-continue")
	if _, body := do(t, request); body != `body, expect ""` {
		t.Errorf("the model got %s", body)
	}
}

func TestHeaderLimit(t *testing.T) {
	g := oneModel(t, func(c *gateway.Config) { c.Limits.Header = 8 << 10 }, nil)
	for size, want := range map[int]int{7 << 10: 200, 9 << 10: 431, 60 << 10: 431} {
		answer, _ := g.get(t, "/v2/models/digits", func(r *http.Request) { r.Header.Set("Cookie", strings.Repeat("x", size)) })
		if answer.StatusCode != want {
			t.Errorf("a header of %d bytes: %s, want %d", size, answer.Status, want)
		}
	}
}

// dribble opens a connection, writes and then only holds it.
func dribble(t *testing.T, g *rig, text string) net.Conn {
	t.Helper()
	var dialer net.Dialer
	connection, err := dialer.DialContext(t.Context(), "tcp", g.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	_ = connection.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(connection, text); err != nil {
		t.Fatal(err)
	}
	return connection
}

func TestHeaderThatDoesNotEndIsShed(t *testing.T) {
	g := oneModel(t, func(c *gateway.Config) { c.Limits.HeaderTimeout = 100 * time.Millisecond }, nil)
	within(t, 4*time.Second, func() time.Duration { // the default is 5 s
		began := time.Now()
		var all []net.Conn
		for range 50 {
			all = append(all, dribble(t, g, "GET /v2 HTTP/1.1\r\nHost: x\r\nX-Slow: "))
		}
		g.lives(t) // meanwhile
		for _, connection := range all {
			if _, err := io.ReadAll(connection); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("still held: %v", err)
			}
		}
		return time.Since(began)
	})
}

func TestSlowClientsAreShed(t *testing.T) {
	const limit = 15 * time.Second // the default stall time-out is 30 s
	g := oneModel(t, func(c *gateway.Config) { c.Limits.StallTimeout = 500 * time.Millisecond }, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(make([]byte, 64<<20))
	})
	timedOut := func(t *testing.T, ask func() (*http.Response, error)) {
		within(t, limit, func() time.Duration {
			began := time.Now()
			answer, err := ask()
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusRequestTimeout {
				t.Errorf("got %s, want 408", answer.Status)
			}
			return time.Since(began)
		})
	}
	for name, header := range map[string]string{"small": "Content-Length: 10", "large": "Content-Length: 100000", "chunked": "Transfer-Encoding: chunked"} {
		t.Run("a "+name+" body that does not end", func(t *testing.T) {
			timedOut(t, func() (*http.Response, error) {
				connection := dribble(t, g, "POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\n"+header+"\r\n\r\n4\r\nabcd")
				return http.ReadResponse(bufio.NewReader(connection), nil)
			})
		})
	}
	t.Run("a body over HTTP/2 that does not end", func(t *testing.T) {
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		transport := &http.Transport{Protocols: &protocols}
		defer transport.CloseIdleConnections()
		timedOut(t, func() (*http.Response, error) {
			body, input := io.Pipe()
			t.Cleanup(func() { _ = input.Close() })
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/v2/models/digits/infer", body)
			if err != nil {
				return nil, err
			}
			return transport.RoundTrip(request)
		})
	})
	t.Run("an answer that nobody takes", func(t *testing.T) {
		within(t, limit, func() time.Duration {
			began := time.Now()
			dribble(t, g, "GET /v2/models/digits HTTP/1.1\r\nHost: x\r\n\r\n")
			g.await(t, "the request is off the books", func(r reconcile.Report) bool { return r.Replicas["a"].InFlight == 0 })
			return time.Since(began)
		})
	})
}

func TestSlowModelIsNoSlowClient(t *testing.T) {
	// The stall time-out is about clients: a model may think for longer, and a
	// client may be silent for longer while it does.
	for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(version, func(t *testing.T) {
			outlasting(t, func(timeout time.Duration) error { return askThinker(t, version, timeout) })
		})
	}
}

// askThinker asks a model twice that thinks for longer than the stall time-out.
func askThinker(t *testing.T, version string, stall time.Duration) error {
	t.Helper()
	g := oneModel(t, func(c *gateway.Config) { c.Limits.StallTimeout = stall }, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for range 3 {
			select {
			case <-time.After(stall * 3 / 2):
			case <-r.Context().Done():
				return
			}
			_, _ = io.WriteString(w, "thought ")
			_ = http.NewResponseController(w).Flush()
		}
	})
	var protocols http.Protocols
	protocols.SetHTTP1(version == "HTTP/1.1")
	protocols.SetUnencryptedHTTP2(version == "HTTP/2")
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	for range 2 { // the second one on the connection of the first
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/v2/models/digits", strings.NewReader("x"))
		if err != nil {
			return err
		}
		if _, body, err := over(transport, request); err != nil || body != "thought thought thought " {
			return errors.Join(fmt.Errorf("got %q", body), err)
		}
	}
	return nil
}

func TestClientThatLeavesIsNotTheModelsError(t *testing.T) {
	arrived := make(chan struct{})
	g := oneModel(t, nil, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	connection := dribble(t, g, "GET /v2/models/digits HTTP/1.1\r\nHost: x\r\n\r\n")
	<-arrived
	_ = connection.Close()
	awaitMetric(t, g, `fairlead_requests_total{code="client_gone",model="digits",revision="r1"} 1`)
	awaitMetric(t, g, `fairlead_requests_total{code="5xx",model="digits",revision="r1"} 0`)
}
