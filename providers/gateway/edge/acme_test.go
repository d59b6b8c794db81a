package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// patience is how long a test waits for what must happen at some time.
const patience = time.Minute

const domain = "models.example.com"

// authority is an ACME server of Let's Encrypt's making, in this process.
type authority struct {
	directory string
	caFile    string         // of the directory's own certificate
	roots     *x509.CertPool // of what it issues
}

// newAuthority starts an authority that finds every domain on this machine, at
// the ports given.
func newAuthority(t *testing.T, httpPort, tlsPort int) authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	issuer := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	validator := va.New(quiet, httpPort, tlsPort, true, resolver(t), store)
	front := wfe.New(quiet, store, validator, issuer, []string{"ca.example.com"}, true, false, 1, 1)
	server := httptest.NewTLSServer(front.Handler())
	t.Cleanup(server.Close)

	caFile := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(issuer.GetRootCert(0).PEM())
	return authority{directory: server.URL + wfe.DirectoryPath, caFile: caFile, roots: roots}
}

// resolver is a DNS server that knows every name as this machine.
func resolver(t *testing.T) string {
	t.Helper()
	listener, _ := listen(t)
	server := &dns.Server{Listener: listener, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		answer := new(dns.Msg).SetReply(question)
		if q := question.Question[0]; q.Qtype == dns.TypeA {
			answer.Answer = []dns.RR{&dns.A{
				Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1},
				A:   net.IPv4(127, 0, 0, 1),
			}}
		}
		_ = w.WriteMsg(answer)
	})}
	done, started := make(chan struct{}), make(chan struct{})
	server.NotifyStartedFunc = func() { close(started) }
	go func() {
		defer close(done)
		_ = server.ActivateAndServe()
	}()
	<-started
	t.Cleanup(func() {
		_ = server.Shutdown()
		<-done
	})
	return listener.Addr().String()
}

// manage runs the certificates until the test, or stop, ends it.
func manage(t *testing.T, certificates *TLS) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- certificates.Run(ctx) }()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// eventually asks until there is an answer.
func eventually(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		body, err := get(t, client, url)
		if err == nil {
			return body
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("no answer within %s: %v", patience, err)
		}
	}
}

// clientFor goes to address whatever the URL says, and trusts roots.
func clientFor(t *testing.T, address string, roots *x509.CertPool) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: patience}).DialContext(ctx, network, address)
		},
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprintf(w, "over HTTP/%d", r.ProtoMajor) })

func TestACertificateIsIssued(t *testing.T) {
	for name, plain := range map[string]bool{"by TLS-ALPN-01": false, "by HTTP-01": true} {
		t.Run(name, func(t *testing.T) {
			var log record
			listener, tlsPort := listen(t)
			web, httpPort := listen(t)
			from := newAuthority(t, httpPort, tlsPort)
			acme := ACME{
				Domains: []string{domain}, Email: "ops@example.com", Directory: from.directory, CAFile: from.caFile,
				Storage: t.TempDir(), TLSAddress: listener.Addr().String(),
			}
			if plain {
				acme.HTTPAddress = web.Addr().String()
			}
			certificates, err := NewTLS(Options{ACME: &acme, Logger: log.logger()})
			if err != nil {
				t.Fatal(err)
			}
			config := certificates.Config()
			if plain {
				config.NextProtos = []string{"h2"} // the other challenge finds no way
			}
			serveOn(t, listener, config, hello)
			serveOn(t, web, nil, certificates.ChallengeHandler(hello))
			stop := manage(t, certificates)

			client := clientFor(t, listener.Addr().String(), from.roots)
			if got := eventually(t, client, "https://"+domain); got != "over HTTP/2" {
				t.Errorf("the answer is %q", got)
			}
			if got := log.count("a TLS certificate was issued"); got != 1 {
				t.Errorf("the log tells of %d certificates:\n%s", got, log.text.String())
			}
			if got, err := get(t, clientFor(t, web.Addr().String(), nil), "http://"+domain+"/"); err != nil || got != "over HTTP/1" {
				t.Errorf("beside challenges the plain listener answers %q, %v", got, err)
			}
			refusesStrangers(t, listener.Addr().String(), from.roots)
			stop()
			startsFromStorage(t, acme, from)
		})
	}
}

// refusesStrangers checks that a name without certificate gets none of another.
func refusesStrangers(t *testing.T, address string, roots *x509.CertPool) {
	t.Helper()
	if _, err := get(t, clientFor(t, address, roots), "https://other.example.com"); err == nil {
		t.Error("another domain is answered")
	}
}

// startsFromStorage checks that a restart asks nobody for a certificate.
func startsFromStorage(t *testing.T, acme ACME, from authority) {
	t.Helper()
	var log record
	listener, _ := listen(t)
	acme.TLSAddress, acme.HTTPAddress = listener.Addr().String(), ""
	certificates, err := NewTLS(Options{ACME: &acme, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, listener, certificates.Config(), hello)
	manage(t, certificates)
	eventually(t, clientFor(t, listener.Addr().String(), from.roots), "https://"+domain)
	if got := log.count("a TLS certificate was issued"); got != 0 {
		t.Errorf("%d certificates were issued after a restart", got)
	}
	keysAreOurs(t, acme.Storage)
}

// keysAreOurs checks that nobody else can read what is kept.
func keysAreOurs(t *testing.T, storage string) {
	t.Helper()
	keys := 0
	err := filepath.WalkDir(storage, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".key") {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %s", path, info.Mode())
		}
		keys++
		return err
	})
	if err != nil || keys == 0 {
		t.Errorf("%d keys are kept, %v", keys, err)
	}
}

func TestAnAuthorityThatIsAwayIsSaid(t *testing.T) {
	var log record
	listener, _ := listen(t)
	away := httptest.NewUnstartedServer(http.NotFoundHandler())
	away.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	away.StartTLS()
	defer away.Close()
	certificates, err := NewTLS(Options{Logger: log.logger(), ACME: &ACME{
		Domains: []string{domain}, Directory: away.URL + "/dir", Storage: t.TempDir(), TLSAddress: listener.Addr().String(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := certificates.Config().GetCertificate(&tls.ClientHelloInfo{ServerName: domain}); err == nil {
		t.Error("there is a certificate before Run")
	}
	serveOn(t, listener, certificates.Config(), hello)
	manage(t, certificates)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); log.count("could not get certificate") == 0; {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("nothing is said within %s", patience)
		}
	}
	if log.count(domain) == 0 || log.count("certificate signed by unknown authority") == 0 {
		t.Errorf("it does not say what and why:\n%s", log.text.String())
	}
}
