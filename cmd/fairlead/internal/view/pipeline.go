package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// Pipelines prints a line per declared pipeline.
func (v *View) Pipelines(s *runner.Status, now time.Time) error {
	if len(s.Pipelines) == 0 {
		return v.Line("No pipeline is declared.")
	}
	out := &printer{v: v}
	rows := [][]string{{"PIPELINE", "STATE", "RUN", "SINCE", "NEXT", "STARTS BY", "PUBLISHES", "WHY"}}
	for i := range s.Pipelines {
		p := &s.Pipelines[i]
		state, at, why := pipelineState(p)
		newest, next := "-", "-"
		if of := cmp.Or(p.Current, p.Last); of != nil {
			newest = of.ID
		}
		if !p.Next.IsZero() {
			next = "in " + remaining(p.Next, now)
		}
		rows = append(rows, []string{p.Name, state, newest, since(at, now), next, triggers(p), cmp.Or(p.Publishes, "-"), firstLine(why)})
	}
	out.table(rows, func(row, column int) string {
		if column != 1 {
			return ""
		}
		p := &s.Pipelines[row]
		switch {
		case p.Problem != "":
			return red
		case p.Current != nil:
			return cyan
		case p.Last != nil:
			return outcomeColor(p.Last.Outcome)
		}
		return dim
	})
	return out.flush()
}

// pipelineState says how a pipeline is in a word, since when, and what there is to
// say about it.
func pipelineState(p *runner.PipelineStatus) (state string, at time.Time, why string) {
	switch {
	case p.Current != nil:
		state, at, why = string(p.Current.Phase), p.Current.Created, runProgress(p.Current)
	case p.Last != nil:
		state, at, why = string(p.Last.Outcome), p.Last.Finished, p.Last.Reason
	default:
		state = "never ran"
	}
	if p.Problem != "" {
		if p.Current == nil {
			state = "cannot run"
		}
		why = p.Problem
	}
	if p.Queued != nil {
		why = strings.TrimPrefix(why+"; one more waits: "+causeText(p.Queued), "; ")
	}
	return state, at, why
}

