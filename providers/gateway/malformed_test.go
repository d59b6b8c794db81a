package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/gateway"
)

// wellFormed is what malformed requests are made of.
var wellFormed = []string{
	"GET /v2/models/digits HTTP/1.1\r\nHost: x\r\n\r\n",
	"POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
	"POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
	"GET /v2/models/digits HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\xff\xff\xff",
	"GET /v2/models/digits HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("y", 3000) + "\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
	"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
}

// spoil makes a request into something that nobody should send.
func spoil(random *rand.Rand) []byte {
	raw := []byte(wellFormed[random.IntN(len(wellFormed))])
	for range 1 + random.IntN(4) {
		at := random.IntN(len(raw) + 1)
		switch random.IntN(6) {
		case 0: // another byte
			if at < len(raw) {
				raw[at] = byte(random.IntN(256))
			}
		case 1: // cut off
			raw = raw[:max(at, 1)]
		case 2: // twice
			raw = append(raw, raw[at:]...)
		case 3: // line breaks and zeros where none belong
			odd := []string{"\r", "\n", "\x00", "\r\n\r\n", "\r\n ", "\t", "%", "Content-Length: -1\r\n", "Host: y\r\n", "Transfer-Encoding: identity\r\n"}
			raw = append(raw[:at:at], append([]byte(odd[random.IntN(len(odd))]), raw[at:]...)...)
		case 4: // from somewhere else
			other := wellFormed[random.IntN(len(wellFormed))]
			raw = append(raw[:at:at], other[random.IntN(len(other)):]...)
		case 5: // noise
			for i := at; i < min(at+8, len(raw)); i++ {
				raw[i] ^= byte(random.IntN(256))
			}
		}
		raw = raw[:min(len(raw), 8<<10)]
	}
	return raw
}

// throw sends raw bytes and returns what comes back.
func throw(ctx context.Context, address string, raw []byte) (string, error) {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(patience))
	_, _ = connection.Write(raw) // the gateway may have closed it by now, and rightly so
	_ = connection.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(io.LimitReader(connection, 1<<20))
	return string(answer), nil
}

func TestMalformedRequestsHarmNobody(t *testing.T) {
	const requests, workers = 10_000, 40
	g := oneModel(t, nil, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	neighbour := &load{stop: make(chan struct{})}
	neighbour.clients.Go(func() {
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		pace := time.NewTicker(2 * time.Millisecond)
		defer pace.Stop()
		for {
			select {
			case <-pace.C:
				neighbour.one(t, transport, g.url+"/v2/models/digits/infer")
			case <-neighbour.stop:
				return
			}
		}
	})
	address := g.server.Addr().String()
	var throwing sync.WaitGroup
	var storm atomic.Int64
	for worker := range workers {
		throwing.Go(func() {
			random := rand.New(rand.NewPCG(3, uint64(worker)))
			for range requests / workers {
				raw := spoil(random)
				answer, err := throw(t.Context(), address, raw)
				if err != nil {
					t.Errorf("the gateway takes no connections any more: %v", err)
					return
				}
				// 501 and 505 are what the standard demands for an encoding and a
				// version that are not known; anything else would be a fault.
				for _, code := range []int{500, 502, 503, 504} {
					if strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", code)) {
						storm.Add(1)
						t.Logf("%q was answered with %d", raw, code)
					}
				}
			}
		})
	}
	throwing.Wait()
	neighbour.end(t)
	if n := storm.Load(); n > 0 {
		t.Errorf("%d of %d malformed requests were answered as if the gateway or the model had failed", n, requests)
	}
}

// Two lengths are how requests are smuggled past a proxy: what the gateway took
// for a body, or for nothing at all, must not be a request to the model. One that
// the gateway has passed on says for whom.
func TestNothingIsSmuggledPast(t *testing.T) {
	var smuggled atomic.Int64
	g := oneModel(t, nil, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Header.Get("X-Forwarded-For") == "" {
			smuggled.Add(1)
		}
	})
	inner := "GET /v2/models/digits/inner HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, head := range map[string]string{
		"both lengths":            fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 5+len(inner)),
		"the other way round":     "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"two content lengths":     fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d\r\n\r\n", len(inner)),
		"an encoding in disguise": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"an encoding twice":       "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"a space before a colon":  fmt.Sprintf("Content-Length : %d\r\n\r\n", len(inner)),
		"a folded header":         "X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"a bare line feed":        "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a chunk extension":       "Transfer-Encoding: chunked\r\n\r\n0;\n\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			raw := "POST /v2/models/digits/outer HTTP/1.1\r\nHost: x\r\n" + head + inner
			if _, err := throw(t.Context(), g.server.Addr().String(), []byte(raw)); err != nil {
				t.Fatal(err)
			}
			if smuggled.Load() > 0 {
				t.Error("the model saw a request that the gateway did not")
			}
		})
	}
}

// FuzzRawRequest throws whatever it can think of at a gateway. Run it with
// -fuzz; as a test it only sends the seeds.
func FuzzRawRequest(f *testing.F) {
	for _, raw := range wellFormed {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		g := oneModel(t, func(c *gateway.Config) {
			c.Limits.HeaderTimeout, c.Limits.StallTimeout, c.DrainTimeout = 100*time.Millisecond, 100*time.Millisecond, time.Second
		}, nil)
		answer, err := throw(t.Context(), g.server.Addr().String(), raw)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix([]byte(answer), []byte("HTTP/1.1 500")) {
			t.Errorf("%q was answered with 500", raw)
		}
		g.lives(t)
	})
}
