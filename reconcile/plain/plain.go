// Package plain makes text that others wrote fit to be shown: nothing in it steers a
// terminal, or turns and hides what stands beside it.
package plain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is a text on one line, with single spaces.
func Line(s string) string {
	return strings.Join(strings.Fields(strings.Map(Rune, strings.ToValidUTF8(s, ""))), " ")
}

// Text is a text of several lines: no empty ones around it, no spaces at the ends of its
// lines.
func Text(s string) string {
	lines := strings.Split(strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(strings.Map(Rune, line), " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// Rune keeps what shows, makes every kind of space a space, and drops the rest, for
// strings.Map: control characters, and those that turn or hide text.
func Rune(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.IsPrint(r):
		return r
	default:
		return -1
	}
}

// Clip cuts a text to so many bytes, between characters, and marks that.
func Clip(s string, limit int) string {
	const mark = "…"
	if len(s) <= limit {
		return s
	}
	cut := limit - len(mark)
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.TrimRight(s[:cut], " \n") + mark
}
