package expr

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// plain is a value as expressions have it, of one that Go code put into facts.
func plain(v any) (any, bool) {
	switch v := v.(type) {
	case nil, bool, float64, string, []any, map[string]any:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case Facts:
		return map[string]any(v), true
	case []string:
		list := make([]any, len(v))
		for i := range v {
			list[i] = v[i]
		}
		return list, true
	case map[string]string:
		return object(v), true
	case map[string]float64:
		return object(v), true
	default:
		return v, false
	}
}

func object[V any](m map[string]V) map[string]any {
	o := make(map[string]any, len(m))
	for name, v := range m {
		o[name] = v
	}
	return o
}

// kindOf is what a value is, with an article.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a bool"
	case float64:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	default:
		return fmt.Sprintf("a Go %T", v)
	}
}

// wholeNumbers is the largest number below which every whole one has a float64.
const wholeNumbers = 1 << 53

// scalar is a value in text, as a template has it.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		if v == 0 {
			return "0" // and not -0
		}
		if math.Abs(v) <= wholeNumbers {
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return Format(v)
	}
}

// Text is the value of the expression for an environment variable or an argument of
// a command. A number is its shortest decimal form, up to 2^53 without an exponent;
// a list or an object is JSON. Null is an error, as every fact that is missing.
func (e Expr) Text(f Facts) (string, error) {
	ev := evaluation{facts: f, source: e.Source}
	v, err := ev.value(&e, 0)
	if err != nil {
		return "", err
	}
	switch v.(type) {
	case []any, map[string]any:
	default:
		return scalar(v), nil
	}
	clean, err := ev.storable(v, 0)
	if err != nil {
		return "", err
	}
	text, err := encode(clean)
	if err == nil && len(text) > maxText {
		err = fmt.Errorf("%w: its value has more than %d bytes", ErrTooLarge, maxText)
	}
	return text, err
}

// storable is a value that JSON can have: only of plain ones, and without NaN.
func (ev *evaluation) storable(v any, depth int) (any, error) {
	if err := ev.enter(depth); err != nil {
		return nil, err
	}
	v, is := plain(v)
	if !is {
		return nil, &TypeError{Source: ev.source, Want: fmt.Sprintf("a fact cannot be a Go %T", v)}
	}
	switch v := v.(type) {
	case float64:
		if !finite(v) {
			return nil, noEvidence(nil, v)
		}
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = ev.storable(v[i], depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		clean := make(map[string]any, len(v))
		for _, name := range sortedKeys(v) {
			var err error
			if clean[name], err = ev.storable(v[name], depth+1); err != nil {
				return nil, err
			}
		}
		return clean, nil
	}
	return v, nil
}

func encode(v any) (string, error) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// shown is how many characters of a value people are shown.
const shown = 60

// Format is a value for people: short, on one line, texts in quotes.
func Format(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return scalar(v)
	case float64:
		if !finite(v) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
		return scalar(v)
	case string:
		return quoted(shorten(v, shown))
	}
	ev := evaluation{}
	clean, err := ev.storable(v, 0)
	if err != nil {
		return kindOf(v)
	}
	text, err := encode(clean)
	if err != nil {
		return kindOf(v)
	}
	return shorten(text, shown)
}

// whole is Format at any length.
func whole(v any) string {
	switch v := v.(type) {
	case string:
		return quoted(v)
	case []any, map[string]any:
		if text, err := encode(v); err == nil {
			return text
		}
		return fmt.Sprint(v) // it holds what JSON cannot
	default:
		return Format(v)
	}
}

// shorten cuts text to n characters.
func shorten(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	runes := []rune(text)
	return string(runes[:n-1]) + "…"
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
