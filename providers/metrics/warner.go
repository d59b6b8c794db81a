package metrics

import (
	"log/slog"
	"sync"
)

// warner logs what the engine warns of: that a query met a histogram where it
// expected a number, say. A check asks the same every few seconds, so each
// warning is told once.
type warner struct {
	log  *slog.Logger
	mu   sync.Mutex
	told map[string]bool
}

// maxTold bounds what a warner remembers; beyond that it forgets, and repeats
// itself.
const maxTold = 256

func (w *warner) all(query string, warnings []string) {
	for _, text := range warnings {
		if w.isNews(query + "\n" + text) {
			w.log.Warn("a query of the metrics may not mean what it says", slog.String("query", query), slog.String("warning", text))
		}
	}
}

func (w *warner) isNews(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.told[text] {
		return false
	}
	if w.told == nil || len(w.told) >= maxTold {
		w.told = map[string]bool{}
	}
	w.told[text] = true
	return true
}
