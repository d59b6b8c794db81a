package lang

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/spec"
)

func TestOverlayReplacesArgumentsMergesLabelsAndReplacesLists(t *testing.T) {
	repo := tree{"a.hcl": `
model "m" {
  image    = "m:1"
  env      = { A = "1", B = "2" }
  replicas = 2
  port     = 9000
  mount "/a" {
    type   = volume
    source = "a"
  }
  mount "/b" {
    type   = volume
    source = "b"
  }
  resources {
    cpus   = 2
    memory = "1GiB"
  }
  route {
    path = "/one"
  }
  route {
    path = "/two"
  }
}
`, "prod/one.hcl": `
environment "prod" {
  model "m" {
    env  = { C = "3" }
    port = null
    mount "/b" {
      read_only = true
    }
    mount "/c" {
      type = tmpfs
    }
    resources {
      memory = "2GiB"
    }
    route {
      path = "/only"
    }
  }
}
`}
	m := mustLoad(t, NewLoader(), repo, Options{Environment: "prod"}).Model("m")
	c := m.Container
	if want := map[string]spec.EnvValue{"C": {Value: "3"}}; !reflect.DeepEqual(c.Env, want) {
		t.Errorf("an argument replaces: got %v", c.Env)
	}
	if m.Replicas != 2 || m.Port != 8080 {
		t.Errorf("null takes an argument back: got %d, %d", m.Replicas, m.Port)
	}
	want := []spec.Mount{
		{Type: spec.MountVolume, Source: "a", Target: "/a"},
		{Type: spec.MountVolume, Source: "b", Target: "/b", ReadOnly: true},
		{Type: spec.MountTmpfs, Target: "/c"},
	}
	if !slices.Equal(c.Mounts, want) {
		t.Errorf("labelled blocks merge: got %+v", c.Mounts)
	}
	if c.Resources.CPUs != 2 || c.Resources.Memory != 2<<30 {
		t.Errorf("a block that stands once merges: got %+v", c.Resources)
	}
	if len(m.Routes) != 1 || m.Routes[0].Path != "/only" || m.Routes[0].Pos.File != "prod/one.hcl" {
		t.Errorf("a list replaces: got %+v", m.Routes)
	}
}

func TestForEachMakesInstances(t *testing.T) {
	repo := tree{"a.hcl": `
model "m" {
  for_each = { eu = 2, us = 3 }
  image    = "m:${each.key}"
  replicas = each.value
}
model "all" {
  image   = "all:1"
  command = [for key, m in model.m : "${key}=${m.image}x${m.replicas}"]
  env     = { EU = model.m["eu"].name, PORT = model.m["us"].port, VERSION = model.m["us"].version }
}
model "off" {
  enabled  = false
  for_each = toset(["a"])
  image    = "off:1"
}
secret "s" {
  for_each = toset(["a"])
  env      = "S_${each.key}"
}
`}
	cfg := mustLoad(t, NewLoader(), repo, Options{})
	var names []string
	for _, m := range cfg.Models {
		names = append(names, m.Name+" "+m.Address.String()+" "+m.Image)
	}
	if want := []string{"all model.all all:1", `m-eu model.m["eu"] m:eu`, `m-us model.m["us"] m:us`}; !slices.Equal(names, want) {
		t.Errorf("got %q", names)
	}
	all := cfg.Model("all").Container
	if want := []string{"eu=m:eux2", "us=m:usx3"}; !slices.Equal(all.Command, want) {
		t.Errorf("got %q", all.Command)
	}
	// A version that is not declared is null, and null is left out.
	if want := map[string]spec.EnvValue{"EU": {Value: "m-eu"}, "PORT": {Value: "8080"}}; !reflect.DeepEqual(all.Env, want) {
		t.Errorf("got %v", all.Env)
	}
	if s := cfg.Secrets["s-a"]; s == nil || s.Env != "S_a" {
		t.Errorf("got %+v", cfg.Secrets)
	}
}

