package lang

import (
	"regexp"
	"slices"

	"github.com/fairlead/fairlead/spec"
)

// rollout decodes the rollout block and checks what would make it impossible or
// without meaning, before any container is started for it. Of the model it needs
// what its answers look like.
func (s section) rollout(m *spec.Model) *spec.Rollout {
	c, declared := s.child("rollout")
	if !declared {
		return nil
	}
	r := &spec.Rollout{
		Strategy:         spec.Strategy(c.keyword("strategy")),
		ProgressDeadline: c.duration("progress_deadline"),
		KeepPrevious:     c.duration("keep_previous"),
		Velocity:         spec.Velocity(c.keyword("velocity")),
		OnFailure:        spec.FailureAction(c.keyword("on_failure")),
		OnDeadline:       spec.FailureAction(c.keyword("on_deadline")),
		Pos:              specPos(c.n.rng),
	}
	for _, check := range c.children("check") {
		r.Checks = append(r.Checks, check.check(r.Strategy, m))
	}
	for _, step := range c.children("step") {
		r.Steps = append(r.Steps, step.step(r.Checks))
	}
	r.Match = c.match(r.Strategy)
	r.Sticky = c.sticky(r.Strategy)
	r.Mirror = c.mirror(r.Strategy)
	c.checkSteps(r)
	c.checkEveryCheckCounts(r)
	return r
}

func (s section) step(checks []spec.Check) spec.RolloutStep {
	step := spec.RolloutStep{
		Weight: s.integer("weight"), Hold: s.duration("hold"), Approval: s.boolean("approval"), Replicas: s.integer("replicas"),
	}
	a := s.n.args.get("checks")
	if a == nil || a.broken {
		return step
	}
	known := make([]string, 0, len(checks))
	for _, c := range checks {
		known = append(known, c.Name)
	}
	step.Checks = []string{}
	for _, t := range a.targets {
		switch {
		case !slices.Contains(known, t.name):
			s.errorf(t.rng, "Unknown check", "This rollout has no check %q.%s", t.name, didYouMean(t.name, known))
		case slices.Contains(step.Checks, t.name):
			s.errorf(t.rng, "Duplicate check", "The check is in the list already.")
		default:
			step.Checks = append(step.Checks, t.name)
		}
	}
	return step
}

func (s section) match(strategy spec.Strategy) *spec.Match {
	c, declared := s.child("match")
	switch {
	case !declared && strategy == spec.AB:
		s.errorf(s.n.rng, "Missing block", "The strategy ab sends some callers to the candidate; say which. For example:\n    match {\n      header = \"X-Tester\"\n      value  = \"yes\"\n    }")
		return nil
	case !declared:
		return nil
	case strategy != spec.AB && strategy != "":
		s.errorf(c.n.rng, "Contradictory arguments", "Only the strategy ab sends callers by header or cookie. Remove the match block, or write strategy = ab.")
	}
	c.checkCaller()
	return &spec.Match{Header: c.str("header"), Cookie: c.str("cookie"), Value: c.str("value")}
}

func (s section) sticky(strategy spec.Strategy) *spec.Sticky {
	c, declared := s.child("sticky")
	if !declared {
		return nil
	}
	switch strategy {
	case spec.Shadow:
		c.errorf(c.n.rng, "Contradictory arguments", "In a shadow rollout stable answers everybody, so there are no sides to keep callers on. Remove the sticky block.")
	case spec.BlueGreen, spec.Recreate:
		c.errorf(c.n.rng, "Contradictory arguments", "With the strategy %s one revision answers everybody at any time, so there are no sides to keep callers on. Remove the sticky block, or write strategy = canary.", strategy)
	case spec.Canary, spec.AB:
	}
	c.checkCaller()
	return &spec.Sticky{Header: c.str("header"), Cookie: c.str("cookie")}
}

var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// checkCaller checks by what a block tells callers apart.
func (s section) checkCaller() {
	if s.has("header") == s.has("cookie") {
		s.errorf(s.n.rng, "One source needed", "%s looks at a header or at a cookie. Write exactly one of the two.", blockWords(s.n))
		return
	}
	for _, name := range []string{"header", "cookie"} {
		if v, ok := s.typed(name); ok && !v.IsNull() && !headerName.MatchString(v.AsString()) {
			s.errorf(s.at(name), "Invalid name", "No %s can have this name. Names hold letters, digits and - mostly, such as \"X-User\".", name)
		}
	}
}

