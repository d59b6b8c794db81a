package review_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/review"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

func address(kind spec.Kind, name string) spec.Address { return spec.Address{Kind: kind, Name: name} }

// atLeast is the condition NAME >= VALUE.
func atLeast(name string, value float64) expr.Expr {
	e := expr.Expr{Op: expr.Ge, Args: []expr.Expr{{Op: expr.Ref, Path: []string{name}}, expr.Of(value)}}
	e.Source = e.String()
	return e
}

// declared are specs with a pipeline that reads a dataset, and a policy.
func declared(line int) *spec.Config {
	at := func(n int) spec.Pos { return spec.Pos{File: "a.hcl", Line: line + n} }
	return &spec.Config{
		Pipelines: []*spec.Pipeline{{
			Address: address(spec.KindPipeline, "train"), Name: "train", Pos: at(0), Schedule: &spec.Schedule{Cron: "@daily", Zone: "UTC"},
			Steps: []*spec.Step{
				{Name: "fit", Pos: at(1), Image: "train:1", Inputs: map[string]spec.Input{"rows": {Kind: spec.InputDataset, Name: "rows"}}, Env: map[string]spec.StepValue{"RATE": {Expr: expr.Of(0.5)}}},
				{Name: "test", Pos: at(2), Image: "test:1"},
			},
			Gates: []*spec.Gate{{Name: "good", Pos: at(3), Require: atLeast("accuracy", 0.95), Level: spec.LevelHard}},
		}},
		Datasets: []*spec.Dataset{{Address: address(spec.KindDataset, "rows"), Name: "rows", Pos: at(4), Source: spec.DatasetSource{Kind: spec.SourceRepo, Location: "rows.csv", File: "rows.csv", Data: []byte("a,b\n1,2\n")}, Labels: map[string]string{"require": "x"}}},
		Policies: []*spec.Policy{{Address: address(spec.KindPolicy, "owned"), Name: "owned", Pos: at(5), For: spec.KindModel, Require: atLeast("owners", 1)}},
	}
}

func TestWhatChangesBesideTheModels(t *testing.T) {
	const pipeline, dataset, policy = "pipeline.train", "dataset.rows", "policy.owned"
	for name, c := range map[string]struct {
		change func(*spec.Config)
		of     string
		how    review.Change
		fields []plan.Field
		reruns bool
	}{
		"a weaker gate": {
			func(c *spec.Config) { c.Pipelines[0].Gates[0].Require = atLeast("accuracy", 0.5) }, pipeline, review.Changed,
			[]plan.Field{{Path: "gate.good.require", Old: "accuracy >= 0.95", New: "accuracy >= 0.5"}},
			true,
		},
		"a gate is gone": {
			func(c *spec.Config) { c.Pipelines[0].Gates = nil }, pipeline, review.Changed,
			[]plan.Field{{Path: "gate.good.level", Old: "hard"}, {Path: "gate.good.require", Old: "accuracy >= 0.95"}},
			true,
		},
		"another image": {
			func(c *spec.Config) { c.Pipelines[0].Steps[1].Image = "test:2" }, pipeline, review.Changed,
			[]plan.Field{{Path: "step.test.image", Old: "test:1", New: "test:2"}},
			true,
		},
		"a variable": {
			func(c *spec.Config) { c.Pipelines[0].Steps[0].Env["RATE"] = spec.StepValue{Expr: expr.Of(0.25)} }, pipeline, review.Changed,
			[]plan.Field{{Path: "step.fit.env.RATE", Old: "0.5", New: "0.25"}},
			true,
		},
		"no schedule": {
			func(c *spec.Config) { c.Pipelines[0].Schedule = nil }, pipeline, review.Changed,
			[]plan.Field{{Path: "schedule.cron", Old: "@daily"}, {Path: "schedule.zone", Old: "UTC"}},
			true,
		},
		"a time, a size and a switch": {
			func(c *spec.Config) {
				s := c.Pipelines[0].Steps[1]
				s.Timeout, s.Container.Resources.Memory, s.Container.ReadOnlyRoot, s.NoCache, s.MaxLog = 2*time.Hour, 4<<30, true, true, 1500
			}, pipeline, review.Changed,
			[]plan.Field{
				{Path: "step.test.cache", Old: "true", New: "false"},
				{Path: "step.test.max_log", New: "1500B"},
				{Path: "step.test.read_only", Old: "false", New: "true"},
				{Path: "step.test.resources.memory", New: "4GiB"},
				{Path: "step.test.timeout", New: "2h"},
			},
			true,
		},
		"a number that no float64 has": {
			func(c *spec.Config) {
				c.Pipelines[0].Steps[1].Search = &spec.Search{Method: spec.SearchTPE, Metric: "loss", Minimize: true, Seed: 1<<53 + 1}
			}, pipeline, review.Changed,
			[]plan.Field{{Path: "step.test.search.method", New: "tpe"}, {Path: "step.test.search.minimize", New: "loss"}, {Path: "step.test.search.seed", New: "9007199254740993"}},
			true,
		},
		"a text that differs far behind": {
			func(c *spec.Config) {
				c.Pipelines[0].Description = strings.Repeat("ä", 300) + "1"
			}, pipeline, review.Changed,
			[]plan.Field{{Path: "description", New: strings.Repeat("ä", 98) + "…"}},
			true,
		},
		"other rows": {
			func(c *spec.Config) { c.Datasets[0].Source.Data = []byte("a,b\n") }, dataset, review.Changed,
			[]plan.Field{{Path: "content", Old: "sha256:492d5ea496056f1a, 8 bytes", New: "sha256:5be08c9684a1d25e, 4 bytes"}},
			true,
		},
		"a label with the name of a condition": {
			func(c *spec.Config) { c.Datasets[0].Labels["require"] = "y" }, dataset, review.Changed,
			[]plan.Field{{Path: "labels.require", Old: "x", New: "y"}},
			true,
		},
		"a policy that asks for less": {
			func(c *spec.Config) { c.Policies[0].Level = spec.LevelAdvisory }, policy, review.Changed,
			[]plan.Field{{Path: "level", New: "advisory"}},
			false,
		},
		"a policy is gone": {func(c *spec.Config) { c.Policies = nil }, policy, review.Removed, nil, false},
		"a second dataset": {
			func(c *spec.Config) {
				c.Datasets = append(c.Datasets, &spec.Dataset{Address: address(spec.KindDataset, "more"), Name: "more"})
			}, "dataset.more", review.Added, nil, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			after := declared(40) // further down in the file
			c.change(after)
			got := review.DeclaredOf(declared(1), after)
			if len(got) != 1 || got[0].Address.String() != c.of || got[0].Change != c.how || !slices.Equal(got[0].Fields, c.fields) {
				t.Fatalf("got %+v", got)
			}
			if reruns := len(review.Touched(after, got)) > 0; reruns != c.reruns {
				t.Errorf("a run could be another one: %v", reruns)
			}
		})
	}
	long := declared(1)
	long.Pipelines[0].Description = strings.Repeat("ä", 300) + "1"
	longer := declared(1)
	longer.Pipelines[0].Description = strings.Repeat("ä", 300) + "2\u200b"
	if got := review.DeclaredOf(long, longer); len(got) != 1 || got[0].Fields[0].Old != "…"+strings.Repeat("ä", 30)+"1" || got[0].Fields[0].New != "…"+strings.Repeat("ä", 30)+"2" {
		t.Errorf("of a long text: %+v", got)
	}
	hidden := declared(1)
	hidden.Pipelines[0].Description = long.Pipelines[0].Description + "\u200b"
	if got := review.DeclaredOf(long, hidden); len(got) != 1 || !strings.HasSuffix(got[0].Fields[0].New, `1\u200b"`) {
		t.Errorf("of what does not show: %+v", got)
	}
	if got := review.DeclaredOf(declared(1), declared(40)); len(got) != 0 {
		t.Errorf("what only moved in its file differs: %+v", got)
	}
	all := review.DeclaredOf(&spec.Config{}, declared(1))
	if len(all) != 3 || all[0].Address.String() != pipeline || all[1].Address.String() != dataset || all[2].Address.String() != policy {
		t.Fatalf("got %+v", all)
	}
	if want := (review.Gate{Name: "good", Require: "accuracy >= 0.95", Level: spec.LevelHard}); len(all[0].Gates) != 1 || all[0].Gates[0] != want {
		t.Errorf("its gates are %+v", all[0].Gates)
	}
}

