package edit_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/spec/lang/edit"
)

const digest = "@sha256:6c3c624b6c3c624b6c3c624b6c3c624b6c3c624b6c3c624b6c3c624b6c3c624b"

// toDigest pins what has none.
func toDigest(ref string) (string, bool) {
	if strings.Contains(ref, "@") {
		return "", false
	}
	return ref + digest, true
}

func TestPinWritesDigestsWhereverAnImageIsWritten(t *testing.T) {
	const hcl = `# Models.
model "digits" {
  image    = "localhost:5000/digits:1" # the server
  replicas = 2
}
model "each" {
  for_each = toset(["a"])
  image    = "each:1"
}
model "pinned" {
  image = "pinned` + digest + `"
}
pipeline "train" {
  step "fit" {
    image = "fit:1"
  }
}
version "digits@1.0.0" {
  step "fit" {
    image = "fit:0"
  }
}
environment "prod" {
  model "digits" {
    image = "localhost:5000/digits:2"
  }
  pipeline "train" {
    step "fit" { image = "fit:2" }
  }
}
`
	const json = `{"model": {"a": {"image": "a:1"}, "b": {"image": "${var.x}"}}, "environment": {"prod": {"model": {"a": {"image": null}}}}}`
	repo := tree{
		"a.hcl": hcl, "b.hcl.json": json, "c.hcl": "model \"c\" {\n  image = \"${var.registry}/c:1\"\n}\nmodel \"d\" {\n  image = var.d\n}\nmodel \"e\" {\n  image = \"${var.r}/e" + digest + "\"\n}\n",
		"vars.hcl": "variable \"d\" {\n  default = \"d:1\"\n}\n", ".fairlead/include/x/a.hcl": "model \"x_a\" {\n  image = \"x:1\"\n}\n",
	}
	files, byHand, err := edit.Pin(repo, toDigest)
	if err != nil {
		t.Fatal(err)
	}
	want := hcl
	for _, image := range []string{"localhost:5000/digits:1", "each:1", "fit:1", "localhost:5000/digits:2", "fit:2"} {
		want = strings.Replace(want, `"`+image+`"`, `"`+image+digest+`"`, 1)
	}
	if got := string(files["a.hcl"]); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := string(files["b.hcl.json"]); got != strings.Replace(json, `"a:1"`, `"a:1`+digest+`"`, 1) {
		t.Errorf("got %s", got)
	}
	if len(files) != 2 {
		t.Errorf("%d files", len(files))
	}
	var words []string
	for _, b := range byHand {
		words = append(words, b.Address.String()+" "+b.Error())
	}
	for i, parts := range [][]string{
		{"model.b", "b.hcl.json:1", "image = var.x", "@sha256"},
		{"model.c", "c.hcl:2", `image = "${var.registry}/c:1"`},
		{"model.d", "c.hcl:5", "image = var.d", "declared at vars.hcl:1"},
	} {
		for _, part := range parts {
			if i >= len(words) || !strings.Contains(words[i], part) {
				t.Errorf("%q is missing in %d of %q", part, i, words)
			}
		}
	}
	if len(words) != 3 {
		t.Errorf("by hand: %q", words)
	}
	for path, content := range files {
		repo[path] = string(content)
	}
	if again, _, err := edit.Pin(repo, toDigest); err != nil || len(again) != 0 {
		t.Errorf("a second time: %v, %v", again, err)
	}
}

func TestPinOfWhatDoesNotParseIsAnError(t *testing.T) {
	for _, repo := range []tree{{"a.hcl": "model \"image\" {"}, {"a.hcl.json": "{image"}} {
		if _, _, err := edit.Pin(repo, toDigest); err == nil {
			t.Errorf("%v was taken", repo)
		}
	}
}

// In all test files of the language nothing but images changes, and a second time
// nothing does.
func TestPinOfTheCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "testdata", "*", "*.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, filepath.Join("..", "testdata", "all.hcl"), filepath.Join("..", "testdata", "digits_pipeline.hcl"))
	pinned := 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, diags := hclsyntax.ParseConfig(src, file, hcl.InitialPos); diags.HasErrors() {
			continue
		}
		pinned += checkPin(t, string(src))
	}
	if pinned < 100 {
		t.Errorf("only %d files were changed", pinned)
	}
}

func TestPinOfAnyFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkPin(t, aFile(t)) })
}

// checkPin pins a file, and returns how many were changed.
func checkPin(t interface {
	Fatalf(format string, args ...any)
}, src string,
) int {
	files, _, err := edit.Pin(tree{"a.hcl": src}, toDigest)
	if err != nil {
		t.Fatalf("%v:\n%s", err, src)
	}
	got, changed := files["a.hcl"]
	if !changed {
		return 0
	}
	was, is := tokens([]byte(src)), tokens(got)
	if len(was) > len(is) {
		t.Fatalf("tokens are lost:\n%s\nbecame\n%s", src, got)
	}
	for i := range is {
		is[i] = strings.TrimSuffix(is[i], digest)
	}
	if !slices.Equal(was, is) {
		t.Fatalf("more than images changed:\n%s\nbecame\n%s", src, got)
	}
	if again, _, err := edit.Pin(tree{"a.hcl": string(got)}, toDigest); err != nil || len(again) != 0 {
		t.Fatalf("a second time: %v, %s", err, again["a.hcl"])
	}
	return 1
}
