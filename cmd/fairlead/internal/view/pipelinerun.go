package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// Run prints all that is known about a run. Tails are the last lines of logs, by
// node.
func (v *View) Run(r *run.Run, tails map[string][]string, now time.Time) error {
	out := &printer{v: v}
	out.runHead(r, now)
	out.runFacts(r)
	out.line("")
	out.nodes(r, now, len(r.Nodes))
	out.tails(r, tails)
	out.gates(r.Gates)
	out.publication(r)
	for i, text := range nextSteps(r) {
		if i == 0 {
			out.line("")
		}
		out.fact(firstOf(i, "next"), text)
	}
	return out.flush()
}

// firstOf is a key in front of the first of several lines.
func firstOf(i int, key string) string {
	if i == 0 {
		return key
	}
	return ""
}

// runHead is how a run is, in a line or two.
func (p *printer) runHead(r *run.Run, now time.Time) {
	state := cmp.Or(string(r.Outcome), string(r.Phase))
	text := p.v.paint(outcomeColor(r.Outcome), state)
	switch {
	case r.Phase == run.Done:
		text += fmt.Sprintf(" %s ago, after %s", since(r.Finished, now), took(r.Created, r.Finished, now))
	case r.Outcome != "":
		text += fmt.Sprintf(", %s, for %s", r.Phase, took(r.Created, time.Time{}, now))
	default:
		text += " for " + took(r.Created, time.Time{}, now)
	}
	p.line("%s  %s", p.v.paint(bold, r.ID), text)
	if r.Reason != "" {
		p.fact("", r.Reason)
	}
	if !r.RetryAt.IsZero() && r.RetryAt.After(now) {
		p.fact("", fmt.Sprintf("tried %s, again in %s", count(r.Tries, "time"), remaining(r.RetryAt, now)))
	}
}

