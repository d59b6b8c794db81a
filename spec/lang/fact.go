package lang

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec/expr"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// factRoots are the words that a reference to a fact starts with, which is known
// only when a run is under way or an object is judged.
var factRoots = [...]string{"param", "matrix", "step", "select", "dataset", "live", "model", "pipeline", "run", "from"}

// fact is a reference to a fact, as it was written.
type factRef struct {
	path []string // with the key of an instance in the name: live, digits-eu, metrics, accuracy
	name string   // the second word as written
	key  string   // of an instance
	rng  hcl.Range
}

func (f factRef) String() string { return strings.Join(f.path, ".") }

// lookup compiles a reference to a fact, or to something in a computed value.
func (c *compiler) lookup(e hclsyntax.Expression) expr.Expr {
	if f, rest, ok := c.reference(e); ok {
		return c.refer(f, rest)
	}
	if c.failed {
		return expr.Expr{}
	}
	switch e := e.(type) {
	case *hclsyntax.IndexExpr:
		return c.op(expr.Index, e.Collection, e.Key)
	case *hclsyntax.RelativeTraversalExpr:
		x := c.compile(e.Source)
		for _, step := range e.Traversal {
			key, ok := c.traverserKey(step)
			if !ok {
				return expr.Expr{}
			}
			x = expr.Expr{Op: expr.Index, Args: []expr.Expr{x, key}}
		}
		return x
	default:
		return c.errorf(e.Range(), "Invalid reference", "This names no fact.")
	}
}

func (c *compiler) traverserKey(step hcl.Traverser) (expr.Expr, bool) {
	switch step := step.(type) {
	case hcl.TraverseAttr:
		return expr.Of(step.Name), true
	case hcl.TraverseIndex:
		x := c.literal(step.Key, step.SrcRange)
		return x, !c.failed
	default:
		c.errorf(step.SourceRange(), "Loop over facts", "There is no [*] over what is known only later. Name one element.")
		return expr.Expr{}, false
	}
}

// reference reads a chain of .name and ["key"] that starts with a word of facts.
// A position in a list ends the path of the fact; what follows is the rest.
func (c *compiler) reference(e hclsyntax.Expression) (f factRef, rest []expr.Expr, ok bool) {
	var keys []expr.Expr
	switch e := bare(e).(type) {
	case *hclsyntax.ParenthesesExpr:
		return c.reference(e.Expression)
	case *hclsyntax.ScopeTraversalExpr:
		f = factRef{path: []string{e.Traversal.RootName()}}
		for i, step := range e.Traversal[1:] {
			key, good := c.traverserKey(step)
			if !good {
				return f, nil, false
			}
			_, indexed := step.(hcl.TraverseIndex)
			rest = f.extend(rest, key, indexed && i == 1 && c.instanced(f))
		}
		f.rng = e.SrcRange
		return f, rest, true
	case *hclsyntax.IndexExpr:
		f, rest, ok = c.reference(e.Collection)
		if !ok || ofFacts(e.Key, nil) {
			return f, rest, false
		}
		key := c.compile(e.Key)
		return c.extended(f, rest, append(keys, key), len(f.path) == 2 && len(rest) == 0 && c.instanced(f), e.SrcRange)
	case *hclsyntax.RelativeTraversalExpr:
		f, rest, ok = c.reference(e.Source)
		if !ok {
			return f, rest, false
		}
		for _, step := range e.Traversal {
			key, good := c.traverserKey(step)
			if !good {
				return f, nil, false
			}
			keys = append(keys, key)
		}
		return c.extended(f, rest, keys, false, e.SrcRange)
	default:
		return f, nil, false
	}
}

func (c *compiler) extended(f factRef, rest, keys []expr.Expr, instance bool, rng hcl.Range) (factRef, []expr.Expr, bool) {
	for _, key := range keys {
		rest = f.extend(rest, key, instance)
	}
	f.rng = rng
	return f, rest, !c.failed
}

// instanced tells whether ["key"] behind the name names an instance.
func (c *compiler) instanced(f factRef) bool {
	return !c.subject && slices.Contains([]string{"live", "model", "dataset"}, f.path[0])
}

