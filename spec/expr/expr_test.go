package expr_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	. "github.com/fairlead/fairlead/spec/expr"
)

// What the tests write expressions with.

func ref(path string) Expr { return Expr{Op: Ref, Path: strings.Split(path, ".")} }

func op(o Op, args ...any) Expr { return Expr{Op: o, Args: exprs(args)} }

func call(name string, args ...any) Expr { return Expr{Op: Call, Name: name, Args: exprs(args)} }

func list(args ...any) Expr { return op(List, args...) }

// exprs makes literals of what is no expression.
func exprs(args []any) []Expr {
	var out []Expr
	for _, a := range args {
		switch a := a.(type) {
		case Expr:
			out = append(out, a)
		case int:
			out = append(out, Of(float64(a)))
		default:
			out = append(out, Of(a))
		}
	}
	return out
}

var facts = Facts{
	"step": map[string]any{"evaluate": map[string]any{"metrics": map[string]float64{
		"accuracy": 0.9835, "nan": math.NaN(), "inf": math.Inf(1), "zero": 0,
	}}},
	"live":  map[string]any{"digits": map[string]any{"metrics": map[string]any{"accuracy": 0.981}}},
	"model": map[string]any{"name": "digits", "version": "1.4.2", "owners": []string{"@vision"}, "replicas": 3, "nothing": nil, "pinned": true, "license": "MIT", "none": []any{}},
	"param": map[string]any{"share": 0.2, "big": 9007199254740992.0, "huge": 1e300, "zero": math.Copysign(0, -1), "text": "a b", "on": true, "list": []any{1.0, "x"}},
}

var (
	accuracy = ref("step.evaluate.metrics.accuracy")
	nan      = ref("step.evaluate.metrics.nan")
	absent   = ref("step.evaluate.metrics.f1")
)

const missing, wrong = "missing", "wrong"

// outcome is a value, or what kind of error there is instead.
func outcome(t *testing.T, e Expr) any {
	t.Helper()
	v, err := e.Eval(facts)
	if err == nil {
		return v
	}
	if _, is := errors.AsType[*MissingError](err); is {
		return missing
	}
	if _, is := errors.AsType[*TypeError](err); is {
		return wrong
	}
	return err
}

