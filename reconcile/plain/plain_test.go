package plain_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile/plain"
)

func TestTextThatOthersWrote(t *testing.T) {
	for text, want := range map[string][2]string{
		"errors 5 %":                 {"errors 5 %", "errors 5 %"},
		" a \t b\r\n\n  c \n":        {"a b c", " a   b\n\n  c"},
		"\x1b[31mred\u202etxt\u200b": {"[31mredtxt", "[31mredtxt"},
		"a\u00a0b\xff":               {"a b", "a b"},
	} {
		if line, whole := plain.Line(text), plain.Text(text); line != want[0] || whole != want[1] {
			t.Errorf("%q: got %q and %q, want %q", text, line, whole, want)
		}
	}
	if got := plain.Clip("größer als erlaubt", 8); got != "grö…" {
		t.Errorf("got %q", got)
	}
}

func TestWhatIsPlainStaysAsItIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		line, whole := plain.Line(text), plain.Text(text)
		if plain.Line(line) != line || plain.Text(whole) != whole || strings.Contains(line, "\n") {
			t.Fatalf("%q, %q", line, whole)
		}
		limit := rapid.IntRange(3, 40).Draw(t, "limit")
		if cut := plain.Clip(whole, limit); len(cut) > limit || !utf8.ValidString(cut) {
			t.Fatalf("%q", cut)
		}
	})
}
