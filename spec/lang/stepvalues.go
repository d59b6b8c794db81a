package lang

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// env compiles environment variables. What is known now is text now, so that
// numbers stay as they are.
func (d *stepDecoder) env() map[string]spec.StepValue {
	if a := d.n.args.get("env"); a == nil || isNull(a.expr) {
		return nil
	}
	c := d.compiler("env")
	if c == nil {
		return nil
	}
	env := map[string]spec.StepValue{}
	c.members(c.a.expr, func(name string, at hcl.Range, e hclsyntax.Expression, v cty.Value) {
		if !envName.MatchString(name) {
			c.section.errorf(at, "Invalid name", "The name of an environment variable starts with a letter or _ and holds letters, digits, _, . and -.")
			return
		}
		delete(env, name)
		if e != nil {
			env[name] = spec.StepValue{Expr: c.whole(e)}
			return
		}
		secret, isSecret := secretOf(v)
		switch {
		case isSecret:
			env[name] = spec.StepValue{Secret: secret}
		case v.IsNull(): // as if it were not written
		default:
			if text, ok := c.word(v, at, c.isLiteral("env", name), "The value of an environment variable is a string or a secret"); ok {
				env[name] = spec.StepValue{Expr: expr.Of(text)}
			}
		}
	})
	d.facts = append(d.facts, c.facts...)
	if len(env) == 0 {
		return nil
	}
	return env
}

// members visits the members of a map: with an expression where it is of facts,
// else with its value.
func (c *compiler) members(e hclsyntax.Expression, visit func(name string, at hcl.Range, e hclsyntax.Expression, v cty.Value)) {
	if !ofFacts(e, nil) {
		v, ok := c.early(e)
		if !ok {
			return
		}
		if t := v.Type(); v.IsNull() || !t.IsMapType() && !t.IsObjectType() {
			c.errorf(e.Range(), "Wrong type", "%s takes a %s in braces, and this is %s.", c.a.name, c.a.schema.Type, kindOf(v))
			return
		}
		for it := v.ElementIterator(); it.Next(); {
			key, member := it.Element()
			visit(key.AsString(), c.memberAt(c.a.name, key.AsString()), nil, member)
		}
		return
	}
	switch e := bare(e).(type) {
	case *hclsyntax.ParenthesesExpr:
		c.members(e.Expression, visit)
	case *hclsyntax.TemplateWrapExpr:
		c.members(e.Wrapped, visit)
	case *hclsyntax.FunctionCallExpr:
		if e.Name != "merge" || e.ExpandFinal {
			c.notWritten(e.Range())
			return
		}
		for _, part := range e.Args {
			c.members(part, visit)
		}
	case *hclsyntax.ObjectConsExpr:
		for _, item := range e.Items {
			name, isText := c.key(item.KeyExpr).Value.(string)
			switch {
			case c.failed:
				return
			case !isText:
				c.errorf(item.KeyExpr.Range(), "Wrong type", "A key is text that is known when the commit is read.")
			case ofFacts(item.ValueExpr, nil):
				visit(name, item.ValueExpr.Range(), item.ValueExpr, cty.NilVal)
			default:
				if v, ok := c.early(item.ValueExpr); ok {
					visit(name, item.ValueExpr.Range(), nil, v)
				}
			}
		}
	default:
		c.notWritten(e.Range())
	}
}

func (c *compiler) notWritten(at hcl.Range) {
	c.errorf(at, "Names not known", "Which there are must be known when the commit is read: only values can be of facts. Write %s, or put several together with merge() or concat().", c.a.schema.Example)
}

