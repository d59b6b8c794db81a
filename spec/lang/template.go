package lang

import (
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/fairlead/fairlead/spec/schema"
)

// The most bytes of a template: of a title, and of a text.
const (
	maxTitle   = 1 << 10
	maxMessage = 16 << 10
)

// template is the text of a template over a message, which must parse. It is never
// executed here.
func (s section) template(name string, most int) string {
	text := s.str(name)
	if text == "" {
		return ""
	}
	if len(text) > most {
		s.errorf(s.at(name), "Template too large", "The template has %d bytes, and %d is the most for %s.", len(text), most, name)
		return ""
	}
	// What goes wrong quotes the template, which may hold a value from outside.
	computed := len(s.n.args.get(name).refs) > 0
	t, err := template.New(name).Parse(text)
	if err != nil {
		why, atLine := strings.CutPrefix(err.Error(), "template: "+name+":")
		if atLine {
			why = "line " + why
		}
		if computed {
			why = "it cannot be parsed"
		}
		s.errorf(s.at(name), "Invalid template", "This is no template of Go's text/template: %s. A template is text with {{ .FIELD }} in it, such as \"[{{ .Environment }}] {{ .Title }}\".", why)
		return ""
	}
	if t.Tree == nil {
		return text
	}
	known := schema.MessageFields()
	for _, field := range fieldsOf(t.Root) {
		switch {
		case slices.Contains(known, field):
			continue
		case computed:
			s.errorf(s.at(name), "Unknown field", "The template reads a field that no message has. It has .%s.", strings.Join(known, ", ."))
		default:
			s.errorf(s.at(name), "Unknown field", "A message has no field .%s. It has .%s.%s", field, strings.Join(known, ", ."), didYouMean(field, known))
		}
		return ""
	}
	return text
}

// fieldsOf are the fields of the message itself that a template reads. Inside of
// with and range the dot is something else, and nothing is said about that.
func fieldsOf(n parse.Node) []string {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		var all []string
		for _, inner := range n.Nodes {
			all = append(all, fieldsOf(inner)...)
		}
		return all
	case *parse.ActionNode:
		return fieldsOf(n.Pipe)
	case *parse.PipeNode:
		if n == nil {
			return nil
		}
		var all []string
		for _, command := range n.Cmds {
			for _, a := range command.Args {
				all = append(all, fieldsOf(a)...)
			}
		}
		return all
	case *parse.FieldNode:
		return n.Ident[:1]
	case *parse.TemplateNode:
		return fieldsOf(n.Pipe)
	case *parse.ChainNode:
		return fieldsOf(n.Node)
	case *parse.IfNode:
		return slices.Concat(fieldsOf(n.Pipe), fieldsOf(n.List), fieldsOf(n.ElseList))
	case *parse.RangeNode:
		return slices.Concat(fieldsOf(n.Pipe), fieldsOf(n.ElseList))
	case *parse.WithNode:
		return slices.Concat(fieldsOf(n.Pipe), fieldsOf(n.ElseList))
	default:
		return nil
	}
}
