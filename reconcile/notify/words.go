package notify

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
)

// release is how a release is called: by the team's own version where it has one.
func release(revision, version string) string {
	if version == "" {
		return revision
	}
	return version + " (" + revision + ")"
}

// named looks for the version of a revision in a record.
func named(r *journal.Record, revision string) string {
	if r == nil {
		return revision
	}
	if j := r.Rejection(revision); j != nil {
		return release(revision, j.Version)
	}
	if r.Last != nil && r.Last.Revision == revision {
		return release(revision, r.Last.Version)
	}
	return revision
}

// steps says what a rollout is going to do.
func steps(r *journal.Record) string {
	if r == nil || r.Rollout == nil || len(r.Rollout.Policy.Steps) == 0 {
		return ""
	}
	parts := make([]string, len(r.Rollout.Policy.Steps))
	for i, step := range r.Rollout.Policy.Steps {
		parts[i] = percent(step.Weight)
		if step.Hold > 0 {
			parts[i] += " for " + step.Hold.String()
		}
		if step.Approval {
			parts[i] += ", then an approval"
		}
	}
	return "\n\nSteps: " + strings.Join(parts, "; ") + "."
}

// standing is the newest verdict of each check of a rollout under way.
func standing(r *journal.Record) []judge.Verdict {
	if r == nil || r.Rollout == nil {
		return nil
	}
	var verdicts []judge.Verdict
	for _, name := range slices.Sorted(maps.Keys(r.Rollout.Checks)) {
		if last := r.Rollout.Checks[name].Last; last != nil {
			verdicts = append(verdicts, *last)
		}
	}
	return verdicts
}

// evidence lists verdicts, a line for each.
func evidence(verdicts []judge.Verdict) string {
	var b strings.Builder
	for _, v := range verdicts {
		if b.Len() == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "\n- %s: %s. %s", v.Check, v.Outcome, v.Text)
	}
	return b.String()
}

func percent(weight int) string { return strconv.Itoa(weight) + " %" }

// ungated lists the conditions of a run that do not hold, a line for each.
func ungated(results []gate.Result) string {
	var b strings.Builder
	for _, g := range results {
		if g.Outcome == gate.Passed || g.Override != nil {
			continue
		}
		fmt.Fprintf(&b, "\n- %s: %s. %s", g.Name, g.Outcome, g.Detail)
		if g.Message != "" {
			b.WriteString("; " + g.Message)
		}
	}
	return b.String()
}
