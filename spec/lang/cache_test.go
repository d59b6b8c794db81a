package lang

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec"
	"pgregory.net/rapid"
)

func repoOfThree() tree {
	return tree{
		"common.hcl": `
variable "registry" { default = "localhost:5000" }
locals { image = "${var.registry}/a:1" }
secret "token" { env = "TOKEN" }
environment "prod" {
  model "c" { replicas = 3 }
}
`,
		"a.hcl":     "model \"a\" {\n  image = local.image\n}\n",
		"b.hcl":     "model \"b\" {\n  image = model.a.image\n  env = { T = secret.token }\n}\n",
		"c.hcl":     "model \"c\" {\n  image = \"c:1\"\n  warmup {\n    request = file(\"c.json\")\n  }\n}\n",
		"c.json":    "{}",
		"other.txt": "nothing",
	}
}

func with(files tree, path, content string) tree {
	next := maps.Clone(files)
	next[path] = content
	return next
}

func TestUnchangedModelsKeepTheirPointers(t *testing.T) {
	prod := Options{Environment: "prod"}
	cases := map[string]struct {
		path, content string
		changed       string // models that may have new pointers
	}{
		"nothing changes":            {"other.txt", "else", ""},
		"one model changes":          {"c.hcl", "model \"c\" {\n  image = \"c:2\"\n}\n", "c"},
		"a file that is read":        {"c.json", `{"x": 1}`, "c"},
		"a local that two read":      {"common.hcl", strings.ReplaceAll(repoOfThree()["common.hcl"], "/a:1", "/a:2"), "ab"},
		"a variable behind a local":  {"common.hcl", strings.ReplaceAll(repoOfThree()["common.hcl"], "localhost", "example.com"), "ab"},
		"the overlay of one":         {"common.hcl", strings.ReplaceAll(repoOfThree()["common.hcl"], "replicas = 3", "replicas = 4"), "c"},
		"a model that another reads": {"a.hcl", "model \"a\" {\n  image = \"a:7\"\n}\n", "ab"},
		"a comment below a model":    {"a.hcl", repoOfThree()["a.hcl"] + "# nothing\n", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := NewLoader()
			before := mustLoad(t, l, repoOfThree(), prod)
			after := mustLoad(t, l, with(repoOfThree(), c.path, c.content), prod)
			fresh := mustLoad(t, NewLoader(), with(repoOfThree(), c.path, c.content), prod)
			for i, m := range after.Models {
				if same := m == before.Models[i]; same == strings.Contains(c.changed, m.Name) {
					t.Errorf("%s: same pointer: %t", m.Name, same)
				}
			}
			if got, want := asJSON(t, after), asJSON(t, fresh); got != want {
				t.Errorf("a warm load differs from a cold one:\ngot  %s\nwant %s", got, want)
			}
		})
	}
}

func TestWhatIsGoneIsMissedInEveryModelThatReadsIt(t *testing.T) {
	l := NewLoader()
	mustLoad(t, l, repoOfThree(), Options{Environment: "prod"})
	broken := with(repoOfThree(), "common.hcl", "environment \"prod\" {}\n")
	_, diags := l.Load(broken, Options{Environment: "prod"})
	_, want := NewLoader().Load(broken, Options{Environment: "prod"})
	if got, want := text(t, diags, broken), text(t, want, broken); got != want {
		t.Errorf("a warm load says\n%s\na cold one\n%s", got, want)
	}
	if n, _ := diags.Count(); n != 2 {
		t.Errorf("want 2 errors, got\n%s", text(t, diags, broken))
	}
	mustLoad(t, l, repoOfThree(), Options{Environment: "prod"})
}

