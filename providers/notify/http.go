package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// maxAnswer is how much of an answer is read, and maxQuote how much of it is quoted.
const (
	maxAnswer = 64 << 10 // bytes
	maxQuote  = 200      // characters
)

// endpoint is one address that JSON is posted to.
type endpoint struct {
	service string // as people call it: Slack
	url     *url.URL
	http    *http.Client
	timeout time.Duration
	now     func() time.Time
	secrets secrets
}

// newEndpoint prepares the way to a URL.
func newEndpoint(o *Options, service string, u *url.URL) (*endpoint, error) {
	g, err := newGuard(o, u.Hostname())
	if err != nil {
		return nil, err
	}
	if u.Scheme != "https" && !g.lenient {
		return nil, errors.New("its url begins with http://, which sends everything in clear; use https://, or let the operator allow the host")
	}
	if u.User != nil {
		return nil, errors.New("its url holds a user; use token")
	}
	config, err := o.tls("")
	if err != nil {
		return nil, err
	}
	return &endpoint{
		service: service, url: u, timeout: o.Timeout, now: o.Now, secrets: secretsOf(o, u),
		http: &http.Client{
			// Messages are rare: no connection is kept, and none is left behind.
			Transport: &http.Transport{
				DialContext: g.dial, TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: true,
				TLSHandshakeTimeout: o.Timeout, ResponseHeaderTimeout: o.Timeout, MaxResponseHeaderBytes: maxAnswer,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// post sends a value as JSON, and returns the answer if it is a success. The error is
// one that a Notifier may return.
func (e *endpoint) post(ctx context.Context, header http.Header, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url.String(), bytes.NewReader(body))
	if err != nil {
		return nil, e.errorf("the request cannot be made; check its url")
	}
	req.Header = header.Clone()
	req.Header.Set("User-Agent", "fairlead")
	resp, err := e.http.Do(req)
	if err != nil {
		return nil, e.unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }() // was only read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 == 2 {
		if err != nil {
			return nil, e.unreachable(err)
		}
		return answer, nil
	}
	return nil, e.refused(resp, answer)
}

// unreachable says why no answer came.
func (e *endpoint) unreachable(err error) error {
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err // the outer one quotes the address
	}
	if errors.Is(err, errForbidden) {
		return e.errorf("it is not connected to: %v; an operator may allow the host", err)
	}
	if timeout := net.Error(nil); errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return &reconcile.RetryError{Cause: e.errorf("no answer within %s", e.timeout)}
	}
	return &reconcile.RetryError{Cause: e.errorf("it cannot be reached: %v", err)}
}

// refused says what an answer means that is no success.
func (e *endpoint) refused(resp *http.Response, answer []byte) error {
	said := e.quote(answer)
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code >= 500:
		return &reconcile.RetryError{After: retryAfter(resp.Header, e.now()), Cause: e.errorf("it answered %s%s", resp.Status, said)}
	case code/100 == 3:
		to := "another address"
		if u, err := resp.Location(); err == nil {
			to = u.Scheme + "://" + u.Host
		}
		return e.errorf("it answered %s and points to %s; no redirect is followed: set the url that it leads to", resp.Status, to)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return e.errorf("it answered %s%s; check the secret of the notifier, and what it may do", resp.Status, said)
	case code == http.StatusNotFound, code == http.StatusGone:
		return e.errorf("it answered %s%s; check the url of the notifier", resp.Status, said)
	default:
		return e.errorf("it answered %s%s", resp.Status, said)
	}
}

// errorf makes an error that names the service and its host, and holds no secret: not
// even in what it wraps.
func (e *endpoint) errorf(format string, args ...any) error {
	return errors.New(e.secrets.redact(e.service + " at " + e.url.Host + ": " + fmt.Sprintf(format, args...)))
}

// quote is the beginning of an answer, to be put behind its status.
func (e *endpoint) quote(answer []byte) string {
	// Before it is cut: half a secret is one too.
	text := plain(e.secrets.redact(string(answer)), maxQuote)
	if text == "" {
		return ""
	}
	return ": " + text
}

// plain makes one line of what somebody else wrote, without anything that cannot be
// printed, of so many characters.
func plain(text string, limit int) string {
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return -1
	}, strings.ToValidUTF8(text, ""))), " ")
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return text
}

// retryAfter reads the header of that name (RFC 9110, 10.2.3); zero if there is none.
func retryAfter(h http.Header, now time.Time) time.Time {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return now.Add(time.Duration(min(seconds, 24*3600)) * time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return at
	}
	return time.Time{}
}

// encode writes a value as JSON, as it is: with < and & unescaped.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write the message: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// secrets are what no error may hold.
type secrets []spec.Sensitive

// secretsOf lists the secrets of a notifier, and the parts of its address where that is
// one.
func secretsOf(o *Options, u *url.URL) secrets {
	list := secrets{o.Token, o.SigningKey, o.URL}
	if !o.URL.IsZero() {
		list = append(list, spec.NewSensitive(u.RequestURI()), spec.NewSensitive(u.RawQuery))
		parts := strings.Split(u.Path, "/")
		for _, values := range u.Query() {
			parts = append(parts, values...)
		}
		for _, part := range parts {
			if len(part) >= 8 { // shorter ones are words
				list = append(list, spec.NewSensitive(part))
			}
		}
	}
	return slices.DeleteFunc(list, func(s spec.Sensitive) bool { return len(strings.Trim(s.Reveal(), "/")) == 0 })
}

func (s secrets) redact(text string) string { return spec.Redact(text, slices.Values(s)) }
