package edge

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// validity is how long a test certificate is good.
type validity struct{ from, until time.Time }

// yearFrom is a validity around a time.
func yearFrom(t time.Time) validity { return validity{t.Add(-time.Hour), t.Add(365 * 24 * time.Hour)} }

// selfSigned makes a certificate and its key in PEM.
func selfSigned(t *testing.T, name string, valid validity) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: valid.from, NotAfter: valid.until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// pair is a pair of files that a test replaces.
type pair struct{ certFile, keyFile string }

func newPair(t *testing.T, name string, valid validity) pair {
	t.Helper()
	dir := t.TempDir()
	p := pair{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
	p.replace(t, name, valid)
	return p
}

func (p pair) replace(t *testing.T, name string, valid validity) {
	t.Helper()
	certificate, key := selfSigned(t, name, valid)
	put(t, p.certFile, certificate)
	put(t, p.keyFile, key)
}

// put replaces a file as programs do it that renew certificates.
func put(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// record is a log that a test reads.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) count(part string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.text.String(), part)
}

func (r *record) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

// shown is the name on the certificate that a handshake shows.
func shown(t *testing.T, config *tls.Config) string {
	t.Helper()
	certificate, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: "models.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	return certificate.Leaf.Subject.CommonName
}

func TestFilesAreReadAgain(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*testing.T, pair)
		want    string // name on the certificate afterwards
		warning string // in the log, once
	}{
		"when both are replaced": {func(t *testing.T, p pair) { p.replace(t, "second", yearFrom(time.Now())) }, "second", ""},
		"but not when they did not change": {
			func(*testing.T, pair) {}, "first", "",
		},
		"but not when the new certificate is broken": {
			func(t *testing.T, p pair) { put(t, p.certFile, []byte("-----BEGIN CERTIFICATE-----")) },
			"first", "are not a pair of PEM files",
		},
		"but not while only one is replaced": {
			func(t *testing.T, p pair) {
				certificate, _ := selfSigned(t, "second", yearFrom(time.Now()))
				put(t, p.certFile, certificate)
			},
			"first", "private key does not match public key",
		},
		"but not when one is gone": {
			func(t *testing.T, p pair) {
				if err := os.Remove(p.keyFile); err != nil {
					t.Fatal(err)
				}
			},
			"first", "no such file",
		},
		"but not when the new one has expired": {
			func(t *testing.T, p pair) {
				p.replace(t, "second", validity{time.Now().Add(-2 * time.Hour), time.Now().Add(-time.Hour)})
			},
			"first", "the certificate expired on",
		},
		"but not when the new one is of tomorrow": {
			func(t *testing.T, p pair) { p.replace(t, "second", yearFrom(time.Now().Add(24*time.Hour))) },
			"first", "is valid from",
		},
		"but not when the new one is endless": {
			func(t *testing.T, p pair) { put(t, p.certFile, make([]byte, maxPEM+1)) },
			"first", "is larger than",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log record
				p := newPair(t, "first", yearFrom(time.Now()))
				certificates, err := NewTLS(Options{CertFile: p.certFile, KeyFile: p.keyFile, Logger: log.logger()})
				if err != nil {
					t.Fatal(err)
				}
				config := certificates.Config()
				test.change(t, p)
				if got := shown(t, config); got != "first" {
					t.Errorf("it shows %s before the interval is over", got)
				}
				for range 3 {
					time.Sleep(checkInterval)
					if got := shown(t, config); got != test.want {
						t.Errorf("it shows %s, want %s", got, test.want)
					}
				}
				if got, want := log.count("WARN"), min(len(test.warning), 1); got != want || log.count(test.warning) < want {
					t.Errorf("%d warnings, want %d with %q:\n%s", got, want, test.warning, log.text.String())
				}
				// What was broken is repaired.
				p.replace(t, "third", yearFrom(time.Now()))
				time.Sleep(checkInterval)
				if got := shown(t, config); got != "third" {
					t.Errorf("it shows %s after both were replaced", got)
				}
			})
		})
	}
}

