package plan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/capacity"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/spec"
)

// The models of this package take 256 MiB a replica.
func hostOf(replicas int64) capacity.Host {
	return capacity.Host{Engine: reconcile.Engine{CPUs: 1, Memory: replicas << 28}}
}

// A step ends by itself, so a plan only says that its room is waited for.
func TestChangeWaitsForStepsOfPipelines(t *testing.T) {
	step := reconcile.Container{ID: "s", Kind: spec.KindStep, State: reconcile.StateRunning, Limits: reconcile.Limits{Memory: 1 << 28}}
	c := only(t, plan.Diff(desired(target(model("digits", 2), "a")), &plan.Observed{Containers: []reconcile.Container{step}, Host: hostOf(2)}, now))
	if c.Problem != "" || !strings.Contains(strings.Join(c.Reasons, "; "), "waits for room") {
		t.Errorf("problem %q, reasons %q", c.Problem, c.Reasons)
	}
}

func TestChangeWithoutRoomIsAProblem(t *testing.T) {
	old, next := target(model("digits", 2), "a"), target(model("digits", 2), "b")
	running := []reconcile.Container{container(old, 1), container(old, 2)}
	cases := map[string]struct {
		want       *reconcile.Target
		containers []reconcile.Container
		room       int64
		records    map[string]journal.Record
		action     plan.Action
		problem    string
	}{
		"a new model that fits":       {next, nil, 2, nil, plan.Create, ""},
		"a new model that does not":   {next, nil, 1, nil, plan.Create, "no room: needs 512 MiB of memory, the engine has 256 MiB"},
		"both revisions fit":          {next, running, 4, nil, plan.Replace, ""},
		"both revisions do not fit":   {next, running, 3, nil, plan.Replace, "no room: needs 1 GiB of memory while both revisions run (512 MiB stable, 512 MiB candidate), the engine has 768 MiB"},
		"replicas that do not fit":    {target(model("digits", 4), "a"), []reconcile.Container{from("old", container(old, 1)), from("old", container(old, 2))}, 3, nil, plan.Update, "no room: needs 1 GiB of memory"},
		"an engine that is not known": {next, running, 0, nil, plan.Replace, ""},
		"a rejected revision needs no room": {
			next, running, 2,
			map[string]journal.Record{"digits": {
				Stable: &journal.Release{Revision: old.Revision, Inputs: old.Inputs}, Rejected: []journal.Rejection{{Release: journal.Release{Revision: next.Revision}}},
			}},
			plan.Hold, "",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := plan.Diff(desired(tc.want), &plan.Observed{Containers: tc.containers, Host: hostOf(tc.room), Records: tc.records}, now)
			c := only(t, p)
			if c.Action != tc.action || !strings.HasPrefix(c.Problem, tc.problem) || (tc.problem == "") != (c.Problem == "") {
				t.Errorf("%s with the problem %q, want %s with %q", c.Action, c.Problem, tc.action, tc.problem)
			}
			if (p.Summary.Problems > 0) != (tc.problem != "") {
				t.Errorf("%d problems", p.Summary.Problems)
			}
			data, err := json.Marshal(p)
			if err != nil || strings.Contains(string(data), `"problem":"no room`) != (tc.problem != "") {
				t.Errorf("%v: %s", err, data)
			}
		})
	}
}

func TestModelThatWaitsForAnotherToLeaveIsNoProblem(t *testing.T) {
	leaving := target(model("old", 2), "a")
	p := plan.Diff(desired(target(model("digits", 2), "a")), &plan.Observed{
		Containers: []reconcile.Container{container(leaving, 1), container(leaving, 2)}, Host: hostOf(3),
	}, now)
	if len(p.Changes) != 2 || p.Summary.Problems != 0 {
		t.Fatalf("%+v", p)
	}
	for _, c := range p.Changes {
		waits := strings.Contains(strings.Join(c.Reasons, "; "), "waits for room: needs 512 MiB of memory, the engine has 768 MiB, 512 MiB are taken by other models")
		if waits != (c.Action == plan.Create) {
			t.Errorf("%s: %q", c.Action, c.Reasons)
		}
	}
}
