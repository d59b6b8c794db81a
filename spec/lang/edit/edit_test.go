package edit_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang/edit"
)

// tree is a config repo in memory.
type tree map[string]string

func (t tree) Commit() spec.Commit { return spec.Commit{} }

func (t tree) Files() []spec.File {
	var files []spec.File
	for path, content := range t {
		files = append(files, spec.File{Path: path, Size: int64(len(content))})
	}
	slices.SortFunc(files, func(a, b spec.File) int { return strings.Compare(a.Path, b.Path) })
	return files
}

func (t tree) Read(path string) ([]byte, error) {
	content, found := t[path]
	if !found {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return []byte(content), nil
}

var digitsModel = spec.Address{Kind: spec.KindModel, Name: "digits"}

const newArtifact = "oci://local/digits@sha256:new"

// set is the change of one argument of model.digits.
func set(argument, value string) edit.Change {
	return edit.Change{Address: digitsModel, Argument: argument, Value: value}
}

// inProd is the same for the environment prod.
func inProd(c edit.Change) edit.Change {
	c.Environment = "prod"
	return c
}

func TestEditKeepsWhatItDoesNotMean(t *testing.T) {
	for name, c := range map[string]struct {
		changes       []edit.Change
		before, after string
	}{
		"a value in place": {
			[]edit.Change{set("version", "1.2.0")},
			"# top\nmodel \"digits\" {\n  version = \"1.1.0\" # now\n  image   = \"a:1\"   /* x */\n\n  # last\n}\n",
			"# top\nmodel \"digits\" {\n  version = \"1.2.0\" # now\n  image   = \"a:1\"   /* x */\n\n  # last\n}\n",
		},
		"a file in nobody's layout": {
			[]edit.Change{set("version", "1.10.0")},
			"model \"digits\"   {\n\tversion=   \"1.1.0\"# now\n      image   = \"a:1\"\n}",
			"model \"digits\"   {\n\tversion=   \"1.10.0\"# now\n      image   = \"a:1\"\n}",
		},
		"an artifact behind the image": {
			[]edit.Change{set("artifact", "x")},
			"model \"digits\" {\n  version = \"1\"\n  image   = \"a:1\" # pinned\n  port    = 80\n}\n",
			"model \"digits\" {\n  version  = \"1\"\n  image    = \"a:1\" # pinned\n  artifact = \"x\"\n  port     = 80\n}\n",
		},
		"all three at once": {
			[]edit.Change{set("version", "1.2.0"), set("artifact", "x"), set("artifact_path", "/m")},
			"model \"digits\" {\n  image = \"a:1\"\n\n  resources {\n    cpus = 1\n  }\n}\n",
			"model \"digits\" {\n  version       = \"1.2.0\"\n  image         = \"a:1\"\n  artifact      = \"x\"\n  artifact_path = \"/m\"\n\n  resources {\n    cpus = 1\n  }\n}\n",
		},
		"behind a value of several lines": {
			[]edit.Change{set("artifact", "x")},
			"model \"digits\" {\n  image = join(\":\", [\n    \"a\", \"1\",\n  ]) # end\n  port = 80\n}\n",
			"model \"digits\" {\n  image = join(\":\", [\n    \"a\", \"1\",\n  ]) # end\n  artifact = \"x\"\n  port     = 80\n}\n",
		},
		"behind a comment of several lines": {
			[]edit.Change{set("artifact", "x")},
			"model \"digits\" {\n image = \"a:1\" /* one\n two */\n port=80\n}\n",
			"model \"digits\" {\n image = \"a:1\" /* one\n two */\n artifact = \"x\"\n port=80\n}\n",
		},
		"behind a heredoc": {
			[]edit.Change{set("version", "1.2.0")},
			"model \"digits\" {\n  description = <<-EOT\n    long\n  EOT\n  image       = \"a:1\"\n}\n",
			"model \"digits\" {\n  description = <<-EOT\n    long\n  EOT\n  version     = \"1.2.0\"\n  image       = \"a:1\"\n}\n",
		},
		"a block of one line": {
			[]edit.Change{set("version", "1.2.0")},
			"model \"digits\" { image = \"a:1\" }\n",
			"model \"digits\" {\n  image   = \"a:1\"\n  version = \"1.2.0\"\n}\n",
		},
		"an empty block": {
			[]edit.Change{set("version", "1.2.0")}, "model \"digits\" {}\n", "model \"digits\" {\n  version = \"1.2.0\"\n}\n",
		},
		"only blocks": {
			[]edit.Change{set("version", "1.2.0")},
			"model \"digits\" { # it\n  route {\n  }\n}\n",
			"model \"digits\" { # it\n  version = \"1.2.0\"\n\n  route {\n  }\n}\n",
		},
		"lines of Windows": {
			[]edit.Change{set("artifact", "x")},
			"model \"digits\" {\r\n    image = \"a:1\"\r\n}\r\n",
			"model \"digits\" {\r\n    image = \"a:1\"\r\n    artifact = \"x\"\r\n}\r\n",
		},
		"another model and another kind": {
			[]edit.Change{set("version", "1.2.0")},
			"model \"digits2\" {\n  version = \"9\"\n}\nsimulation \"digits\" {\n  version = \"9\"\n}\nmodel \"digits\" {\n  version = \"1\"\n}\n",
			"model \"digits2\" {\n  version = \"9\"\n}\nsimulation \"digits\" {\n  version = \"9\"\n}\nmodel \"digits\" {\n  version = \"1.2.0\"\n}\n",
		},
		"text that is no template": {
			[]edit.Change{set("version", "1${x}%{y}\"\\")},
			"model \"digits\" {\n  version = \"$${a}\"\n}\n", "model \"digits\" {\n  version = \"1$${x}%%{y}\\\"\\\\\"\n}\n",
		},
		"null": {
			[]edit.Change{set("artifact", "x")}, "model \"digits\" {\n  artifact = null\n}\n", "model \"digits\" {\n  artifact = \"x\"\n}\n",
		},
		"the overlay, where it is said there": {
			[]edit.Change{inProd(set("version", "1.2.0")), inProd(set("artifact", "x"))},
			"model \"digits\" {\n  version = \"1\"\n  image   = \"a:1\"\n}\nenvironment \"prod\" {\n  model \"digits\" {\n    version = \"0\"\n  }\n}\n",
			"model \"digits\" {\n  version = \"1\"\n  image   = \"a:1\"\n}\nenvironment \"prod\" {\n  model \"digits\" {\n    version  = \"1.2.0\"\n    artifact = \"x\"\n  }\n}\n",
		},
		"the base, where the overlay does not say it": {
			[]edit.Change{inProd(set("version", "1.2.0"))},
			"model \"digits\" {\n  version = \"1\"\n}\nenvironment \"prod\" {\n  model \"digits\" {\n    replicas = 2\n  }\n}\n",
			"model \"digits\" {\n  version = \"1.2.0\"\n}\nenvironment \"prod\" {\n  model \"digits\" {\n    replicas = 2\n  }\n}\n",
		},
		"not the overlay of another environment": {
			[]edit.Change{inProd(set("version", "1.2.0"))},
			"model \"digits\" {\n  version = \"1\"\n}\nenvironment \"test\" {\n  model \"digits\" {\n    version = \"0\"\n  }\n}\n",
			"model \"digits\" {\n  version = \"1.2.0\"\n}\nenvironment \"test\" {\n  model \"digits\" {\n    version = \"0\"\n  }\n}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := edit.Apply(tree{"a.hcl": c.before, "b.hcl": "# digits are elsewhere\n", "digits.txt": "digits"}, c.changes)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(files["a.hcl"]); got != c.after || len(files) != 1 {
				t.Errorf("got %d files,\n%s\nwant\n%s", len(files), got, c.after)
			}
			again, err := edit.Apply(tree{"a.hcl": c.after}, c.changes)
			if err != nil || len(again) != 0 {
				t.Errorf("a second time it changes %v, %v", again, err)
			}
		})
	}
}

