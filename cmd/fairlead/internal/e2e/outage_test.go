package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// heldLong is a rollout whose first step lasts long enough to look at it.
const heldLong = `
  rollout {
    step {
      weight = 30
      hold   = "8s"
    }
    step {
      weight = 60
      hold   = "1s"
    }
    check "errors" {
      metric      = error_ratio
      max         = 0.02
      interval    = "1s"
      min_samples = 3
    }
    progress_deadline = "2m"
    keep_previous     = "1s"
  }
`

// killGateway is kill -9 of the gateway's process, as the engine does not do it:
// what it kills by order it does not start again.
func (e *environment) killGateway() {
	e.t.Helper()
	for _, c := range e.engine.containers(e.owner) {
		if !c.isGateway() {
			continue
		}
		var found struct{ State struct{ Pid int } }
		e.engine.must(http.MethodGet, "/containers/"+c.ID+"/json", nil, &found)
		program, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", found.State.Pid))
		if program == "" {
			e.t.Skip("this test needs root, beside an engine on this very host: it kills the process of a container")
		}
		if err := syscall.Kill(found.State.Pid, syscall.SIGKILL); err != nil {
			e.t.Fatal(err)
		}
		return
	}
	e.t.Fatal("there is no gateway")
}

// answersAgain is how long it takes from now until an inference succeeds.
func (l *traffic) answersAgain(t *testing.T) time.Duration {
	t.Helper()
	begun := time.Now()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for ; ; <-again.C {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, _, err := l.infer(ctx)
		cancel()
		if err == nil {
			return time.Since(begun)
		}
		if time.Since(begun) > patience {
			t.Fatalf("the gateway does not come back: %v", err)
		}
	}
}

// backWithin is how long a gateway that died may be away: two seconds, and more
// where other tests keep the machine busy.
func backWithin() time.Duration {
	if long() {
		return 2 * time.Second
	}
	return 10 * time.Second
}

// In the middle of a canary the daemon dies, and then its gateway: that is back
// soon, with the table that it had, and goes on for as long as there is no daemon.
// The next one goes on with the rollout at its step.
func TestWithoutItsDaemonTheGatewayGoesOn(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	c.model.body = contract + heldLong
	commit := c.next(nil)
	c.serve(c.dir)
	c.converged(commit)
	before := startTraffic(t, c.url(c.model.name), closedCallers, openRate)
	c.next(nil)
	c.until("the first step is in force", func() bool {
		answered, _ := before.of("2")
		return answered > 50
	})
	c.daemon.kill()
	c.killGateway()
	away := before.answersAgain(t)
	before.stop()
	if away > backWithin() {
		t.Errorf("the gateway was away for %s, want at most %s", away, backWithin())
	}

	alone := 10 * time.Second
	if long() {
		alone = time.Minute
	}
	after := startTraffic(t, c.url(c.model.name), closedCallers, openRate)
	<-time.After(alone)
	old, _ := after.of("1")
	fresh, _ := after.of("2")
	if share := float64(fresh) / float64(max(old+fresh, 1)); share < 0.27 || share > 0.33 {
		t.Errorf("without a daemon the candidate got %.1f %% of %d requests, want 30 %%", 100*share, old+fresh)
	}
	t.Logf("the gateway was away for %s, with %d requests lost on the way; then %s without a daemon: %d requests, %d of them to the candidate",
		away.Round(time.Millisecond), before.failed, alone, old+fresh, fresh)

	c.serve(c.dir)
	c.until("the promotion", func() bool {
		s, ok := c.status()
		return ok && s.Converged && s.Models[0].Version == "2" && s.Models[0].Previous == nil
	})
	var got []string
	for _, e := range c.decisions() {
		got = append(got, fmt.Sprintf("%s %d %s", e.Action, e.Weight, e.Version))
	}
	want := slices.Concat(deployed, []string{"start 0 2", "step 30 2", "step 30 2", "weight 60 2", "promote 100 2", "release 0 2"})
	if !slices.Equal(got, want) {
		t.Errorf("the journal has\n%q, want\n%q", got, want)
	}
	after.finish(t)
}