// triggers are what starts runs, in short.
func triggers(p *runner.PipelineStatus) string {
	var parts []string
	if p.Schedule != "" {
		parts = append(parts, p.Schedule)
	}
	for _, t := range p.On {
		switch t.Kind {
		case spec.TriggerDataset:
			parts = append(parts, "dataset."+t.Dataset)
		case spec.TriggerManual, spec.TriggerSchedule:
		default:
			parts = append(parts, string(t.Kind))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "hand")
}

// Runs prints a line per run.
func (v *View) Runs(r *app.Runs, pipeline string, now time.Time) error {
	out := &printer{v: v}
	if len(r.Runs) == 0 {
		out.line("There is no run%s yet.", of(pipeline))
	} else {
		rows := [][]string{{"RUN", "OUTCOME", "STARTED", "TOOK", "STEPS", "CACHED", "VERSION", "STARTED BY", "WHY"}}
		for i := range r.Runs {
			s := &r.Runs[i]
			rows = append(rows, []string{
				s.ID, cmp.Or(string(s.Outcome), string(s.Phase)), since(s.Created, now) + " ago", took(s.Created, s.Finished, now), fmt.Sprintf("%d/%d", s.Ended, s.Steps),
				fmt.Sprint(s.Cached), cmp.Or(s.Version, "-"), causeText(&s.Trigger), firstLine(s.Reason),
			})
		}
		out.table(rows, func(row, column int) string {
			if column == 1 {
				return outcomeColor(r.Runs[row].Outcome)
			}
			return ""
		})
	}
	if r.Problem != "" {
		out.line("%s %s", v.paint(red, "!"), r.Problem)
	}
	return out.flush()
}

func of(name string) string {
	if name == "" {
		return ""
	}
	return " of " + name
}

// runProgress is how far a run is.
func runProgress(s *run.Summary) string {
	text := fmt.Sprintf("%d of %s", s.Ended, count(s.Steps, "step"))
	if s.Cached > 0 {
		text += fmt.Sprintf(", %d cached", s.Cached)
	}
	return text
}

// causeText says why a run was started.
func causeText(c *run.Cause) string {
	var text string
	switch c.Kind {
	case spec.TriggerSchedule:
		text = "schedule"
		if !c.Scheduled.IsZero() {
			text += " of " + moment(c.Scheduled)
		}
	case spec.TriggerChange:
		text = "a change in Git"
	case spec.TriggerDataset:
		text = "dataset " + c.Dataset + " changed"
	case spec.TriggerDrift:
		text = "drift"
	case spec.TriggerManual:
		text = cmp.Or(c.Actor, "hand")
	default:
		text = cmp.Or(string(c.Kind), c.Actor, "unknown")
	}
	if c.Resumes != "" {
		text += ", resumes " + c.Resumes
	}
	if c.Reason != "" {
		text += ": " + c.Reason
	}
	return text
}

func outcomeColor(o run.Outcome) string {
	switch o {
	case run.Succeeded:
		return green
	case run.Failed, run.Denied:
		return red
	case run.Cancelled:
		return yellow
	}
	return cyan // under way
}

// took is how long something took, or takes until now. It is "-" for what never
// began.
func took(started, finished, now time.Time) string {
	if started.IsZero() {
		return "-"
	}
	if finished.IsZero() {
		finished = now
	}
	d := max(finished.Sub(started), 0)
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// settings are named values in one line: hidden=32 seed=1.
func settings(values map[string]any) string {
	parts := make([]string, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		parts = append(parts, name+"="+expr.Format(values[name]))
	}
	return strings.Join(parts, " ")
}

// RunPreview prints which steps of a run would be taken from the cache.
func (v *View) RunPreview(p *run.Preview) error {
	out := &printer{v: v}
	out.runPreview(p)
	return out.flush()
}

func (p *printer) runPreview(preview *run.Preview) {
	title := "A run of " + p.v.paint(bold, preview.Pipeline)
	if len(preview.Params) > 0 {
		title += " with " + settings(preview.Params)
	}
	p.line("%s", title)
	if preview.Problem != "" {
		p.line("%s It could not start: %s", p.v.paint(red, "!"), preview.Problem)
	}
	if len(preview.Nodes) == 0 {
		return
	}
	rows := [][]string{{"STEP", "CACHE", "WHY"}}
	hits, open := 0, 0
	for i := range preview.Nodes {
		n := &preview.Nodes[i]
		mark, why := "runs", n.Why
		switch {
		case n.Hit:
			mark, why = "hit", "as in "+n.From
			hits++
		case len(n.Depends) > 0:
			mark, why = "open", "follows from "+few(n.Depends)
			open++
		}
		name := n.Node
		if len(n.Values) > 0 {
			name += "  " + settings(n.Values)
		}
		rows = append(rows, []string{name, mark, firstLine(why)})
	}
	p.table(rows, func(row, column int) string {
		switch n := &preview.Nodes[row]; {
		case column != 1:
			return ""
		case n.Hit:
			return cyan
		case len(n.Depends) > 0:
			return dim
		}
		return yellow
	})
	p.line("%s", previewSummary(len(preview.Nodes), hits, open))
}

func previewSummary(all, hits, open int) string {
	switch {
	case hits == all && all == 1:
		return "The result of the one step is in the cache: nothing has to run."
	case hits == all:
		return fmt.Sprintf("The results of all %s are in the cache: nothing has to run.", count(all, "step"))
	case open == 0:
		return fmt.Sprintf("%d of %s to run, %d from the cache.", all-hits, count(all, "step"), hits)
	}
	return fmt.Sprintf("%d of %s to run, %d from the cache, %d not known before others have run.", all-hits-open, count(all, "step"), hits, open)
}

// few are names in a line, the first of them where there are many.
func few(names []string) string {
	const most = 4
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// RunStarted says what to ask for next where nobody waits for the run.
func (v *View) RunStarted(r *run.Run) error {
	return v.Line(fmt.Sprintf("%s %s is under way: fairlead pipeline show %s", v.paint(green, "✓"), v.paint(bold, r.ID), r.ID))
}

// RunCancelled says that a run is being ended.
func (v *View) RunCancelled(id string, o *app.RunOrder) error {
	return v.Line(fmt.Sprintf("%s %s is cancelled by %s%s. Its containers are stopped: fairlead pipeline show %s", v.paint(green, "✓"), v.paint(bold, id), o.Actor, because(o.Reason), id))
}
