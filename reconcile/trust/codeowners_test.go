package trust_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile/trust"
)

func TestCodeowners(t *testing.T) {
	tests := []struct {
		name, text string
		dialect    trust.Dialect
		path, want string
	}{
		{"nothing", "", trust.GitHub, "a", "[]"},
		{"everything", "* @a @b", trust.GitHub, "x/y", "[[@a @b]]"},
		{"the last wins", "* @a\n*.hcl @b", trust.GitHub, "x/y.hcl", "[[@b]]"},
		{"nobody", "* @a\n/x/", trust.GitHub, "x/y", "[]"},
		{"comment", "# * @a\n* @b # and so on", trust.GitHub, "x", "[[@b]]"},
		{"carriage returns", "* @a\r\n/x @b\r\n", trust.GitHub, "x", "[[@b]]"},
		{"a team, an address, a dotted name", "* @acme/ops @x.y z@example.org", trust.GitHub, "x", "[[@acme/ops @x.y z@example.org]]"},
		{"GitHub anchors at a slash inside", "docs/x @a", trust.GitHub, "sub/docs/x", "[]"},
		{"GitLab does not", "docs/x @a", trust.GitLab, "sub/docs/x", "[[@a]]"},
		{"GitLab anchors at a leading slash", "/docs/x @a", trust.GitLab, "sub/docs/x", "[]"},
		{"nested groups", "* @a/b/c", trust.GitLab, "x", "[[@a/b/c]]"},
		{"Gitea", `models/.*\\.hcl @a`, trust.Gitea, "models/x/y.hcl", "[[@a]]"},
		{"Gitea takes the whole path", `models @a`, trust.Gitea, "models/x", "[]"},
		{"Gitea, several count", ".* @a\nx.* @b", trust.Gitea, "xy", "[[@a] [@b]]"},
		{"Gitea, negated", "!x.* @a", trust.Gitea, "y", "[[@a]]"},
		{"Gitea, negated, not meant", "!x.* @a", trust.Gitea, "x", "[]"},
		{"Gitea, alternatives are anchored", "a|b @a", trust.Gitea, "bc", "[]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := trust.ParseCodeowners(map[string][]byte{"CODEOWNERS": []byte(test.text)}, test.dialect)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Of(test.path); fmt.Sprint(got) != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	both, err := trust.ParseCodeowners(map[string][]byte{"CODEOWNERS": []byte("* @a"), ".gitea/CODEOWNERS": []byte(".* @b")}, trust.GitHub)
	if got := both.Of("x"); err != nil || fmt.Sprint(got) != "[[@a] [@b]]" {
		t.Errorf("of two files each counts: %v, %v", got, err)
	}
}

func TestCodeownersThatIsNotUnderstood(t *testing.T) {
	for dialect, texts := range map[trust.Dialect][]string{
		trust.GitHub: {
			"[Section]\n* @a", "^[Optional]", "!x @a", "x[ab] @a", "* a", "* @", "* @@developer", "x#y @a", "/ @a", "// @a", "a//b @a",
			"*** @a", strings.Repeat("x", 70<<10) + " @a", "* @a " + strings.Repeat("@b ", 30<<10), "* @a\x00",
		},
		trust.Gitea: {"( @a", ".*", ".* a", ".* @a !"},
	} {
		for _, text := range texts {
			_, err := trust.ParseCodeowners(map[string][]byte{"docs/CODEOWNERS": []byte("# one\n" + text)}, dialect)
			if err == nil || !strings.Contains(err.Error(), "docs/CODEOWNERS: line 2") {
				t.Errorf("%s: %.20q: %v", dialect, text, err)
			}
		}
	}
}

func FuzzCodeowners(f *testing.F) {
	for _, text := range []string{"* @a", "/ @a", "/\\ @a", "**/ @a", "\\", "[x] @a", "a b@c", "!.* @a", "/*/ @x\n\\# @y"} {
		f.Add(text, "models/a.hcl")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		for _, dialect := range []trust.Dialect{trust.GitHub, trust.GitLab, trust.Gitea} {
			c, err := trust.ParseCodeowners(map[string][]byte{"CODEOWNERS": []byte(text)}, dialect)
			if err != nil {
				continue
			}
			c.Of(path)
		}
	})
}
