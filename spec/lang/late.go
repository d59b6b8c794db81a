package lang

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/expr"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// compiler turns an argument into expressions of facts. What is known now is
// evaluated, and becomes a literal.
type compiler struct {
	section
	a     *arg
	ctx   *hcl.EvalContext
	facts []factRef
	// subject: facts are about the one object that is judged, so that no name of an
	// object follows the first word.
	subject bool
	failed  bool
	depth   int // of the expression at hand
}

// maxFactDepth is how deep operations on facts may stand in each other. Package
// expr evaluates twice as deep.
const maxFactDepth = 100

// compiler starts on an argument that is written; nil if that cannot be read,
// which was reported.
func (s section) compiler(name string) *compiler {
	a := s.n.args.get(name)
	if a.broken || a.expr == nil {
		s.ev.fail()
		return nil
	}
	vars, ok := s.ev.variables(*a.place, a.refs, s.sc)
	if !ok {
		s.ev.fail()
		return nil
	}
	s.ev.meter.begin()
	return &compiler{section: s, a: a, ctx: &hcl.EvalContext{Variables: vars, Functions: s.ev.functions}}
}

// whole compiles an expression that stands by itself, with its text.
func (c *compiler) whole(e hclsyntax.Expression) expr.Expr {
	x := c.compile(e)
	if c.failed {
		return expr.Expr{}
	}
	x.Source = c.a.source(e)
	return x
}

func (c *compiler) errorf(at hcl.Range, summary, format string, args ...any) expr.Expr {
	c.section.errorf(at, summary, format, args...)
	c.ev.fail()
	c.failed = true
	return expr.Expr{}
}

// early gives what is known now its value.
func (c *compiler) early(e hcl.Expression) (cty.Value, bool) {
	m := c.ev.meter
	v, diags := e.Value(c.ctx)
	if m.tripped == nil && !diags.HasErrors() {
		m.check(v, e.Range())
	}
	switch {
	case m.tripped != nil:
		c.errorf(*m.tripped.Subject, m.tripped.Summary, "%s", m.tripped.Detail)
	case diags.HasErrors():
		c.ev.evaluation(diags, c.a, c.a.refs)
		c.ev.fail()
		c.failed = true
	default:
		return v, true
	}
	return cty.NilVal, false
}

func (c *compiler) compile(e hclsyntax.Expression) expr.Expr {
	if c.failed {
		return expr.Expr{}
	}
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > maxFactDepth {
		return c.errorf(e.Range(), "Spec too complex", "More than %d operations on facts stand in each other. Nobody can review that. Simplify the expression.", maxFactDepth)
	}
	if !ofFacts(e, nil) {
		v, ok := c.early(e)
		if !ok {
			return expr.Expr{}
		}
		return c.literal(v, e.Range())
	}
	switch e := bare(e).(type) {
	case *hclsyntax.TemplateWrapExpr:
		return c.compile(e.Wrapped)
	case *hclsyntax.ParenthesesExpr:
		return c.compile(e.Expression)
	case *hclsyntax.TemplateExpr:
		return c.template(e)
	case *hclsyntax.ConditionalExpr:
		return c.conditional(e)
	case *hclsyntax.FunctionCallExpr:
		return c.call(e)
	case *hclsyntax.BinaryOpExpr:
		return c.op(binaryOp(e.Op), e.LHS, e.RHS)
	case *hclsyntax.UnaryOpExpr:
		if e.Op == hclsyntax.OpNegate {
			return c.op(expr.Neg, e.Val)
		}
		return c.op(expr.Not, e.Val)
	case *hclsyntax.TupleConsExpr:
		return c.op(expr.List, e.Exprs...)
	case *hclsyntax.ObjectConsExpr:
		return c.object(e)
	case *hclsyntax.ScopeTraversalExpr, *hclsyntax.IndexExpr, *hclsyntax.RelativeTraversalExpr:
		return c.lookup(e)
	default:
		return c.errorf(e.Range(), "Loop over facts", "There are no loops over what is known only later. Write the elements out, or use alltrue([...]) and anytrue([...]). A loop over what is known now can stand in a locals block.")
	}
}

// op compiles the operands of an operation.
func (c *compiler) op(op expr.Op, operands ...hclsyntax.Expression) expr.Expr {
	x := expr.Expr{Op: op}
	for _, o := range operands {
		x.Args = append(x.Args, c.compile(o))
	}
	return x
}

