package oci

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"
	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/fairlead/fairlead/reconcile"
)

// How often what fails is tried again. A request without a body of its own is, by the
// client; a transfer that broke off in the middle is, by again.
const (
	requestRetries = 3
	transfers      = 3
	parallelBlobs  = 3
	// A transfer that is slower than this on average is given up, however lively.
	slowest = 64 << 10 // bytes per second
	// A registry may say nothing for the time that it reads a whole blob again.
	rereads = 64 << 20 // bytes per second
)

// connect makes the client that all registries are spoken to with.
func (s *Store) connect() {
	s.transport = s.options.Transport
	if s.transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DialContext = (&net.Dialer{Timeout: min(10*time.Second, s.options.Timeout), KeepAlive: 30 * time.Second}).DialContext
		t.TLSHandshakeTimeout = min(10*time.Second, s.options.Timeout)
		s.transport = t
	}
	longest := min(30*time.Second, s.options.Timeout/2)
	policy := &retry.GenericPolicy{
		Retryable: patience(longest), Backoff: retry.DefaultBackoff,
		MinWait: 100 * time.Millisecond, MaxWait: longest, MaxRetry: requestRetries,
	}
	s.client = &auth.Client{
		Client: &http.Client{Transport: &retry.Transport{Base: lively{s.transport}, Policy: func() retry.Policy { return policy }}},
		Header: http.Header{"User-Agent": {"fairlead"}},
		Cache:  auth.NewCache(), Credential: s.credential,
	}
}

// credential asks Docker's configuration, or the helper that it names, anew for each
// token: somebody may log in at any time.
func (s *Store) credential(ctx context.Context, host string) (auth.Credential, error) {
	path, err := s.dockerConfig()
	if err != nil {
		return auth.EmptyCredential, err
	}
	store, err := credentials.NewStore(path, credentials.StoreOptions{})
	if err != nil {
		return auth.EmptyCredential, fmt.Errorf("read %s: %w", path, err)
	}
	return credentials.Credential(store)(ctx, host)
}

func (s *Store) dockerConfig() (string, error) {
	dir := s.options.DockerConfig
	if dir == "" {
		dir = os.Getenv("DOCKER_CONFIG")
	}
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find Docker's config.json: %w", err)
		}
		dir = filepath.Join(home, ".docker")
	}
	return filepath.Join(dir, "config.json"), nil
}

// plain tells whether the registry is spoken to without TLS.
func (s *Store) plain(host string) bool {
	if slices.Contains(s.options.Insecure, host) {
		return true
	}
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	return name == "localhost" || name == "127.0.0.1" || name == "::1" || slices.Contains(s.options.Insecure, name)
}

// remotely calls f with the repository of r. The registry must show signs of life, and
// for size bytes have an end. An error says what went wrong with which registry and
// what to do.
func (s *Store) remotely(ctx context.Context, r reference, doing string, size int64, f func(context.Context, *remote.Repository) error) error {
	if err := s.ask(ctx, r, size, f); err != nil {
		return fmt.Errorf("%s %s: %w", doing, r, err)
	}
	return nil
}

// ask is remotely without a word about what was being done.
func (s *Store) ask(ctx context.Context, r reference, size int64, f func(context.Context, *remote.Repository) error) error {
	ctx, stop := s.watch(ctx, size)
	defer stop()
	err := f(ctx, &remote.Repository{
		Client: s.client, Reference: registry.Reference{Registry: r.host, Repository: r.repository}, PlainHTTP: s.plain(r.host),
		// Most registries do not let their users delete; an index of referrers that is
		// out of date does no harm.
		SkipReferrersGC: true, ReferrerListMaxPages: 100,
	})
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return comeBack(ctx, s.explain(r, err))
}

// again repeats a transfer that broke off. What has been transferred in full is not
// transferred again.
func (s *Store) again(ctx context.Context, transfer func() error) error {
	for n := 1; ; n++ {
		err := transfer()
		if err == nil || n == transfers || !passing(err) {
			return err
		}
		if pause(ctx, min(time.Duration(n)*250*time.Millisecond, s.options.Timeout/4)) != nil {
			return err
		}
	}
}

// passing tells whether an error may pass by itself, seconds later.
func passing(err error) bool {
	var answer *errcode.ErrorResponse
	if errors.As(err, &answer) {
		return answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusRequestTimeout
	}
	var network net.Error
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.As(err, &network) && network.Timeout()
}

// alive is told of every sign of life of a registry.
type alive struct {
	timer   *time.Timer
	silence time.Duration
	again   atomic.Pointer[time.Time] // when the last answer asks to come back; nil: it does not
}

