package expr

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The bounds of one evaluation. What people write is far below them; they keep
// what machines write, or an attacker, from taking the daemon's memory.
const (
	maxDepth = 200     // of nested Args, and of values
	maxNodes = 100_000 // that are evaluated
	maxText  = 1 << 20 // bytes of one text that is made
)

// ErrTooLarge: an expression, or a value of it, is beyond what is evaluated.
var ErrTooLarge = errors.New("the expression is too large to be evaluated")

// Eval returns the value of the expression: nil, bool, float64, string, []any or
// map[string]any. The facts hold such values, too; where they come from Go rather
// than from JSON they may also hold ints, []string, map[string]string,
// map[string]float64 and Facts. Nothing of them is changed, and lists and objects
// in the result are shared with them.
//
// The error is a [*MissingError] where the value depends on a fact that is absent,
// null, NaN or infinite; a [*TypeError] where an operation cannot be done with what
// it is given; or wraps [ErrTooLarge]. && and || are Kleene's: false && missing is
// false, true || missing is true. x == null and x != null ask whether x is there,
// and are never missing.
func (e Expr) Eval(f Facts) (any, error) {
	ev := evaluation{facts: f, source: e.Source}
	return ev.eval(&e, 0)
}

// Holds tells whether the condition is true. Where that cannot be told it is false,
// and the error is one of Eval, or a [*TypeError] for what is no condition.
func (e Expr) Holds(f Facts) (bool, error) {
	ev := evaluation{facts: f, source: e.Source}
	return ev.truth(&e, 0)
}

// evaluation is one walk over an expression.
type evaluation struct {
	facts  Facts
	source string
	nodes  int
}

// enter counts a node, so that every walk ends soon.
func (ev *evaluation) enter(depth int) error {
	if ev.nodes++; ev.nodes > maxNodes || depth > maxDepth {
		return fmt.Errorf("%w: it has more than %d parts, or they are nested deeper than %d", ErrTooLarge, maxNodes, maxDepth)
	}
	return nil
}

func (ev *evaluation) eval(e *Expr, depth int) (any, error) {
	if err := ev.enter(depth); err != nil {
		return nil, err
	}
	switch e.Op {
	case Literal:
		return ev.literal(e)
	case Ref:
		return ev.lookUp(e.Path)
	case Template:
		return ev.template(e, depth)
	case List:
		return ev.list(e, depth)
	case Object:
		return ev.object(e, depth)
	case Call:
		return ev.call(e, depth)
	default:
		return ev.operate(e, depth)
	}
}

// operate is what has a fixed number of operands.
func (ev *evaluation) operate(e *Expr, depth int) (any, error) {
	if want := operands(e.Op); len(e.Args) != want || want == 0 {
		return nil, ev.wrong(e, fmt.Sprintf("%q with %d operands is no operation", string(e.Op), len(e.Args)))
	}
	switch e.Op {
	case Index:
		return ev.index(e, depth)
	case Cond:
		return ev.choice(e, depth)
	case And, Or:
		return ev.logic(e, depth)
	case Eq, Ne:
		return ev.equality(e, depth)
	case Not:
		holds, err := ev.truth(&e.Args[0], depth+1)
		return !holds, err
	default:
		return ev.arithmetic(e, depth)
	}
}

// operands is how many Args an operation has; 0 for none of those that have a
// fixed number.
func operands(op Op) int {
	switch op {
	case Not, Neg:
		return 1
	case Index, And, Or, Eq, Ne, Lt, Le, Gt, Ge, Add, Sub, Mul, Div, Mod:
		return 2
	case Cond:
		return 3
	default:
		return 0
	}
}

func (ev *evaluation) literal(e *Expr) (any, error) {
	v, known := plain(e.Value)
	if !known {
		return nil, ev.wrong(e, fmt.Sprintf("a literal cannot be a Go %T", e.Value))
	}
	if n, is := v.(float64); is && !finite(n) {
		return nil, noEvidence(nil, n)
	}
	return v, nil
}

// lookUp walks the facts along a path.
func (ev *evaluation) lookUp(path []string) (any, error) {
	var v any = map[string]any(ev.facts)
	for i, part := range path {
		object, is := v.(map[string]any)
		if !is {
			return nil, &MissingError{Path: path, Why: fmt.Sprintf("is not there; %s is %s", dotted(path[:i]), kindOf(v))}
		}
		next, there := object[part]
		if !there {
			return nil, absent(path, i, object)
		}
		var known bool
		if v, known = plain(next); !known {
			return nil, &TypeError{Op: Ref, Part: dotted(path[:i+1]), Source: ev.source, Want: fmt.Sprintf("a fact cannot be a Go %T", next)}
		}
	}
	return ev.present(v, path)
}

// present is a value that counts as one: not null, NaN or infinite.
func (ev *evaluation) present(v any, path []string) (any, error) {
	switch v := v.(type) {
	case nil:
		if path == nil {
			return nil, &MissingError{Why: "a value is null"}
		}
		return nil, &MissingError{Path: path, Why: "is null"}
	case float64:
		if !finite(v) {
			return nil, noEvidence(path, v)
		}
	}
	return v, nil
}

