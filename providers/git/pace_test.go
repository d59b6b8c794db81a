package git

import (
	"net/http"
	"testing"
	"time"

	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

func TestServerIsNotCalledBeforeItWantsToBe(t *testing.T) {
	now := time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"77": 77 * time.Second, " 0 ": 0, "999999999": time.Hour, "Tue, 03 Mar 2026 14:02:00 GMT": 2 * time.Minute,
		"Tue, 03 Mar 2026 13:00:00 GMT": 0, "Tue, 03 Mar 2099 13:00:00 GMT": time.Hour,
	} {
		p := new(pace)
		res := &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {header}}}
		if got := p.heed(&githttp.Err{Response: res}, now); !got.Equal(now.Add(want)) {
			t.Errorf("Retry-After %q: it may be called at %s; want in %s", header, got, want)
		}
		if want > 0 && p.check(now.Add(want-1)) == nil || p.check(now.Add(want)) != nil {
			t.Errorf("Retry-After %q is not kept", header)
		}
	}
	for _, header := range []string{"", "-5", "soon", "1.5", "99999999999999999999"} {
		p := new(pace)
		res := &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {header}}}
		if got := p.heed(&githttp.Err{Response: res}, now); !got.IsZero() || p.check(now) != nil {
			t.Errorf("Retry-After %q: it may be called at %s", header, got)
		}
	}
	p := new(pace)
	res := &http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{"Retry-After": {"5"}}}
	if got := p.heed(&githttp.Err{Response: res}, now); !got.IsZero() {
		t.Error("any error makes it wait")
	}
}
