package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

// errorCheck is a canary that looks at the errors of half of the requests.
const errorCheck = `
  rollout {
    strategy = canary
    step {
      weight = 50
      hold   = "4s"
    }
    check "errors" {
      metric      = error_ratio
      max         = 0.02
      interval    = "2s"
      min_samples = 50
    }
    progress_deadline = "2m"
    keep_previous     = "0s"
  }
`

// canaryOf is a model whose new versions are checked for errors.
func canaryOf(e *environment, version string, env map[string]string) model {
	return model{name: "digits", image: e.image, version: version, replicas: 1, env: env, body: errorCheck}
}

func (e *environment) model(name string) controller.ModelStatus {
	s, _ := e.status()
	for _, m := range s.Models {
		if m.Name == name {
			return m
		}
	}
	return controller.ModelStatus{}
}

func TestEvidencePromotesAndRollsBack(t *testing.T) {
	e, r := newEnvironment(t), newRepo(t)
	first := canaryOf(e, "1", nil)
	commit := r.commit(first)
	e.serve(r.dir)
	e.converged(commit)

	load := startLoad(t, e.url("digits"))
	good := canaryOf(e, "2", nil)
	e.converged(r.commit(good))
	if got := e.serving("digits"); got != "2" {
		t.Errorf("version %s serves, want the good one", got)
	}
	if last := e.model("digits").Last; last == nil || last.Outcome != journal.Promoted {
		t.Errorf("the rollout of the good version ended as %+v", last)
	}
	e.exactly(good)
	load.finish(t) // not one request was lost

	failing := startLoad(t, e.url("digits"))
	stable := e.model("digits").Stable.Revision
	bad := canaryOf(e, "3", map[string]string{"FAIL_EVERY": `"4"`})
	commit = r.commit(bad)
	e.until("the bad version to be rolled back", func() bool {
		m := e.model("digits")
		return m.Phase == rollout.Held && m.Serving == stable && len(m.Rejected) == 1 && len(e.replicas("digits")) == 1
	})
	failing.stop()
	t.Logf("%d of %d requests failed until then", failing.failures.Load(), failing.requests.Load())
	rejected := e.model("digits").Rejected[0]
	if rejected.Cause != journal.CauseFailed || rejected.Version != "" || len(rejected.Evidence) != 1 {
		t.Errorf("the ledger holds %+v", rejected)
	}
	t.Logf("rejected: %s", rejected.Reason)
	if got := e.serving("digits"); got != "2" {
		t.Errorf("version %s serves, want the good one", got)
	}

	// Another daemon, whose only memory of decisions is the repository, knows it
	// all.
	e.daemon.stop()
	for _, dir := range []string{"journal", "metrics"} {
		if err := os.RemoveAll(filepath.Join(e.data, dir)); err != nil {
			t.Fatal(err)
		}
	}
	branch := journal.Branch("default")
	if log := r.git("log", "--format=%s", branch); strings.Count(log, "roll back") != 1 || strings.Count(log, "promote") != 2 {
		t.Errorf("the journal in the repository reads:\n%s", log)
	}
	var history app.History
	e.serve(r.dir)
	e.until("the history", func() bool {
		return e.get("/api/v1/history?model=digits", &history) == nil && len(history.Entries) > 0
	})
	if newest := history.Entries[0]; newest.Action != journal.ActionRollback || newest.Actor != journal.Daemon || newest.Commit != commit {
		t.Errorf("the newest entry is %+v", newest)
	}
	e.until("the rejected version to be held", func() bool { return e.model("digits").Phase == rollout.Held })
}
