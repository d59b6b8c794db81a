package edit_test

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang/edit"
)

var update = flag.Bool("update", false, "write the golden files anew")

func digits() spec.Version {
	return spec.Version{
		Model: "digits", Version: "1.2.0", Artifact: "oci://local/digits@sha256:" + strings.Repeat("a", 64), Content: "sha256:" + strings.Repeat("b", 64),
		Created: time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC), Pipeline: "train_digits", Run: "train_digits-12", Commit: strings.Repeat("ab", 20),
		Params: map[string]any{"test_share": 0.2, "name": "a ${b} \"c\"", "fast": true, "for": 1.0, "a b": "x"}, Data: map[string]string{"digits": "sha256:" + strings.Repeat("c", 64)},
		Metrics: map[string]float64{"accuracy": 0.9835, "equal_opportunity_ratio": 1.0 / 3, "rows": 1797, "loss": 1e-12, "none": math.NaN()},
		Steps: map[string]spec.VersionStep{
			"train.2": {Image: "digits-steps@sha256:" + strings.Repeat("d", 64), Key: strings.Repeat("e", 64), Values: map[string]any{"hidden": 64.0}, Inputs: map[string]string{"data": "sha256:" + strings.Repeat("f", 64)}},
			"split":   {Image: "digits-steps@sha256:" + strings.Repeat("d", 64), Key: strings.Repeat("0", 64)},
		},
		Profile: "sha256:" + strings.Repeat("1", 64), Card: "model-card.md", CardHash: "sha256:" + strings.Repeat("2", 64), Tolerance: 0.001,
		Gates: []spec.VersionGate{
			{Name: "good_enough", Outcome: "passed", Detail: "accuracy 0.9835 >= 0.95"},
			{Name: "fair", Outcome: "overridden", Detail: "ratio 0.79 >= 0.8", Regulation: "EU AI Act, Art. 10(2)(f)", Actor: "ann@host", Reason: "few rows\nof one group"},
		},
		Definition: `{"name":"train_digits","steps":[{"name":"split","command":["a${b}","%{c}"]}]}`,
	}
}

func TestVersionLooksAsInTheGoldenFile(t *testing.T) {
	files := edit.WriteVersion(digits())
	got := files[edit.VersionPath(digits())]
	path := filepath.Join("testdata", "version.hcl")
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
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if definition := string(files["versions/digits/1.2.0.json"]); !strings.HasPrefix(definition, "{\n  \"name\": \"train_digits\",\n") {
		t.Errorf("the definition is\n%s", definition)
	}
	if path := edit.VersionPath(digits()); path != "versions/digits/1.2.0.hcl" {
		t.Errorf("the path is %q", path)
	}
}

func TestEmptyVersionIsABlock(t *testing.T) {
	got := string(edit.WriteVersion(spec.Version{Model: "a", Version: "0.1.0"})["versions/a/0.1.0.hcl"])
	if got != "version \"a@0.1.0\" {\n}\n" {
		t.Errorf("got %q", got)
	}
}

// values reads a body without variables, blocks by type and label.
func values(t *rapid.T, body *hclsyntax.Body) map[string]any {
	all := map[string]any{}
	for name, a := range body.Attributes {
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() {
			t.Fatalf("%s: %s", name, diags)
		}
		all[name] = goValue(v)
	}
	for _, b := range body.Blocks {
		all[b.Type+" "+strings.Join(b.Labels, " ")] = values(t, b.Body)
	}
	return all
}

func goValue(v cty.Value) any {
	switch {
	case v.Type() == cty.String:
		return v.AsString()
	case v.Type() == cty.Bool:
		return v.True()
	case v.Type() == cty.Number:
		f, _ := v.AsBigFloat().Float64()
		return f
	default:
		members := map[string]any{}
		for name, member := range v.AsValueMap() {
			members[name] = goValue(member)
		}
		return members
	}
}

func TestVersionComesBack(t *testing.T) {
	text := rapid.Custom(func(t *rapid.T) string {
		return cty.NormalizeString(rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z$%{}"\\ \n]{0,12}`)).Draw(t, "text"))
	})
	number := rapid.Float64()
	rapid.Check(t, func(t *rapid.T) {
		v := spec.Version{
			Model: "digits", Version: "1.2.0", Artifact: text.Draw(t, "artifact"), Tolerance: number.Draw(t, "tolerance"),
			Params:  rapid.MapOfN(text, rapid.OneOf(rapid.Map(text, asAny), rapid.Map(number, asAny), rapid.Map(rapid.Bool(), asAny)), 0, 4).Draw(t, "params"),
			Metrics: rapid.MapOfN(rapid.SampledFrom([]string{"accuracy", "for", "null", "true", "a.b", "1", "ä"}), number, 0, 4).Draw(t, "metrics"),
			Data:    rapid.MapOfN(text, text, 0, 3).Draw(t, "data"),
			Steps:   map[string]spec.VersionStep{"train.2": {Image: text.Draw(t, "image"), Values: map[string]any{"x": number.Draw(t, "x")}}},
			Gates:   []spec.VersionGate{{Name: "fair", Outcome: "passed", Reason: text.Draw(t, "reason")}},
		}
		src := edit.WriteVersion(v)[edit.VersionPath(v)]
		if again := hclwrite.Format(src); !bytes.Equal(again, src) {
			t.Fatalf("the formatter changes\n%s\nto\n%s", src, again)
		}
		parsed, diags := hclsyntax.ParseConfig(src, "v.hcl", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatalf("%s\n%s", diags, src)
		}
		want := map[string]any{"gate fair": map[string]any{"outcome": "passed"}, "step train.2": map[string]any{"values": map[string]any{"x": v.Steps["train.2"].Values["x"]}}}
		put := func(at map[string]any, name string, value any) {
			if m, isMap := value.(map[string]any); value != "" && (!isMap || len(m) > 0) {
				at[name] = value
			}
		}
		put(want, "artifact", v.Artifact)
		put(want, "params", v.Params)
		metrics, data := map[string]any{}, map[string]any{}
		for name, f := range v.Metrics {
			metrics[name] = f
		}
		for name, s := range v.Data {
			data[name] = s
		}
		put(want, "metrics", metrics)
		put(want, "data", data)
		if v.Tolerance != 0 {
			want["tolerance"] = v.Tolerance
		}
		put(want["gate fair"].(map[string]any), "reason", v.Gates[0].Reason)
		put(want["step train.2"].(map[string]any), "image", v.Steps["train.2"].Image)
		if got := values(t, parsed.Body.(*hclsyntax.Body))["version digits@1.2.0"]; !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %v\nwant %v\n%s", got, want, src)
		}
	})
}

func asAny[T any](v T) any { return v }
