package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

func TestTheStatusOfACommit(t *testing.T) {
	model := func(name string, phase rollout.Phase, reason string) controller.ModelStatus {
		return controller.ModelStatus{Name: name, Phase: phase, Reason: reason}
	}
	good := model("audio", rollout.Steady, "")
	for name, c := range map[string]struct {
		models    []controller.ModelStatus
		converged bool
		state     reconcile.CommitState
		text      string
	}{
		"all is well":        {[]controller.ModelStatus{good, good}, true, reconcile.CommitSuccess, "2 models are as this commit wants them"},
		"one is on its way":  {[]controller.ModelStatus{good, model("digits", rollout.Rolling, "step 1 of 3")}, false, reconcile.CommitPending, "digits: step 1 of 3"},
		"the gateway is not": {[]controller.ModelStatus{good}, false, reconcile.CommitPending, "coming up"},
		"one is held":        {[]controller.ModelStatus{model("digits", rollout.Held, "2.0 was rejected"), model("x", rollout.Rolling, "y")}, false, reconcile.CommitHeld, "digits: 2.0 was rejected"},
		"one fails beside it": {
			[]controller.ModelStatus{model("digits", rollout.Held, "held"), model("x", rollout.Degraded, "no\nimage"), model("y", rollout.Degraded, "z")},
			false,
			reconcile.CommitFailure, "x: no image (and 1 more)",
		},
	} {
		s := &controller.Status{Environment: "prod", Commit: spec.Commit{ID: "one"}, Models: c.models, Converged: c.converged}
		all := statusOf(s, "", false)
		if got := all["one"]; len(all) != 1 || got.State != c.state || got.Text != c.text || got.Context != "fairlead/prod" {
			t.Errorf("%s: got %+v", name, all)
		}
		s.Source = controller.SourceStatus{Commit: "two", Refused: true, Error: "it is not signed"}
		if got := statusOf(s, "", false)["two"]; got.State != reconcile.CommitFailure || got.Text != "refused: it is not signed" {
			t.Errorf("%s: a refused commit has %+v", name, got)
		}
		if got := statusOf(s, "", true)["two"]; got.State != reconcile.CommitPending || got.Text != "waits: it is not signed" {
			t.Errorf("%s: one that waits has %+v", name, got)
		}
	}
	if all := statusOf(&controller.Status{Commit: spec.Commit{ID: "one"}}, "", false); len(all) != 0 {
		t.Errorf("before models were looked at there is nothing to say: %+v", all)
	}
}

// refusing is a forge that takes no status.
type refusing struct {
	reconcile.Forge
	err   error
	calls int
}

func (f *refusing) Status(context.Context, string, reconcile.CommitStatus) (bool, error) {
	f.calls++
	return false, f.err
}

// A forge that refuses statuses, as for a token without the right, is not asked at each
// look; one that is away is.
func TestARefusedStatusIsLeftAloneForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			err   error
			calls int
		}{{errors.New("403: no right"), 1}, {fmt.Errorf("%w: no answer", reconcile.ErrUnavailable), 10}} {
			forge := &refusing{err: c.err}
			var logged strings.Builder
			statuses := newCommitStatuses(&repository{site: &Site{}, include: &spec.Include{Name: "team"}, forge: forge}, slog.New(slog.NewTextHandler(&logged, nil)))
			all := map[string]reconcile.CommitStatus{"one": {State: reconcile.CommitPending, Text: "coming up"}}
			for range 10 {
				statuses.send(t.Context(), all)
			}
			if forge.calls != c.calls || strings.Count(logged.String(), "set the status") != 1 {
				t.Errorf("%v: %d calls, and the log says\n%s", c.err, forge.calls, logged.String())
			}
			all["one"] = reconcile.CommitStatus{State: reconcile.CommitSuccess, Text: "done"}
			statuses.send(t.Context(), all)
			time.Sleep(refusedPause)
			statuses.send(t.Context(), all)
			if forge.calls != c.calls+2 {
				t.Errorf("%v: %d calls after another status, and after a while", c.err, forge.calls)
			}
		}
	})
}
