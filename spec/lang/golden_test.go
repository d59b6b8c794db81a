package lang

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/spec/diag"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestDiagnosticsLookAsInTheGoldenFiles holds the whole output for a few cases,
// as text and as JSON.
func TestDiagnosticsLookAsInTheGoldenFiles(t *testing.T) {
	for _, name := range []string{"unknown_argument", "cycle", "duplicate_model", "secret_in_text", "wrong_everywhere", "environment_needed", "number_of_a_word", "http_without_route", "steps_in_a_circle", "condition_cannot_be"} {
		t.Run(name, func(t *testing.T) {
			src, err := os.ReadFile(filepath.Join("testdata", "diagnostics", name+".hcl"))
			if err != nil {
				t.Fatal(err)
			}
			repo := tree{name + ".hcl": string(src)}
			_, diags := NewLoader().Load(repo, Options{})
			var out bytes.Buffer
			if err := diag.WriteText(&out, diags, Sources(repo), diag.TextOptions{Width: 80}); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", out.Bytes())
			report, err := json.MarshalIndent(diag.Report(diags, Sources(repo)), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", append(report, '\n'))
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; look at it, then run the test with -update:\ngot\n%s\nwant\n%s", path, got, want)
	}
}
