package lang

import (
	"reflect"
	"testing"
	"time"

	"github.com/fairlead/fairlead/spec"
)

const simulated = `
model "a" {
  for_each = toset(["eu", "us"])
  image    = "a:1"
  rollout {}
}
simulation "same" {
  model = model.a["eu"]
  rate  = 10
}
simulation "slow" {
  for_each = toset(["eu", "us"])
  model    = model.a[each.key]
  rate     = 50
  stable {
    error_ratio = 0.01
    latency     = "15ms"
  }
  candidate {
    latency = "30ms"
    shift   = 0.5
  }
}
simulation "off" {
  enabled = false
  model   = model.a["eu"]
  rate    = 10
}
environment "prod" {
  simulation "slow" {
    rate = 500
  }
}
`

func TestSimulationsTakeFromStableWhatTheyLeaveOut(t *testing.T) {
	cfg := mustLoad(t, NewLoader(), tree{"a.hcl": simulated}, Options{Environment: "prod"})
	plain := spec.SimulatedRevision{Latency: 20 * time.Millisecond, Spread: 0.3, Agreement: 1}
	stable := spec.SimulatedRevision{ErrorRatio: 0.01, Latency: 15 * time.Millisecond, Spread: 0.3, Agreement: 1}
	slow := spec.SimulatedRevision{ErrorRatio: 0.01, Latency: 30 * time.Millisecond, Spread: 0.3, Shift: 0.5, Agreement: 1}
	address := func(name, key string) spec.Address {
		return spec.Address{Kind: spec.KindSimulation, Name: name, Key: key}
	}
	want := []*spec.Simulation{
		{Address: address("same", ""), Model: "a-eu", Rate: 10, Stable: plain, Candidate: plain},
		{Address: address("slow", "eu"), Model: "a-eu", Rate: 500, Stable: stable, Candidate: slow},
		{Address: address("slow", "us"), Model: "a-us", Rate: 500, Stable: stable, Candidate: slow},
	}
	for _, s := range cfg.Simulations {
		if s.Pos.File != "a.hcl" || s.Pos.Line == 0 {
			t.Errorf("%s has no place: %+v", s.Address, s.Pos)
		}
		s.Pos = spec.Pos{}
	}
	if !reflect.DeepEqual(cfg.Simulations, want) {
		t.Errorf("got %+v\nwant %+v", cfg.Simulations, want)
	}
}

func TestExplainTellsWhereASimulationHasItsRateFrom(t *testing.T) {
	x, diags := NewLoader().Explain(tree{"a.hcl": simulated}, Options{Environment: "prod"}, `simulation.slow["eu"].rate`)
	if diags.HasErrors() || x.Value != "500" || len(x.Layers) != 2 || !x.Layers[1].Wins {
		t.Errorf("got %+v, %v", x, diags.Err())
	}
}