func binaryOp(op *hclsyntax.Operation) expr.Op {
	switch op {
	case hclsyntax.OpLogicalOr:
		return expr.Or
	case hclsyntax.OpLogicalAnd:
		return expr.And
	case hclsyntax.OpEqual:
		return expr.Eq
	case hclsyntax.OpNotEqual:
		return expr.Ne
	case hclsyntax.OpGreaterThan:
		return expr.Gt
	case hclsyntax.OpGreaterThanOrEqual:
		return expr.Ge
	case hclsyntax.OpLessThan:
		return expr.Lt
	case hclsyntax.OpLessThanOrEqual:
		return expr.Le
	case hclsyntax.OpAdd:
		return expr.Add
	case hclsyntax.OpSubtract:
		return expr.Sub
	case hclsyntax.OpMultiply:
		return expr.Mul
	case hclsyntax.OpDivide:
		return expr.Div
	default:
		return expr.Mod
	}
}

// template compiles text with facts in it. Text that is known now is joined.
func (c *compiler) template(e *hclsyntax.TemplateExpr) expr.Expr {
	x := expr.Expr{Op: expr.Template}
	for _, part := range e.Parts {
		p := c.compile(part)
		if p.Op == expr.Literal {
			text, ok := c.plainText(p.Value, part.Range())
			if !ok {
				return expr.Expr{}
			}
			if last := len(x.Args) - 1; last >= 0 && x.Args[last].Op == expr.Literal {
				before, _ := x.Args[last].Value.(string)
				x.Args[last] = expr.Of(before + text)
				continue
			}
			p = expr.Of(text)
		}
		x.Args = append(x.Args, p)
	}
	return x
}

func (c *compiler) plainText(value any, at hcl.Range) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	default:
		c.errorf(at, "Wrong type", "Only text, numbers and bools can be put into text.")
		return "", false
	}
}

// conditional takes the branch now where the condition is known.
func (c *compiler) conditional(e *hclsyntax.ConditionalExpr) expr.Expr {
	if ofFacts(e.Condition, nil) {
		return c.op(expr.Cond, e.Condition, e.TrueResult, e.FalseResult)
	}
	v, ok := c.early(e.Condition)
	if !ok {
		return expr.Expr{}
	}
	switch {
	case v.IsNull() || v.Type() != cty.Bool:
		return c.errorf(e.Condition.Range(), "Wrong type", "What stands before ? must be true or false, and this is %s.", kindOf(v))
	case v.True():
		return c.compile(e.TrueResult)
	default:
		return c.compile(e.FalseResult)
	}
}

func (c *compiler) object(e *hclsyntax.ObjectConsExpr) expr.Expr {
	x := expr.Expr{Op: expr.Object}
	for _, item := range e.Items {
		x.Args = append(x.Args, c.key(item.KeyExpr), c.compile(item.ValueExpr))
	}
	return x
}

// key compiles the name of a member, which may be a bare word.
func (c *compiler) key(e hclsyntax.Expression) expr.Expr {
	if k, isKey := bare(e).(*hclsyntax.ObjectConsKeyExpr); isKey {
		if word := hcl.ExprAsKeyword(k.Wrapped); word != "" && !k.ForceNonLiteral {
			return expr.Of(word)
		}
		e = k.Wrapped
	}
	return c.compile(e)
}

// call compiles the call of a function that takes facts.
func (c *compiler) call(e *hclsyntax.FunctionCallExpr) expr.Expr {
	arity, known := expr.Functions()[e.Name]
	switch {
	case !known && !slices.Contains(names(c.ev.functions), e.Name):
		return c.errorf(e.NameRange, "Unknown function", "There is no function of that name.%s", didYouMean(e.Name, names(expr.Functions())))
	case !known:
		return c.errorf(e.NameRange, "Function cannot take facts", "%s() can only be given what is known when the commit is read. Of facts there are %s.%s", e.Name, strings.Join(names(expr.Functions()), ", "), didYouMean(e.Name, names(expr.Functions())))
	case e.ExpandFinal:
		return c.errorf(e.Range(), "Loop over facts", "The arguments of %s() must be written out where they are of facts.", e.Name)
	case len(e.Args) < arity.Min || len(e.Args) > arity.Max:
		return c.errorf(e.Range(), "Wrong number of arguments", "%s() takes %s.", e.Name, arity)
	}
	x := c.op(expr.Call, e.Args...)
	x.Name = e.Name
	if !c.failed {
		c.checkCall(x, e)
	}
	return x
}

