package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile/rollout"
)

// ages declares a secret for each file, and a model for each secret.
func ages(prefix, image string, files ...string) string {
	var hcl strings.Builder
	for _, file := range files {
		name := prefix + strings.NewReplacer("-", "_", ".", "_", "/", "_").Replace(file)
		source := fmt.Sprintf("age = file(%q)", file)
		if strings.HasSuffix(file, ".env") {
			source = fmt.Sprintf("sops = %q", file)
		}
		fmt.Fprintf(&hcl, "secret %q {\n  %s\n}\n", name, source)
		hcl.WriteString(model{
			name: name, image: image, version: "1", replicas: 1, env: map[string]string{"VALUE": "secret." + name},
			body: fmt.Sprintf("  secrets = { value = secret.%s }\n", name),
		}.hcl())
	}
	return hcl.String()
}

// Whoever may write to one of several repositories, and reads what is encrypted in
// another, declares that as a secret of his own, and gets nothing. What is his own he has.
func TestACiphertextOfAnotherRepositoryGivesNothing(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	sops, err := fs.ReadFile(sopsFixtures, "testdata/sops/secrets.env")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"root.env": string(sops), "root.age": fixture(t, "env-1.age"), "a.age": fixture(t, "include-a.age"), "b.age": fixture(t, "include-b.age")}
	keys := t.TempDir()
	key := func(name string) string {
		path := filepath.Join(keys, name)
		if err := os.WriteFile(path, []byte(fixture(t, name)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	e.set("AGE_IDENTITY", key("identity.txt")+",a="+key("include-a.txt")+",b="+key("include-b.txt"))

	root, a, b, c := newRepo(t), newRepo(t), newRepo(t), newRepo(t)
	// commit puts files into a repository, and a model for each into its specs.
	commit := func(r *repo, prefix string, names ...string) string {
		for _, name := range names {
			r.write(name, files[name])
		}
		return r.commitText(ages(prefix, e.image, names...))
	}
	commit(a, "a_", "a.age")
	first := commit(b, "b_", "b.age")
	commit(c, "c_", "root.age", "b.age")
	for name, r := range map[string]*repo{"a": a, "b": b, "c": c} {
		root.write(name+".hcl", fmt.Sprintf("include %q {\n  repo = \"file://%s\"\n}\n", name, r.dir))
	}
	commit(root, "", "root.age", "root.env")
	e.serve(root.dir)

	faults := func() map[string]string {
		s, ok := e.status()
		if !ok {
			return nil
		}
		all := map[string]string{}
		for i := range s.Models {
			if m := &s.Models[i]; m.Error != "" || m.Phase != rollout.Steady {
				all[m.Name] = m.Error
			}
		}
		return all
	}
	// settled waits for the commit of b, and for just these faults.
	settled := func(commit string, want map[string]string) {
		t.Helper()
		e.untilNothing(func() string {
			s, ok := e.status()
			if !ok || s.Commit.Includes["b"] != commit {
				return fmt.Sprintf("%s of b is not followed", commit)
			}
			got := faults()
			for name, words := range want {
				if !strings.Contains(got[name], words) {
					return fmt.Sprintf("the fault of %s is %q; want %q in it", name, got[name], words)
				}
			}
			if len(got) != len(want) {
				return fmt.Sprintf("faults %v", got)
			}
			return ""
		})
	}
	noKey := "starts serve with --age-identity c=FILE"
	noKeys := map[string]string{"c_root_age": noKey, "c_b_age": noKey}
	settled(first, noKeys)
	values := plain(t)
	has := func(model, value string) {
		t.Helper()
		var seen struct{ Files map[string]string }
		if err := json.Unmarshal([]byte(e.fetch(e.url(model)+"/seen")), &seen); err != nil || seen.Files["value"] != value {
			t.Errorf("%s has %q, %v", model, seen.Files["value"], err)
		}
	}
	own := func() {
		t.Helper()
		has("root_age", values["env-1"])
		has("a_a_age", values["include-a"])
		has("b_b_age", values["include-b"])
	}
	own()
	before := e.replicas("b_b_age")[0]

	// The theft: all that b can read of others, beside its own.
	others := "other keys than those of include b"
	theft := commit(b, "b_", "b.age", "a.age", "root.age", "root.env")
	stolen := map[string]string{"b_a_age": others, "b_root_age": others, "b_root_env": others}
	maps.Copy(stolen, noKeys)
	settled(theft, stolen)
	own()
	for name := range stolen {
		if got := e.replicas(name); len(got) > 0 {
			t.Errorf("%s runs as %v", name, got)
		}
	}
	if got := e.replicas("b_b_age"); len(got) != 1 || got[0] != before {
		t.Errorf("its own secret has replaced %s by %v", before, got)
	}
	// A plan by hand goes by the same keys.
	out, _ := e.fairlead("plan", root.dir)
	for _, value := range values {
		if strings.Contains(out, value) {
			t.Errorf("the plan shows a value:\n%s", out)
		}
	}
}
