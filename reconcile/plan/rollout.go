package plan

import (
	"fmt"
	"strings"
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

// String says in a line how the new revision will take over.
func (r *Rollout) String() string {
	var steps []string
	for _, s := range r.Steps {
		text := fmt.Sprintf("%d %%", s.Weight)
		if s.Hold > 0 {
			text += " for " + spec.DurationText(s.Hold)
		}
		switch {
		case s.Approval && s.Hold > 0:
			text += " and until approved"
		case s.Approval:
			text += " until approved"
		}
		steps = append(steps, text)
	}
	text := fmt.Sprintf("Rollout: %s, %s", r.Strategy, strings.Join(append(steps, "promoted"), " → "))
	if len(r.Checks) > 0 {
		text += "; checks " + strings.Join(r.Checks, ", ")
	} else {
		text += "; no checks"
	}
	if r.KeepPrevious > 0 {
		text += fmt.Sprintf("; the old revision is kept for %s", spec.DurationText(r.KeepPrevious))
	}
	return text
}
