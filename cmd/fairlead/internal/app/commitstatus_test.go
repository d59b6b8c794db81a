package app

import (
	"testing"

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
