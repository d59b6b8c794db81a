package oip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What a server may cost us, whatever it does.
const (
	exchangeLimit = 10 * time.Second
	maxAnswer     = 8 << 20
	maxHeader     = 64 << 10
)

// server is one server as a client reaches it.
type server struct {
	client *http.Client
	base   string // URL without a / at its end
	limit  time.Duration
}

// newServer checks the address. A nil client stands for a plain one of its own.
func newServer(client *http.Client, address string) (*server, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not the address of a server; write it like http://127.0.0.1:8080", address)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q has a query or a fragment; write the address alone, like http://127.0.0.1:8080", address)
	}
	base := strings.TrimSuffix(strings.TrimRight(address, "/"), "/v2")
	if client == nil {
		client = plainClient()
	}
	own := *client
	// The protocol has no redirects; following one would judge another server.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &server{client: &own, base: base, limit: exchangeLimit}, nil
}

// plainClient goes straight to the server: no proxy, no cookies.
func plainClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxResponseHeaderBytes: maxHeader, MaxIdleConnsPerHost: 1, IdleConnTimeout: 5 * time.Second,
	}}
}

// exchange is one request and its answer.
type exchange struct {
	method, path string
	request      []byte
	status       int // 0: there was no answer
	header       http.Header
	body         []byte
}

// do sends a request and reads the whole answer. An error means that there was
// none that could be read to its end.
func (s *server) do(ctx context.Context, method, path string, header http.Header, body []byte) (*exchange, error) {
	x := &exchange{method: method, path: path, request: body}
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit, fmt.Errorf("no whole answer within %s", s.limit))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, s.base+path, bytes.NewReader(body))
	if err != nil {
		return x, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := s.client.Do(request)
	if err != nil {
		return x, reason(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	x.status, x.header = response.StatusCode, response.Header
	x.body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return x, fmt.Errorf("the answer breaks off: %w", reason(ctx, err))
	case len(x.body) > maxAnswer:
		return x, fmt.Errorf("the answer is longer than %d MiB; the rest was not read", maxAnswer>>20)
	}
	return x, nil
}

// reason takes the wrapping off an error of net/http: method and URL are said
// elsewhere, and "context deadline exceeded" is no reason.
func reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// jsonContent is the header of a request with a JSON body.
func jsonContent() http.Header { return http.Header{"Content-Type": {"application/json"}} }

// isJSON tells whether an answer says of itself that it is JSON.
func (x *exchange) isJSON() bool {
	kind, _, err := mime.ParseMediaType(x.header.Get("Content-Type"))
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// sent and answered are the exchange for people.
func (x *exchange) sent() string {
	return strings.TrimSpace(x.method + " " + x.path + " " + shorten(string(x.request), maxShown))
}

func (x *exchange) answered() string {
	if x.status == 0 {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", x.status, shorten(strings.TrimSpace(string(x.body)), maxShown)))
}

// maxShown is how much of a body people are shown.
const maxShown = 240

// shorten makes bytes from elsewhere fit to be shown: one line, printable, not
// too long.
func shorten(text string, limit int) string {
	var out strings.Builder
	for i, c := range text {
		if i >= limit {
			fmt.Fprintf(&out, "… (%d bytes)", len(text))
			break
		}
		switch {
		case c == '\n' || c == '\t' || c == '\r':
			out.WriteByte(' ')
		case c == utf8.RuneError || !unicode.IsPrint(c):
			fmt.Fprintf(&out, "\\x%02x", text[i])
		default:
			out.WriteRune(c)
		}
	}
	return out.String()
}
