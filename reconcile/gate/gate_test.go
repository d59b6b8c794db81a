package gate_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

var now = time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)

func ref(path string) expr.Expr {
	return expr.Expr{Op: expr.Ref, Path: strings.Split(path, ".")}
}

func compare(op expr.Op, left expr.Expr, right any) expr.Expr {
	return expr.Expr{Op: op, Args: []expr.Expr{left, expr.Of(right)}}
}

func length(path string) expr.Expr {
	return expr.Expr{Op: expr.Call, Name: "length", Args: []expr.Expr{ref(path)}}
}

var accurate = compare(expr.Ge, ref("step.evaluate.metrics.accuracy"), 0.95)

func metrics(accuracy float64) expr.Facts {
	return expr.Facts{"step": map[string]any{"evaluate": map[string]any{"metrics": map[string]float64{"accuracy": accuracy}}}}
}

func TestJudge(t *testing.T) {
	hard := &spec.Gate{Name: "good_enough", Require: accurate, Level: spec.LevelHard, Message: "Train longer.", Regulation: "EU AI Act, Art. 15(1)"}
	soft, advisory, unsaid := *hard, *hard, *hard
	soft.Level, advisory.Level, unsaid.Level = spec.LevelSoft, spec.LevelAdvisory, ""
	wrong := *hard
	wrong.Require = compare(expr.Ge, ref("step.evaluate.metrics.accuracy"), "high")
	for name, c := range map[string]struct {
		gate   *spec.Gate
		facts  expr.Facts
		text   string
		denies bool
	}{
		"passed":        {hard, metrics(0.9835), "gate good_enough passed: step.evaluate.metrics.accuracy 0.9835 >= 0.95 (EU AI Act, Art. 15(1))", false},
		"failed":        {hard, metrics(0.93), "gate good_enough failed: step.evaluate.metrics.accuracy 0.93 >= 0.95; Train longer (EU AI Act, Art. 15(1))", true},
		"NaN":           {hard, metrics(math.NaN()), "gate good_enough has no evidence: step.evaluate.metrics.accuracy is NaN, which is no evidence; Train longer (EU AI Act, Art. 15(1))", true},
		"absent":        {hard, expr.Facts{}, "gate good_enough has no evidence: step.evaluate.metrics.accuracy is not there; there is no step; Train longer (EU AI Act, Art. 15(1))", true},
		"soft":          {&soft, metrics(0.93), "gate good_enough failed (soft): step.evaluate.metrics.accuracy 0.93 >= 0.95; Train longer (EU AI Act, Art. 15(1))", true},
		"advisory":      {&advisory, expr.Facts{}, "gate good_enough has no evidence (advisory): step.evaluate.metrics.accuracy is not there; there is no step; Train longer (EU AI Act, Art. 15(1))", false},
		"without level": {&unsaid, metrics(0.93), "gate good_enough failed: step.evaluate.metrics.accuracy 0.93 >= 0.95; Train longer (EU AI Act, Art. 15(1))", true},
		"wrong kind":    {&wrong, metrics(0.93), `gate good_enough has no evidence: step.evaluate.metrics.accuracy >= "high": it takes numbers, and this is the number 0.93 and a text, "high"; Train longer (EU AI Act, Art. 15(1))`, true},
	} {
		r := gate.Judge(c.gate, c.facts)
		if r.String() != c.text || r.Denies() != c.denies {
			t.Errorf("%s: %s, denies %v\nwant %s", name, r.String(), r.Denies(), c.text)
		}
	}
}

func TestOverridesAreForSoftOnesThatDidNotPass(t *testing.T) {
	var results []gate.Result
	for name, level := range map[string]spec.GateLevel{"hard": spec.LevelHard, "soft": spec.LevelSoft, "fine": spec.LevelSoft} {
		g := &spec.Gate{Name: name, Level: level, Require: expr.Of(name == "fine")}
		results = append(results, gate.Judge(g, nil))
	}
	word := gate.Override{Actor: "ada", Reason: "a holiday"}
	after := gate.WithOverrides(results, map[string]gate.Override{"hard": word, "soft": word, "fine": word})
	for i, r := range after {
		if (r.Override != nil) != (r.Name == "soft") {
			t.Errorf("%s: override %v", r.Name, r.Override)
		}
		if results[i].Override != nil {
			t.Errorf("%s: the results that were given are changed", r.Name)
		}
	}
	if denied := gate.Denied(after); len(denied) != 1 || denied[0].Name != "hard" {
		t.Errorf("denied: %v", denied)
	}
	if gate.Overridable(after) {
		t.Error("a hard one is overridable")
	}
	want := "gate hard failed: false\ngate soft failed (soft): false; overridden by ada: a holiday\ngate fine passed: true"
	if got := gate.Journal(after); got != want {
		t.Errorf("journal:\n%s\nwant:\n%s", got, want)
	}
	for _, v := range gate.ForVersion(after) {
		if want := map[string]string{"hard": "failed", "soft": "overridden", "fine": "passed"}[v.Name]; v.Outcome != want {
			t.Errorf("%s is %s for the version", v.Name, v.Outcome)
		}
	}
}

