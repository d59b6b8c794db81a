package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/gateway"
	"github.com/fairlead/fairlead/providers/gateway/edge"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// keys is who may use a route: whoever has one of them.
func keys(keys ...string) *reconcile.RoutedAuth {
	auth := &reconcile.RoutedAuth{}
	for _, key := range keys {
		sum := sha256.Sum256([]byte(key))
		auth.KeyHashes = append(auth.KeyHashes, hex.EncodeToString(sum[:]))
	}
	slices.Sort(auth.KeyHashes)
	return auth
}

func TestRouteIsOpenToItsKeysOnly(t *testing.T) {
	b := newBackend(t, "a", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.Header.Get("X-Api-Key") + r.Header.Get("Authorization")))
	})
	other := newBackend(t, "b", nil)
	g := start(t, nil)
	m := model("digits", revision("r1", 100, b.replica()))
	m.Routes = []reconcile.RoutedPath{
		{Path: "/one", Auth: keys("first", "both")}, {Path: "/two", Auth: keys("second", "both")}, {Path: "/open"},
	}
	g.push(t, m, model("free", revision("r1", 100, other.replica())))
	g.ready(t)
	cases := []struct {
		name, path, key string
		status          int
	}{
		{"a key of the route", "/one", "first", 200},
		{"no key", "/one", "", 401},
		{"a key of another route", "/one", "second", 401},
		{"a key of the other route there", "/two", "second", 200},
		{"a route that asks for nothing", "/open", "", 200},
		{"the model's name asks for what its routes do", "/v2/models/digits/infer", "", 401},
		{"for all of it", "/v2/models/digits/infer", "first", 401},
		{"and lets in who has it", "/v2/models/digits/infer", "both", 200},
		{"a model without routes is open by its name", "/v2/models/free", "", 200},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			answer, body := g.get(t, c.path, func(r *http.Request) {
				if c.key != "" {
					r.Header.Set("X-Api-Key", c.key)
				}
			})
			if answer.StatusCode != c.status {
				t.Errorf("%s %s, want %d", answer.Status, body, c.status)
			}
			if c.status == http.StatusUnauthorized && (!strings.Contains(body, `"error"`) || answer.Header.Get("WWW-Authenticate") == "") {
				t.Errorf("%s, challenge %q", body, answer.Header.Get("WWW-Authenticate"))
			}
			if c.key != "" && strings.Contains(body, c.key) {
				t.Errorf("%q shows the key", body)
			}
		})
	}
	awaitMetric(t, g, `fairlead_gateway_refused_requests_total{code="401"} 4`)
	for _, revision := range []string{"", "r1"} {
		for _, code := range []string{"4xx", "5xx"} {
			if n := readMetric(t, g, `fairlead_requests_total{code="`+code+`",model="digits",revision="`+revision+`"}`); n != 0 {
				t.Errorf("%d answers of the gateway itself count as %s of the model", n, code)
			}
		}
	}
}

func TestTableWithAKeySetThatVerifiesNothingIsRefused(t *testing.T) {
	g := start(t, nil)
	m := model("digits", revision("r1", 100))
	m.Routes = []reconcile.RoutedPath{{Path: "/one", Auth: &reconcile.RoutedAuth{Issuer: "https://id.example", Audience: "a", Keys: `{"keys":[]}`}}}
	table := reconcile.Table{FormatVersion: reconcile.TableFormat, Version: 1, Models: []reconcile.RoutedModel{m}}
	if err := g.client.Push(t.Context(), g.admin, table); err == nil || !strings.Contains(err.Error(), "https://id.example") {
		t.Errorf("push = %v, want an error that names the issuer", err)
	}
}

