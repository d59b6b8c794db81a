package oip_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/providers/oip"
	"github.com/fairlead/fairlead/providers/oip/oiptest"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// replica is a model server that behaves as the suite wants.
func replica(r providertest.InspectedReplica, warmed func()) http.Handler {
	server := &oiptest.Server{Model: r.Model, Signature: r.Signature}
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodPost {
			warmed()
		}
		switch {
		case r.Hangs:
			_, _ = io.Copy(io.Discard, request.Body) // so that the server sees the client go
			<-request.Context().Done()
		case r.Ailing:
			http.Error(w, "out of memory", http.StatusInternalServerError)
		case r.Refuses && request.Method == http.MethodPost:
			http.Error(w, `{"error":"no"}`, http.StatusBadRequest)
		default:
			server.ServeHTTP(w, request)
		}
	})
}

func TestInspectorKeepsItsContract(t *testing.T) {
	providertest.InspectorSuite(t, func(*testing.T) providertest.InspectorBench {
		var mu sync.Mutex
		warmed := map[string]int{}
		return providertest.InspectorBench{
			Inspector: oip.Inspector{},
			Serve: func(t *testing.T, r providertest.InspectedReplica) string {
				var address string
				server := httptest.NewServer(replica(r, func() {
					mu.Lock()
					defer mu.Unlock()
					warmed[address]++
				}))
				address = server.Listener.Addr().String()
				if r.Away {
					server.Close()
				}
				t.Cleanup(server.Close)
				return address
			},
			Warmed: func(address string) int {
				mu.Lock()
				defer mu.Unlock()
				return warmed[address]
			},
		}
	})
}

func TestWarmUpOfOtherServersGoesWhereTheFirstRouteLeads(t *testing.T) {
	cases := map[string]struct {
		route    spec.Route
		body     string
		path     string
		kind     string
		status   int
		contract bool
	}{
		"the path of the route":     {spec.Route{Path: "/score"}, `{"a":1}`, "/score", "application/json", 200, false},
		"without a stripped prefix": {spec.Route{Path: "/score", Strip: true}, "a=1", "/", "application/octet-stream", 204, false},
		"a refusal is final":        {spec.Route{Path: "/score"}, "{}", "/score", "application/json", 503, true},
		"a redirect is none":        {spec.Route{Path: "/score"}, "{}", "/score", "application/json", 302, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got = append(got, r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Type")+" "+string(body))
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tc.status)
			}))
			defer server.Close()
			m := &spec.Model{Name: "m", Protocol: spec.HTTP, Routes: []spec.Route{tc.route}, Warmup: &spec.Warmup{Request: []byte(tc.body), Count: 1}}
			err := oip.Inspector{}.WarmUp(t.Context(), server.Listener.Addr().String(), m)
			if errors.Is(err, reconcile.ErrContract) != tc.contract || !tc.contract && err != nil {
				t.Errorf("error %v", err)
			}
			if want := "POST " + tc.path + " " + tc.kind + " " + tc.body; strings.Join(got, "; ") != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestMetadataThatCannotBeReadAreFinal(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html>")
	}))
	defer server.Close()
	m := &spec.Model{Name: "m", Protocol: spec.OpenInference, Signature: &spec.Signature{}}
	err := oip.Inspector{}.Verify(t.Context(), server.Listener.Addr().String(), m)
	if !errors.Is(err, reconcile.ErrContract) || !strings.Contains(err.Error(), "no valid JSON") {
		t.Errorf("error %v", err)
	}
}