func TestOnlySoftOnesAreOverridable(t *testing.T) {
	soft := []gate.Result{{Level: spec.LevelSoft, Outcome: gate.Failed}, {Level: spec.LevelAdvisory, Outcome: gate.Failed}}
	if !gate.Overridable(soft) || gate.Overridable(nil) || gate.Overridable([]gate.Result{{Outcome: gate.Passed}}) {
		t.Error("overridable is not what only soft ones deny")
	}
}

// sample is a Config with two models, of which only the first is owned.
func sample() *spec.Config {
	owned := &spec.Model{
		Address: spec.Address{Kind: spec.KindModel, Name: "digits"}, Name: "digits", Version: "1.2.0", Owners: []string{"@vision"},
		Image: "digits@sha256:ab", License: "Apache-2.0", Protocol: spec.OpenInference, Replicas: 2,
		Artifact: &spec.Artifact{Ref: "oci://local/digits@sha256:cd", Digest: "sha256:cd"},
		Card:     &spec.Card{Path: "card.md", Facts: map[string]any{"risk": "high", "oversight": map[string]any{"contact": "ada"}}},
		Routes:   []spec.Route{{Path: "/digits", Auth: &spec.RouteAuth{APIKeys: []string{"key"}}}},
		Rollout: &spec.Rollout{
			Strategy: spec.Canary, Steps: []spec.RolloutStep{{Weight: 5}, {Weight: 50, Approval: true}},
			Checks: []spec.Check{{Name: "errors", Metric: spec.ErrorRatio}},
		},
		Container: spec.Container{ReadOnlyRoot: true, Env: map[string]spec.EnvValue{"A": {Secret: "token"}, "B": {Value: "x"}}},
	}
	orphan := &spec.Model{Address: spec.Address{Kind: spec.KindModel, Name: "orphan"}, Name: "orphan", Image: "orphan:1", Protocol: spec.OpenInference, Routes: []spec.Route{{Path: "/orphan"}}}
	data := &spec.Dataset{
		Address: spec.Address{Kind: spec.KindDataset, Name: "digits"}, Name: "digits", License: "CC-BY-4.0", Region: "TR",
		Collected: now.AddDate(0, 0, -10), Digest: "sha256:ef", Expect: []spec.Expectation{{Kind: spec.ExpectRows}, {Kind: spec.ExpectColumn, Column: "label"}},
	}
	train := &spec.Pipeline{
		Address: spec.Address{Kind: spec.KindPipeline, Name: "train"}, Name: "train",
		Steps: []*spec.Step{{Name: "evaluate", Image: "steps:1", Network: true, Inputs: map[string]spec.Input{"data": {Kind: spec.InputDataset, Name: "digits"}}}},
		Gates: []*spec.Gate{{Name: "good", Require: accurate, Level: spec.LevelHard}, {Name: "fair", Require: ref("step.evaluate.metrics.sex.recall")}},
	}
	return &spec.Config{
		Environment: "prod", Models: []*spec.Model{owned, orphan}, Datasets: []*spec.Dataset{data}, Pipelines: []*spec.Pipeline{train},
		Versions: []*spec.Version{{
			Model: "digits", Version: "1.2.0", Artifact: "oci://local/digits@sha256:cd", Created: now.AddDate(0, 0, -1), Pipeline: "train", Run: "train-1", Commit: "c0ffee",
			Metrics: map[string]float64{"accuracy": 0.98, "sex.recall": 0.9, "sex": 1}, Data: map[string]string{"digits": "sha256:ef"}, Gates: []spec.VersionGate{{Name: "good", Outcome: "passed"}},
		}},
	}
}

