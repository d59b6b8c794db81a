package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/run"
)

// History is what was decided.
type History struct {
	FormatVersion string          `json:"format_version"`
	Environment   string          `json:"environment"`
	From          string          `json:"from,omitempty"`  // the repository or directory that was read; "": a daemon was asked
	Chain         *app.Chain      `json:"chain,omitempty"` // likewise
	Entries       []journal.Entry `json:"entries"`         // newest first
	Commits       bool            `json:"-"`               // nothing but commits was asked for
}

// History prints a line per decision.
func (v *View) History(h *History) error {
	if len(h.Entries) == 0 {
		text := fmt.Sprintf("Nothing of that kind was decided in %s.", v.paint(bold, h.Environment))
		if h.Commits {
			text += " Commits are noted once the config repo has a trust block,\ntrust { mode = off } at the least, or serve names the forge where it is reviewed."
		}
		return v.Line(text)
	}
	out := &printer{v: v}
	subject := "MODEL"
	if slices.ContainsFunc(h.Entries, func(e journal.Entry) bool { return e.Model == "" }) {
		subject = "SUBJECT" // a model, a run of a pipeline, a repo, or a proposal
	}
	rows := [][]string{{"WHEN", subject, "DECISION", "REVISIONS", "WEIGHT", "BY", "WHY"}}
	for i := range h.Entries {
		e := &h.Entries[i]
		name, weight := cmp.Or(e.Run, e.Subject()), "-"
		if e.Model != "" {
			weight = fmt.Sprintf("%d %%", e.Weight)
		}
		decision, why := string(e.Action), e.Reason
		if how, tidied := strings.CutPrefix(why, journal.TidiedUp); tidied && e.Action == journal.ActionPropose {
			decision, why = "tidy", how // nothing was proposed
		}
		rows = append(rows, []string{moment(e.At), name, decision, revisions(e), weight, e.Actor, firstLine(why)})
	}
	out.table(rows, func(row, column int) string {
		if column == 2 {
			return entryColor(&h.Entries[row])
		}
		return ""
	})
	return out.flush()
}

// moment is a time as the person's own clock shows it, with the zone, for times
// are compared with other people's.
func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 -0700") }

// revisions are those that a decision moves between, short.
func revisions(e *journal.Entry) string {
	length := 8
	switch {
	case e.Pipeline != "":
		return cmp.Or(e.Version, e.To, "-") // the version that is proposed, or the gate that is overridden
	case e.Repo != "":
		length = 7 // of commits
	}
	short := func(revision string) string { return revision[:min(len(revision), length)] }
	to := short(e.To)
	if e.Version != "" {
		to = fmt.Sprintf("%s %s", e.Version, to)
	}
	switch {
	case e.From == "" || e.From == e.To:
		return cmp.Or(to, "-")
	case e.To == "":
		return short(e.From) + " →"
	}
	return short(e.From) + " → " + to
}

// entryColor is that of the action, and of a run's end that of its outcome.
func entryColor(e *journal.Entry) string {
	switch {
	case e.Action != journal.ActionEnd:
		return actionColor(e.Action)
	case strings.HasPrefix(e.Reason, string(run.Succeeded)):
		return green
	default:
		return red
	}
}

func actionColor(a journal.Action) string {
	switch a {
	case journal.ActionPromote, journal.ActionAdopt, journal.ActionPublish, journal.ActionAccept:
		return green
	case journal.ActionRollback, journal.ActionFail, journal.ActionAbort, journal.ActionReturn:
		return red
	case journal.ActionHold, journal.ActionTolerate, journal.ActionPause, journal.ActionOverride:
		return yellow
	case journal.ActionApprove, journal.ActionResume, journal.ActionRetry, journal.ActionPropose:
		return cyan
	case journal.ActionStart, journal.ActionStep, journal.ActionWeight, journal.ActionFinish, journal.ActionSupersede, journal.ActionRelease, journal.ActionRemove, journal.ActionRun, journal.ActionEnd, journal.ActionSchedule, journal.ActionConclude:
	}
	return ""
}

// Live is what serves at a time.
type Live struct {
	FormatVersion string     `json:"format_version"`
	Environment   string     `json:"environment"`
	At            time.Time  `json:"at"`
	From          string     `json:"from,omitempty"` // as in History
	Chain         *app.Chain `json:"chain,omitempty"`
	Models        []Serving  `json:"models"`
}

// Serving is what was decided to serve for one model.
type Serving struct {
	Model     string  `json:"model"`
	Stable    *Served `json:"stable,omitempty"`
	Candidate *Served `json:"candidate,omitempty"`
	// Held says why a rollout stands.
	Held     string             `json:"held,omitempty"`
	Rejected []RejectedRevision `json:"rejected,omitempty"`
}

