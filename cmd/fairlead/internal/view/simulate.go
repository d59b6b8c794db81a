package view

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/simulate"
)

// Simulations is what simulations showed.
type Simulations struct {
	FormatVersion string            `json:"format_version"`
	Environment   string            `json:"environment"`
	Runs          int               `json:"runs"`
	Reports       []simulate.Report `json:"simulations"`
}

// Simulations prints a timeline of one rollout, and the figures of many.
func (v *View) Simulations(s *Simulations) error {
	out := &printer{v: v}
	for i := range s.Reports {
		if i > 0 {
			out.line("")
		}
		out.simulation(&s.Reports[i])
	}
	return out.flush()
}

func (p *printer) simulation(r *simulate.Report) {
	p.line("%s of %s, %s, %s requests/s", p.v.paint(bold, r.Simulation.String()), r.Model, r.Strategy, amount(r.Rate))
	p.line("")
	p.line("  One rollout (seed %d):", r.Traced.Seed)
	for _, e := range r.Traced.Events {
		text := fmt.Sprintf("%-9s %3d %%  %s", e.Action, e.Weight, oneLine(e.Reason))
		p.line("    %8s  %s", span(e.Seconds), p.v.paint(actionColor(e.Action), text))
	}
	end := simulate.End{Outcome: r.Traced.Outcome, Cause: r.Traced.Cause, Held: r.Traced.Held}
	outcome, cause := endWords(&end)
	p.line("  It was %s after %s%s. Of %s requests the candidate got %s and failed %s.", outcome, span(r.Traced.Seconds), cause, amount(r.Traced.Requests), amount(r.Traced.Exposed), amount(r.Traced.Failed))
	p.line("")
	p.line("  %d rollouts of this candidate:", r.Candidate.Runs)
	p.series(&r.Candidate)
	rate := r.Candidate.Condemned
	if r.Alike == nil {
		p.line("    It is like stable, so what is caught is a false alarm: %s.", p.v.paint(bold, rateText(rate)))
	} else {
		p.line("    Caught: %s.", p.v.paint(bold, rateText(rate)))
		p.line("")
		p.line("  %d rollouts of a candidate that is like stable:", r.Alike.Runs)
		p.series(r.Alike)
		p.line("    False alarms: %s.", p.v.paint(bold, rateText(r.Alike.Condemned)))
	}
	for _, note := range r.Notes {
		p.line("  %s %s", p.v.paint(yellow, "Note:"), note)
	}
}

func (p *printer) series(s *simulate.Series) {
	for _, e := range s.Ends {
		outcome, cause := endWords(&e)
		p.line("    %7s  %s%s", percent(float64(e.Runs)/float64(s.Runs)), p.v.paint(endColor(&e), outcome), cause)
	}
	p.line("    Time to the end: median %s, at most %s in 95 %%.", span(s.Duration.Median), span(s.Duration.P95))
	p.line("    Requests to the candidate: median %s, at most %s in 95 %%.", amount(s.Exposed.Median), amount(s.Exposed.P95))
	p.line("    Failed by it: median %s, at most %s in 95 %%.", amount(s.Failed.Median), amount(s.Failed.P95))
}

// rateText gives a share with the interval in which the true one lies.
func rateText(r simulate.Rate) string {
	return fmt.Sprintf("%s (%d of %d; 95 %% sure: %s to %s)", percent(r.Ratio), r.Count, r.Of, percent(r.Low), percent(r.High))
}

func percent(ratio float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", 100*ratio), ".0") + " %"
}

// endWords says how a rollout ended, and why as far as that is a matter of checks.
func endWords(e *simulate.End) (outcome, cause string) {
	outcome, known := map[journal.RolloutOutcome]string{
		journal.Promoted: "promoted", journal.FastPromoted: "promoted", journal.RolledBack: "rolled back", journal.FastRolledBack: "rolled back",
		journal.Aborted: "aborted", journal.Superseded: "superseded", journal.Failed: "failed",
	}[e.Outcome]
	switch {
	case e.Held:
		outcome = "stopped and held"
	case !known:
		return "not ended", ""
	}
	switch e.Cause {
	case journal.CauseFailed:
		cause = ": a check failed"
	case journal.CauseDeadline:
		cause = ": its deadline passed for want of evidence"
	case journal.CauseAborted, journal.CauseUndone:
	}
	return outcome, cause
}

func endColor(e *simulate.End) string {
	if e.Outcome == journal.Promoted {
		return green
	}
	return red
}

// span is a virtual time that has passed, in the units of people.
func span(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Minute:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + "s"
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// amount is a count, or a rate, without digits that say nothing.
func amount(x float64) string {
	switch {
	case x >= 1e6:
		return fmt.Sprintf("%.3g million", x/1e6)
	case x == math.Trunc(x):
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// Meter shows on one line of a terminal how far something long has come.
func (v *View) Meter(what string, total int) func(done int) {
	shown := -1
	return func(done int) {
		if part := 100 * done / total; part != shown {
			shown = part
			_, _ = fmt.Fprintf(v.Out, "\r\x1b[K%s: %d %%", what, part)
		}
	}
}

// ClearMeter removes that line.
func (v *View) ClearMeter() { _, _ = fmt.Fprint(v.Out, "\r\x1b[K") }
