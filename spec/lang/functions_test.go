package lang

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec/schema"
)

// TestOnlyApprovedFunctionsExist holds the table that is documented and the one
// that works to be the same. A new function is looked at for two things before
// it comes in: it is pure, and its result is bounded by its arguments.
func TestOnlyApprovedFunctionsExist(t *testing.T) {
	e := &evaluator{limits: DefaultLimits()}
	got := slices.Sorted(maps.Keys(e.withFile(functions(DefaultLimits()))))
	var approved []string
	for _, f := range schema.Functions() {
		name, _, _ := strings.Cut(f.Call, "(")
		approved = append(approved, name)
	}
	slices.Sort(approved)
	if !slices.Equal(got, approved) {
		t.Errorf("got  %v\nwant %v", got, approved)
	}
}

func TestFunctionsGiveWhatTheirNamesPromise(t *testing.T) {
	cases := map[string]string{
		`lookup({ a = 1 }, "a")`:                    `1`,
		`lookup({ a = 1 }, "b", 2)`:                 `2`,
		`index(["a", "b"], "b")`:                    `1`,
		`startswith("digits", "dig")`:               `true`,
		`endswith("digits", "its")`:                 `true`,
		`strcontains("digits", "git")`:              `true`,
		`join("-", ["a", "b"])`:                     `"a-b"`,
		`format("%03d", 7)`:                         `"007"`,
		`replace("aXbX", "X", "-")`:                 `"a-b-"`,
		`try(jsondecode("{"), "fallback")`:          `"fallback"`,
		`jsondecode(file("data/a.json")).weights`:   `[1, 2]`,
		`file("data/../data/a.json")`:               `"{\"weights\": [1, 2]}"`,
		`toset(["b", "a", "b"])`:                    `["a", "b"]`,
		`merge({ a = 1 }, { b = 2 })`:               `{ "a" = 1, "b" = 2 }`,
		`length(range(5))`:                          `5`,
		`indent(2, "a\nb")`:                         `"a\n  b"`,
		`"%{ for x in ["a", "b"] }${x}%{ endfor }"`: `"ab"`,
		`"$${HOME} %%{x}"`:                          `"$${HOME} %%{x}"`,
	}
	for expression, want := range cases {
		t.Run(expression, func(t *testing.T) {
			files := tree{"a.hcl": "locals {\n  x = " + expression + "\n}\n", "data/a.json": `{"weights": [1, 2]}`}
			x, diags := NewLoader().Explain(files, Options{}, "local.x")
			if diags.HasErrors() || x.Value != want {
				t.Errorf("got %s %v, want %s", x.Value, diags.Err(), want)
			}
		})
	}
}