func (a *alive) sign() { a.timer.Reset(a.silence) }

type aliveKey struct{}

// watch returns a context that ends where the registry is silent for too long.
func (s *Store) watch(ctx context.Context, size int64) (context.Context, func()) {
	silence := s.options.Timeout + time.Duration(size/rereads)*time.Second
	total := 10*s.options.Timeout + time.Duration(size/slowest)*time.Second
	ctx, stop := context.WithTimeoutCause(ctx, total, unavailable("it was not done after %s", total))
	ctx, cancel := context.WithCancelCause(ctx)
	a := &alive{silence: silence, timer: time.AfterFunc(silence, func() {
		cancel(unavailable("it said nothing for %s", silence))
	})}
	return context.WithValue(ctx, aliveKey{}, a), func() {
		a.timer.Stop()
		cancel(nil)
		stop()
	}
}

// heard wraps a reader whose every byte is a sign of life.
func heard(ctx context.Context, from io.Reader) io.Reader {
	if a, ok := ctx.Value(aliveKey{}).(*alive); ok {
		return &listening{from, a}
	}
	return from
}

type listening struct {
	from io.Reader
	to   *alive
}

func (l *listening) Read(p []byte) (int, error) {
	n, err := l.from.Read(p)
	if n > 0 {
		l.to.sign()
	}
	return n, err
}

// lively tells of each answer.
type lively struct{ base http.RoundTripper }

func (l lively) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.base.RoundTrip(req)
	if a, ok := req.Context().Value(aliveKey{}).(*alive); ok && err == nil {
		a.sign()
		a.again.Store(retryAfter(resp))
	}
	return resp, err
}

// explain says what an error of a registry means. It never shows more of an address
// than its path: what follows can be a signature that lets everybody in.
func (s *Store) explain(r reference, err error) error {
	var (
		answer *errcode.ErrorResponse
		cert   *tls.CertificateVerificationError
		dns    *net.DNSError
	)
	switch {
	case errors.Is(err, reconcile.ErrTampered), errors.Is(err, reconcile.ErrNotStorable), errors.Is(err, reconcile.ErrUnavailable),
		errors.Is(err, context.Canceled), errors.Is(err, errNoManifest):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return unavailable("%s did not answer in time: %w", r.host, err)
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return fmt.Errorf("%s asks for a password (401) and there is none for it; %s", r.host, s.logIn(r.host))
	case errors.As(err, &answer):
		return s.explainAnswer(r, answer)
	case errors.Is(err, errdef.ErrNotFound):
		return fmt.Errorf("%s has no such artifact (404): %w; check the name and the digest, and that this user may read it", r.host, reconcile.ErrNoContent)
	case errors.As(err, &cert):
		return fmt.Errorf("the certificate of %s is not trusted: %w; install its authority on this host, or set SSL_CERT_FILE", r.host, cert.Err)
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%s does not speak TLS; give it a certificate, or list it as an insecure registry", r.host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return unavailable("%s refuses the connection; is the registry running?", r.host)
	case errors.As(err, &dns):
		return unavailable("the name %s is not known; check its spelling and the resolver of this host", r.host)
	case passing(err):
		return unavailable("the connection to %s broke: %w", r.host, withoutQuery(err))
	}
	return withoutQuery(err)
}

func (s *Store) explainAnswer(r reference, answer *errcode.ErrorResponse) error {
	said := fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	if len(answer.Errors) > 0 {
		said = fmt.Sprintf("%d, %.200q", answer.StatusCode, answer.Errors.Error())
	}
	switch code := answer.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("%s does not let us in (%s); %s", r.host, said, s.logIn(r.host))
	case code == http.StatusNotFound:
		return fmt.Errorf("%s has no such artifact (%s): %w; check the name and the digest, and that this user may read it", r.host, said, reconcile.ErrNoContent)
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return unavailable("%s cannot answer now (%s)", r.host, said)
	default:
		return fmt.Errorf("%s refuses it (%s)", r.host, said)
	}
}

// logIn says how a user comes in.
func (s *Store) logIn(host string) string {
	path, err := s.dockerConfig()
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("log in with `docker --config %s login %s`, as a user that may read and write there", filepath.Dir(path), host)
}

// queries are the parts of addresses that can hold signatures.
var queries = regexp.MustCompile(`\?[^\s"]*`)

// withoutQuery hides the queries of all addresses in the text of an error.
func withoutQuery(err error) error {
	return &redacted{text: queries.ReplaceAllString(err.Error(), "?..."), err: err}
}

type redacted struct {
	text string
	err  error
}

func (r *redacted) Error() string { return r.text }
func (r *redacted) Unwrap() error { return r.err }
