package gateway_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// warmed is a gateway with many idle connections to the one replica of a model,
// which breaks the connection of each request with poison in its path.
func warmed(t *testing.T) (*rig, *backend) {
	t.Helper()
	const connections = 12
	var met sync.WaitGroup
	met.Add(connections)
	b := newBackend(t, "a", func(_ http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "poison") {
			panic(http.ErrAbortHandler)
		}
		met.Done()
		met.Wait() // so that each has a connection of its own
	})
	g := start(t, nil)
	rev := revision("r1", 100, b.replica())
	rev.Health.Interval = time.Minute
	g.push(t, model("digits", rev))
	g.ready(t)
	var clients sync.WaitGroup
	for range connections {
		clients.Go(func() { g.get(t, "/v2/models/digits", nil) })
	}
	clients.Wait()
	return g, b
}

func TestRequestThatBreaksItsConnectionsIsSentAFewTimesOnly(t *testing.T) {
	cases := []struct {
		name string
		send func(t *testing.T, g *rig) *http.Response
		most int64
	}{
		{"a request that may be repeated", func(t *testing.T, g *rig) *http.Response {
			answer, _ := g.get(t, "/v2/models/digits/poison", nil)
			return answer
		}, 3},
		{"an inference with a key", func(t *testing.T, g *rig) *http.Response {
			answer, _ := g.post(t, "/v2/models/digits/poison", 10, true, func(r *http.Request) { r.Header.Set("Idempotency-Key", "1") })
			return answer
		}, 3},
		{"an inference without", func(t *testing.T, g *rig) *http.Response {
			answer, _ := g.post(t, "/v2/models/digits/poison", 10, true, nil)
			return answer
		}, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g, b := warmed(t)
			before := b.requests.Load()
			answer := c.send(t, g)
			sent := b.requests.Load() - before
			if answer.StatusCode != http.StatusBadGateway || sent < 1 || sent > c.most {
				t.Errorf("%s after %d sends, want 502 after %d at the most", answer.Status, sent, c.most)
			}
			if n := readMetric(t, g, `fairlead_gateway_retries_total{model="digits"}`); int64(n) != sent-1 {
				t.Errorf("%d retries are counted of %d sends", n, sent)
			}
			awaitMetric(t, g, `fairlead_requests_total{code="5xx",model="digits",revision="r1"} 1`)
		})
	}
}

func TestResendsEndWithTheBudget(t *testing.T) {
	g, b := warmed(t)
	before := b.requests.Load()
	began := time.Now()
	const requests = 60
	for range requests {
		g.get(t, "/v2/models/digits/poison", nil)
	}
	most := int64(requests + 20 + (requests+12)/10 + int(time.Since(began).Seconds()+1))
	if sent := b.requests.Load() - before; sent > most {
		t.Errorf("%d requests were sent %d times, want %d at the most", requests, sent, most)
	}
}

func TestLatencyIsThatOfTheReplicaThatAnswered(t *testing.T) {
	t.Parallel()
	const thought = 3 * time.Second // longer than a bucket; a busy machine takes less for the rest
	broken := newBackend(t, "new-1", func(http.ResponseWriter, *http.Request) {
		slowly(t, thought)
		panic(http.ErrAbortHandler)
	})
	whole := newBackend(t, "old-1", nil)
	g := start(t, nil)
	m := model("digits", revision("r1", 50, whole.replica()), revision("r2", 50, broken.replica()))
	m.Candidate = "r2"
	g.push(t, m)
	g.ready(t)
	for range 2 {
		g.get(t, "/v2/models/digits", nil)
	}
	awaitMetric(t, g, `fairlead_requests_total{code="2xx",model="digits",revision="r1"} 2`)
	if n := readMetric(t, g, `fairlead_requests_total{code="5xx",model="digits",revision="r2"}`); n == 0 {
		t.Fatal("no request came to the broken replica: the test shows nothing")
	}
	awaitMetric(t, g, `fairlead_request_duration_seconds_bucket{code="2xx",model="digits",revision="r1",le="2.5"} 2`)
}
