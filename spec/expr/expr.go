// Package expr holds the conditions and templates of a config repo that cannot be
// evaluated when it is loaded, because they are about facts which are only known
// later: the metrics of a step, the version that is live, a parameter of a run.
//
// Package lang compiles HCL into an [Expr]; whoever knows the facts evaluates it.
// An Expr is plain data: it can be stored with a run as JSON, and evaluates to the
// same value wherever and whenever that is done with the same facts.
//
// There are three truth values. A fact that is absent makes what depends on it
// missing, and missing is no evidence: [Expr.Holds] never reads it as true.
package expr

// Op is what an Expr does with its Args.
type Op string

// The operations.
const (
	Literal  Op = "literal"  // Value
	Ref      Op = "ref"      // the fact at Path
	Template Op = "template" // Args as text, one after the other
	List     Op = "list"     // Args
	Object   Op = "object"   // Args are name, value, name, value, ...
	Index    Op = "index"    // Args[0] at Args[1]
	Call     Op = "call"     // the function Name of Args
	Cond     Op = "cond"     // Args[0] ? Args[1] : Args[2]

	Not Op = "!"
	Neg Op = "neg"
	And Op = "&&"
	Or  Op = "||"
	Eq  Op = "=="
	Ne  Op = "!="
	Lt  Op = "<"
	Le  Op = "<="
	Gt  Op = ">"
	Ge  Op = ">="
	Add Op = "+"
	Sub Op = "-"
	Mul Op = "*"
	Div Op = "/"
	Mod Op = "%"
)

// Expr is one expression. The zero Expr is none.
type Expr struct {
	Op Op `json:"op"`
	// Value of a Literal: nil, bool, float64, string, []any or map[string]any, as
	// encoding/json has them. All values of expressions are of these types.
	Value any      `json:"value,omitempty"`
	Path  []string `json:"path,omitempty"` // of a Ref: step, evaluate, metrics, accuracy
	Name  string   `json:"name,omitempty"` // of a function
	Args  []Expr   `json:"args,omitempty"`
	// Source is the expression as it was written, at the outermost Expr only.
	Source string `json:"source,omitempty"`
}

// IsZero tells whether nothing was written.
func (e Expr) IsZero() bool { return e.Op == "" }

// Of is the literal of a value.
func Of(value any) Expr { return Expr{Op: Literal, Value: value} }

// Facts are what can be referred to, nested by the parts of a path:
// step.evaluate.metrics.accuracy is at ["step"]["evaluate"]["metrics"]["accuracy"].
type Facts map[string]any
