package schema

// Type is what the value of an argument must be.
type Type string

// The types. Each is also the word that the reference page shows.
const (
	String       Type = "string"
	Version      Type = "version"  // a quoted string; a bare number is refused, as 1.10 would become "1.1"
	Bool         Type = "bool"     // true or false
	Integer      Type = "integer"  // a whole number
	Number       Type = "number"   // any finite number
	Percent      Type = "percent"  // a whole number from 0 to 100
	Duration     Type = "duration" // "500ms", "30s", "1h30m", "2d"
	Size         Type = "size"     // "64kB", "256MiB", "2GiB"
	StringList   Type = "list of strings"
	IntegerList  Type = "list of integers"
	Env          Type = "map of strings or secrets"
	SecretMap    Type = "map of secrets"
	SecretList   Type = "list of secrets"
	Secret       Type = "secret"
	TextOrSecret Type = "string or secret"
	GPUs         Type = "GPUs" // a number, the word all, or a list of ids
	Keyword      Type = "keyword"
	KeywordList  Type = "list of keywords"
	Ref          Type = "reference"
	RefList      Type = "list of references"
	Constraint   Type = "type constraint" // string, number, list(string), ...
	Any          Type = "any value"
	Time         Type = "date or time" // "2026-11-21", or RFC 3339
	StringMap    Type = "map of strings"
	NumberMap    Type = "map of numbers"
	ValueMap     Type = "map of strings, numbers or bools"
	Axes         Type = "map of lists"

	// What a pipeline reads, and what starts it.
	Input    Type = "reference to an output"                // step.split.train, select.best.model
	Inputs   Type = "map of references to data and outputs" // { data = dataset.digits }
	Triggers Type = "list of triggers"                      // [change, dataset.digits]

	// Expressions of facts that are not known when the commit is read.
	Condition  Type = "condition"
	Conditions Type = "list of conditions"
	Words      Type = "list of expressions"
	Variables  Type = "map of expressions or secrets"
	Bump       Type = "keyword, or expression"
)

// Literal tells whether a value of the type is fixed by the text of the spec:
// it is read, not evaluated, so no expression can stand there.
func (t Type) Literal() bool {
	switch t {
	case Keyword, KeywordList, Ref, RefList, Constraint, Input, Inputs, Triggers:
		return true
	default:
		return false
	}
}

// Late tells whether a value of the type may be of facts that are known only
// later: param.share, step.train.metrics.accuracy. What of it is known when the
// commit is read is evaluated then.
func (t Type) Late() bool {
	switch t {
	case Condition, Conditions, Words, Variables, Bump:
		return true
	default:
		return false
	}
}

// Argument is one `name = value`.
type Argument struct {
	Name     string   `json:"name"`
	Type     Type     `json:"type"`
	Required bool     `json:"required,omitempty"`
	Default  string   `json:"default,omitempty"`  // as HCL; "" if there is none
	Note     string   `json:"note,omitempty"`     // what the default depends on
	Keywords []string `json:"keywords,omitempty"` // of a Keyword or KeywordList, of Triggers and a Bump
	Refers   string   `json:"refers,omitempty"`   // kind of block that a Ref names, or several: step or select
	Reads    []string `json:"reads,omitempty"`    // roots of the facts that a late expression can refer to
	Min      *float64 `json:"min,omitempty"`      // smallest number, seconds or bytes
	Max      *float64 `json:"max,omitempty"`      // largest
	Since    string   `json:"since"`
	Doc      string   `json:"doc"`
	Example  string   `json:"example,omitempty"` // as HCL
}

// Block is one kind of block.
type Block struct {
	Name  string `json:"name"`
	Label string `json:"label,omitempty"` // what its one label means; "" without label
	// LabelRule says which labels are allowed.
	LabelRule LabelRule `json:"label_rule,omitempty"`
	Repeats   bool      `json:"repeats,omitempty"` // may stand more than once; with a label: once per label
	Instances bool      `json:"instances,omitempty"`
	Free      bool      `json:"free,omitempty"`   // any argument name is allowed
	Adds      bool      `json:"adds,omitempty"`   // blocks with one label add up instead of being duplicates
	Always    bool      `json:"always,omitempty"` // its defaults hold where it is not written, too
	Since     string    `json:"since"`
	Doc       string    `json:"doc"`
	Example   string    `json:"example,omitempty"` // as HCL

	Arguments []*Argument `json:"arguments,omitempty"`
	Blocks    []*Block    `json:"blocks,omitempty"`
}

// LabelRule says which labels a block may carry.
type LabelRule string

// The label rules.
const (
	LabelName LabelRule = "name"       // spec.ValidName
	LabelID   LabelRule = "identifier" // what can stand behind a dot: my_var, Region
	LabelPath LabelRule = "path"       // an absolute path
	LabelText LabelRule = "text"       // anything that is not empty
)

// Argument returns the argument with that name, or nil.
func (b *Block) Argument(name string) *Argument {
	for _, a := range b.Arguments {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// Block returns the nested block with that name, or nil.
func (b *Block) Block(name string) *Block {
	for _, n := range b.Blocks {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// List tells whether blocks of this kind stand in an order, and have no label that
// tells one from the other.
func (b *Block) List() bool { return b.Repeats && (b.Label == "" || b.Adds) }

// bound is a limit of a number, written where it is used.
func bound(n float64) *float64 { return &n }
