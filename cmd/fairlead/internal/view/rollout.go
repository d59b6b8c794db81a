package view

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// RolloutList is the models that `rollout list` picks.
type RolloutList struct {
	FormatVersion string                   `json:"format_version"`
	Environment   string                   `json:"environment"`
	Models        []controller.ModelStatus `json:"models"`
	Known         int                      `json:"known"` // models that there are
}

// RolloutList prints a line per model.
func (v *View) RolloutList(l *RolloutList) error {
	if len(l.Models) == 0 {
		return v.Line(fmt.Sprintf("No rollout is under way in %s, and nothing is held or rejected (%s).", v.paint(bold, l.Environment), count(l.Known, "model")))
	}
	out := &printer{v: v}
	rows := [][]string{{"MODEL", "PHASE", "STABLE", "CANDIDATE", "WEIGHT", "STEP", "CHECKS", "REJECTED", "WHY"}}
	for i := range l.Models {
		m := &l.Models[i]
		stable, candidate, weight, step, checks := "-", "-", "-", "-", "-"
		if m.Stable != nil {
			stable = label(m.Stable)
		}
		if r := m.Rollout; r != nil {
			candidate, weight, step, checks = label(&r.Candidate), fmt.Sprintf("%d %%", r.Weight), fmt.Sprintf("%d/%d", r.Step, r.Steps), outcomes(r)
		}
		rows = append(rows, []string{
			m.Name, string(m.Phase), stable, candidate, weight, step, checks, fmt.Sprint(len(m.Rejected)), firstLine(cmp.Or(m.Error, m.Reason)),
		})
	}
	out.table(rows, func(row, column int) string {
		if column == 1 {
			return phaseColor(l.Models[row].Phase)
		}
		return ""
	})
	return out.flush()
}

// RolloutShown is the JSON form of `rollout show`.
type RolloutShown struct {
	FormatVersion string `json:"format_version"`
	Environment   string `json:"environment"`
	controller.ModelStatus
}

// Rollout prints all that was decided about a model.
func (v *View) Rollout(m *controller.ModelStatus, now time.Time) error {
	out := &printer{v: v}
	phase := v.paint(phaseColor(m.Phase), string(m.Phase))
	if !m.Since.IsZero() {
		phase += " for " + since(m.Since, now)
	}
	out.line("%s  %s", v.paint(bold, m.Address.String()), phase)
	if why := cmp.Or(m.Error, m.Reason); why != "" {
		out.fact("", why)
	}
	out.releases(m, now)
	if r := m.Rollout; r != nil {
		out.progress(r, now)
		for i := range r.Checks {
			out.check(&r.Checks[i], i == 0)
		}
	}
	for i := range m.Rejected {
		out.rejection(&m.Rejected[i], now, i == 0)
	}
	if last := m.Last; last != nil {
		out.fact("last", fmt.Sprintf("%s %s %s ago: %s", named(last.Version, last.Revision), strings.ReplaceAll(string(last.Outcome), "_", " "), since(last.At, now), last.Reason))
	}
	if m.Restarts > 0 {
		out.fact("restarts", fmt.Sprintf("%s in a row superseded by a newer revision", count(m.Restarts, "rollout")))
	}
	return out.flush()
}

// fact prints a line with its name in front, or further lines without one.
func (p *printer) fact(key, text string) {
	indented := strings.ReplaceAll(strings.TrimRight(text, " \n"), "\n", "\n             ")
	p.line("  %s %s", p.v.paint(dim, fmt.Sprintf("%-10s", key)), indented)
}

func (p *printer) releases(m *controller.ModelStatus, now time.Time) {
	if m.Stable != nil {
		p.fact("stable", releaseText(m.Stable))
	} else {
		p.fact("stable", "none yet")
	}
	if r := m.Rollout; r != nil {
		p.fact("candidate", releaseText(&r.Candidate))
	} else if m.Revision != "" && m.Stable != nil && m.Revision != m.Stable.Revision {
		p.fact("wanted", releaseText(&controller.ReleaseStatus{Revision: m.Revision, Version: m.Version, Image: m.Image}))
	}
	if m.Previous != nil {
		p.fact("previous", fmt.Sprintf("%s, kept for %s more: `fairlead rollout undo %s` goes back to it at once", releaseText(&m.Previous.ReleaseStatus), remaining(m.Previous.Until, now), m.Name))
	}
}

// progress shows the steps as a line, and what the present one waits for.
func (p *printer) progress(r *controller.RolloutStatus, now time.Time) {
	if r.First {
		p.fact("rollout", fmt.Sprintf("first deployment, started %s ago: no stable revision, so no steps", since(r.Started, now)))
	} else {
		p.fact("rollout", fmt.Sprintf("%s, started %s ago%s", r.Strategy, since(r.Started, now), forced(r)))
		p.fact("steps", p.steps(r))
	}
	text := fmt.Sprintf("%d %% since %s", r.Weight, since(r.Since, now))
	if waits := waiting(r, now); waits != "" {
		text += ", " + waits
	}
	p.fact("now", text)
	if r.Held != "" {
		p.fact("held", p.v.paint(yellow, r.Held))
	}
}

