package docker

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/reconcile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestEngineIsUpgradedWhileConnected plays an engine that speaks one version of
// the API only, and another one after its upgrade.
func TestEngineIsUpgradedWhileConnected(t *testing.T) {
	var version atomic.Value
	version.Store("1.41")
	upgrade := make(chan struct{})
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		speaks := version.Load().(string)
		w.Header().Set("Api-Version", speaks)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/_ping":
		case !strings.HasPrefix(r.URL.Path, "/v"+speaks+"/"):
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"message":"client version is too old"}`)
		case strings.HasSuffix(r.URL.Path, "/events"):
			_ = http.NewResponseController(w).Flush()
			select {
			case <-upgrade:
			case <-r.Context().Done():
			}
		default:
			_, _ = fmt.Fprint(w, "[]")
		}
	}))
	defer engine.Close()
	r, err := New(Options{Host: "tcp://" + strings.TrimPrefix(engine.URL, "http://"), Scope: testScope})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	hints := r.Events(ctx)
	defer func() {
		cancel()
		for range hints { // until it closes
		}
	}()
	<-hints
	if _, err := r.List(ctx, reconcile.Filter{}); err != nil {
		t.Fatal(err)
	}
	version.Store("1.44")
	close(upgrade) // the engine's end of the stream closes with its restart
	deadline := time.After(2 * time.Minute)
	for {
		select {
		case <-hints:
			if _, err := r.List(ctx, reconcile.Filter{}); err == nil {
				return
			}
		case <-deadline:
			t.Fatal("lists still fail after the upgrade")
		}
	}
}

func TestBadAddressesAreRefusedAtTheStart(t *testing.T) {
	for _, host := range []string{"ssh://someone@host", "nonsense"} {
		if r, err := New(Options{Host: host, Scope: testScope}); err == nil {
			t.Errorf("%s was accepted", host)
			_ = r.Close()
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("a scope without names was accepted")
	}
}
