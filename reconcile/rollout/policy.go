package rollout

import (
	"math"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// PolicyOf is the policy by which a model's new revision is introduced: the
// declared one, with the built-in steps where it declares none. Without a rollout
// block there are neither steps nor checks, and no deadline: the candidate takes
// over as soon as it is ready, and is never rejected.
func PolicyOf(m *spec.Model) spec.Rollout {
	if m.Rollout == nil {
		return spec.Rollout{Strategy: spec.BlueGreen, Velocity: spec.VelocityRestart, OnFailure: spec.ActionRollback, OnDeadline: spec.ActionRollback}
	}
	p := *m.Rollout
	if len(p.Steps) == 0 {
		p.Steps = builtInSteps(&p)
	}
	return p
}

// builtInSteps hold each weight for as long as the slowest check needs for one
// look.
func builtInSteps(p *spec.Rollout) []spec.RolloutStep {
	hold := time.Duration(0)
	for _, c := range p.Checks {
		hold = max(hold, c.Interval)
	}
	if hold == 0 && (p.Strategy == spec.Canary || p.Strategy == spec.Shadow || p.Strategy == spec.AB) {
		hold = time.Minute
	}
	switch p.Strategy {
	case spec.Canary:
		return []spec.RolloutStep{{Weight: 5, Hold: hold}, {Weight: 25, Hold: hold}, {Weight: 50, Hold: hold}}
	case spec.BlueGreen, spec.Recreate:
		return []spec.RolloutStep{{Weight: 100, Hold: hold}}
	case spec.Shadow, spec.AB:
		return []spec.RolloutStep{{Weight: 0, Hold: hold}}
	}
	return nil
}

// declared: the model has a rollout block. Only then can a release be rejected.
func declared(p *spec.Rollout) bool { return p.ProgressDeadline > 0 }

// scale is how many replicas the candidate has now: in proportion to its share,
// and all of them where the share is not known beforehand.
func scale(ro *journal.Rollout, full int) int {
	p := &ro.Policy
	if ro.First || ro.Promoting || len(p.Steps) == 0 || full == 0 {
		return full
	}
	step := p.Steps[min(max(ro.Step, 0), len(p.Steps)-1)]
	share := step.Weight
	switch p.Strategy {
	case spec.BlueGreen, spec.AB, spec.Recreate:
		share = 100
	case spec.Shadow:
		share = 100
		if p.Mirror != nil {
			share = p.Mirror.Percent
		}
	case spec.Canary:
	}
	if step.Replicas > 0 {
		return step.Replicas
	}
	return min(max(1, int(math.Ceil(float64(share)*float64(full)/100))), full)
}

// checksOf are the checks that count in a step.
func checksOf(p *spec.Rollout, step int) []spec.Check {
	if step < 0 || step >= len(p.Steps) {
		return nil
	}
	names := p.Steps[step].Checks
	if names == nil {
		return p.Checks
	}
	var checks []spec.Check
	for _, c := range p.Checks {
		for _, name := range names {
			if c.Name == name {
				checks = append(checks, c)
			}
		}
	}
	return checks
}
