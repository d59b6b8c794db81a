package app

import (
	"maps"
	"strings"
	"testing"
)

func TestKeysAreNamedByInclude(t *testing.T) {
	for given, want := range map[string]map[string]string{
		"":                              nil,
		"/k":                            {"": "/k"},
		"k":                             {"": "k"},
		"root=/k":                       {"": "/k"},
		"/k team-a=/a b=../b":           {"": "/k", "team-a": "/a", "b": "../b"},
		"team-a=/a=b/c=":                {"team-a": "/a=b/c="},
		"/dir/a=b ./a=b":                nil, // two of the root
		"./a=b":                         {"": "./a=b"},
		"/dir/a=b":                      {"": "/dir/a=b"},
		"A=b":                           {"": "A=b"},
		"a=/k a=/k":                     {"a": "/k"},
		"a=/k a=/l":                     nil,
		"/k root=/l":                    nil,
		"team-a=":                       nil,
		"for-each-eu=/k for-each-us=/l": {"for-each-eu": "/k", "for-each-us": "/l"},
	} {
		c, err := Config{Data: t.TempDir(), AgeIdentities: strings.Fields(given)}.WithDefaults()
		switch refused := want == nil && given != ""; {
		case refused && (err == nil || !strings.Contains(err.Error(), "--age-identity")):
			t.Errorf("%s: got %v, %v", given, c.Secrets.AgeIdentities, err)
		case !refused && (err != nil || !maps.Equal(c.Secrets.AgeIdentities, want)):
			t.Errorf("%s: got %v, %v; want %v", given, c.Secrets.AgeIdentities, err, want)
		}
	}
}
