package judge

import "math"

// alternatives are the factors by which a candidate may be worse than a claim
// allows, and the part of the stake that is on each. Small factors take many
// requests to tell, large ones few; most of the stake is where rollouts fail in
// practice.
var alternatives = [...]struct{ factor, weight float64 }{
	{1.05, 0.04},
	{1.1, 0.05},
	{1.2, 0.08},
	{1.5, 0.12},
	{2, 0.15},
	{3, 0.15},
	{5, 0.15},
	{10, 0.12},
	{30, 0.08},
	{100, 0.06},
}

// Case is the case against a candidate over one bound of a check: what was
// counted in this rollout, and a capital that grows as it speaks against the
// candidate.
//
// The capital is 1 at first, and most of it is staked at the first look, spread
// over the alternatives. The rest is staked bit by bit at later looks, so that a
// candidate which is good for long and turns bad is found out soon: what was
// staked early has lost by then. Staking is fixed beforehand, so the capital
// stays a test martingale (Shin, Ramdas and Rinaldo, E-detectors, 2024, mix over
// starting times alike).
//
// Each look multiplies by the ratio of its own counts, and not of all counts so
// far. So each look compares the two sides in the same stretch of time, and
// neither a change of the weights nor a rate of errors that goes up and down
// over the day, for both sides, looks like a difference between them.
type Case struct {
	Requests Pair[float64] `json:"requests"` // that were compared
	Hits     Pair[float64] `json:"hits"`     // of them, met with the event
	// StepRequests and StepHits are those of this step.
	StepRequests Pair[float64] `json:"step_requests,omitzero"`
	StepHits     Pair[float64] `json:"step_hits,omitzero"`
	Rounds       int           `json:"rounds"` // looks that had something to say
	// Logs are the logarithms of the capital on each alternative.
	Logs []float64 `json:"logs,omitempty"`
}

// firstStake is the part of the capital that is staked at the first round.
const firstStake = 0.75

// stake is the part of the capital that is staked at a round, from 1.
func stake(round int) float64 {
	if round <= 1 {
		return firstStake
	}
	return (1 - firstStake) / (float64(round-1) * float64(round))
}

// unstaked is the part of the capital that is left after so many rounds.
func unstaked(rounds int) float64 {
	if rounds == 0 {
		return 1
	}
	return (1 - firstStake) / float64(rounds)
}

// weigh is the case after one more round, of which part belongs to this step.
func (c Case) weigh(what claim, candidate, stable tally, part float64) Case {
	if !what.informative(candidate, stable) {
		return c
	}
	c.Requests.Candidate += candidate.n
	c.Requests.Stable += stable.n
	c.Hits.Candidate += candidate.hits
	c.Hits.Stable += stable.hits
	c.StepRequests = plus(c.StepRequests, candidate.n*part, stable.n*part)
	c.StepHits = plus(c.StepHits, candidate.hits*part, stable.hits*part)
	c.Rounds++
	added := math.Log(stake(c.Rounds))
	logs := make([]float64, len(alternatives))
	for i, a := range alternatives {
		log := math.Log(a.weight) + added
		if i < len(c.Logs) {
			log = logAdd(c.Logs[i], log)
		}
		ratio := what.logRatio(a.factor, candidate, stable)
		if math.IsNaN(ratio) {
			ratio = 0 // a bound beyond the range of numbers, such as 1e308 times stable's
		}
		logs[i] = tidy(log + ratio)
	}
	c.Logs = logs
	return c
}

// plus adds to both sides, to three digits so that the journal stays small.
func plus(p Pair[float64], candidate, stable float64) Pair[float64] {
	round := func(x float64) float64 { return math.Round(x*1e3) / 1e3 }
	return Pair[float64]{Candidate: round(p.Candidate + candidate), Stable: round(p.Stable + stable)}
}

// allowed tells whether what was measured in this step is within the claim.
func (c Case) allowed(what claim) bool {
	return what.allows(tally{c.StepRequests.Candidate, c.StepHits.Candidate}, tally{c.StepRequests.Stable, c.StepHits.Stable})
}

// logEvidence is the logarithm of the capital.
func (c Case) logEvidence() float64 {
	sum := math.Log(unstaked(c.Rounds))
	for _, log := range c.Logs {
		sum = logAdd(sum, log)
	}
	return sum
}

// logAdd is log(exp(a)+exp(b)).
func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	return a + math.Log1p(math.Exp(b-a))
}

// tidy rounds a logarithm, so that the journal stays small. It does so in memory,
// too: a restart must change nothing. Down, so that rounding is no evidence; and
// what is lost for good, or beyond doubt, needs no number of its own.
func tidy(log float64) float64 {
	return min(1e6, max(-1e6, math.Floor(log*1e4)/1e4))
}
