package diag_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec/diag"
	"pgregory.net/rapid"
)

// at makes the range of the first text in src.
func at(src, text string) *diag.Range {
	from := strings.Index(src, text)
	line := 1 + strings.Count(src[:from], "\n")
	column := from - strings.LastIndex(src[:from], "\n")
	return &diag.Range{
		Filename: "a.hcl",
		Start:    diag.Pos{Line: line, Column: column, Byte: from},
		End:      diag.Pos{Line: line, Column: column + len(text), Byte: from + len(text)},
	}
}

func sources(src string) diag.Sources {
	return func(name string) []byte {
		if name != "a.hcl" {
			return nil
		}
		return []byte(src)
	}
}

func write(t *testing.T, src string, o diag.TextOptions, ds ...diag.Diagnostic) string {
	t.Helper()
	var out strings.Builder
	if err := diag.WriteText(&out, ds, sources(src), o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTextShowsPlaceSnippetValuesAndDetail(t *testing.T) {
	src := "model \"a\" {\n\tport = local.port\n}\n"
	got := write(t, src, diag.TextOptions{Width: 40}, diag.Diagnostic{
		Severity: diag.Error, Summary: "Wrong type", Block: `model "a"`, Subject: at(src, "local.port"),
		Detail: "port takes a whole number, and this is a string. For example:\n    port = 8080",
		Values: []diag.ValueNote{{Traversal: "local.port", Statement: "is a string"}},
	})
	want := `╷
│ Error: Wrong type
│
│   on a.hcl:2:9, in model "a":
│       2 │ 	port = local.port
│         │ 	       ^^^^^^^^^^
│
│   local.port is a string
│
│ port takes a whole number, and this is
│ a string. For example:
│     port = 8080
╵
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTextHasNoColourUnlessAsked(t *testing.T) {
	d := diag.Diagnostic{Severity: diag.Warning, Summary: "Odd", Subject: at("x = 1", "x")}
	if got := write(t, "x = 1", diag.TextOptions{}, d); strings.Contains(got, "\x1b") || !strings.Contains(got, "^") {
		t.Errorf("got %q", got)
	}
	if got := write(t, "x = 1", diag.TextOptions{Color: true}, d); !strings.Contains(got, "\x1b[33m") {
		t.Errorf("got %q", got)
	}
}

func TestTextLetsNoTerminalCodeThrough(t *testing.T) {
	src := "x = \"\x1b[2J\u202egnp\"\r\n"
	got := write(t, src, diag.TextOptions{}, diag.Diagnostic{Severity: diag.Error, Summary: "Bad", Detail: "a\x07b", Subject: at(src, "x")})
	if strings.ContainsAny(got, "\x1b\x07\r\u202e") {
		t.Errorf("got %q", got)
	}
}

func TestLikeWarningsFoldIntoOneLine(t *testing.T) {
	src := "x = 1\ny = 2\n"
	got := write(t, src, diag.TextOptions{CompactWarnings: true},
		diag.Diagnostic{Severity: diag.Warning, Summary: "Odd", Detail: "long", Subject: at(src, "y")},
		diag.Diagnostic{Severity: diag.Warning, Summary: "Odd", Detail: "long", Subject: at(src, "x")},
		diag.Diagnostic{Severity: diag.Warning, Summary: "Strange", Detail: "long"})
	if want := "Warning: Strange\nWarning: a.hcl:1:1: Odd (and 1 more)\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOutputIsInTheOrderOfPlacesAndWithoutRepetition(t *testing.T) {
	src := "a\nb\n"
	one := diag.Diagnostic{Severity: diag.Error, Summary: "Second", Subject: at(src, "b")}
	two := diag.Diagnostic{Severity: diag.Error, Summary: "First", Subject: at(src, "a")}
	ds := diag.Diagnostics{one, two, one}
	sorted := ds.Sorted()
	if len(sorted) != 2 || sorted[0].Summary != "First" || ds[0].Summary != "Second" {
		t.Errorf("got %v", sorted)
	}
}

func TestErrHoldsEveryError(t *testing.T) {
	src := "a\nb\n"
	ds := diag.Diagnostics{
		{Severity: diag.Error, Summary: "One", Detail: "Because.\n    do this", Subject: at(src, "b")},
		{Severity: diag.Warning, Summary: "Two"},
		{Severity: diag.Error, Summary: "Three"},
	}
	err := fmt.Errorf("load: %w", ds.Err())
	if got, want := err.Error(), "load: Three\na.hcl:2:1: One: Because. do this"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var list *diag.ListError
	if !errors.As(err, &list) || len(list.Diagnostics) != 3 {
		t.Errorf("got %v", list)
	}
	if (diag.Diagnostics{ds[1]}).Err() != nil {
		t.Error("a warning is no error")
	}
}

func TestReportIsTheMachineForm(t *testing.T) {
	src := "a\nbcd\n"
	out, err := json.Marshal(diag.Report(diag.Diagnostics{
		{Severity: diag.Error, Summary: "One", Detail: "Why.", Address: "model.a", Block: `model "a"`, Subject: at(src, "cd")},
		{Severity: diag.Warning, Summary: "Two"},
	}, sources(src)))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"format_version":"1.0","valid":false,"error_count":1,"warning_count":1,"diagnostics":[` +
		`{"severity":"warning","summary":"Two"},` +
		`{"severity":"error","summary":"One","detail":"Why.","address":"model.a",` +
		`"range":{"filename":"a.hcl","start":{"line":2,"column":2,"byte":3},"end":{"line":2,"column":4,"byte":5}},` +
		`"snippet":{"context":"model \"a\"","code":"bcd","start_line":2,"highlight_start_offset":1,"highlight_end_offset":3,"values":[]}}]}`
	if string(out) != want {
		t.Errorf("got  %s\nwant %s", out, want)
	}
	if empty, err := json.Marshal(diag.Report(nil, nil)); err != nil || !strings.Contains(string(empty), `"valid":true`) || !strings.Contains(string(empty), `"diagnostics":[]`) {
		t.Errorf("got %s, %v", empty, err)
	}
}

func TestAnyRangeOfAnyFileCanBeShown(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		src := rapid.StringOf(rapid.RuneFrom([]rune("ab\t\n\r\"ä日\x1b "))).Draw(rt, "src") + strings.Repeat("x", rapid.SampledFrom([]int{0, 1, 500}).Draw(rt, "tail"))
		pos := func(name string) diag.Pos {
			n := rapid.IntRange(-1, len(src)+2).Draw(rt, name)
			return diag.Pos{Line: rapid.IntRange(0, 9).Draw(rt, name+" line"), Column: 1, Byte: n}
		}
		d := diag.Diagnostic{
			Severity: diag.Error, Summary: "S",
			Subject: &diag.Range{Filename: "a.hcl", Start: pos("from"), End: pos("to")},
			Context: &diag.Range{Filename: "a.hcl", Start: pos("outer from"), End: pos("outer to")},
		}
		got := write(t, src, diag.TextOptions{}, d)
		if lines := strings.Count(got, "\n"); lines > 20 || len(got) > 4000 {
			rt.Errorf("%d lines, %d bytes", lines, len(got))
		}
		for _, j := range diag.Report(diag.Diagnostics{d}, sources(src)).Diagnostics {
			if s := j.Snippet; s != nil && (s.HighlightStartOffset < 0 || s.HighlightEndOffset < s.HighlightStartOffset || s.HighlightEndOffset > len(s.Code)) {
				rt.Errorf("marks outside of the code: %+v", s)
			}
		}
	})
}
