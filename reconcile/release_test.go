package reconcile

import (
	"reflect"
	"testing"

	"github.com/fairlead/fairlead/spec"
)

func artifact(host, digest, target string) *spec.Artifact {
	return &spec.Artifact{Ref: "oci://" + host + "/digits@sha256:" + digest, Digest: "sha256:" + digest, Target: target}
}

func TestArtifactIsPartOfTheRevisionWhereItsBytesAre(t *testing.T) {
	revision := func(a *spec.Artifact) string {
		return NewTarget(&spec.Model{Port: 8080, Artifact: a}, Image{Pin: "sha256:one"}, nil).Revision
	}
	base := revision(artifact("one.example", "aa", "/model"))
	if got := revision(artifact("two.example", "aa", "/model")); got != base {
		t.Error("the same bytes from elsewhere are another revision")
	}
	for name, other := range map[string]*spec.Artifact{
		"other bytes": artifact("one.example", "bb", "/model"), "another directory": artifact("one.example", "aa", "/weights"), "no artifact": nil,
	} {
		if revision(other) == base {
			t.Errorf("%s: it is the same revision", name)
		}
	}
}

// An upgrade of Fairlead must not replace what runs.
func TestModelWithoutArtifactHasTheRevisionThatItAlwaysHad(t *testing.T) {
	m := &spec.Model{Port: 8080, Container: spec.Container{Command: []string{"serve"}, Env: map[string]spec.EnvValue{"A": {Value: "b"}}, Restart: spec.RestartUnlessStopped}}
	target := NewTarget(m, Image{Pin: "sha256:one"}, nil)
	const label = `{"image":"sha256:one","port":8080,"command":["serve"],"env":{"A":"b"},"restart":"unless_stopped"}`
	if got := string(target.Inputs.encode()); got != label {
		t.Errorf("the inputs are %s, were %s", got, label)
	}
	if target.Revision != "c14bdd001477" {
		t.Errorf("the revision is %s", target.Revision)
	}
}

func TestRestoredReleaseHasItsArtifact(t *testing.T) {
	m := &spec.Model{Name: "digits", Port: 8080, Artifact: artifact("one.example", "aa", "/model")}
	old := NewTarget(m, Image{Pin: "sha256:one"}, nil)
	now := &spec.Model{Name: "digits", Port: 8080, Artifact: artifact("one.example", "bb", "/model")}
	in, ok := ParseInputs(Scope{"o", "e"}.Replica(old, 1, "c", nil).Labels[LabelInputs])
	if !ok {
		t.Fatal("the label does not parse")
	}
	restored := Restore(now, in, "digits:1", spec.Health{}, nil)
	if restored.Revision != old.Revision || !reflect.DeepEqual(restored.Model.Artifact, m.Artifact) {
		t.Errorf("restored %s with %+v, want %s with %+v", restored.Revision, restored.Model.Artifact, old.Revision, m.Artifact)
	}
	bare := NewTarget(&spec.Model{Name: "digits", Port: 8080}, Image{Pin: "sha256:one"}, nil)
	if got := Restore(now, bare.Inputs, "digits:1", spec.Health{}, nil); got.Model.Artifact != nil || got.Revision != bare.Revision {
		t.Errorf("a release without artifact was restored with %+v", got.Model.Artifact)
	}
	if again := NewTarget(restored.Model, restored.Image, nil); again.Revision != old.Revision {
		t.Errorf("bound again it is %s, was %s", again.Revision, old.Revision)
	}
}

func TestWhatAModelDeclares(t *testing.T) {
	m := func(change func(*spec.Model)) *spec.Model {
		m := &spec.Model{Name: "digits", Image: "digits:1", Port: 8080, Artifact: artifact("one.example", "aa", "/model"), Container: spec.Container{
			Env: map[string]spec.EnvValue{"A": {Value: "b"}, "KEY": {Secret: "key"}}, SecretFiles: map[string]string{"/run/key": "key"},
		}}
		if change != nil {
			change(m)
		}
		return m
	}
	in := NewTarget(m(nil), Image{Ref: "digits:1", Pin: "sha256:one"}, map[string]string{"key": "v7"}).Inputs
	for name, c := range map[string]struct {
		change func(*spec.Model)
		want   bool
	}{
		"the same":                  {nil, true},
		"what changes in place":     {func(m *spec.Model) { m.Replicas, m.Version, m.Health.Path = 4, "2", "/up" }, true},
		"the same bytes elsewhere":  {func(m *spec.Model) { m.Artifact.Ref = "oci://two.example/digits@sha256:aa" }, true},
		"another image":             {func(m *spec.Model) { m.Image = "digits:2" }, false},
		"another value":             {func(m *spec.Model) { m.Container.Env["A"] = spec.EnvValue{Value: "c"} }, false},
		"another secret":            {func(m *spec.Model) { m.Container.Env["KEY"] = spec.EnvValue{Secret: "other"} }, false},
		"another port":              {func(m *spec.Model) { m.Port = 9090 }, false},
		"no artifact":               {func(m *spec.Model) { m.Artifact = nil }, false},
		"another amount of memory":  {func(m *spec.Model) { m.Container.Resources.Memory = 1 }, false},
		"a text in place of secret": {func(m *spec.Model) { m.Container.Env["KEY"] = spec.EnvValue{Value: "key"} }, false},
	} {
		if got := Declares(m(c.change), in, "digits:1"); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
