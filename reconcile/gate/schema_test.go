package gate_test

import (
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang"
	"github.com/fairlead/fairlead/spec/schema"
)

// The language refuses a fact that its table does not have, so the table must have
// all that there are, and no other.
func TestFactsAreThoseOfTheTable(t *testing.T) {
	src, err := os.ReadFile("../../spec/lang/testdata/all.hcl")
	if err != nil {
		t.Fatal(err)
	}
	file := func(path, text string) spec.Content {
		return spec.Content{File: spec.File{Path: path, Hash: path, Size: int64(len(text))}, Data: []byte(text)}
	}
	tree := spec.NewTree(spec.Commit{}, []spec.Content{
		file("a.hcl", string(src)), file("data/digits.csv", "2"), file("data/card.md", "---\nlanguage: en\n---\n"),
		file("data/note.age", "YWdl"), file("data/jwks.json", `{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "lVrT5Pt1z5GCJEHEY8uhcOlxL5SDrT2LP-FBVX04VdY"}]}`),
	})
	cfg, diags := lang.NewLoader().Load(tree, lang.Options{Environment: "prod", Version: "0.1.0"})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	made := map[string]map[string]bool{"model": {}, "dataset": {"rows": true}, "pipeline": {}, "live": {}}
	add := func(root string, facts any) {
		object, _ := facts.(map[string]any)
		for name := range object {
			made[root][name] = true
		}
	}
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for _, m := range cfg.Models {
		add("model", gate.ModelFacts(cfg, m, now).Facts["model"])
	}
	for _, d := range cfg.Datasets {
		add("dataset", gate.DatasetFacts(cfg, d, now).Facts["dataset"])
	}
	for _, p := range cfg.Pipelines {
		add("pipeline", gate.PipelineFacts(cfg, p, now).Facts["pipeline"])
	}
	for _, live := range gate.Live(cfg.Versions) {
		add("live", live)
	}
	for root, facts := range made {
		got, want := slices.Sorted(maps.Keys(facts)), slices.Sorted(slices.Values(schema.FactsBelow(root)))
		for _, name := range got {
			if !slices.Contains(want, name) {
				t.Errorf("%s.%s is not in the table of package schema, so nothing can refer to it", root, name)
			}
		}
		for _, name := range want {
			if !slices.Contains(got, name) {
				t.Errorf("%s.%s is in the table of package schema, and was not made", root, name)
			}
		}
	}
}
