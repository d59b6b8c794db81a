package expr

import (
	"slices"
	"strconv"
	"strings"
)

// String is the expression in the syntax of config repos, for people. What was
// written is in Source.
func (e Expr) String() string {
	return writer{}.text(&e, 0, 0)
}

// Full is String with every value at its whole length: two expressions with the same
// text mean the same.
func (e Expr) Full() string {
	return writer{full: true}.text(&e, 0, 0)
}

// Refs are the paths of all facts that the expression refers to, each once, in the
// order in which they stand.
func (e Expr) Refs() [][]string {
	var paths [][]string
	e.walk(0, func(path []string) {
		if !slices.ContainsFunc(paths, func(p []string) bool { return slices.Equal(p, path) }) {
			paths = append(paths, path)
		}
	})
	return paths
}

func (e *Expr) walk(depth int, found func(path []string)) {
	if depth > maxDepth {
		return
	}
	if path := e.path(); path != nil {
		found(path)
		return
	}
	for i := range e.Args {
		e.Args[i].walk(depth+1, found)
	}
}

// writer writes expressions. With show, what it returns is written behind a part
// that has a value.
type writer struct {
	show func(e *Expr) (value string, is bool)
	full bool // values are not shortened
}

// How tightly operators bind, as in HCL.
func precedence(op Op) int {
	switch op {
	case Cond:
		return 1
	case Or:
		return 2
	case And:
		return 3
	case Eq, Ne:
		return 4
	case Lt, Le, Gt, Ge:
		return 5
	case Add, Sub:
		return 6
	case Mul, Div, Mod:
		return 7
	default:
		return 8
	}
}

// text writes one part, in parentheses if it binds less than what is around it.
func (w writer) text(e *Expr, within, depth int) string {
	if depth > maxDepth {
		return "…"
	}
	s := w.bare(e, depth)
	value, valued := "", false
	if w.show != nil {
		value, valued = w.show(e)
	}
	if own := precedence(e.Op); own < within || valued && own < precedence(Ref) {
		s = "(" + s + ")"
	}
	if valued {
		s += " " + value
	}
	return s
}

func (w writer) bare(e *Expr, depth int) string {
	if path := e.path(); path != nil {
		return dotted(path)
	}
	args := func(from int, between string) string {
		parts := make([]string, 0, len(e.Args))
		for i := from; i < len(e.Args); i++ {
			parts = append(parts, w.text(&e.Args[i], 0, depth+1))
		}
		return strings.Join(parts, between)
	}
	own := precedence(e.Op)
	if want := operands(e.Op); want != len(e.Args) && want != 0 {
		return "?" + string(e.Op) + "(" + args(0, ", ") + ")"
	}
	switch e.Op {
	case "":
		return ""
	case Literal:
		if w.full {
			return whole(e.Value)
		}
		return Format(e.Value)
	case Ref: // without a path
		return "?"
	case Template:
		return w.template(e, depth)
	case List:
		return "[" + args(0, ", ") + "]"
	case Object:
		return w.object(e, depth)
	case Call:
		return e.Name + "(" + args(0, ", ") + ")"
	case Index:
		return w.text(&e.Args[0], own, depth+1) + "[" + w.text(&e.Args[1], 0, depth+1) + "]"
	case Cond:
		return w.text(&e.Args[0], own+1, depth+1) + " ? " + w.text(&e.Args[1], own+1, depth+1) + " : " + w.text(&e.Args[2], own, depth+1)
	case Not:
		return "!" + w.text(&e.Args[0], own, depth+1)
	case Neg:
		return "-" + w.text(&e.Args[0], own, depth+1)
	case And, Or, Eq, Ne, Lt, Le, Gt, Ge, Add, Sub, Mul, Div, Mod:
		return w.text(&e.Args[0], own, depth+1) + " " + string(e.Op) + " " + w.text(&e.Args[1], own+1, depth+1)
	default:
		return "?" + string(e.Op) + "(" + args(0, ", ") + ")"
	}
}

func (w writer) template(e *Expr, depth int) string {
	var b strings.Builder
	for i := range e.Args {
		arg := &e.Args[i]
		if text, is := arg.Value.(string); is && arg.Op == Literal {
			s := quoted(text)
			b.WriteString(s[1 : len(s)-1])
			continue
		}
		b.WriteString("${" + w.text(arg, 0, depth+1) + "}")
	}
	return `"` + b.String() + `"`
}

func (w writer) object(e *Expr, depth int) string {
	parts := make([]string, 0, len(e.Args)/2)
	for i := 0; i+1 < len(e.Args); i += 2 {
		parts = append(parts, w.text(&e.Args[i], 0, depth+1)+" = "+w.text(&e.Args[i+1], 0, depth+1))
	}
	if len(parts) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// quoted is a text as HCL has it.
func quoted(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(strconv.Quote(s))
}

// dotted is a path as it is written.
func dotted(path []string) string {
	var b strings.Builder
	for i, part := range path {
		switch {
		case identifier(part) && i > 0:
			b.WriteString("." + part)
		case identifier(part):
			b.WriteString(part)
		case i > 0 && digits(part):
			b.WriteString("[" + part + "]")
		default:
			b.WriteString("[" + quoted(part) + "]")
		}
	}
	return b.String()
}

// identifier tells whether s can stand behind a dot.
func identifier(s string) bool {
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}
