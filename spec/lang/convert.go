package lang

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/spec/schema"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// argResult is the value of one argument in one instance, kept for the load so
// that a mistake in it is reported once, whoever asks.
type argResult struct {
	value     cty.Value
	ok        bool
	deps      recorder
	converted bool
	final     cty.Value // converted to the type of the schema
	finalOK   bool
}

type argKey struct {
	arg *arg
	key string
}

// evalOnce evaluates an argument of an instance, or returns what it was.
func (e *evaluator) evalOnce(a *arg, sc *scope) (cty.Value, bool) {
	res := e.argResult(a, sc)
	return res.value, res.ok
}

func (e *evaluator) argResult(a *arg, sc *scope) *argResult {
	id := argKey{a, sc.key}
	res := e.args[id]
	if res == nil {
		res = &argResult{}
		asking := e.deps
		e.deps = &res.deps
		res.value, res.ok = e.eval(a, sc)
		e.deps = asking
		e.args[id] = res
		e.newArgs = append(e.newArgs, id)
	}
	if e.deps != nil {
		e.deps.merge(&res.deps)
	}
	return res
}

// convertOnce gives a value the type of its argument; what is wrong with it is
// reported the first time.
func (e *evaluator) convertOnce(a *arg, v cty.Value, sc *scope) (cty.Value, bool) {
	res := e.argResult(a, sc)
	if !res.converted {
		res.converted = true
		final, p := convertTo(a.schema, v)
		if p == nil && a.schema.Type == schema.String && v.Type() == cty.Number {
			p = changedNumber(a, v)
		}
		if p != nil {
			e.errorf(a.expr.Range(), *a.place, p.summary, "%s", p.detail)
			res.deps.partial = true
		}
		res.final, res.finalOK = final, p == nil
	}
	if !res.finalOK {
		e.fail()
	}
	return res.final, res.finalOK
}

// problem is why a value does not fit.
type problem struct{ summary, detail string }

func wrongType(def *schema.Argument, v cty.Value, remedy string) *problem {
	return &problem{"Wrong type", fmt.Sprintf("%s takes a %s, and this is %s. %s", def.Name, typeWords(def.Type), kindOf(v), remedy)}
}

func typeWords(t schema.Type) string {
	switch t {
	case schema.Percent:
		return "whole number of percent"
	case schema.Integer:
		return "whole number"
	case schema.Bool:
		return "bool, true or false"
	case schema.Version:
		return "quoted version"
	case schema.GPUs:
		return "number of GPUs, the word all, or a list of device ids"
	default:
		return string(t)
	}
}

// kindOf names what a value is, without showing it.
func kindOf(v cty.Value) string {
	if v.IsNull() {
		return "null"
	}
	switch t := v.Type(); {
	case t == cty.String:
		return "a string"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "a bool"
	case t == secretType:
		return "a secret"
	case t.IsListType(), t.IsTupleType():
		return "a list"
	case t.IsSetType():
		return "a set"
	default:
		return "a map"
	}
}

// convertTo makes of a value what the schema says: durations become
// nanoseconds, sizes bytes.
func convertTo(def *schema.Argument, v cty.Value) (cty.Value, *problem) {
	switch def.Type {
	case schema.String:
		return convertText(def, v)
	case schema.TextOrSecret:
		if v.Type() != secretType {
			return convertText(def, v)
		}
	case schema.Version:
		if v.Type() != cty.String {
			return v, wrongType(def, v, "Put it in quotes: as a number, 1.10 is the same as 1.1.")
		}
	case schema.Bool:
		if v.Type() != cty.Bool {
			return v, wrongType(def, v, "Write true or false, without quotes.")
		}
	case schema.Integer, schema.Number, schema.Percent:
		return convertNumber(def, v)
	case schema.Duration, schema.Size:
		return convertUnit(def, v)
	case schema.StringList:
		return convertList(def, v, cty.String)
	case schema.IntegerList:
		return convertList(def, v, cty.Number)
	default: // what is left is checked where it is decoded
	}
	return v, nil
}

func convertText(def *schema.Argument, v cty.Value) (cty.Value, *problem) {
	if t := v.Type(); t == cty.Number || t == cty.Bool {
		v, _ = toType(v, cty.String)
	}
	if v.Type() != cty.String {
		return v, wrongType(def, v, stringRemedy(v))
	}
	return v, nil
}

func stringRemedy(v cty.Value) string {
	if v.Type() == secretType {
		return "Secrets can stand in env, secrets and api_keys only, and in url, token and signing_key of a notifier, so that their values reach nothing but the container or the receiver, or the gateway as a hash."
	}
	return "Put text in quotes."
}

func convertNumber(def *schema.Argument, v cty.Value) (cty.Value, *problem) {
	if v.Type() != cty.Number {
		remedy := "Write the number without quotes."
		if v.Type() != cty.String {
			remedy = "Write a number."
		}
		return v, wrongType(def, v, remedy)
	}
	if n := v.AsBigFloat(); def.Type != schema.Number && !n.IsInt() {
		return v, &problem{"Number not whole", def.Name + " takes a " + typeWords(def.Type) + "."}
	}
	f, _ := v.AsBigFloat().Float64()
	return v, outOfBounds(def, f, func(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) })
}

// outOfBounds compares with the bounds of the schema.
func outOfBounds(def *schema.Argument, n float64, show func(float64) string) *problem {
	below, above := def.Min != nil && n < *def.Min, def.Max != nil && n > *def.Max
	switch {
	case math.IsInf(n, 0) || below || above:
	default:
		return nil
	}
	switch {
	case def.Min != nil && def.Max != nil:
		return &problem{"Value out of range", fmt.Sprintf("%s must be from %s to %s.", def.Name, show(*def.Min), show(*def.Max))}
	case def.Min != nil:
		return &problem{"Value out of range", fmt.Sprintf("%s must be at least %s.", def.Name, show(*def.Min))}
	default:
		return &problem{"Value out of range", fmt.Sprintf("%s is out of range.", def.Name)}
	}
}

