package schema_test

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec/schema"
)

var update = flag.Bool("update", false, "write spec/REFERENCE.md anew")

func TestReferencePageIsThatOfTheTable(t *testing.T) {
	const page = "../REFERENCE.md"
	want := schema.Reference()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("spec/REFERENCE.md is stale. Write it anew:\n    go test ./spec/schema -update")
	}
}

func TestJSONHoldsTheWholeTable(t *testing.T) {
	out, err := json.Marshal(schema.JSON())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"format_version":"1.1"`, `"name":"max_vs_stable"`, `"keywords":["canary"`, `"default":"\"10MiB\""`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %s in the JSON", want)
		}
	}
}

// walk calls f for every block of the table.
func walk(b *schema.Block, path string, f func(path string, b *schema.Block)) {
	for _, n := range b.Blocks {
		here := path + "." + n.Name
		f(here, n)
		if n.Name != "environment" {
			walk(n, here, f)
		}
	}
}

func TestEveryEntryOfTheTableIsWhole(t *testing.T) {
	walk(schema.Root(), "", func(path string, b *schema.Block) {
		if b.Doc == "" || b.Since == "" {
			t.Errorf("%s: no doc or no version", path)
		}
		if (b.Label == "") != (b.LabelRule == "") {
			t.Errorf("%s: a label and its rule go together", path)
		}
		seen := map[string]bool{}
		for _, a := range b.Arguments {
			here := path + "." + a.Name
			if a.Doc == "" || a.Since == "" || seen[a.Name] {
				t.Errorf("%s: no doc, no version, or twice", here)
			}
			seen[a.Name] = true
			if a.Required && a.Default != "" {
				t.Errorf("%s: required, with a default", here)
			}
			if isKeyword := slices.Contains([]schema.Type{schema.Keyword, schema.KeywordList, schema.Triggers, schema.Bump}, a.Type); isKeyword != (len(a.Keywords) > 0) {
				t.Errorf("%s: keywords and type do not fit", here)
			}
			if isReference := a.Type == schema.Ref || a.Type == schema.RefList || a.Type == schema.Triggers; isReference != (a.Refers != "") {
				t.Errorf("%s: reference without kind", here)
			}
			if b.Block(a.Name) != nil {
				t.Errorf("%s: a block has that name too", here)
			}
		}
	})
}
