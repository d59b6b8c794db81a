package edge

import (
	"sync"
	"time"
)

// knownTokens is how many good tokens an authenticator remembers for sure: about
// 300 kB with the generation before.
const knownTokens = 2048

// known remembers good tokens by their SHA-256 until they end.
//
// It keeps two generations. What is added or found goes into the young one; when
// that is full it becomes the old one, and what was in the old one is forgotten.
// So memory is bounded, what is in use stays, and there is no list to keep in
// order.
type known struct {
	size int

	mu         sync.Mutex
	young, old map[digest]time.Time // when each token ends
}

func newKnown(size int) *known {
	return &known{size: size, young: map[digest]time.Time{}}
}

// good tells whether the token is known and has not ended at now.
func (k *known) good(token digest, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	end, found := k.young[token]
	if !found {
		if end, found = k.old[token]; !found {
			return false
		}
		k.put(token, end)
	}
	return now.Before(end)
}

// add remembers a token until end.
func (k *known) add(token digest, end time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.put(token, end)
}

func (k *known) put(token digest, end time.Time) {
	if len(k.young) >= k.size {
		k.old, k.young = k.young, make(map[digest]time.Time, k.size)
	}
	k.young[token] = end
}