// Whatever a value is: where the two differ it is told, and nothing of it steers a terminal.
func TestNoDifferenceIsLost(t *testing.T) {
	text := rapid.StringN(0, 300, 400)
	rapid.Check(t, func(t *rapid.T) {
		before, after := declared(1), declared(1)
		set := func(c *spec.Config, value string) {
			c.Datasets[0].Labels[rapid.SampledFrom(someLabels).Draw(t, "label")] = value
			c.Pipelines[0].Steps[0].Command = []expr.Expr{{Op: expr.Literal, Value: value}}
		}
		set(before, text.Draw(t, "old"))
		set(after, text.Draw(t, "new"))
		same := func(a, b any) bool {
			left, _ := json.Marshal(a)
			right, _ := json.Marshal(b)
			return string(left) == string(right)
		}
		got := review.DeclaredOf(before, after)
		for address, equal := range map[string]bool{
			"pipeline.train": same(before.Pipelines[0], after.Pipelines[0]), "dataset.rows": same(before.Datasets[0].Labels, after.Datasets[0].Labels),
		} {
			i := slices.IndexFunc(got, func(d review.Declared) bool { return d.Address.String() == address })
			if i < 0 && !equal {
				// An empty label and none are one to all who read them.
				if address == "dataset.rows" && onlyEmpty(before.Datasets[0].Labels, after.Datasets[0].Labels) {
					continue
				}
				t.Fatalf("%s differs, and nothing is told", address)
			}
			if i >= 0 && equal {
				t.Fatalf("%s does not differ: %+v", address, got[i])
			}
		}
		for i := range got {
			for _, f := range got[i].Fields {
				if strings.ContainsAny(f.Path+f.Old+f.New, "\x1b\n\r\x00") || len(f.Old) > 200 || len(f.New) > 200 {
					t.Fatalf("shown as %q and %q", f.Old, f.New)
				}
			}
		}
	})
}

// someLabels are keys that could be taken for fields.
var someLabels = []string{"op", "source", "name", "pos", "address", "a.b", "", "\x1b[2J"}

func onlyEmpty(a, b map[string]string) bool {
	for _, name := range someLabels {
		if a[name] != b[name] {
			return false
		}
	}
	return true
}
