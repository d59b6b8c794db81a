package plan

import (
	"time"

	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// Rollout is how a new revision will take over.
type Rollout struct {
	Strategy spec.Strategy `json:"strategy"`
	Steps    []Step        `json:"steps"`
	Checks   []string      `json:"checks,omitempty"` // their names
	// KeepPrevious is how long the old revision stays for an instant way back.
	KeepPrevious time.Duration `json:"keep_previous,omitzero"`
}

// Step is one stage of a Rollout.
type Step struct {
	Weight   int           `json:"weight"` // percent of the requests
	Hold     time.Duration `json:"hold,omitzero"`
	Approval bool          `json:"approval,omitempty"`
}

// rolloutOf is nil for a model whose new revision takes over as soon as it is
// healthy.
func rolloutOf(m *spec.Model) *Rollout {
	if m.Rollout == nil {
		return nil
	}
	policy := rollout.PolicyOf(m)
	r := &Rollout{Strategy: policy.Strategy, KeepPrevious: policy.KeepPrevious}
	for _, s := range policy.Steps {
		r.Steps = append(r.Steps, Step{Weight: s.Weight, Hold: s.Hold, Approval: s.Approval})
	}
	for _, c := range policy.Checks {
		r.Checks = append(r.Checks, c.Name)
	}
	return r
}
