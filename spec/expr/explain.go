package expr

import (
	"errors"
	"strings"
)

// Explain is the condition with its figures, and of a composed one the part that
// decides: "step.evaluate.metrics.accuracy 0.9835 >= 0.95". It says nothing about
// the outcome; for a value that is not there stands "missing".
func (e Expr) Explain(f Facts) string {
	x := explanation{evaluation{facts: f}}
	return shorten(x.explain(&e, 0, 0), maxExplanation)
}

// maxExplanation is the number of characters of an explanation; it goes into a
// commit message and onto a terminal.
const maxExplanation = 600

// explanation evaluates parts by themselves. The nodes of all parts together are
// bounded, so an expression that is made to be slow is not explained to its end.
type explanation struct{ evaluation }

func (x *explanation) explain(e *Expr, within, depth int) string {
	if depth > maxDepth {
		return "…"
	}
	var text string
	switch args := x.conditions(e); {
	case args != nil:
		parts := x.deciding(e, args, depth)
		if len(parts) == 1 {
			return x.explain(parts[0], within, depth+1)
		}
		op := e.conjunction()
		said := make([]string, len(parts))
		for i, part := range parts {
			said[i] = x.explain(part, precedence(op), depth+1)
		}
		if text = strings.Join(said, " "+string(op)+" "); precedence(op) < within {
			text = "(" + text + ")"
		}
	case e.Op == Not && len(e.Args) == 1:
		text = "!" + x.explain(&e.Args[0], precedence(Not), depth+1)
	case e.Op == Cond && len(e.Args) == 3:
		return x.branch(e, within, depth)
	default:
		text = writer{show: func(part *Expr) (string, bool) { return x.figure(e, part) }}.text(e, within, depth)
	}
	return text
}

// conjunction is && or ||, whichever the expression comes to.
func (e *Expr) conjunction() Op {
	if e.Op == Or || e.Op == Call && e.Name == "anytrue" {
		return Or
	}
	return And
}

// conditions are those that the expression joins; nil if it joins none.
func (x *explanation) conditions(e *Expr) []Expr {
	switch {
	case (e.Op == And || e.Op == Or) && len(e.Args) == 2:
		return e.Args
	case e.Op == Call && (e.Name == "alltrue" || e.Name == "anytrue") && len(e.Args) == 1 && e.Args[0].Op == List && len(e.Args[0].Args) > 0:
		return e.Args[0].Args
	default:
		return nil
	}
}

// deciding are the conditions that make the outcome what it is: the first that is
// enough by itself; else the first that is missing or wrong; else all of them.
func (x *explanation) deciding(e *Expr, args []Expr, depth int) []*Expr {
	enough := e.conjunction() == Or
	var all []*Expr
	var undecided *Expr
	for i := range args {
		arg := &args[i]
		holds, err := x.truth(arg, depth+1)
		switch {
		case err != nil && !isMissing(err):
			return []*Expr{arg} // nothing after it is looked at
		case err != nil && undecided == nil:
			undecided = arg
		case err == nil && holds == enough:
			return []*Expr{arg}
		}
		all = append(all, arg)
	}
	if undecided != nil {
		return []*Expr{undecided}
	}
	return all
}

// branch is the side of a choice that counts, and why it does.
func (x *explanation) branch(e *Expr, within, depth int) string {
	why := x.explain(&e.Args[0], precedence(Cond)+1, depth+1)
	holds, err := x.truth(&e.Args[0], depth+1)
	if err != nil {
		return why
	}
	side := &e.Args[2]
	if holds {
		side = &e.Args[1]
	}
	return x.explain(side, within, depth+1) + " (by " + why + ")"
}

// figure is what stands behind a part: the value, where the part alone does not say
// it. The whole has none, unless it is a mere fact: its value is the outcome.
func (x *explanation) figure(whole, part *Expr) (string, bool) {
	switch {
	case part.path() != nil:
	case part == whole, part.Op == Literal, part.Op == List, part.Op == Object, part.Op == Template,
		part.Op == Neg && len(part.Args) == 1 && part.Args[0].Op == Literal:
		return "", false
	}
	v, err := x.value(part, 0)
	switch {
	case isMissing(err):
		return "missing", true
	case errors.Is(err, ErrTooLarge):
		return "…", true
	case err != nil:
		return "wrong", true
	}
	return Format(v), true
}
