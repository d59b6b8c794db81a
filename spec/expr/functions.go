package expr

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Arity is how many arguments a function takes.
type Arity struct{ Min, Max int }

// Many is the Max of a function that takes any number.
const Many = math.MaxInt

// Functions returns all functions that expressions may call.
//
//	length(v)               elements of a list or object, characters of a text
//	contains(v, x)          x is an element of the list v, or a part of the text v
//	min(n...), max(n...)    of numbers, or of one list of them
//	abs(n) floor(n) ceil(n)
//	round(n), round(n, d)   to d digits behind the point, halves away from zero
//	lower(s) upper(s)
//	startswith(s, x) endswith(s, x)
//	regex(pattern, s)       s as a whole matches the pattern (RE2)
//	keys(o) values(o)       of an object, by name
//	alltrue(l) anytrue(l)   of a list of conditions; as && and || do
//	semver(v, constraint)   such as semver("1.4.2", ">= 1.2, < 2.0")
//	coalesce(a...)          the first that is there
//	try(a...)               the first that can be evaluated
//	can(a)                  a can be evaluated
func Functions() map[string]Arity {
	table := make(map[string]Arity, len(functions))
	for name, f := range functions {
		table[name] = f.Arity
	}
	return table
}

// function is one entry of the table. Most have a call, whose arguments are all
// evaluated beforehand, and are there; its error wants is what the function takes.
type function struct {
	Arity
	call func(a []any) (any, error)
}

// wants is an error of a function: what it takes.
type wants string

func (w wants) Error() string { return string(w) }

var functions = map[string]function{
	// Those that need the evaluation itself.
	"coalesce": {Arity{1, Many}, nil},
	"try":      {Arity{1, Many}, nil},
	"can":      {Arity{1, 1}, nil},
	"alltrue":  {Arity{1, 1}, nil},
	"anytrue":  {Arity{1, 1}, nil},
	"contains": {Arity{2, 2}, nil},

	"length":     {Arity{1, 1}, length},
	"min":        {Arity{1, Many}, func(a []any) (any, error) { return extreme(a, math.Min) }},
	"max":        {Arity{1, Many}, func(a []any) (any, error) { return extreme(a, math.Max) }},
	"abs":        {Arity{1, 1}, numeric(math.Abs)},
	"floor":      {Arity{1, 1}, numeric(math.Floor)},
	"ceil":       {Arity{1, 1}, numeric(math.Ceil)},
	"round":      {Arity{1, 2}, round},
	"lower":      {Arity{1, 1}, textual(func(a []string) any { return strings.ToLower(a[0]) })},
	"upper":      {Arity{1, 1}, textual(func(a []string) any { return strings.ToUpper(a[0]) })},
	"startswith": {Arity{2, 2}, textual(func(a []string) any { return strings.HasPrefix(a[0], a[1]) })},
	"endswith":   {Arity{2, 2}, textual(func(a []string) any { return strings.HasSuffix(a[0], a[1]) })},
	"regex":      {Arity{2, 2}, matches},
	"keys":       {Arity{1, 1}, keys},
	"values":     {Arity{1, 1}, values},
	"semver":     {Arity{2, 2}, satisfies},
}