func forced(r *controller.RolloutStatus) string {
	if r.Forced {
		return ", promoted by hand past steps and checks"
	}
	return ""
}

// steps are the weights on the way; the present one is in brackets.
func (p *printer) steps(r *controller.RolloutStatus) string {
	mark := func(text string, present bool) string {
		if present {
			return p.v.paint(bold, "["+text+"]")
		}
		return text
	}
	parts := []string{mark("ready", r.Step == 0 && !r.Promoting)}
	for i, s := range r.Plan {
		text := fmt.Sprintf("%d %%", s.Percent)
		if s.Approval {
			text += " approval"
		}
		parts = append(parts, mark(text, r.Step == i+1 && !r.Promoting))
	}
	return strings.Join(append(parts, mark("promote", r.Promoting)), " → ")
}

// stepWords say in which step a rollout is.
func stepWords(r *controller.RolloutStatus) string {
	switch {
	case r.Promoting:
		return "past its steps"
	case r.Step == 0:
		return fmt.Sprintf("before step 1 of %d", r.Steps)
	}
	return fmt.Sprintf("step %d of %d", r.Step, r.Steps)
}

// waiting says what a rollout waits for, and how long yet.
func waiting(r *controller.RolloutStatus, now time.Time) string {
	var parts []string
	switch {
	case r.Paused != nil:
		parts = append(parts, fmt.Sprintf("paused by %s: %s", r.Paused.Actor, r.Paused.Reason))
	case r.Held != "":
		parts = append(parts, "held until a person decides")
	case r.Promoting:
		parts = append(parts, "grows to full size")
	case r.Step == 0:
		parts = append(parts, string(cmp.Or(r.Activity, "the candidate is made ready")))
	case r.HoldUntil.After(now):
		parts = append(parts, "holds "+remaining(r.HoldUntil, now)+" more")
	case r.Approval:
		parts = append(parts, "waits for an approval")
	case r.Activity != "":
		parts = append(parts, string(r.Activity))
	}
	if r.HoldUntil.After(now) && r.Approval && r.Paused == nil && r.Held == "" {
		parts = append(parts, "then waits for an approval")
	}
	if !r.Deadline.IsZero() && !r.Approval {
		parts = append(parts, "deadline in "+remaining(r.Deadline, now))
	}
	return strings.Join(parts, ", ")
}

// verdicts are how the outcomes of checks are shown.
var verdicts = map[judge.Outcome]look{
	judge.Pass:         {"✓", green, "pass"},
	judge.Fail:         {"✗", red, "fail"},
	judge.Insufficient: {"…", yellow, "insufficient"},
	judge.Error:        {"!", red, "error"},
	"":                 {"·", dim, "not measured yet"},
}

func verdictOf(c *controller.CheckStatus) look {
	if c.Verdict == nil {
		return verdicts[""]
	}
	return verdicts[c.Verdict.Outcome]
}

// outcomes are the checks of a rollout that count now, in a few signs.
func outcomes(r *controller.RolloutStatus) string {
	var b strings.Builder
	for i := range r.Checks {
		if r.Checks[i].Counts {
			b.WriteString(verdictOf(&r.Checks[i]).mark)
		}
	}
	return cmp.Or(b.String(), "-")
}

// sentence is what a check found, without the name of the check in front.
func sentence(c *controller.CheckStatus) string {
	if c.Verdict == nil {
		return ""
	}
	return strings.TrimPrefix(c.Verdict.Text, c.Name+": ")
}

func (p *printer) check(c *controller.CheckStatus, first bool) {
	key := ""
	if first {
		key = "checks"
	}
	l := verdictOf(c)
	text := fmt.Sprintf("%s %s", p.v.paint(l.color, l.mark+" "+fmt.Sprintf("%-12s", l.words)), p.v.paint(bold, c.Name))
	if !c.Counts {
		text += ", not in this step"
	}
	if numbers := checkNumbers(c); numbers != "" {
		text += ": " + numbers
	}
	p.fact(key, text)
	if why := sentence(c); why != "" {
		p.fact("", "  "+p.v.paint(dim, strings.ReplaceAll(why, "\n", "\n  ")))
	}
}

// checkNumbers are what a verdict rests on.
func checkNumbers(c *controller.CheckStatus) string {
	var parts []string
	add := func(side string, value *float64, samples float64) {
		if value == nil {
			return
		}
		text := side + " " + measured(c.Metric, *value)
		if samples > 0 {
			text += fmt.Sprintf(" in %.0f samples", samples)
		}
		parts = append(parts, text)
	}
	if v := c.Verdict; v != nil {
		add("candidate", v.Candidate, v.CandidateSamples)
		add("stable", v.Stable, v.StableSamples)
		if v.Threshold > 0 {
			parts = append(parts, fmt.Sprintf("odds against it %.3g to 1, fails at %.3g to 1", v.Evidence, v.Threshold))
		}
	}
	if c.Looks > 0 {
		parts = append(parts, count(c.Looks, "look"))
	}
	if c.Failures > 0 || c.Limit > 0 {
		parts = append(parts, fmt.Sprintf("%s, %d tolerated", count(c.Failures, "failure"), c.Limit))
	}
	return strings.Join(parts, ", ")
}

