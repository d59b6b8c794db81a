package gateway

import (
	"io"
	"sync"
	"sync/atomic"
)

const (
	// maxKept is how much of one body is kept beside its stream: enough for an
	// inference, and too little for one upload to crowd out the others.
	maxKept = 1 << 20
	// keptInAll bounds what all captures hold together. Above it bodies pass
	// without being kept, and what would have needed them does not happen.
	keptInAll = 64 << 20
)

// budget is memory that many captures share. It never waits: who gets none goes
// without.
type budget struct{ left atomic.Int64 }

func newBudget(bytes int64) *budget {
	b := &budget{}
	b.left.Store(bytes)
	return b
}

func (b *budget) take(bytes int64) bool {
	if b.left.Add(-bytes) >= 0 {
		return true
	}
	b.left.Add(bytes)
	return false
}

func (b *budget) give(bytes int64) { b.left.Add(bytes) }

// capture keeps what passes by in a stream, up to a limit. The stream may go on
// after it was let go, since a transport reads a body for as long as it likes.
type capture struct {
	budget *budget
	limit  int

	mu       sync.Mutex
	data     []byte
	charged  int64 // to the budget
	over     bool  // nothing more is taken: something is missing, or it was let go
	complete bool
}

// write takes a copy. It grows by doubling, and charges what it really holds.
func (c *capture) write(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || len(p) == 0 {
		return
	}
	need := len(c.data) + len(p)
	if need > cap(c.data) && !c.grow(need) {
		c.over, c.data = true, nil // half a body is good for nothing
		c.refund()
		return
	}
	c.data = append(c.data, p...)
}

func (c *capture) grow(need int) bool {
	size := min(max(need, 2*cap(c.data), 1<<10), c.limit)
	if need > size || !c.budget.take(int64(size)-c.charged) {
		return false
	}
	c.charged = int64(size)
	c.data = append(make([]byte, 0, size), c.data...)
	return true
}

// end says that the stream was whole.
func (c *capture) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.complete = !c.over
}

// whole returns the captured stream if it is complete. A nil capture has none.
func (c *capture) whole() ([]byte, bool) {
	if c == nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.data, c.complete
}

// letGo gives the memory back. The data stays good for whoever has it already.
func (c *capture) letGo() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.refund()
}

// refund is called with the lock held.
func (c *capture) refund() {
	c.budget.give(c.charged)
	c.charged = 0
}

// keptReader reads a body and lets a capture have it too.
type keptReader struct {
	io.Reader
	kept *capture
}

// Read implements io.Reader.
func (k *keptReader) Read(p []byte) (int, error) {
	n, err := k.Reader.Read(p)
	k.kept.write(p[:n])
	if err == io.EOF {
		k.kept.end()
	}
	return n, err
}
