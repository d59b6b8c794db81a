package lang

import (
	"fmt"
	"math/big"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// meter is the evaluation budget of a Loader. HCL evaluates without any limit:
// seven `for` in each other, 258 bytes, take minutes and gigabytes. So every
// node of an expression that can make something big out of something small is
// wrapped in a guarded, which pays for each evaluation here and checks what came
// out before anything else can use it.
type meter struct {
	limits  Limits
	steps   int             // of the current expression
	total   int             // of the current load
	tripped *hcl.Diagnostic // why the current expression was stopped
	unlike  []hcl.Range     // comparisons of unlike types in the current expression
}

// begin starts the budget of one expression.
func (m *meter) begin() {
	m.steps, m.tripped, m.unlike = 0, nil, nil
}

// pay takes n steps; false when the budget is used up.
func (m *meter) pay(n int, at hcl.Range) bool {
	m.steps += n
	m.total += n
	switch {
	case m.tripped != nil:
		return false
	case m.steps > m.limits.Steps:
		m.trip(at, fmt.Sprintf("It takes more than %d steps of evaluation.", m.limits.Steps))
	case m.total > m.limits.LoadSteps:
		m.trip(at, fmt.Sprintf("All expressions of the repo together take more than %d steps of evaluation.", m.limits.LoadSteps))
	}
	return m.tripped == nil
}

func (m *meter) trip(at hcl.Range, detail string) {
	if m.tripped == nil {
		m.tripped = &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Evaluation too expensive", Subject: &at,
			Detail: detail + " A load must never hold up the daemon. Compute less, or keep the result in a file.",
		}
	}
}

// guarded is an expression under the budget.
type guarded struct {
	hclsyntax.Expression
	meter *meter
	// converts: the value goes to where it may be converted to a list or a map.
	converts bool
}

// UnwrapExpression lets HCL's static analysis see the expression inside.
func (g *guarded) UnwrapExpression() hcl.Expression { return g.Expression }

// Value implements hcl.Expression.
func (g *guarded) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	at := g.Range()
	if !g.meter.pay(1, at) {
		return cty.DynamicVal, hcl.Diagnostics{g.meter.tripped}
	}
	v, diags := g.Expression.Value(ctx)
	if g.meter.tripped != nil {
		return cty.DynamicVal, hcl.Diagnostics{g.meter.tripped}
	}
	if diags.HasErrors() {
		return v, diags
	}
	g.meter.check(v, at)
	if g.converts {
		g.meter.pay(conversionSteps(v), at)
	}
	if g.meter.tripped != nil {
		return cty.DynamicVal, hcl.Diagnostics{g.meter.tripped}
	}
	if op, isOp := g.Expression.(*hclsyntax.BinaryOpExpr); isOp {
		g.meter.checkComparison(op, ctx)
	}
	return v, diags
}

// counted pays for each evaluation of an expression and does not look at what
// comes out. It makes the rounds of a `for` cost something whose body is a name
// or a literal.
type counted struct {
	hclsyntax.Expression
	meter *meter
}

// UnwrapExpression lets HCL's static analysis see the expression inside.
func (c *counted) UnwrapExpression() hcl.Expression { return c.Expression }

// Value implements hcl.Expression.
func (c *counted) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if !c.meter.pay(1, c.Range()) {
		return cty.DynamicVal, hcl.Diagnostics{c.meter.tripped}
	}
	return c.Expression.Value(ctx)
}

// check measures a value and pays for the measuring.
func (m *meter) check(v cty.Value, at hcl.Range) {
	s := size{limits: m.limits}
	s.add(v)
	m.pay(s.elements/8+s.bytes/64, at)
	if s.excess != "" {
		m.trip(at, s.excess)
	}
}

// conversionSteps is what it costs to make a list or a map of a value: cty
// compares the types of all elements with each other.
func conversionSteps(v cty.Value) int {
	if t := v.Type(); !v.IsKnown() || v.IsNull() || !t.IsTupleType() && !t.IsObjectType() {
		return 0
	}
	n := v.LengthInt()
	return n * n / 100
}

// size counts what a value holds, at every depth, and stops at the first limit.
type size struct {
	limits   Limits
	elements int
	bytes    int
	depth    int
	excess   string
}

func (s *size) add(v cty.Value) {
	if s.excess != "" || v == cty.NilVal || !v.IsKnown() || v.IsNull() {
		return
	}
	switch t := v.Type(); {
	case t == cty.String:
		if s.bytes += len(v.AsString()); s.bytes > s.limits.TextBytes {
			s.excess = fmt.Sprintf("It makes more than %d bytes of text.", s.limits.TextBytes)
		}
	case t == cty.Number:
		s.excess = numberExcess(v.AsBigFloat())
	case v.CanIterateElements():
		if s.elements += v.LengthInt(); s.elements > s.limits.Elements {
			s.excess = fmt.Sprintf("It makes a collection of more than %d elements.", s.limits.Elements)
			return
		}
		if s.depth++; s.depth > s.limits.Depth {
			s.excess = fmt.Sprintf("It makes collections in each other, more than %d levels deep.", s.limits.Depth)
			return
		}
		for it := v.ElementIterator(); it.Next() && s.excess == ""; {
			key, element := it.Element()
			if t.IsMapType() || t.IsObjectType() {
				s.add(key)
			}
			s.add(element)
		}
		s.depth--
	}
}

// maxExponent and minExponent bound the binary exponent of a number: some 300
// decimal digits. Writing a number out takes time that grows with the square of its
// digits. All numbers of IEEE 754 in 64 bits are within: metrics are such.
const (
	maxExponent = 1024
	minExponent = -1074
)

