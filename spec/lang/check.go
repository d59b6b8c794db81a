package lang

import (
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// check decodes a check block. What it refuses are conditions that could never
// fail, which protect nobody, and conditions that could never pass, which roll a
// good revision back.
func (s section) check(strategy spec.Strategy, m *spec.Model) spec.Check {
	c := spec.Check{
		Name: s.n.label, Metric: spec.Metric(s.keyword("metric")), Query: s.str("query"), Output: s.str("output"),
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
	s.checkMetricBound(c.Metric, "min", c.Min)
	s.checkMetricBound(c.Metric, "max", c.Max)
	s.checkRatioToStable(c)
	s.checkTwoSides(c, strategy)
	s.checkQuery(c.Query)
	switch {
	case c.Metric == spec.ScoreShift:
		c.Output = s.scoredOutput(m)
	case s.has("output") && (c.Metric != "" || s.has("query")):
		s.errorf(s.at("output"), "Contradictory arguments", "Only the metric score_shift looks at an output of the signature. Remove the argument, or write metric = score_shift.")
	}
	return c
}

func (s section) anyOf(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return s.n.args.get(name) != nil })
}

func (s section) checkBounds(lowName string, low *float64, highName string, high *float64) {
	if low != nil && high != nil && *low > *high {
		s.errorf(s.at(highName), "Contradictory values", "%s is above %s, so the check could never pass.", lowName, highName)
	}
}

// slowest is the latency in seconds above which a bound was hardly meant in
// seconds.
const slowest = 60

// checkMetricBound compares a bound with the values that the metric can have.
func (s section) checkMetricBound(metric spec.Metric, name string, bound *float64) {
	if metric == "" || bound == nil {
		return
	}
	ratio := metric == spec.ErrorRatio || metric == spec.ShadowAgreement || metric == spec.ScoreShift
	latency := metric == spec.LatencyP50 || metric == spec.LatencyP90 || metric == spec.LatencyP99
	switch {
	case *bound < 0:
		s.errorf(s.at(name), "Value out of range", "%s is never below 0, and so must %s be.", metric, name)
	case ratio && *bound > 1:
		s.errorf(s.at(name), "Value out of range", "%s goes from 0 to 1, and so must %s. For 5 %% write 0.05.", metric, name)
	case ratio && name == "max" && *bound == 1:
		s.errorf(s.at(name), "Bound without effect", "%s is never above 1, so this bound could never fail. Write a lower one, such as 0.01 for 1 %%, or remove the argument.", metric)
	case name == "min" && *bound == 0:
		s.errorf(s.at(name), "Bound without effect", "%s is never below 0, so this bound could never fail. Write a higher one, or remove the argument.", metric)
	case latency && *bound > slowest:
		s.ev.warnf(s.at(name), s.n.place, "Latency in seconds", "Latencies are in seconds, so this is a bound of %s. For milliseconds write a fraction: 0.25 is 250 ms.", showSeconds(*bound))
	}
}

// checkRatioToStable refuses ratios of the two sides where they say nothing.
func (s section) checkRatioToStable(c spec.Check) {
	why := ""
	switch c.Metric {
	case spec.ScoreShift, spec.ShadowAgreement:
		why = "compares the candidate with stable itself: there is one value for both, and no ratio"
	case spec.Restarts:
		why = "is 0 for a stable revision that is well, and nothing can be divided by that"
	case spec.ErrorRatio, spec.LatencyP50, spec.LatencyP90, spec.LatencyP99, spec.RequestRate:
	}
	if why == "" {
		return
	}
	for _, name := range []string{"min_vs_stable", "max_vs_stable"} {
		if s.has(name) {
			s.errorf(s.at(name), "Bound without meaning", "%s %s. Use %s.", c.Metric, why, strings.TrimSuffix(name, "_vs_stable"))
		}
	}
}

// comparesTraffic tells whether a check needs requests on both sides at a time.
// What a query compares is its own affair: it may look back in time.
func comparesTraffic(c spec.Check) bool {
	return c.Metric == spec.ScoreShift || c.Metric != "" && (c.MinVsStable != nil || c.MaxVsStable != nil)
}

