package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// phase is a part of a model's way in which a daemon dies, and all that the journal
// has to hold in the end, whether it did or not.
type phase struct {
	name       string
	boundaries int // that the part has at least
	// hold is the length of the first step: long where the verdict has to come
	// in it, so that runs can be compared.
	hold      string
	flaw      map[string]string // of the second version
	decisions []string
}

var (
	deployed = []string{"start 0 1", "promote 100 1"}
	// promoted is what follows where the second version is good.
	promoted = slices.Concat(deployed, []string{"start 0 2", "step 20 2", "step 20 2", "weight 50 2", "finish 50 2", "promote 100 2", "release 0 2"})
)

var phases = []phase{
	{name: "create", boundaries: 24, hold: "1s", decisions: deployed},
	{name: "canary step", boundaries: 20, hold: "1s", decisions: promoted},
	{name: "promote", boundaries: 20, hold: "1s", decisions: promoted},
	{
		name: "rollback", boundaries: 16, hold: "30s", flaw: map[string]string{"ERRORS": `"0.5"`},
		decisions: slices.Concat(deployed, []string{"start 0 2", "step 20 2", "rollback 0 1"}),
	},
}

// loss is what else is gone when the daemon dies.
type loss string

const (
	nothingElse loss = "nothing else"
	itsData     loss = "its data directory"
	theRemote   loss = "the remote"
)