func TestEval(t *testing.T) {
	for _, c := range []struct {
		e    Expr
		want any
	}{
		{op(Ge, accuracy, 0.95), true},
		{op(Lt, accuracy, 0.95), false},
		{op(Ge, accuracy, op(Sub, ref("live.digits.metrics.accuracy"), 0.005)), true},
		{op(Ge, nan, 0.95), missing},
		{op(Lt, nan, 0.95), missing},
		{op(Ne, nan, 0.95), missing},
		{op(Ge, ref("step.evaluate.metrics.inf"), 0.95), missing},
		{op(Ge, absent, 0.95), missing},
		{op(Not, op(Ge, absent, 0.95)), missing},
		{op(Eq, ref("model.nothing"), "x"), missing},
		{ref("model.replicas"), 3.0},
		{ref("nobody"), missing},
		{ref("model.name.first"), missing},

		// Three values.
		{op(And, false, absent), false},
		{op(And, op(Gt, absent, 1), false), false},
		{op(And, true, op(Gt, absent, 1)), missing},
		{op(And, op(Gt, absent, 1), op(Gt, absent, 1)), missing},
		{op(Or, op(Gt, absent, 1), true), true},
		{op(Or, true, op(Gt, absent, 1)), true},
		{op(Or, false, op(Gt, absent, 1)), missing},
		{op(And, "yes", true), wrong},
		{op(And, false, "yes"), false},
		{op(Cond, op(Gt, absent, 1), true, true), missing},
		{op(Cond, false, absent, "b"), "b"},

		// Whether something is there.
		{op(Eq, absent, nil), true},
		{op(Ne, absent, nil), false},
		{op(Ne, accuracy, nil), true},
		{op(Eq, nil, nan), true},
		{op(Eq, nil, nil), true},
		{call("can", absent), false},
		{call("can", accuracy), true},
		{call("can", op(Gt, "a", 1)), false},
		{call("try", absent, nan, 0), 0.0},
		{call("try", op(Gt, "a", 1), "no"), "no"},
		{call("try", absent), missing},
		{call("coalesce", absent, nil, "x"), "x"},
		{call("coalesce", op(Gt, "a", 1), "no"), wrong},

		// Kinds.
		{op(Eq, "1", 1), wrong},
		{op(Ne, "1", 1), wrong},
		{op(Eq, list(1, "a"), list(1, "a")), true},
		{op(Eq, list(1, "a"), list("a", 1)), false},
		{op(Eq, ref("model.owners"), list("@vision")), true},
		{op(Gt, "b", "a"), wrong},
		{op(Add, "a", "b"), wrong},
		{op(Neg, accuracy), -0.9835},
		{op(Mod, 7, 4), 3.0},
		{op(Div, 1, ref("step.evaluate.metrics.zero")), missing},
		{op(Mul, 1e300, 1e300), missing},
		{Of(math.NaN()), missing},
		{Of(struct{}{}), wrong},
		{Expr{Op: "**", Args: exprs([]any{1, 2})}, wrong},
		{Expr{Op: Add}, wrong},
		{Expr{}, wrong},
		{call("launch", 1), wrong},
		{call("lower"), wrong},

		// Collections.
		{op(Index, list(1, 2, 3), 1), 2.0},
		{op(Index, list(1, 2, 3), 3), missing},
		{op(Index, list(1, 2, 3), -1), wrong},
		{op(Index, list(1, 2, 3), 0.5), wrong},
		{op(Index, op(Object, "a", 1), "a"), 1.0},
		{op(Index, op(Object, "a", 1), "b"), missing},
		{op(Index, ref("model"), "name"), "digits"},
		{op(Object, "a", 1, "b"), wrong},
		{op(Object, 1, 1), wrong},
		{call("length", ref("model.owners")), 1.0},
		{call("length", "äöü"), 3.0},
		{call("length", 3), wrong},
		{call("contains", ref("model.owners"), "@vision"), true},
		{call("contains", list(1, 2), "1"), false},
		{call("contains", "digits", "git"), true},
		{call("contains", 1, 1), wrong},
		{call("keys", ref("live")), []any{"digits"}},
		{call("values", op(Object, "b", 2, "a", 1)), []any{1.0, 2.0}},
		{call("alltrue", list(true, op(Gt, absent, 1), false)), false},
		{call("alltrue", list(true, op(Gt, absent, 1))), missing},
		{call("anytrue", list(op(Gt, absent, 1), true)), true},
		{call("alltrue", list()), true},
		{call("anytrue", list()), false},
		{call("alltrue", ref("model.none")), true},
		{call("alltrue", ref("model.owners")), wrong},

		// Numbers and texts.
		{call("min", 3, 1, 2), 1.0},
		{call("max", list(3, 1, 2)), 3.0},
		{call("max", list()), wrong},
		{call("max", list(3, nan)), missing},
		{call("min", "a"), wrong},
		{call("abs", -2), 2.0},
		{call("floor", -1.5), -2.0},
		{call("ceil", 1.2), 2.0},
		{call("round", 2.5), 3.0},
		{call("round", 0.98351, 3), 0.984},
		{call("round", 1e308, 15), 1e308},
		{call("round", 1, 99), wrong},
		{call("upper", ref("model.name")), "DIGITS"},
		{call("lower", "Ä"), "ä"},
		{call("startswith", ref("model.name"), "dig"), true},
		{call("endswith", ref("model.name"), "dig"), false},
		{call("regex", "[a-z]+", ref("model.name")), true},
		{call("regex", "a|digit", ref("model.name")), false},
		{call("regex", "(", "x"), wrong},
		{call("regex", strings.Repeat("a", 2000), "x"), wrong},
		{op(Template, "v", ref("param.share"), "-", ref("param.on")), "v0.2-true"},
		{op(Template, "v", absent), missing},
		{op(Template, "v", list(1)), wrong},
	} {
		if got := outcome(t, c.e); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s is %v, want %v", c.e, got, c.want)
		}
	}
}

// The order is the example of section 11 of Semantic Versioning 2.0.0.
func TestSemver(t *testing.T) {
	ordered := []string{"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.9.0", "1.10.0", "2.0.0"}
	for i, v := range ordered {
		for j, w := range ordered {
			for o, want := range map[string]bool{"<": i < j, "<=": i <= j, ">": i > j, ">=": i >= j, "=": i == j, "!=": i != j, "": i == j} {
				if got := outcome(t, call("semver", v, o+" "+w)); got != want {
					t.Errorf("%s %s %s is %v", v, o, w, got)
				}
			}
		}
	}
	for _, c := range []struct {
		version, constraint string
		want                any
	}{
		{"1.4.2", ">= 1.2, < 2.0", true},
		{"2.0.0", ">= 1.2, < 2.0", false},
		{"1.4.2", "~> 1.2", true},
		{"2.4.2", "~> 1.2", false},
		{"1.3.0", "~> 1.2.3", false},
		{"1.2.9", "~> 1.2.3", true},
		{"1.4.2+build.7", "1.4.2", true},
		{"v1.4.2", "> 1", wrong},
		{"1.4", "> 1", wrong},
		{"01.4.2", "> 1", wrong},
		{"1.4.2-01", "> 1", wrong},
		{"1.4.2", "=> 1", wrong},
		{"1.4.2", "", wrong},
	} {
		if got := outcome(t, call("semver", c.version, c.constraint)); got != c.want {
			t.Errorf("semver(%q, %q) is %v, want %v", c.version, c.constraint, got, c.want)
		}
	}
}

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		e      Expr
		want   bool
		failed bool
	}{
		{op(Ge, accuracy, 0.95), true, false},
		{op(Ge, accuracy, 0.99), false, false},
		{op(Ge, nan, 0), false, true},
		{op(Lt, nan, 0), false, true},
		{Of("true"), false, true},
		{Of(nil), false, true},
		{Expr{}, false, true},
	} {
		got, err := c.e.Holds(facts)
		if got != c.want || (err != nil) != c.failed {
			t.Errorf("%s: %v, %v", c.e, got, err)
		}
	}
}

