package view

import (
	"fmt"
	"path"
	"strings"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/review"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec/diag"
)

// Review prints what merging a pull request would do.
func (v *View) Review(r *review.Report) error {
	out := &printer{v: v}
	mark := v.paint(green, "✓")
	if r.Failed() {
		mark = v.paint(red, "✗")
	}
	out.line("%s #%d in %s: %s", mark, r.Pull, v.paint(bold, r.Environment), r.Headline())
	out.line("  %s merged into %s", shortID(r.Head), shortID(r.Base))
	for _, file := range r.Conflicts {
		out.line("  %s %s changed on both sides", v.paint(red, "✗"), file)
	}
	for i := range r.Diagnostics {
		out.finding(r, &r.Diagnostics[i])
	}
	if r.Error != "" {
		out.line("  %s %s", v.paint(red, "✗"), r.Error)
	}
	if r.Plan != nil {
		for i := range r.Plan.Changes {
			out.line("")
			out.change(&r.Plan.Changes[i])
		}
	}
	if r.Judged > 0 {
		out.line("")
		out.line("Policies: %d of %d hold.", r.Judged-len(r.Policies), r.Judged)
		for i := range r.Policies {
			out.result(&r.Policies[i].Result)
		}
	}
	for i := range r.Pipelines {
		out.line("")
		out.previewed(&r.Pipelines[i])
	}
	notes := r.Notes
	if r.Plan != nil {
		notes = append(append([]string{}, r.Plan.Notes...), notes...)
	}
	for _, note := range notes {
		out.line("%s %s", v.paint(yellow, "Note:"), note)
	}
	return out.flush()
}

// finding is one diagnostic of a report, which has no lines of source with it.
func (p *printer) finding(r *review.Report, d *diag.JSONDiagnostic) {
	mark := p.v.paint(red, "✗")
	if d.Severity != diag.Error.String() {
		mark = p.v.paint(yellow, "!")
	}
	where := ""
	if d.Range != nil {
		where = fmt.Sprintf("%s:%d: ", path.Join(r.Root, d.Range.Filename), d.Range.Start.Line)
	}
	p.line("  %s %s%s", mark, where, d.Summary)
	if d.Detail != "" {
		p.line("      %s", strings.ReplaceAll(d.Detail, "\n", "\n      "))
	}
}

// previewed tells what a run of a pipeline would take from earlier ones.
func (p *printer) previewed(of *run.Preview) {
	if of.Problem != "" {
		p.line("  pipeline %s  %s a run could not start: %s", of.Pipeline, p.v.paint(red, "✗"), of.Problem)
		return
	}
	hits := 0
	for i := range of.Nodes {
		if of.Nodes[i].Hit {
			hits++
		}
	}
	p.line("  pipeline %s  changes: of a run's %s %d come from the cache", of.Pipeline, count(len(of.Nodes), "step"), hits)
}

// Markdown prints a report as a comment on a pull request has it.
func (v *View) Markdown(r *review.Report) error { return v.Line(strings.TrimRight(r.Markdown(), "\n")) }

// GitHub prints a report for a step of GitHub Actions: an annotation for each problem, and
// the Markdown. While that is printed, no line of it is taken for a command: stop is a
// word that nobody can have written into the specs
// (https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands).
func (v *View) GitHub(r *review.Report, stop string) error {
	out := &printer{v: v}
	for _, a := range r.Annotations() {
		out.command(a)
	}
	for _, a := range elsewhere(r) {
		out.command(a)
	}
	out.line("::stop-commands::%s", stop)
	out.line("%s", strings.TrimRight(r.Markdown(), "\n"))
	out.line("::%s::", stop)
	return out.flush()
}

// elsewhere are the problems that Annotations leaves out: they are about no line, or
// about what runs.
func elsewhere(r *review.Report) []reconcile.Annotation {
	var all []reconcile.Annotation
	bad := func(file string, line int, title, text string) {
		all = append(all, reconcile.Annotation{Path: file, Line: line, Level: "error", Title: title, Message: text})
	}
	for i := range r.Diagnostics {
		if d := &r.Diagnostics[i]; d.Range == nil {
			all = append(all, reconcile.Annotation{Level: d.Severity, Title: d.Summary, Message: d.Detail})
		}
	}
	for _, file := range r.Conflicts {
		bad(file, 0, "Conflict", "it changed on both sides, so it cannot be merged as it is")
	}
	if r.Error != "" {
		bad("", 0, "No plan", r.Error)
	}
	if r.Plan == nil {
		return all
	}
	for i := range r.Plan.Changes {
		c := &r.Plan.Changes[i]
		file := ""
		if c.Pos.File != "" {
			file = path.Join(r.Root, c.Pos.File)
		}
		switch {
		case c.Problem != "":
			bad(file, c.Pos.Line, c.Address.String()+" cannot go ahead", c.Problem)
		case c.Action == plan.Blocked:
			bad(file, c.Pos.Line, c.Address.String()+" is blocked", strings.Join(c.Reasons, "; "))
		}
	}
	return all
}

// command is an annotation as a workflow command.
func (p *printer) command(a reconcile.Annotation) {
	level := "error"
	if a.Level != diag.Error.String() {
		level = "warning"
	}
	var properties []string
	if a.Path != "" {
		properties = append(properties, "file="+property.Replace(a.Path))
	}
	if a.Path != "" && a.Line > 0 {
		properties = append(properties, fmt.Sprintf("line=%d", a.Line))
	}
	properties = append(properties, "title="+property.Replace(a.Title))
	p.line("::%s %s::%s", level, strings.Join(properties, ","), message.Replace(a.Message))
}

// What GitHub's own toolkit escapes (actions/toolkit, packages/core/src/command.ts).
var (
	message  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
