package notify

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/plain"
	"github.com/fairlead/fairlead/spec"
)

// Templates are the words of a notifier. The zero Templates change nothing.
type Templates struct{ title, text *template.Template }

// What a template may be. Those of a config repo are anybody's text, and they are
// executed by the daemon: none may take long, or much memory.
const (
	maxTemplate = 4 << 10 // bytes of its source
	maxRendered = 8 << 10 // bytes that it writes, or that one call in it returns
)

var errTooMuch = fmt.Errorf("it writes more than %d bytes", maxRendered)

// ParseTemplates reads the templates of a notifier, and tries them on samples. They
// see the fields of reconcile.Message, may range over .Facts and .Owners, and have the
// functions of text/template besides join (as strings.Join).
func ParseTemplates(n *spec.Notifier) (Templates, error) {
	var t Templates
	var err error
	if t.title, err = parseTemplate("title", n.Title); err != nil {
		return Templates{}, templateError(n, "title", err)
	}
	if t.text, err = parseTemplate("text", n.Text); err != nil {
		return Templates{}, templateError(n, "text", err)
	}
	for _, sample := range samples() {
		if _, err := t.render(sample); err != nil {
			return Templates{}, fmt.Errorf("notifier %q%s: tried on a message about %s: %w; the fields are those of the reference, as {{.Title}}, {{.Subject}}, {{.Facts.version}}", n.Name, at(n), sample.Event, err)
		}
	}
	return t, nil
}

func templateError(n *spec.Notifier, argument string, err error) error {
	return fmt.Errorf("notifier %q%s: its %s is no template that can be used: %w", n.Name, at(n), argument, err)
}

// at names the place of a notifier's block.
func at(n *spec.Notifier) string {
	if pos := n.Pos.String(); pos != "" {
		return " (" + pos + ")"
	}
	return ""
}

// Render returns the message in the notifier's words. A template that fails leaves the
// usual words, since a message in plain words is better than none; the error says why.
func (t Templates) Render(m reconcile.Message) (reconcile.Message, error) {
	rendered, err := t.render(m)
	if err != nil {
		return m, err
	}
	return rendered, nil
}

func (t Templates) render(m reconcile.Message) (reconcile.Message, error) {
	out := m
	for _, part := range []struct {
		name string
		tmpl *template.Template
		to   *string
	}{{"title", t.title, &out.Title}, {"text", t.text, &out.Text}} {
		if part.tmpl == nil {
			continue
		}
		var w capped
		if err := part.tmpl.Execute(&w, m); err != nil {
			return reconcile.Message{}, fmt.Errorf("the template of its %s: %w", part.name, err)
		}
		*part.to = w.String()
	}
	out.Title, out.Text = firstRunes(plain.Line(out.Title), maxTitle), plain.Clip(plain.Text(out.Text), maxText)
	if out.Title == "" {
		out.Title = m.Title // no receiver takes a message without one
	}
	return out, nil
}

// capped takes so much and no more.
type capped struct{ strings.Builder }

func (c *capped) Write(p []byte) (int, error) {
	if c.Len()+len(p) > maxRendered {
		return 0, errTooMuch
	}
	return c.Builder.Write(p)
}

var _ io.Writer = (*capped)(nil)

// functions replace those that can make a long text of a short one.
var functions = template.FuncMap{
	"join":     bounded(func(parts []string, between string) string { return strings.Join(parts, between) }),
	"print":    func(args ...any) (string, error) { return short(fmt.Sprint(args...)) },
	"println":  func(args ...any) (string, error) { return short(fmt.Sprintln(args...)) },
	"printf":   printf,
	"html":     func(args ...any) (string, error) { return short(template.HTMLEscaper(args...)) },
	"js":       func(args ...any) (string, error) { return short(template.JSEscaper(args...)) },
	"urlquery": func(args ...any) (string, error) { return short(template.URLQueryEscaper(args...)) },
}