// Served is a release with its share of the requests.
type Served struct {
	Revision string    `json:"revision"`
	Version  string    `json:"version,omitempty"`
	Commit   string    `json:"commit,omitempty"`
	Image    string    `json:"image,omitempty"`
	Weight   int       `json:"weight"`         // percent of the requests
	Since    time.Time `json:"since,omitzero"` // zero: longer than can be told
	Why      string    `json:"why,omitempty"`
	Actor    string    `json:"actor,omitempty"`
}

// RejectedRevision is one that must not be started again.
type RejectedRevision struct {
	Revision string        `json:"revision"`
	Version  string        `json:"version,omitempty"`
	Cause    journal.Cause `json:"cause"`
	Reason   string        `json:"reason"`
	At       time.Time     `json:"at"`
}

// NeedsHistory tells whether a record alone does not say since when stable serves,
// because another rollout ended after its promotion.
func NeedsHistory(r journal.Record) bool {
	return r.Stable != nil && (r.Last == nil || r.Last.Revision != r.Stable.Revision || !promoted(r.Last.Outcome))
}

func promoted(o journal.RolloutOutcome) bool {
	return o == journal.Promoted || o == journal.FastPromoted
}

// ServingOf reads from a record what serves. The entries, newest first, tell
// since when and why.
func ServingOf(model string, r *journal.Record, entries []journal.Entry) Serving {
	s := Serving{Model: model}
	weight := 100
	if ro := r.Rollout; ro != nil {
		s.Held = ro.Held
		s.Candidate = served(&ro.Candidate, ro.Weight)
		s.Candidate.Since, s.Candidate.Why, s.Candidate.Actor = ro.Started, underWay(ro), journal.Daemon
		weight = 100 - ro.Weight
	}
	if r.Stable != nil {
		s.Stable = served(r.Stable, weight)
		if !NeedsHistory(*r) {
			s.Stable.Since, s.Stable.Why, s.Stable.Actor = r.Last.At, r.Last.Reason, journal.Daemon
		}
		i := slices.IndexFunc(entries, func(e journal.Entry) bool {
			return e.Model == model && e.To == r.Stable.Revision && slices.Contains([]journal.Action{journal.ActionPromote, journal.ActionAdopt, journal.ActionReturn}, e.Action)
		})
		if i >= 0 {
			e := &entries[i]
			s.Stable.Since, s.Stable.Why, s.Stable.Actor = e.At, e.Reason, e.Actor
		}
	}
	for _, j := range r.Rejected {
		s.Rejected = append(s.Rejected, RejectedRevision{Revision: j.Revision, Version: j.Version, Cause: j.Cause, Reason: j.Reason, At: j.At})
	}
	return s
}

func underWay(ro *journal.Rollout) string {
	switch {
	case ro.First:
		return "first deployment"
	case ro.Step < 0:
		return fmt.Sprintf("%s, made ready", ro.Policy.Strategy)
	case ro.Promoting:
		return fmt.Sprintf("%s, past its steps", ro.Policy.Strategy)
	}
	return fmt.Sprintf("%s, step %d of %d", ro.Policy.Strategy, ro.Step+1, len(ro.Policy.Steps))
}

func served(r *journal.Release, weight int) *Served {
	return &Served{Revision: r.Revision, Version: r.Version, Commit: r.DeclaredIn(), Image: r.Image, Weight: weight}
}

// Live prints a line per release that takes requests.
func (v *View) Live(l *Live, past bool) error {
	when := "now"
	if past {
		when = "at " + moment(l.At)
	}
	if len(l.Models) == 0 {
		return v.Line(fmt.Sprintf("Nothing was decided about any model of %s, %s.", v.paint(bold, l.Environment), when))
	}
	out := &printer{v: v}
	out.line("What was decided to serve in %s, %s:", v.paint(bold, l.Environment), when)
	out.line("")
	rows := [][]string{{"MODEL", "SHARE", "VERSION", "REVISION", "COMMIT", "SINCE", "BY", "WHY"}}
	var colors []string
	add := func(model string, s *Served, color string) {
		since := "-"
		if !s.Since.IsZero() {
			since = moment(s.Since)
		}
		colors = append(colors, color)
		rows = append(rows, []string{
			model, fmt.Sprintf("%d %%", s.Weight), cmp.Or(s.Version, "-"), s.Revision, cmp.Or(shortID(s.Commit), "-"), since, cmp.Or(s.Actor, "-"), firstLine(s.Why),
		})
	}
	for i := range l.Models {
		m := &l.Models[i]
		if m.Stable != nil {
			add(m.Model, m.Stable, green)
		}
		if m.Candidate != nil {
			add(m.Model, m.Candidate, yellow)
		}
	}
	out.table(rows, func(row, column int) string {
		if column == 1 {
			return colors[row]
		}
		return ""
	})
	for i := range l.Models {
		if m := &l.Models[i]; m.Held != "" {
			out.line("%s %s is held: %s", v.paint(yellow, "!"), m.Model, m.Held)
		}
	}
	return out.flush()
}