// ofTraffic tells whether a metric is measured on requests that the candidate
// answers.
func ofTraffic(m spec.Metric) bool {
	switch m {
	case spec.ErrorRatio, spec.LatencyP50, spec.LatencyP90, spec.LatencyP99, spec.RequestRate, spec.ScoreShift:
		return true
	case spec.ShadowAgreement, spec.Restarts:
	}
	return false
}

// checkTwoSides refuses checks that compare where there are no two sides.
func (s section) checkTwoSides(c spec.Check, strategy spec.Strategy) {
	relative := c.MinVsStable != nil || c.MaxVsStable != nil
	switch {
	case strategy == spec.Recreate && c.Metric == spec.ScoreShift:
		s.errorf(s.at("metric"), "Nothing to compare with", "score_shift compares with stable, and the strategy recreate stops that first. Use another metric or another strategy.")
	case strategy == spec.Recreate && relative:
		s.errorf(s.n.rng, "Nothing to compare with", "The strategy recreate stops the old revision first, so there is no stable one to compare with. Use min or max.")
	case strategy == spec.BlueGreen && comparesTraffic(c):
		s.errorf(s.n.rng, "Nothing to compare with", "In a blue_green rollout one side has all requests at any time, so the two are never measured side by side, and this check could never pass. Use a metric with min or max, or write strategy = canary.")
	case strategy == spec.Shadow && ofTraffic(c.Metric) && c.Metric != spec.ScoreShift:
		s.errorf(s.at("metric"), "Metric without meaning", "In a shadow rollout nobody is answered by the candidate, so %s has nothing to measure. Use shadow_agreement, for which a failed answer is one that differs, or score_shift, restarts, or a query.", c.Metric)
	case c.Metric == spec.ShadowAgreement && strategy != spec.Shadow && strategy != "":
		s.errorf(s.at("metric"), "Metric without meaning", "shadow_agreement compares the answers to mirrored requests, which only the strategy shadow has.")
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

// scoredOutput is the output whose values a score_shift compares: that which is
// named, or the first numeric one.
func (s section) scoredOutput(m *spec.Model) string {
	switch {
	case m.Protocol == spec.HTTP:
		s.errorf(s.at("metric"), "Metric without meaning", "score_shift reads the outputs in answers of the Open Inference Protocol, and this model speaks http. Use a query for what the model measures itself.")
		return ""
	case m.Signature == nil:
		s.errorf(s.at("metric"), "Missing block", "score_shift compares the values of an output, so the model must declare its outputs. For example:\n    signature {\n      input \"pixels\" {\n        datatype = FP32\n        shape    = [-1, 64]\n      }\n      output \"digit\" {\n        datatype = INT64\n        shape    = [-1]\n      }\n    }")
		return ""
	case len(m.Signature.Outputs) == 0:
		return "" // an incomplete signature was reported
	}
	var all, numeric []string
	for _, t := range m.Signature.Outputs {
		all = append(all, t.Name)
		if t.Datatype != "BYTES" && t.Datatype != "BOOL" {
			numeric = append(numeric, t.Name)
		}
	}
	name := s.str("output")
	switch {
	case s.has("output") && !s.evaluates("output"):
	case s.has("output") && !slices.Contains(all, name):
		s.errorf(s.at("output"), "Unknown output", "The signature has no output %q.%s", name, didYouMean(name, all))
	case len(numeric) == 0:
		s.errorf(s.at("metric"), "Output not numeric", "score_shift compares numbers, and every output of the signature is of BYTES or BOOL. Let the model tell a score beside them, or use another metric.")
	case !s.has("output"):
		return numeric[0]
	case !slices.Contains(numeric, name):
		s.errorf(s.at("output"), "Output not numeric", "score_shift compares numbers, and this output has none. Numeric are %s.", strings.Join(numeric, ", "))
	}
	return name
}
