package notify

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fairlead/fairlead/reconcile"
)

// What a message may hold at most. What is more is cut: a message is for reading, and
// many have to fit into the store.
const (
	maxTitle  = 200     // characters
	maxText   = 4 << 10 // bytes
	maxShort  = 256     // bytes of a key, a subject, a fact
	maxURL    = 2 << 10 // bytes
	maxFacts  = 24
	maxOwners = 50
)

// Clean returns the message as it is kept and sent: what cannot be printed, or turns
// or hides text, is gone, the title is one line, and what is too long is cut. Redact
// blots secrets out of every text; nil: there are none.
func Clean(m reconcile.Message, redact func(string) string) reconcile.Message {
	if redact == nil {
		redact = func(s string) string { return s }
	}
	line := func(s string, limit int) string { return clip(oneLine(redact(s)), limit) }
	m.Key, m.Thread = line(m.Key, 2*maxShort), line(m.Thread, 2*maxShort)
	m.Subject, m.Environment = line(m.Subject, maxShort), line(m.Environment, maxShort)
	m.Installation, m.JournalHead = line(m.Installation, maxShort), line(m.JournalHead, maxShort)
	m.Title = firstRunes(oneLine(redact(m.Title)), maxTitle)
	m.Text = clip(cleanText(redact(m.Text)), maxText)
	if m.URL = line(m.URL, maxURL); !strings.HasPrefix(m.URL, "https://") && !strings.HasPrefix(m.URL, "http://") {
		m.URL = ""
	}
	m.Owners = slices.Clone(m.Owners[:min(len(m.Owners), maxOwners)])
	for i, o := range m.Owners {
		m.Owners[i] = line(o, maxShort)
	}
	facts := make(map[string]string, len(m.Facts))
	for _, name := range slices.Sorted(maps.Keys(m.Facts)) {
		if len(facts) == maxFacts {
			break
		}
		if value := line(m.Facts[name], maxShort); value != "" {
			facts[line(name, maxShort)] = value
		}
	}
	m.Facts = facts
	return m
}

// oneLine makes printable text without line breaks.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.Map(printable, strings.ToValidUTF8(s, ""))), " ")
}

// cleanText makes printable text of several lines.
func cleanText(s string) string {
	lines := strings.Split(strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(strings.Map(printable, line), " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// printable keeps what shows, makes every kind of space a space, and drops the rest:
// control characters, and those that turn or hide text.
func printable(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.IsPrint(r):
		return r
	default:
		return -1
	}
}

// clip cuts a text to so many bytes, between characters.
func clip(s string, limit int) string {
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

// firstRunes cuts a text to so many characters.
func firstRunes(s string, limit int) string {
	if runes := []rune(s); len(runes) > limit {
		return strings.TrimRight(string(runes[:limit-1]), " ") + "…"
	}
	return s
}
