package rest

import (
	"net/http"
	"strconv"
	"time"
)

// Waits where the server says that it is asked too often, and not for how long.
// GitHub asks for a minute at least.
const (
	unsaidWait = time.Minute
	leastWait  = time.Second
)

// limit tells until when a server wants no more requests. It reads Retry-After (RFC
// 9110, seconds or a date), and the x-ratelimit-* headers of GitHub and ratelimit-* of
// GitLab, whose reset is a Unix time; the server's clock is the one in its Date header.
func limit(response *http.Response, now time.Time) (until time.Time, limited bool) {
	header, status := response.Header, response.StatusCode
	refused := status == http.StatusTooManyRequests || status == http.StatusForbidden || status == http.StatusServiceUnavailable
	if after, ok := retryAfter(header.Get("Retry-After"), header, now); ok && refused {
		return after, true
	}
	for _, prefix := range []string{"X-Ratelimit-", "Ratelimit-"} {
		if header.Get(prefix+"Remaining") != "0" {
			continue
		}
		reset, err := strconv.ParseInt(header.Get(prefix+"Reset"), 10, 64)
		if err != nil || reset <= 0 || reset > 1<<40 {
			continue
		}
		wait := time.Unix(reset, 0).Sub(serverTime(header, now))
		if wait <= 0 && !refused {
			continue
		}
		return now.Add(max(wait, leastWait)), true
	}
	if status == http.StatusTooManyRequests {
		return now.Add(unsaidWait), true
	}
	return time.Time{}, false
}

func retryAfter(value string, header http.Header, now time.Time) (time.Time, bool) {
	if value == "" {
		return time.Time{}, false
	}
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil && seconds >= 0 {
		return now.Add(max(time.Duration(seconds)*time.Second, leastWait)), true
	}
	if date, err := http.ParseTime(value); err == nil {
		return now.Add(max(date.Sub(serverTime(header, now)), leastWait)), true
	}
	return now.Add(unsaidWait), true
}

func serverTime(header http.Header, now time.Time) time.Time {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		return date
	}
	return now
}
