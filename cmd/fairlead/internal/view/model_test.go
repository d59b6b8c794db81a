package view_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/spec"
)

// hexOf is a digest of one letter.
func hexOf(letter string) string { return "sha256:" + strings.Repeat(letter, 64) }

func versionOf(version, artifact string) *spec.Version {
	return &spec.Version{
		Model: "digits", Version: version, Pos: spec.Pos{File: "versions/digits/" + version + ".hcl", Line: 1},
		Artifact: "oci://local/digits@" + hexOf(artifact), Content: hexOf("c"), Created: ago(50 * time.Hour), Pipeline: "train_digits", Run: "train_digits-11",
		Commit: strings.Repeat("8c1f2e0a", 5), Params: map[string]any{"test_share": 0.2}, Data: map[string]string{"digits": digest},
		Steps: map[string]spec.VersionStep{
			"split":   {Image: "steps@" + hexOf("5"), Key: "k1"},
			"train.2": {Image: "steps@" + hexOf("5"), Key: "k2", Values: map[string]any{"hidden": 64.0}, Inputs: map[string]string{"data": hexOf("d")}},
		},
		Metrics: map[string]float64{"accuracy": 0.9835, "loss": 0.081}, Profile: hexOf("f"), Card: "model-card.md",
		Gates: []spec.VersionGate{
			{Name: "good_enough", Outcome: "passed", Detail: "accuracy 0.9835 >= 0.95"},
			{Name: "fair", Outcome: "overridden", Detail: "equal_opportunity_ratio 0.71 >= 0.8", Actor: "ann", Reason: "few rows", Regulation: "EU AI Act, Art. 10(2)(f)"},
			{Name: "fast", Outcome: "failed", Detail: "latency 0.3 <= 0.2"},
		},
		Tolerance: 0.001, Definition: "{}",
	}
}

// versionFacts are a repo with two versions of digits, of which the newer is being
// rolled out, and a model without any.
func versionFacts() registry.Facts {
	release := func(revision, version, artifact string) journal.Release {
		return journal.Release{Revision: revision, Version: version, Commit: strings.Repeat("9d2e7b1c", 5), Inputs: reconcile.RevisionInputs{Image: "server@" + hexOf("9"), Artifact: artifact}}
	}
	newer := versionOf("1.2.0", "b")
	newer.Metrics, newer.Params, newer.Gates, newer.Content = map[string]float64{"accuracy": 0.9901, "f1": 0.98}, map[string]any{"test_share": 0.3, "shuffle": true}, newer.Gates[:1], hexOf("e")
	newer.Data = map[string]string{"digits": hexOf("7")}
	stable, candidate, plain := release("r1r1r1r1r1r1", "1.1.0", hexOf("a")), release("r2r2r2r2r2r2", "1.2.0", hexOf("b")), release("p1p1p1p1p1p1", "", "")
	return registry.Facts{
		Config: &spec.Config{
			Models:    []*spec.Model{{Name: "digits", Version: "1.2.0", Artifact: &spec.Artifact{Digest: hexOf("b")}}, {Name: "plain"}},
			Versions:  []*spec.Version{versionOf("1.1.0", "a"), newer},
			Datasets:  []*spec.Dataset{{Name: "digits", Digest: hexOf("7")}},
			Pipelines: []*spec.Pipeline{{Name: "train_digits", Steps: []*spec.Step{{Inputs: map[string]spec.Input{"data": {Kind: spec.InputDataset, Name: "digits"}}}}}},
		},
		Records: map[string]journal.Record{
			"digits": {Stable: &stable, Rollout: &journal.Rollout{Candidate: candidate, Weight: 25}},
			"plain":  {Stable: &plain},
		},
		History: slices.Concat(
			[]journal.Entry{{At: now, Action: journal.ActionApprove, Model: "digits", To: "r1r1r1r1r1r1", Actor: "bob", Reason: "looks good"}},
			slices.Repeat([]journal.Entry{{At: ago(time.Hour), Action: journal.ActionStep, Model: "digits", To: "r1r1r1r1r1r1", Actor: journal.Daemon, Reason: "step 1"}}, 9),
			[]journal.Entry{{At: ago(50 * time.Hour), Action: journal.ActionOverride, Pipeline: "train_digits", Run: "train_digits-11", To: "fair", Actor: "ann", Reason: "few rows"}},
		),
	}
}

func TestModelsAndVersionsAreALineEach(t *testing.T) {
	inUTC(t)
	models := view.ModelsOf(versionFacts())
	models.Note = "where versions serve is not known: no journal"
	golden(t, "model-list", func(v *view.View) error { return v.Models(models) })
	golden(t, "model-list-empty", func(v *view.View) error {
		return v.Models(&view.Models{Environment: "prod"})
	})
	golden(t, "model-versions", func(v *view.View) error { return v.Versions(view.VersionsOf(versionFacts(), "digits")) })
	golden(t, "model-versions-empty", func(v *view.View) error { return v.Versions(view.VersionsOf(versionFacts(), "plain")) })
	golden(t, "model-versions-json", func(v *view.View) error { return v.JSON(view.VersionsOf(versionFacts(), "digits")) })
}

