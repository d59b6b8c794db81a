package audit

import (
	"strings"
	"unicode"
)

// printable leaves out what could steer a terminal or hide text in a page.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, "")))
}