func TestMovedAndRemovedSpeakOfThePast(t *testing.T) {
	repo := tree{"a.hcl": `
model "c" {
  image = "c:1"
}
moved {
  from = model.a
  to   = model.b
}
moved {
  from = model.b
  to   = model.c
}
removed {
  from    = model.x["eu"]
  destroy = false
}
`}
	cfg := mustLoad(t, NewLoader(), repo, Options{})
	model := func(name, key string) spec.Address {
		return spec.Address{Kind: spec.KindModel, Name: name, Key: key}
	}
	wantMoved := []spec.Moved{
		{From: model("a", ""), To: model("b", ""), Pos: spec.Pos{File: "a.hcl", Line: 5, Column: 1}},
		{From: model("b", ""), To: model("c", ""), Pos: spec.Pos{File: "a.hcl", Line: 9, Column: 1}},
	}
	if !slices.Equal(cfg.Moved, wantMoved) {
		t.Errorf("got %+v", cfg.Moved)
	}
	if want := []spec.Removed{{From: model("x", "eu"), Pos: spec.Pos{File: "a.hcl", Line: 13, Column: 1}}}; !slices.Equal(cfg.Removed, want) {
		t.Errorf("got %+v", cfg.Removed)
	}
}

func TestVariablesTakeTheLastValueFromOutside(t *testing.T) {
	const src = `
variable "s" { default = "a" }
variable "n" { type = number }
variable "b" { default = false }
variable "l" { type = list(string) }
variable "m" { default = { a = 1 } }
model "x" {
  image    = "${var.s}:1"
  replicas = var.n
  command  = var.l
  enabled  = var.b
  port     = var.m.a
}
`
	o := Options{Variables: []VariableValue{
		{Name: "s", Value: "first"},
		{Name: "s", Value: "second"},
		{Name: "n", Value: "3"},
		{Name: "b", Value: "true"},
		{Name: "l", Value: `["a", "b"]`},
		{Name: "m", Value: `{ a = 99 }`},
	}}
	m := mustLoad(t, NewLoader(), tree{"a.hcl": src}, o).Model("x")
	if m == nil || m.Image != "second:1" || m.Replicas != 3 || m.Port != 99 || !slices.Equal(m.Container.Command, []string{"a", "b"}) {
		t.Errorf("got %+v", m)
	}
	for value, name := range map[string]string{"many": "n", "maybe": "b", "[": "l", "var.s": "l", "{ b = 1 }": "n", strings.Repeat("[", 70_000): "l"} {
		_, diags := NewLoader().Load(tree{"a.hcl": src}, Options{Variables: append(o.Variables, VariableValue{Name: name, Value: value, Source: "--var " + name})})
		if !diags.HasErrors() || diags[0].Summary != "Invalid value for variable" || !strings.Contains(diags[0].Detail, "--var "+name) {
			t.Errorf("%.20s: got %v", value, diags)
		}
	}
	_, diags := NewLoader().Load(tree{"a.hcl": src}, Options{Variables: append(o.Variables, VariableValue{Name: "t", Value: "x", Source: "FAIRLEAD_VAR_t"})})
	if len(diags) != 1 || diags.HasErrors() || diags[0].Summary != "Unused value" {
		t.Errorf("got %v", diags)
	}
}

func TestEnvironmentsAreListedWithoutChoosingOne(t *testing.T) {
	got, diags := NewLoader().Environments(tree{"a.hcl": "environment \"prod\" {}\nenvironment \"dev\" {}\n", "b.hcl": "environment \"prod\" {}\n"}, Options{})
	if diags.HasErrors() || !slices.Equal(got, []string{"dev", "prod"}) {
		t.Errorf("got %v, %v", got, diags)
	}
}

func TestVersionConstraints(t *testing.T) {
	for _, c := range []struct {
		version, constraint string
		met                 bool
	}{
		{"0.1.0", ">= 0.1", true},
		{"0.1.0", ">= 0.1, < 0.2", true},
		{"0.2.0", ">= 0.1, < 0.2", false},
		{"1.4.2", "~> 1.2", true},
		{"2.0.0", "~> 1.2", false},
		{"1.2.9", "~> 1.2.3", true},
		{"1.3.0", "~> 1.2.3", false},
		{"1.2.2", "~> 1.2.3", false},
		{"1.2.3", "= 1.2.3", true},
		{"1.2.3", "1.2.3", true},
		{"1.2.3", "!= 1.2.3", false},
		{"v0.3.0-rc.1", "> 0.2", true},
		{"0.3.0", "<= 0.3", true},
		{"devel", ">= 99", true},
		{"", ">= 99", true},
	} {
		if met, err := meets(c.version, c.constraint); err != nil || met != c.met {
			t.Errorf("%s against %q: %t, %v", c.version, c.constraint, met, err)
		}
	}
	for _, bad := range []string{"", ">=", "=> 1", ">= one", "1.2.3.4", ">= 1,"} {
		if _, err := meets("1.0.0", bad); err == nil {
			t.Errorf("%q is taken for a constraint", bad)
		}
	}
}

