package notify

import (
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/plain"
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
	line := func(s string, limit int) string { return plain.Clip(plain.Line(redact(s)), limit) }
	m.Key, m.Thread = line(m.Key, 2*maxShort), line(m.Thread, 2*maxShort)
	m.Subject, m.Environment = line(m.Subject, maxShort), line(m.Environment, maxShort)
	m.Installation, m.JournalHead = line(m.Installation, maxShort), line(m.JournalHead, maxShort)
	m.Title = firstRunes(plain.Line(redact(m.Title)), maxTitle)
	m.Text = plain.Clip(plain.Text(redact(m.Text)), maxText)
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

// firstRunes cuts a text to so many characters.
func firstRunes(s string, limit int) string {
	if runes := []rune(s); len(runes) > limit {
		return strings.TrimRight(string(runes[:limit-1]), " ") + "…"
	}
	return s
}
