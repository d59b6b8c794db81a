package judge

import (
	"time"

	"github.com/fairlead/fairlead/spec"
)

// Evidence is what the looks at one check have found so far in one rollout. It is
// kept in the journal.
type Evidence struct {
	Looks    int       `json:"looks,omitempty"`
	Failures int       `json:"failures,omitempty"`
	Last     *Verdict  `json:"last,omitempty"`
	Since    time.Time `json:"since,omitzero"`
}

// Look weighs a reading against those before it. alpha is the probability with
// which a check of this rollout may fail at any of its looks although nothing is
// wrong.
func Look(c spec.Check, v Vars, alpha float64, before Evidence, r Reading) (Evidence, Verdict) {
	return before, Verdict{}
}

// Enter is the evidence at the beginning of a step: what was found stays, but a
// pass needs min_samples anew.
func (e Evidence) Enter(at time.Time) Evidence { return e }
