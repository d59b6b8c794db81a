package gateway

import (
	"math/rand/v2"
	"sync"
)

// board counts the changes of the replicas and wakes those who wait for one.
type board struct {
	mu       sync.Mutex
	sequence uint64
	changed  chan struct{} // closed by the next change
}

// newBoard starts at a random sequence: a daemon that waits for a change since
// the sequence of an earlier gateway process must not take this one's for it.
// 52 bits survive every JSON reader.
func newBoard() *board {
	return &board{sequence: rand.Uint64N(1<<52) + 1, changed: make(chan struct{})}
}

// bump notes a change.
func (b *board) bump() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sequence++
	close(b.changed)
	b.changed = make(chan struct{})
}

// watch returns the present sequence and a channel that closes with the next
// change. A report that is made after this call holds all that the sequence
// stands for.
func (b *board) watch() (sequence uint64, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sequence, b.changed
}
