package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/gateway"
	"github.com/fairlead/fairlead/reconcile"
)

// slowly waits so long between two things that a client does.
func slowly(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

func TestSlowClientIsNotTheModelsTimeout(t *testing.T) {
	// Long enough for a model on a busy machine to read and send all there is.
	const timeout = 3 * time.Second
	b := newBackend(t, "a", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/down" {
			_, _ = w.Write(make([]byte, 16<<20))
			return
		}
		_, _ = fmt.Fprint(w, n)
	})
	g := start(t, nil)
	m := model("digits", revision("r1", 100, b.replica()))
	m.Routes = []reconcile.RoutedPath{{Path: "/up", Timeout: timeout}, {Path: "/down", Timeout: timeout}}
	g.push(t, m)
	g.ready(t)
	t.Run("an upload", func(t *testing.T) {
		body, input := io.Pipe()
		go func() {
			for range 5 {
				_, _ = input.Write(make([]byte, 100))
				slowly(t, timeout/4)
			}
			_ = input.Close()
		}()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/up", body)
		if err != nil {
			t.Fatal(err)
		}
		if answer, got := do(t, request); answer.StatusCode != http.StatusOK || got != "500" {
			t.Errorf("got %s %s", answer.Status, got)
		}
	})
	t.Run("a download", func(t *testing.T) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/down", nil)
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
		slowly(t, timeout+time.Second)
		if n, err := io.Copy(io.Discard, answer.Body); n != 16<<20 || err != nil {
			t.Errorf("got %d bytes, then %v", n, err)
		}
	})
	awaitMetric(t, g, `fairlead_requests_total{code="2xx",model="digits",revision="r1"} 2`)
	awaitMetric(t, g, `fairlead_requests_total{code="5xx",model="digits",revision="r1"} 0`)
}

func TestClientThatTakesNothingIsNotTheModelsError(t *testing.T) {
	for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(version, func(t *testing.T) {
			g := oneModel(t, func(c *gateway.Config) { c.Limits.StallTimeout = 100 * time.Millisecond }, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write(make([]byte, 32<<20))
			})
			var protocols http.Protocols
			protocols.SetHTTP1(version == "HTTP/1.1")
			protocols.SetUnencryptedHTTP2(version == "HTTP/2")
			transport := &http.Transport{Protocols: &protocols}
			defer transport.CloseIdleConnections()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/v2/models/digits", nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := transport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = answer.Body.Close() }()
			awaitMetric(t, g, `fairlead_requests_total{code="client_gone",model="digits",revision="r1"} 1`)
			awaitMetric(t, g, `fairlead_requests_total{code="5xx",model="digits",revision="r1"} 0`)
		})
	}
}

func TestBodyThatTricklesEndsAll(t *testing.T) {
	g := oneModel(t, func(c *gateway.Config) { c.Limits.StallTimeout = 200 * time.Millisecond }, nil)
	for name, header := range map[string]string{"small": "Content-Length: 60000", "large": "Content-Length: 100000"} {
		t.Run("a "+name+" one", func(t *testing.T) {
			connection := dribble(t, g, "POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+header+"\r\n\r\n")
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
					if _, err := connection.Write([]byte("x")); err != nil {
						tick.Stop()
						return
					}
				}
			}()
			answer := make([]byte, len("HTTP/1.1 408"))
			if _, err := io.ReadFull(connection, answer); err != nil || string(answer) != "HTTP/1.1 408" {
				t.Errorf("got %q, %v", answer, err)
			}
			_ = connection.Close()
			<-ended
		})
	}
}
