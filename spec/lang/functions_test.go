package lang

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// approved is every function that a spec may call. A new one is looked at for
// two things before it comes in here: it is pure, and its result is bounded by
// its arguments.
const approved = `abs can ceil chomp chunklist coalesce coalescelist compact concat contains csvdecode distinct element endswith
file flatten floor format formatlist indent index join jsondecode jsonencode keys length log lookup lower max merge min parseint pow
range regex regex_replace regexall replace reverse setintersection setproduct setsubtract setunion signum slice sort split startswith
strcontains strlen strrev substr title tobool tolist tomap tonumber toset tostring trim trimprefix trimspace trimsuffix try upper
values zipmap`

func TestOnlyApprovedFunctionsExist(t *testing.T) {
	e := &evaluator{limits: DefaultLimits()}
	got := slices.Sorted(maps.Keys(e.withFile(functions(DefaultLimits()))))
	if want := strings.Fields(approved); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
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
