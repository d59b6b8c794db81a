package lang

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec/diag"
)

// expectation is a diagnostic that a case file announces in a comment:
//
//	# ERROR: SUMMARY :: part of the detail      on this line
//	# ERROR@2: ...                              on line 2
//	# ERROR nowhere: ...                        without a place
//
// and the same with WARNING. The part behind :: is optional.
var expectation = regexp.MustCompile(`# (ERROR|WARNING)(@\d+| nowhere)?: (.*)$`)

type expected struct {
	severity string
	line     int
	summary  string
	detail   string
}

func expectations(t *testing.T, content string) []expected {
	t.Helper()
	var list []expected
	for i, line := range strings.Split(content, "\n") {
		m := expectation.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		e := expected{severity: strings.ToLower(m[1]), line: i + 1}
		switch {
		case m[2] == " nowhere":
			e.line = 0
		case m[2] != "":
			n, err := strconv.Atoi(m[2][1:])
			if err != nil {
				t.Fatal(err)
			}
			e.line = n
		}
		e.summary, e.detail, _ = strings.Cut(m[3], " :: ")
		list = append(list, e)
	}
	return list
}

// option reads "# NAME: VALUE" of a case file.
func option(content, name string) string {
	_, after, found := strings.Cut(content, "# "+name+": ")
	if !found {
		return ""
	}
	value, _, _ := strings.Cut(after, "\n")
	return value
}

func TestEachMistakeHasItsDiagnostic(t *testing.T) {
	files, err := filepath.Glob("testdata/diagnostics/*.hcl")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 60 {
		t.Errorf("only %d case files", len(files))
	}
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(strings.TrimSuffix(name, ".hcl"), func(t *testing.T) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			src := string(content)
			repo := data(tree{name: src, "data/digits.json": "{}"})
			_, diags := NewLoader().Load(repo, Options{Environment: option(src, "environment"), Version: "0.1.0"})
			compare(t, expectations(t, src), diags.Sorted())
			if t.Failed() {
				t.Log("\n" + text(t, diags, repo))
			}
		})
	}
}

func compare(t *testing.T, want []expected, got diag.Diagnostics) {
	t.Helper()
	slices.SortStableFunc(want, func(a, b expected) int { return cmp.Compare(a.line, b.line) })
	if len(want) == 0 {
		t.Error("the case announces nothing")
	}
	describe := func(i int) string {
		d := got[i]
		line := 0
		if d.Subject != nil {
			line = d.Subject.Start.Line
		}
		return fmt.Sprintf("line %d: %s: %s", line, d.Severity, d.Summary)
	}
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(want):
			t.Errorf("unexpected %s", describe(i))
		case i >= len(got):
			t.Errorf("missing line %d: %s: %s", want[i].line, want[i].severity, want[i].summary)
		case describe(i) != fmt.Sprintf("line %d: %s: %s", want[i].line, want[i].severity, want[i].summary):
			t.Errorf("got  %s\nwant line %d: %s: %s", describe(i), want[i].line, want[i].severity, want[i].summary)
		case !strings.Contains(strings.Join(strings.Fields(got[i].Detail), " "), want[i].detail):
			t.Errorf("%s: the detail lacks %q:\n%s", describe(i), want[i].detail, got[i].Detail)
		}
	}
}

func TestEveryDiagnosticSaysWhatToDo(t *testing.T) {
	files, err := filepath.Glob("testdata/diagnostics/*.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		repo := tree{filepath.Base(path): string(content)}
		_, diags := NewLoader().Load(repo, Options{Environment: option(string(content), "environment"), Version: "0.1.0"})
		for _, d := range diags {
			if d.Detail == "" || d.Summary == "" || strings.ContainsAny(d.Summary, "\"%.") {
				t.Errorf("%s: summary %q, detail %q", path, d.Summary, d.Detail)
			}
		}
	}
}
