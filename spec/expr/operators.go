package expr

import (
	"fmt"
	"math"
)

// logic is Kleene's && and ||.
func (ev *evaluation) logic(e *Expr, depth int) (any, error) {
	return ev.all(e.Args, e.Op == And, depth)
}

// all is the conjunction of conditions, or with want false their disjunction. One
// that is not want decides, whatever is missing beside it; but what cannot be
// computed at all is an error in any case, where it is met.
func (ev *evaluation) all(args []Expr, want bool, depth int) (any, error) {
	var missing error
	for i := range args {
		holds, err := ev.truth(&args[i], depth+1)
		switch {
		case isMissing(err):
			if missing == nil {
				missing = err
			}
		case err != nil:
			return nil, err
		case holds != want:
			return !want, nil
		}
	}
	if missing != nil {
		return nil, missing
	}
	return want, nil
}

func (ev *evaluation) equality(e *Expr, depth int) (any, error) {
	same, err := ev.same(e, depth)
	if err != nil {
		return nil, err
	}
	return same == (e.Op == Eq), nil
}

func (ev *evaluation) same(e *Expr, depth int) (bool, error) {
	for i := range e.Args {
		if e.Args[i].Op == Literal && e.Args[i].Value == nil {
			_, err := ev.value(&e.Args[1-i], depth+1)
			if isMissing(err) {
				return true, nil
			}
			return false, err
		}
	}
	left, err := ev.value(&e.Args[0], depth+1)
	if err != nil {
		return false, err
	}
	right, err := ev.value(&e.Args[1], depth+1)
	if err != nil {
		return false, err
	}
	if kindOf(left) != kindOf(right) {
		// Whoever compares these means something else, and != would hold.
		return false, ev.wrong(e, "it compares two of a kind", left, right)
	}
	return ev.equal(left, right, depth+1)
}

// equal compares two values in depth. A number in them that is none is no evidence
// of anything.
func (ev *evaluation) equal(left, right any, depth int) (bool, error) {
	if err := ev.enter(depth); err != nil {
		return false, err
	}
	left, _ = plain(left)
	right, _ = plain(right)
	for _, v := range []any{left, right} {
		if n, is := v.(float64); is && !finite(n) {
			return false, noEvidence(nil, n)
		}
	}
	switch l := left.(type) {
	case []any:
		r, is := right.([]any)
		if !is || len(l) != len(r) {
			return false, nil
		}
		for i := range l {
			if same, err := ev.equal(l[i], r[i], depth+1); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	case map[string]any:
		r, is := right.(map[string]any)
		if !is || len(l) != len(r) {
			return false, nil
		}
		for _, key := range sortedKeys(l) { // sorted, so that the same is said each time
			other, there := r[key]
			if !there {
				return false, nil
			}
			if same, err := ev.equal(l[key], other, depth+1); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	case nil, bool, float64, string:
		switch right.(type) {
		case nil, bool, float64, string:
			return left == right, nil
		}
	}
	return false, nil
}

// arithmetic is all that numbers are for.
func (ev *evaluation) arithmetic(e *Expr, depth int) (any, error) {
	values := make([]any, len(e.Args))
	for i := range e.Args {
		v, err := ev.value(&e.Args[i], depth+1)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	numbers := make([]float64, len(values))
	for i, v := range values {
		n, is := v.(float64)
		if !is {
			return nil, ev.wrong(e, "it takes numbers", values...)
		}
		numbers[i] = n
	}
	if e.Op == Neg {
		return -numbers[0], nil
	}
	return ev.compute(e.Op, numbers[0], numbers[1])
}

func (ev *evaluation) compute(op Op, a, b float64) (any, error) {
	var n float64
	switch op {
	case Lt:
		return a < b, nil
	case Le:
		return a <= b, nil
	case Gt:
		return a > b, nil
	case Ge:
		return a >= b, nil
	case Add:
		n = a + b
	case Sub:
		n = a - b
	case Mul:
		n = a * b
	case Div:
		n = a / b
	default:
		n = math.Mod(a, b)
	}
	if !finite(n) {
		why := fmt.Sprintf("%s %s %s is no number", scalar(a), op, scalar(b))
		if b == 0 && (op == Div || op == Mod) {
			why = fmt.Sprintf("%s %s 0 divides by zero", scalar(a), op)
		}
		return nil, &MissingError{Why: why}
	}
	return n, nil
}
