package lang

import (
	"strings"
	"testing"
)

func TestSettingsAreLiteralArguments(t *testing.T) {
	settings, diags := Settings([]byte(`
repo     = "https://git.example.com/models.git"
parallel = 4
refuse   = true
binds    = ["/data:ro", "/models"]
none     = []
object   = { a = 1 }
`), "site.hcl")
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	want := []struct{ name, values, literal string }{
		{"repo", "https://git.example.com/models.git", "https://git.example.com/models.git"},
		{"parallel", "4", "4"},
		{"refuse", "true", "true"},
		{"binds", "/data:ro /models", `["/data:ro", "/models"]`},
		{"none", "", "[]"},
		{"object", "", "{ a = 1 }"},
	}
	if len(settings) != len(want) {
		t.Fatalf("got %d settings, want %d", len(settings), len(want))
	}
	for i, w := range want { // in the order of the file
		s := settings[i]
		if s.Name != w.name || strings.Join(s.Values, " ") != w.values || s.Literal != w.literal || s.Range.Start.Line != i+2 {
			t.Errorf("got %+v in line %d, want %+v", s, s.Range.Start.Line, w)
		}
	}
}

func TestSettingsRefuseWhatIsNoLiteral(t *testing.T) {
	for name, test := range map[string]struct{ src, summary, place string }{
		"a reference":        {"a = local.b", "Not a literal value", "site.hcl:1:5"},
		"a function":         {"a = upper(\"b\")", "Not a literal value", "site.hcl:1:5"},
		"null":               {"a = null", "Not a literal value", "site.hcl:1:5"},
		"a list of lists":    {"a = [[1]]", "Not a literal value", "site.hcl:1:5"},
		"a block":            {"model \"a\" {}", "Not a setting", "site.hcl:1:1"},
		"what does not read": {"a = ", "", "site.hcl:1"},
		"what is not text":   {"a = \"\xff\"", "Spec file is not text", "site.hcl:1"},
		"too deep a value":   {"a = " + strings.Repeat("[", 10_000), "Spec too complex", "site.hcl:1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := Settings([]byte(test.src), "site.hcl")
			if !diags.HasErrors() {
				t.Fatal("accepted")
			}
			if d := diags[0]; !strings.Contains(d.Summary, test.summary) || d.Subject == nil || !strings.HasPrefix(d.Subject.String(), test.place) {
				t.Errorf("got %q at %v, want %q at %s", d.Summary, d.Subject, test.summary, test.place)
			}
		})
	}
}

func TestSettingsReportEveryMistake(t *testing.T) {
	settings, diags := Settings([]byte("a = b\nc = 1\nd = e\nf {}\n"), "site.hcl")
	if len(diags) != 3 {
		t.Errorf("got %v", diags)
	}
	if len(settings) != 1 || settings[0].Name != "c" {
		t.Errorf("got %v", settings)
	}
}
