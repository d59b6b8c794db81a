package rest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// Bounds of one call.
const (
	// DefaultTimeout is how long one request may take, its body included.
	DefaultTimeout = 20 * time.Second
	// MaxBody is how many bytes an answer may have.
	MaxBody = 32 << 20
	// MaxPages is how many pages of a list are read.
	MaxPages = 200

	requestsPerCall = 8 // times Timeout: how long a call of many requests may take
	maxRedirects    = 5
	maxHold         = time.Hour // GitHub's window is the longest
)

// Options say which forge is called, and how.
type Options struct {
	Name string // as an error begins: "GitHub acme/models"
	// Server is asked, and no other: its scheme, host and port count.
	Server *url.URL
	// CAFile holds certificates in PEM form that are trusted beside the system's; may
	// be empty.
	CAFile  string
	Timeout time.Duration // of one request; 0: DefaultTimeout
	// Credential gives the Authorization header of a request.
	Credential func(ctx context.Context) (string, error)
	// Refused is told the header that the server took for none (401); may be nil.
	Refused func(header string)
	// From says where the credential comes from, for people: "the token in FILE".
	From string
	Now  func() time.Time // nil: time.Now
}

// Client calls one forge. It is safe for concurrent use.
type Client struct {
	options     Options
	http        *http.Client
	connections *http.Transport

	mu      sync.Mutex
	held    time.Time // no request leaves before
	secrets []string  // newest last
}

// New makes a Client. It asks nobody.
func New(options Options) (*Client, error) {
	if options.Timeout <= 0 {
		options.Timeout = DefaultTimeout
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	connections := http.DefaultTransport.(*http.Transport).Clone()
	connections.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if options.CAFile != "" {
		pool, err := trusted(options.CAFile)
		if err != nil {
			return nil, err
		}
		connections.TLSClientConfig.RootCAs = pool
	}
	c := &Client{options: options, connections: connections}
	c.http = &http.Client{Transport: (*carrier)(c), CheckRedirect: c.checkRedirect}
	return c, nil
}

// Server reads the address of a forge.
func Server(address string) (*url.URL, error) {
	server, err := url.Parse(address)
	if err != nil || server.Host == "" || server.Scheme != "https" && server.Scheme != "http" || server.User != nil || server.RawQuery != "" {
		// It is not repeated: somebody may have written a password into it.
		return nil, errors.New("the address of the forge is none; it looks like https://git.example.com, without user and password")
	}
	server.Path, server.RawPath, server.Fragment = strings.TrimRight(server.Path, "/"), "", ""
	return server, nil
}

func trusted(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the certificates for the forge: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return pool, nil
}

// HTTP is what an SDK gets. It adds the credential by itself.
func (c *Client) HTTP() *http.Client { return c.http }

// Close closes the connections that are not in use.
func (c *Client) Close() { c.connections.CloseIdleConnections() }

// Bound gives a call of several requests an end of its own.
func (c *Client) Bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, requestsPerCall*c.options.Timeout)
}

// Token is a file that holds a credential. It is read for each request, so that a new
// one counts without a restart.
type Token string

const maxToken = 16 << 10

// Bearer is what Options.Credential needs.
func (t Token) Bearer(context.Context) (string, error) {
	file, err := os.Open(string(t))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	content, err := io.ReadAll(io.LimitReader(file, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(content))
	switch {
	case token == "":
		return "", fmt.Errorf("the token file %s is empty", string(t))
	case len(token) > maxToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("the token file %s holds something else than one token", string(t))
	}
	return "Bearer " + token, nil
}

// carrier is the RoundTripper of a Client.
type carrier Client

// RoundTrip implements http.RoundTripper.
func (t *carrier) RoundTrip(request *http.Request) (*http.Response, error) {
	c := (*Client)(t)
	if !sameOrigin(request.URL, c.options.Server) {
		closeBody(request)
		return nil, &elsewhereError{to: request.URL}
	}
	if until := c.Held(); !until.IsZero() {
		closeBody(request)
		return nil, &reconcile.RetryError{After: until, Cause: fmt.Errorf("it was asked too often, and is left alone until %s", clock(until))}
	}
	// The end of http.Client would need every body to be closed, which not every SDK
	// does to those of errors; ours needs them to be read.
	ctx, end := context.WithTimeout(request.Context(), c.options.Timeout)
	value, err := c.options.Credential(ctx)
	if err != nil {
		end()
		closeBody(request)
		return nil, &credentialError{err}
	}
	c.remember(value)
	request = request.Clone(ctx)
	request.Header.Set("Authorization", value)
	response, err := c.connections.RoundTrip(request)
	if err != nil {
		end()
		return nil, err
	}
	if until, limited := limit(response, c.options.Now()); limited {
		c.Hold(until)
	}
	if response.StatusCode == http.StatusUnauthorized && c.options.Refused != nil {
		c.options.Refused(value)
	}
	response.Body = &capped{from: response.Body, left: MaxBody, end: end}
	return response, nil
}

func closeBody(request *http.Request) {
	if request.Body != nil {
		request.Body.Close() //nolint:errcheck // nobody reads it
	}
}

// Held is the time before which no request leaves; zero: they do.
func (c *Client) Held() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.options.Now().Before(c.held) {
		return c.held
	}
	return time.Time{}
}

// Hold lets no request leave before a time, which counts up to an hour.
func (c *Client) Hold(until time.Time) {
	if last := c.options.Now().Add(maxHold); until.After(last) {
		until = last
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if until.After(c.held) {
		c.held = until
	}
}

// HoldFor is Hold until so long from now.
func (c *Client) HoldFor(wait time.Duration) { c.Hold(c.options.Now().Add(wait)) }

// remember keeps what no error may show.
func (c *Client) remember(header string) {
	_, secret, _ := strings.Cut(header, " ")
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range c.secrets {
		if known == secret {
			return
		}
	}
	c.secrets = append(c.secrets, secret)
	if len(c.secrets) > 8 { // a request in flight may still use an older one
		c.secrets = c.secrets[1:]
	}
}

func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if strings.EqualFold(u.Scheme, "http") {
		return "80"
	}
	return "443"
}

// checkRedirect follows one only on the same server, and only where the request stays
// what it is: a POST that was moved would become a GET.
func (c *Client) checkRedirect(request *http.Request, via []*http.Request) error {
	if !sameOrigin(request.URL, c.options.Server) {
		return &elsewhereError{to: request.URL, redirect: true}
	}
	if len(via) >= maxRedirects {
		return &movedError{"it redirects again and again"}
	}
	if request.Method != via[0].Method {
		return &movedError{"the repository has moved; name its new address"}
	}
	return nil
}

// capped is a body that may have so many bytes. It is closed at its end, or the first
// error.
type capped struct {
	from  io.ReadCloser
	left  int64
	end   context.CancelFunc
	ended error
}

// Read implements io.Reader.
func (b *capped) Read(p []byte) (int, error) {
	if b.ended != nil {
		return 0, b.ended
	}
	n, err := b.read(p)
	if err != nil {
		b.ended = err
		b.Close() //nolint:errcheck // the error of reading tells more
	}
	return n, err
}

func (b *capped) read(p []byte) (int, error) {
	if b.left > 0 {
		n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
		b.left -= int64(n)
		return n, err
	}
	// As many as allowed are fine: only one more is not.
	var one [1]byte
	n, err := b.from.Read(one[:])
	if n > 0 {
		return 0, errTooLarge
	}
	return 0, err
}

// Close implements io.Closer.
func (b *capped) Close() error {
	defer b.end()
	return b.from.Close()
}