func TestVersionShowsWhatItIs(t *testing.T) {
	inUTC(t)
	f := versionFacts()
	golden(t, "model-show", func(v *view.View) error {
		return v.Version(&view.VersionShown{Version: f.Config.Versions[0], At: f.Config.Versions[0].Pos.String(), Places: f.Places(f.Config.Versions[0])})
	})
	golden(t, "model-show-bare", func(v *view.View) error {
		return v.Version(&view.VersionShown{Version: &spec.Version{Model: "digits", Version: "1.0.0", Artifact: "oci://local/digits@" + hexOf("0"), Created: now}})
	})
}

func TestDiffShowsMetricsSideBySide(t *testing.T) {
	f := versionFacts()
	d := &view.VersionDiff{FormatVersion: app.RegistryFormat, Difference: registry.Diff(f.Config.Versions[0], f.Config.Versions[1])}
	golden(t, "model-diff", func(v *view.View) error { return v.VersionDiff(d) })
	golden(t, "model-diff-json", func(v *view.View) error { return v.JSON(d) })
	same := &view.VersionDiff{Difference: registry.Diff(f.Config.Versions[0], versionOf("1.1.1", "a"))}
	golden(t, "model-diff-same", func(v *view.View) error { return v.VersionDiff(same) })
}

func TestLineageIsATree(t *testing.T) {
	inUTC(t)
	f := versionFacts()
	release, err := f.OfRelease("digits", "")
	if err != nil {
		t.Fatal(err)
	}
	version, err := f.OfVersion("digits", "1.2.0")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := f.OfRelease("plain", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*registry.Lineage{"model-lineage": release, "model-lineage-version": version, "model-lineage-plain": plain} {
		golden(t, name, func(v *view.View) error { return v.Lineage(&view.LineageShown{Lineage: l}) })
	}
	golden(t, "model-lineage-json", func(v *view.View) error {
		return v.JSON(&view.LineageShown{FormatVersion: app.RegistryFormat, Lineage: release})
	})
}

func TestUsesFollowDataForward(t *testing.T) {
	f := versionFacts()
	for name, query := range map[string]string{"model-uses": "digits", "model-uses-digest": digest} {
		uses, err := f.Uses(query)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, func(v *view.View) error { return v.Uses(&view.UsesShown{Uses: uses, Note: "of the last commit"}) })
	}
	golden(t, "model-uses-nothing", func(v *view.View) error {
		return v.Uses(&view.UsesShown{Uses: &registry.Uses{Dataset: "churn"}})
	})
}

func TestCardIsMarkdownWithTheFacts(t *testing.T) {
	f := versionFacts()
	v1 := f.Config.Versions[0]
	v1.Params["prompt"] = "<b>a|b</b> `x`"
	text := "---\nlicense: MIT\n---\n# Digits\n\nReads digits.\n"
	golden(t, "model-card", func(v *view.View) error {
		return v.Card(view.CardOf(v1, map[string]string{"model-card.md": text}, f.Places(v1)))
	})
	changed := *v1
	changed.CardHash = hexOf("0")
	golden(t, "model-card-changed", func(v *view.View) error {
		return v.Card(view.CardOf(&changed, map[string]string{"model-card.md": "Reads digits.\n"}, nil))
	})
	golden(t, "model-card-gone", func(v *view.View) error { return v.Card(view.CardOf(v1, nil, nil)) })
	bare := &spec.Version{Model: "digits", Version: "1.0.0", Created: now}
	golden(t, "model-card-none", func(v *view.View) error { return v.Card(view.CardOf(bare, nil, nil)) })
	for text, want := range map[string]string{
		"---\r\na: 1\r\n---\r\nText": "Text", "---\n---\nText": "Text", "---\nnever closed": "---\nnever closed", "Text\n---\nmore": "Text\n---\nmore", "": "",
	} {
		if got := view.CardOf(v1, map[string]string{"model-card.md": text}, nil).Text; got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestReproductionSaysWhetherItAgrees(t *testing.T) {
	published := versionOf("1.1.0", "a")
	again := versionOf("", "a")
	again.Run = "train_digits-14"
	show := func(name string) {
		golden(t, name, func(v *view.View) error {
			return v.Agreement(&view.Reproduced{FormatVersion: app.RegistryFormat, Agreement: registry.Agree(published, again)})
		})
	}
	show("model-reproduced")
	again.Content, again.Metrics = hexOf("8"), map[string]float64{"accuracy": 0.9832, "loss": 0.0815}
	show("model-reproduced-within")
	again.Metrics = map[string]float64{"accuracy": 0.97}
	show("model-reproduced-apart")
}

func TestARegistrySurvivesItsJSON(t *testing.T) {
	f := versionFacts()
	r := &app.Registry{
		Models: []app.RegistryModel{{Name: "digits", Version: "1.2.0", Artifact: hexOf("b")}, {Name: "plain"}}, Datasets: []app.RegistryDataset{{Name: "digits", Digest: hexOf("7"), Pipelines: []string{"train_digits"}}},
	}
	for _, v := range f.Config.Versions {
		r.Versions = append(r.Versions, app.RegistryVersion{Version: *v, At: v.Pos})
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var read app.Registry
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	lineage := func(f registry.Facts) string {
		l, err := f.OfRelease("digits", "")
		if err != nil {
			t.Fatal(err)
		}
		u, err := f.Uses("digits")
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal([]any{l, u})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got, want := lineage(read.Facts(f.Records, f.History)), lineage(f); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
