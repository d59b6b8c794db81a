// Package markdown writes other people's text into Markdown pages of forges, where it
// shall be read and mean nothing: no markup, no link, no image, nobody who is mentioned.
package markdown

import (
	"strings"

	"github.com/fairlead/fairlead/reconcile/plain"
)

// Code is a text as a code span, in which nothing is markup. It stays on its line and in
// its cell.
func Code(s string) string {
	if s = shown(s); s == "" {
		return ""
	}
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + strings.ReplaceAll(s, "|", "\\|") + fence
}

// escaped are the characters that mean something in the Markdown of forges. @ would
// tell people, and & begins what stands for a character.
var escaped = strings.NewReplacer(
	"\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "{", "\\{", "}", "\\}", "[", "\\[", "]", "\\]", "<", "&lt;", ">", "&gt;",
	"#", "\\#", "|", "\\|", "~", "\\~", "!", "\\!", "@", "&#64;", "&", "&amp;", "://", ":&#47;&#47;",
)

// Escape is a text in which nothing is markup.
func Escape(s string) string { return escaped.Replace(shown(s)) }

// shown is what of a text shows, on one line. Its spaces stay: a value may differ from
// another by them alone.
func shown(s string) string {
	return strings.TrimSpace(strings.Map(plain.Rune, strings.ToValidUTF8(s, "")))
}