// mirror has its defaults in every shadow rollout.
func (s section) mirror(strategy spec.Strategy) *spec.Mirror {
	c, declared := s.child("mirror")
	if !declared && strategy != spec.Shadow {
		return nil
	}
	if strategy != spec.Shadow && strategy != "" {
		c.errorf(c.n.rng, "Contradictory arguments", "Only the strategy shadow copies requests to the candidate. Remove the mirror block, or write strategy = shadow.")
	}
	return &spec.Mirror{Percent: c.integer("percent"), Tolerance: c.float("tolerance")}
}

// checkSteps checks what the steps of a strategy must be. A rollout without any
// has those that its strategy brings.
func (s section) checkSteps(r *spec.Rollout) {
	steps := s.children("step")
	switch r.Strategy {
	case spec.Recreate:
		if len(steps) > 0 {
			s.errorf(steps[0].n.rng, "Contradictory arguments", "The strategy recreate stops the old revision before it starts the new one, so there are no steps.")
		}
	case spec.Shadow:
		for i, step := range steps {
			if r.Steps[i].Weight != 0 {
				step.errorf(step.at("weight"), "Contradictory values", "In a shadow rollout the candidate answers nobody, so the weight of every step is 0.")
			}
		}
	case spec.BlueGreen:
		for i, step := range steps {
			if w := r.Steps[i].Weight; w != 0 && w != 100 {
				step.errorf(step.at("weight"), "Contradictory values", "In a blue_green rollout all requests go over at once, so a weight is 0 or 100. For a share of them write strategy = canary.")
				return
			}
		}
		checkRising(steps, r)
		checkNoWeight(steps, r)
	case spec.Canary:
		checkRising(steps, r)
		checkNoWeight(steps, r)
		checkFullWeight(steps, r)
	case spec.AB: // callers that match go to the candidate also at weight 0
		checkRising(steps, r)
		checkFullWeight(steps, r)
	}
}

// checkNoWeight refuses checks that would wait in vain for the candidate to be
// measured.
func checkNoWeight(steps []section, r *spec.Rollout) {
	for i, step := range r.Steps {
		if _, written := steps[i].typed("weight"); step.Weight != 0 || !written {
			continue
		}
		for _, c := range r.Checks {
			if ofTraffic(c.Metric) && (step.Checks == nil || slices.Contains(step.Checks, c.Name)) {
				steps[i].errorf(steps[i].at("weight"), "Nothing to measure", "At weight 0 the candidate gets no requests, and check %q measures them, so it could never pass. List the checks that count in this step: checks = [...], which may be empty.", c.Name)
				break
			}
		}
	}
}

func checkRising(steps []section, r *spec.Rollout) {
	for i := 1; i < len(steps); i++ {
		_, first := steps[i-1].typed("weight")
		_, second := steps[i].typed("weight")
		if first && second && r.Steps[i].Weight <= r.Steps[i-1].Weight {
			steps[i].errorf(steps[i].at("weight"), "Weights not rising", "The weight of a step must be above that of the step before, which is %d. A rollout goes forward only.", r.Steps[i-1].Weight)
		}
	}
}

// checkFullWeight refuses checks that would wait in vain for stable to be
// measured, until the deadline rolls a good candidate back.
func checkFullWeight(steps []section, r *spec.Rollout) {
	for i, step := range r.Steps {
		if step.Weight != 100 {
			continue
		}
		for _, c := range r.Checks {
			if comparesTraffic(c) && (step.Checks == nil || slices.Contains(step.Checks, c.Name)) {
				steps[i].errorf(steps[i].at("weight"), "Nothing to compare with", "At weight 100 stable gets no requests, and check %q compares with them, so it could never pass. Remove the step, since after the last one the candidate gets all requests anyway, or list the checks that count in it: checks = [...].", c.Name)
				break
			}
		}
	}
}

// checkEveryCheckCounts warns of a check that no step names: it looks like a
// safeguard, and is none.
func (s section) checkEveryCheckCounts(r *spec.Rollout) {
	for i, step := range s.children("step") {
		all := r.Steps[i].Checks == nil
		if all || len(r.Steps[i].Checks) < len(step.n.args.get("checks").targets) {
			return // or one of its names was reported, and may have meant any
		}
	}
	if len(r.Steps) == 0 {
		return
	}
	for i, check := range s.children("check") {
		name := r.Checks[i].Name
		if !slices.ContainsFunc(r.Steps, func(step spec.RolloutStep) bool { return slices.Contains(step.Checks, name) }) {
			s.ev.warnf(check.n.rng, s.n.place, "Check without effect", "Every step lists the checks that count in it, and none lists this one, so it is never measured. Add check.%s to a step, or remove the check.", name)
		}
	}
}
