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
	out.findings(r)
	if r.Plan != nil {
		for i := range r.Plan.Changes {
			out.line("")
			out.change(&r.Plan.Changes[i])
		}
		for _, note := range r.Plan.Notes {
			out.note(note)
		}
	}
	out.besideModels(r)
	return out.flush()
}

// findings are the diagnostics of a report, and why there is nothing to be done.
func (p *printer) findings(r *review.Report) {
	for i := range r.Diagnostics {
		p.finding(r, &r.Diagnostics[i])
	}
	if r.Error != "" {
		p.line("  %s %s", p.v.paint(red, "✗"), r.Error)
	}
}

// besideModels is what changes beside the models.
func (p *printer) besideModels(r *review.Report) {
	for i := range r.Declared {
		p.line("")
		p.declared(&r.Declared[i])
	}
	for i := range r.Pipelines {
		p.line("")
		p.previewed(&r.Pipelines[i])
	}
	if r.Judged > 0 {
		p.line("")
		p.line("Policies: %d of %d hold.", r.Judged-len(r.Policies), r.Judged)
		for i := range r.Policies {
			p.result(&r.Policies[i].Result)
		}
	}
	for _, note := range r.Notes {
		p.note(note)
	}
}

// declaredLooks are how a change beside the models is shown.
var declaredLooks = map[review.Change]look{
	review.Added: {"+", green, "is new"}, review.Changed: {"~", yellow, "is changed"}, review.Removed: {"-", red, "is not declared any more"},
}

func (p *printer) declared(d *review.Declared) {
	l := declaredLooks[d.Change]
	p.line("  # %s %s", p.v.paint(bold, d.Address.String()), l.words)
	for i := range d.Gates {
		g := &d.Gates[i]
		p.line("  # a run has to pass gate.%s: %s (%s)", g.Name, g.Require, g.Level)
	}
	where := ""
	if d.Pos.File != "" && d.Change != review.Removed {
		where = p.v.paint(dim, "  "+d.Pos.String())
	}
	p.line("  %s %s%s", p.v.paint(l.color, fmt.Sprintf("%-3s", l.mark)), d.Address, where)
	p.fields(d.Fields)
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
	p.line("  pipeline %s  a run: %s, %d from the cache", of.Pipeline, count(len(of.Nodes), "step"), hits)
	for i := range of.Nodes {
		if n := &of.Nodes[i]; n.Why != "" {
			p.line("    %s runs: %s", n.Node, n.Why)
		}
	}
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
