// Package markdown writes other people's text into Markdown pages of forges, where it
// shall be read and mean nothing: no markup, no link, no image, nobody who is mentioned.
package markdown

import "strings"

// Code is a text as a code span, in which nothing is markup. It stays on its line and in
// its cell.
func Code(s string) string {
	s = strings.Map(printable, s)
	if s = strings.TrimSpace(s); s == "" {
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
func Escape(s string) string { return escaped.Replace(strings.TrimSpace(strings.Map(printable, s))) }

// Line is a text on one line, for where there is no markup at all, such as a title.
func Line(s string) string { return strings.Join(strings.Fields(strings.Map(printable, s)), " ") }

// printable makes every line break and control character a space, and drops what turns
// or hides text.
func printable(r rune) rune {
	switch {
	case r < ' ' || r == 0x7f:
		return ' '
	case r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200b || r == 0x200e || r == 0x200f || r == 0xfeff:
		return -1
	}
	return r
}
