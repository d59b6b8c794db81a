package spec_test

import (
	"slices"
	"testing"

	"github.com/fairlead/fairlead/spec"
)

func TestRedactLeavesNothingOfAValue(t *testing.T) {
	for name, test := range map[string]struct {
		text, want string
		values     []string
	}{
		"each time it stands there":       {"a=hush b=hush", "a=(sensitive) b=(sensitive)", []string{"hush"}},
		"the longer of two that overlap":  {"hush-hush", "(sensitive)", []string{"hush", "hush-hush"}},
		"the whole of several lines":      {"x first line\nsecond line y", "x (sensitive) y", []string{"first line\nsecond line"}},
		"one of several lines":            {"... second line", "... (sensitive)", []string{"first line\nsecond line\n"}},
		"a value between quotes":          {`"a\"b\x00c"`, `"(sensitive)"`, []string{"a\"b\x00c"}},
		"not what is common to many":      {"{ }", "{ }", []string{"{\n}"}},
		"nothing where there is no value": {"as it was", "as it was", []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			var values []spec.Sensitive
			for _, v := range test.values {
				values = append(values, spec.NewSensitive(v))
			}
			if got := spec.Redact(test.text, slices.Values(values)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