// stepwise has few checks, so that little traffic is enough.
const stepwise = `
  rollout {
    step {
      weight = 20
      hold   = %q
    }
    step {
      weight = 50
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

// crashing is one run of a phase with a daemon that dies in it.
type crashing struct {
	*canary
	phase
	loss     loss
	ambush   *ambush
	requests *traffic
	away     string // where the remote is while it is away
	other    model  // that serves beside it, if it has a name
}

// Wherever in a rollout the daemon dies, and whatever of its memory is lost with
// it, the next one goes on: every model ends where it would have, the journal has
// each decision once, and no request fails.
func TestKilledInARolloutTheNextDaemonGoesOn(t *testing.T) {
	t.Parallel()
	losses := []loss{nothingElse, itsData, theRemote}
	try := func(p phase, lost loss, at int) {
		t.Run(fmt.Sprintf("%s, lost %s, boundary %d", p.name, lost, at), func(t *testing.T) {
			t.Parallel()
			dieInRollout(t, p, lost, at)
		})
	}
	for _, p := range phases {
		if !long() {
			try(p, losses[rand.IntN(len(losses))], 1+rand.IntN(p.boundaries))
			continue
		}
		for _, lost := range losses {
			for n := range 12 { // spread over all
				try(p, lost, 1+n*p.boundaries/12)
			}
		}
	}
}

func dieInRollout(t *testing.T, p phase, lost loss, at int) {
	c := &crashing{canary: newCanary(t), phase: p, loss: lost}
	c.model.replicas = 3
	c.model.body = contract + fmt.Sprintf(stepwise, p.hold)
	c.begin(at)
	c.untilKilled()
	c.goOn()
	c.ending()
	if c.requests != nil {
		c.requests.finish(t)
	}
	if t.Failed() {
		t.Logf("the next daemon said: %s", c.daemon.log.String())
	}
}

// begin brings the model to where the phase begins, and lies in wait.
func (c *crashing) begin(at int) {
	var commit string
	if c.name == "create" {
		// The gateway is there before, since its start is another test's subject.
		c.other = model{name: "other", image: c.image, version: "1", replicas: 1}
		commit = c.commit(c.other)
	} else {
		commit = c.next(nil)
	}
	c.serve("file://" + c.dir)
	c.converged(commit)
	c.until("what was decided so far is delivered", c.delivered)
	if c.name != "create" {
		c.environment.t.Logf("requests from %s on", time.Now().Format(time.StampMilli))
		c.requests = startTraffic(c.environment.t, c.url(c.model.name), 1, 40)
	}
	if c.name == "promote" {
		c.takeAway(c.change())
		c.until("the last step", func() bool {
			s, ok := c.status()
			return ok && s.Models[0].Rollout != nil && s.Models[0].Rollout.Weight == 50
		})
		c.ambush = c.environment.ambush(at)
		return
	}
	c.ambush = c.environment.ambush(at)
	c.takeAway(c.change())
}

// change commits what the phase is about.
func (c *crashing) change() (commit string) {
	if c.other.name == "" {
		return c.next(c.flaw)
	}
	c.model.version = "1"
	return c.commit(c.model, c.other)
}

// takeAway makes the remote go away once the daemon knows of the commit, if that
// is what is lost. Of a daemon that died before it knew, the next one needs it.
func (c *crashing) takeAway(commit string) {
	if c.loss != theRemote {
		return
	}
	known := false
	c.until("the commit is known", func() bool {
		s, ok := c.status()
		known = known || ok && s.Commit.ID == commit
		return known || c.ambush != nil && c.ambush.over()
	})
	if !known || c.ambush != nil && c.ambush.over() {
		return
	}
	c.away = c.dir + ".away"
	if err := os.Rename(c.dir, c.away); err != nil {
		c.environment.t.Fatal(err)
	}
}

// untilKilled waits for the death of the daemon.
func (c *crashing) untilKilled() {
	t := c.environment.t
	t.Helper()
	c.until("death, or the end of the rollout", func() bool { return c.ambush.over() || c.settled() })
	died, seen := c.ambush.end()
	if died == "" {
		t.Errorf("the daemon was not killed: the phase has only %d boundaries: %s", len(seen), strings.Join(seen, "; "))
		return
	}
	<-c.daemon.ended
	t.Logf("killed at %s at boundary %s", time.Now().Format(time.StampMilli), died)
}

// settled tells whether nothing is left to happen.
func (c *crashing) settled() bool {
	s, ok := c.status()
	if !ok {
		return false
	}
	at := slices.IndexFunc(s.Models, func(m controller.ModelStatus) bool { return m.Name == c.model.name })
	if at < 0 || s.Models[at].Version != c.model.version && c.model.version != "" {
		return false
	}
	m := &s.Models[at]
	if m.Rollout != nil || m.Previous != nil || m.Stable == nil {
		return false
	}
	if c.flaw != nil {
		return m.Phase == rollout.Held && len(m.Rejected) == 1
	}
	return s.Converged && m.Stable.Revision == m.Revision
}

// goOn starts the next daemon, and waits until it has brought everything to its
// end and the remote has the journal.
func (c *crashing) goOn() {
	t := c.environment.t
	t.Helper()
	if !c.daemon.running() {
		if c.loss == itsData {
			if err := os.RemoveAll(c.data); err != nil {
				t.Fatal(err)
			}
		}
		c.serve("file://" + c.dir)
	}
	c.until("the end of the rollout", c.settled)
	if c.away != "" {
		if err := os.Rename(c.away, c.dir); err != nil {
			t.Fatal(err)
		}
	}
	c.until("the journal is delivered", c.delivered)
}

// delivered tells whether the remote has the whole journal.
func (c *crashing) delivered() bool {
	s, ok := c.status()
	return ok && s.Journal.Pending == 0 && s.Journal.Error == ""
}

// journaled reads the decisions about the model out of the remote's branch: action,
// weight, and the version that it is about.
func (c *crashing) journaled() []string {
	c.environment.t.Helper()
	if c.git("for-each-ref", journalRef) == "" {
		return nil
	}
	var found []string
	for _, text := range strings.Split(c.git("log", "--reverse", "--format=%B%x00", journalRef), "\x00") {
		if strings.TrimSpace(text) == "" {
			continue
		}
		entry, err := journal.ParseMessage(strings.TrimSpace(text) + "\n")
		if err != nil {
			c.environment.t.Fatalf("%v in %q", err, text)
		}
		if entry.Model == c.model.name {
			found = append(found, fmt.Sprintf("%s %d %s", entry.Action, entry.Weight, entry.Version))
		}
	}
	return found
}

// journalRef is where the journal of the environment is.
var journalRef = "refs/heads/" + journal.Branch(spec.DefaultEnvironment)

// ending sees to it that all is as without the crash.
func (c *crashing) ending() {
	t := c.environment.t
	t.Helper()
	got := c.journaled()
	// The first entry of all may have gone with the disk, milliseconds before it was
	// delivered. What the next daemon finds then is nobody's rollout.
	adopted := c.loss == itsData && slices.Equal(got, []string{"adopt 0 1"})
	if !slices.Equal(got, c.phase.decisions) && (!adopted || c.name != "create") {
		t.Errorf("the journal has\n%q, want\n%q", got, c.phase.decisions)
	}
	if merged := c.git("rev-list", "--min-parents=2", journalRef); merged != "" {
		t.Errorf("the journal is not one line: %s", merged)
	}
	serving := c.model
	if c.flaw != nil {
		serving.version = "1"
	}
	models := []model{serving}
	if c.other.name != "" {
		models = append(models, c.other)
	}
	c.untilNothing(func() string { return c.difference(models) })
	if got := c.serving(c.model.name); got != serving.version {
		t.Errorf("version %q serves, want %q", got, serving.version)
	}
}
