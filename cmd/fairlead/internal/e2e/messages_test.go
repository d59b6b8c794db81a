package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// receiver takes the messages of a notifier. One that is dead takes the connection, and
// never answers.
type receiver struct {
	url  string
	dead chan struct{} // closed at the end; nil: it lives

	mu     sync.Mutex
	asked  int
	bodies []string
	got    []reconcile.Message
}

func newReceiver(t *testing.T, dead bool) *receiver {
	t.Helper()
	r := &receiver{}
	if dead {
		r.dead = make(chan struct{})
	}
	server := httptest.NewServer(r)
	r.url = server.URL + "/events"
	t.Cleanup(func() {
		if dead {
			close(r.dead)
		}
		server.Close()
	})
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	var event struct{ Data reconcile.Message }
	if err != nil || json.Unmarshal(body, &event) != nil {
		http.Error(w, "no event", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.asked++
	if r.dead == nil {
		r.bodies = append(r.bodies, string(body))
		r.got = append(r.got, event.Data)
	}
	r.mu.Unlock()
	if r.dead != nil {
		<-r.dead
	}
}

// of are the messages of one kind that complain or tell, without those that resolve.
func (r *receiver) of(event spec.NotifyEvent) (all []reconcile.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.got {
		if m.Event == event && (!m.Resolves || event == spec.NotifyPromoted) {
			all = append(all, m)
		}
	}
	return all
}

// everything is all that was received, as it came.
func (r *receiver) everything() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.bodies, "\n")
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// notifier declares it.
func (r *receiver) notifier(name string) string {
	return fmt.Sprintf("\nnotifier %q {\n  kind = webhook\n  url  = %q\n}\n", name, r.url)
}

// told waits until a receiver has had a message, and returns the first.
func (r *reviewed) told(by *receiver, event spec.NotifyEvent, about string) (found reconcile.Message) {
	r.t.Helper()
	r.until(fmt.Sprintf("a message %s about %s", event, about), func() bool {
		for _, m := range by.of(event) {
			if strings.Contains(m.Title+m.Text, about) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// byBoth promotes what is good within seconds, and finds out what is not.
const byBoth = `
  rollout {
    step {
      weight = 50
      hold   = "4s"
    }
    check "errors" {
      metric      = error_ratio
      max         = 0.02
      interval    = "1s"
      min_samples = 20
    }
    progress_deadline = "2m"
    keep_previous     = "1s"
  }
`

// What happens to a model is told once each, although another receiver takes every
// connection and never answers.
func TestWhatHappensIsToldOnce(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	r.set("NOTIFY_PRIVATE", "true")
	alive, dead := newReceiver(t, false), newReceiver(t, true)
	text := func(version, image, threads string) map[string]string {
		spec := strings.Replace(r.digits(version, image, byBoth), `THREADS = "1"`, `THREADS = "`+threads+`"`, 1)
		return map[string]string{"models.hcl": spec, "notifiers.hcl": alive.notifier("alive") + dead.notifier("dead")}
	}
	first := r.commit("Digits", text("1.0.0", r.image, "1"))
	r.serveForge()
	r.steady(first)
	startTraffic(t, r.url("digits"), 1, 40)
	second := r.commit("Digits 1.1.0", text("1.1.0", r.image, "2"))
	r.told(alive, spec.NotifyRolloutStarted, "1.1.0")
	r.told(alive, spec.NotifyPromoted, "1.1.0")
	r.steady(second)

	r.exactly(model{name: "digits", replicas: 1}) // what it replaced is gone
	r.engine.remove(r.replicas("digits")[0])
	r.told(alive, spec.NotifyDriftHealed, "digits")
	r.steady(second)

	bad := r.commit("Digits 1.2.0", text("1.2.0", r.bad, "2"))
	r.held(bad)
	back := r.told(alive, spec.NotifyRolledBack, "1.2.0")
	if back.Severity != spec.SeverityError || back.Facts["check.errors"] == "" || back.Facts["commit"] != bad || len(back.Owners) != 1 || back.Owners[0] != "@ann" {
		t.Errorf("the rollback is told as %+v", back)
	}
	open := r.told(alive, spec.NotifyProposed, "1.1.0")
	p := r.proposed(revertBranch)
	if open.URL == "" || !strings.HasSuffix(open.URL, fmt.Sprintf("/pulls/%d", p.Number)) {
		t.Errorf("the proposal is told with the URL %q", open.URL)
	}
	broken := r.commit("Digits, broken", map[string]string{"broken.hcl": "model \"other\" {\n  image = \n}\n"})
	refused := r.told(alive, spec.NotifyRefused, broken[:7])
	if refused.Severity != spec.SeverityError || !strings.Contains(refused.Text, "broken.hcl:2") {
		t.Errorf("the commit that does not load is told as %+v", refused)
	}
	end := r.merge(p.Number) // what is broken is still there
	r.told(alive, spec.NotifyRefused, end[:7])
	mended := r.commit("Mended", map[string]string{"broken.hcl": ""})
	r.steady(mended)

	for event, want := range map[spec.NotifyEvent]int{
		spec.NotifyRolloutStarted: 3, spec.NotifyRolledBack: 1, spec.NotifyDriftHealed: 1, spec.NotifyProposed: 1, spec.NotifyRefused: 2,
	} {
		if got := alive.of(event); len(got) != want {
			t.Errorf("%d messages %s, want %d: %+v", len(got), event, want, got)
		}
	}
	seen := map[string]bool{}
	for _, m := range alive.got {
		if seen[m.Key] {
			t.Errorf("%s was told twice", m.Key)
		}
		seen[m.Key] = true
	}
	if dead.count() == 0 {
		t.Error("the dead receiver was never asked")
	}
	if s, ok := r.status(); !ok || len(s.Notifiers) != 2 {
		t.Errorf("the status does not tell of both notifiers: %+v", s.Notifiers)
	}
}