// runFacts are what a run was started with.
func (p *printer) runFacts(r *run.Run) {
	p.fact("started", "by "+causeText(&r.Trigger))
	if r.Reproduces != "" {
		p.fact("makes", r.Reproduces+" again, and publishes nothing")
	}
	if r.Commit != "" {
		p.fact("commit", shortID(r.Commit))
	}
	if len(r.Params) > 0 {
		p.fact("params", settings(r.Params))
	}
	if r.Fresh {
		p.fact("cache", "nothing is taken from it")
	}
	for i, name := range slices.Sorted(maps.Keys(r.Datasets)) {
		p.fact(firstOf(i, "data"), name+"  "+datasetText(r.Datasets[name]))
	}
	if r.Cancelled != nil {
		p.fact("cancelled", fmt.Sprintf("by %s at %s%s", r.Cancelled.Actor, moment(r.Cancelled.At), because(r.Cancelled.Reason)))
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func datasetText(d run.Dataset) string {
	parts := []string{shortDigest(cmp.Or(d.Digest, d.Content))}
	if d.Rows > 0 {
		parts = append(parts, count(int(d.Rows), "row"))
	} else if d.Size > 0 {
		parts = append(parts, bytesText(d.Size))
	}
	switch len(d.Checked) {
	case 0:
	case 1:
		parts = append(parts, "1 expectation holds")
	default:
		parts = append(parts, fmt.Sprintf("%d expectations hold", len(d.Checked)))
	}
	return strings.Join(parts, ", ")
}

// shortDigest is as much of a digest as tells it from others.
func shortDigest(digest string) string {
	const letters = len("sha256:") + 12
	if at := strings.Index(digest, "sha256:"); at >= 0 && len(digest) > at+letters {
		return digest[:at+letters]
	}
	return digest
}

func bytesText(n int64) string {
	const unit = 1024
	if n < unit {
		return count(int(n), "byte")
	}
	value, units := float64(n)/unit, []string{"KiB", "MiB", "GiB", "TiB"}
	for value >= unit && len(units) > 1 {
		value, units = value/unit, units[1:]
	}
	return fmt.Sprintf("%.3g %s", value, units[0])
}

var gateLooks = map[gate.Outcome]look{
	gate.Passed:  {"✓", green, "passed"},
	gate.Failed:  {"✗", red, "failed"},
	gate.Missing: {"?", red, "missing"},
}

// gates prints what became of conditions, with their figures.
func (p *printer) gates(results []gate.Result) {
	for i := range results {
		g := &results[i]
		if i == 0 {
			p.line("")
		}
		l := gateLooks[g.Outcome]
		if g.Outcome != gate.Passed && !g.Denies() {
			l.color = yellow
		}
		name := g.Name
		if g.Policy {
			name = strings.TrimSpace("policy " + g.Name + " " + g.Subject)
		}
		p.fact(firstOf(i, "gates"), fmt.Sprintf("%s %s: %s%s", p.v.paint(l.color, l.mark), p.v.paint(bold, name), g.Detail, levelText(g)))
		if g.Override != nil {
			p.fact("", fmt.Sprintf("  overridden by %s: %s", g.Override.Actor, g.Override.Reason))
		}
		if g.Outcome == gate.Passed {
			continue
		}
		for _, text := range []string{g.Message, g.Regulation} {
			if text != "" {
				p.fact("", "  "+p.v.paint(dim, text))
			}
		}
	}
}

// levelText says what follows from a condition that does not hold.
func levelText(g *gate.Result) string {
	if g.Outcome == gate.Passed {
		return ""
	}
	return " (" + string(cmp.Or(g.Level, spec.LevelHard)) + ")"
}

func (p *printer) publication(r *run.Run) {
	pub := r.Published
	if pub == nil {
		return
	}
	p.line("")
	model := ""
	if r.Definition.Publish != nil {
		model = r.Definition.Publish.Model.ServedName() + " "
	}
	if pub.Unneeded != "" {
		p.fact("published", "nothing: "+pub.Unneeded)
		return
	}
	p.fact("published", p.v.paint(green, model+pub.Version)+"  "+pub.Artifact)
	if pub.Branch != "" {
		text := "proposed on branch " + pub.Branch
		if pub.Commit != "" {
			text += ", commit " + shortID(pub.Commit)
		}
		p.fact("", text)
	}
}

// nextSteps are what a person can do about a run.
func nextSteps(r *run.Run) []string {
	var steps []string
	say := func(format string, args ...any) { steps = append(steps, fmt.Sprintf(format, args...)) }
	resume := "`fairlead pipeline resume " + r.ID + "` goes on where it ended; what has succeeded is not run again"
	if r.Outcome != "" && r.Phase != run.Done {
		say("nothing yet: its exit steps run")
		return steps
	}
	switch r.Outcome {
	case run.Succeeded:
		if r.Published != nil && r.Published.Branch != "" && r.Published.Unneeded == "" {
			say("merge branch %s to take it live", r.Published.Branch)
		}
	case run.Failed:
		if r.Started.IsZero() {
			say("correct what is said above, in Git where it is there; then `fairlead pipeline run %s`", r.Pipeline)
			return steps
		}
		for _, n := range r.Order() {
			if n.Phase == run.NodeFailed && !n.Started.IsZero() {
				say("`fairlead pipeline logs %s %s` shows what it wrote", r.ID, n.ID)
				break
			}
		}
		say("%s", resume)
	case run.Denied:
		hard := false
		for i := range r.Gates {
			g := &r.Gates[i]
			hard = hard || g.Denies() && g.Level != spec.LevelSoft
			if g.Denies() && g.Level == spec.LevelSoft {
				say("`fairlead pipeline override %s %s --reason \"...\"` lets it pass this time, and goes on", r.ID, g.Name)
			}
		}
		if hard {
			say("nothing was published; a hard gate passes by better figures only, or by a change of the gate in Git")
		}
	case run.Cancelled:
		say("%s", resume)
	default:
		say("`fairlead pipeline logs %s -f` shows what its steps write, `fairlead pipeline cancel %s` ends it", r.ID, r.ID)
	}
	return steps
}
