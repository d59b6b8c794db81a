package gateway

import (
	"sync"
	"time"
)

// clock measures the time that a model has to answer. It stands still while the
// gateway waits for the client, to send more of the request or to take more of
// the answer: a slow client must not look like a slow model. What bounds a
// client is the stall time-out.
//
// Its timer is not touched when the clock is halted, which is often. When it
// fires, what is left of the time is found out, and it is set again.
type clock struct {
	mu      sync.Mutex
	limit   time.Duration
	begun   time.Time
	expired func()
	timer   *time.Timer
	over    bool
	waiting int       // for the client, in both directions
	since   time.Time // of waiting
	waited  time.Duration
}

// recheck is how long a clock that has stood still for long is left alone.
const recheck = 50 * time.Millisecond

// start begins the time anew; expired is called at its end.
func (c *clock) start(limit time.Duration, expired func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit, c.begun, c.expired, c.waited, c.over = limit, time.Now(), expired, 0, false
	c.since = c.begun
	if c.timer == nil {
		c.timer = time.AfterFunc(limit, c.check)
	} else {
		c.timer.Reset(limit)
	}
}

// stop ends the time without calling expired from now on.
func (c *clock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.timer != nil {
		c.timer.Stop()
	}
}

// check is called when the time may be over.
func (c *clock) check() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	now := time.Now()
	waited := c.waited
	if c.waiting > 0 {
		waited += now.Sub(c.since)
	}
	left := c.limit - now.Sub(c.begun) + waited
	switch {
	case c.waiting > 0:
		c.timer.Reset(max(left, recheck))
	case left > 0:
		c.timer.Reset(left)
	default:
		c.over = true
		c.expired()
	}
}

// halt and resume enclose a time in which the client is waited for. A nil clock
// measures nothing.
func (c *clock) halt(now time.Time) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting++; c.waiting == 1 {
		c.since = now
	}
}

func (c *clock) resume(now time.Time) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting--; c.waiting == 0 {
		c.waited += now.Sub(c.since)
	}
}
