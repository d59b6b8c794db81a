package audit

import (
	"strings"
	"testing"
)

func TestHeadComesBack(t *testing.T) {
	h := Head{FormatVersion: HeadFormat, Branch: "fairlead/journal/prod", Commit: strings.Repeat("ab", 20), Entries: 812, At: day}
	text, err := h.Encode()
	if err != nil || strings.Count(string(text), "\n") != 1 {
		t.Fatalf("got %q, %v", text, err)
	}
	got, err := ParseHead(text, "head.json")
	h.Source = "head.json"
	if err != nil || got != h {
		t.Errorf("got %+v, %v; want %+v", got, err, h)
	}
	if bare, err := ParseHead([]byte("  "+h.Commit+"\n"), "--head"); err != nil || bare.Commit != h.Commit || bare.Entries != 0 {
		t.Errorf("got %+v, %v", bare, err)
	}
}

func TestWhatIsNoHeadIsRefused(t *testing.T) {
	for text, word := range map[string]string{
		"": "40 hex digits", "abc": "40 hex digits", "{}": "damaged", `{"commit": "abc"}`: "damaged",
		`{"format_version": 9, "commit": "` + strings.Repeat("ab", 20) + `"}`:                "upgrade",
		`{"format_version": 1, "entries": -1, "commit": "` + strings.Repeat("ab", 20) + `"}`: "damaged",
	} {
		if _, err := ParseHead([]byte(text), "head.json"); err == nil || !strings.Contains(err.Error(), word) || !strings.Contains(err.Error(), "head.json") {
			t.Errorf("%q: got %v; want %q", text, err, word)
		}
	}
}

func FuzzParseHead(f *testing.F) {
	f.Add([]byte(strings.Repeat("ab", 20)))
	f.Add([]byte(`{"format_version":1,"commit":"` + strings.Repeat("ab", 20) + `","entries":3}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := ParseHead(text, "x")
		if err == nil && len(h.Commit) != 40 {
			t.Errorf("%q is taken as %+v", text, h)
		}
	})
}
