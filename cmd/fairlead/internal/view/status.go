package view

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
)

// Status prints what the daemon knows.
func (v *View) Status(s *app.DaemonStatus, now time.Time) error {
	out := &printer{v: v}
	out.status(s, now)
	return out.flush()
}

func (p *printer) status(s *app.DaemonStatus, now time.Time) {
	if s.Standby != "" {
		p.line("%s %s", p.v.paint(yellow, "!"), s.Standby)
		return
	}
	revision := "nothing read yet"
	if s.Commit.ID != "" || !s.Source.Fetched.IsZero() {
		revision = strings.TrimRight(fmt.Sprintf("at %s  %s", p.v.paint(bold, s.Commit.Short()), s.Commit.Subject), " ")
	}
	p.line("%s of %s, %s", p.v.paint(bold, s.Environment), s.Owner, revision)
	p.source(&s.Source, now)
	if text := sourceTrouble(s); text != "" {
		p.trouble("source", text)
	}
	p.refused(s.Refusals)
	if s.Engine.Error != "" {
		p.trouble("engine", s.Engine.Error)
	}
	p.gateway(&s.Gateway)
	p.journal(&s.Journal)
	if s.Metrics.Error != "" {
		p.trouble("metrics", s.Metrics.Error)
	}
	p.notifiers(s.Notifiers, now)
	if len(s.Models) > 0 {
		p.line("")
		p.models(s.Models, now)
		p.rollouts(s.Models, now)
	}
	p.busyPipelines(s.Pipelines)
	p.proposals(s.Proposals, now)
	p.pulls(s.Pulls)
	p.line("")
	p.summary(s)
}

// busyPipelines tells of those that run, that cannot, and whose last run did not
// succeed. The others are of no interest here.
func (p *printer) busyPipelines(pipelines []runner.PipelineStatus) {
	first := true
	for i := range pipelines {
		s := &pipelines[i]
		text := ""
		switch {
		case s.Problem != "":
			text = p.v.paint(red, "✗") + " " + s.Problem
		case s.Current != nil:
			text = fmt.Sprintf("%s %s: %s, %d of %d steps", p.v.paint(yellow, "…"), s.Current.ID, s.Current.Phase, s.Current.Ended, s.Current.Steps)
		case s.Last != nil && s.Last.Outcome != run.Succeeded && s.Last.Outcome != run.Cancelled:
			text = fmt.Sprintf("%s %s: %s: %s", p.v.paint(red, "✗"), s.Last.ID, s.Last.Outcome, s.Last.Reason)
		default:
			continue
		}
		if first {
			p.line("")
			first = false
		}
		p.line("  pipeline %s  %s", s.Name, text)
	}
}

// summary says what there is to do for a person, if anything.
func (p *printer) summary(s *app.DaemonStatus) {
	switch {
	case s.Converged && len(s.Source.Behind) > 0:
		p.line("%s What runs is what Git wants, but for the newest commit of %s, which is not followed.", p.v.paint(yellow, "!"), included(s.Source.Behind))
		return
	case s.Converged:
		p.line("%s What runs is what Git wants.", p.v.paint(green, "✓"))
		return
	}
	needed := p.notFollowed(s.Refusals)
	for i := range s.Models {
		m := &s.Models[i]
		switch {
		case m.Phase == rollout.Held && m.Rollout != nil:
			p.line("%s %s is held: promote, abort or retry it with `fairlead rollout`.", p.v.paint(yellow, "!"), m.Address)
		case m.Phase == rollout.Held:
			p.line("%s %s is held: Git wants what was rejected. Revert or fix that in Git, or clear it: fairlead rollout retry %s --reason \"...\"", p.v.paint(yellow, "!"), m.Address, m.Name)
		case m.Failed():
			p.line("%s %s needs a person, or a new commit.", p.v.paint(red, "✗"), m.Address)
		default:
			continue
		}
		needed = true
	}
	if !needed {
		p.line("%s Not yet what Git wants.", p.v.paint(yellow, "…"))
	}
}

// included names includes.
func included(names []string) string {
	if len(names) == 1 {
		return "include " + names[0]
	}
	return "the includes " + strings.Join(names, ", ")
}

// journal is of no interest as long as it is in order.
func (p *printer) journal(j *controller.JournalStatus) {
	if j.Broken != "" {
		p.trouble("journal", j.Broken)
	}
	if j.Error != "" && j.Pending > 0 {
		p.trouble("journal", fmt.Sprintf("%s not delivered yet to %s: %s", entries(j.Pending), j.Remote, j.Error))
	}
	for _, note := range j.Notes {
		p.line("  journal  %s", note)
	}
}

func entries(n int) string {
	if n == 1 {
		return "1 entry is"
	}
	return fmt.Sprintf("%d entries are", n)
}

