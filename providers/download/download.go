// Package download fetches datasets over HTTP and HTTPS.
package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// Client downloads files. The zero value is ready for use.
type Client struct {
	// HTTP may be nil: then a client with the proxy of the environment is made.
	HTTP *http.Client
	// Public: nothing but public addresses are reached, neither this host nor its
	// networks. It is for what others say. Where a proxy is asked, it is for the proxy to
	// say what it reaches.
	Public bool
	// Idle is how long a server may send nothing; 0 is a minute.
	Idle time.Duration
}

const (
	defaultIdle  = time.Minute
	maxRedirects = 10
)

// Get implements runner.Download. Of an address with a password the error shows none.
func (c *Client) Get(ctx context.Context, address, version string) (content io.ReadCloser, now string, err error) {
	parsed, err := url.Parse(address)
	if err != nil { // the error would repeat it, with a password perhaps
		return nil, "", errors.New("the address of the data is none that can be fetched; it begins with https://")
	}
	parsed.RawQuery, parsed.Fragment = "", "" // which may be a signature
	shown := parsed.Redacted()
	ctx, cancel := context.WithCancel(ctx)
	idle := c.Idle
	if idle <= 0 {
		idle = defaultIdle
	}
	watchdog := time.AfterFunc(idle, cancel)
	stop := func() { watchdog.Stop(); cancel() }
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		stop()
		return nil, "", fmt.Errorf("%s is not an address that can be fetched", shown)
	}
	if version != "" {
		request.Header.Set("If-None-Match", version)
	}
	response, err := c.client().Do(request)
	if err != nil {
		stop()
		var failed *url.Error
		if errors.As(err, &failed) { // it repeats the address
			err = failed.Err
		}
		if errors.Is(err, context.Canceled) && !watchdog.Stop() {
			err = fmt.Errorf("it did not answer within %s", idle)
		}
		if errors.Is(err, errNotPublic) {
			return nil, "", fmt.Errorf("fetch %s: %w", shown, err)
		}
		return nil, "", &awayError{fmt.Errorf("fetch %s: %w", shown, err)}
	}
	now = response.Header.Get("ETag")
	switch response.StatusCode {
	case http.StatusNotModified:
		stop()
		return nil, now, response.Body.Close()
	case http.StatusOK:
		return &body{from: response.Body, watchdog: watchdog, idle: idle, stop: stop, shown: shown, want: response.ContentLength}, now, nil
	}
	stop()
	err = fmt.Errorf("fetch %s: the server answers %s", shown, response.Status)
	if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
		err = &awayError{err}
	}
	return nil, "", errors.Join(err, response.Body.Close())
}

func (c *Client) client() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	var transport http.RoundTripper
	if c.Public {
		transport = public{}
	}
	return &http.Client{Transport: transport, CheckRedirect: func(request *http.Request, via []*http.Request) error {
		if len(via) >= maxRedirects {
			return fmt.Errorf("it is redirected more than %d times", maxRedirects)
		}
		request.Header.Del("Referer") // it would tell the next host the whole address
		if via[0].URL.Scheme == "https" && request.URL.Scheme != "https" {
			return errors.New("it is redirected from https to a connection that anybody can change")
		}
		if inside(request.URL.Hostname()) && !inside(via[0].URL.Hostname()) {
			return fmt.Errorf("it is redirected to %s, which is inside of this host or network", request.URL.Hostname())
		}
		return nil
	}}
}

// inside tells whether a host is named as one that only this host or network reaches.
func inside(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified())
}

// awayError is one that may pass by itself. Its text is that of the cause: the words of
// ErrUnavailable are about an engine.
type awayError struct{ cause error }

func (e *awayError) Error() string   { return e.cause.Error() }
func (e *awayError) Unwrap() []error { return []error{e.cause, reconcile.ErrUnavailable} }

// body ends a download that stands still, and one that is cut off.
type body struct {
	from     io.ReadCloser
	watchdog *time.Timer
	idle     time.Duration
	stop     func()
	shown    string
	want     int64 // bytes; -1: the server did not say
	got      int64
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.watchdog.Reset(b.idle)
	b.got += int64(n)
	switch {
	case errors.Is(err, io.EOF) && b.want >= 0 && b.got != b.want:
		err = io.ErrUnexpectedEOF
		fallthrough
	case err != nil && !errors.Is(err, io.EOF):
		err = &awayError{fmt.Errorf("fetch %s: cut off after %d bytes: %w", b.shown, b.got, err)}
	}
	return n, err
}

func (b *body) Close() error {
	b.stop()
	return b.from.Close()
}
