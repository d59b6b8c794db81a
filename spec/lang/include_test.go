package lang

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
)

const rootOfTwo = `
variable "registry" { default = "root" }
locals { x = "root" }
secret "fetch" { env = "FETCH" }
include "team-a" {
  repo  = "https://git.example.com/team-a.git"
  path  = "models"
  ref   = "main"
  token = secret.fetch
  trust {
    mode = head
    signer "ann" {
      ssh = ["` + annKey + `"]
    }
  }
}
include "b" {
  repo   = "git@git.example.com:b.git"
  prefix = "bb-"
}
model "own" {
  image = "${var.registry}/own:1"
  route { path = "/own" }
}
approval "team_a_digits" {
  revision = "4f2a90b1c2d3"
  step     = 1
}
policy "owned" {
  for     = model
  require = length(model.owners) >= 0
}
environment "prod" {}
`

const teamA = `
variable "registry" { default = "a" }
locals { x = file("x.txt") }
secret "team_a_s" { age = file("s.age") }
secret "team_a_t" {
  sops = "t.yaml"
}
model "team_a_digits" {
  image = "${var.registry}/digits:${local.x}"
  env   = { S = secret.team_a_s }
  card  = "card.md"
  route {
    path     = "/team-a/digits"
    fallback = model.team_a_small
  }
}
model "team_a_small" {
  image = "${model.team_a_digits.image}-small"
  rollout {}
}
dataset "team_a_d" { source = "x.txt" }
simulation "team_a_none" {
  enabled = false
  model   = model.team_a_small
  rate    = 1
}
trust { mode = off }
environment "prod" {
  model "team_a_small" { replicas = 3 }
}
`

func composition() tree {
	a, b := spec.IncludeDir+"team-a/", spec.IncludeDir+"b/"
	return tree{
		"root.hcl": rootOfTwo, "x.txt": "of the root",
		a + "m/a.hcl": teamA, a + "x.txt": "1", a + "s.age": "YWdl", a + "t.yaml": "sops:\n  age: " + ageStanza + "\n", a + "card.md": "---\na: 1\n---\n",
		a + ".fairlead/include/evil/m.hcl": "model \"own\" {\n  image = \"evil:1\"\n}\n",
		b + "m.hcl":                        "model \"bb-m\" {\n  image = \"m:1\"\n  route {\n    host = \"b.example.com\"\n    path = \"/bb\"\n  }\n}\n",
	}
}

func TestIncludesAreComposed(t *testing.T) {
	o := Options{Environment: "prod", Variables: []VariableValue{{Name: "registry", Value: "given"}}}
	l := NewLoader()
	cfg := mustLoad(t, l, composition(), o)
	var models []string
	for _, m := range cfg.Models {
		models = append(models, m.Name+" "+m.Image)
	}
	if want := []string{"bb-m m:1", "own given/own:1", "team_a_digits a/digits:1", "team_a_small a/digits:1-small"}; !slices.Equal(models, want) {
		t.Errorf("models %q", models)
	}
	digits := cfg.Model("team_a_digits")
	if digits.Pos.File != ".fairlead/include/team-a/m/a.hcl" || digits.Routes[0].Fallback != "team_a_small" || digits.Container.Env["S"].Secret != "team_a_s" || digits.Card.Path != "card.md" {
		t.Errorf("got %s", asJSON(t, digits))
	}
	if cfg.Model("team_a_small").Replicas != 3 {
		t.Error("the overlay of the included repo does not count")
	}
	if cfg.Secrets["team_a_t"].SOPS.Path != "t.yaml" || len(cfg.Secrets) != 3 || len(cfg.Datasets) != 1 || string(cfg.Datasets[0].Source.Data) != "1" {
		t.Errorf("secrets %v, datasets %v", cfg.Secrets, cfg.Datasets)
	}
	for name, module := range map[string]string{"team_a_s": "team-a", "team_a_t": "team-a", "fetch": ""} {
		if got := cfg.Secrets[name].Module; got != module {
			t.Errorf("secret %s is of %q; want %q", name, got, module)
		}
	}
	if cfg.Trust != nil || len(cfg.Includes) != 2 || len(cfg.Approvals) != 1 || !slices.Equal(cfg.Environments, []string{"prod"}) {
		t.Errorf("got %v, %v, %v", cfg.Trust, cfg.Includes, cfg.Approvals)
	}
	team := cfg.Includes[1]
	want := &spec.Include{Name: "team-a", Pos: spec.Pos{File: "root.hcl", Line: 5, Column: 1}, Repo: "https://git.example.com/team-a.git", Path: "models", Ref: "main", Prefix: "team_a_", Token: "fetch", Trust: team.Trust}
	if !reflect.DeepEqual(team, want) || team.Trust == nil || team.Trust.Signers[0].Name != "ann" || team.RoutePath() != "/team-a" {
		t.Errorf("got %s", asJSON(t, team))
	}
	if _, diags := l.Load(composition(), o); len(diags) != 0 {
		t.Errorf("diagnostics: %v", diags)
	}
	again := mustLoad(t, l, composition(), o)
	for i, m := range again.Models {
		if m != cfg.Models[i] {
			t.Errorf("%s is decoded anew", m.Name)
		}
	}
	alone, diags := l.LoadModule(moduleTree(composition(), spec.IncludeDir+"team-a/"), team, o)
	if diags.HasErrors() || len(alone.Models) != 2 || alone.Secrets["team_a_t"].Module != "team-a" || alone.Trust == nil || alone.Models[0].Pos.File != "m/a.hcl" || alone.Models[0].Image != digits.Image {
		t.Errorf("alone: %v, %v", alone, diags.Err())
	}
}