func convertUnit(def *schema.Argument, v cty.Value) (cty.Value, *problem) {
	parse, show, examples := parseDuration, showSeconds, `"500ms", "30s", "5m", "1h30m", "2d"`
	if def.Type == schema.Size {
		parse, show, examples = parseSize, showBytes, `"64kB", "256MiB", "2GiB"`
	}
	if v.Type() != cty.String {
		return v, wrongType(def, v, fmt.Sprintf("Write the unit too, in quotes: %s.", examples))
	}
	n, ok := parse(v.AsString())
	if !ok {
		return v, &problem{"Invalid " + string(def.Type), fmt.Sprintf("A %s is a number with a unit: %s.%s", def.Type, examples, unitHint(def.Type, v.AsString()))}
	}
	scale := 1.0
	if def.Type == schema.Duration {
		scale = float64(time.Second)
	}
	return cty.NumberIntVal(n), outOfBounds(def, float64(n)/scale, show)
}

// unitHint explains the usual slips with units.
func unitHint(t schema.Type, text string) string {
	unit := strings.TrimLeft(strings.TrimSpace(text), "0123456789. ")
	switch {
	case t == schema.Size && (unit == "Mi" || unit == "Gi" || unit == "Ki" || unit == "Ti"):
		return fmt.Sprintf(" Write the B: %sB.", unit)
	case t == schema.Size && (unit == "M" || unit == "G" || unit == "K" || unit == "k" || unit == "m" || unit == "g"):
		u := strings.ToUpper(unit)
		return fmt.Sprintf(" Write %siB (powers of 1024) or %sB (powers of 1000).", u, u)
	case unit == "":
		return " The unit is missing."
	default:
		return ""
	}
}

func convertList(def *schema.Argument, v cty.Value, element cty.Type) (cty.Value, *problem) {
	t := v.Type()
	if !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		return v, wrongType(def, v, "Put the values in brackets: [ ... ].")
	}
	items := make([]cty.Value, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		_, item := it.Element()
		if item.IsNull() {
			return v, &problem{"Wrong type", fmt.Sprintf("An element of %s is null. Leave it out.", def.Name)}
		}
		if element == cty.String && item.Type() == cty.Number && item.AsBigFloat().IsInt() {
			item, _ = toType(item, cty.String)
		}
		if item.Type() != element {
			return v, &problem{"Wrong type", fmt.Sprintf("%s takes a %s, and one of its elements is %s.", def.Name, def.Type, kindOf(item))}
		}
		if element == cty.Number {
			if n := item.AsBigFloat(); !n.IsInt() {
				return v, &problem{"Number not whole", fmt.Sprintf("%s takes whole numbers.", def.Name)}
			}
			f, _ := item.AsBigFloat().Float64()
			if p := outOfBounds(def, f, func(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }); p != nil {
				return v, p
			}
		}
		items = append(items, item)
	}
	return cty.TupleVal(items), nil
}

// changedNumber refuses a number as text if the text would differ from what was
// written: 1.10 would become "1.1".
func changedNumber(a *arg, v cty.Value) *problem {
	if _, isLiteral := a.expr.(*hclsyntax.LiteralValueExpr); !isLiteral || v.AsBigFloat().IsInt() {
		return nil
	}
	return &problem{"Number used as text", a.name + " takes a string. Put it in quotes, so that it stays as it is written: as a number, 1.10 is the same as 1.1."}
}

// parseDuration reads "1h30m" and the like, with days, as nanoseconds.
func parseDuration(s string) (int64, bool) {
	if s == "0" {
		return 0, false
	}
	var total time.Duration
	if days, rest, found := strings.Cut(s, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, false
		}
		total, s = time.Duration(n)*24*time.Hour, rest
		if rest == "" {
			return int64(total), true
		}
	}
	if strings.ContainsAny(s, "+-") {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	if err != nil || total+d < total {
		return 0, false
	}
	return int64(total + d), true
}

// sizeUnit is the number of bytes that a unit stands for.
func sizeUnit(unit string) (float64, bool) {
	switch unit {
	case "B":
		return 1, true
	case "kB", "KB":
		return 1e3, true
	case "MB":
		return 1e6, true
	case "GB":
		return 1e9, true
	case "TB":
		return 1e12, true
	case "KiB", "kiB":
		return 1 << 10, true
	case "MiB":
		return 1 << 20, true
	case "GiB":
		return 1 << 30, true
	case "TiB":
		return 1 << 40, true
	default:
		return 0, false
	}
}

// parseSize reads "256MiB" and the like as bytes.
func parseSize(s string) (int64, bool) {
	digits := strings.TrimRight(s, "kKMGTiB")
	unit, known := sizeUnit(s[len(digits):])
	if !known || strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || n*unit >= 1<<62 {
		return 0, false
	}
	return int64(math.Round(n * unit)), true
}

func showSeconds(n float64) string {
	d := time.Duration(n * float64(time.Second))
	switch {
	case d >= 48*time.Hour && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	default:
		return d.String()
	}
}

func showBytes(n float64) string {
	for _, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if size, _ := sizeUnit(unit); n >= size && n == math.Trunc(n/size)*size {
			return fmt.Sprintf("%.0f%s", n/size, unit)
		}
	}
	return fmt.Sprintf("%.0fB", n)
}