func (ev *evaluation) call(e *Expr, depth int) (any, error) {
	f, is := functions[e.Name]
	if !is {
		return nil, ev.wrong(e, fmt.Sprintf("there is no function %q; there are %s", e.Name, strings.Join(slices.Sorted(maps.Keys(functions)), ", ")))
	}
	if len(e.Args) < f.Min || len(e.Args) > f.Max {
		return nil, ev.wrong(e, fmt.Sprintf("%s takes %s", e.Name, f.Arity))
	}
	switch e.Name {
	case "coalesce", "try", "can":
		return ev.attempt(e, depth)
	case "alltrue", "anytrue":
		return ev.each(e, depth)
	}
	args := make([]any, len(e.Args))
	for i := range e.Args {
		v, err := ev.value(&e.Args[i], depth+1)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	if e.Name == "contains" {
		return ev.contains(e, args, depth)
	}
	v, err := f.call(args)
	if w, is := err.(wants); is { //nolint:errorlint // made right here, never wrapped
		return nil, ev.wrong(e, string(w), args...)
	}
	return v, err
}

// String is the arity in words.
func (a Arity) String() string {
	switch a.Max {
	case a.Min:
		return counted(a.Min, "argument")
	case Many:
		return fmt.Sprintf("%s or more", counted(a.Min, "argument"))
	default:
		return fmt.Sprintf("%d to %d arguments", a.Min, a.Max)
	}
}

// attempt is the functions that live with what is missing. Only try and can live
// with a wrong type, too; nothing does with what is too large.
func (ev *evaluation) attempt(e *Expr, depth int) (any, error) {
	var last error
	for i := range e.Args {
		v, err := ev.value(&e.Args[i], depth+1)
		if err == nil {
			if e.Name == "can" {
				return true, nil
			}
			return v, nil
		}
		if _, wrong := err.(*TypeError); !isMissing(err) && (!wrong || e.Name == "coalesce") { //nolint:errorlint // made right here, never wrapped
			return nil, err
		}
		last = err
	}
	if e.Name == "can" {
		return false, nil
	}
	return nil, last
}

// each is alltrue and anytrue. A list that is written out is taken condition by
// condition, so that a missing one does not hide what decides.
func (ev *evaluation) each(e *Expr, depth int) (any, error) {
	all := e.Name == "alltrue"
	if arg := &e.Args[0]; arg.Op == List {
		return ev.all(arg.Args, all, depth+1)
	}
	v, err := ev.value(&e.Args[0], depth+1)
	if err != nil {
		return nil, err
	}
	list, is := v.([]any)
	if !is || slices.ContainsFunc(list, func(v any) bool { _, is := v.(bool); return !is }) {
		return nil, ev.wrong(e, e.Name+" takes a list of conditions", v)
	}
	return slices.Contains(list, any(!all)) != all, nil
}

func (ev *evaluation) contains(e *Expr, a []any, depth int) (any, error) {
	switch in := a[0].(type) {
	case string:
		part, is := a[1].(string)
		if !is {
			return nil, ev.wrong(e, "a text contains texts", a...)
		}
		return strings.Contains(in, part), nil
	case []any:
		for _, v := range in {
			if same, err := ev.equal(v, a[1], depth+1); same || err != nil {
				return same, err
			}
		}
		return false, nil
	default:
		return nil, ev.wrong(e, "contains takes a list or a text, and what may be in it", a...)
	}
}

func length(a []any) (any, error) {
	switch v := a[0].(type) {
	case string:
		return float64(utf8.RuneCountInString(v)), nil
	case []any:
		return float64(len(v)), nil
	case map[string]any:
		return float64(len(v)), nil
	default:
		return nil, wants("length takes a list, an object or a text")
	}
}

func extreme(a []any, of func(x, y float64) float64) (any, error) {
	const want = wants("it takes numbers, or one list of at least one number")
	if list, is := a[0].([]any); is && len(a) == 1 {
		a = list
	}
	if len(a) == 0 {
		return nil, want
	}
	var result float64
	for i, v := range a {
		v, _ = plain(v)
		n, is := v.(float64)
		switch {
		case !is:
			return nil, want
		case !finite(n):
			return nil, noEvidence(nil, n)
		case i == 0:
			result = n
		default:
			result = of(result, n)
		}
	}
	return result, nil
}

func numeric(f func(float64) float64) func([]any) (any, error) {
	return func(a []any) (any, error) {
		n, is := a[0].(float64)
		if !is {
			return nil, wants("it takes a number")
		}
		return f(n), nil
	}
}

// maxDigits is how many digits behind the point a float64 tells apart at most.
const maxDigits = 15

func round(a []any) (any, error) {
	n, is := a[0].(float64)
	digits := 0.0
	if is && len(a) == 2 {
		digits, is = a[1].(float64)
	}
	if !is || digits != math.Trunc(digits) || digits < 0 || digits > maxDigits {
		return nil, wants(fmt.Sprintf("round takes a number, and how many digits of 0 to %d it keeps behind the point", maxDigits))
	}
	scale := math.Pow10(int(digits))
	if rounded := math.Round(n*scale) / scale; finite(rounded) {
		return rounded, nil
	}
	return n, nil // so large that it has no digits there
}

func textual(f func(a []string) any) func([]any) (any, error) {
	return func(a []any) (any, error) {
		texts := make([]string, len(a))
		for i, v := range a {
			text, is := v.(string)
			if !is {
				return nil, wants("it takes text")
			}
			texts[i] = text
		}
		return f(texts), nil
	}
}

// maxPattern bounds the patterns; Go's regexp matches in linear time.
const maxPattern = 1000

func matches(a []any) (any, error) {
	pattern, isPattern := a[0].(string)
	text, isText := a[1].(string)
	if !isPattern || !isText {
		return nil, wants("regex takes a pattern and a text")
	}
	if len(pattern) > maxPattern {
		return nil, wants(fmt.Sprintf("a pattern has at most %d bytes", maxPattern))
	}
	compiled, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		return nil, wants("regex takes a pattern of RE2, such as \"[a-z]+\"")
	}
	return compiled.MatchString(text), nil
}

func keys(a []any) (any, error) {
	o, is := a[0].(map[string]any)
	if !is {
		return nil, wants("keys takes an object")
	}
	list := make([]any, 0, len(o))
	for _, name := range sortedKeys(o) {
		list = append(list, name)
	}
	return list, nil
}

func values(a []any) (any, error) {
	o, is := a[0].(map[string]any)
	if !is {
		return nil, wants("values takes an object")
	}
	list := make([]any, 0, len(o))
	for _, name := range sortedKeys(o) {
		list = append(list, o[name])
	}
	return list, nil
}