func TestAnExpiredCertificateStillStarts(t *testing.T) {
	var log record
	p := newPair(t, "old", validity{noon.AddDate(-2, 0, 0), noon.AddDate(-1, 0, 0)})
	certificates, err := NewTLS(Options{CertFile: p.certFile, KeyFile: p.keyFile, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	if got := shown(t, certificates.Config()); got != "old" || log.count("expired on") != 1 {
		t.Errorf("it shows %s; log: %s", got, log.text.String())
	}
}

// listen takes a port of this machine.
func listen(t *testing.T) (listener net.Listener, port int) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener, listener.Addr().(*net.TCPAddr).Port
}

// serve serves handler behind TLS until the test ends, and returns its address.
func serve(t *testing.T, config *tls.Config, handler http.Handler) string {
	t.Helper()
	listener, _ := listen(t)
	serveOn(t, listener, config, handler)
	return listener.Addr().String()
}

// serveOn serves on a listener; without config it serves in the clear.
func serveOn(t *testing.T, listener net.Listener, config *tls.Config, handler http.Handler) {
	t.Helper()
	server := &http.Server{Handler: handler, TLSConfig: config, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if config == nil {
			_ = server.Serve(listener)
		} else {
			_ = server.ServeTLS(listener, "", "")
		}
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
}

func TestHandshakes(t *testing.T) {
	p := newPair(t, "models.example.com", yearFrom(time.Now()))
	certificates, err := NewTLS(Options{CertFile: p.certFile, KeyFile: p.keyFile})
	if err != nil {
		t.Fatal(err)
	}
	address := serve(t, certificates.Config(), http.NotFoundHandler())
	text, _ := os.ReadFile(p.certFile)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	for name, test := range map[string]struct {
		client   *tls.Config
		protocol string // negotiated; "-" for no handshake
	}{
		"HTTP/2 where both can":        {&tls.Config{NextProtos: []string{"h2", "http/1.1"}}, "h2"},
		"HTTP/1.1 for a client of it":  {&tls.Config{NextProtos: []string{"http/1.1"}}, "http/1.1"},
		"TLS 1.2 with good suites":     {&tls.Config{MaxVersion: tls.VersionTLS12}, ""},
		"TLS 1.1 is refused":           {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "-"},
		"CBC is refused":               {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, "-"},
		"no challenges without ACME":   {&tls.Config{NextProtos: []string{challengeProtocol}}, "-"},
		"another protocol than HTTP's": {&tls.Config{NextProtos: []string{"smtp"}}, "-"},
	} {
		t.Run(name, func(t *testing.T) {
			client := test.client.Clone()
			client.RootCAs, client.ServerName = roots, "models.example.com"
			connection, err := (&tls.Dialer{Config: client}).DialContext(t.Context(), "tcp", address)
			if err != nil {
				if test.protocol != "-" {
					t.Error(err)
				}
				return
			}
			defer func() { _ = connection.Close() }()
			if got := connection.(*tls.Conn).ConnectionState().NegotiatedProtocol; got != test.protocol {
				t.Errorf("negotiated %q, want %q", got, test.protocol)
			}
		})
	}
}

func TestOptionsThatCannotBeRight(t *testing.T) {
	p := newPair(t, "models.example.com", yearFrom(time.Now()))
	other := newPair(t, "models.example.com", yearFrom(time.Now()))
	right := ACME{Domains: []string{"models.example.com"}, Storage: t.TempDir(), TLSAddress: "127.0.0.1:443"}
	acme := func(change func(*ACME)) Options {
		a := right
		change(&a)
		return Options{ACME: &a}
	}
	for name, test := range map[string]struct {
		options Options
		want    string
	}{
		"nothing":                     {Options{}, "needs a certificate file and a key file"},
		"a certificate without key":   {Options{CertFile: p.certFile}, "needs a certificate file and a key file"},
		"a key of another one":        {Options{CertFile: p.certFile, KeyFile: other.keyFile}, "are not a pair"},
		"a file that is not there":    {Options{CertFile: p.certFile, KeyFile: p.keyFile + "x"}, "no such file"},
		"files and ACME":              {Options{CertFile: p.certFile, KeyFile: p.keyFile, ACME: &right}, "choose one"},
		"no domain":                   {acme(func(a *ACME) { a.Domains = nil }), "at least one domain"},
		"a wildcard":                  {acme(func(a *ACME) { a.Domains = []string{"*.example.com"} }), "no wildcards"},
		"a directory in the clear":    {acme(func(a *ACME) { a.Directory = "http://ca.example.com/dir" }), "not an https URL"},
		"no storage":                  {acme(func(a *ACME) { a.Storage = "" }), "storage directory"},
		"a storage that is a file":    {acme(func(a *ACME) { a.Storage = p.certFile }), "create the ACME storage"},
		"no address":                  {acme(func(a *ACME) { a.TLSAddress = "" }), "address of the listener"},
		"an address without port":     {acme(func(a *ACME) { a.TLSAddress = "127.0.0.1:0" }), "address of the listener"},
		"a plain one without port":    {acme(func(a *ACME) { a.HTTPAddress = "127.0.0.1" }), "address of the listener"},
		"roots that are not there":    {acme(func(a *ACME) { a.CAFile = p.certFile + "x" }), "roots of the ACME directory"},
		"roots that are no roots":     {acme(func(a *ACME) { a.CAFile = p.keyFile }), "no certificate in PEM"},
		"a certificate in a key file": {Options{CertFile: p.keyFile, KeyFile: p.keyFile}, "are not a pair"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewTLS(test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an error with %q", err, test.want)
			}
			if strings.Contains(err.Error(), "BEGIN") {
				t.Errorf("the error shows a file: %v", err)
			}
		})
	}
}

func TestFilesRunUntilTheEnd(t *testing.T) {
	p := newPair(t, "models.example.com", yearFrom(time.Now()))
	certificates, err := NewTLS(Options{CertFile: p.certFile, KeyFile: p.keyFile})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := certificates.Run(ctx); err != nil {
		t.Error(err)
	}
	if got := certificates.ChallengeHandler(http.NotFoundHandler()); got == nil {
		t.Error("there is no handler")
	}
}

// get asks over TLS and returns the body.
func get(t *testing.T, client *http.Client, url string) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
