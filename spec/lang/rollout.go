package lang

import (
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// rollout decodes the rollout block and checks what would make it impossible or
// without meaning, before any container is started for it.
func (s section) rollout() *spec.Rollout {
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
		r.Checks = append(r.Checks, check.check(r.Strategy))
	}
	for _, step := range c.children("step") {
		r.Steps = append(r.Steps, step.step(r.Checks))
	}
	r.Match = c.match(r.Strategy)
	c.checkSteps(r)
	return r
}

func (s section) step(checks []spec.Check) spec.RolloutStep {
	step := spec.RolloutStep{
		Weight: s.integer("weight"), Hold: s.duration("hold"), Approval: s.boolean("approval"), Replicas: s.integer("replicas"),
	}
	a := s.n.args["checks"]
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

func (s section) check(strategy spec.Strategy) spec.Check {
	c := spec.Check{
		Name: s.n.label, Metric: spec.Metric(s.keyword("metric")), Query: s.str("query"),
		Min: s.optional("min"), Max: s.optional("max"), MinVsStable: s.optional("min_vs_stable"), MaxVsStable: s.optional("max_vs_stable"),
		Interval: s.duration("interval"), FailureLimit: s.integer("failure_limit"), MinSamples: s.integer("min_samples"), Pos: specPos(s.n.rng),
	}
	if s.has("metric") == s.has("query") {
		s.errorf(s.n.rng, "One measurement needed", "A check measures exactly one thing. Write metric for what Fairlead measures itself, or query for PromQL.")
	}
	if c.Min == nil && c.Max == nil && c.MinVsStable == nil && c.MaxVsStable == nil && !s.anyOf("min", "max", "min_vs_stable", "max_vs_stable") {
		s.errorf(s.n.rng, "Check without bound", "A check without a bound could never fail. Write at least one of min, max, min_vs_stable and max_vs_stable.")
	}
	s.checkBounds("min", c.Min, "max", c.Max)
	s.checkBounds("min_vs_stable", c.MinVsStable, "max_vs_stable", c.MaxVsStable)
	if strategy == spec.Recreate && (c.MinVsStable != nil || c.MaxVsStable != nil) {
		s.errorf(s.n.rng, "Nothing to compare with", "The strategy recreate stops the old revision first, so there is no stable one to compare with. Use min or max.")
	}
	if c.Metric == spec.ShadowAgreement && strategy != spec.Shadow && strategy != "" {
		s.errorf(s.at("metric"), "Metric without meaning", "shadow_agreement compares the answers to mirrored requests, which only the strategy shadow has.")
	}
	s.checkQuery(c.Query)
	return c
}

func (s section) anyOf(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return s.n.args[name] != nil })
}

func (s section) checkBounds(lowName string, low *float64, highName string, high *float64) {
	if low != nil && high != nil && *low > *high {
		s.errorf(s.at(highName), "Contradictory values", "%s is above %s, so the check could never pass.", lowName, highName)
	}
}

var placeholder = regexp.MustCompile(`\$[A-Za-z_]\w*`)

// checkQuery refuses placeholders that nothing replaces: Prometheus would answer
// with an empty result for ever.
func (s section) checkQuery(query string) {
	known := []string{"$model", "$stable", "$candidate", "$window"}
	for _, p := range placeholder.FindAllString(query, -1) {
		if !slices.Contains(known, p) {
			s.errorf(s.at("query"), "Unknown placeholder", "Nothing replaces %s. Known are %s.%s", p, strings.Join(known, ", "), didYouMean(p, known))
			return
		}
	}
}

var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

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
	m := &spec.Match{Header: c.str("header"), Cookie: c.str("cookie"), Value: c.str("value")}
	if c.has("header") == c.has("cookie") {
		c.errorf(c.n.rng, "One source needed", "A match looks at a header or at a cookie. Write exactly one of the two.")
	} else if name := m.Header + m.Cookie; name != "" && !headerName.MatchString(name) {
		c.errorf(c.n.rng, "Invalid name", "No header and no cookie can have this name.")
	}
	return m
}

// checkSteps checks what the steps of a strategy must be.
func (s section) checkSteps(r *spec.Rollout) {
	steps := s.children("step")
	switch r.Strategy {
	case spec.Canary:
		if len(steps) == 0 {
			s.errorf(s.n.rng, "Missing block", "A canary rollout goes in steps, and this one has none. For example:\n    step {\n      weight = 10\n      hold   = \"5m\"\n    }")
		}
	case spec.Recreate:
		if len(steps) > 0 {
			s.errorf(steps[0].n.rng, "Contradictory arguments", "The strategy recreate stops the old revision before it starts the new one, so there are no steps.")
			return
		}
	case spec.Shadow:
		for i, step := range steps {
			if r.Steps[i].Weight != 0 {
				step.errorf(step.at("weight"), "Contradictory values", "In a shadow rollout the candidate answers nobody, so the weight of every step is 0.")
			}
		}
		return
	case spec.BlueGreen, spec.AB:
	}
	for i := 1; i < len(steps); i++ {
		_, first := steps[i-1].typed("weight")
		_, second := steps[i].typed("weight")
		if first && second && r.Steps[i].Weight <= r.Steps[i-1].Weight {
			steps[i].errorf(steps[i].at("weight"), "Weights not rising", "The weight of a step must be above that of the step before, which is %d. A rollout goes forward only.", r.Steps[i-1].Weight)
		}
	}
}