func TestRouteTakesNoMoreThanItsLimit(t *testing.T) {
	b := newBackend(t, "a", nil)
	limited := func(limit *spec.RouteLimit) reconcile.RoutedModel {
		m := model("digits", revision("r1", 100, b.replica()))
		m.Routes = []reconcile.RoutedPath{{Path: "/digits", Limit: limit}, {Path: "/open"}}
		return m
	}
	g := start(t, nil)
	g.push(t, limited(&spec.RouteLimit{Rate: 0.01, Burst: 3}))
	g.ready(t)
	refused := func(path string) bool {
		t.Helper()
		answer, body := g.get(t, path, nil)
		if answer.StatusCode == http.StatusOK {
			return false
		}
		after, err := strconv.Atoi(answer.Header.Get("Retry-After"))
		if answer.StatusCode != http.StatusTooManyRequests || err != nil || after < 1 || !strings.Contains(body, "send it again after") {
			t.Fatalf("%s %s, Retry-After %q", answer.Status, body, answer.Header.Get("Retry-After"))
		}
		return true
	}
	for i, path := range []string{"/digits", "/v2/models/digits", "/digits"} {
		if refused(path) {
			t.Fatalf("request %d of the burst was refused", i)
		}
	}
	g.push(t, limited(&spec.RouteLimit{Rate: 0.01, Burst: 3})) // fills no bucket
	if !refused("/digits") || !refused("/v2/models/digits") {
		t.Error("the limit is not kept, or not by the model's name")
	}
	if refused("/open") {
		t.Error("a route without limit is limited")
	}
	if n := b.requests.Load(); n != 4 {
		t.Errorf("the model got %d requests, want the 4 that passed", n)
	}
}

func TestRouteTakesSoManyAtATime(t *testing.T) {
	arrived, finish := make(chan struct{}), make(chan struct{})
	b := newBackend(t, "a", func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-finish
	})
	g := start(t, nil)
	m := model("digits", revision("r1", 100, b.replica()))
	m.Routes = []reconcile.RoutedPath{{Path: "/digits", Limit: &spec.RouteLimit{Concurrency: 1}}}
	g.push(t, m)
	g.ready(t)
	for range 2 { // the second round: what ended counts no more
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for refused := true; refused; { // until the limit has seen the last one end
				answer, _ := g.get(t, "/digits", nil)
				refused = answer.StatusCode == http.StatusTooManyRequests
			}
		}()
		<-arrived
		if answer, _ := g.get(t, "/digits", nil); answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") != "1" {
			t.Errorf("beside an open request: %s", answer.Status)
		}
		finish <- struct{}{}
		<-ended
	}
}

// certificateFiles writes a self-signed certificate for loopback.
func certificateFiles(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gateway"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(certificate)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile, roots
}

func TestRequestsOverTLS(t *testing.T) {
	certFile, keyFile, roots := certificateFiles(t)
	b := newBackend(t, "a", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.Header.Get("X-Forwarded-Proto")))
	})
	g := start(t, func(c *gateway.Config) { c.TLS = &edge.Options{CertFile: certFile, KeyFile: keyFile} })
	m := model("digits", revision("r1", 0, b.replica()), revision("r2", 100))
	m.Revisions[0].Weight, m.Revisions[1].Weight = 100, 0
	m.Candidate, m.Sticky = "r2", &spec.Sticky{Cookie: "side"}
	g.push(t, m)
	g.ready(t)
	for _, http2 := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP/1.1", true: "HTTP/2"}[http2], func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: http2}
			defer transport.CloseIdleConnections()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+g.server.Addr().String()+"/v2/models/digits", nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := transport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = answer.Body.Close() }()
			if (answer.ProtoMajor == 2) != http2 || answer.StatusCode != http.StatusOK {
				t.Errorf("%s %s", answer.Proto, answer.Status)
			}
			if cookies := answer.Cookies(); len(cookies) != 1 || !cookies[0].Secure {
				t.Errorf("cookies %v, want one that goes over TLS only", cookies)
			}
		})
	}
}

func TestCertificateThatIsNotThereIsSaidAtTheStart(t *testing.T) {
	_, err := gateway.NewServer(gateway.Config{
		Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Token: token,
		TLS: &edge.Options{CertFile: "/nowhere/cert.pem", KeyFile: "/nowhere/key.pem"},
	})
	if err == nil || !strings.Contains(err.Error(), "/nowhere/cert.pem") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}
