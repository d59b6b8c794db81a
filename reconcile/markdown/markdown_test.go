package markdown_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile/markdown"
	"github.com/fairlead/fairlead/reconcile/plain"
)

func TestTextMeansNothing(t *testing.T) {
	for text, want := range map[string]string{
		"plain 5.2 %":          "plain 5.2 %",
		"@everyone":            "&#64;everyone",
		"<b>":                  "&lt;b&gt;",
		"a_b *c* [d](e)":       "a\\_b \\*c\\* \\[d\\](e)",
		"https://evil.test":    "https:&#47;&#47;evil.test",
		"one\ntwo\r\n## three": "one two  \\#\\# three",
		"a | b":                "a \\| b",
	} {
		if got := markdown.Escape(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := plain.Line(" 1.1.0\n\n*x*\u202e\x00 "); got != "1.1.0 *x*" {
		t.Errorf("%q", got)
	}
	for text, want := range map[string]string{
		"image": "`image`", "a`b": "``a`b``", "`a": "`` `a ``", "": "", " \n": "", "a|b": "`a\\|b`",
	} {
		if got := markdown.Code(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestTextStaysOnItsLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		for _, out := range []string{markdown.Escape(text), markdown.Code(text), plain.Line(text)} {
			if strings.ContainsAny(out, "\n\r\x00\u202e") {
				t.Fatalf("%q", out)
			}
		}
	})
}
