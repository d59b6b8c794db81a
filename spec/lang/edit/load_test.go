package edit_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
	"github.com/fairlead/fairlead/spec/lang/edit"
)

func mustLoad(t *testing.T, repo tree, environment string) *spec.Config {
	t.Helper()
	cfg, diags := lang.NewLoader().Load(repo, lang.Options{Environment: environment})
	if diags.HasErrors() {
		var out strings.Builder
		if err := diag.WriteText(&out, diags, lang.Sources(repo), diag.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Fatal(out.String())
	}
	return cfg
}

// What is written is what the language reads, to the last digit.
func TestVersionLoadsAsItWas(t *testing.T) {
	want := digits()
	delete(want.Metrics, "none")
	repo := tree{}
	for path, content := range edit.WriteVersion(want) {
		repo[path] = string(content)
	}
	got := mustLoad(t, repo, "").Versions
	if len(got) != 1 {
		t.Fatalf("got %d versions", len(got))
	}
	read := *got[0]
	if read.Pos.File != "versions/digits/1.2.0.hcl" || read.Pos.Line != 1 {
		t.Errorf("it is at %s", read.Pos)
	}
	var definition bytes.Buffer
	if err := json.Compact(&definition, []byte(read.Definition)); err != nil {
		t.Fatal(err)
	}
	read.Pos, read.Definition = spec.Pos{}, definition.String()
	if !reflect.DeepEqual(read, want) {
		t.Errorf("got\n%+v\nwant\n%+v", read, want)
	}
}

// A publication is an edit and an entry: the model is the new version afterwards, in
// the environment that is meant.
func TestEditedRepoLoads(t *testing.T) {
	const base = `
# The team's own.
model "digits" {
  image   = "localhost:5000/digits:1" # the server
  version = "1.1.0"

  route { path = "/digits" }
}
`
	for name, c := range map[string]struct {
		repo        tree
		environment string
	}{
		"plain":       {tree{"digits.hcl": base}, ""},
		"environment": {tree{"digits.hcl": base, "prod.hcl": "environment \"prod\" {\n  model \"digits\" {\n    version = \"1.0.0\"\n  }\n}\n"}, "prod"},
		"JSON":        {tree{"digits.hcl.json": `{"model": {"digits": {"image": "digits:1", "version": "1.1.0"}}}`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := digits()
			change := func(argument, value string) edit.Change {
				return edit.Change{Address: digitsModel, Environment: c.environment, Argument: argument, Value: value}
			}
			files, err := edit.Apply(c.repo, []edit.Change{change("version", v.Version), change("artifact", v.Artifact)})
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(files, edit.WriteVersion(v))
			for path, content := range files {
				c.repo[path] = string(content)
			}
			m := mustLoad(t, c.repo, c.environment).Model("digits")
			if m.Version != v.Version || m.Artifact == nil || m.Artifact.Ref != v.Artifact {
				t.Errorf("the model is %s, %+v", m.Version, m.Artifact)
			}
			if src := c.repo["digits.hcl"]; c.environment == "" && src != "" && (!strings.Contains(src, "# The team's own.") || !strings.Contains(src, "# the server")) {
				t.Errorf("a comment is lost:\n%s", src)
			}
		})
	}
}
