package rest

import "strings"

// Cut shortens a text to so many characters, the last of them an ellipsis.
func Cut(text string, characters int) string {
	if len(text) <= characters {
		return text
	}
	runes := []rune(text)
	if len(runes) <= characters {
		return text
	}
	return string(runes[:characters-1]) + "…"
}

// Same compares texts as forges keep them: they may change the ends of lines.
func Same(a, b string) bool { return Lines(a) == Lines(b) }

// Lines is a text with plain ends of lines and nothing behind the last.
func Lines(text string) string {
	return strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), " \t\n")
}

// Marked is the body of a comment that holds its marker, cut to so many characters.
func Marked(body, marker string, characters int) string {
	cut := Cut(body, characters)
	if strings.Contains(cut, marker) {
		return cut
	}
	return Cut(marker+"\n"+body, characters)
}
