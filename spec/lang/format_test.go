package lang

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func TestFormatAlignsAndKeepsComments(t *testing.T) {
	src := "# top\nmodel \"a\" {\nimage=\"a:1\" # why\n  replicas   = 2\nenv={A=\"1\"}\n}\n\n\n\n"
	want := "# top\nmodel \"a\" {\n  image    = \"a:1\" # why\n  replicas = 2\n  env      = { A = \"1\" }\n}\n"
	got, diags := Format([]byte(src), "a.hcl")
	if diags.HasErrors() || string(got) != want {
		t.Errorf("got\n%s\n%v\nwant\n%s", got, diags, want)
	}
}

func TestFormatRefusesWhatItCannotRead(t *testing.T) {
	for name, c := range map[string]struct{ file, src, summary string }{
		"a broken file": {"a.hcl", "model \"a\" {\n  image = \n}\n", "Invalid expression"},
		"a bomb":        {"a.hcl", "a = " + strings.Repeat("[", 100_000), "Spec too complex"},
		"a large file":  {"a.hcl", strings.Repeat("# comment\n", 30_000), "Spec file too large"},
		"JSON":          {"a.hcl.json", "{}", "Not a native spec file"},
		"no text":       {"a.hcl", "a = \"\xff\"", "Spec file is not text"},
	} {
		t.Run(name, func(t *testing.T) {
			got, diags := Format([]byte(c.src), c.file)
			if got != nil || len(diags) == 0 || diags[0].Summary != c.summary || diags[0].Subject == nil {
				t.Errorf("got %q, %v", got, diags)
			}
		})
	}
}

// specFiles are all native files of the test data.
func specFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, pattern := range []string{"testdata/*.hcl", "testdata/diagnostics/*.hcl"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files[path] = content
		}
	}
	return files
}

func TestFormatIsIdempotentAndKeepsEveryToken(t *testing.T) {
	for path, src := range specFiles(t) {
		checkFormat(t, path, src)
	}
}

func checkFormat(t *testing.T, path string, src []byte) {
	t.Helper()
	once, diags := Format(src, "a.hcl")
	if diags.HasErrors() {
		return
	}
	twice, diags := Format(once, "a.hcl")
	if diags.HasErrors() || !bytes.Equal(once, twice) {
		t.Errorf("%s: a second run changes the file:\n%q\n%q\n%v", path, once, twice, diags)
	}
	if got, want := tokensOf(once), tokensOf(src); !slices.Equal(got, want) {
		t.Errorf("%s: the tokens change:\n%q\n%q", path, want, got)
	}
}

// tokensOf is what a file says: its tokens without spaces, and without the line
// breaks at its end.
func tokensOf(src []byte) []string {
	tokens, _ := hclsyntax.LexConfig(src, "a.hcl", hcl.InitialPos)
	var list []string
	for _, t := range tokens {
		if t.Type == hclsyntax.TokenEOF {
			continue
		}
		list = append(list, t.Type.String()+" "+string(t.Bytes))
	}
	for len(list) > 0 && strings.HasPrefix(list[len(list)-1], "TokenNewline") {
		list = list[:len(list)-1]
	}
	if n := len(list) - 1; n >= 0 {
		list[n] = strings.TrimRight(list[n], "\n") // a comment holds the line break behind it
	}
	return list
}
