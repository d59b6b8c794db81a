package git

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// httpFetch is a conversation over http with connections of its own, which
// Close closes.
type httpFetch struct {
	transport.UploadPackSession
	connections *http.Transport
}

// Close implements fetcher.
func (s httpFetch) Close() error {
	s.connections.CloseIdleConnections()
	return s.UploadPackSession.Close()
}

// httpPush is the same for the other direction.
type httpPush struct {
	transport.ReceivePackSession
	connections *http.Transport
}

// Close implements pusher.
func (s httpPush) Close() error {
	s.connections.CloseIdleConnections()
	return s.ReceivePackSession.Close()
}

func (l link) fetchHTTP() (fetcher, error) {
	client, connections, method, err := l.httpClient()
	if err != nil {
		return nil, err
	}
	// The session changes its endpoint at a redirect, so it gets one of its own.
	endpoint := *l.location.endpoint
	conversation, err := client.NewUploadPackSession(&endpoint, method)
	if err != nil {
		return nil, err
	}
	return httpFetch{conversation, connections}, nil
}

func (l link) pushHTTP() (pusher, error) {
	client, connections, method, err := l.httpClient()
	if err != nil {
		return nil, err
	}
	endpoint := *l.location.endpoint
	conversation, err := client.NewReceivePackSession(&endpoint, method)
	if err != nil {
		return nil, err
	}
	return httpPush{conversation, connections}, nil
}

// httpClient makes a client for one conversation, its connections, and what it
// proves itself with.
func (l link) httpClient() (transport.Transport, *http.Transport, transport.AuthMethod, error) {
	user, password, err := l.auth.basic(l.location)
	if err != nil {
		return nil, nil, nil, err
	}
	connections := http.DefaultTransport.(*http.Transport).Clone()
	if l.auth.CAFile != "" {
		if connections.TLSClientConfig, err = trusting(l.auth.CAFile); err != nil {
			return nil, nil, nil, err
		}
	}
	client := &http.Client{
		Transport:     &limited{next: connections, left: l.limits.Transfer + protocolOverhead},
		CheckRedirect: sameHost,
	}
	var method transport.AuthMethod
	if password != "" {
		method = &githttp.BasicAuth{Username: user, Password: password}
	}
	return githttp.NewClient(client), connections, method, nil
}

// trusting is a TLS configuration that also trusts the certificates in a file.
func trusting(file string) (*tls.Config, error) {
	pem, err := readSmall(file)
	if err != nil {
		return nil, fmt.Errorf("read the certificates for the Git remote: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// redirectError is a redirect that is not followed.
type redirectError struct{ to string }

func (e *redirectError) Error() string {
	return fmt.Sprintf("the remote redirects to %s, which is another server and must not see the credentials; if that is right, name it in --repo", e.to)
}

// sameHost follows a redirect only where it stays on the same server and does
// not give up encryption.
func sameHost(req *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return errors.New("the remote redirects again and again")
	}
	return sameServer(via[0].URL, req.URL)
}

// sameServer refuses an address on another server than the one that gave it.
func sameServer(from, to *url.URL) error {
	upgrade := from.Scheme == "http" && to.Scheme == "https" && from.Port() == "" && to.Port() == ""
	if from.Hostname() != to.Hostname() || !upgrade && (from.Scheme != to.Scheme || from.Port() != to.Port()) {
		return &redirectError{to: (&url.URL{Scheme: to.Scheme, Host: to.Host}).String()}
	}
	return nil
}

// protocolOverhead is what a session may receive beside the pack: refs and
// framing.
const protocolOverhead = 64 << 20

// errTransfer ends a transfer above the limit.
var errTransfer = errors.New("the remote sends more than the transfer limit allows; a config repo should hold no large files")

// limited is a RoundTripper whose responses have only so many bytes together.
// A conversation makes one request after the other, so no lock is needed.
type limited struct {
	next http.RoundTripper
	left int64
}

func (l *limited) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := l.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	// Here as well as in sameHost: go-git refuses some redirects with words of its own.
	if to, none := res.Location(); none == nil && res.StatusCode/100 == 3 {
		if err := sameServer(req.URL, to); err != nil {
			_ = res.Body.Close() // nothing of it is wanted
			return nil, err
		}
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{&meter{from: res.Body, left: &l.left}, res.Body}
	return res, nil
}

// meter counts down what is left, and fails when nothing is.
type meter struct {
	from io.Reader
	left *int64
}

func (m *meter) Read(p []byte) (int, error) {
	if *m.left <= 0 {
		return 0, errTransfer
	}
	n, err := m.from.Read(p[:min(int64(len(p)), *m.left)])
	*m.left -= int64(n)
	return n, err
}
