package spec

import "time"

// Simulation declares traffic on which the rollout policy of a model is tried
// out, in virtual time, before it is merged.
type Simulation struct {
	Address   Address
	Pos       Pos
	Model     string  // served name
	Rate      float64 // requests per second, to stable and candidate together
	Stable    SimulatedRevision
	Candidate SimulatedRevision
}

// SimulatedRevision is how one side behaves.
type SimulatedRevision struct {
	ErrorRatio float64       // share of the requests that are answered with 5xx
	Latency    time.Duration // median
	Spread     float64       // standard deviation of the logarithm of the latency
	Shift      float64       // of the output values, in standard deviations
	Agreement  float64       // share of the mirrored requests that both sides answer alike
}