// value evaluates an operand, of which null is as good as missing.
func (ev *evaluation) value(e *Expr, depth int) (any, error) {
	v, err := ev.eval(e, depth)
	if err != nil {
		return nil, err
	}
	return ev.present(v, e.path())
}

// path is what an expression refers to, as far as it is no more than a reference.
func (e *Expr) path() []string {
	switch {
	case e.Op == Ref:
		return e.Path
	case e.Op == Index && len(e.Args) == 2 && e.Args[1].Op == Literal:
		if base := e.Args[0].path(); base != nil {
			return append(base[:len(base):len(base)], scalar(e.Args[1].Value))
		}
	}
	return nil
}

func (ev *evaluation) template(e *Expr, depth int) (any, error) {
	var b strings.Builder
	for i := range e.Args {
		v, err := ev.value(&e.Args[i], depth+1)
		if err != nil {
			return nil, err
		}
		switch v.(type) {
		case []any, map[string]any:
			return nil, ev.wrong(e, "a template takes texts, numbers and bools", v)
		}
		if b.WriteString(scalar(v)); b.Len() > maxText {
			return nil, fmt.Errorf("%w: a text of it has more than %d bytes", ErrTooLarge, maxText)
		}
	}
	return b.String(), nil
}

func (ev *evaluation) list(e *Expr, depth int) (any, error) {
	list := make([]any, len(e.Args))
	for i := range e.Args {
		v, err := ev.eval(&e.Args[i], depth+1)
		if err != nil {
			return nil, err
		}
		list[i] = v
	}
	return list, nil
}

func (ev *evaluation) object(e *Expr, depth int) (any, error) {
	if len(e.Args)%2 != 0 {
		return nil, ev.wrong(e, "an object has a value for each name")
	}
	object := make(map[string]any, len(e.Args)/2)
	for i := 0; i < len(e.Args); i += 2 {
		name, err := ev.value(&e.Args[i], depth+1)
		if err != nil {
			return nil, err
		}
		key, is := name.(string)
		if !is {
			return nil, ev.wrong(e, "the names of an object are texts", name)
		}
		if object[key], err = ev.eval(&e.Args[i+1], depth+1); err != nil {
			return nil, err
		}
	}
	return object, nil
}

func (ev *evaluation) index(e *Expr, depth int) (any, error) {
	of, err := ev.value(&e.Args[0], depth+1)
	if err != nil {
		return nil, err
	}
	at, err := ev.value(&e.Args[1], depth+1)
	if err != nil {
		return nil, err
	}
	path := e.path()
	switch of := of.(type) {
	case []any:
		n, is := at.(float64)
		if !is || n != math.Trunc(n) || n < 0 {
			return nil, ev.wrong(e, "the index of a list is a whole number from 0", of, at)
		}
		if n >= float64(len(of)) {
			return nil, &MissingError{Path: path, Why: fmt.Sprintf("is not there: the list has %s", counted(len(of), "element"))}
		}
		return ev.member(e, of[int(n)], path)
	case map[string]any:
		key, is := at.(string)
		if !is {
			return nil, ev.wrong(e, "the index of an object is a text", of, at)
		}
		v, there := of[key]
		if !there {
			if path == nil {
				path = []string{key}
			}
			return nil, absent(path, len(path)-1, of)
		}
		return ev.member(e, v, path)
	default:
		return nil, ev.wrong(e, "only lists and objects have an index", of, at)
	}
}

// member is a value out of a list or object.
func (ev *evaluation) member(e *Expr, v any, path []string) (any, error) {
	v, known := plain(v)
	if !known {
		return nil, ev.wrong(e, fmt.Sprintf("a fact cannot be a Go %T", v))
	}
	return ev.present(v, path)
}

func (ev *evaluation) choice(e *Expr, depth int) (any, error) {
	holds, err := ev.truth(&e.Args[0], depth+1)
	if err != nil {
		return nil, err
	}
	if holds {
		return ev.eval(&e.Args[1], depth+1)
	}
	return ev.eval(&e.Args[2], depth+1)
}

// truth evaluates what must be a condition.
func (ev *evaluation) truth(e *Expr, depth int) (bool, error) {
	v, err := ev.value(e, depth)
	if err != nil {
		return false, err
	}
	holds, is := v.(bool)
	if !is {
		return false, ev.wrong(e, "a condition is true or false", v)
	}
	return holds, nil
}

func finite(n float64) bool { return !math.IsNaN(n) && !math.IsInf(n, 0) }

// noEvidence says that a number is none.
func noEvidence(path []string, n float64) *MissingError {
	why := fmt.Sprintf("is %s, which is no evidence", strconv.FormatFloat(n, 'g', -1, 64))
	if path == nil {
		why = "a number " + why
	}
	return &MissingError{Path: path, Why: why}
}

func (ev *evaluation) wrong(e *Expr, want string, operands ...any) error {
	part := e.String()
	return &TypeError{Op: e.Op, Operands: operands, Want: want, Part: part, Source: ev.source}
}