func TestText(t *testing.T) {
	for path, want := range map[string]string{
		"param.share": "0.2", "param.big": "9007199254740992", "param.huge": "1e+300", "param.zero": "0", "param.text": "a b",
		"param.on": "true", "param.list": `[1,"x"]`, "model.owners": `["@vision"]`, "live.digits": `{"metrics":{"accuracy":0.981}}`, "model.replicas": "3",
	} {
		if got, err := ref(path).Text(facts); got != want || err != nil {
			t.Errorf("%s is %q, %v, want %q", path, got, err, want)
		}
	}
	for _, e := range []Expr{Of(nil), ref("model.nothing"), nan, ref("step.evaluate.metrics"), list(nil, nan)} {
		if got, err := e.Text(facts); err == nil {
			t.Errorf("%s is %q", e, got)
		}
	}
}

func TestErrorsSayWhatIsThere(t *testing.T) {
	for _, c := range []struct {
		e    Expr
		want string
	}{
		{op(Ge, absent, 1), "step.evaluate.metrics.f1 is not there; step.evaluate.metrics has accuracy, inf, nan, zero"},
		{op(Ge, nan, 1), "step.evaluate.metrics.nan is NaN, which is no evidence"},
		{ref("model.nothing"), "model.nothing is null"},
		{ref("model.name.x"), "model.name.x is not there; model.name is a text"},
		{op(Div, 1, 0), "1 / 0 divides by zero"},
		{op(Ge, "high", 0.95), `"high" >= 0.95: it takes numbers, and this is a text, "high" and the number 0.95`},
		{Expr{Op: And, Args: exprs([]any{true, op(Eq, ref("model.version"), 1)}), Source: "a && b"}, `model.version == 1: it compares two of a kind, and this is a text, "1.4.2" and the number 1 (in: a && b)`},
		{call("semver", "1", ">= 1"), `semver("1", ">= 1"): semver takes a version such as "1.4.2", and a constraint such as ">= 1.2, < 2.0" or "~> 1.2", and this is a text, "1" and a text, ">= 1"`},
		{op(Index, list(1), 1), "is not there: the list has 1 element"},
	} {
		if _, err := c.e.Eval(facts); err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.e, err, c.want)
		}
	}
}

func TestExplain(t *testing.T) {
	good, bad := op(Ge, accuracy, 0.95), op(Ge, accuracy, 0.99)
	for _, c := range []struct {
		e    Expr
		want string
	}{
		{good, "step.evaluate.metrics.accuracy 0.9835 >= 0.95"},
		{op(Ge, accuracy, op(Sub, ref("live.digits.metrics.accuracy"), 0.005)), "step.evaluate.metrics.accuracy 0.9835 >= (live.digits.metrics.accuracy 0.981 - 0.005) 0.976"},
		{op(Ge, accuracy, op(Sub, call("try", ref("live.other.metrics.accuracy"), 0), 0.005)), "step.evaluate.metrics.accuracy 0.9835 >= (try(live.other.metrics.accuracy missing, 0) 0 - 0.005) -0.005"},
		{op(Gt, call("length", ref("model.owners")), 0), `length(model.owners ["@vision"]) 1 > 0`},
		{op(And, good, bad), "step.evaluate.metrics.accuracy 0.9835 >= 0.99"},
		{op(And, good, op(Or, bad, good)), "step.evaluate.metrics.accuracy 0.9835 >= 0.95 && step.evaluate.metrics.accuracy 0.9835 >= 0.95"},
		{op(Or, bad, op(And, good, bad)), "step.evaluate.metrics.accuracy 0.9835 >= 0.99 || step.evaluate.metrics.accuracy 0.9835 >= 0.99"},
		{op(And, good, op(Ge, absent, 1)), "step.evaluate.metrics.f1 missing >= 1"},
		{op(And, op(Ge, absent, 1), bad), "step.evaluate.metrics.accuracy 0.9835 >= 0.99"},
		{call("alltrue", list(good, bad)), "step.evaluate.metrics.accuracy 0.9835 >= 0.99"},
		{op(Not, ref("model.pinned")), "!model.pinned true"},
		{op(Not, op(And, good, good)), "!(step.evaluate.metrics.accuracy 0.9835 >= 0.95 && step.evaluate.metrics.accuracy 0.9835 >= 0.95)"},
		{ref("model.pinned"), "model.pinned true"},
		{op(Eq, op(Index, ref("model"), "license"), "MIT"), `model.license "MIT" == "MIT"`},
		{op(Gt, op(Neg, 1), ref("param.share")), "-1 > param.share 0.2"},
		{op(Cond, ref("model.pinned"), good, bad), "step.evaluate.metrics.accuracy 0.9835 >= 0.95 (by model.pinned true)"},
		{call("contains", list("MIT", "Apache-2.0"), ref("model.license")), `contains(["MIT", "Apache-2.0"], model.license "MIT")`},
		{Of(true), "true"},
	} {
		if got := c.e.Explain(facts); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.e, got, c.want)
		}
	}
}