func TestEditOfJSON(t *testing.T) {
	all := []edit.Change{set("version", "1.2.0"), set("artifact", "x")}
	for name, c := range map[string]struct {
		changes       []edit.Change
		before, after string
	}{
		"members on lines": {
			all,
			"{\n \"model\": {\n  \"digits\": {\n   \"//\": \"a note\",\n   \"version\":\"1.1.0\",\n   \"image\": \"a:1\",\n   \"route\": {\"path\": \"/\"}\n  }\n }\n}\n",
			"{\n \"model\": {\n  \"digits\": {\n   \"//\": \"a note\",\n   \"version\":\"1.2.0\",\n   \"image\": \"a:1\",\n   \"artifact\": \"x\",\n   \"route\": {\"path\": \"/\"}\n  }\n }\n}\n",
		},
		"all in one line":   {all, `{"model": {"digits": {"image": "a:1"}}}`, `{"model": {"digits": {"image": "a:1", "artifact": "x", "version": "1.2.0"}}}`},
		"arrays":            {all[:1], `[{"model": [{"other": {}}, {"digits": [{"version": "1"}]}]}]`, `[{"model": [{"other": {}}, {"digits": [{"version": "1.2.0"}]}]}]`},
		"nothing in it":     {all[:1], `{"model": {"digits": { }}}`, `{"model": {"digits": {"version": "1.2.0" }}}`},
		"only a comment":    {all[:1], `{"model": {"digits": {"//": "x"}}}`, `{"model": {"digits": {"//": "x", "version": "1.2.0"}}}`},
		"escapes":           {[]edit.Change{set("version", "<${x}>")}, `{"model": {"digits": {"version": "\u0061ä$${b}"}}}`, `{"model": {"digits": {"version": "<$${x}>"}}}`},
		"null":              {all[:1], `{"model": {"digits": {"version": null}}}`, `{"model": {"digits": {"version": "1.2.0"}}}`},
		"the overlay":       {[]edit.Change{inProd(all[0])}, `{"model": {"digits": {"version": "1"}}, "environment": {"prod": {"model": {"digits": {"version": "2"}}}}}`, `{"model": {"digits": {"version": "1"}}, "environment": {"prod": {"model": {"digits": {"version": "1.2.0"}}}}}`},
		"models and others": {all[:1], `{"locals": {"digits": 1}, "model": {"digits": {"version": "1"}}}`, `{"locals": {"digits": 1}, "model": {"digits": {"version": "1.2.0"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := edit.Apply(tree{"a.hcl.json": c.before}, c.changes)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(files["a.hcl.json"]); got != c.after {
				t.Errorf("got\n%s\nwant\n%s", got, c.after)
			}
		})
	}
}

func TestOverlayMayLieInAnotherFile(t *testing.T) {
	repo := tree{
		"base.hcl":          "model \"digits\" {\n  version = \"1\"\n  image   = \"a:1\"\n}\n",
		"prod/env.hcl.json": `{"environment": {"prod": {"model": {"digits": {"version": "0"}}}}}`,
	}
	files, err := edit.Apply(repo, []edit.Change{inProd(set("version", "1.2.0")), set("version", "1.3.0")})
	if err != nil || len(files) != 2 || !strings.Contains(string(files["base.hcl"]), "1.3.0") || !strings.Contains(string(files["prod/env.hcl.json"]), "1.2.0") {
		t.Errorf("got %s, %v", files, err)
	}
}

func TestWhatOnlyAPersonCanChange(t *testing.T) {
	for name, c := range map[string]struct {
		repo  tree
		words []string
	}{
		"a variable": {
			tree{"a.hcl": "model \"digits\" {\n  version = var.v\n}\n", "vars.hcl": "\nvariable \"v\" {\n  default = \"1\"\n}\n"},
			[]string{"model.digits", "a.hcl:2", "version = var.v", `write version = "1.2.0" there`, "give var.v this value", "vars.hcl:2"},
		},
		"a local": {
			tree{"a.hcl": "locals {\n  a = 1\n  v = \"1\"\n}\nmodel \"digits\" {\n  version = local.v\n}\n"},
			[]string{"a.hcl:6", "version = local.v", "give local.v this value (at a.hcl:3)"},
		},
		"a template":     {tree{"a.hcl": "model \"digits\" {\n  version = \"1.${var.v}\"\n}\n"}, []string{"a.hcl:2", `"1.${var.v}"`}},
		"a heredoc":      {tree{"a.hcl": "model \"digits\" {\n  version = <<EOT\n1\nEOT\n}\n"}, []string{"a.hcl:2", "<<EOT 1 EOT"}},
		"a condition":    {tree{"a.hcl": "model \"digits\" {\n  version = env.name == \"prod\" ? \"1\" : \"2\"\n}\n"}, []string{`? "1" : "2"`}},
		"in JSON":        {tree{"a.hcl.json": `{"model": {"digits": {"version": "${var.v}"}}, "variable": {"v": {}}}`}, []string{"a.hcl.json:1", "version = var.v", "give var.v"}},
		"a part in JSON": {tree{"a.hcl.json": `{"model": {"digits": {"version": "1.${var.v}"}}}`}, []string{`"1.${var.v}"`}},
		"for_each": {
			tree{"a.hcl": "model \"digits\" {\n  for_each = toset([\"a\", \"b\"])\n  version  = \"1\"\n}\n"},
			[]string{"a.hcl:2", "several instances", `toset(["a", "b"])`, `"1.2.0"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := edit.Apply(c.repo, []edit.Change{set("version", "1.2.0")})
			byHand, is := errors.AsType[*edit.ByHandError](err)
			if !is || byHand.Value != "1.2.0" || byHand.Argument != "version" || byHand.Address != digitsModel || byHand.Pos.File == "" {
				t.Fatalf("got %#v, %v", byHand, err)
			}
			for _, word := range c.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q is missing in %q", word, err)
				}
			}
		})
	}
}

func TestEditThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		repo tree
		word string
	}{
		"no such model":      {tree{"a.hcl": "model \"other\" {}\n"}, "no spec file declares it"},
		"only in an overlay": {tree{"a.hcl": "environment \"prod\" {\n  model \"digits\" {}\n}\n"}, "no spec file declares it"},
		"declared twice":     {tree{"a.hcl": "model \"digits\" {}\n", "b.hcl": "model \"digits\" {}\n"}, "a.hcl:1 and b.hcl:1"},
		"does not parse":     {tree{"a.hcl": "model \"digits\" {"}, "read a.hcl"},
		"no JSON":            {tree{"a.hcl.json": "{digits"}, "read a.hcl.json"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := edit.Apply(c.repo, []edit.Change{set("version", "1.2.0")})
			if err == nil || !strings.Contains(err.Error(), c.word) || !strings.Contains(err.Error(), "set version of model.digits") {
				t.Errorf("got %v; want an error with %q", err, c.word)
			}
		})
	}
}

// tokens are those of a file, comments among them, without what only lays it out.
func tokens(src []byte) []string {
	lexed, _ := hclsyntax.LexConfig(src, "", hcl.InitialPos)
	var texts []string
	for _, token := range lexed {
		if text := strings.TrimRight(string(token.Bytes), "\r\n"); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// apart returns what differs between two lists: what the first has where the other
// has something else.
func apart(a, b []string) ([]string, []string) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}

// checkEdit holds an edit to what it may change: one text becomes another, or one
// argument is added.
func checkEdit(before, after []byte, argument, value string) error {
	was, is := apart(tokens(before), tokens(after))
	switch {
	case len(was) == 1 && len(is) == 1 && is[0] == value:
	case len(was) == 0 && strings.Contains(argument+`="`+value+`"`, strings.Trim(strings.Join(is, ""), `"`)) && len(is) <= 5:
	case len(was) == 1 && was[0] == "null" && strings.Join(is, "") == `"`+value+`"`:
	case len(was) == 0 && strings.Contains(strings.Join(is, ""), value) && len(is) <= 5: // the common part begins elsewhere
	default:
		return fmt.Errorf("%q became %q", was, is)
	}
	if bytes.Equal(hclwrite.Format(before), before) && !bytes.Equal(hclwrite.Format(after), after) {
		return errors.New("the canonical layout is lost")
	}
	return nil
}

// Each model of the language's own test files can be edited, or it is said why not.
func TestEditsOfTheCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "testdata", "*", "*.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, filepath.Join("..", "testdata", "all.hcl"))
	edited := 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, diags := hclsyntax.ParseConfig(src, file, hcl.InitialPos)
		if diags.HasErrors() {
			continue
		}
		for _, b := range parsed.Body.(*hclsyntax.Body).Blocks {
			if b.Type != "model" || len(b.Labels) != 1 {
				continue
			}
			for _, argument := range []string{"version", "artifact", "artifact_path", "image"} {
				c := edit.Change{Address: spec.Address{Kind: spec.KindModel, Name: b.Labels[0]}, Environment: "prod", Argument: argument, Value: "new-value"}
				got, err := edit.Apply(tree{"a.hcl": string(src)}, []edit.Change{c})
				if err != nil {
					_, byHand := errors.AsType[*edit.ByHandError](err)
					if !byHand && !strings.Contains(err.Error(), "more than once") {
						t.Errorf("%s: %v", file, err)
					}
					continue
				}
				if err := checkEdit(src, got["a.hcl"], argument, c.Value); err != nil {
					t.Errorf("%s: %s: %v", file, c.Argument, err)
				}
				edited++
			}
		}
	}
	if edited < 300 {
		t.Errorf("only %d edits could be made", edited)
	}
}