// moduleTree is the part of a tree below a directory.
func moduleTree(files tree, base string) tree {
	part := tree{}
	for path, content := range files {
		if below, inside := strings.CutPrefix(path, base); inside {
			part[below] = content
		}
	}
	return part
}

func TestIncludesAreKnownBeforeAnythingIsMounted(t *testing.T) {
	repo := tree{"root.hcl": rootOfTwo}
	list, diags := NewLoader().Includes(repo, Options{Environment: "prod"})
	if diags.HasErrors() || len(list) != 2 || list[0].Name != "b" || list[0].Prefix != "bb-" || list[1].Token != "fetch" {
		t.Errorf("got %v, %v", list, diags.Err())
	}
	if list, diags := NewLoader().Includes(tree{"root.hcl": "include \"a\" {}\n"}, Options{}); list != nil || !diags.HasErrors() {
		t.Errorf("got %v, %v", list, diags)
	}
	if _, diags := NewLoader().Load(repo, Options{Environment: "prod"}); !diags.HasErrors() {
		t.Error("a composition without its parts was taken")
	}
	cfg, diags := NewLoader().Load(repo, Options{Environment: "prod", WithoutIncludes: true})
	if diags.HasErrors() || len(cfg.Models) != 1 {
		t.Errorf("got %v, %v", cfg, diags.Err())
	}
}

