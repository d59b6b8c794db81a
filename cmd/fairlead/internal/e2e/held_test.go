package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// rejections counts how often a rollout of the model was rolled back.
func (c *canary) rejections() int {
	c.environment.t.Helper()
	n := 0
	for _, e := range c.decisions() {
		if e.Action == journal.ActionRollback {
			n++
		}
	}
	return n
}

// What was rejected stays out, whatever the daemon has lost, until a person says
// retry; and whoever applies it is told.
func TestRejectedVersionStaysOutUntilRetried(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	c.model.body = contract + fmt.Sprintf(stepwise, "30s")
	commit := c.next(nil)
	c.serve(c.dir)
	c.converged(commit)
	requests := startTraffic(t, c.url(c.model.name), 1, 40)
	commit = c.next(map[string]string{"ERRORS": `"0.5"`})
	c.held(commit)
	c.until("the rejection is in the remote", func() bool {
		s, ok := c.status()
		return ok && s.Journal.Pending == 0 && s.Journal.Error == ""
	})

	for lost, path := range map[string]string{"nothing": "", "its data directory": c.data} {
		c.daemon.kill()
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		c.proxy.Forget()
		c.serve(c.dir)
		c.held(commit)
		if calls := c.proxy.Mutations(); len(calls) != 0 {
			t.Errorf("a daemon that has lost %s changed the engine: %v", lost, calls)
		}
		if got := c.serving(c.model.name); got != "1" {
			t.Errorf("after the loss of %s version %q serves", lost, got)
		}
	}
	if got := c.rejections(); got != 1 {
		t.Errorf("it was rejected %d times, want once", got)
	}

	c.daemon.stop()
	c.proxy.Forget()
	out, code := c.fairlead("apply", c.dir)
	if code != 1 || !strings.Contains(out, "held") {
		t.Errorf("apply ends with %d, want 1 and that the model is held:\n%s", code, out)
	}
	if calls := c.proxy.Mutations(); len(calls) != 0 {
		t.Errorf("apply changed the engine: %v", calls)
	}

	c.serve(c.dir)
	c.held(commit)
	if out, code := c.fairlead("rollout", "retry", c.model.name, "--reason", "the errors were those of the test"); code != 0 {
		t.Fatalf("rollout retry ends with %d:\n%s", code, out)
	}
	c.until("it is tried, and rejected, once more", func() bool { return c.rejections() == 2 })
	c.held(commit)
	last := c.decisions()
	at := slices.IndexFunc(last, func(e journal.Entry) bool { return e.Action == journal.ActionRetry })
	if at < 0 || last[at].Reason != "the errors were those of the test" || last[at].Actor == journal.Daemon {
		t.Errorf("the journal does not say who wanted the retry, and why: %v", last)
	}
	requests.finish(t)
}
