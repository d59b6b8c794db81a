package plan_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/spec"
)

func diff(d *reconcile.Desired, containers ...reconcile.Container) *plan.Plan {
	return plan.Diff(d, &plan.Observed{Containers: containers}, now)
}

// only returns the one change of a plan.
func only(t *testing.T, p *plan.Plan) plan.Change {
	t.Helper()
	if len(p.Changes) != 1 {
		t.Fatalf("%d changes, want one: %+v", len(p.Changes), p.Changes)
	}
	return p.Changes[0]
}

func TestActionSaysWhatWillHappen(t *testing.T) {
	two := target(model("digits", 2), "a")
	cases := map[string]struct {
		want       *reconcile.Target
		containers []reconcile.Container
		action     plan.Action
		reason     string
	}{
		"a model that does not run is created": {two, nil, plan.Create, "is in Git at c0ffee and does not run"},
		"one of another content is replaced": {
			target(model("digits", 2), "b"),
			[]reconcile.Container{container(two, 1), container(two, 2)},
			plan.Replace, "changed in Git; needs new containers",
		},
		"a replacement under way goes on": {
			two,
			[]reconcile.Container{container(two, 1), container(target(model("digits", 2), "b"), 1)},
			plan.Replace, "is not finished",
		},
		"more replicas are an update": {
			target(model("digits", 3), "a"),
			[]reconcile.Container{from("old", container(two, 1)), from("old", container(two, 2))},
			plan.Update, "needs no new container",
		},
		"a lost replica is healed": {two, []reconcile.Container{container(two, 2)}, plan.Heal, "1 of 2 replicas are gone"},
		"an ended replica is healed": {
			two,
			[]reconcile.Container{container(two, 1), ended(container(two, 2))},
			plan.Heal, "replica 2 ended 5s ago (exit code 137)",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := only(t, diff(desired(tc.want), tc.containers...))
			if c.Action != tc.action || !strings.Contains(strings.Join(c.Reasons, "; "), tc.reason) {
				t.Errorf("%s because %q, want %s because of %q", c.Action, c.Reasons, tc.action, tc.reason)
			}
		})
	}
}

func from(commit string, c reconcile.Container) reconcile.Container {
	c.Commit = commit
	return c
}

func ended(c reconcile.Container) reconcile.Container {
	c.State, c.ExitCode, c.Finished = reconcile.StateExited, 137, now.Add(-5*time.Second)
	return c
}

func TestModelThatIsNotInGitIsDestroyed(t *testing.T) {
	c := only(t, diff(desired(), container(target(model("old", 1), "a"), 1)))
	if c.Action != plan.Destroy || c.Address.String() != "model.old" {
		t.Errorf("%s %s", c.Action, c.Address)
	}
}

func TestForgottenModelIsNoChange(t *testing.T) {
	d := desired()
	d.Forgotten = map[string]bool{"old": true}
	if p := diff(d, container(target(model("old", 1), "a"), 1)); !p.Empty() {
		t.Errorf("changes: %+v", p.Changes)
	}
}

func TestModelThatCannotBeBoundIsBlocked(t *testing.T) {
	m := model("digits", 2)
	d := desired()
	d.Config.Models = []*spec.Model{m}
	d.Unbound = map[string]error{"digits": errors.New("no such image")}
	p := diff(d, container(target(m, "a"), 1))
	if c := only(t, p); c.Action != plan.Blocked || c.Reasons[0] != "no such image" || c.Pos != m.Pos {
		t.Errorf("%+v", c)
	}
	if p.Summary.Destroy != 0 {
		t.Error("a model that Git wants must not count as destroyed")
	}
}