func TestFacts(t *testing.T) {
	cfg := sample()
	facts := expr.Facts{}
	for name, s := range map[string]gate.Subject{
		"digits": gate.ModelFacts(cfg, cfg.Models[0], now), "orphan": gate.ModelFacts(cfg, cfg.Models[1], now),
		"data": gate.DatasetFacts(cfg, cfg.Datasets[0], now), "train": gate.PipelineFacts(cfg, cfg.Pipelines[0], now),
	} {
		facts[name] = map[string]any(s.Facts)
	}
	facts["live"] = gate.Live(cfg.Versions)
	for path, want := range map[string]string{
		"digits.model.name": `"digits"`, "digits.model.version": `"1.2.0"`, "digits.model.pinned": "true", "digits.model.image_digest": `"sha256:ab"`,
		"digits.model.card.oversight.contact": `"ada"`, "digits.model.artifact.digest": `"sha256:cd"`, "digits.model.open_routes": "[]",
		"digits.model.rollout.approval": "true", "digits.model.rollout.first_weight": "5", "digits.model.rollout.metrics": `["error_ratio"]`,
		"digits.model.container.secrets": `["token"]`, "digits.model.container.read_only_root": "true",
		"digits.model.metrics.accuracy": "0.98", "live.digits.metrics.sex.recall": "0.9", "digits.model.lineage.metrics.sex.recall": "0.9", "digits.model.lineage.run": `"train-1"`, "digits.model.lineage.age_days": "1",
		"digits.model.lineage.licenses": `["CC-BY-4.0"]`, "digits.model.lineage.personal": "false", "digits.model.lineage.gates.good": `"passed"`,
		"digits.model.lineage.reproducible": "false",
		"orphan.model.pinned":               "false", "orphan.model.owners": "[]", "orphan.model.open_routes": `["/orphan","/v2/models/orphan"]`,
		"data.dataset.age_days": "10", "data.dataset.expectations": "2", "data.dataset.columns": `["label"]`, "data.dataset.used_by": `["train"]`, "data.dataset.pinned": "true",
		"train.pipeline.gates.good": `"hard"`, "train.pipeline.hard_gates": "1", "train.pipeline.gate_metrics": `["accuracy","recall","sex.recall"]`, "train.pipeline.network_steps": `["evaluate"]`,
		"train.pipeline.unpinned_images": `["steps:1"]`, "train.pipeline.unchecked_datasets": "[]", "train.pipeline.licenses": `["CC-BY-4.0"]`,
		"live.digits.metrics.accuracy": "0.98", "live.digits.version": `"1.2.0"`,
	} {
		v, err := ref(path).Eval(facts)
		if err != nil || expr.Format(v) != want {
			t.Errorf("%s is %s, %v, want %s", path, expr.Format(v), err, want)
		}
	}
	for _, path := range []string{
		"orphan.model.license", "orphan.model.version", "orphan.model.card", "orphan.model.rollout", "orphan.model.lineage", "orphan.model.metrics", "orphan.model.image_digest",
		"train.pipeline.publish", "train.pipeline.schedule", "data.dataset.description",
	} {
		if v, err := ref(path).Eval(facts); err == nil {
			t.Errorf("%s is %s, and not declared", path, expr.Format(v))
		}
	}
}

func TestAnUndeclaredDatasetLeavesNoEvidenceAboutTheData(t *testing.T) {
	cfg := sample()
	cfg.Datasets = nil
	s := gate.ModelFacts(cfg, cfg.Models[0], now)
	for _, path := range []string{"model.lineage.personal", "model.lineage.licenses"} {
		if v, err := ref(path).Eval(s.Facts); err == nil {
			t.Errorf("%s is %v", path, v)
		}
	}
}

func TestAVersionOfAnotherArtifactIsNotTheModels(t *testing.T) {
	cfg := sample()
	cfg.Models[0].Artifact.Digest = "sha256:00"
	if v := gate.VersionOf(cfg, cfg.Models[0]); v != nil {
		t.Errorf("it is %s", v.ID())
	}
}

func policies() []*spec.Policy {
	return []*spec.Policy{
		{Name: "owned", For: spec.KindModel, Require: compare(expr.Gt, length("model.owners"), 0.0), Message: "Add owners.", Regulation: "EU AI Act, Art. 26(2)", Pos: spec.Pos{File: "p.hcl", Line: 3}},
		{Name: "licensed", For: spec.KindDataset, Level: spec.LevelSoft, Require: compare(expr.Ne, ref("dataset.license"), nil)},
		{Name: "only_staging", For: spec.KindModel, Where: compare(expr.Eq, ref("env.name"), "staging"), Require: expr.Of(false)},
		{Name: "high_risk", For: spec.KindModel, Where: compare(expr.Eq, ref("model.card.risk"), "high"), Require: compare(expr.Eq, ref("model.rollout.approval"), true)},
	}
}

