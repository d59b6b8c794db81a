package oci

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/fairlead/fairlead/reconcile"
)

// retryAfter is when a registry that cannot answer now asks to come back (RFC 9110,
// section 10.2.3); nil where it does not.
func retryAfter(resp *http.Response) *time.Time {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode < http.StatusInternalServerError {
		return nil
	}
	text := resp.Header.Get("Retry-After")
	const longest = 24 * time.Hour // whoever says more does not mean it
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil && seconds > 0 {
		at := time.Now().Add(time.Duration(min(seconds, int64(longest/time.Second))) * time.Second)
		return &at
	}
	at, err := http.ParseTime(text)
	if err != nil || time.Until(at) <= 0 {
		return nil
	}
	at = time.Now().Add(min(time.Until(at), longest))
	return &at
}

// patience tells which requests are sent again: not where the registry asks to come
// back later than that, since asking earlier only prolongs its displeasure.
func patience(longest time.Duration) retry.Predicate {
	return func(resp *http.Response, err error) (bool, error) {
		if err == nil && resp != nil {
			if at := retryAfter(resp); at != nil && time.Until(*at) > longest {
				return false, nil
			}
		}
		return retry.DefaultPredicate(resp, err)
	}
}

// comeBack adds to an error that may pass when the registry asked to come back.
func comeBack(ctx context.Context, err error) error {
	a, watched := ctx.Value(aliveKey{}).(*alive)
	if !watched || !errors.Is(err, reconcile.ErrUnavailable) {
		return err
	}
	if at := a.again.Load(); at != nil {
		return &reconcile.RetryError{After: *at, Cause: err}
	}
	return err
}
