package plan_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

var (
	scope = reconcile.Scope{Owner: "fairlead", Environment: "test"}
	now   = time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)
)

func model(name string, replicas int) *spec.Model {
	return &spec.Model{
		Address: spec.Address{Kind: spec.KindModel, Name: name}, Name: name, Pos: spec.Pos{File: "models.hcl", Line: 3},
		Image: "digits:1", Protocol: spec.OpenInference, Port: 8080, Replicas: replicas,
		Container: spec.Container{Restart: spec.RestartUnlessStopped, Resources: spec.Resources{Memory: 1 << 28, PIDs: 256}},
		Health:    spec.Health{Path: "/ready", Interval: time.Second, Timeout: time.Second, Deadline: time.Minute},
	}
}

func target(m *spec.Model, content string) *reconcile.Target {
	return reconcile.NewTarget(m, reconcile.Image{Ref: m.Image, Pin: "sha256:" + content, LocalOnly: true}, nil)
}

// container is a replica of a target as an engine lists it when all is well.
func container(t *reconcile.Target, ordinal int) reconcile.Container {
	s := scope.Replica(t, ordinal, "c0ffee", nil)
	c := reconcile.Container{
		ID: fmt.Sprintf("%s-%d", t.Revision, ordinal), Name: s.Name, State: reconcile.StateRunning,
		Started: now.Add(-time.Hour), Address: fmt.Sprintf("10.0.0.%d", ordinal), Limits: reconcile.LimitsOf(t.Model.Container),
	}
	c.ReadLabels(s.Labels)
	return c
}

func desired(targets ...*reconcile.Target) *reconcile.Desired {
	d := &reconcile.Desired{Scope: scope, Commit: spec.Commit{ID: "c0ffee"}, Config: &spec.Config{}, Targets: map[string]*reconcile.Target{}}
	for _, t := range targets {
		d.Targets[t.Model.Name] = t
		d.Config.Models = append(d.Config.Models, t.Model)
	}
	return d
}

// What a person is told and what is done must be the same thing: the plan is
// empty exactly when the next step of the model is to do nothing.
func TestPlanIsEmptyExactlyWhenNothingIsLeftToDo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := target(model("digits", rapid.IntRange(0, 3).Draw(rt, "replicas")), "new")
		old := target(model("digits", 2), "old")
		var containers []reconcile.Container
		for i := range rapid.IntRange(0, 3).Draw(rt, "of the target") {
			containers = append(containers, alter(rt, container(want, i+1)))
		}
		for i := range rapid.IntRange(0, 1).Draw(rt, "of another revision") {
			containers = append(containers, alter(rt, container(old, i+1)))
		}
		view := settle(want, containers)
		p := plan.Diff(desired(want), &plan.Observed{Containers: containers, View: view}, now)
		d := settled(want, containers, &view)
		if idle := len(d.Commands) == 0 && len(d.Entry.Revisions) <= 1; p.Empty() != idle {
			rt.Fatalf("the plan has changes %+v, the next step is %+v (%s)", p.Changes, d.Commands, d.Reason)
		}
	})
}

// alter does one of the things that happen to containers, or none.
func alter(rt *rapid.T, c reconcile.Container) reconcile.Container {
	switch rapid.SampledFrom([]string{"", "", "", "exited", "created", "paused", "dead", "renamed", "limits", "address"}).Draw(rt, "altered") {
	case "exited":
		c.State, c.Finished, c.Address = reconcile.StateExited, now.Add(-time.Second), ""
	case "created":
		c.State, c.Started, c.Address = reconcile.StateCreated, time.Time{}, ""
	case "paused":
		c.State = reconcile.StatePaused
	case "dead":
		c.State, c.Address = reconcile.StateDead, ""
	case "renamed":
		c.Name = "mine"
	case "limits":
		c.Limits.Memory = 1
	case "address":
		c.Address = ""
	}
	return c
}

// settle is a view in which the gateway finds every replica healthy and routes
// as the model's next step would have it.
func settle(t *reconcile.Target, containers []reconcile.Container) reconcile.RouterView {
	view := reconcile.RouterView{Known: true, At: now, Report: reconcile.Report{Sequence: 1, Replicas: map[string]reconcile.ReplicaHealth{}}}
	for _, c := range containers {
		if c.State == reconcile.StateRunning {
			view.Report.Replicas[c.ID] = reconcile.ReplicaHealth{Healthy: true, HealthyFor: time.Hour}
		}
	}
	d := settled(t, containers, &view)
	if d.Entry != nil {
		view.Table = reconcile.Table{FormatVersion: reconcile.TableFormat, Models: []reconcile.RoutedModel{*d.Entry}}
	}
	return view
}

// settled is the next step of a model once nothing is left to be decided.
func settled(t *reconcile.Target, containers []reconcile.Container, view *reconcile.RouterView) rollout.Decision {
	in := rollout.Input{Name: t.Model.Name, Target: t, Scope: scope, Containers: containers, View: view}
	for {
		d := rollout.Step(rollout.State{}, in, now)
		if d.Transition == nil {
			return d
		}
		in.Record = *d.Transition.Record
	}
}