// checkCall looks at what is written in a small language of its own, so that a slip
// shows now and not in a run.
func (c *compiler) checkCall(x expr.Expr, e *hclsyntax.FunctionCallExpr) {
	switch {
	case x.Name == "regex" && x.Args[0].Op == expr.Literal:
		pattern, _ := x.Args[0].Value.(string)
		if _, err := regexp.Compile(pattern); err != nil {
			c.errorf(e.Args[0].Range(), "Invalid pattern", "%s", sentence(err.Error()))
		}
	case x.Name == "semver" && x.Args[1].Op == expr.Literal:
		trial := expr.Expr{Op: expr.Call, Name: x.Name, Args: []expr.Expr{expr.Of("1.0.0"), x.Args[1]}}
		if _, err := trial.Eval(nil); err != nil {
			c.errorf(e.Args[1].Range(), "Invalid version constraint", "A constraint is an operator (=, !=, >, >=, <, <=, ~>) and a version, or several with commas between them, such as \">= 1.2, < 2.0\".")
		}
	}
}

// literal is a value that is known now.
func (c *compiler) literal(v cty.Value, at hcl.Range) expr.Expr {
	value, ok := c.plain(v, at)
	if !ok {
		return expr.Expr{}
	}
	return expr.Of(value)
}

// plain is a value as expressions have them.
func (c *compiler) plain(v cty.Value, at hcl.Range) (any, bool) {
	if v.IsNull() {
		return nil, true
	}
	switch t := v.Type(); {
	case t == cty.String:
		return v.AsString(), true
	case t == cty.Bool:
		return v.True(), true
	case t == cty.Number:
		f, _ := v.AsBigFloat().Float64()
		return f, true
	case t == secretType:
		c.errorf(at, "Secret used as text", "%s", stringRemedySecret)
		return nil, false
	case t.IsMapType(), t.IsObjectType():
		all := map[string]any{}
		for it := v.ElementIterator(); it.Next(); {
			key, member := it.Element()
			value, ok := c.plain(member, at)
			if !ok {
				return nil, false
			}
			all[key.AsString()] = value
		}
		return all, true
	default:
		all := []any{}
		for it := v.ElementIterator(); it.Next(); {
			_, item := it.Element()
			value, ok := c.plain(item, at)
			if !ok {
				return nil, false
			}
			all = append(all, value)
		}
		return all, true
	}
}

// isNull tells whether null is written.
func isNull(e hclsyntax.Expression) bool {
	if e == nil {
		return false
	}
	literal, isLiteral := bare(e).(*hclsyntax.LiteralValueExpr)
	return isLiteral && literal.Val.IsNull()
}

// condition compiles an argument that must be true or false.
func (s section) condition(name string, subject bool) (expr.Expr, []factRef) {
	def, a := s.n.schema.Argument(name), s.n.args.get(name)
	if a == nil || isNull(a.expr) {
		if def.Required {
			s.missing(def)
		}
		return expr.Expr{}, nil
	}
	c := s.compiler(name)
	if c == nil {
		return expr.Expr{}, nil
	}
	c.subject = subject
	x := c.whole(a.expr)
	c.warnUnlike()
	if !c.failed && !mayBeBool(x) {
		hint := ""
		if _, isText := x.Value.(string); isText {
			hint = " Write it without quotes."
			if c.a.json {
				hint = " In JSON write \"${CONDITION}\"."
			}
		}
		x = c.errorf(a.expr.Range(), "Condition expected", "%s must be true or false, such as %s.%s", name, example(def), hint)
	}
	return x, c.facts
}

// warnUnlike passes on what the evaluation of what is known noted.
func (c *compiler) warnUnlike() {
	for _, rng := range c.ev.meter.unlike {
		c.ev.add(diag.Warning, rng, *c.a.place, "Comparison of unlike types", "A string and a number, or a bool, are never equal. Convert one of them with tostring() or tonumber().")
	}
}

// mayBeBool tells whether an expression can be true or false at all.
func mayBeBool(x expr.Expr) bool {
	switch x.Op {
	case expr.Literal:
		_, isBool := x.Value.(bool)
		return isBool
	case expr.Cond:
		return mayBeBool(x.Args[1]) && mayBeBool(x.Args[2])
	case expr.Call:
		return !slices.Contains([]string{"length", "min", "max", "abs", "round", "floor", "ceil", "lower", "upper", "keys", "values"}, x.Name)
	case expr.Template, expr.List, expr.Object, expr.Neg, expr.Add, expr.Sub, expr.Mul, expr.Div, expr.Mod:
		return false
	default:
		return true
	}
}
