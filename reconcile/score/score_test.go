package score_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/score"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

var now = time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)

// bare is a model with nothing but what it takes to run.
func bare() *spec.Config {
	m := &spec.Model{Address: spec.Address{Kind: spec.KindModel, Name: "digits"}, Name: "digits", Image: "digits:1", Protocol: spec.HTTP, Replicas: 1, Container: spec.Container{Restart: spec.RestartNo, Privileged: true}}
	return &spec.Config{Environment: "prod", Models: []*spec.Model{m}}
}

// full is a model with all that counts.
func full() (*spec.Config, *score.Observed) {
	half := 0.5
	m := &spec.Model{
		Address: spec.Address{Kind: spec.KindModel, Name: "digits"}, Name: "digits", Image: "digits@sha256:ab", Protocol: spec.OpenInference, Replicas: 2,
		Description: "Reads digits.", Owners: []string{"@vision"}, Version: "1.2.0", License: "Apache-2.0",
		Artifact: &spec.Artifact{Digest: "sha256:cd"}, Card: &spec.Card{Facts: map[string]any{"risk": "low"}},
		Signature: &spec.Signature{}, Warmup: &spec.Warmup{}, Metrics: &spec.Scrape{},
		Routes:    []spec.Route{{Path: "/digits", Fallback: "simple", Limit: &spec.RouteLimit{Rate: 10}}},
		Container: spec.Container{ReadOnlyRoot: true, Restart: spec.RestartUnlessStopped, Resources: spec.Resources{CPUs: 1, Memory: 1 << 28}},
		Rollout:   &spec.Rollout{Strategy: spec.Canary, KeepPrevious: time.Hour, Checks: []spec.Check{{Metric: spec.ErrorRatio, Max: &half}, {Query: "accuracy", Min: &half}}},
	}
	ref := expr.Expr{Op: expr.Ref, Path: []string{"live", "digits", "metrics", "accuracy"}}
	p := &spec.Pipeline{
		Name: "train", Publish: &spec.Publish{Model: m.Address}, Gates: []*spec.Gate{{Name: "no_regression", Require: ref}},
		Steps: []*spec.Step{{Inputs: map[string]spec.Input{"data": {Kind: spec.InputDataset, Name: "digits"}}}},
	}
	v := &spec.Version{
		Model: "digits", Version: "1.2.0", Artifact: "oci://local/digits@sha256:cd", Run: "train-1", Commit: "c0ffee", Definition: "{}",
		Data: map[string]string{"digits": "sha256:ef"}, Steps: map[string]spec.VersionStep{"train": {Image: "steps@sha256:01"}},
		Metrics: map[string]float64{"accuracy": 0.98}, Gates: []spec.VersionGate{{Name: "good", Outcome: "passed"}},
	}
	cfg := &spec.Config{
		Environment: "prod", Models: []*spec.Model{m}, Pipelines: []*spec.Pipeline{p}, Versions: []*spec.Version{v},
		Datasets: []*spec.Dataset{{Name: "digits", Expect: []spec.Expectation{{}}}},
		Policies: []*spec.Policy{{Name: "fine", For: spec.KindModel, Require: expr.Of(true)}},
	}
	return cfg, &score.Observed{Phase: "steady", Wanted: "r1", Serving: "r1", Ready: 2, Replicas: 2, Last: journal.Promoted}
}

func measure(c score.Card, name score.Name) score.Measure {
	for _, m := range c.Measures {
		if m.Name == name {
			return m
		}
	}
	return score.Measure{}
}

func TestAllThatCountsIsAHundred(t *testing.T) {
	cfg, seen := full()
	for _, o := range []*score.Observed{nil, seen} {
		c := score.Of(cfg, cfg.Models[0], o, now)
		for _, m := range c.Measures {
			for _, p := range m.Points {
				if p.Got != p.Of {
					t.Errorf("%s: %s: %d of %d: %s", m.Name, p.What, p.Got, p.Of, p.Reason)
				}
			}
		}
		if c.Score != 100 || len(c.Measures) != 6 || c.Observed != (o != nil) {
			t.Errorf("the card is %+v", c)
		}
	}
}

func TestNothingThatCountsIsNearZero(t *testing.T) {
	cfg := bare()
	c := score.Of(cfg, cfg.Models[0], nil, now)
	for _, m := range c.Measures {
		most := 0
		if m.Name == score.Scalability {
			most = 20 // nothing ties it to one host
		}
		if m.Score != most {
			t.Errorf("%s is %d: %+v", m.Name, m.Score, m.Points)
		}
	}
}

func TestWhatRunsCounts(t *testing.T) {
	cfg, seen := full()
	before := score.Of(cfg, cfg.Models[0], seen, now)
	seen.Phase, seen.Serving, seen.Reason, seen.Ready, seen.Restarts, seen.Last = "held", "r0", "Git wants a release that was rejected", 1, 4, journal.RolledBack
	after := score.Of(cfg, cfg.Models[0], seen, now)
	for _, name := range []score.Name{score.Availability, score.Quality, score.Consistency} {
		if b, a := measure(before, name).Score, measure(after, name).Score; a >= b {
			t.Errorf("%s was %d and is %d", name, b, a)
		}
	}
	var said []string
	for _, p := range measure(after, score.Consistency).Points {
		said = append(said, p.Reason)
	}
	if all := strings.Join(said, "\n"); !strings.Contains(all, "Git wants a release that was rejected") {
		t.Errorf("the reasons are\n%s", all)
	}
}

// Whatever is declared, every point has a reason, no more than there is, and what
// would raise it exactly where something is missing.
func TestPoints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, seen := full()
		m := cfg.Models[0]
		drop := func(name string, do func()) {
			if rapid.Bool().Draw(t, name) {
				do()
			}
		}
		drop("tag", func() { m.Image = "digits:1" })
		drop("artifact", func() { m.Artifact = nil })
		drop("versions", func() { cfg.Versions = nil })
		drop("pipelines", func() { cfg.Pipelines = nil })
		drop("datasets", func() { cfg.Datasets = nil })
		drop("expectations", func() {
			cfg.Datasets = []*spec.Dataset{{Name: "digits"}}
		})
		drop("gates", func() {
			for _, v := range cfg.Versions {
				v.Gates = append(v.Gates, spec.VersionGate{Name: "fair", Outcome: "overridden"})
			}
		})
		drop("steps", func() {
			for _, v := range cfg.Versions {
				v.Steps = nil
			}
		})
		drop("rollout", func() { m.Rollout = nil })
		drop("routes", func() { m.Routes = nil })
		drop("policy", func() { cfg.Policies[0].Require = expr.Of(false) })
		drop("unseen", func() { seen = nil })
		drop("replicas", func() {
			m.Replicas = 0
			if seen != nil {
				seen.Replicas, seen.Ready = 0, 0
			}
		})
		c := score.All(cfg, map[string]*score.Observed{"digits": seen}, now).Cards[0]
		for _, measure := range c.Measures {
			if measure.Score < 0 || measure.Score > 100 {
				t.Fatalf("%s is %d", measure.Name, measure.Score)
			}
			for _, p := range measure.Points {
				if p.Reason == "" || p.What == "" || p.Of <= 0 || p.Got < 0 || p.Got > p.Of || (p.Raise == "") != (p.Got == p.Of) || p.Observed && seen == nil {
					t.Fatalf("%s: %+v", measure.Name, p)
				}
			}
		}
	})
}
