package rollout

import (
	"maps"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/spec"
)

// weigh takes new readings into the evidence, and asks for those that are due.
func (s *stepper) weigh(state State) {
	ro := s.Record.Rollout
	if ro == nil {
		return
	}
	s.evidence = maps.Clone(ro.Checks)
	if state.Of == ro.Candidate.Revision && state.Since.Equal(ro.Started) && state.Step == ro.Step {
		s.evidence = maps.Clone(state.Evidence)
	}
	if s.evidence == nil {
		s.evidence = map[string]judge.Evidence{}
	}
	if s.measuring() {
		for _, c := range checksOf(&ro.Policy, ro.Step) {
			s.look(ro, c)
		}
	}
	s.out.State.Evidence, s.out.State.Of, s.out.State.Since, s.out.State.Step = s.evidence, ro.Candidate.Revision, ro.Started, ro.Step
	for _, c := range ro.Policy.Checks {
		if last := s.evidence[c.Name].Last; last != nil {
			s.out.Verdicts = append(s.out.Verdicts, *last)
		}
	}
}

// measuring: the traffic is shared as the step wants, so what is measured says
// something about it.
func (s *stepper) measuring() bool {
	ro := s.Record.Rollout
	return !ro.First && ro.Held == "" && !ro.Promoting && ro.Step >= 0 && s.Target.Model.Replicas > 0 &&
		ro.Weight == ro.Policy.Steps[ro.Step].Weight && s.View.Known && s.shifted()
}

// look weighs the newest reading of a check, unless that was done already.
func (s *stepper) look(ro *journal.Rollout, c spec.Check) {
	vars := s.vars(ro, c)
	before := s.evidence[c.Name]
	var last time.Time
	if before.Last != nil {
		if last = before.Last.At; last.After(s.now) {
			last = time.Time{} // the clock went back
		}
	}
	if r, read := s.Readings[c.Name]; read && r.At.After(last) && !r.At.Before(ro.StepSince) {
		s.evidence[c.Name], _ = judge.Look(c, vars, judge.Alpha(ro.Policy.Checks), before, r)
		last = r.At
	}
	if due := nextLook(ro, c, last); s.now.Before(due) {
		s.wake(due)
	} else {
		s.out.Measure = append(s.out.Measure, Measurement{Check: c, Vars: vars})
	}
}

// nextLook is when a check is measured again: first as soon as the step's weight
// is in force, then each interval, and once when the hold ends.
func nextLook(ro *journal.Rollout, c spec.Check, last time.Time) time.Time {
	if last.Before(ro.StepSince) {
		return ro.StepSince
	}
	due := last.Add(c.Interval)
	if end := ro.StepSince.Add(ro.Policy.Steps[ro.Step].Hold); last.Before(end) && end.Before(due) {
		return end
	}
	return due
}

func (s *stepper) vars(ro *journal.Rollout, c spec.Check) judge.Vars {
	v := judge.Vars{
		Model: s.Name, Stable: s.Record.Stable.Revision, Candidate: ro.Candidate.Revision,
		Window: s.now.Sub(ro.StepSince), Output: c.Output, Environment: s.Scope.Environment, Share: float64(ro.Weight) / 100,
	}
	if v.Output == "" {
		if outputs := scoredOutputs(s.Target.Model.Signature); len(outputs) > 0 {
			v.Output = outputs[0].Name
		}
	}
	return v
}