// TestWarmLoadEqualsColdLoad changes files at random and compares a Loader that
// has seen it all with a new one.
func TestWarmLoadEqualsColdLoad(t *testing.T) {
	contents := map[string][]string{
		"common.hcl": {
			`variable "v" { default = "1" }` + "\n" + `locals { x = var.v }`,
			`variable "v" { default = "2" }` + "\n" + `locals { x = "k" }`,
			`locals { x = model.a.version }` + "\n" + `variable "v" { default = "1" }`,
			`variable "w" { default = "1" }`,
			`environment "prod" {` + "\n" + `model "a" { replicas = 3 }` + "\n}",
			`broken {`,
		},
		"a.hcl": {
			"model \"a\" {\n image = \"a:${local.x}\"\n}", "model \"a\" {\n image = \"a:1\"\n version = var.v\n}",
			"model \"a\" {\n for_each = toset([\"x\", \"y\"])\n image = \"a:${each.key}\"\n}",
			"model \"a\" {\n image = \"a:1\"\n enabled = var.v == \"1\"\n}", "",
		},
		"b.hcl": {
			"model \"b\" {\n image = model.a.image\n}", "model \"b\" {\n image = file(\"image.txt\")\n}",
			"model \"b\" {\n image = \"b:1\"\n route {\n path = \"/b\"\n fallback = model.a\n }\n}", "model \"b\" {\n image = \"b:${model.a.version}\"\n rollout {\n }\n}",
		},
		"image.txt": {"x:1", "x:2", "X X"},
		"d.hcl": {
			"dataset \"d\" {\n source = \"data.csv\"\n}", "dataset \"d\" {\n source = \"volume://${var.v}\"\n}", "",
			"dataset \"d\" {\n for_each = toset([\"x\", \"y\"])\n source = \"data.csv\"\n}",
			"dataset \"d\" {\n enabled = var.v == \"1\"\n source = \"https://example.com/a.csv\"\n}",
		},
		"data.csv": {"1", "2"},
		"card.md":  {"# a", "---\na: 1\n---\n", "---\na: 1\n"},
		"p.hcl": {
			"", "pipeline \"p\" {\n step \"s\" {\n image = \"s:${var.v}\"\n inputs = { d = dataset.d }\n outputs = [\"m\"]\n env = { A = run.id, B = live.a.version }\n }\n}",
			"pipeline \"p\" {\n on = [dataset.d[\"x\"]]\n enabled = false\n step \"s\" {\n image = \"s:1\"\n env = { A = model.a.owners }\n }\n}",
			"pipeline \"p\" {\n step \"s\" {\n image = \"s:1\"\n outputs = [\"m\"]\n }\n publish {\n model = model.a\n artifact = step.s.m\n }\n}",
			"simulation \"s\" {\n model = model.b\n rate = 1\n}\nversion \"a@1.0.0\" {\n artifact = \"oci://local/a@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a\"\n created = \"2026-01-01\"\n}",
			"policy \"q\" {\n for = model\n where = var.v == \"1\"\n require = model.name != \"\"\n}\nmodel \"c\" {\n image = \"c:1\"\n card = \"card.md\"\n}",
		},
		"x.hcl": {
			"", "secret \"k\" {\n env = \"K${var.v}\"\n}\nnotifier \"n\" {\n kind = webhook\n url = secret.k\n title = \"{{ .Title }} ${var.v}\"\n}",
			"secret \"k\" {\n enabled = var.v == \"1\"\n sops = \"s.yaml\"\n}\nnotifier \"n\" {\n kind = webhook\n url = secret.k\n}\napproval \"a\" {\n revision = \"4f2a90b1c2d3\"\n step = 1\n}",
			"include \"i\" {\n repo = \"https://example.com/${var.v}.git\"\n}\ntrust {\n mode = off\n}",
			"include \"i\" {\n repo = \"https://example.com/i.git\"\n prefix = \"i-${var.v}-\"\n}\npromote \"prod\" {\n from = environment.staging\n require = [from.hours > 1]\n}\nenvironment \"staging\" {\n}\nenvironment \"prod\" {\n}",
		},
		"s.yaml": {"a: 1\n", "sops:\n age: -----BEGIN AGE ENCRYPTED FILE-----\n"},
		spec.IncludeDir + "i/m.hcl": {
			"model \"i_m\" {\n image = file(\"image.txt\")\n}", "model \"i-1-m\" {\n image = \"m:1\"\n route {\n path = \"/i-1/m\"\n }\n}\napproval \"a\" {\n revision = \"4f2a90b1c2d3\"\n step = 2\n}",
			"variable \"v\" { default = \"7\" }\nmodel \"i_m\" {\n image = \"m:${var.v}\"\n route {\n path = \"/b\"\n }\n}\nenvironment \"prod\" {\n model \"i_m\" { replicas = 2 }\n}",
			"model \"i_m\" {\n image = \"m:1\"\n}", "broken {",
		},
		spec.IncludeDir + "i/image.txt": {"y:1", "y:2"},
	}
	paths := slices.Sorted(maps.Keys(contents))
	rapid.Check(t, func(t *rapid.T) {
		l := NewLoader()
		files := tree{}
		for step := range rapid.IntRange(1, 6).Draw(t, "loads") {
			path := rapid.SampledFrom(paths).Draw(t, "file")
			if step == 0 {
				for _, p := range paths {
					files[p] = rapid.SampledFrom(contents[p]).Draw(t, p)
				}
			}
			files = with(files, path, rapid.SampledFrom(contents[path]).Draw(t, "content"))
			o := Options{Environment: rapid.SampledFrom([]string{"", "prod"}).Draw(t, "environment")}
			warm, warmDiags := l.Load(files, o)
			cold, coldDiags := NewLoader().Load(files, o)
			if got, want := describe(warm, warmDiags.Sorted().Err()), describe(cold, coldDiags.Sorted().Err()); got != want {
				t.Fatalf("a warm load differs from a cold one for %v:\ngot  %s\nwant %s", files, got, want)
			}
		}
	})
}

func describe(cfg *spec.Config, err error) string {
	if err != nil {
		return err.Error()
	}
	all, err := json.Marshal([]any{cfg.Environments, cfg.Models, cfg.Datasets, cfg.Pipelines, cfg.Policies, cfg.Versions, cfg.Simulations, cfg.Secrets, cfg.Notifiers, cfg.Approvals, cfg.Promotions, cfg.Trust, cfg.Includes})
	if err != nil {
		return err.Error()
	}
	s := string(all)
	for _, d := range cfg.Datasets {
		s += string(d.Source.Data)
	}
	return s
}
