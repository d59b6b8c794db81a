package gateway_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/gateway"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// scores answers an inference with one number.
func scores(value string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"model_name":"digits","outputs":[{"name":"score","datatype":"FP32","shape":[1],"data":[%s]}]}`, value)
	}
}

// shadowed is a gateway with a model whose requests are copied to a candidate.
func shadowed(t *testing.T, percent int, stable, candidate http.HandlerFunc) (g *rig, old, fresh *backend) {
	t.Helper()
	old, fresh = newBackend(t, "old-1", stable), newBackend(t, "new-1", candidate)
	g = start(t, nil)
	g.push(t, sides(old, fresh, 0, mirrored(percent)))
	g.ready(t)
	return g, old, fresh
}

func mirrored(percent int) func(*reconcile.RoutedModel) {
	return func(m *reconcile.RoutedModel) {
		m.Mirror = &spec.Mirror{Percent: percent, Tolerance: 1e-3}
		m.Outputs = []reconcile.ScoredOutput{{Name: "score", Datatype: "FP32"}}
	}
}

const (
	comparedMetric = `fairlead_shadow_compared_total{model="digits",result="%s",revision="r2"}`
	droppedMetric  = `fairlead_shadow_dropped_total{model="digits",reason="%s",revision="r2"}`
)

func TestShadowAnswersAreComparedAndDropped(t *testing.T) {
	cases := []struct {
		name      string
		candidate http.HandlerFunc
		metric    string
	}{
		{"the same answer agrees", scores("0.50001"), fmt.Sprintf(comparedMetric, "agree")},
		{"another answer differs", scores("0.6"), fmt.Sprintf(comparedMetric, "differ")},
		{"an error fails", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, fmt.Sprintf(comparedMetric, "failed")},
		{"a broken connection fails", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fmt.Sprintf(comparedMetric, "failed")},
		{"another status differs", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, fmt.Sprintf(comparedMetric, "differ")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g, _, _ := shadowed(t, 100, scores("0.5"), c.candidate)
			for range 5 {
				if _, body := g.post(t, "/digits/infer", 100, true, nil); !strings.Contains(body, "[0.5]") {
					t.Errorf("the client got %s, want stable's answer", body)
				}
			}
			awaitMetric(t, g, c.metric+" 5")
			awaitMetric(t, g, `fairlead_requests_total{code="2xx",model="digits",revision="r1"} 5`)
			for _, code := range []string{"2xx", "4xx", "5xx"} {
				awaitMetric(t, g, fmt.Sprintf(`fairlead_requests_total{code="%s",model="digits",revision="r2"} 0`, code))
			}
		})
	}
}

func TestValuesOfShadowsAreCountedBesideStables(t *testing.T) {
	g, _, _ := shadowed(t, 100, scores("0.5"), scores("0.9"))
	for range 5 {
		g.post(t, "/digits/infer", 100, true, nil)
	}
	for _, revision := range []string{"r1", "r2"} {
		awaitMetric(t, g, fmt.Sprintf(`fairlead_output_values_count{model="digits",output="score",revision="%s"} 5`, revision))
	}
}

func TestShadowGetsTheWholeRequest(t *testing.T) {
	type copied struct {
		path, query, marked, key string
		body                     int
	}
	got := make(chan copied, 1)
	g, _, _ := shadowed(t, 100, scores("1"), func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- copied{r.URL.Path, r.URL.RawQuery, r.Header.Get("X-Fairlead-Mirrored"), r.Header.Get("X-Key"), len(body)}
		scores("1")(w, r)
	})
	for _, size := range []int{0, 10, 70_000, 1 << 20} {
		for _, known := range []bool{true, false} {
			g.post(t, "/digits/a%2Fb/infer?x=1", size, known, func(r *http.Request) { r.Header.Set("X-Key", "k") })
			if c, want := <-got, (copied{"/digits/a/b/infer", "x=1", "1", "k", size}); c != want {
				t.Errorf("%d bytes, length known %v: the candidate got %+v, want %+v", size, known, c, want)
			}
		}
	}
	t.Run("a body that is too large is not copied", func(t *testing.T) {
		g.post(t, "/digits/infer", 1<<20+1, false, nil)
		awaitMetric(t, g, fmt.Sprintf(droppedMetric, "too_large")+" 1")
	})
	t.Run("what is no inference is not copied", func(t *testing.T) {
		g.get(t, "/v2/models/digits", nil)
		select {
		case c := <-got:
			t.Errorf("the candidate got %+v", c)
		default:
		}
	})
}

func TestShadowCopiesTheShareOfTheTable(t *testing.T) {
	g, _, fresh := shadowed(t, 25, scores("1"), scores("1"))
	for range 100 {
		g.post(t, "/digits/infer", 10, true, nil)
	}
	awaitMetric(t, g, fmt.Sprintf(comparedMetric, "agree")+" 25")
	if n := fresh.requests.Load(); n != 25 {
		t.Errorf("%d copies of 100 requests, want 25", n)
	}
}

func TestShadowThatHangsIsBoundedAndFeltByNobody(t *testing.T) {
	g, old, fresh := shadowed(t, 100, scores("1"), func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not see the connection close
		<-r.Context().Done()
	})
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for range 25 {
				if answer, _ := g.post(t, "/digits/infer", 100, true, nil); answer.StatusCode != http.StatusOK {
					t.Errorf("got %s", answer.Status)
				}
			}
		})
	}
	clients.Wait()
	if n := fresh.requests.Load(); n > 32 {
		t.Errorf("%d copies are under way, want 32 at the most", n)
	}
	deadline := time.Now().Add(patience)
	for readMetric(t, g, fmt.Sprintf(droppedMetric, "busy")) < 200-32 {
		if time.Now().After(deadline) {
			t.Fatal("the copies that were too many are not counted")
		}
	}
	t.Run("copies do not hold up the drain", func(t *testing.T) {
		g.push(t, sides(old, fresh, 0, nil)) // mirrors no more
		g.await(t, "no copy is open", func(r reconcile.Report) bool { return r.Replicas["new-1"].InFlight == 0 })
		if n := readMetric(t, g, fmt.Sprintf(comparedMetric, "failed")); n != 0 {
			t.Errorf("%d copies that the gateway ended count as failed", n)
		}
	})
}

func TestShadowWithoutReplicaIsSaid(t *testing.T) {
	g, _, fresh := shadowed(t, 100, scores("1"), nil)
	fresh.sick.Store(true)
	g.await(t, "the candidate is sick", func(r reconcile.Report) bool { return !r.Replicas["new-1"].Healthy })
	g.post(t, "/digits/infer", 10, true, nil)
	awaitMetric(t, g, fmt.Sprintf(droppedMetric, "no_replica")+" 1")
}

func TestStopWhileCopiesAreUnderWay(t *testing.T) {
	arrived := make(chan struct{}, 1)
	old, fresh := newBackend(t, "old-1", scores("1")), newBackend(t, "new-1", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	g := start(t, func(c *gateway.Config) { c.DrainTimeout = 2 * patience })
	g.push(t, sides(old, fresh, 0, mirrored(100)))
	g.ready(t)
	g.post(t, "/digits/infer", 10, true, nil)
	<-arrived
	began := time.Now()
	g.stop()
	if took := time.Since(began); took > patience {
		t.Errorf("the gateway took %s to stop: it waited for the copy", took)
	}
}

func TestOutputValuesAreSampled(t *testing.T) {
	const series = `fairlead_output_values_count{model="digits",output="score",revision="r1"}`
	start := func(t *testing.T, handler http.HandlerFunc) *rig {
		b := newBackend(t, "a", handler)
		g := start(t, nil)
		m := model("digits", revision("r1", 100, b.replica()))
		m.Outputs = []reconcile.ScoredOutput{{Name: "score", Datatype: "FP32"}, {Name: "name", Datatype: "BYTES"}}
		g.push(t, m)
		g.ready(t)
		return g
	}
	t.Run("one number of an answer counts", func(t *testing.T) {
		g := start(t, scores("1.5,1.5,[1.5,1.5]"))
		g.post(t, "/v2/models/digits/infer", 10, true, nil)
		awaitMetric(t, g, series+" 1")
		awaitMetric(t, g, `fairlead_output_values_sum{model="digits",output="score",revision="r1"} 1.5`)
	})
	t.Run("so many answers per second", func(t *testing.T) {
		g := start(t, scores("1"))
		began := time.Now()
		for range 300 {
			g.post(t, "/v2/models/digits/infer", 10, true, nil)
		}
		seconds := int(time.Since(began).Seconds()) + 2
		if n := readMetric(t, g, series); n == 0 || n > 100*seconds {
			t.Errorf("%d values in %d s, want at most 100 per second", n, seconds)
		}
	})
	skipped := map[string]http.HandlerFunc{
		"an error": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"outputs":[{"name":"score","data":[1]}]}`)
		},
		"a compressed answer": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			scores("1")(w, r)
		},
		"binary tensors": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write([]byte{1, 2, 3})
		},
		"no JSON":      func(w http.ResponseWriter, r *http.Request) { scores("oops")(w, r) },
		"a large one":  func(w http.ResponseWriter, r *http.Request) { scores(strings.Repeat("1,", 200_000)+"1")(w, r) },
		"no inference": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "application/json") },
	}
	for name, handler := range skipped {
		t.Run("without "+name, func(t *testing.T) {
			g := start(t, handler)
			g.post(t, "/v2/models/digits/infer", 10, true, nil)
			g.post(t, "/v2/models/digits/infer", 10, true, nil)
			if n := readMetric(t, g, series); n != 0 {
				t.Errorf("%d values", n)
			}
		})
	}
}

func TestBodiesPassUnchangedBesideTheirCapture(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789"), 300_000)
	g, _, _ := shadowed(t, 100, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}, nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/digits/infer", bytes.NewReader(large))
	if err != nil {
		t.Fatal(err)
	}
	if _, body := do(t, request); body != string(large) {
		t.Errorf("%d bytes came back, of %d", len(body), len(large))
	}
}