func TestWhatAnIncludedRepoMayNotDo(t *testing.T) {
	const model = "model \"a_m\" {\n  image = \"m:1\"\n  route {\n    path = \"%\"\n  }\n}\n"
	for name, c := range map[string]struct{ src, summary string }{
		"a name of others":          {"model \"own\" {\n  image = \"m:1\"\n}\n", "Name outside of the prefix"},
		"a secret of others":        {"secret \"s\" {\n  age = \"YWdl\"\n}\n", "Name outside of the prefix"},
		"a secret in a file":        {"secret \"a_s\" {\n  file = \"/etc/shadow\"\n}\n", "Secret of the host"},
		"a secret of the daemon":    {"secret \"a_s\" {\n  env = \"FETCH\"\n}\n", "Secret of the host"},
		"one in an overlay":         {"secret \"a_s\" {\n  age = \"YWdl\"\n}\nenvironment \"prod\" {\n  secret \"a_s\" {\n    age = null\n    env = \"FETCH\"\n  }\n}\n", "Secret of the host"},
		"a route of others":         {strings.Replace(model, "%", "/own", 1), "Route outside of the prefix"},
		"every path":                {strings.Replace(model, "%\"", "/\"\n    host = \"example.com\"", 1), "Route outside of the prefix"},
		"a path that begins so":     {strings.Replace(model, "%", "/ab", 1), "Route outside of the prefix"},
		"a policy":                  {"policy \"a_p\" {\n  for = model\n  require = model.pinned\n}\n", "Not in an included repo"},
		"a notifier":                {"notifier \"a_n\" {\n  kind = alertmanager\n  url = \"https://example.com\"\n}\n", "Not in an included repo"},
		"an include":                {"include \"a_i\" {\n  repo = \"https://example.com/x.git\"\n}\n", "Not in an included repo"},
		"a promotion":               {"promote \"prod\" {\n  from = environment.staging\n}\n", "Not in an included repo"},
		"what others moved":         {"model \"a_m\" {\n  image = \"m:1\"\n}\nmoved {\n  from = model.own\n  to = model.a_m\n}\n", "Name outside of the prefix"},
		"what others removed":       {"removed {\n  from = model.gone\n  destroy = true\n}\n", "Name outside of the prefix"},
		"an approval of others":     {"approval \"own\" {\n  revision = \"4f2a90b1c2d3\"\n  step = 1\n}\n", "Name outside of the prefix"},
		"a version of others":       {"version \"own@1.0.0\" {\n  artifact = \"oci://local/own@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a\"\n  created = \"2026-01-01\"\n}\n", "Name outside of the prefix"},
		"a model of others":         {"model \"a_m\" {\n  image = model.own.image\n}\n", "Unknown model"},
		"a variable of others":      {"model \"a_m\" {\n  image = var.registry\n}\n", "Unknown variable"},
		"a variable from outside":   {"variable \"v\" {}\nmodel \"a_m\" {\n  image = var.v\n}\n", "Variable without value"},
		"a file of others":          {"model \"a_m\" {\n  image = file(\"x.txt\")\n}\n", "Function failed"},
		"a file above":              {"model \"a_m\" {\n  image = file(\"../../../x.txt\")\n}\n", "Function failed"},
		"a file of another include": {"model \"a_m\" {\n  image = \"m:1\"\n  card = \"../b/card.md\"\n}\n", "Invalid path"},
		"a mount of its own":        {"model \"a_m\" {\n  image = file(\".fairlead/include/x/y.txt\")\n}\n", "Function failed"},
		"a secret of the root":      {"model \"a_m\" {\n  image = \"m:1\"\n  env = { S = secret.fetch }\n}\n", "Unknown secret"},
	} {
		t.Run(name, func(t *testing.T) {
			mount := spec.IncludeDir + "a/"
			repo := tree{
				"root.hcl": "variable \"registry\" { default = \"x\" }\nsecret \"fetch\" { env = \"FETCH\" }\nmodel \"own\" {\n  image = \"own:1\"\n}\ninclude \"a\" {\n  repo = \"https://example.com/a.git\"\n}\nenvironment \"prod\" {}\n",
				"x.txt":    "x:1", mount + "m.hcl": c.src, mount + ".fairlead/include/x/y.txt": "y:1", spec.IncludeDir + "b/card.md": "# b",
			}
			o := Options{Environment: "prod", Variables: []VariableValue{{Name: "v", Value: "secret"}, {Name: "registry", Value: "r"}}}
			_, mounted := NewLoader().Load(repo, o)
			include := &spec.Include{Name: "a", Prefix: "a_"}
			_, alone := NewLoader().LoadModule(moduleTree(repo, mount), include, o)
			for where, diags := range map[string]struct {
				file string
				all  []string
			}{"mounted": {mount + "m.hcl", summaries(mounted)}, "alone": {"m.hcl", summaries(alone)}} {
				if !slices.Contains(diags.all, diags.file+" "+c.summary) {
					t.Errorf("%s: got %q", where, diags.all)
				}
			}
		})
	}
}

