package lang

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions is the whole function table. Every one is pure: nothing reads the
// clock, the environment, the network or randomness, so a commit always means
// the same. The one window is file(), which the evaluator adds: it reads files
// of the same commit.
//
// yamldecode is left out: aliases make it an amplifier that no budget sees in
// time.
func functions(l Limits) map[string]function.Function {
	return map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "log": stdlib.LogFunc,
		"max": stdlib.MaxFunc, "min": stdlib.MinFunc, "parseint": stdlib.ParseIntFunc, "pow": stdlib.PowFunc, "signum": stdlib.SignumFunc,

		"chomp": stdlib.ChompFunc, "format": bounded(stdlib.FormatFunc, l, formatSize), "formatlist": bounded(stdlib.FormatListFunc, l, formatSize),
		"indent": bounded(stdlib.IndentFunc, l, indentSize), "join": bounded(stdlib.JoinFunc, l, joinSize), "lower": stdlib.LowerFunc,
		"regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc, "regex_replace": bounded(stdlib.RegexReplaceFunc, l, replaceSize),
		"replace": bounded(stdlib.ReplaceFunc, l, replaceSize), "split": stdlib.SplitFunc, "strlen": stdlib.StrlenFunc,
		"strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc, "title": stdlib.TitleFunc, "trim": stdlib.TrimFunc,
		"trimprefix": stdlib.TrimPrefixFunc, "trimspace": stdlib.TrimSpaceFunc, "trimsuffix": stdlib.TrimSuffixFunc, "upper": stdlib.UpperFunc,
		"startswith": affixFunc(strings.HasPrefix, "prefix"), "endswith": affixFunc(strings.HasSuffix, "suffix"),
		"strcontains": affixFunc(strings.Contains, "text"),

		"chunklist": stdlib.ChunklistFunc, "coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc,
		"compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc,
		"element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc, "index": indexFunc(), "keys": stdlib.KeysFunc,
		"length": stdlib.LengthFunc, "lookup": lookupFunc(), "merge": stdlib.MergeFunc, "range": stdlib.RangeFunc,
		"reverse": stdlib.ReverseListFunc, "setintersection": stdlib.SetIntersectionFunc, "setproduct": bounded(stdlib.SetProductFunc, l, productSize),
		"setsubtract": stdlib.SetSubtractFunc, "setunion": stdlib.SetUnionFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc,
		"values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,

		"tobool": stdlib.MakeToFunc(cty.Bool), "tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
		"tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)), "tonumber": stdlib.MakeToFunc(cty.Number),
		"toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), "tostring": stdlib.MakeToFunc(cty.String),

		"csvdecode": stdlib.CSVDecodeFunc, "jsondecode": bounded(stdlib.JSONDecodeFunc, l, jsonSize(l)), "jsonencode": bounded(stdlib.JSONEncodeFunc, l, plainSize),
		"try": tryfunc.TryFunc, "can": tryfunc.CanFunc,
	}
}

// bounded refuses a call whose result would break a limit before the result is
// made: some functions make much of little, and the budget sees results only.
func bounded(f function.Function, l Limits, size func(args []cty.Value) (int, error)) function.Function {
	return function.New(&function.Spec{
		Description: f.Description(), Params: f.Params(), VarParam: f.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if err := withinBounds(args, l, size); err != nil {
				return cty.DynamicPseudoType, err
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return f.Call(args)
		},
	})
}

func withinBounds(args []cty.Value, l Limits, size func([]cty.Value) (int, error)) error {
	for _, a := range args {
		if !a.IsWhollyKnown() || a.IsNull() {
			return nil // the function itself says what is wrong
		}
	}
	n, err := size(args)
	if err == nil && n > l.TextBytes {
		err = fmt.Errorf("the result would exceed the limit of %d bytes or elements", l.TextBytes)
	}
	return err
}