// word is a value as text.
func (c *compiler) word(v cty.Value, at hcl.Range, written bool, what string) (string, bool) {
	switch {
	case v.Type() == cty.Number && !v.AsBigFloat().IsInt():
		if written {
			c.section.errorf(at, "Number used as text", "Put the value in quotes, so that it stays as it is written: as a number, 1.10 is the same as 1.1.")
			return "", false
		}
		f, _ := v.AsBigFloat().Float64()
		return strconv.FormatFloat(f, 'f', -1, 64), true
	case v.Type() == cty.Number || v.Type() == cty.Bool:
		v, _ = toType(v, cty.String)
	case v.Type() == secretType:
		c.section.errorf(at, "Secret used as text", "%s", stringRemedySecret)
		return "", false
	case v.Type() != cty.String:
		c.section.errorf(at, "Wrong type", "%s, and this is %s.", what, kindOf(v))
		return "", false
	}
	if strings.ContainsRune(v.AsString(), 0) {
		c.section.errorf(at, "Invalid value", "The value cannot hold a zero byte.")
		return "", false
	}
	return v.AsString(), true
}

// command compiles the arguments of the program.
func (d *stepDecoder) command() []expr.Expr {
	if a := d.n.args.get("command"); a == nil || isNull(a.expr) {
		return nil
	}
	c := d.compiler("command")
	if c == nil {
		return nil
	}
	list := []expr.Expr{}
	c.items(c.a.expr, func(at hcl.Range, e hclsyntax.Expression, v cty.Value) {
		if e != nil {
			list = append(list, c.whole(e))
			return
		}
		if v.IsNull() {
			c.section.errorf(at, "Wrong type", "An element of command is null. Leave it out.")
			return
		}
		if text, ok := c.word(v, at, c.literalItem(at), "An argument of a program is a string"); ok {
			list = append(list, expr.Of(text))
		}
	})
	d.facts = append(d.facts, c.facts...)
	return list
}

// items visits the elements of a list, as members does those of a map.
func (c *compiler) items(e hclsyntax.Expression, visit func(at hcl.Range, e hclsyntax.Expression, v cty.Value)) {
	if !ofFacts(e, nil) {
		v, ok := c.early(e)
		if !ok {
			return
		}
		if t := v.Type(); v.IsNull() || !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
			c.errorf(e.Range(), "Wrong type", "%s takes a %s in brackets, and this is %s.", c.a.name, c.a.schema.Type, kindOf(v))
			return
		}
		i := 0
		for it := v.ElementIterator(); it.Next(); i++ {
			_, item := it.Element()
			visit(itemRange(e, i), nil, item)
		}
		return
	}
	switch e := bare(e).(type) {
	case *hclsyntax.ParenthesesExpr:
		c.items(e.Expression, visit)
	case *hclsyntax.TemplateWrapExpr:
		c.items(e.Wrapped, visit)
	case *hclsyntax.FunctionCallExpr:
		if e.Name != "concat" || e.ExpandFinal {
			c.notWritten(e.Range())
			return
		}
		for _, part := range e.Args {
			c.items(part, visit)
		}
	case *hclsyntax.TupleConsExpr:
		for _, item := range e.Exprs {
			if ofFacts(item, nil) {
				visit(item.Range(), item, cty.NilVal)
			} else if v, ok := c.early(item); ok {
				visit(item.Range(), nil, v)
			}
		}
	default:
		c.notWritten(e.Range())
	}
}

// literalItem tells whether what stands there in the list is written down as it is.
func (c *compiler) literalItem(at hcl.Range) bool {
	list, isList := bare(c.a.expr).(*hclsyntax.TupleConsExpr)
	return isList && slices.ContainsFunc(list.Exprs, func(e hclsyntax.Expression) bool {
		_, literal := bare(e).(*hclsyntax.LiteralValueExpr)
		return literal && e.Range() == at
	})
}

// itemRange is where an element of a list stands.
func itemRange(e hclsyntax.Expression, i int) hcl.Range {
	if list, isList := bare(e).(*hclsyntax.TupleConsExpr); isList && i < len(list.Exprs) {
		return list.Exprs[i].Range()
	}
	return e.Range()
}
