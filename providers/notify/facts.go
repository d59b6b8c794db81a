package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile"
)

// fact is one of the short things that a message tells.
type fact struct{ name, value string }

// facts lists those of a message by name.
func facts(m *reconcile.Message) []fact {
	list := make([]fact, 0, len(m.Facts))
	for _, name := range slices.Sorted(maps.Keys(m.Facts)) {
		list = append(list, fact{name, m.Facts[name]})
	}
	return list
}

// digest stands for a key where not every character, or not its length, is allowed.
func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// thread is what messages that belong together share; of one that stands alone its key.
func thread(m *reconcile.Message) string {
	if m.Thread != "" {
		return m.Thread
	}
	return m.Key
}

// pascal joins the words of an event: rolled_back is RolledBack.
func pascal(event string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(event, "_") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}
