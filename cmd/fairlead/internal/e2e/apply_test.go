package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// tree is a plain directory of specs.
func tree(t *testing.T, hcl string) string {
	t.Helper()
	dir := t.TempDir()
	writeTree(t, dir, hcl)
	return dir
}

func writeTree(t *testing.T, dir, hcl string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "models.hcl"), []byte(hcl), 0o644); err != nil {
		t.Fatal(err)
	}
}

// applied applies a directory, and returns how many calls of it changed the
// engine.
func (e *environment) applied(dir string) int {
	e.t.Helper()
	e.proxy.Forget()
	if out, code := e.fairlead("apply", dir); code != 0 {
		e.t.Fatalf("apply ends with %d:\n%s", code, out)
	}
	return len(e.proxy.Mutations())
}

// unchanged applies what is applied already and plans it: nothing may happen.
func (e *environment) unchanged(dir string) {
	e.t.Helper()
	if n := e.applied(dir); n != 0 {
		e.t.Errorf("a second apply made %d calls that change the engine: %v", n, e.proxy.Mutations())
	}
	e.proxy.Forget()
	if out, code := e.fairlead("plan", dir, "--detailed-exitcode"); code != 0 {
		e.t.Errorf("a plan after it has exit code %d, want 0 for no changes:\n%s", code, out)
	}
	if calls := e.proxy.Mutations(); len(calls) != 0 {
		e.t.Errorf("a plan made calls that change the engine: %v", calls)
	}
}

func TestSecondApplyChangesNothing(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	e.set("SECRET_TOKEN", "canary")
	dir := tree(t, model{
		name: "digits", image: e.image, version: "1", replicas: 2,
		env: map[string]string{"TOKEN": "secret.token"},
		body: `
  secrets = { token = secret.token }
  resources {
    cpus   = 0.5
    memory = "64MiB"
  }
  mount "/cache" {
    type = tmpfs
    size = "1MiB"
  }
  route {
    path  = "/read"
    strip = true
  }
`,
	}.hcl()+"secret \"token\" {\n  env = \"FAIRLEAD_SECRET_TOKEN\"\n}\n")
	if n := e.applied(dir); n == 0 {
		t.Error("the proxy counted no call of the first apply")
	}
	if got := e.serving("digits"); got != "1" {
		t.Errorf("version %q serves", got)
	}
	e.unchanged(dir)
}

// randomSpecs bounds how many random specs are applied, one after the other, to
// one environment.
func randomSpecs() int {
	if testing.Short() {
		return 4
	}
	return 20
}

func TestSecondApplyChangesNothingWhateverTheSpecs(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	e.set("SECRET_A", "first value")
	e.set("SECRET_B", "second value")
	dir := t.TempDir()
	specs := anySpecs(e.image)
	mutations := 0
	for n := range randomSpecs() {
		hcl := specs.Example(n)
		writeTree(t, dir, hcl)
		mutations += e.applied(dir)
		e.unchanged(dir)
		if t.Failed() {
			t.Fatalf("with spec %d:\n%s", n, hcl)
		}
	}
	t.Logf("%d specs, %d changing calls of the first applies, 0 of the second ones", randomSpecs(), mutations)
}

// anySpecs draws the specs of one to three models.
func anySpecs(image string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		hcl := "secret \"a\" {\n  env = \"FAIRLEAD_SECRET_A\"\n}\nsecret \"b\" {\n  env = \"FAIRLEAD_SECRET_B\"\n}\n"
		names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"digits", "fraud", "churn", "price"}), 1, 3, rapid.ID).Draw(t, "names")
		for _, name := range names {
			hcl += anyModel(t, name, image).hcl()
		}
		return hcl
	})
}