func TestPolicies(t *testing.T) {
	cfg := sample()
	cfg.Policies = policies()
	want := []string{
		"policy owned about model.digits passed: length(model.owners [\"@vision\"]) 1 > 0 (EU AI Act, Art. 26(2))",
		"policy owned about model.orphan failed: length(model.owners []) 0 > 0; Add owners (EU AI Act, Art. 26(2))",
		"policy licensed about dataset.digits passed: dataset.license \"CC-BY-4.0\" != null",
		"policy high_risk about model.digits passed: model.rollout.approval true == true",
		"policy high_risk about model.orphan has no evidence: whether it applies cannot be told: model.card.risk is not there; there is no model.card",
	}
	results := gate.Check(cfg, now)
	for i := range max(len(results), len(want)) {
		switch {
		case i >= len(results):
			t.Errorf("not there: %s", want[i])
		case i >= len(want):
			t.Errorf("unexpected: %s", results[i].String())
		case !strings.HasPrefix(results[i].String(), want[i]):
			t.Errorf("got  %s\nwant %s", results[i].String(), want[i])
		}
	}
}

func TestDeniedModels(t *testing.T) {
	cfg := sample()
	if denied := gate.DeniedModels(cfg, now); denied != nil {
		t.Errorf("without policies: %v", denied)
	}
	cfg.Policies = policies()[:2]
	denied := gate.DeniedModels(cfg, now)
	if len(denied) != 1 {
		t.Fatalf("denied: %v", denied)
	}
	want := "policy.owned (p.hcl:3) denies it: length(model.owners []) 0 > 0; Add owners (EU AI Act, Art. 26(2))"
	if err := denied["orphan"]; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if e, is := errors.AsType[*gate.DeniedError](denied["orphan"]); !is || len(e.By) != 1 {
		t.Errorf("it is %#v", denied["orphan"])
	}
	for _, level := range []spec.GateLevel{spec.LevelSoft, spec.LevelAdvisory} {
		cfg.Policies[0].Level = level
		if denied := gate.DeniedModels(cfg, now); len(denied) != 0 {
			t.Errorf("a %s policy denies %v", level, denied)
		}
	}
}

// What is kept from an earlier commit is what would be found again, whatever
// changes in between.
func TestDenialsAgreeWithoutMemory(t *testing.T) {
	aged := &spec.Policy{Name: "aged", For: spec.KindModel, Where: compare(expr.Ne, ref("model.lineage"), nil), Require: compare(expr.Lt, ref("model.lineage.age_days"), 7.0)}
	licensed := &spec.Policy{Name: "licensed", For: spec.KindModel, Where: compare(expr.Ne, ref("model.lineage"), nil), Require: compare(expr.Eq, ref("model.lineage.licenses"), []any{"CC-BY-4.0"})}
	rapid.Check(t, func(t *rapid.T) {
		var d gate.Denials
		cfg, at := sample(), now
		cfg.Policies = policies()
		for range rapid.IntRange(1, 8).Draw(t, "commits") {
			next := *cfg
			next.Models = slices.Clone(cfg.Models)
			switch rapid.IntRange(0, 7).Draw(t, "change") {
			case 0:
				m := *next.Models[1]
				m.Owners = append(slices.Clone(m.Owners), "@team")
				next.Models[1] = &m
			case 1:
				next.Policies = append(policies(), aged)
			case 2:
				next.Policies = append(policies(), licensed)
			case 3:
				next.Environment = rapid.SampledFrom([]string{"prod", "staging"}).Draw(t, "environment")
			case 4:
				v := *cfg.Versions[0]
				v.Metrics, v.Data = map[string]float64{}, nil
				next.Versions = []*spec.Version{&v}
			case 5:
				data := *cfg.Datasets[0]
				data.License = "MIT"
				next.Datasets = []*spec.Dataset{&data}
			case 6:
				next.Models = next.Models[:1]
			default:
				at = at.AddDate(0, 0, 5)
			}
			cfg = &next
			if len(cfg.Models) < 2 {
				cfg.Models = append(slices.Clone(cfg.Models), sample().Models[1])
			}
			kept, fresh := d.Models(cfg, at), gate.DeniedModels(cfg, at)
			if len(kept) != len(fresh) {
				t.Fatalf("kept %v, fresh %v", kept, fresh)
			}
			for name, err := range fresh {
				if kept[name] == nil || kept[name].Error() != err.Error() {
					t.Fatalf("%s: kept %v, fresh %v", name, kept[name], err)
				}
			}
		}
	})
}

func TestOfPipeline(t *testing.T) {
	cfg := sample()
	cfg.Policies = append(policies(), &spec.Policy{Name: "pinned", For: spec.KindPipeline, Require: ref("pipeline.pinned")})
	results := gate.OfPipeline(cfg, cfg.Pipelines[0], now)
	if len(results) != 2 || results[0].Name != "licensed" || results[1].Name != "pinned" || results[1].Outcome != gate.Failed {
		t.Errorf("got %v", results)
	}
}
