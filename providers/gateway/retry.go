package gateway

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A request that failed after it was sent may be sent again only where that does
// no harm: see repeatable. Even then not always, since a model that fails under
// its load would be given a multiple of it.
const (
	// retryShare is how many requests earn one repetition: a tenth of them.
	retryShare = 10
	// retryFloor is how many repetitions each model is granted per second beside
	// what its requests earn, and retrySaved how many it can save up, and has
	// from the start.
	retryFloor = 1
	retrySaved = 20
)

// retryBudget bounds the repetitions of one model. A request pays one atomic
// addition; the rest is done when something has failed.
type retryBudget struct {
	asked atomic.Int64 // requests so far

	mu      sync.Mutex
	counted int64 // of asked
	at      time.Time
	saved   float64
}

// spend takes one repetition out, or tells that there is none.
func (b *retryBudget) spend(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	asked := b.asked.Load()
	earned := float64(retrySaved)
	if !b.at.IsZero() {
		earned = float64(asked-b.counted)/retryShare + now.Sub(b.at).Seconds()*retryFloor
	}
	b.saved = min(b.saved+earned, retrySaved)
	b.counted, b.at = asked, now
	if b.saved < 1 {
		return false
	}
	b.saved--
	return true
}

// repeatable tells whether a request may be repeated although a replica may have
// acted on it: its method says so (RFC 9110, 9.2.2), or the client does by a key
// that lets the model recognise it.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return len(r.Header["Idempotency-Key"]) > 0
}
