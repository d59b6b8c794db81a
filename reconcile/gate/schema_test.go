package gate_test

import (
	"slices"
	"testing"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/schema"
)

// The language refuses a fact that it does not know, so what is made here and what
// is documented there are the same.
func TestFactsAreThoseOfTheLanguage(t *testing.T) {
	cfg := sample()
	m, d, p := cfg.Models[0], cfg.Datasets[0], cfg.Pipelines[0]
	m.Description, m.Signature, m.Warmup, m.Metrics = "x", &spec.Signature{}, &spec.Warmup{}, &spec.Scrape{}
	d.Description = "x"
	p.Description, p.Schedule, p.Publish = "x", &spec.Schedule{}, &spec.Publish{}
	for root, c := range map[string]struct {
		subject gate.Subject
		inRuns  []string // facts that only a run knows
	}{
		"model":    {gate.ModelFacts(cfg, m, now), nil},
		"dataset":  {gate.DatasetFacts(cfg, d, now), []string{"rows"}},
		"pipeline": {gate.PipelineFacts(cfg, p, now), nil},
	} {
		facts := c.subject.Facts[root].(map[string]any)
		known := schema.FactsBelow(root)
		for name := range facts {
			if !slices.Contains(known, name) {
				t.Errorf("%s.%s is not in the language", root, name)
			}
		}
		for _, name := range known {
			if _, is := facts[name]; !is && !slices.Contains(c.inRuns, name) {
				t.Errorf("%s.%s is in the language, and nobody makes it", root, name)
			}
		}
	}
	live := gate.Live(cfg.Versions)["digits"].(map[string]any)
	for name := range live {
		if !slices.Contains(schema.FactsBelow("live"), name) {
			t.Errorf("live.MODEL.%s is not in the language", name)
		}
	}
}
