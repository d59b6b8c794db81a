package lang

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// takeVariables notes the values from outside. One for a variable that does not
// exist is a warning only: a commit that removes a variable must not wait until
// the last daemon has stopped setting it.
func (e *evaluator) takeVariables() {
	for _, v := range e.options.Variables {
		e.given[v.Name] = v
		if e.symbols.variables[v.Name] == nil && !e.symbols.incomplete {
			e.warnf(noRange, place{}, "Unused value", "%s sets the variable %q, and no file declares it.%s", sourceOf(v), v.Name, didYouMean(v.Name, names(e.symbols.variables)))
		}
	}
}

func sourceOf(v VariableValue) string {
	if v.Source == "" {
		return "A value from outside"
	}
	return v.Source
}

// constraint is the type of a variable: the declared one, that of its default,
// or string.
func (e *evaluator) constraint(n *node) (cty.Type, bool) {
	if a := n.args.get("type"); a != nil {
		if a.broken {
			return cty.NilType, false
		}
		t, diags := typeexpr.TypeConstraint(a.expr)
		if diags.HasErrors() {
			text := ""
			if word := quoted(a.expr); word != "" {
				text = " Types are written without quotes: type = " + word + "."
			}
			e.errorf(a.expr.Range(), *a.place, "Invalid type", "A type is string, number, bool, any, list(T), set(T), map(T), object({NAME = T}) or tuple([T]).%s", text)
			return cty.NilType, false
		}
		return t, true
	}
	if a := n.args.get("default"); a != nil {
		return cty.DynamicPseudoType, true
	}
	return cty.String, true
}

// givenValue reads a value from outside. No message shows it: what comes from
// outside may be what nobody wanted in the repo.
func (e *evaluator) givenValue(n *node, given VariableValue, want cty.Type) (cty.Value, bool) {
	if want == cty.DynamicPseudoType {
		want = e.defaultType(n)
	}
	if want == cty.String {
		return cty.StringVal(given.Value), true
	}
	fail := func(why string) (cty.Value, bool) {
		e.errorf(n.rng, n.place, "Invalid value for variable", "%s gives var.%s a value that is no %s%s. Write it as in HCL, for example %s.",
			sourceOf(given), n.label, want.FriendlyNameForConstraint(), why, literalExample(want))
		return cty.NilVal, false
	}
	src := []byte(given.Value)
	if int64(len(src)) > e.limits.FileBytes {
		return fail(": it is too large")
	}
	tokens, _ := hclsyntax.LexExpression(src, "value", hcl.InitialPos)
	if e.limits.checkTokens(tokens) != nil {
		return fail(": it is too complex")
	}
	expr, diags := hclsyntax.ParseExpression(src, "value", hcl.InitialPos)
	if diags.HasErrors() || len(expr.Variables()) > 0 || checkLiterals(expr) != nil {
		return fail("")
	}
	e.meter.begin()
	v, diags := guard(expr, e.meter).Value(&hcl.EvalContext{})
	if diags.HasErrors() || e.meter.tripped != nil {
		return fail("")
	}
	v, err := convert.Convert(v, want)
	if err != nil || v.IsNull() {
		return fail("")
	}
	return v, true
}

// defaultType is the type of a variable that declares none.
func (e *evaluator) defaultType(n *node) cty.Type {
	if a := n.args.get("default"); a != nil && len(a.refs) == 0 {
		if v, ok := e.eval(a, nil); ok && !v.IsNull() {
			return v.Type()
		}
	}
	return cty.String
}

func literalExample(t cty.Type) string {
	switch {
	case t == cty.Number:
		return "3"
	case t == cty.Bool:
		return "true"
	case t.IsMapType(), t.IsObjectType():
		return `{ name = "value" }`
	default:
		return `["a", "b"]`
	}
}

// typeError is the reason of a failed conversion, as the end of a sentence.
func typeError(err error) string { return strings.TrimSuffix(err.Error(), ".") }