// Every input has the path that it has in HCL, old and new value, and secrets
// show only that they changed.
func TestFieldsSayFromWhatToWhat(t *testing.T) {
	before, after := model("digits", 1), model("digits", 1)
	before.Container.Env = map[string]spec.EnvValue{"THREADS": {Value: "1"}, "TOKEN": {Secret: "token"}, "GONE": {Value: "x"}}
	after.Container.Env = map[string]spec.EnvValue{"THREADS": {Value: "2"}, "TOKEN": {Secret: "token"}}
	after.Image = "digits:2"
	after.Container.Resources.Memory = 1 << 29
	after.Container.SecretFiles = map[string]string{"key": "key"}
	after.Container.Mounts = []spec.Mount{{Type: spec.MountTmpfs, Target: "/tmp", Size: 4096}}
	old := reconcile.NewTarget(before, reconcile.Image{Ref: "digits:1", Pin: "sha256:aaaaaaaaaaaaaaaa"}, map[string]string{"token": "one"})
	next := reconcile.NewTarget(after, reconcile.Image{Ref: "digits:2", Pin: "sha256:bbbbbbbbbbbbbbbb"}, map[string]string{"token": "two", "key": "k"})

	p := diff(desired(next), container(old, 1))
	got := map[string]plan.Field{}
	for _, f := range only(t, p).Fields {
		got[f.Path] = f
	}
	want := map[string]plan.Field{
		"image":            {Path: "image", Old: "digits:1 (sha256:aaaaaaaaaaaa)", New: "digits:2 (sha256:bbbbbbbbbbbb)", Replaces: true},
		"env.THREADS":      {Path: "env.THREADS", Old: "1", New: "2", Replaces: true},
		"env.GONE":         {Path: "env.GONE", Old: "x", Replaces: true},
		"env.TOKEN":        {Path: "env.TOKEN", Replaces: true, Sensitive: true},
		"secrets.key":      {Path: "secrets.key", Replaces: true, Sensitive: true},
		"resources.memory": {Path: "resources.memory", Old: "268435456", New: "536870912", Replaces: true},
		"mount./tmp":       {Path: "mount./tmp", New: `{"size":4096,"type":"tmpfs"}`, Replaces: true},
	}
	for path, f := range want {
		if got[path] != f {
			t.Errorf("%s: %+v, want %+v", path, got[path], f)
		}
		delete(got, path)
	}
	for path := range got {
		t.Errorf("unexpected field %s", path)
	}
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{`"one"`, `"two"`, "token@"} {
		if strings.Contains(string(data), version) {
			t.Errorf("the plan shows the version of a secret: %s", version)
		}
	}
}

func TestGatewayComesFirst(t *testing.T) {
	d := desired(target(model("digits", 1), "a"))
	d.Gateway = reconcile.NewGatewayTarget(reconcile.Image{}, "127.0.0.1", 8080, spec.NewSensitive("t"), "v", reconcile.GatewayTLS{})
	p := diff(d)
	if p.Changes[0].Address.Kind != spec.KindGateway || p.Changes[0].Action != plan.Create || p.Summary.Create != 2 {
		t.Errorf("%+v", p)
	}
}

func TestChangesInPlaceNameTheArgument(t *testing.T) {
	m := model("digits", 1)
	want := target(m, "a")
	view := settle(want, []reconcile.Container{container(want, 1)})
	changed := *m
	changed.Routes = []spec.Route{{Path: "/digits", Timeout: time.Second}}
	changed.Health.Path = "/other"
	next := target(&changed, "a")
	c := only(t, plan.Diff(desired(next), &plan.Observed{Containers: []reconcile.Container{container(want, 1)}, View: view}, now))
	var paths []string
	for _, f := range c.Fields {
		paths = append(paths, f.Path)
	}
	if c.Action != plan.Update || strings.Join(paths, " ") != "route health.path" {
		t.Errorf("%s of %v", c.Action, paths)
	}
}

func TestArtifactThatChangesIsAReason(t *testing.T) {
	with := func(digit, host string) *reconcile.Target {
		m := model("digits", 1)
		if digit != "" {
			digest := "sha256:" + strings.Repeat(digit, 64)
			m.Artifact = &spec.Artifact{Ref: "oci://" + host + "/digits@" + digest, Digest: digest, Target: "/model"}
		}
		return target(m, "a")
	}
	old := with("a", "one.example")
	for name, tc := range map[string]struct {
		want   *reconcile.Target
		reason string
	}{
		"other bytes": {with("b", "one.example"), "artifact sha256:aaaaaaaaaaaa… → sha256:bbbbbbbbbbbb…"},
		"none":        {with("", ""), "artifact sha256:aaaaaaaaaaaa… → none"},
	} {
		c := only(t, diff(desired(tc.want), container(old, 1)))
		if c.Action != plan.Replace || !slices.Contains(c.Reasons, tc.reason) {
			t.Errorf("%s: %s because of %q", name, c.Action, c.Reasons)
		}
		for _, f := range c.Fields {
			if f.Path != "artifact" && f.Path != "artifact_path" || !f.Replaces {
				t.Errorf("%s: field %+v", name, f)
			}
		}
	}
	if p := diff(desired(with("a", "two.example")), container(old, 1)); !p.Empty() {
		t.Errorf("the same bytes from elsewhere: %+v", p.Changes)
	}
	c := only(t, diff(desired(old)))
	if want := (plan.Field{Path: "artifact", New: old.Model.Artifact.Ref}); !slices.Contains(c.Fields, want) {
		t.Errorf("a new model has the fields %+v", c.Fields)
	}
}

func TestStepsOfPipelinesAreNoModels(t *testing.T) {
	two := target(model("digits", 1), "a")
	step := reconcile.Container{ID: "s", Kind: spec.KindStep, Run: "train-1", Node: "fit", State: reconcile.StateRunning}
	if p := diff(desired(two), container(two, 1), step); !p.Empty() || p.Running != 1 {
		t.Errorf("%d running, changes: %+v", p.Running, p.Changes)
	}
}