// extend adds one step to the path, or to the rest where the path has ended.
func (f *factRef) extend(rest []expr.Expr, key expr.Expr, instance bool) []expr.Expr {
	word, isWord := key.Value.(string)
	switch {
	case !isWord || len(rest) > 0:
		return append(rest, key)
	case instance && f.key == "":
		f.key = word
		f.path[1] += "-" + word
	default:
		if len(f.path) == 1 {
			f.name = word
		}
		f.path = append(slices.Clone(f.path), word)
	}
	return nil
}

// refer notes the fact, so that it can be checked when all is known.
func (c *compiler) refer(f factRef, rest []expr.Expr) expr.Expr {
	root := f.path[0]
	switch {
	case !slices.Contains(c.a.schema.Reads, root):
		return c.errorf(f.rng, "Fact not known here", "%s can refer to %s, not to %s.%s", c.a.name, strings.Join(c.a.schema.Reads, ", "), root, elsewhere(root))
	case len(f.path) < 2:
		return c.errorf(f.rng, "Incomplete reference", "%q alone is no fact. Write which one: %s.", root, factExample(root))
	}
	c.facts = append(c.facts, f)
	x := expr.Expr{Op: expr.Ref, Path: f.path}
	for _, key := range rest {
		x = expr.Expr{Op: expr.Index, Args: []expr.Expr{x, key}}
	}
	return x
}

// elsewhere tells where facts of a kind can be read.
func elsewhere(root string) string {
	switch root {
	case "matrix":
		return " What a variant was made with is known in its step; of the best one read select.NAME.values.NAME."
	case "pipeline":
		return " Only a policy judges pipelines."
	case "from":
		return " Only a promote block is about another environment."
	default:
		return ""
	}
}

func factExample(root string) string {
	switch root {
	case "step", "select":
		return root + ".NAME.metrics.METRIC"
	case "live":
		return "live.MODEL.metrics.METRIC"
	case "dataset":
		return "dataset.NAME.digest"
	case "run":
		return "run.id"
	case "from":
		return "from.restarts"
	case "param", "matrix":
		return root + ".NAME"
	default:
		return root + ".owners"
	}
}

// bare is an expression without the guards around it.
func bare(e hclsyntax.Expression) hclsyntax.Expression {
	for {
		switch g := e.(type) {
		case *guarded:
			e = g.Expression
		case *counted:
			e = g.Expression
		default:
			return e
		}
	}
}

// ofFacts tells whether an expression reads a fact. Names that a loop around it
// binds are none.
func ofFacts(e hclsyntax.Expression, bound []string) bool {
	any := func(list ...hclsyntax.Expression) bool {
		return slices.ContainsFunc(list, func(e hclsyntax.Expression) bool { return e != nil && ofFacts(e, bound) })
	}
	switch e := bare(e).(type) {
	case *hclsyntax.ScopeTraversalExpr:
		root := e.Traversal.RootName()
		return contains(factRoots[:], root) && !contains(bound, root)
	case *hclsyntax.TemplateExpr:
		return any(e.Parts...)
	case *hclsyntax.TemplateWrapExpr:
		return any(e.Wrapped)
	case *hclsyntax.TemplateJoinExpr:
		return any(e.Tuple)
	case *hclsyntax.ParenthesesExpr:
		return any(e.Expression)
	case *hclsyntax.RelativeTraversalExpr:
		return any(e.Source)
	case *hclsyntax.FunctionCallExpr:
		return any(e.Args...)
	case *hclsyntax.ConditionalExpr:
		return any(e.Condition, e.TrueResult, e.FalseResult)
	case *hclsyntax.IndexExpr:
		return any(e.Collection, e.Key)
	case *hclsyntax.TupleConsExpr:
		return any(e.Exprs...)
	case *hclsyntax.ObjectConsExpr:
		for _, item := range e.Items {
			if any(item.KeyExpr, item.ValueExpr) {
				return true
			}
		}
		return false
	case *hclsyntax.ObjectConsKeyExpr:
		return (e.ForceNonLiteral || hcl.ExprAsKeyword(e.Wrapped) == "") && any(e.Wrapped)
	case *hclsyntax.ForExpr:
		if any(e.CollExpr) {
			return true
		}
		bound = append(slices.Clone(bound), e.KeyVar, e.ValVar)
		return any(e.KeyExpr, e.ValExpr, e.CondExpr)
	case *hclsyntax.SplatExpr:
		return any(e.Source, e.Each)
	case *hclsyntax.BinaryOpExpr:
		return any(e.LHS, e.RHS)
	case *hclsyntax.UnaryOpExpr:
		return any(e.Val)
	default:
		return false
	}
}