// Which module a secret is of decides who decrypts it, so nothing that a repo writes may
// say so: no overlay, no instance, no name.
func TestSecretsAreOfTheModuleThatDeclaresThem(t *testing.T) {
	mount := spec.IncludeDir + "a/"
	repo := tree{
		"root.hcl":      "secret \"r\" {\n  age = \"YWdl\"\n}\ninclude \"a\" {\n  repo = \"https://example.com/a.git\"\n}\nenvironment \"prod\" {}\n",
		mount + "m.hcl": "secret \"a_one\" {\n  age = \"YWdl\"\n}\nsecret \"a_each\" {\n  for_each = toset([\"x\", \"y\"])\n  age = each.key\n}\nenvironment \"prod\" {\n  secret \"a_one\" {\n    age = \"b3ZlcmxhaWQ=\"\n  }\n}\n",
	}
	l := NewLoader()
	for range 2 { // from the cache, too
		cfg := mustLoad(t, l, repo, Options{Environment: "prod"})
		got := map[string]string{}
		for name, s := range cfg.Secrets {
			got[name] = s.Module
		}
		if want := map[string]string{"r": "", "a_one": "a", "a_each-x": "a", "a_each-y": "a"}; !maps.Equal(got, want) {
			t.Errorf("got %v; want %v", got, want)
		}
		if cfg.Secrets["a_one"].Age != "b3ZlcmxhaWQ=" {
			t.Error("the overlay does not count")
		}
	}
}

func TestRootAndIncludeCannotHaveOneRoute(t *testing.T) {
	repo := composition()
	repo["more.hcl"] = "model \"thief\" {\n  image = \"t:1\"\n  route { path = \"/team-a/digits\" }\n}\n"
	_, diags := NewLoader().Load(repo, Options{Environment: "prod"})
	if got := summaries(diags); !slices.Equal(got, []string{"more.hcl Duplicate route"}) {
		t.Errorf("got %q", got)
	}
}

func TestModelMovesIntoAnInclude(t *testing.T) {
	repo := composition()
	repo["moved.hcl"] = "moved {\n  from = model.digits\n  to   = model.team_a_digits\n}\n"
	if cfg := mustLoad(t, NewLoader(), repo, Options{Environment: "prod"}); len(cfg.Moved) != 1 || cfg.Moved[0].To.Name != "team_a_digits" {
		t.Errorf("got %v", cfg.Moved)
	}
	repo["moved.hcl"] = "moved {\n  from = model.digits\n  to   = model.team_a_digit\n}\n"
	_, diags := NewLoader().Load(repo, Options{Environment: "prod"})
	if got := summaries(diags); !slices.Equal(got, []string{"moved.hcl Moved to nowhere"}) {
		t.Errorf("got %q", got)
	}
}

func TestFilesOfNoIncludeAreIgnoredWithAWarning(t *testing.T) {
	repo := tree{"a.hcl": "", spec.IncludeDir + "x/a.hcl": "model \"x\" {}\n", spec.IncludeDir + "x/b.hcl": "broken {"}
	cfg, diags := NewLoader().Load(repo, Options{})
	if diags.HasErrors() || len(diags) != 1 || diags[0].Summary != "Files of no include" || len(cfg.Models) != 0 {
		t.Errorf("got %v", diags)
	}
}

func TestExplainGoesIntoIncludes(t *testing.T) {
	x, diags := NewLoader().Explain(composition(), Options{Environment: "prod"}, "model.team_a_small.replicas")
	if diags.HasErrors() || x.Value != "3" || len(x.Layers) != 2 {
		t.Errorf("got %+v, %v", x, diags.Err())
	}
	x, diags = NewLoader().Explain(composition(), Options{Environment: "prod"}, "include.b.prefix")
	if diags.HasErrors() || x.Value != `"bb-"` {
		t.Errorf("got %+v, %v", x, diags.Err())
	}
}

// summaries are what diagnostics say, with the file that each is about.
func summaries(diags diag.Diagnostics) []string {
	var list []string
	for _, d := range diags {
		file := ""
		if d.Subject != nil {
			file = d.Subject.Filename
		}
		list = append(list, file+" "+d.Summary)
	}
	return list
}