func (p *printer) source(s *controller.SourceStatus, now time.Time) {
	fetched := "never read"
	if !s.Fetched.IsZero() {
		fetched = fmt.Sprintf("read %s ago", since(s.Fetched, now))
	}
	p.line("  source   %s", fetched)
	for _, note := range s.Notes {
		p.line("           %s", note)
	}
	if s.Stale {
		p.line("           the last good revision is followed until the source can be read")
	}
}

func (p *printer) gateway(g *controller.GatewayStatus) {
	p.line("  gateway  %s, on %s, table %d", cmp.Or(string(g.Phase), "unknown"), cmp.Or(g.Listens, "-"), g.Table)
	if g.Reason != "" {
		p.line("           %s", g.Reason)
	}
	if g.Error != "" {
		p.trouble("gateway", g.Error)
	}
}

func (p *printer) trouble(what, text string) {
	indented := strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n           ")
	p.line("  %s %s", p.v.paint(red, fmt.Sprintf("%-8s", what+"!")), indented)
}

func (p *printer) models(models []controller.ModelStatus, now time.Time) {
	rows := [][]string{{"MODEL", "PHASE", "READY", "SERVES", "GIT WANTS", "ROLLOUT", "SINCE", "WHY"}}
	for i := range models {
		m := &models[i]
		rows = append(rows, []string{
			m.Name, string(m.Phase), fmt.Sprintf("%d/%d", m.Ready, m.Replicas), cmp.Or(serving(m), "-"), wantedCell(m), rolloutCell(m),
			since(m.Since, now), firstLine(cmp.Or(m.Error, m.Reason)),
		})
	}
	p.table(rows, func(row, column int) string {
		if column == 1 {
			return phaseColor(models[row].Phase)
		}
		return ""
	})
	for i := range models {
		if m := &models[i]; strings.Contains(cmp.Or(m.Error, m.Reason), "\n") {
			p.line("  ... in full: fairlead rollout show %s", m.Name)
			break // one shows how
		}
	}
}

// serving is the release that takes the requests; "" for none.
func serving(m *controller.ModelStatus) string {
	version := ""
	switch {
	case m.Serving == "":
	case m.Serving == m.Revision:
		version = m.Version
	case m.Stable != nil && m.Stable.Revision == m.Serving:
		version = m.Stable.Version
	case m.Rollout != nil && m.Rollout.Candidate.Revision == m.Serving:
		version = m.Rollout.Candidate.Version
	}
	return named(version, m.Serving)
}

// wantedCell is the release that Git wants, where it is not the one that serves.
func wantedCell(m *controller.ModelStatus) string {
	switch m.Revision {
	case "":
		return cmp.Or(m.Version, "-")
	case m.Serving:
		return "the same"
	}
	return named(m.Version, m.Revision)
}

// rolloutCell is a rollout under way in a few signs: weight, step, and a sign for
// each check that counts.
func rolloutCell(m *controller.ModelStatus) string {
	r := m.Rollout
	if r == nil || r.First {
		return "-"
	}
	text := fmt.Sprintf("%d %% %d/%d", r.Weight, r.Step, r.Steps)
	if signs := outcomes(r); signs != "-" {
		text += " " + signs
	}
	return text
}

func phaseColor(phase rollout.Phase) string {
	switch phase {
	case rollout.Steady:
		return green
	case rollout.Degraded:
		return red
	case rollout.Rolling, rollout.Held:
		return yellow
	}
	return dim
}

func since(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

func firstLine(s string) string {
	line, _, more := strings.Cut(s, "\n")
	if more {
		line += " ..."
	}
	return line
}

// Destroyed says what was removed.
func (v *View) Destroyed(asJSON bool, environment string, removed []string, took time.Duration) error {
	if asJSON {
		return v.JSON(struct {
			Environment string   `json:"environment"`
			Removed     []string `json:"removed"`
		}{environment, removed})
	}
	return v.Line(fmt.Sprintf("Environment %s is taken down: %s removed in %s.", environment, count(len(removed), "container"), took.Round(100*time.Millisecond)))
}

// WouldDestroy lists what a destroy would remove.
func (v *View) WouldDestroy(asJSON bool, environment string, names []string) error {
	if asJSON {
		return v.JSON(struct {
			Environment string   `json:"environment"`
			WouldRemove []string `json:"would_remove"`
		}{environment, names})
	}
	out := &printer{v: v}
	out.line("Taking environment %s down would remove %s, the gateway's volume and the network:", environment, count(len(names), "container"))
	for _, name := range names {
		out.line("  %s %s", v.paint(red, "-"), name)
	}
	out.line("To do it, say --yes.")
	return out.flush()
}
