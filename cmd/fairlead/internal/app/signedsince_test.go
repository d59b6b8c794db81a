package app

import (
	"maps"
	"strings"
	"testing"
)

func TestSinceWhenJournalsAreSigned(t *testing.T) {
	one, two := strings.Repeat("1", 40), strings.Repeat("2", 40)
	for given, want := range map[string]map[string]string{
		"":                                       nil,
		one:                                      {"prod": one},
		"prod=" + one:                            {"prod": one},
		"staging=" + one:                         {"staging": one},
		one + " staging=" + two:                  {"prod": one, "staging": two},
		one + " prod=" + one:                     {"prod": one},
		one + " prod=" + two:                     nil,
		"staging=" + one + " staging=abc":        nil,
		"abc":                                    nil,
		"staging=":                               nil,
		"=" + one:                                nil,
		"Not-A-Name=" + one:                      nil,
		strings.ToUpper(strings.Repeat("a", 40)): nil,
	} {
		c, err := Config{Data: t.TempDir(), Environment: "prod", SignedSince: strings.Fields(given)}.WithDefaults()
		switch refused := want == nil && given != ""; {
		case refused && (err == nil || !strings.Contains(err.Error(), "--journal-signed-since")):
			t.Errorf("%s: got %v, %v", given, c.JournalSignedSince, err)
		case !refused && (err != nil || !maps.Equal(c.JournalSignedSince, want)):
			t.Errorf("%s: got %v, %v; want %v", given, c.JournalSignedSince, err, want)
		}
	}
}
