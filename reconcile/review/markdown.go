package review

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/reconcile/markdown"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec/diag"
)

// maxMarkdown is below what forges take in a comment: GitHub 65,536 characters.
const maxMarkdown = 60_000

// page is a Markdown text in the making.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// Markdown is the comment on the pull request.
func (r *Report) Markdown() string {
	var p page
	mark := "✅"
	if r.Failed() {
		mark = "❌"
	}
	p.line("%s", Marker(r.Environment, r.Include))
	p.line("### %s Fairlead plan for %s: %s", mark, markdown.Code(r.Environment), markdown.Escape(r.Headline()))
	p.line("")
	r.problems(&p)
	if r.Plan != nil {
		changed(&p, r.Plan)
	}
	for i := range r.Declared {
		declared(&p, &r.Declared[i])
	}
	if len(r.Declared) > 0 {
		p.line("")
	}
	for i := range r.Pipelines {
		preview(&p, &r.Pipelines[i])
	}
	r.policies(&p)
	for _, n := range r.Notes {
		p.line("> %s", markdown.Escape(n))
		p.line("")
	}
	p.line("<sub>%s</sub>", r.planned())
	return clipped(p.String())
}

// planned says what was planned.
func (r *Report) planned() string {
	switch {
	case r.Base != "":
		return fmt.Sprintf("%s merged into %s. Merging is the approval; nothing was changed to make this.", markdown.Code(short(r.Head)), markdown.Code(short(r.Base)))
	case r.Head != "":
		return markdown.Code(short(r.Head)) + ". Nothing was changed to make this."
	default:
		return "The files as they are. Nothing was changed to make this."
	}
}

// clipped cuts a text at a line, and says so.
func clipped(text string) string {
	if len(text) <= maxMarkdown {
		return text
	}
	cut := strings.LastIndexByte(text[:maxMarkdown], '\n')
	text = text[:cut]
	if open := strings.Count(text, "<details>") - strings.Count(text, "</details>"); open > 0 {
		text += strings.Repeat("\n</details>", open)
	}
	return text + "\n\nThe rest is left out: it is more than a comment holds. `fairlead plan --pr` shows all of it.\n"
}

func (r *Report) problems(p *page) {
	if len(r.Conflicts) > 0 {
		p.line("These files changed on both sides:")
		p.line("")
		for _, path := range r.Conflicts {
			p.line("- %s", markdown.Code(path))
		}
		p.line("")
	}
	if r.Error != "" {
		p.line("%s", markdown.Escape(r.Error))
		p.line("")
	}
	for i := range r.Diagnostics {
		d := &r.Diagnostics[i]
		where := ""
		if d.Range != nil {
			where = " " + markdown.Code(d.Range.String())
		}
		kind := "Error"
		if d.Severity != diag.Error.String() {
			kind = "Warning"
		}
		p.line("- **%s:** %s%s", kind, markdown.Escape(d.Summary), where)
		if d.Detail != "" {
			p.line("  %s", markdown.Escape(d.Detail))
		}
	}
	if len(r.Diagnostics) > 0 {
		p.line("")
	}
}

func changed(p *page, of *plan.Plan) {
	for i := range of.Changes {
		change(p, &of.Changes[i])
	}
	if len(of.Changes) > 0 {
		p.line("")
	}
	for _, n := range of.Notes {
		p.line("> %s", markdown.Escape(n))
		p.line("")
	}
}

// verbs say what will happen, in the words of `fairlead plan`.
var verbs = map[plan.Action]string{
	plan.Create: "will be created", plan.Replace: "gets a new revision", plan.Update: "will be updated in place", plan.Heal: "will be put right",
	plan.Destroy: "will be destroyed", plan.Forget: "is left running", plan.Blocked: "is blocked", plan.Hold: "is held",
}

func change(p *page, c *plan.Change) {
	p.line("- %s **%s**", markdown.Code(c.Address.String()), verbs[c.Action])
	for _, why := range c.Reasons {
		p.line("  - %s", markdown.Escape(why))
	}
	if c.Problem != "" {
		p.line("  - ⚠️ %s", markdown.Escape(c.Problem))
	}
	if c.Rollout != nil {
		p.line("  - %s", markdown.Escape(c.Rollout.String()))
	}
	fields(p, c.Fields)
}

func fields(p *page, of []plan.Field) {
	if len(of) == 0 {
		return
	}
	p.line("  <details><summary>%d changed</summary>", len(of))
	p.line("")
	p.line("  | | from | to |")
	p.line("  |---|---|---|")
	for i := range of {
		f := &of[i]
		from, to := markdown.Code(f.Old), markdown.Code(f.New)
		if f.Sensitive {
			from, to = "(sensitive)", "(sensitive, changed)"
		}
		p.line("  | %s | %s | %s |", markdown.Code(f.Path), from, to)
	}
	p.line("")
	p.line("  </details>")
}

func declared(p *page, d *Declared) {
	p.line("- %s **is %s**", markdown.Code(d.Address.String()), d.Change)
	for i := range d.Gates {
		g := &d.Gates[i]
		p.line("  - %s: a run has to pass %s (%s)", markdown.Code("gate."+g.Name), markdown.Code(g.Require), g.Level)
	}
	fields(p, d.Fields)
}

func preview(p *page, of *run.Preview) {
	if of.Problem != "" {
		p.line("- %s ⚠️ a run could not start: %s", markdown.Code("pipeline."+of.Pipeline), markdown.Escape(of.Problem))
		p.line("")
		return
	}
	hits, open := 0, 0
	for i := range of.Nodes {
		switch {
		case of.Nodes[i].Hit:
			hits++
		case len(of.Nodes[i].Depends) > 0:
			open++
		}
	}
	p.line("- %s: a run: %d steps, %d from the cache, %d to run, %d that follow from others", markdown.Code("pipeline."+of.Pipeline), len(of.Nodes), hits, len(of.Nodes)-hits-open, open)
	p.line("  <details><summary>steps</summary>")
	p.line("")
	p.line("  | step | cache | why |")
	p.line("  |---|---|---|")
	for i := range of.Nodes {
		n := &of.Nodes[i]
		mark, why := "runs", n.Why
		switch {
		case n.Hit:
			mark, why = "hit", "as in "+n.From
		case len(n.Depends) > 0:
			mark, why = "open", "follows from "+strings.Join(n.Depends, ", ")
		}
		p.line("  | %s | %s | %s |", markdown.Code(n.Node), mark, markdown.Escape(why))
	}
	p.line("")
	p.line("  </details>")
	p.line("")
}

func (r *Report) policies(p *page) {
	if r.Judged == 0 {
		return
	}
	if len(r.Policies) == 0 {
		p.line("Policies: all %d hold.", r.Judged)
		p.line("")
		return
	}
	p.line("Policies: %d of %d do not hold.", len(r.Policies), r.Judged)
	p.line("")
	for i := range r.Policies {
		of := &r.Policies[i]
		mark := "⚠️"
		if of.Denies() {
			mark = "❌"
		}
		since := "as before"
		if of.New {
			since = "new"
		}
		p.line("- %s %s about %s (%s, %s): %s. %s", mark, markdown.Code("policy."+of.Name), markdown.Code(of.Subject), of.Level, since, markdown.Escape(of.Detail), markdown.Escape(of.Message))
		if of.Regulation != "" {
			p.line("  %s", markdown.Escape(of.Regulation))
		}
	}
	p.line("")
}

func short(commit string) string { return commit[:min(len(commit), 7)] }
