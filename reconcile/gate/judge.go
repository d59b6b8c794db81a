package gate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// Judge tells what becomes of a gate of a pipeline, from the facts of a run.
func Judge(g *spec.Gate, facts expr.Facts) Result {
	r := Result{
		Name: g.Name, Level: cmp.Or(g.Level, spec.LevelHard), Require: written(g.Require),
		Message: g.Message, Regulation: g.Regulation, Pos: g.Pos,
	}
	r.Outcome, r.Detail = judge(g.Require, facts)
	return r
}

// Subject is an object that policies ask about, with what is known of it.
type Subject struct {
	Address spec.Address
	Pos     spec.Pos
	Facts   expr.Facts
}

// Policies tells what becomes of each policy about each subject that it is for, by
// policy, then by subject. The environment's name is env.name to them. Where it
// cannot be told whether a policy is for a subject, it is: else whoever leaves out
// the fact that a policy selects by would be free of it.
func Policies(ps []*spec.Policy, env string, subjects ...Subject) []Result {
	all := make([]expr.Facts, len(subjects))
	for i, s := range subjects {
		all[i] = s.in(env)
	}
	var results []Result
	for _, p := range ps {
		for i, s := range subjects {
			if s.Address.Kind != p.For {
				continue
			}
			applies, err := applies(p, all[i])
			if applies {
				results = append(results, about(p, s.Address, all[i], err))
			}
		}
	}
	return results
}

// in are the facts about a subject in an environment.
func (s *Subject) in(env string) expr.Facts {
	facts := maps.Clone(s.Facts)
	facts["env"] = map[string]any{"name": env}
	return facts
}

// applies tells whether a policy is for a subject. The error says why that cannot
// be told; it applies then.
func applies(p *spec.Policy, facts expr.Facts) (bool, error) {
	if p.Where.IsZero() {
		return true, nil
	}
	holds, err := p.Where.Holds(facts)
	return holds || err != nil, err
}

// about is what becomes of a policy about a subject that it applies to; open is why
// that cannot be told.
func about(p *spec.Policy, subject spec.Address, facts expr.Facts, open error) Result {
	r := Result{
		Name: p.Name, Policy: true, Subject: subject.String(), Level: cmp.Or(p.Level, spec.LevelHard), Require: written(p.Require),
		Message: p.Message, Regulation: p.Regulation, Pos: p.Pos,
	}
	if open != nil {
		r.Outcome, r.Detail = Missing, "whether it applies cannot be told: "+open.Error()
		return r
	}
	r.Outcome, r.Detail = judge(p.Require, facts)
	return r
}

func judge(require expr.Expr, facts expr.Facts) (Outcome, string) {
	switch holds, err := require.Holds(facts); {
	case err != nil:
		return Missing, err.Error()
	case holds:
		return Passed, require.Explain(facts)
	default:
		return Failed, require.Explain(facts)
	}
}

func written(e expr.Expr) string { return cmp.Or(e.Source, e.String()) }

// Denied are the results that keep what they are about from going on.
func Denied(results []Result) []Result {
	var denied []Result
	for i := range results {
		if results[i].Denies() {
			denied = append(denied, results[i])
		}
	}
	return denied
}

// Overridable tells whether a person's word is all that is wanting: something
// denies, and nothing that does is hard.
func Overridable(results []Result) bool {
	denied := Denied(results)
	return len(denied) > 0 && !slices.ContainsFunc(denied, func(r Result) bool { return r.Level != spec.LevelSoft })
}

// WithOverrides returns the results with the word of people about those that are
// soft and have not passed, by the name of the gate or policy. Hard ones take none.
func WithOverrides(results []Result, overrides map[string]Override) []Result {
	results = slices.Clone(results)
	for i := range results {
		r := &results[i]
		word, said := overrides[r.ID()]
		if said && (word.Detail == "" || word.Detail == r.Detail) && r.Level == spec.LevelSoft && r.Outcome != Passed {
			r.Override = &word
		}
	}
	return results
}

// String is the result in one line, for a commit of the journal and for a log:
//
//	gate good_enough failed: step.evaluate.metrics.accuracy 0.93 >= 0.95 (EU AI Act, Art. 15(1))
func (r *Result) String() string {
	var b strings.Builder
	if r.Policy {
		fmt.Fprintf(&b, "policy %s about %s", r.Name, r.Subject)
	} else {
		fmt.Fprintf(&b, "gate %s", r.Name)
	}
	outcome := string(r.Outcome)
	if r.Outcome == Missing {
		outcome = "has no evidence"
	}
	fmt.Fprintf(&b, " %s", outcome)
	if r.Outcome != Passed && r.Level != spec.LevelHard {
		fmt.Fprintf(&b, " (%s)", r.Level)
	}
	fmt.Fprintf(&b, ": %s", r.Detail)
	if r.Override != nil {
		fmt.Fprintf(&b, "; overridden by %s: %s", r.Override.Actor, r.Override.Reason)
	}
	if r.Outcome != Passed && r.Message != "" {
		fmt.Fprintf(&b, "; %s", strings.TrimSuffix(r.Message, "."))
	}
	if r.Regulation != "" {
		fmt.Fprintf(&b, " (%s)", r.Regulation)
	}
	return b.String()
}

// Journal are the results as lines of a commit message: what denies first, then
// what people overrode, then the rest.
func Journal(results []Result) string {
	rank := func(r Result) int {
		switch {
		case r.Denies():
			return 0
		case r.Override != nil:
			return 1
		case r.Outcome != Passed:
			return 2
		default:
			return 3
		}
	}
	sorted := slices.Clone(results)
	slices.SortStableFunc(sorted, func(a, b Result) int { return cmp.Compare(rank(a), rank(b)) })
	lines := make([]string, len(sorted))
	for i := range sorted {
		lines[i] = sorted[i].String()
	}
	return strings.Join(lines, "\n")
}

// Overridden is the outcome that a version's entry has for a condition that did not
// hold, and that a person overrode.
const Overridden = "overridden"

// ForVersion are the results as the entry of a version keeps them.
func ForVersion(results []Result) []spec.VersionGate {
	gates := make([]spec.VersionGate, len(results))
	for i := range results {
		r := &results[i]
		gates[i] = spec.VersionGate{Name: r.Name, Outcome: string(r.Outcome), Detail: r.Detail, Regulation: r.Regulation}
		if r.Override != nil {
			gates[i].Outcome, gates[i].Actor, gates[i].Reason = Overridden, r.Override.Actor, r.Override.Reason
		}
	}
	return gates
}
