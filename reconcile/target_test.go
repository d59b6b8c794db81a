package reconcile

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec"
)

// inPlace are the fields of spec.Container that need no new container.
var inPlace = map[string]bool{"StopTimeout": true}

// A field of the spec that is forgotten in the revision would change without any
// effect. So every field that is set must change the revision, but for those
// that are known to change in place.
func TestEveryFieldOfAContainerIsPartOfTheRevision(t *testing.T) {
	base := NewTarget(&spec.Model{}, Image{}, nil).Revision
	var check func(t *testing.T, path string, m *spec.Model, field reflect.Value)
	check = func(t *testing.T, path string, m *spec.Model, field reflect.Value) {
		if field.Kind() == reflect.Struct {
			for i := range field.NumField() {
				check(t, path+"."+field.Type().Field(i).Name, m, field.Field(i))
			}
			return
		}
		zero := reflect.New(field.Type()).Elem()
		field.Set(sample(t, field.Type()))
		changed := NewTarget(m, Image{}, nil).Revision != base
		field.Set(zero)
		if want := !inPlace[path[strings.LastIndex(path, ".")+1:]]; changed != want {
			t.Errorf("%s changes the revision: %t, want %t", path, changed, want)
		}
	}
	m := &spec.Model{}
	check(t, "Container", m, reflect.ValueOf(&m.Container).Elem())
}

// sample is a value of the type that is not zero.
func sample(t *testing.T, typ reflect.Type) reflect.Value {
	v := reflect.New(typ).Elem()
	switch typ.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Slice:
		v.Set(reflect.Append(v, sample(t, typ.Elem())))
	case reflect.Map:
		v.Set(reflect.MakeMap(typ))
		v.SetMapIndex(sample(t, typ.Key()), sample(t, typ.Elem()))
	case reflect.Struct:
		for i := range typ.NumField() {
			v.Field(i).Set(sample(t, typ.Field(i).Type))
		}
	default:
		t.Fatalf("no sample of %s", typ)
	}
	return v
}

func TestRevisionFollowsContentAndNothingElse(t *testing.T) {
	m := &spec.Model{Port: 8080, Container: spec.Container{Env: map[string]spec.EnvValue{"TOKEN": {Secret: "token"}}}}
	image := Image{Ref: "a:1", Pin: "sha256:one"}
	one := NewTarget(m, image, map[string]string{"token": "v1"})
	same := *m
	same.Replicas, same.Version, same.Description = 7, "2.0.0", "other"
	same.Routes = []spec.Route{{Path: "/x"}}
	if got := NewTarget(&same, Image{Ref: "a:latest", Pin: "sha256:one"}, map[string]string{"token": "v1"}); got.Revision != one.Revision {
		t.Error("what changes in place changed the revision")
	}
	for name, other := range map[string]*Target{
		"another image":               NewTarget(m, Image{Ref: "a:1", Pin: "sha256:two"}, map[string]string{"token": "v1"}),
		"another value of the secret": NewTarget(m, image, map[string]string{"token": "v2"}),
	} {
		if other.Revision == one.Revision {
			t.Errorf("%s has the same revision", name)
		}
	}
}

func TestUsedSecretsAreThoseOfContainersAndOfRoutes(t *testing.T) {
	m := &spec.Model{
		Container: spec.Container{
			Env:         map[string]spec.EnvValue{"TOKEN": {Secret: "token"}, "THREADS": {Value: "2"}},
			SecretFiles: map[string]string{"key.pem": "key"},
		},
		Routes: []spec.Route{{Path: "/open"}, {Path: "/keys", Auth: &spec.RouteAuth{APIKeys: []string{"partner", "token"}}}, {Path: "/tokens", Auth: &spec.RouteAuth{JWT: &spec.JWT{}}}},
	}
	want := map[string]bool{"token": true, "key": true, "partner": true}
	if got := UsedSecrets(m); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Whoever replaces the key of a partner wants the gateway to take the new one,
// and no new containers.
func TestKeysOfRoutesAreNoPartOfTheRevision(t *testing.T) {
	m := &spec.Model{}
	base := NewTarget(m, Image{}, nil).Revision
	m.Routes = []spec.Route{{Path: "/x", Auth: &spec.RouteAuth{APIKeys: []string{"partner"}}}}
	for _, version := range []string{"v1", "v2"} {
		if got := NewTarget(m, Image{}, map[string]string{"partner": version}).Revision; got != base {
			t.Errorf("%s changes the revision from %s to %s", version, base, got)
		}
	}
}

func TestInputsSurviveTheLabel(t *testing.T) {
	m := &spec.Model{Port: 1, Container: spec.Container{Command: []string{"serve"}, Env: map[string]spec.EnvValue{"A": {Value: "b"}}}}
	target := NewTarget(m, Image{Pin: "sha256:one"}, nil)
	label := Scope{"o", "e"}.Replica(target, 1, "c", nil).Labels[LabelInputs]
	in, ok := ParseInputs(label)
	if !ok || in.Revision() != target.Revision || !reflect.DeepEqual(in, target.Inputs) {
		t.Errorf("read back %+v, want %+v", in, target.Inputs)
	}
	if _, ok := ParseInputs("not JSON"); ok {
		t.Error("a broken label was read")
	}
}

// A container's spec is passed around, logged in errors and compared in tests;
// whatever prints it must not print the values of secrets.
func TestContainerSpecDoesNotPrintSecrets(t *testing.T) {
	m := &spec.Model{Container: spec.Container{
		Env: map[string]spec.EnvValue{"TOKEN": {Secret: "token"}}, SecretFiles: map[string]string{"file": "token"},
	}}
	target := NewTarget(m, Image{}, map[string]string{"token": "v"})
	c := Scope{"o", "e"}.Replica(target, 1, "c", map[string]spec.Sensitive{"token": spec.NewSensitive("hunter2")})
	if got := c.SecretEnv["TOKEN"].Reveal() + c.SecretFiles["file"].Reveal(); got != "hunter2hunter2" {
		t.Fatalf("the container gets %q", got)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, c); strings.Contains(text, "hunter2") {
			t.Errorf("%s prints the secret", verb)
		}
	}
}
