package lang

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/spec"
)

// The config repo of the example loads without a warning, and its rollout judges
// by all that the demo tells about.
func TestTheExampleIsACanaryWithThreeChecks(t *testing.T) {
	const root = "../../examples/digits/config"
	files := tree{}
	for _, path := range []string{"digits.hcl", "training.hcl", "model-card.md", "data/digits.csv.gz", "warmup/digits.json"} {
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		files[path] = string(content)
	}
	cfg, diags := NewLoader().Load(files, Options{})
	if len(diags) > 0 {
		t.Fatalf("diagnostics: %v", diags)
	}
	if len(cfg.Models) != 1 || cfg.Models[0].Rollout == nil {
		t.Fatalf("got %d models, want digits with a rollout", len(cfg.Models))
	}
	r := cfg.Models[0].Rollout
	if r.Strategy != spec.Canary || len(r.Steps) != 2 {
		t.Errorf("got %s in %d steps, want a canary in 2", r.Strategy, len(r.Steps))
	}
	metrics := map[spec.Metric]bool{}
	for _, c := range r.Checks {
		metrics[c.Metric] = true
		// A look needs a scrape, and a step several looks.
		if hold := r.Steps[0].Hold; 3*c.Interval > hold {
			t.Errorf("check %s looks every %s, too seldom for a hold of %s", c.Name, c.Interval, hold)
		}
	}
	for _, want := range []spec.Metric{spec.ErrorRatio, spec.LatencyP99, spec.ScoreShift} {
		if !metrics[want] {
			t.Errorf("no check measures %s", want)
		}
	}
}