func anyModel(t *rapid.T, name, image string) model {
	either := func(what string, options ...string) string { return rapid.SampledFrom(options).Draw(t, what) }
	m := model{
		name: name, image: image, env: map[string]string{},
		version:  either("version", "1", "2"),
		replicas: rapid.IntRange(0, 2).Draw(t, "replicas"),
	}
	if value := either("env", "", `"x"`, `"with \"quotes\" and $${dollars}"`, "secret.a", "secret.b"); value != "" {
		m.env["EXTRA"] = value
	}
	var body strings.Builder
	body.WriteString(either("secrets", "", "  secrets = { one = secret.a }\n", "  secrets = { one = secret.a, two = secret.b }\n"))
	body.WriteString(either("user", "", "  user = \"1000:1000\"\n"))
	body.WriteString(either("read only", "", "  read_only = true\n"))
	body.WriteString(either("restart", "", "  restart = on_failure\n", "  restart = no\n"))
	body.WriteString(either("command", "", "  command = [\"--ignored\", \"two words\"]\n"))
	if cpus, memory, pids := either("cpus", "0.25", "1.5"), either("memory", "", "memory = \"64MiB\""), either("pids", "64", "512"); memory != "" {
		fmt.Fprintf(&body, "  resources {\n    cpus = %s\n    %s\n    pids = %s\n", cpus, memory, pids)
		body.WriteString(either("shm", "", "    shm = \"8MiB\"\n"))
		body.WriteString(either("ulimit", "", "    ulimit \"nofile\" {\n      soft = 1024\n      hard = 2048\n    }\n") + "  }\n")
	}
	body.WriteString(either("logs", "", "  logs {\n    max_size  = \"1MiB\"\n    max_files = 2\n  }\n"))
	body.WriteString(either("mount", "", "  mount \"/cache\" {\n    type = tmpfs\n    size = \"1MiB\"\n  }\n"))
	if either("route", "", "yes") != "" {
		fmt.Fprintf(&body, "  route {\n    path    = \"/%s\"\n    strip   = %s\n    timeout = \"5s\"\n  }\n", name, either("strip", "true", "false"))
	}
	m.body = body.String()
	return m
}

// A rename is no delete: the containers go on under the new name, and a second
// apply has nothing to do.
func TestMovedModelKeepsItsContainers(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	m := model{name: "digits", image: e.image, version: "1", replicas: 2}
	dir := tree(t, m.hcl())
	e.applied(dir)
	before := e.replicas("digits")
	m.name = "numbers"
	writeTree(t, dir, m.hcl()+"moved {\n  from = model.digits\n  to   = model.numbers\n}\n")
	e.applied(dir)
	var after []string
	for _, c := range e.engine.containers(e.owner) {
		if !c.isGateway() {
			after = append(after, c.ID)
		}
	}
	slices.Sort(before)
	slices.Sort(after)
	if !slices.Equal(before, after) {
		t.Errorf("the containers are %v, were %v", after, before)
	}
	if got := e.serving("numbers"); got != "1" {
		t.Errorf("under the new name version %q serves", got)
	}
	e.unchanged(dir)
}

// A removed block with destroy = false leaves the containers alone for good.
func TestForgottenModelIsLeftAlone(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	m := model{name: "digits", image: e.image, version: "1", replicas: 1}
	keep := model{name: "fraud", image: e.image, version: "1", replicas: 1}
	dir := tree(t, m.hcl()+keep.hcl())
	e.applied(dir)
	before := e.replicas("digits")
	writeTree(t, dir, keep.hcl()+"removed {\n  from    = model.digits\n  destroy = false\n}\n")
	e.applied(dir)
	if after := e.replicas("digits"); !slices.Equal(before, after) {
		t.Errorf("the containers are %v, were %v", after, before)
	}
	e.unchanged(dir)
}

// A commit that would empty the environment, or most of it, looks like an
// accident: nothing happens before somebody says that it is none.
func TestMassDeleteIsRefusedUntilItIsMeant(t *testing.T) {
	t.Parallel()
	e, r := newEnvironment(t), newRepo(t)
	e.set("ALLOW_EMPTY", "false")
	e.set("ALLOW_DESTROY", "false")
	var all []model
	for _, name := range []string{"digits", "fraud", "churn", "price"} {
		all = append(all, model{name: name, image: e.image, version: "1", replicas: 1})
	}
	commit := r.commit(all...)
	e.serve(r.dir)
	e.converged(commit)
	e.proxy.Forget()
	for _, left := range []int{0, 1} {
		r.commit(all[:left]...)
		if left == 1 { // also by a daemon that has seen nothing else
			e.daemon.stop()
			e.serve(r.dir)
		}
		e.until("the refusal shows in the status", func() bool {
			s, ok := e.status()
			return ok && s.Source.Commit == r.git("rev-parse", "HEAD") && strings.Contains(s.Source.Error, "refused") && s.Commit.ID == commit
		})
		e.exactly(all...)
	}
	if calls := e.proxy.Mutations(); len(calls) != 0 {
		t.Errorf("a refused commit changed the engine: %v", calls)
	}
	r.git("commit", "-q", "--allow-empty", "-m", "one is enough\n\nFairlead-Allow-Destroy: yes")
	e.converged(r.git("rev-parse", "HEAD"))
	e.exactly(all[0])
}
