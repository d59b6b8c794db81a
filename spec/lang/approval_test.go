package lang

import (
	"reflect"
	"testing"
	"time"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

const promoting = `
model "a" {
  image = "a:1"
  update {
    range = "~1.2"
  }
}
model "b" {
  for_each = toset(["x"])
  image    = "b:1"
}
approval "b-x" {
  revision = "4f2a90b1c2d3"
  step     = 2
}
approval "a" {
  revision    = "4f2a90b1c2d3"
  step        = 1
  environment = environment.staging
}
approval "a" {
  revision    = "4f2a90b1c2d3"
  step        = 1
  environment = environment.prod
}
promote "prod" {
  from    = environment.staging
  models  = [model.b["x"], model.a]
  after   = "36h"
  require = [from.restarts == 0, from.hours >= local.hours]
}
locals { hours = 48 }
environment "prod" {}
environment "staging" {}
`

func TestApprovalsAndPromotionsAreThoseOfTheEnvironment(t *testing.T) {
	cfg := mustLoad(t, NewLoader(), tree{"a.hcl": promoting}, Options{Environment: "prod"})
	at := func(line, column int) spec.Pos { return spec.Pos{File: "a.hcl", Line: line, Column: column} }
	approvals := []*spec.Approval{
		{Model: "a", Revision: "4f2a90b1c2d3", Step: 1, Environment: "prod", Pos: at(21, 1)},
		{Model: "b-x", Revision: "4f2a90b1c2d3", Step: 2, Pos: at(12, 1)},
	}
	if !reflect.DeepEqual(cfg.Approvals, approvals) {
		t.Errorf("approvals: %s", asJSON(t, cfg.Approvals))
	}
	update := &spec.Update{Pos: at(4, 3), Range: "~1.2", Interval: time.Hour}
	if got := cfg.Model("a").Update; !reflect.DeepEqual(got, update) {
		t.Errorf("update: %s", asJSON(t, got))
	}
	if len(cfg.Promotions) != 1 {
		t.Fatalf("promotions: %s", asJSON(t, cfg.Promotions))
	}
	p := cfg.Promotions[0]
	if p.Name != "prod" || p.From != "staging" || !reflect.DeepEqual(p.Models, []string{"a", "b-x"}) || p.After != 36*time.Hour || len(p.Require) != 2 {
		t.Errorf("promotion: %s", asJSON(t, p))
	}
	if got := p.Require[1].Source; got != "from.hours >= local.hours" {
		t.Errorf("source %q", got)
	}
	for _, c := range []struct{ hours, want any }{{50.0, true}, {2.0, false}} {
		value, err := p.Require[1].Eval(expr.Facts{"from": expr.Facts{"hours": c.hours}})
		if err != nil || value != c.want {
			t.Errorf("%v hours: %v, %v", c.hours, value, err)
		}
	}
	staging := mustLoad(t, NewLoader(), tree{"a.hcl": promoting}, Options{Environment: "staging"})
	if len(staging.Promotions) != 0 || len(staging.Approvals) != 2 {
		t.Errorf("staging has %d promotions and %d approvals", len(staging.Promotions), len(staging.Approvals))
	}
}