func bounded(f func([]string, string) string) func([]string, string) (string, error) {
	return func(parts []string, between string) (string, error) {
		if len(parts)*len(between) > maxRendered {
			return "", errTooMuch
		}
		return short(f(parts, between))
	}
}

// printf refuses widths, which make a megabyte of nothing.
func printf(format string, args ...any) (string, error) {
	digits := 0
	for _, c := range format {
		if c == '*' {
			return "", errors.New("printf takes no * here: write the width")
		}
		if digits++; c < '0' || c > '9' {
			digits = 0
		}
		if digits > 3 {
			return "", errors.New("printf takes widths below 1000 here")
		}
	}
	return short(fmt.Sprintf(format, args...))
}

func short(s string) (string, error) {
	if len(s) > maxRendered {
		return "", errTooMuch
	}
	return s, nil
}

// parseTemplate returns nil for an empty one.
func parseTemplate(name, source string) (*template.Template, error) {
	switch {
	case source == "":
		return nil, nil
	case len(source) > maxTemplate:
		return nil, fmt.Errorf("it has %d bytes, and %d are allowed", len(source), maxTemplate)
	}
	t, err := template.New(name).Option("missingkey=zero").Funcs(functions).Parse(source)
	if err != nil {
		return nil, err
	}
	for _, part := range t.Templates() {
		if part.Tree == nil {
			continue
		}
		if err := checkNodes(part.Root, false); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// checkNodes refuses what could run for long: templates that call each other, and
// loops but one over the facts or the owners.
func checkNodes(node parse.Node, inLoop bool) error {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, child := range n.Nodes {
			if err := checkNodes(child, inLoop); err != nil {
				return err
			}
		}
	case *parse.TemplateNode:
		return fmt.Errorf("line %d: {{template}} is not allowed", n.Line)
	case *parse.RangeNode:
		if inLoop {
			return fmt.Errorf("line %d: a {{range}} within another is not allowed", n.Line)
		}
		if !overCollection(n.Pipe) {
			return fmt.Errorf("line %d: {{range}} goes over .Facts or .Owners only", n.Line)
		}
		return errors.Join(checkNodes(n.List, true), checkNodes(n.ElseList, true))
	case *parse.IfNode:
		return errors.Join(checkNodes(n.List, inLoop), checkNodes(n.ElseList, inLoop))
	case *parse.WithNode:
		return errors.Join(checkNodes(n.List, inLoop), checkNodes(n.ElseList, inLoop))
	}
	return nil
}

// overCollection tells whether a loop goes over one of the collections of a message:
// within {{with}}, by way of $.
func overCollection(pipe *parse.PipeNode) bool {
	if len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) != 1 {
		return false
	}
	switch arg := pipe.Cmds[0].Args[0].(type) {
	case *parse.FieldNode:
		return slices.Contains([]string{"Facts", "Owners"}, strings.Join(arg.Ident, "."))
	case *parse.VariableNode:
		return slices.Contains([]string{"$.Facts", "$.Owners"}, strings.Join(arg.Ident, "."))
	}
	return false
}

// samples are messages of every event, with as much and as little as there may be.
func samples() []reconcile.Message {
	full := reconcile.Message{
		Key: "sample", Subject: "model.digits", Owners: []string{"@vision"}, Environment: "prod", Installation: "prod-1",
		At: time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC), Title: "digits: a title", Text: "A text.\nOf two lines.",
		Facts: map[string]string{"version": "1.1.0", "revision": "1f2e3d4c5b6a", "commit": "0123456789abcdef"},
		URL:   "https://git.example.com/models/commit/0123456", Thread: "prod/model.digits", JournalHead: "89abcdef01234567",
	}
	var all []reconcile.Message
	for _, event := range Events() {
		m := full
		m.Event, m.Severity, m.Facts = event, SeverityOf(event), maps.Clone(full.Facts)
		all = append(all, m)
	}
	return append(all, reconcile.Message{Key: "bare", Event: spec.NotifyRefused, Severity: spec.SeverityError, Title: "a title", At: full.At})
}
