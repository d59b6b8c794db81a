package signature

import (
	"strings"
	"unicode"
)

// headerSignature is the header of a commit that holds its signature.
const headerSignature = "gpgsig"

// printable leaves out what could steer a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, ""))
}
