package lang

import (
	"strconv"
	"time"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/schema"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// section is a block of one instance, about to become Go values. Its methods
// take an argument by name, with the type, the default and the bounds that the
// schema gives it, so that a decoder is a list of fields.
//
// An argument that is wrong yields its zero value after it was reported; the
// Config of such a load is not used.
type section struct {
	ev *evaluator
	n  *node
	sc *scope
}

// child is the nested block that may stand once. Where it does not stand, all
// of its arguments have their defaults.
func (s section) child(name string) (section, bool) {
	if b := s.n.child(name); b != nil {
		return section{s.ev, b, s.sc}, true
	}
	return section{s.ev, &node{place: s.n.place, schema: s.n.schema.Block(name), rng: s.n.rng, end: s.n.end}, s.sc}, false
}

func (s section) children(name string) []section {
	var found []section
	for _, b := range s.n.children(name) {
		found = append(found, section{s.ev, b, s.sc})
	}
	return found
}

func (s section) errorf(at hcl.Range, summary, format string, args ...any) {
	s.ev.errorf(at, s.n.place, summary, format, args...)
}

// at is where an argument stands, or the block if it does not.
func (s section) at(name string) hcl.Range {
	if a := s.n.args.get(name); a != nil {
		return a.rng
	}
	return s.n.rng
}

// has tells whether the argument is written and not null.
func (s section) has(name string) bool {
	a := s.n.args.get(name)
	if a == nil {
		return false
	}
	if a.broken || a.schema.Type.Literal() || a.keywords != nil {
		return true
	}
	if a.schema.Type.Late() {
		return !isNull(a.expr)
	}
	v, ok := s.value(name)
	return !ok || !v.IsNull()
}

// evaluates tells whether an argument that is written has a value of its type.
func (s section) evaluates(name string) bool {
	_, ok := s.typed(name)
	return ok
}

// value evaluates an argument once and for all: whoever asks for it again, also
// from another block, gets the same.
func (s section) value(name string) (cty.Value, bool) {
	a := s.n.args.get(name)
	return s.ev.evalOnce(a, s.sc)
}

// typed is the value in the form that the schema asks for: converted, in
// bounds, or the default. It is null where there is neither.
func (s section) typed(name string) (cty.Value, bool) {
	def := s.n.schema.Argument(name)
	a := s.n.args.get(name)
	if a != nil {
		v, ok := s.value(name)
		if !ok {
			return cty.NilVal, false
		}
		if !v.IsNull() {
			return s.ev.convertOnce(a, v, s.sc)
		}
	}
	if def.Required {
		s.missing(def)
		return cty.NilVal, false
	}
	return defaultValue(def), true
}

// missing reports a required argument, at the place where it would go.
func (s section) missing(def *schema.Argument) {
	s.errorf(s.n.rng, "Missing argument", "%s needs %s: %s For example:\n    %s = %s", blockWords(s.n), def.Name, def.Doc, def.Name, example(def))
	s.ev.fail()
}

// defaultValue is the default of the table as a value.
func defaultValue(def *schema.Argument) cty.Value {
	if def.Default == "" {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	if text, err := strconv.Unquote(def.Default); err == nil {
		v, _ := convertTo(def, cty.StringVal(text))
		return v
	}
	switch def.Type {
	case schema.Bool:
		return cty.BoolVal(def.Default == "true")
	case schema.Integer, schema.Number, schema.Percent:
		return cty.MustParseNumberVal(def.Default)
	default:
		return cty.StringVal(def.Default)
	}
}

func (s section) str(name string) string {
	v, ok := s.typed(name)
	if !ok || v.IsNull() {
		return ""
	}
	return v.AsString()
}

func (s section) boolean(name string) bool {
	v, ok := s.typed(name)
	return ok && !v.IsNull() && v.True()
}

func (s section) int64(name string) int64 {
	v, ok := s.typed(name)
	if !ok || v.IsNull() {
		return 0
	}
	n, _ := v.AsBigFloat().Int64()
	return n
}

func (s section) integer(name string) int { return int(s.int64(name)) }

func (s section) float(name string) float64 {
	if f := s.optional(name); f != nil {
		return *f
	}
	return 0
}

// optional is a number that may be left out.
func (s section) optional(name string) *float64 {
	v, ok := s.typed(name)
	if !ok || v.IsNull() {
		return nil
	}
	f, _ := v.AsBigFloat().Float64()
	return &f
}

// duration reads what convertTo made of it: nanoseconds.
func (s section) duration(name string) time.Duration { return time.Duration(s.int64(name)) }

func (s section) stringList(name string) []string {
	v, ok := s.typed(name)
	if !ok || v.IsNull() {
		return nil
	}
	list := make([]string, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		_, item := it.Element()
		list = append(list, item.AsString())
	}
	return list
}

func (s section) integerList(name string) []int64 {
	v, ok := s.typed(name)
	if !ok || v.IsNull() {
		return nil
	}
	list := make([]int64, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		_, item := it.Element()
		n, _ := item.AsBigFloat().Int64()
		list = append(list, n)
	}
	return list
}

// keyword is the one bare word of an argument.
func (s section) keyword(name string) string {
	def := s.n.schema.Argument(name)
	switch a := s.n.args.get(name); {
	case a == nil && def.Required:
		s.missing(def)
		return ""
	case a == nil:
		return def.Default
	case a.broken || len(a.keywords) == 0:
		s.ev.fail()
		return ""
	default:
		return a.keywords[0].word
	}
}

// address is the object that an argument of reference type names.
func (s section) address(name string) (spec.Address, bool) {
	def := s.n.schema.Argument(name)
	a := s.n.args.get(name)
	if a == nil && def.Required {
		s.missing(def)
	}
	if a == nil || a.broken || len(a.targets) == 0 {
		if a != nil && a.broken {
			s.ev.fail()
		}
		return spec.Address{}, false
	}
	return s.targetAddress(a, a.targets[0])
}

// targetAddress is the object that one of the references of an argument names.
func (s section) targetAddress(a *arg, t target) (spec.Address, bool) {
	address := spec.Address{Kind: spec.Kind(t.kind), Name: t.name}
	if t.key == nil {
		return address, true
	}
	v, ok := s.ev.evalExpr(a, t.key, t.refs, s.sc)
	if !ok {
		return spec.Address{}, false
	}
	key, err := toType(v, cty.String)
	if err != nil || key.IsNull() || !spec.ValidKey(key.AsString()) {
		s.errorf(t.rng, "Unknown instance", "The key in the brackets names an instance, and none can have this one: keys hold a-z, 0-9, _ and -.")
		s.ev.fail()
		return spec.Address{}, false
	}
	address.Key = key.AsString()
	return address, true
}

// member is the value of one key of a map argument as it is written, or nil
// where the map is made by other means.
func (s section) member(name, key string) hcl.Expression {
	a := s.n.args.get(name)
	if a == nil || a.expr == nil {
		return nil
	}
	object, isObject := hcl.UnwrapExpression(a.expr).(*hclsyntax.ObjectConsExpr)
	if !isObject {
		return nil
	}
	for _, item := range object.Items {
		if k, diags := item.KeyExpr.Value(nil); !diags.HasErrors() && k.Type() == cty.String && k.IsKnown() && !k.IsNull() && k.AsString() == key {
			return item.ValueExpr
		}
	}
	return nil
}

// memberAt is where a key of a map argument has its value.
func (s section) memberAt(name, key string) hcl.Range {
	if m := s.member(name, key); m != nil {
		return m.Range()
	}
	return s.at(name)
}

// isLiteral tells whether the value of a key is written down as it is.
func (s section) isLiteral(name, key string) bool {
	_, literal := s.member(name, key).(*hclsyntax.LiteralValueExpr)
	return literal
}
