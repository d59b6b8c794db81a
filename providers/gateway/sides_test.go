package gateway_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// twoSides is a gateway with a stable and a candidate revision of one model.
func twoSides(t *testing.T, weight int, change func(*reconcile.RoutedModel)) (g *rig, old, fresh *backend) {
	t.Helper()
	old, fresh = newBackend(t, "old-1", nil), newBackend(t, "new-1", nil)
	g = start(t, nil)
	g.push(t, sides(old, fresh, weight, change))
	g.ready(t)
	return g, old, fresh
}

func sides(old, fresh *backend, weight int, change func(*reconcile.RoutedModel)) reconcile.RoutedModel {
	m := model("digits", revision("r1", 100-weight, old.replica()), revision("r2", weight, fresh.replica()))
	m.Candidate = "r2"
	m.Routes = []reconcile.RoutedPath{{Path: "/digits"}}
	if change != nil {
		change(&m)
	}
	return m
}

func TestColdReplicaIsProbedButGetsNoRequest(t *testing.T) {
	warm, cold := newBackend(t, "warm", nil), newBackend(t, "cold", nil)
	chilled := cold.replica()
	chilled.Cold = true
	g := start(t, nil)
	g.push(t, model("digits", revision("r1", 100, warm.replica(), chilled)))
	g.ready(t)
	for range 20 {
		if answer, body := g.get(t, "/v2/models/digits", nil); answer.StatusCode != http.StatusOK {
			t.Fatalf("%s %s", answer.Status, body)
		}
	}
	t.Run("it does not stand in either", func(t *testing.T) {
		warm.sick.Store(true)
		g.await(t, "the warm one is sick", func(r reconcile.Report) bool { return !r.Replicas["warm"].Healthy })
		if answer, _ := g.get(t, "/v2/models/digits", nil); answer.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("got %s, want 503", answer.Status)
		}
		if n := cold.requests.Load(); n != 0 {
			t.Errorf("the cold replica got %d requests", n)
		}
	})
	t.Run("warmed up it serves at once", func(t *testing.T) {
		g.push(t, model("digits", revision("r1", 100, warm.replica(), cold.replica())))
		if _, body := g.get(t, "/v2/models/digits", nil); !strings.HasPrefix(body, "cold") {
			t.Errorf("got %q", body)
		}
	})
}

func TestShareOfARevisionWithoutReadyReplicaGoesToTheOther(t *testing.T) {
	g, old, fresh := twoSides(t, 50, nil)
	for _, sick := range []*backend{old, fresh} {
		sick.sick.Store(true)
		g.await(t, sick.id+" is sick", func(r reconcile.Report) bool { return !r.Replicas[sick.id].Healthy })
		for range 20 {
			if answer, body := g.get(t, "/digits", nil); answer.StatusCode != http.StatusOK {
				t.Fatalf("without %s: %s %s", sick.id, answer.Status, body)
			}
		}
		sick.sick.Store(false)
		g.ready(t)
	}
}

func TestWeightsAreExactUnderConcurrency(t *testing.T) {
	const requests, clients = 10_000, 8
	old, fresh := newBackend(t, "old-1", nil), newBackend(t, "new-1", nil)
	g := start(t, nil)
	for _, weight := range []int{1, 5, 33, 99} {
		t.Run(fmt.Sprintf("%d percent", weight), func(t *testing.T) {
			g.push(t, sides(old, fresh, weight, nil))
			g.ready(t)
			before, handler := fresh.requests.Load(), g.server.Handler()
			var sending sync.WaitGroup
			for range clients {
				sending.Go(func() {
					for range requests / clients {
						handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/digits", nil))
					}
				})
			}
			sending.Wait()
			got := float64(fresh.requests.Load()-before) / requests * 100
			if math.Abs(got-float64(weight)) > 0.5 {
				t.Errorf("%.2f %% of the requests, want %d", got, weight)
			}
		})
	}
}

func TestCookieKeepsACallerOnItsSide(t *testing.T) {
	sticky := func(m *reconcile.RoutedModel) { m.Sticky = &spec.Sticky{Cookie: "side"} }
	g, old, fresh := twoSides(t, 50, sticky)
	given, onNew := map[string]string{}, 0
	for range 60 {
		answer, body := g.get(t, "/digits", nil)
		cookies := answer.Cookies()
		if len(cookies) != 1 {
			t.Fatalf("a caller without cookie got %d", len(cookies))
		}
		c := cookies[0]
		if c.Name != "side" || len(c.Value) != 32 || c.Path != "/digits" || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("cookie = %s", c.Raw)
		}
		given[c.Value] = body[:5]
		if strings.HasPrefix(body, "new") {
			onNew++
		}
	}
	if len(given) != 60 || onNew < 10 || onNew > 50 {
		t.Errorf("%d different cookies, %d on the candidate's side", len(given), onNew)
	}
	for _, weight := range []int{50, 70, 100} {
		g.push(t, sides(old, fresh, weight, sticky))
		for value, was := range given {
			answer, body := g.get(t, "/digits", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "side", Value: value}) })
			if len(answer.Cookies()) != 0 {
				t.Error("a caller with a cookie was given another one")
			}
			if now := body[:5]; now != was && (now != "new-1" || weight == 50) {
				t.Errorf("at %d percent a caller went from %s to %s", weight, was, now)
			}
			given[value] = body[:5]
		}
	}
}

func TestMatchSendsToACandidateWithoutWeight(t *testing.T) {
	g, _, fresh := twoSides(t, 0, func(m *reconcile.RoutedModel) { m.Match = &spec.Match{Header: "X-Beta", Value: "yes"} })
	asBeta := func(r *http.Request) { r.Header.Set("X-Beta", "yes") }
	for range 5 {
		if _, body := g.get(t, "/digits", asBeta); !strings.HasPrefix(body, "new") {
			t.Errorf("who matches got %q", body)
		}
		if _, body := g.get(t, "/digits", nil); !strings.HasPrefix(body, "old") {
			t.Errorf("who does not match got %q", body)
		}
	}
	fresh.sick.Store(true)
	g.await(t, "the candidate is sick", func(r reconcile.Report) bool { return !r.Replicas["new-1"].Healthy })
	if _, body := g.get(t, "/digits", asBeta); !strings.HasPrefix(body, "old") {
		t.Errorf("without a ready candidate: %q", body)
	}
}
