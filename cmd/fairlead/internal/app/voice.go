package app

import (
	"context"
	"sync"
)

// voice tells people of what happens, one thing after the other, beside whoever finds out:
// the loop must not wait until a message has been put into words.
type voice struct {
	mu    sync.Mutex
	queue []func()
	ready chan struct{} // has room for one
}

func newVoice() *voice { return &voice{ready: make(chan struct{}, 1)} }

// maxUnsaid bounds what waits. More only comes up when nothing is said any more.
const maxUnsaid = 10_000

// say has something said. It never waits.
func (v *voice) say(what func()) {
	v.mu.Lock()
	if len(v.queue) < maxUnsaid {
		v.queue = append(v.queue, what)
	}
	v.mu.Unlock()
	select {
	case v.ready <- struct{}{}:
	default:
	}
}

// run says what there is until ctx ends, and then what is left.
func (v *voice) run(ctx context.Context) {
	for {
		v.sayAll()
		select {
		case <-ctx.Done():
			v.sayAll()
			return
		case <-v.ready:
		}
	}
}

func (v *voice) sayAll() {
	for {
		v.mu.Lock()
		if len(v.queue) == 0 {
			v.mu.Unlock()
			return
		}
		next := v.queue[0]
		v.queue = v.queue[1:]
		v.mu.Unlock()
		next()
	}
}