// measured is a value in the unit of its metric.
func measured(m spec.Metric, x float64) string {
	switch m {
	case spec.ErrorRatio, spec.ShadowAgreement:
		return fmt.Sprintf("%.3g %%", 100*x)
	case spec.LatencyP50, spec.LatencyP90, spec.LatencyP99:
		if x < 1 {
			return fmt.Sprintf("%.3g ms", 1000*x)
		}
		return fmt.Sprintf("%.3g s", x)
	case spec.RequestRate:
		return fmt.Sprintf("%.3g/s", x)
	case spec.ScoreShift, spec.Restarts:
	}
	return fmt.Sprintf("%.4g", x)
}

func (p *printer) rejection(r *controller.RejectedStatus, now time.Time, first bool) {
	key := ""
	if first {
		key = "rejected"
	}
	actor := ""
	if r.Actor != "" && r.Actor != journal.Daemon {
		actor = " by " + r.Actor
	}
	p.fact(key, fmt.Sprintf("%s %s%s %s ago: %s", named(r.Version, r.Revision), p.v.paint(red, string(r.Cause)), actor, since(r.At, now), r.Reason))
	for _, v := range r.Evidence {
		if v.Text != "" && v.Outcome == judge.Fail && v.Text != r.Reason {
			p.fact("", "  "+p.v.paint(dim, v.Check+": "+v.Text))
		}
	}
}

// Standing says in one line where a model is.
func Standing(m *controller.ModelStatus, now time.Time) string {
	text := fmt.Sprintf("%s is %s", m.Address, m.Phase)
	if r := m.Rollout; r != nil {
		over := ""
		if m.Stable != nil {
			over = " over " + label(m.Stable)
		}
		text += fmt.Sprintf(": %s of %s%s, %s at %d %%", r.Strategy, label(&r.Candidate), over, stepWords(r), r.Weight)
		if waits := waiting(r, now); waits != "" {
			text += ", " + waits
		}
		return text
	}
	if m.Stable != nil {
		text += " on " + label(m.Stable)
	}
	if why := firstLine(cmp.Or(m.Error, m.Reason)); why != "" {
		text += ": " + why
	} else if m.Last != nil {
		text += fmt.Sprintf("; its last rollout, of %s, was %s %s ago: %s", named(m.Last.Version, m.Last.Revision), strings.ReplaceAll(string(m.Last.Outcome), "_", " "), since(m.Last.At, now), m.Last.Reason)
	}
	return text
}

// deeds say what an order does, with the revision behind them.
var deeds = map[rollout.ActKind]string{
	rollout.ActPromote: "Approve", rollout.ActPause: "Pause the rollout of", rollout.ActResume: "Resume the rollout of",
	rollout.ActAbort: "Abort the rollout of", rollout.ActRetry: "Clear and retry", rollout.ActUndo: "Go back from",
}

// Ordering shows what an order is about, before it is given.
func (v *View) Ordering(kind rollout.ActKind, o *app.RolloutOrder, m *controller.ModelStatus, now time.Time) error {
	deed := deeds[kind]
	if o.Full {
		deed = "Promote, past all steps and checks,"
	}
	out := &printer{v: v}
	out.line("%s", Standing(m, now))
	out.line("%s %s, as %s: %s", v.paint(bold, deed), o.Revision, o.Actor, o.Reason)
	return out.flush()
}

// OrderGiven is the journal's entry of an order.
type OrderGiven struct {
	FormatVersion string        `json:"format_version"`
	Entry         journal.Entry `json:"entry"`
}

// OrderGiven says that an order was taken.
func (v *View) OrderGiven(o *OrderGiven) error {
	return v.Line(fmt.Sprintf("%s Decided and journaled: %s of %s at %d %%.", v.paint(green, "✓"), o.Entry.Action, o.Entry.Model, o.Entry.Weight))
}

// label is the shortest name of a release that people know.
func label(r *controller.ReleaseStatus) string { return named(r.Version, r.Revision) }

func named(version, revision string) string {
	if version == "" {
		return revision
	}
	return fmt.Sprintf("%s (%s)", version, revision)
}

func releaseText(r *controller.ReleaseStatus) string {
	text := label(r)
	if include, commit, included := strings.Cut(r.Include, "@"); included {
		text += ", commit " + shortID(commit) + " of include " + include
	} else if r.Commit != "" {
		text += ", commit " + shortID(r.Commit)
	}
	if r.Image != "" {
		text += ", image " + r.Image
	}
	return text
}

// shortID is as much of a commit's id as people type.
func shortID(id string) string { return id[:min(len(id), 7)] }

// remaining is how long it is yet.
func remaining(until, now time.Time) string {
	d := until.Sub(now)
	switch {
	case d <= 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int((d+time.Second-1)/time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