func TestString(t *testing.T) {
	for _, c := range []struct {
		e    Expr
		want string
	}{
		{op(Mul, op(Add, 1, 2), 3), "(1 + 2) * 3"},
		{op(Sub, 1, op(Sub, 2, 3)), "1 - (2 - 3)"},
		{op(Sub, op(Sub, 1, 2), 3), "1 - 2 - 3"},
		{op(Not, op(And, true, false)), "!(true && false)"},
		{op(Or, op(And, true, false), true), "true && false || true"},
		{op(Cond, op(Cond, true, true, true), 1, 2), "(true ? true : true) ? 1 : 2"},
		{op(Template, "a${", ref("param.x"), "\n"), `"a$${${param.x}\n"`},
		{op(Object, "a", 1, "b c", list()), `{ "a" = 1, "b c" = [] }`},
		{Expr{Op: Ref, Path: []string{"live", "a b", "0", "x-1"}}, `live["a b"][0].x-1`},
		{op(Index, call("keys", ref("live")), 0), "keys(live)[0]"},
		{Expr{}, ""},
		{Of(nil), "null"},
	} {
		if got := c.e.String(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestFullShortensNothing(t *testing.T) {
	long := strings.Repeat("ä", 100)
	for want, e := range map[string]Expr{
		`"` + long + `"`:              Of(long),
		`["` + long + `",1]`:          Of([]any{long, 1.0}),
		`x == "` + long + `"`:         op(Eq, ref("x"), long),
		`{"` + long + `":"<&>"}`:      Of(map[string]any{long: "<&>"}),
		`"$${` + long + `${x}"`:       op(Template, "${"+long, ref("x")),
		"0.1 + true":                  op(Add, 0.1, true),
		"[" + `"` + long + `", null]`: op(List, long, nil),
	} {
		if got := e.Full(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestRefs(t *testing.T) {
	e := op(And, op(Gt, accuracy, absent), op(Gt, accuracy, op(Index, op(Index, ref("model.routes"), 0), ref("param.x"))))
	want := [][]string{{"step", "evaluate", "metrics", "accuracy"}, {"step", "evaluate", "metrics", "f1"}, {"model", "routes", "0"}, {"param", "x"}}
	if got := e.Refs(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

// A deep or huge expression is refused, and takes neither the stack nor the memory.
func TestBounds(t *testing.T) {
	deep := Of(true)
	for range 100_000 {
		deep = Expr{Op: Not, Args: []Expr{deep}}
	}
	wide := Expr{Op: List, Args: make([]Expr, 200_000)}
	for i := range wide.Args {
		wide.Args[i] = Of(true)
	}
	long := Expr{Op: Template}
	for range 3000 {
		long.Args = append(long.Args, Of(strings.Repeat("x", 1000)))
	}
	ring := map[string]any{}
	ring["ring"] = ring
	for name, e := range map[string]Expr{"deep": deep, "wide": wide, "long": long, "ring": op(Eq, ref("ring"), ref("ring"))} {
		if _, err := e.Eval(Facts{"ring": ring}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		if text := e.Explain(Facts{"ring": ring}); len(text) > 10_000 {
			t.Errorf("%s: the explanation has %d bytes", name, len(text))
		}
		e.Refs()
	}
}

func TestFunctionsIsACopy(t *testing.T) {
	Functions()["length"] = Arity{}
	if got := Functions()["length"]; got != (Arity{1, 1}) {
		t.Errorf("it is %v", got)
	}
}

func TestJSON(t *testing.T) {
	e := op(And, op(Ge, accuracy, 0.95), op(Ne, ref("x"), nil))
	e.Source = "as written"
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back Expr
	if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(e, back) {
		t.Errorf("%s gives %#v, %v", data, back, err)
	}
}