func TestDurationsAndSizes(t *testing.T) {
	for text, want := range map[string]int64{"0s": 0, "500ms": 5e8, "1h30m": 54e11, "2d": 1728e11, "1d12h": 1296e11} {
		if got, ok := parseDuration(text); !ok || got != want {
			t.Errorf("%s: got %d, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "0", "10", "-1s", "+1s", "1 s", "d", "1.5d", "999999d", "1h-5m"} {
		if got, ok := parseDuration(text); ok {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
	for text, want := range map[string]int64{"0B": 0, "1kB": 1000, "1KiB": 1024, "256MiB": 256 << 20, "1.5GiB": 3 << 29, "2TB": 2e12} {
		if got, ok := parseSize(text); !ok || got != want {
			t.Errorf("%s: got %d, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "1", "B", "1.2.3MiB", "-1MiB", "1 MiB", "1Mi", "1mb", "NaNGiB", "9999999999TiB"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

// trap is a tree that panics when a file is read, as a bug of ours would.
type trap struct {
	tree
	path string
}

func (t trap) Read(path string) ([]byte, error) {
	if path == t.path {
		panic("index out of range")
	}
	return t.tree.Read(path)
}

func TestABugCostsOneLoadAndNotTheDaemon(t *testing.T) {
	l := NewLoader()
	good := tree{"a.hcl": "model \"a\" {\n  image = file(\"image.txt\")\n}\n", "image.txt": "a:1"}
	for path, summary := range map[string]string{"a.hcl": "Bug in Fairlead", "image.txt": "Function failed"} {
		before := mustLoad(t, l, good, Options{}).Model("a")
		broken := trap{with(good, path, good[path]+" "), path}
		cfg, diags := l.Load(broken, Options{})
		if cfg != nil || len(diags) != 1 || diags[0].Summary != summary || !strings.Contains(diags[0].Detail, "index out of range") || strings.Contains(diags[0].Detail, "goroutine") {
			t.Errorf("%s: got %v", path, diags)
		}
		if _, diags := l.Explain(broken, Options{}, "model.a"); !diags.HasErrors() {
			t.Errorf("%s: explained", path)
		}
		if after := mustLoad(t, l, good, Options{}).Model("a"); !reflect.DeepEqual(after, before) {
			t.Errorf("%s: got %+v", path, after)
		}
	}
}

func TestALoaderIsSafeForConcurrentUse(t *testing.T) {
	l := NewLoader()
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			repo := with(repoOfThree(), "c.hcl", fmt.Sprintf("model \"c\" {\n  image = \"c:%d\"\n}\n", i%3))
			cfg, diags := l.Load(repo, Options{Environment: "prod"})
			if diags.HasErrors() || cfg.Model("c").Image != fmt.Sprintf("c:%d", i%3) || cfg.Model("c").Replicas != 3 {
				t.Errorf("got %v", diags)
			}
		})
	}
	wait.Wait()
}

func TestImages(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("6c", 32)
	for image, good := range map[string]bool{
		"digits": true, "digits:1": true, "localhost:5000/digits:1.1.0": true, "registry.example.com/a/b_c/d-e:v1" + digest: true,
		"Registry.example.com/digits": true, "digits" + digest: true, "digits:V1_x.y-z": true,
		"Digits:1": false, "a/B:1": false, "digits:": false, "digits@sha256:6c": false, "digits 1": false, "/digits": false,
		"digits/": false, "http://x/digits": false, "digits:1\nx": false, digest: false,
	} {
		if imageForm.MatchString(image) != good {
			t.Errorf("%q: want %t", image, good)
		}
	}
}
