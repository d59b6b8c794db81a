package edge

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/spec"
)

// Limiter bounds what one route lets through. All methods may be called at the
// same time; a nil Limiter has no bounds.
//
// The token bucket is kept as the moment at which it will be full again (the
// generic cell rate algorithm): a request moves that moment on by the time in
// which one token is filled in, and may pass if it is then not further off than
// a whole bucket takes. One number is the whole state, so one compare-and-swap
// is the whole lock.
type Limiter struct {
	limit spec.RouteLimit

	start    time.Time
	interval time.Duration // in which one token is filled in; 0: any rate
	depth    time.Duration // in which an empty bucket is filled
	full     atomic.Int64  // time after start at which the bucket is full

	// open counts requests under way. It is shared with the limiter that takes
	// this one's place when the limit of the route changes, since requests that
	// began under the old one still take the model's time.
	open    *atomic.Int64
	release func() // made once, so that Acquire allocates nothing
}

// maxDepth bounds the time that a bucket takes to fill, so that no sum of two
// overflows. It is a century.
const maxDepth = 100 * 365 * 24 * time.Hour

// NewLimiter returns a limiter whose bucket is full at now. A burst below 1
// stands for 1: a bucket that cannot hold a token would let nothing through. A
// rate or concurrency of 0 or below is no bound.
func NewLimiter(limit spec.RouteLimit, now time.Time) *Limiter {
	return newLimiter(limit, now, new(atomic.Int64))
}

func newLimiter(limit spec.RouteLimit, now time.Time, open *atomic.Int64) *Limiter {
	l := &Limiter{limit: limit, start: now, open: open}
	l.release = func() { open.Add(-1) }
	if limit.Rate > 0 {
		// Rounded up, so that the rate is never above the limit.
		l.interval = span(math.Ceil(float64(time.Second) / limit.Rate))
		l.depth = span(float64(l.interval) * float64(max(limit.Burst, 1)))
	}
	return l
}

// span is a duration of so many nanoseconds, or maxDepth if that is shorter.
func span(nanoseconds float64) time.Duration {
	if nanoseconds >= float64(maxDepth) {
		return maxDepth
	}
	return time.Duration(nanoseconds)
}

// Acquire asks for one request to pass at now. If it may, release must be called
// exactly once, when the request is over. If not, release is nil, nothing was
// taken, and asking again is worthwhile after retryAfter whole seconds, which is
// at least 1 and fits the Retry-After header.
func (l *Limiter) Acquire(now time.Time) (release func(), retryAfter int, ok bool) {
	if l == nil {
		return func() {}, 0, true
	}
	open := l.open.Add(1)
	if l.limit.Concurrency > 0 && open > int64(l.limit.Concurrency) {
		l.open.Add(-1)
		// When a request ends is for nobody to know.
		return nil, 1, false
	}
	if wait := l.take(now); wait > 0 {
		l.open.Add(-1)
		return nil, wholeSeconds(wait), false
	}
	return l.release, 0, true
}

// take takes one token, or tells how long it is until there is one.
func (l *Limiter) take(now time.Time) (wait time.Duration) {
	if l.interval == 0 {
		return 0
	}
	elapsed := now.Sub(l.start)
	for {
		full := l.full.Load()
		next := max(time.Duration(full), elapsed) + l.interval
		if wait := next - elapsed - l.depth; wait > 0 {
			return wait
		}
		if l.full.CompareAndSwap(full, int64(next)) {
			return 0
		}
	}
}

// wholeSeconds rounds up: asking a moment too early would be refused again.
func wholeSeconds(d time.Duration) int {
	return int((d + time.Second - 1) / time.Second)
}

// Limiters are the limiters of one routing table. The zero value is that of a
// table without limits. It is not changed once it is made, so it needs no lock.
type Limiters map[RouteKey]*Limiter

// Next returns the limiters of the table that follows, in force from now on. A
// route whose limit stays the same keeps its limiter, and with it the state. A
// changed limit begins with a full bucket, but counts the requests that are
// still open.
func (l Limiters) Next(limits map[RouteKey]spec.RouteLimit, now time.Time) Limiters {
	next := make(Limiters, len(limits))
	for route, limit := range limits {
		old := l[route]
		switch {
		case old == nil:
			next[route] = NewLimiter(limit, now)
		case old.limit == limit:
			next[route] = old
		default:
			next[route] = newLimiter(limit, now, old.open)
		}
	}
	return next
}