// formatSize refuses verbs that pad to thousands of characters.
func formatSize(args []cty.Value) (int, error) {
	run := 0
	for _, c := range args[0].AsString() {
		if c < '0' || c > '9' {
			run = 0
			continue
		}
		if run++; run > 3 {
			return 0, errors.New("a verb of the format may have a width of 999 at the most")
		}
	}
	return 0, nil
}

func indentSize(args []cty.Value) (int, error) {
	spaces, _ := args[0].AsBigFloat().Int64()
	return product(1+strings.Count(args[1].AsString(), "\n"), int(min(max(spaces, 0), 1<<40))), nil
}

func joinSize(args []cty.Value) (int, error) {
	n := 0
	for _, list := range args[1:] {
		if list.CanIterateElements() {
			n += list.LengthInt()
		}
	}
	return product(n, len(args[0].AsString())), nil
}

func replaceSize(args []cty.Value) (int, error) {
	return product(len(args[0].AsString())+1, len(args[2].AsString())), nil
}

func productSize(args []cty.Value) (int, error) {
	n := 1
	for _, set := range args {
		if set.CanIterateElements() {
			n = product(n, set.LengthInt())
		}
	}
	return product(n, 100), nil // 10,000 elements
}

// product is a times b without overflow.
func product(a, b int) int {
	const most = 1 << 40
	if a != 0 && b > most/a {
		return most
	}
	return a * b
}

// jsonSize refuses JSON that is nested too deep: reading it is recursive.
func jsonSize(l Limits) func([]cty.Value) (int, error) {
	return func(args []cty.Value) (int, error) {
		text := args[0].AsString()
		if e := l.checkJSON([]byte(text), ""); e != nil {
			return 0, fmt.Errorf("line %d of the text: %s", e.rng.Start.Line, strings.ToLower(e.detail[:1])+e.detail[1:])
		}
		return len(text), nil
	}
}

// plainSize refuses secrets, which are names here and no text.
func plainSize(args []cty.Value) (int, error) {
	return 0, cty.Walk(args[0], func(_ cty.Path, v cty.Value) (bool, error) {
		if v.Type() == secretType {
			return false, errors.New("a secret is no text, and cannot become part of one; give it to the container as a file or a variable of its own")
		}
		return true, nil
	})
}

// affixFunc is a function that compares two strings.
func affixFunc(has func(s, part string) bool, part string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "str", Type: cty.String}, {Name: part, Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(has(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// lookupFunc is lookup(map, key, default) with an optional default, which the
// standard one demands.
func lookupFunc() function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "map", Type: cty.DynamicPseudoType}, {Name: "key", Type: cty.String}},
		VarParam: &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowNull: true},
		Type:     function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			t := args[0].Type()
			if !t.IsMapType() && !t.IsObjectType() {
				return cty.DynamicVal, function.NewArgErrorf(0, "a map or an object is needed")
			}
			if len(args) > 3 {
				return cty.DynamicVal, function.NewArgErrorf(3, "lookup takes one default")
			}
			key := args[1].AsString()
			if v, found := args[0].AsValueMap()[key]; found {
				return v, nil
			}
			if len(args) == 3 {
				return args[2], nil
			}
			return cty.DynamicVal, errors.New("the map has no such key, and there is no default")
		},
	})
}

// indexFunc is index(list, value): the position of the value.
func indexFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}, {Name: "value", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if t := args[0].Type(); !t.IsListType() && !t.IsTupleType() {
				return cty.DynamicVal, function.NewArgErrorf(0, "a list is needed")
			}
			for it := args[0].ElementIterator(); it.Next(); {
				position, v := it.Element()
				if eq, err := stdlib.Equal(v, args[1]); err == nil && eq.IsKnown() && eq.True() {
					return position, nil
				}
			}
			return cty.DynamicVal, errors.New("the list has no such element")
		},
	})
}

// toType converts a value, with the reason as an error.
func toType(v cty.Value, t cty.Type) (cty.Value, error) { return convert.Convert(v, t) }
