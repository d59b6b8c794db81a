package trust

import (
	"fmt"
	"testing"
	"time"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

func TestDiff(t *testing.T) {
	// Every call gives a config of its own: nothing is the same but what it says.
	config := func(change func(c *spec.Config)) *spec.Config {
		at := func(file string) spec.Pos { return spec.Pos{File: file, Line: 3} }
		c := &spec.Config{
			Models: []*spec.Model{
				{Address: spec.Address{Kind: spec.KindModel, Name: "a"}, Name: "a", Owners: []string{"@ann"}, Pos: at("a.hcl"), Routes: []spec.Route{{Path: "/a", Pos: at("a.hcl")}}},
				{Address: spec.Address{Kind: spec.KindModel, Name: "b"}, Name: "b", Pos: at("b.hcl"), Container: spec.Container{Env: map[string]spec.EnvValue{"X": {Value: "1"}}}},
			},
			Datasets:   []*spec.Dataset{{Address: spec.Address{Kind: spec.KindDataset, Name: "d"}, Name: "d", Owners: []string{"@dora"}, Pos: at("d.hcl")}},
			Pipelines:  []*spec.Pipeline{{Address: spec.Address{Kind: spec.KindPipeline, Name: "p"}, Name: "p", Pos: at("p.hcl")}},
			Policies:   []*spec.Policy{{Address: spec.Address{Kind: spec.KindPolicy, Name: "q"}, Name: "q", Pos: at("q.hcl")}},
			Secrets:    map[string]*spec.Secret{"s": {Name: "s", File: "/s", Pos: at("s.hcl")}},
			Notifiers:  []*spec.Notifier{{Name: "n", Pos: at("n.hcl")}},
			Promotions: []*spec.Promotion{{Name: "prod", Pos: at("m.hcl"), Require: []expr.Expr{{Op: expr.Literal, Value: 1.0}}}},
			Includes:   []*spec.Include{{Name: "team", Pos: at("i.hcl")}},
			Versions:   []*spec.Version{{Model: "a", Version: "1.0.0", Pos: at("v.hcl"), Created: time.Unix(100, 0)}},
			Trust:      &spec.Trust{Mode: spec.TrustHead, Pos: at("t.hcl")},
		}
		if change != nil {
			change(c)
		}
		return c
	}
	tests := []struct {
		name string
		do   func(c *spec.Config)
		want string
	}{
		{"nothing", nil, "[]"},
		{"lines have moved", func(c *spec.Config) { c.Models[0].Pos.Line, c.Models[0].Routes[0].Pos.File = 9, "z.hcl" }, "[]"},
		{"another order", func(c *spec.Config) { c.Models[0], c.Models[1] = c.Models[1], c.Models[0] }, "[]"},
		{"empty for none", func(c *spec.Config) { c.Models[0].Container.Env = map[string]spec.EnvValue{} }, "[]"},
		{"another time zone", func(c *spec.Config) { c.Versions[0].Created = c.Versions[0].Created.UTC() }, "[]"},
		{"deep inside", func(c *spec.Config) { c.Models[1].Container.Env["X"] = spec.EnvValue{Value: "2"} }, "[{model.b [] [b.hcl]}]"},
		{"another key", func(c *spec.Config) { c.Models[1].Container.Env = map[string]spec.EnvValue{"Y": {Value: "1"}} }, "[{model.b [] [b.hcl]}]"},
		{"owners are the old ones", func(c *spec.Config) { c.Models[0].Owners, c.Models[0].Pos.File = []string{"@eve"}, "e.hcl" }, "[{model.a [@ann] [a.hcl e.hcl]}]"},
		{"removed", func(c *spec.Config) { c.Datasets = nil }, "[{dataset.d [@dora] [d.hcl]}]"},
		{"new", func(c *spec.Config) {
			c.Datasets = append(c.Datasets, &spec.Dataset{Address: spec.Address{Kind: spec.KindDataset, Name: "e"}, Owners: []string{"@eve"}, Pos: spec.Pos{File: "e.hcl"}})
		}, "[{dataset.e [@eve] [e.hcl]}]"},
		{"a policy", func(c *spec.Config) { c.Policies[0].Name = "x" }, "[{policy.q [] [q.hcl]}]"},
		{"a pipeline", func(c *spec.Config) { c.Pipelines[0].Description = "x" }, "[{pipeline.p [] [p.hcl]}]"},
		{"a secret", func(c *spec.Config) { c.Secrets["s"].File = "/t" }, "[{secret.s [] [s.hcl]}]"},
		{"a notifier", func(c *spec.Config) { c.Notifiers[0].URL = "x" }, "[{notifier.n [] [n.hcl]}]"},
		{"a promotion", func(c *spec.Config) { c.Promotions[0].Require[0].Value = 2.0 }, "[{promote.prod [] [m.hcl]}]"},
		{"an include", func(c *spec.Config) { c.Includes[0].Ref = "x" }, "[{include.team [] [i.hcl]}]"},
		{"the rules", func(c *spec.Config) { c.Trust.Mode = spec.TrustOff }, "[{trust [] [t.hcl]}]"},
		{"no rules", func(c *spec.Config) { c.Trust = nil }, "[{trust [] [t.hcl]}]"},
		{"a version is of the model's owners", func(c *spec.Config) { c.Versions[0].Artifact = "x" }, "[{version.a@1.0.0 [@ann] [v.hcl]}]"},
		{"so is an approval, of the old ones", func(c *spec.Config) {
			c.Approvals = []*spec.Approval{{Model: "a", Step: 1, Pos: spec.Pos{File: "x.hcl"}}}
		}, "[{approval.a [@ann] [x.hcl]}]"},
		{"though they change beside it", func(c *spec.Config) {
			c.Models[0].Owners = []string{"@eve"}
			c.Approvals = []*spec.Approval{{Model: "a", Step: 1, Pos: spec.Pos{File: "x.hcl"}}}
		}, "[{approval.a [@ann] [x.hcl]} {model.a [@ann] [a.hcl]}]"},
		{"so is the end of a model", func(c *spec.Config) {
			c.Removed = []spec.Removed{{From: c.Models[0].Address, Pos: spec.Pos{File: "x.hcl"}}}
		}, "[{removed.model.a [@ann] [x.hcl]}]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := fmt.Sprint(Diff(config(nil), config(test.do))); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	if n := len(Diff(nil, config(nil))); n != 11 {
		t.Errorf("of a first config %d objects are new", n)
	}
}
