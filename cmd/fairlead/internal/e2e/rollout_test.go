package e2e

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

// contract is what the model server promises, and how it is warmed up.
const contract = `
  signature {
    input "x" {
      datatype = FP64
      shape    = [1]
    }
    output "score" {
      datatype = FP64
      shape    = [1]
    }
  }
  warmup {
    request = file("warmup.json")
    count   = 3
  }
`

// byEvidence is a rollout that finds out every flaw. Times are short, so that a
// test can wait for them; the traffic makes up for it.
const byEvidence = `
  rollout {
    step {
      weight = 20
      hold   = "3s"
    }
    step {
      weight = 50
      hold   = "5s"
    }
    check "errors" {
      metric      = error_ratio
      max         = 0.005
      interval    = "1s"
      min_samples = 50
    }
    check "latency" {
      metric        = latency_p90
      max_vs_stable = 1.2
      interval      = "1s"
      min_samples   = 50
    }
    check "scores" {
      metric      = score_shift
      output      = "score"
      max         = 0.2
      interval    = "1s"
      min_samples = 50
    }
    progress_deadline = "1m"
    keep_previous     = "1s"
  }
`

// flaws are what is wrong with bad versions, as variables of the model server.
var flaws = map[string]map[string]string{
	"5 % errors":    {"ERRORS": `"0.05"`},
	"+50 % latency": {"SLOWER": `"1.5"`},
	"wrong answers": {"SHIFT": `"0.1"`},
}

// canary is an environment with one model that is rolled out by evidence.
type canary struct {
	*environment
	*repo
	model   model
	release int
}

// newCanary makes one, of which nothing runs yet.
func newCanary(t *testing.T) *canary {
	t.Helper()
	c := &canary{environment: newEnvironment(t), repo: newRepo(t)}
	c.write("warmup.json", inference)
	c.model = model{name: "digits", image: c.image, replicas: 2, body: contract + byEvidence}
	return c
}

// next commits another version of the model, with a flaw unless that is nil.
func (c *canary) next(flaw map[string]string) (commit string) {
	c.release++
	c.model.version = strconv.Itoa(c.release)
	c.model.env = flaw
	return c.commit(c.model)
}

// held waits until the newest version is rejected and nothing of it is left.
func (c *canary) held(commit string) {
	c.environment.t.Helper()
	c.until("held at "+commit, func() bool {
		s, ok := c.status()
		return ok && s.Commit.ID == commit && len(s.Models) == 1 && s.Models[0].Phase == rollout.Held &&
			s.Models[0].Rollout == nil && !slices.ContainsFunc(c.engine.containers(c.owner), func(found container) bool {
			return found.model() == c.model.name && found.revision() == s.Models[0].Revision
		})
	})
}

// decisions are the entries of the journal, oldest first.
func (c *canary) decisions() []journal.Entry {
	c.environment.t.Helper()
	var h app.History
	if err := c.get("/api/v1/history?limit=10000", &h); err != nil {
		c.environment.t.Fatal(err)
	}
	slices.Reverse(h.Entries)
	return h.Entries
}

// verdict is how a rollout went, by the journal.
type verdict struct {
	action  journal.Action
	reason  string
	total   time.Duration // from the decision to begin it
	exposed time.Duration // from the first share of the traffic
}

// verdict reads how the rollout of the newest version has ended.
func (c *canary) verdict() verdict {
	c.environment.t.Helper()
	var begun, shared time.Time
	var found verdict
	for _, e := range c.decisions() {
		switch e.Action {
		case journal.ActionStart:
			begun, shared, found = e.At, time.Time{}, verdict{}
		case journal.ActionStep, journal.ActionWeight:
			if shared.IsZero() && e.Weight > 0 {
				shared = e.At
			}
		case journal.ActionPromote, journal.ActionRollback, journal.ActionAbort:
			found = verdict{action: e.Action, reason: e.Reason, total: e.At.Sub(begun), exposed: e.At.Sub(shared)}
		default: // no turn of the rollout
		}
	}
	return found
}

// long tells whether everything is tried that could be, which takes half an hour:
// go test ./cmd/fairlead/internal/e2e -timeout 2h with FAIRLEAD_ROLLOUTS=20.
func long() bool { return os.Getenv("FAIRLEAD_ROLLOUTS") != "" }

// rounds is how often each kind of rollout is tried.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("FAIRLEAD_ROLLOUTS")); err == nil && n > 0 {
		return n
	}
	return 1
}

// figures are those of one kind of version.
type figures struct {
	seconds, exposed []float64
	requests, faults []int
}

func (f *figures) String() string {
	return fmt.Sprintf("%d times; verdict after %s s of exposure (of %s s in all); requests exposed %s, of them failed %s",
		len(f.seconds), spread(f.exposed), spread(f.seconds), spread(f.requests), spread(f.faults))
}

// spread is the smallest, the median and the largest.
func spread[N int | float64](list []N) string {
	if len(list) == 0 {
		return "none"
	}
	sorted := slices.Sorted(slices.Values(list))
	round := func(n N) float64 { return math.Round(float64(n)*10) / 10 }
	return fmt.Sprintf("%g/%g/%g", round(sorted[0]), round(sorted[len(sorted)/2]), round(sorted[len(sorted)-1]))
}

// While requests keep coming, every good version is promoted and every bad one
// rolled back, each by its own check, and no request fails that stable would have
// served. FAIRLEAD_ROLLOUTS=20 tries each kind twenty times.
func TestGoodVersionsArePromotedAndBadOnesRolledBack(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	commit := c.next(nil)
	c.serve(c.dir)
	c.converged(commit)
	requests := startTraffic(t, c.url("digits"), closedCallers, openRate)
	c.tryAll(requests, slices.Concat(slices.Sorted(maps.Keys(flaws)), []string{"good"}))
	requests.finish(t)
}

// tryAll rolls out versions of these kinds, and tells the figures.
func (c *canary) tryAll(requests *traffic, kinds []string) {
	t := c.environment.t
	t.Helper()
	seen := map[string]*figures{}
	for range rounds() {
		for _, kind := range kinds {
			if seen[kind] == nil {
				seen[kind] = &figures{}
			}
			c.try(kind, requests, seen[kind])
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%s: %s (least/median/most)", kind, seen[kind])
	}
}

// try rolls out one version and sees to it that it ends as it should.
func (c *canary) try(kind string, requests *traffic, to *figures) {
	t := c.environment.t
	t.Helper()
	commit := c.next(flaws[kind])
	want := journal.ActionRollback
	if flaws[kind] == nil {
		want = journal.ActionPromote
	}
	c.until("the end of the rollout: "+kind, func() bool {
		s, ok := c.status()
		return ok && s.Commit.ID == commit && len(s.Models) == 1 && s.Models[0].Rollout == nil &&
			(s.Models[0].Phase == rollout.Held || s.Converged)
	})
	v := c.verdict()
	if v.action != want {
		t.Errorf("version %s (%s): %s, want %s: %s", c.model.version, kind, v.action, want, v.reason)
		if want == journal.ActionPromote {
			return
		}
	}
	if want == journal.ActionRollback && v.action == want {
		c.held(commit)
	}
	answered, faults := requests.of(c.model.version)
	to.seconds, to.exposed = append(to.seconds, v.total.Seconds()), append(to.exposed, v.exposed.Seconds())
	to.requests, to.faults = append(to.requests, answered), append(to.faults, faults)
	t.Logf("version %s (%s): %s after %.1f s: %s", c.model.version, kind, v.action, v.exposed.Seconds(), v.reason)
}