// aFile draws a spec file as somebody may write it, in any layout.
func aFile(t *rapid.T) string {
	space := rapid.SampledFrom([]string{" ", "  ", "\t", ""})
	comment := rapid.SampledFrom([]string{"", "", "", " # version = \"9\"", " // digits", " /* a */"})
	value := rapid.SampledFrom([]string{`"1"`, `"${var.x}"`, `[1, 2]`, "<<EOT\n  digits\nEOT", "{\n  a = 1\n}", `""`, "null", `"ä\n"`})
	var b strings.Builder
	line := func(text string) { b.WriteString(text + "\n") }
	for i, model := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"digits", "other", "third"}), 1, 3, rapid.ID).Draw(t, "models") {
		if rapid.Bool().Draw(t, "comment above") {
			line("# " + model)
		}
		names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"version", "image", "artifact", "owners", "description", "port"}), 0, 6, rapid.ID).Draw(t, "names")
		if len(names) < 2 && rapid.Bool().Draw(t, "one line") {
			inside := ""
			if len(names) == 1 {
				inside = " " + names[0] + ` = "1" `
			}
			line("model \"" + model + "\" {" + inside + "}")
			continue
		}
		line("model" + space.Draw(t, "space") + "\"" + model + "\" {" + comment.Draw(t, "comment"))
		for _, name := range names {
			for range rapid.IntRange(0, 2).Draw(t, "empty lines") {
				line("")
			}
			written := value.Draw(t, "value")
			behind := ""
			if !strings.Contains(written, "EOT") {
				behind = comment.Draw(t, "comment")
			}
			line(space.Draw(t, "space") + name + space.Draw(t, "space") + "=" + space.Draw(t, "space") + written + behind)
		}
		if rapid.Bool().Draw(t, "block") {
			line("  route { path = \"/" + fmt.Sprint(i) + "\" }")
		}
		line("}" + comment.Draw(t, "comment"))
	}
	src := b.String()
	if rapid.Bool().Draw(t, "no last newline") {
		src = strings.TrimSuffix(src, "\n")
	}
	if rapid.Bool().Draw(t, "canonical") {
		src = string(hclwrite.Format([]byte(src)))
	}
	return src
}

func TestEditsOfAnyFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := aFile(t)
		if _, diags := hclsyntax.ParseConfig([]byte(src), "a.hcl", hcl.InitialPos); diags.HasErrors() {
			t.Fatalf("the generated file does not parse: %s\n%s", diags, src)
		}
		c := set(rapid.SampledFrom([]string{"version", "image", "artifact", "artifact_path", "card"}).Draw(t, "argument"), "new-value")
		files, err := edit.Apply(tree{"a.hcl": src}, []edit.Change{c})
		if err != nil {
			_, byHand := errors.AsType[*edit.ByHandError](err)
			if !byHand && strings.Contains(src, `"digits" {`) {
				t.Fatalf("%v\n%s", err, src)
			}
			return
		}
		if err := checkEdit([]byte(src), files["a.hcl"], c.Argument, c.Value); err != nil {
			t.Fatalf("%v:\n%s\nbecame\n%s", err, src, files["a.hcl"])
		}
	})
}

func FuzzApply(f *testing.F) {
	f.Add("model \"digits\" {\n  version = \"1\"\n}\n", false)
	f.Add("model \"digits\" { image = \"a\" /* \n */ }", false)
	f.Add("model \"digits\" {\n  image = <<EOT\na\nEOT\n}", false)
	f.Add(`{"model": [{"digits": {"version": "1${x}", "//": 1}}]}`, true)
	f.Fuzz(func(t *testing.T, src string, json bool) {
		if len(src) > 4<<10 {
			return // deep nesting is refused by the loader
		}
		name := "a.hcl"
		if json {
			name += ".json"
		}
		if files, _, err := edit.Pin(tree{name: src}, toDigest); err == nil && len(files) > 0 {
			if again, _, err := edit.Pin(tree{name: string(files[name])}, toDigest); err != nil || len(again) != 0 {
				t.Fatalf("%q became %q, and then %q, %v", src, files[name], again, err)
			}
		}
		for _, c := range []edit.Change{set("version", "1.2.0"), set("artifact", newArtifact)} {
			files, err := edit.Apply(tree{name: src}, []edit.Change{inProd(c)})
			if err != nil || len(files) == 0 {
				continue
			}
			again, err := edit.Apply(tree{name: string(files[name])}, []edit.Change{inProd(c)})
			if err != nil || len(again) != 0 {
				t.Fatalf("%q became %q, and then %q, %v", src, files[name], again, err)
			}
		}
	})
}
