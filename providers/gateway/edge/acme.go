package edge

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/fairlead/fairlead/spec"
)

// challengeProtocol is the ALPN name by which a TLS-ALPN-01 challenge comes
// (RFC 8737).
const challengeProtocol = "acme-tls/1"

// ACME says how certificates are got by ACME (RFC 8555). Whoever gives it agrees
// to the terms of the authority.
type ACME struct {
	Domains   []string // names that the gateway is reached by
	Email     string   // where the authority writes to; optional
	Directory string   // URL of the authority's directory; default Let's Encrypt
	// Storage is the directory that keeps account, keys and certificates. It has
	// to outlive the gateway: authorities count how often one asks anew.
	Storage string
	CAFile  string // PEM roots that Directory is trusted by; default the system's
	// TLSAddress is what the listener with this TLS is bound to, as host:port.
	// The authority reaches it as port 443 of each domain.
	TLSAddress string
	// HTTPAddress is what a plain listener is bound to that serves
	// ChallengeHandler. The authority reaches it as port 80. Empty: there is
	// none, and TLS-ALPN-01 is the only challenge.
	HTTPAddress string
}

// issued are certificates that an authority issues.
type issued struct {
	acme   ACME
	roots  *x509.CertPool
	logger *slog.Logger

	// manager is there once run has begun: with it comes a goroutine that run
	// has to end.
	manager atomic.Pointer[certmagic.Config]
	issuer  atomic.Pointer[certmagic.ACMEIssuer]
}

func newIssued(acme ACME, logger *slog.Logger) (*issued, error) {
	if len(acme.Domains) == 0 {
		return nil, errors.New("ACME needs at least one domain; name those that the gateway is reached by")
	}
	for _, domain := range acme.Domains {
		if err := spec.CheckHost(domain); err != nil {
			return nil, fmt.Errorf("the ACME domain %q cannot have a certificate: %w", domain, err)
		}
	}
	acme.Directory = cmp.Or(acme.Directory, certmagic.LetsEncryptProductionCA)
	if u, err := url.Parse(acme.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the ACME directory %q is not an https URL (RFC 8555, 6.1); take the one that the authority names", acme.Directory)
	}
	if acme.Storage == "" {
		return nil, errors.New("ACME needs a storage directory, which keeps its keys and certificates over restarts")
	}
	if err := os.MkdirAll(acme.Storage, 0o700); err != nil {
		return nil, fmt.Errorf("create the ACME storage: %w", err)
	}
	i := &issued{acme: acme, logger: logger}
	for _, address := range []string{acme.TLSAddress, cmp.Or(acme.HTTPAddress, acme.TLSAddress)} {
		if _, _, err := split(address); err != nil {
			return nil, err
		}
	}
	if acme.CAFile != "" {
		text, _, err := readPEM(acme.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the roots of the ACME directory: %w", err)
		}
		i.roots = x509.NewCertPool()
		if !i.roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("read the roots of the ACME directory: %s has no certificate in PEM", acme.CAFile)
		}
	}
	return i, nil
}

// split takes an address apart, into a host and a port that is not 0.
func split(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("ACME needs to know the address of the listener, and %q is not one with a port", address)
	}
	return host, port, nil
}

func (i *issued) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	manager := i.manager.Load()
	if manager == nil {
		return nil, errors.New("certificates are not managed yet")
	}
	return manager.GetCertificate(hello)
}

func (i *issued) challenges(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if i.issuer.Load().HandleHTTPChallenge(w, r) {
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (i *issued) run(ctx context.Context) error {
	logger := zap.New(bridge{to: i.logger})
	cache := certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return i.manager.Load(), nil },
		Logger:           logger,
	})
	defer cache.Stop()
	manager := certmagic.New(cache, certmagic.Config{
		Storage:           &certmagic.FileStorage{Path: i.acme.Storage},
		DefaultServerName: i.acme.Domains[0],    // for clients that name none
		Issuers:           []certmagic.Issuer{}, // which needs the manager; nil would stand for one of its own
		OnEvent:           i.tell,
		// Not asked for each event, but saves work on each handshake.
		ShouldEmitFunc: func(event string) bool { return event == obtained },
		Logger:         logger,
	})
	issuer := i.newIssuer(manager, logger)
	manager.Issuers = append(manager.Issuers, issuer)
	i.issuer.Store(issuer)
	i.manager.Store(manager)
	if err := manager.ManageAsync(ctx, i.acme.Domains); err != nil {
		return fmt.Errorf("begin to manage certificates: %w", err)
	}
	<-ctx.Done()
	return nil
}

func (i *issued) newIssuer(manager *certmagic.Config, logger *zap.Logger) *certmagic.ACMEIssuer {
	// newIssued has seen that they can be taken apart.
	host, tlsPort, _ := split(i.acme.TLSAddress)
	_, httpPort, _ := split(i.acme.HTTPAddress)
	return certmagic.NewACMEIssuer(manager, certmagic.ACMEIssuer{
		CA:           i.acme.Directory,
		Email:        i.acme.Email,
		Agreed:       true,
		TrustedRoots: i.roots,
		// Where it finds our own listeners it opens none.
		ListenHost:           host,
		AltTLSALPNPort:       tlsPort,
		AltHTTPPort:          httpPort,
		DisableHTTPChallenge: httpPort == 0,
		Logger:               logger,
	})
}

// obtained is the event of a new certificate. All others are either in the log
// as well, or of no interest.
const obtained = "cert_obtained"

func (i *issued) tell(_ context.Context, event string, data map[string]any) error {
	if event == obtained {
		i.logger.Info("a TLS certificate was issued", "domain", data["identifier"], "renewal", data["renewal"])
	}
	return nil
}

// bridge passes what the ACME library warns of to the gateway's log. What it
// does all the time is left out.
type bridge struct {
	to *slog.Logger
}

var _ zapcore.Core = bridge{}

// Enabled is part of zapcore.Core.
func (b bridge) Enabled(level zapcore.Level) bool { return level >= zapcore.WarnLevel }

// With is part of zapcore.Core.
func (b bridge) With(fields []zapcore.Field) zapcore.Core {
	return bridge{to: b.to.With(attributes(fields)...)}
}

// Check is part of zapcore.Core.
func (b bridge) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if b.Enabled(entry.Level) {
		return checked.AddCore(entry, b)
	}
	return checked
}

// Write is part of zapcore.Core. All is logged as a warning: the certificate that
// is there stays in use, and it is tried again.
func (b bridge) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	b.to.Warn("TLS certificates: "+entry.Message, attributes(fields)...)
	return nil
}

// Sync is part of zapcore.Core.
func (b bridge) Sync() error { return nil }

func attributes(fields []zapcore.Field) (attributes []any) {
	values := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(values)
	}
	for _, name := range slices.Sorted(maps.Keys(values.Fields)) {
		attributes = append(attributes, slog.Any(name, values.Fields[name]))
	}
	return attributes
}
