package expect

import (
	"crypto/sha256"
	"fmt"
	"math"
	"regexp"

	"github.com/fairlead/fairlead/reconcile/tabular"
	"github.com/fairlead/fairlead/spec"
)

// MaxUnique is how many different values a column may have that must be unique:
// each takes some 40 bytes of memory.
const MaxUnique = 20_000_000

// column is an expectation of one column, and what was seen of it.
type column struct {
	*spec.Expectation
	at      int // its position; -1: it is not there, so far
	tests   []*test
	missing breaks
	values  int64 // that are there
	seen    map[[16]byte]bool
}

// test is a condition on each value.
type test struct {
	kind   Kind
	wants  string // for people
	passes func(tabular.Value) (bool, error)
	breaks
}

// breaks counts what breaks a condition.
type breaks struct {
	count int64
	line  int // of the first
	text  string
}

func (b *breaks) add(line int, text string) {
	if b.count++; b.count == 1 {
		b.line, b.text = line, tabular.Clip(text)
	}
}

func newColumn(e *spec.Expectation) (*column, error) {
	c := &column{Expectation: e, at: -1}
	if e.Type != "" {
		passes, err := ofType(e.Type)
		if err != nil {
			return nil, err
		}
		c.test(Type, "of type "+string(e.Type), passes)
	}
	if e.Min != nil {
		c.test(Min, "at least "+figure(*e.Min), within(*e.Min, math.MaxFloat64))
	}
	if e.Max != nil {
		c.test(Max, "at most "+figure(*e.Max), within(-math.MaxFloat64, *e.Max))
	}
	if len(e.Values) > 0 {
		c.test(Values, "one of "+tabular.Names(e.Values), c.oneOf())
	}
	if e.Pattern != "" {
		pattern, err := regexp.Compile(`\A(?:` + e.Pattern + `)\z`)
		if err != nil {
			return nil, fmt.Errorf("the pattern %s is no regular expression of RE2: %w", tabular.Clip(e.Pattern), err)
		}
		c.test(Pattern, "like "+e.Pattern, always(func(v tabular.Value) bool { return pattern.MatchString(v.Text) }))
	}
	if e.Unique {
		c.seen = map[[16]byte]bool{}
		c.test(Unique, "there once", c.isNew)
	}
	return c, nil
}

func (c *column) test(kind Kind, wants string, passes func(tabular.Value) (bool, error)) {
	c.tests = append(c.tests, &test{kind: kind, wants: wants, passes: passes})
}

// always is for tests that cannot go wrong.
func always(passes func(tabular.Value) bool) func(tabular.Value) (bool, error) {
	return func(v tabular.Value) (bool, error) { return passes(v), nil }
}

// ofType tests how a value reads. An infinite one is no number.
func ofType(t spec.ColumnType) (func(tabular.Value) (bool, error), error) {
	switch t {
	case spec.ColumnInteger:
		return always(tabular.Value.Whole), nil
	case spec.ColumnNumber:
		return within(-math.MaxFloat64, math.MaxFloat64), nil
	case spec.ColumnBool:
		return always(func(v tabular.Value) bool { _, is := v.Bool(); return is }), nil
	case spec.ColumnTimestamp:
		return always(func(v tabular.Value) bool { _, is := v.Time(); return is }), nil
	case spec.ColumnString:
		return always(func(tabular.Value) bool { return true }), nil
	}
	return nil, fmt.Errorf("the type %q is not known; use integer, number, string, bool or timestamp", t)
}

// within passes finite numbers of a range.
func within(low, high float64) func(tabular.Value) (bool, error) {
	return always(func(v tabular.Value) bool {
		number, is := v.Number()
		return is && number >= low && number <= high
	})
}

// oneOf compares texts, and in a column of numbers also numbers: 1.0 is 1.
func (c *column) oneOf() func(tabular.Value) (bool, error) {
	texts, numbers := map[string]bool{}, map[float64]bool{}
	for _, text := range c.Values {
		texts[text] = true
		number, is := tabular.Value{Text: text}.Number()
		if is && (c.Type == spec.ColumnInteger || c.Type == spec.ColumnNumber) {
			numbers[number] = true
		}
	}
	return always(func(v tabular.Value) bool {
		if texts[v.Text] {
			return true
		}
		number, is := v.Number()
		return is && numbers[number]
	})
}

// isNew remembers values by their hash, of which no two are found to be equal.
func (c *column) isNew(v tabular.Value) (bool, error) {
	hash := sha256.Sum256([]byte(v.Text))
	key := [16]byte(hash[:16])
	if c.seen[key] {
		return false, nil
	}
	if len(c.seen) == MaxUnique {
		return false, fmt.Errorf("column %s has more than %d different values, too many to tell whether each is there once; do not ask for unique", tabular.Clip(c.Column), MaxUnique)
	}
	c.seen[key] = true
	return true, nil
}

func (c *column) see(line int, v tabular.Value) error {
	if v.Missing {
		c.missing.add(line, v.Text)
		return nil
	}
	c.values++
	for _, t := range c.tests {
		passes, err := t.passes(v)
		if err != nil {
			return err
		}
		if !passes {
			t.add(line, v.Text)
		}
	}
	return nil
}

// absent is a row without the column.
func (c *column) absent(line int) { c.missing.add(line, "") }

// assertions tell what was seen after so many rows.
func (c *column) assertions(rows int64, names []string) []Assertion {
	about := func(kind Kind) Assertion {
		return Assertion{Assertion: kind, Column: c.Column, Pos: c.Pos}
	}
	if c.at < 0 {
		a := about(Exists)
		a.Detail = fmt.Sprintf("there is no column %s; there are %s", tabular.Clip(c.Column), tabular.Names(names))
		return []Assertion{a}
	}
	var all []Assertion
	if c.Missing != nil {
		a := about(Missing)
		a.Checked, a.Broken, a.FirstLine, a.FirstText = rows, c.missing.count, c.missing.line, c.missing.text
		a.Success = rows > 0 && float64(c.missing.count) <= *c.Missing*float64(rows)
		a.Detail = fmt.Sprintf("%d of %d values are missing (%s), expected at most %s %%", c.missing.count, rows, share(c.missing.count, rows), figure(100**c.Missing))
		if !a.Success {
			a.Detail += fmt.Sprintf("; the first is on line %d", c.missing.line)
		}
		all = append(all, a)
	}
	for _, t := range c.tests {
		a := about(t.kind)
		a.Checked, a.Broken, a.FirstLine, a.FirstText = c.values, t.count, t.line, t.text
		a.Success = rows > 0 && t.count == 0
		a.Detail = t.detail(c.values)
		all = append(all, a)
	}
	if len(all) == 0 {
		a := about(Exists)
		a.Success, a.Detail = true, "it is there"
		all = append(all, a)
	} else if rows == 0 {
		for i := range all {
			all[i].Detail = "there are no rows to tell by"
		}
	}
	for i := range all {
		all[i].Detail = fmt.Sprintf("column %s: %s", tabular.Clip(c.Column), all[i].Detail)
	}
	return all
}

func (t *test) detail(values int64) string {
	switch {
	case t.count > 0:
		return fmt.Sprintf("%d of %d values (%s) are not %s; the first is %s on line %d", t.count, values, share(t.count, values), t.wants, t.text, t.line)
	case values == 0:
		return "all values are missing"
	}
	return fmt.Sprintf("all of %d values are %s", values, t.wants)
}
