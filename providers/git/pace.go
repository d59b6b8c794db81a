package git

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// pace keeps the word of a server that asked not to be called for a while, with the
// header Retry-After of RFC 9110, 10.2.3.
type pace struct {
	mu    sync.Mutex
	until time.Time
	code  int
}

// longestWait bounds what a server can ask for: whoever says a year has made a mistake.
const longestWait = time.Hour

// waitError is a call that was not made.
type waitError struct {
	until time.Time
	code  int
}

func (e *waitError) Error() string {
	return fmt.Sprintf("the remote asked to come back later (%d), so it is not called before %s", e.code, e.until.UTC().Format(time.RFC3339))
}

// check refuses a call that would be too early.
func (p *pace) check(now time.Time) error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.until) {
		return &waitError{p.until, p.code}
	}
	return nil
}

// heed notes what a server asked for, and says when it may be called again; zero: it
// did not say.
func (p *pace) heed(err error, now time.Time) time.Time {
	if early, ok := errors.AsType[*waitError](err); ok {
		return early.until
	}
	status, ok := errors.AsType[*githttp.Err](err)
	if !ok {
		return time.Time{}
	}
	code := status.StatusCode()
	if code != http.StatusTooManyRequests && code != http.StatusServiceUnavailable {
		return time.Time{}
	}
	wait, ok := retryAfter(status.Response.Header.Get("Retry-After"), now)
	if !ok {
		return time.Time{}
	}
	until := now.Add(wait)
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.until, p.code = until, code
	}
	return until
}

// retryAfter reads seconds or a date.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, longestWait), true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), longestWait), true
}
