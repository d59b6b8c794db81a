package lang

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

func allConfig(t *testing.T) *spec.Config {
	t.Helper()
	return mustLoad(t, NewLoader(), data(tree{"a.hcl": all(t)}), Options{Environment: "prod", Version: "0.1.0"})
}

func pipelineNamed(t *testing.T, cfg *spec.Config, name string) *spec.Pipeline {
	t.Helper()
	for _, p := range cfg.Pipelines {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no pipeline %s", name)
	return nil
}

func refTo(path string) expr.Expr { return expr.Expr{Op: expr.Ref, Path: strings.Split(path, ".")} }

func TestPipelineDecodesAsItIsWritten(t *testing.T) {
	p := pipelineNamed(t, allConfig(t), "train-eu")
	if want := (spec.Schedule{Cron: "0 3 * * 1", Zone: "Europe/Berlin", Missed: spec.MissedSkip, Jitter: 5 * time.Minute}); *p.Schedule != want {
		t.Errorf("schedule %+v", *p.Schedule)
	}
	wantOn := []spec.Trigger{{Kind: spec.TriggerChange}, {Kind: spec.TriggerDrift}, {Kind: spec.TriggerDataset, Dataset: "digits"}, {Kind: spec.TriggerDataset, Dataset: "region-eu"}}
	if !reflect.DeepEqual(p.On, wantOn) {
		t.Errorf("triggers %+v", p.On)
	}
	wantParams := []spec.Param{
		{Name: "full", Type: spec.ParamBool, Default: true},
		{Name: "note", Type: spec.ParamString, Default: "a"},
		{Name: "test_share", Type: spec.ParamNumber, Default: 0.2, Description: "How much is for the test."},
	}
	if !reflect.DeepEqual(p.Params, wantParams) {
		t.Errorf("params %+v", p.Params)
	}
	train := p.Step("train")
	wantMatrix := []spec.Axis{
		{Name: "bias", Values: []any{true, false}},
		{Name: "hidden", Values: []any{32.0, 64.0, 128.0}},
		{Name: "kind", Values: []any{"a"}},
		{Name: "seed", Values: []any{1.0, 2.0}},
	}
	if !reflect.DeepEqual(train.Matrix, wantMatrix) {
		t.Errorf("matrix %+v", train.Matrix)
	}
	if !train.NoCache || !train.Network || train.MaxLog != 1<<20 || train.Retries != 2 || len(train.RetryOn) != 6 || train.Container.ReadOnlyRoot {
		t.Errorf("step %+v", train)
	}
	if want := (map[string]spec.Input{"data": {Kind: spec.InputStep, Name: "split", Output: "train"}}); !reflect.DeepEqual(train.Inputs, want) {
		t.Errorf("inputs %+v", train.Inputs)
	}
	if want := (spec.Publish{
		Pos: p.Publish.Pos, Model: spec.Address{Kind: spec.KindModel, Name: "trained"}, Artifact: spec.Input{Kind: spec.InputSelect, Name: "best", Output: "model"},
		Bump: spec.BumpMinor, Metrics: &spec.Input{Kind: spec.InputStep, Name: "evaluate"}, Profile: &spec.Input{Kind: spec.InputStep, Name: "split", Output: "profile"},
		Card: "data/card.md", Registry: "oci://localhost:5000/models/trained", Tolerance: 0.001, Tags: true,
	}); !reflect.DeepEqual(*p.Publish, want) {
		t.Errorf("publish %+v", *p.Publish)
	}
}

func TestStepsHaveTheirDefaults(t *testing.T) {
	cfg := mustLoad(t, NewLoader(), tree{"a.hcl": "pipeline \"p\" {\n  step \"s\" {\n    image = \"s:1\"\n  }\n}\n"}, Options{})
	p := cfg.Pipelines[0]
	want := &spec.Step{
		Name: "s", Pos: spec.Pos{File: "a.hcl", Line: 2, Column: 3}, Image: "s:1",
		Backoff: 5 * time.Second, MaxBackoff: 5 * time.Minute, MaxLog: 64 << 20, MaxOutput: 10 << 30,
		Container: spec.Container{
			ReadOnlyRoot: true, Restart: spec.RestartNo, StopTimeout: 10 * time.Second,
			Resources: spec.Resources{PIDs: 512}, Logs: spec.Logs{MaxSize: 10 << 20, MaxFiles: 3},
		},
	}
	if !reflect.DeepEqual(p.Steps[0], want) {
		t.Errorf("got  %s\nwant %s", asJSON(t, p.Steps[0]), asJSON(t, want))
	}
	if p.Concurrency != spec.RunQueue || p.Schedule != nil || p.On != nil {
		t.Errorf("pipeline %+v", p)
	}
}

// What is known when the commit is read is a literal; facts stay references.
func TestLateExpressionsCompile(t *testing.T) {
	p := pipelineNamed(t, allConfig(t), "train-eu")
	split := p.Step("split")
	sourced := func(e expr.Expr, source string) expr.Expr { e.Source = source; return e }
	for name, want := range map[string]spec.StepValue{
		"TEST_SHARE": {Expr: sourced(refTo("param.test_share"), "param.test_share")},
		"TOKEN":      {Secret: "token"},
		"KEY":        {Secret: "key-eu"},
		"NAME":       {Expr: expr.Of("EU")},
		"REGION":     {Expr: expr.Of("a${b}")},
		"TEXT": {Expr: sourced(expr.Expr{Op: expr.Template, Args: []expr.Expr{expr.Of("x-"), refTo("param.test_share"), expr.Of("-eu-2")}},
			`"x-${param.test_share}-${each.key}-${2}"`)},
		"DIGEST": {Expr: sourced(refTo("dataset.region-eu.digest"), "dataset.region[each.key].digest")},
		"OF":     {Expr: sourced(refTo("model.trained.version"), "model.trained.version")},
		"BOTH": {Expr: sourced(expr.Expr{Op: expr.Cond, Args: []expr.Expr{refTo("param.full"), expr.Of("y"), expr.Of("n")}},
			`param.full ? "y" : lower("N")`)},
		"MAYBE": {Expr: sourced(refTo("param.note"), `env.name == "prod" ? param.note : null`)},
	} {
		if got := split.Env[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
	wantCommand := []expr.Expr{expr.Of("split"), expr.Of("--share"), sourced(refTo("param.test_share"), "param.test_share"), expr.Of("3"), expr.Of("true")}
	if !reflect.DeepEqual(split.Command, wantCommand) {
		t.Errorf("command %+v", split.Command)
	}
	listed := p.Gates[1]
	if listed.Name != "listed" || listed.Level != spec.LevelAdvisory {
		t.Fatalf("gate %+v", listed)
	}
	first := expr.Expr{Op: expr.Index, Args: []expr.Expr{refTo("model.trained.routes"), expr.Of(0.0)}}
	want := expr.Expr{Op: expr.Index, Args: []expr.Expr{first, expr.Of("path")}}
	if got := listed.Require.Args[0].Args[2].Args[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("index %+v", got)
	}
	facts := expr.Facts{
		"param": map[string]any{"test_share": 0.25, "full": false, "note": "a"},
		"model": map[string]any{"trained": map[string]any{"owners": []any{"x"}, "routes": []any{map[string]any{"path": "/a"}}}},
	}
	if ok, err := listed.Require.Holds(facts); !ok || err != nil {
		t.Errorf("listed does not hold: %v", err)
	}
	if text, err := split.Env["TEXT"].Expr.Text(facts); text != "x-0.25-eu-2" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

// A step waits for those whose facts it reads, as it does for those whose outputs it
// reads.
func TestFactsOfAStepMakeItWait(t *testing.T) {
	p := pipelineNamed(t, allConfig(t), "train-eu")
	if got := p.Step("evaluate").After; !reflect.DeepEqual(got, []string{"tune"}) {
		t.Errorf("evaluate waits for %v", got)
	}
	if got := p.Step("notify").After; got != nil {
		t.Errorf("the exit step waits for %v", got)
	}
	if got := p.Step("train").After; !reflect.DeepEqual(got, []string{"clean"}) {
		t.Errorf("train waits for %v", got)
	}
}

// Runs keep the definition that they were started with as JSON.
func TestPipelinesSurviveJSON(t *testing.T) {
	cfg := allConfig(t)
	cfg.Pipelines = append(cfg.Pipelines, mustLoad(t, NewLoader(), tree{
		"a.hcl": "pipeline \"p\" {\n  step \"s\" {\n    image = \"s:1\"\n    command = []\n    entrypoint = []\n    retries = 1\n    retry_on = []\n  }\n}\n",
	}, Options{}).Pipelines...)
	for _, p := range cfg.Pipelines {
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var again spec.Pipeline
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&again, p) {
			t.Errorf("%s differs:\ngot  %s\nwant %s", p.Name, asJSON(t, again), text)
		}
	}
}

func TestVersionsAreSortedOldestFirst(t *testing.T) {
	cfg := allConfig(t)
	var ids []string
	for _, v := range cfg.Versions {
		ids = append(ids, v.ID())
	}
	if want := []string{"trained@1.2.0", "trained@1.10.0"}; !reflect.DeepEqual(ids, want) {
		t.Errorf("got %v", ids)
	}
	v := cfg.Versions[0]
	if v.Params["test_share"] != 0.2 || v.Metrics["per class.7"] != 1 || len(v.Gates) != 2 || v.Steps["train"].Values["hidden"] != 64.0 || !v.Created.Equal(time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC)) {
		t.Errorf("version %+v", v)
	}
}

// What is known now is evaluated under the same budget as everywhere.
func TestExpressionsOfFactsHaveABudget(t *testing.T) {
	big := "[for a in range(1000) : [for b in range(1000) : b]]"
	for _, use := range []string{
		"when = length(" + big + ") > param.a", "env = { A = param.a, B = join(\"\", flatten(" + big + ")) }", "command = concat(flatten(" + big + "), [param.a])",
		"command = [param.a" + strings.Repeat(", local.l", 3000) + "]", "env = merge({ A = param.a }, { for k in setproduct(range(300), range(300)) : \"k${k[0]}\" => 1... })",
	} {
		repo := tree{"a.hcl": "locals {\n  l = range(1000)\n}\npipeline \"p\" {\n  param \"a\" {\n    default = 1\n  }\n  step \"s\" {\n    image = \"s:1\"\n    " + use + "\n  }\n}\n"}
		start := time.Now()
		_, diags := NewLoader().Load(repo, Options{})
		if took := time.Since(start); !diags.HasErrors() || took > tooLong {
			t.Errorf("%.60s: took %s, %d diagnostics", use, took, len(diags))
		}
	}
}

// Metrics are any number that a program computes with; none may keep the repo from
// being read once it is merged.
func TestEveryFiniteMetricCanBeRead(t *testing.T) {
	for _, n := range []float64{math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 0, 1.0 / 3, 1 << 53, -0.1} {
		for _, format := range []byte{'g', 'f', 'e'} {
			written := strconv.FormatFloat(n, format, -1, 64)
			if len(written) > digits {
				continue
			}
			repo := tree{"a.hcl": "version \"m@1.0.0\" {\n  artifact = \"oci://local/m@sha256:" + strings.Repeat("0a", 32) + "\"\n  created = \"2026-01-01\"\n  metrics = { a = " + written + " }\n}\n"}
			cfg, diags := NewLoader().Load(repo, Options{})
			if diags.HasErrors() || cfg.Versions[0].Metrics["a"] != n {
				t.Errorf("%s: %v", written, diags.Err())
			}
		}
	}
}

func TestDatasetOfTheRepoHasItsContent(t *testing.T) {
	cfg := allConfig(t)
	d := cfg.Datasets[0]
	if d.Name != "digits" || string(d.Source.Data) != "2" || d.Source.File != "digits.csv" || d.Source.Kind != spec.SourceRepo {
		t.Errorf("dataset %+v", d)
	}
}

// A file of data is read again only when it has changed.
func TestDataIsReadOnce(t *testing.T) {
	counted := &countingTree{bigTree: &bigTree{text: map[string]string{
		"a.hcl": "dataset \"d\" {\n  source = \"d.csv\"\n}\n", "d.csv": "1",
	}}}
	counted.files = []spec.File{{Path: "a.hcl", Hash: "1", Size: 10}, {Path: "d.csv", Hash: "2", Size: 1}}
	l := NewLoader()
	for range 3 {
		if cfg, diags := l.Load(counted, Options{}); diags.HasErrors() || string(cfg.Datasets[0].Source.Data) != "1" {
			t.Fatal(diags.Err())
		}
	}
	if counted.reads["d.csv"] != 1 {
		t.Errorf("the data was read %d times", counted.reads["d.csv"])
	}
	counted.text["d.csv"], counted.files[1].Hash = "3", "3"
	if cfg, diags := l.Load(counted, Options{}); diags.HasErrors() || string(cfg.Datasets[0].Source.Data) != "3" {
		t.Errorf("the change was not seen: %v", diags.Err())
	}
}

type countingTree struct {
	*bigTree
	reads map[string]int
}

func (t *countingTree) Read(path string) ([]byte, error) {
	if t.reads == nil {
		t.reads = map[string]int{}
	}
	t.reads[path]++
	return t.bigTree.Read(path)
}

func TestModelCardsBecomeFacts(t *testing.T) {
	const spec = "model \"m\" {\n  image = \"m:1\"\n  card  = \"card.md\"\n}\n"
	card := func(text string) (map[string]any, string) {
		cfg, diags := NewLoader().Load(tree{"a.hcl": spec, "card.md": text}, Options{})
		if cfg == nil {
			d := diags[0]
			return nil, d.Subject.Filename + ":" + d.Subject.String() + " " + d.Detail
		}
		return cfg.Models[0].Card.Facts, ""
	}
	facts, problem := card("---\nlicense: apache-2.0\nn: 3\nx: 1.5e3\nok: yes\nyes: true\nwhen: 2026-01-02\nlist: [a, {b: null}]\nhex: 0x10\nempty:\n---\n# Title\n---\n")
	want := map[string]any{
		"license": "apache-2.0", "n": 3.0, "x": 1500.0, "ok": "yes", "yes": true, "when": "2026-01-02",
		"list": []any{"a", map[string]any{"b": nil}}, "hex": 16.0, "empty": nil,
	}
	if problem != "" || !reflect.DeepEqual(facts, want) {
		t.Errorf("got %v %s", facts, problem)
	}
	for text, want := range map[string]map[string]any{
		"# no front matter\n": nil, "": nil, "---\n---\ntext": {}, "\ufeff---\r\na: b\r\n---\r\n": {"a": "b"}, "----\na: b\n": nil,
	} {
		if facts, problem := card(text); problem != "" || !reflect.DeepEqual(facts, want) {
			t.Errorf("%q: got %v %s", text, facts, problem)
		}
	}
	for text, want := range map[string]string{
		"---\na: b\n":                                        "card.md:1",
		"---\na: b\na: c\n---\n":                             "card.md:3",
		"---\na: &x b\nc: *x\n---\n":                         "card.md:3",
		"---\n- a\n---\n":                                    "card.md:2",
		"---\na: b: c\n---\n":                                "card.md:2",
		"---\na: .nan\n---\n":                                "finite",
		"---\na: !!binary aGk=\n---\n":                       "a fact is",
		"---\n? [a]\n: b\n---\n":                             "name of a fact",
		"---\na: \"\xff\"\n---\n":                            "UTF-8",
		"---\n" + strings.Repeat("- ", 40) + "a\n---\n":      "levels deep",
		"---\na: " + strings.Repeat("x", 70<<10) + "\n---\n": "is the most",
		"---\na: {<<: {b: 1}}\n---\n":                        "name of a fact",
		"---\n" + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "\n---\n": "card.md",
	} {
		if _, problem := card(text); !strings.Contains(strings.ToLower(problem), strings.ToLower(want)) {
			t.Errorf("%.30q: got %q, want %q", text, problem, want)
		}
	}
}

func TestBlocksOfPipelinesCanBeOverlaid(t *testing.T) {
	repo := tree{"a.hcl": `
dataset "d" {
  source = "volume://a"
  expect "rows" {
    min = 1
  }
  expect "column" {
    name = "x"
  }
}
pipeline "p" {
  on = [change]
  step "a" {
    image   = "a:1"
    env     = { A = param.x, B = "1" }
    timeout = "1h"
  }
  param "x" {
    default = 1
  }
}
policy "q" {
  for     = model
  require = model.replicas > 1
}
environment "prod" {
  dataset "d" {
    source = "volume://b"
    expect "rows" {
      min = 2
    }
  }
  pipeline "p" {
    on = []
    step "a" {
      env = { A = "2" }
    }
    step "b" {
      image = "b:1"
    }
    param "x" {
      default = 3
    }
  }
  policy "q" {
    level   = soft
    enabled = true
  }
}
`}
	cfg := mustLoad(t, NewLoader(), repo, Options{Environment: "prod"})
	d, p := cfg.Datasets[0], cfg.Pipelines[0]
	if d.Source.Location != "b" || len(d.Expect) != 1 || *d.Expect[0].Min != 2 {
		t.Errorf("dataset %s", asJSON(t, d))
	}
	if p.On != nil || len(p.Steps) != 2 || p.Steps[0].Timeout != time.Hour || len(p.Steps[0].Env) != 1 || p.Params[0].Default != 3.0 {
		t.Errorf("pipeline %s", asJSON(t, p))
	}
	if cfg.Policies[0].Level != spec.LevelSoft {
		t.Errorf("policy %s", asJSON(t, cfg.Policies[0]))
	}
	l := NewLoader()
	for path, want := range map[string]string{
		"dataset.d.expect[0].min":    "2",
		"pipeline.p.step.a.timeout":  `"1h"`,
		"pipeline.p.step.a.env":      `{ A = "2" }`,
		"policy.q.require":           "model.replicas > 1",
		"pipeline.p.param.x.default": "3",
		"pipeline.p.step.a.max_log":  `"64MiB"`,
	} {
		x, diags := l.Explain(repo, Options{Environment: "prod"}, path)
		if diags.HasErrors() || x.Value != want {
			t.Errorf("%s: got %q, want %q: %v", path, x.Value, want, diags.Err())
		}
	}
}

// A load takes pipelines and datasets as they are while nothing that they read has
// changed.
func TestUnchangedPipelinesKeepTheirPointers(t *testing.T) {
	l := NewLoader()
	o := Options{Environment: "prod", Version: "0.1.0"}
	files := data(tree{"a.hcl": all(t), "b.hcl": "model \"other\" {\n  image = \"o:1\"\n}\npipeline \"q\" {\n  step \"s\" {\n    image = \"s:1\"\n    env   = { O = model.other.version }\n  }\n}\n"})
	before := mustLoad(t, l, files, o)
	after := mustLoad(t, l, with(files, "b.hcl", strings.ReplaceAll(files["b.hcl"], "s:1", "s:2")), o)
	for i, p := range after.Pipelines {
		if same := p == before.Pipelines[i]; same == (p.Name == "q") {
			t.Errorf("%s: same pointer: %t", p.Name, same)
		}
	}
	for i, d := range after.Datasets {
		if d != before.Datasets[i] {
			t.Errorf("%s is another pointer", d.Name)
		}
	}
	if _, diags := l.Load(with(files, "b.hcl", "pipeline \"q\" {\n  step \"s\" {\n    image = \"s:1\"\n    env   = { O = model.other.version }\n  }\n}\n"), o); len(diags) != 1 || diags[0].Summary != "Unknown model" {
		t.Errorf("the model is gone: %v", diags.Err())
	}
}

// A big condition is refused when it is read, not when a run has been made for it.
func TestExpressionsThatCouldNotBeEvaluatedAreRefused(t *testing.T) {
	deep := "param.a" + strings.Repeat(" + param.a", 250) + " > 0"
	for _, condition := range []string{deep, strings.Repeat("(", 60) + "param.a > 0" + strings.Repeat(")", 60)} {
		repo := tree{"a.hcl": "pipeline \"p\" {\n  param \"a\" {\n    default = 1\n  }\n  step \"s\" {\n    image = \"s:1\"\n    when = " + condition + "\n  }\n}\n"}
		cfg, diags := NewLoader().Load(repo, Options{})
		if cfg == nil {
			if diags[0].Summary != "Spec too complex" {
				t.Errorf("got %v", diags.Err())
			}
			continue
		}
		if _, err := cfg.Pipelines[0].Steps[0].When.Holds(expr.Facts{"param": map[string]any{"a": 1.0}}); err != nil {
			t.Errorf("loads, and cannot be evaluated: %v", err)
		}
	}
}

func TestTheSketchOfTheIssueLoads(t *testing.T) {
	src, err := os.ReadFile("testdata/digits_pipeline.hcl")
	if err != nil {
		t.Fatal(err)
	}
	cfg, diags := NewLoader().Load(tree{"a.hcl": string(src), "data/digits.csv.gz": "x", "digits/model-card.md": "# Digits\n"}, Options{})
	if len(diags) > 0 || len(cfg.Pipelines) != 1 {
		t.Errorf("got\n%s", text(t, diags, tree{"a.hcl": string(src)}))
	}
}
