package expect_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile/expect"
	"github.com/fairlead/fairlead/reconcile/tabular"
	"github.com/fairlead/fairlead/spec"
)

func check(t interface {
	Helper()
	Fatal(...any)
}, name, text string, o tabular.Options, expectations ...spec.Expectation,
) (*expect.Report, error) {
	t.Helper()
	r, err := tabular.NewReader(strings.NewReader(text), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return expect.Check(r, expectations)
}

func column(change func(*spec.Expectation)) spec.Expectation {
	e := spec.Expectation{Kind: spec.ExpectColumn, Column: "a", Pos: spec.Pos{File: "d.hcl", Line: 3}}
	change(&e)
	return e
}

func TestEachConditionSaysWhatBreaksIt(t *testing.T) {
	half := 0.5
	for _, c := range []struct {
		does string
		text string // of column a, a value per line
		e    spec.Expectation
		want string // kind, outcome, broken of checked, line, value: detail
	}{
		{"rows", "1\n2", spec.Expectation{Kind: spec.ExpectRows, Min: new(2.0), Max: new(3.0)}, "row_count true 0/2 0 : 2 rows, expected 2 to 3"},
		{"too few rows", "1\n2", spec.Expectation{Kind: spec.ExpectRows, Min: new(3.0)}, "row_count false 0/2 0 : 2 rows, expected at least 3"},
		{"too many rows", "1\n2", spec.Expectation{Kind: spec.ExpectRows, Max: new(1.0)}, "row_count false 0/2 0 : 2 rows, expected at most 1"},
		{"integer", "1\n2.0\n-3e2\nNA", column(func(e *spec.Expectation) { e.Type = spec.ColumnInteger }), "type true 0/3 0 : column a: all of 3 values are of type integer"},
		{"no integer", "1\n2.5\nx", column(func(e *spec.Expectation) { e.Type = spec.ColumnInteger }), "type false 2/3 3 2.5: column a: 2 of 3 values (66.67 %) are not of type integer; the first is 2.5 on line 3"},
		{"infinite is no number", "1\ninf", column(func(e *spec.Expectation) { e.Type = spec.ColumnNumber }), "type false 1/2 3 inf: column a: 1 of 2 values (50 %) are not of type number; the first is inf on line 3"},
		{"bool", "true\nFalse\n1", column(func(e *spec.Expectation) { e.Type = spec.ColumnBool }), "type true 0/3 0 : column a: all of 3 values are of type bool"},
		{"timestamp", "2026-03-03T14:00:00Z\n2026-03-03", column(func(e *spec.Expectation) { e.Type = spec.ColumnTimestamp }), "type false 1/2 3 2026-03-03: column a: 1 of 2 values (50 %) are not of type timestamp; the first is 2026-03-03 on line 3"},
		{"string", "x\n1", column(func(e *spec.Expectation) { e.Type = spec.ColumnString }), "type true 0/2 0 : column a: all of 2 values are of type string"},
		{"min", "0\n-1\n5", column(func(e *spec.Expectation) { e.Min = new(0.0) }), "min false 1/3 3 -1: column a: 1 of 3 values (33.33 %) are not at least 0; the first is -1 on line 3"},
		{"infinite is not above min", "0\ninf\n5", column(func(e *spec.Expectation) { e.Min = new(0.0) }), "min false 1/3 3 inf: column a: 1 of 3 values (33.33 %) are not at least 0; the first is inf on line 3"},
		{"max of what is no number", "x\n5", column(func(e *spec.Expectation) { e.Max = new(9.0) }), "max false 1/2 2 x: column a: 1 of 2 values (50 %) are not at most 9; the first is x on line 2"},
		{"missing", "1\nNA\n3\n4", column(func(e *spec.Expectation) { e.Missing = new(0.0) }), "missing false 1/4 3 NA: column a: 1 of 4 values are missing (25 %), expected at most 0 %; the first is on line 3"},
		{"half may be missing", "1\nNA\n3\nNA", column(func(e *spec.Expectation) { e.Missing = &half }), "missing true 2/4 3 NA: column a: 2 of 4 values are missing (50 %), expected at most 50 %"},
		{"values", "x\ny\nz", column(func(e *spec.Expectation) { e.Values = []string{"x", "y"} }), "values false 1/3 4 z: column a: 1 of 3 values (33.33 %) are not one of x, y; the first is z on line 4"},
		{"values of numbers", "1.0\n2", column(func(e *spec.Expectation) { e.Type, e.Values = spec.ColumnNumber, []string{"1", "2"} }), "type true 0/2 0 : column a: all of 2 values are of type number; values true 0/2 0 : column a: all of 2 values are one of 1, 2"},
		{"values of texts", "1.0\n2", column(func(e *spec.Expectation) { e.Values = []string{"1", "2"} }), "values false 1/2 2 1.0: column a: 1 of 2 values (50 %) are not one of 1, 2; the first is 1.0 on line 2"},
		{"pattern matches whole", "ab\nabc", column(func(e *spec.Expectation) { e.Pattern = "a|ab" }), "pattern false 1/2 3 abc: column a: 1 of 2 values (50 %) are not like a|ab; the first is abc on line 3"},
		{"unique", "x\ny\nx\nNA\nNA\nx", column(func(e *spec.Expectation) { e.Unique = true }), "unique false 2/4 4 x: column a: 2 of 4 values (50 %) are not there once; the first is x on line 4"},
		{"there", "x", column(func(*spec.Expectation) {}), "exists true 0/0 0 : column a: it is there"},
		{"not there", "x", column(func(e *spec.Expectation) { e.Column, e.Unique = "b", true }), "exists false 0/0 0 : there is no column b; there are a"},
		{"no rows", "", column(func(e *spec.Expectation) { e.Missing, e.Min = &half, new(0.0) }), "missing false 0/0 0 : column a: there are no rows to tell by; min false 0/0 0 : column a: there are no rows to tell by"},
		{"only missing", "NA", column(func(e *spec.Expectation) { e.Min = new(0.0) }), "min true 0/0 0 : column a: all values are missing"},
	} {
		t.Run(c.does, func(t *testing.T) {
			report, err := check(t, "t.csv", "a\n"+c.text, tabular.Options{}, c.e)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			passed := true
			for _, a := range report.Assertions {
				got = append(got, fmt.Sprintf("%s %t %d/%d %d %s: %s", a.Assertion, a.Success, a.Broken, a.Checked, a.FirstLine, a.FirstText, a.Detail))
				passed = passed && a.Success
				if a.Pos != c.e.Pos {
					t.Errorf("got position %v, want %v", a.Pos, c.e.Pos)
				}
			}
			if text := strings.Join(got, "; "); text != c.want {
				t.Errorf("got\n%s\nwant\n%s", text, c.want)
			}
			if report.Passed != passed {
				t.Errorf("the report says passed: %t", report.Passed)
			}
		})
	}
}

func TestNaNThatIsNoMissingValueBreaksNumbers(t *testing.T) {
	e := column(func(e *spec.Expectation) { e.Type, e.Min, e.Max = spec.ColumnNumber, new(0.0), new(1.0) })
	report, err := check(t, "t.csv", "a\nNaN\n1\n", tabular.Options{Missing: []string{""}}, e)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(report.Failed()); n != 3 {
		t.Errorf("%d of 3 conditions fail: %+v", n, report.Assertions)
	}
}

func TestKeysOfLaterRowsAreColumnsToo(t *testing.T) {
	e := column(func(e *spec.Expectation) { e.Column, e.Missing = "b", new(0.5) })
	report, err := check(t, "t.jsonl", "{\"a\": 1}\n{\"b\": 2}\n", tabular.Options{}, e)
	if err != nil {
		t.Fatal(err)
	}
	if a := report.Assertions[0]; !a.Success || a.Broken != 1 || a.FirstLine != 1 {
		t.Errorf("got %+v", a)
	}
}

func TestWhatCannotBeCheckedIsAnError(t *testing.T) {
	for want, e := range map[string]spec.Expectation{
		"no regular expression of RE2": column(func(e *spec.Expectation) { e.Pattern = "(" }),
		`the type "date" is not known`: column(func(e *spec.Expectation) { e.Type = "date" }),
		`"cells" is not known`:         {Kind: "cells"},
	} {
		if _, err := check(t, "t.csv", "a\n1\n", tabular.Options{}, e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := check(t, "t.csv", "a\n1,2\n", tabular.Options{}); err == nil || !strings.Contains(err.Error(), "t.csv: line 2") {
		t.Errorf("got %v", err)
	}
}

func TestLongValuesAreCut(t *testing.T) {
	e := column(func(e *spec.Expectation) { e.Type = spec.ColumnNumber })
	report, err := check(t, "t.csv", "a\n"+strings.Repeat("x", 10000), tabular.Options{}, e)
	if err != nil {
		t.Fatal(err)
	}
	if a := report.Assertions[0]; len(a.FirstText) > 100 || len(a.Detail) > 300 {
		t.Errorf("got %d and %d bytes", len(a.FirstText), len(a.Detail))
	}
}

func TestTheOrderOfRowsDoesNotChangeTheOutcome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.SampledFrom([]string{"1", "2.5", "-3", "x", "NA", "inf", ""}), 1, 20).Draw(t, "rows")
		other := rapid.Permutation(rows).Draw(t, "other")
		e := []spec.Expectation{
			{Kind: spec.ExpectRows, Min: new(5.0)},
			column(func(e *spec.Expectation) {
				e.Type, e.Min, e.Max, e.Missing = spec.ColumnNumber, new(0.0), new(2.0), new(0.2)
			}),
			column(func(e *spec.Expectation) { e.Unique, e.Values, e.Pattern = true, []string{"1", "x"}, "[0-9]+" }),
		}
		first := outcomes(t, rows, e)
		if second := outcomes(t, other, e); second != first {
			t.Fatalf("got %s, then %s", first, second)
		}
	})
}

func outcomes(t *rapid.T, rows []string, e []spec.Expectation) string {
	text := "a,b\n" + strings.Join(rows, ",\n") + ",\n"
	report, err := check(t, "t.csv", text, tabular.Options{}, e...)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, a := range report.Assertions {
		if a.Broken > a.Checked {
			t.Fatalf("more is broken than was checked: %+v", a)
		}
		fmt.Fprintf(&b, "%s %t %d/%d; ", a.Assertion, a.Success, a.Broken, a.Checked)
	}
	return b.String()
}
