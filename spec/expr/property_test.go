package expr_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	. "github.com/fairlead/fairlead/spec/expr"
)

// ops are all operations, and one that is none.
var ops = []Op{Literal, Ref, Template, List, Object, Index, Call, Cond, Not, Neg, And, Or, Eq, Ne, Lt, Le, Gt, Ge, Add, Sub, Mul, Div, Mod, "??"}

func anyValue(t *rapid.T) any {
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return rapid.Float64().Draw(t, "number")
	case 3:
		return rapid.SampledFrom([]string{"", "a", "1.2.3", ">= 1", "[a-z]*", "${"}).Draw(t, "text")
	case 4:
		return []any{1.0, "a", true}
	default:
		return map[string]any{"a": 1.0, "b": []any{}}
	}
}

func anyExpr(t *rapid.T, depth int) Expr {
	o := rapid.SampledFrom(ops).Draw(t, "op")
	if depth == 0 {
		o = rapid.SampledFrom([]Op{Literal, Ref}).Draw(t, "leaf")
	}
	e := Expr{Op: o}
	switch o {
	case Literal:
		e.Value = anyValue(t)
		return e
	case Ref:
		e.Path = rapid.SampledFrom([][]string{nil, {"model", "name"}, {"step", "evaluate", "metrics", "nan"}, {"step", "evaluate", "metrics", "accuracy"}, {"model", "owners"}, {"nobody"}}).Draw(t, "path")
		return e
	case Call:
		e.Name = rapid.SampledFrom([]string{"length", "contains", "min", "max", "abs", "round", "regex", "semver", "coalesce", "try", "can", "alltrue", "anytrue", "keys", "values", "upper", "nothing"}).Draw(t, "name")
	default:
	}
	for range rapid.IntRange(0, 3).Draw(t, "args") {
		e.Args = append(e.Args, anyExpr(t, depth-1))
	}
	return e
}

// Whatever it is given, Eval ends in a value of a known kind or in one of the
// errors, and again the same after a way through JSON. No value that counts is NaN.
func checkEval(t interface{ Fatalf(string, ...any) }, e Expr) {
	v, err := e.Eval(facts)
	_, isMissing := errors.AsType[*MissingError](err)
	_, isWrong := errors.AsType[*TypeError](err)
	if err != nil && !isMissing && !isWrong && !errors.Is(err, ErrTooLarge) {
		t.Fatalf("%s: an error of no kind: %v", e, err)
	}
	switch v := v.(type) {
	case nil, bool, string, []any, map[string]any:
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Fatalf("%s is %v", e, v)
		}
	default:
		t.Fatalf("%s is a %T", e, v)
	}
	holds, holdsErr := e.Holds(facts)
	if holds && (err != nil || holdsErr != nil || v != true) {
		t.Fatalf("%s holds, and is %v, %v, %v", e, v, err, holdsErr)
	}
	e.Refs()
	if text := e.Explain(facts); !utf8.ValidString(text) && utf8.ValidString(e.String()) {
		t.Fatalf("%s is explained by %q", e, text)
	}
	_, _ = e.Text(facts)
	data, jsonErr := json.Marshal(e)
	if jsonErr != nil {
		return // NaN, which no config repo can write
	}
	var back Expr
	if jsonErr := json.Unmarshal(data, &back); jsonErr != nil {
		t.Fatalf("%s: %v", data, jsonErr)
	}
	again, againErr := back.Eval(facts)
	if (err == nil) != (againErr == nil) || err == nil && !reflect.DeepEqual(v, again) {
		t.Fatalf("%s is %v, %v, and after a way through JSON %v, %v", e, v, err, again, againErr)
	}
}

func TestEvalOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkEval(t, anyExpr(t, 4)) })
}

func FuzzEval(f *testing.F) {
	for _, e := range []Expr{
		op(Ge, accuracy, 0.95), op(And, op(Ge, absent, 1), false), call("semver", "1.2.3", "~> 1.2"), op(Template, "a", ref("param.share")),
		op(Cond, true, list(1, op(Index, ref("model.owners"), 0)), op(Object, "a", nil)), call("regex", "(a+)+", "aaaa"),
	} {
		data, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Expr
		if json.Unmarshal(data, &e) == nil {
			checkEval(t, e)
		}
	})
}

// De Morgan holds with three values, too.
func TestDeMorgan(t *testing.T) {
	truths := []Expr{Of(true), Of(false), op(Ge, absent, 1)}
	for _, a := range truths {
		for _, b := range truths {
			left := outcome(t, op(Not, op(And, a, b)))
			right := outcome(t, op(Or, op(Not, a), op(Not, b)))
			if left != right {
				t.Errorf("%s, %s: %v and %v", a, b, left, right)
			}
		}
	}
}

func BenchmarkHolds(b *testing.B) {
	e := op(And, op(Ge, accuracy, 0.95), op(Ge, accuracy, op(Sub, call("try", ref("live.digits.metrics.accuracy"), 0), 0.005)))
	b.ReportAllocs()
	for b.Loop() {
		if holds, err := e.Holds(facts); !holds || err != nil {
			b.Fatal(err)
		}
	}
}
