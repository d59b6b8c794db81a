package lang

import "github.com/fairlead/fairlead/spec"

// decodeSimulations makes the simulations of a Config. They come after the
// models, whose rollout rules they are about.
func (e *evaluator) decodeSimulations(cfg *spec.Config) {
	cfg.Simulations = decodeAll(e, spec.KindSimulation, func(s section, a spec.Address, _ bool) *spec.Simulation {
		return s.simulation(a, cfg)
	})
}

func (s section) simulation(a spec.Address, cfg *spec.Config) *spec.Simulation {
	sim := &spec.Simulation{Address: a, Pos: specPos(s.n.rng), Rate: s.float("rate")}
	sim.Model = s.simulated(cfg)
	stable, _ := s.child("stable")
	sim.Stable = spec.SimulatedRevision{
		ErrorRatio: stable.float("error_ratio"), Latency: stable.duration("latency"), Spread: stable.float("spread"), Agreement: 1,
	}
	candidate, _ := s.child("candidate")
	sim.Candidate = candidate.simulatedCandidate(sim.Stable)
	return sim
}

// simulatedCandidate is stable with what the block says otherwise.
func (s section) simulatedCandidate(stable spec.SimulatedRevision) spec.SimulatedRevision {
	c := spec.SimulatedRevision{
		ErrorRatio: stable.ErrorRatio, Latency: stable.Latency, Spread: stable.Spread,
		Shift: s.float("shift"), Agreement: s.float("agreement"),
	}
	if ratio := s.optional("error_ratio"); ratio != nil {
		c.ErrorRatio = *ratio
	}
	if s.has("latency") {
		c.Latency = s.duration("latency")
	}
	if spread := s.optional("spread"); spread != nil {
		c.Spread = *spread
	}
	return c
}

// simulated is the model that a simulation is about, by its served name. One that
// has no rollout rules leaves nothing to try.
func (s section) simulated(cfg *spec.Config) string {
	address, ok := s.address("model")
	if !ok {
		return ""
	}
	rng := s.n.args.get("model").targets[0].rng
	if !s.ev.requireModel(cfg, address, reference{ref{root: "model", name: address.Name, key: address.Key}, rng}, s.n.place) {
		return ""
	}
	if m := cfg.Model(address.ServedName()); m.Rollout == nil {
		s.errorf(rng, "Nothing to simulate", "%s (at %s) has no rollout block: a new revision takes over as soon as it is healthy, whatever the traffic. Give the model a rollout block, or remove the simulation.", address, m.Pos)
	}
	return address.ServedName()
}
