package git

import (
	"context"
	"sync"
)

// background does one piece of work at a time in a goroutine that ends with it. The zero
// value is ready.
type background struct {
	mu     sync.Mutex
	cancel context.CancelFunc // nil: nothing is at work
	done   chan struct{}      // closed when that has ended
	closed bool
}

// begin starts work, unless some is under way or there is to be no more of it.
func (b *background) begin(work func(context.Context)) (begun bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cancel != nil || b.closed {
		return false
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	b.cancel, b.done = cancel, done
	go func() {
		defer close(done)
		defer func() {
			cancel()
			b.mu.Lock()
			defer b.mu.Unlock()
			b.cancel = nil
		}()
		work(ctx)
	}()
	return true
}

// halt interrupts what is at work, and waits until it has ended.
func (b *background) halt() {
	b.mu.Lock()
	cancel, done := b.cancel, b.done
	b.mu.Unlock()
	if cancel == nil {
		return
	}
	cancel()
	<-done
}

// wait waits until what is at work has ended.
func (b *background) wait() {
	b.mu.Lock()
	at, done := b.cancel != nil, b.done
	b.mu.Unlock()
	if at {
		<-done
	}
}

// close is halt, and nothing begins any more.
func (b *background) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.halt()
}