func numberExcess(n *big.Float) string {
	if n.IsInf() {
		return "It makes an infinite number."
	}
	if e := n.MantExp(nil); e > maxExponent || e < minExponent {
		return "It makes a number of more than 300 digits."
	}
	return ""
}

// checkLiterals refuses numbers in the source that are out of all bounds, before
// anything computes with them.
func checkLiterals(expr hclsyntax.Expression) *excess {
	var found *excess
	_ = hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
		literal, isLiteral := n.(*hclsyntax.LiteralValueExpr)
		if !isLiteral || found != nil || literal.Val.IsNull() || !literal.Val.IsKnown() || literal.Val.Type() != cty.Number {
			return nil
		}
		if detail := numberExcess(literal.Val.AsBigFloat()); detail != "" {
			found = &excess{literal.SrcRange, "A number may have 300 digits at the most."}
		}
		return nil
	})
	return found
}

// checkComparison notes == and != between values of unlike types, which are
// never equal: "1" == 1 is false, and hardly what was meant. Only plain operands
// are looked at, because they are evaluated a second time.
func (m *meter) checkComparison(op *hclsyntax.BinaryOpExpr, ctx *hcl.EvalContext) {
	if op.Op != hclsyntax.OpEqual && op.Op != hclsyntax.OpNotEqual || !plain(op.LHS) || !plain(op.RHS) {
		return
	}
	left, _ := op.LHS.Value(ctx)
	right, _ := op.RHS.Value(ctx)
	if !left.IsKnown() || !right.IsKnown() || left.IsNull() || right.IsNull() {
		return
	}
	if l, r := left.Type(), right.Type(); l.IsPrimitiveType() && r.IsPrimitiveType() && !l.Equals(r) {
		m.unlike = append(m.unlike, op.SrcRange)
	}
}

func plain(e hclsyntax.Expression) bool {
	if g, isGuarded := e.(*guarded); isGuarded {
		e = g.Expression
	}
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr, *hclsyntax.ScopeTraversalExpr:
		return true
	case *hclsyntax.TemplateExpr:
		return e.IsStringLiteral()
	default:
		return false
	}
}

// guard puts an expression and all that is in it under the budget. It changes
// the expression, which belongs to the caller.
func guard(e hclsyntax.Expression, m *meter) hclsyntax.Expression {
	in := func(inner hclsyntax.Expression) hclsyntax.Expression {
		if inner == nil {
			return nil
		}
		return guard(inner, m)
	}
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr, *hclsyntax.ScopeTraversalExpr, *hclsyntax.AnonSymbolExpr:
		return e // nothing grows here
	case *hclsyntax.ObjectConsKeyExpr:
		e.Wrapped = in(e.Wrapped)
		return e // the constructor around it looks for this type
	case *hclsyntax.TemplateExpr:
		if e.IsStringLiteral() {
			return e
		}
		e.Parts = meterAll(e.Parts, m)
	case *hclsyntax.TemplateWrapExpr:
		e.Wrapped = in(e.Wrapped)
		return e
	case *hclsyntax.ParenthesesExpr:
		e.Expression = in(e.Expression)
		return e
	case *hclsyntax.TemplateJoinExpr:
		e.Tuple = in(e.Tuple)
	case *hclsyntax.RelativeTraversalExpr:
		e.Source = in(e.Source)
	case *hclsyntax.FunctionCallExpr:
		e.Args = meterAll(e.Args, m)
		for _, arg := range e.Args {
			if g, isGuarded := arg.(*guarded); isGuarded {
				g.converts = true
			}
		}
	case *hclsyntax.ConditionalExpr:
		e.Condition, e.TrueResult, e.FalseResult = in(e.Condition), in(e.TrueResult), in(e.FalseResult)
	case *hclsyntax.IndexExpr:
		e.Collection, e.Key = in(e.Collection), in(e.Key)
	case *hclsyntax.TupleConsExpr:
		guardAll(e.Exprs, m)
	case *hclsyntax.ObjectConsExpr:
		for i, item := range e.Items {
			e.Items[i] = hclsyntax.ObjectConsItem{KeyExpr: in(item.KeyExpr), ValueExpr: in(item.ValueExpr)}
		}
	case *hclsyntax.ForExpr:
		e.CollExpr, e.KeyExpr, e.ValExpr, e.CondExpr = in(e.CollExpr), in(e.KeyExpr), in(e.ValExpr), in(e.CondExpr)
		e.ValExpr = &counted{Expression: e.ValExpr, meter: m}
	case *hclsyntax.SplatExpr:
		e.Source, e.Each = in(e.Source), &counted{Expression: in(e.Each), meter: m}
	case *hclsyntax.BinaryOpExpr:
		e.LHS, e.RHS = in(e.LHS), in(e.RHS)
	case *hclsyntax.UnaryOpExpr:
		e.Val = in(e.Val)
	}
	return &guarded{Expression: e, meter: m}
}

func guardAll(list []hclsyntax.Expression, m *meter) {
	for i, e := range list {
		list[i] = guard(e, m)
	}
}

// meterAll guards expressions whose values are copied into a new one. Reading
// a big value must cost there, or a long row of names would be free.
func meterAll(list []hclsyntax.Expression, m *meter) []hclsyntax.Expression {
	for i, e := range list {
		if _, isName := e.(*hclsyntax.ScopeTraversalExpr); isName {
			list[i] = &guarded{Expression: e, meter: m}
			continue
		}
		list[i] = guard(e, m)
	}
	return list
}
