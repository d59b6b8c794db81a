package edge

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
)

// Options say where the certificate of the gateway comes from: a pair of files,
// or ACME.
type Options struct {
	CertFile string // PEM, the chain with the gateway's own certificate first
	KeyFile  string // PEM, the private key
	ACME     *ACME
	Logger   *slog.Logger // default: discard
}

// TLS are the certificates that the gateway shows, kept up to date.
type TLS struct {
	from source
	// protocols beside HTTP that the source needs clients to reach it by.
	protocols []string
}

// source is where certificates come from.
type source interface {
	certificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	challenges(next http.Handler) http.Handler
	run(ctx context.Context) error
}

// NewTLS prepares the certificates. Files must be there and fit together; what
// ACME needs of the network is done by Run.
func NewTLS(options Options) (*TLS, error) {
	logger := cmp.Or(options.Logger, slog.New(slog.DiscardHandler))
	if options.ACME != nil {
		if options.CertFile != "" || options.KeyFile != "" {
			return nil, errors.New("there are certificate files and ACME domains; choose one of them")
		}
		from, err := newIssued(*options.ACME, logger)
		if err != nil {
			return nil, err
		}
		return &TLS{from: from, protocols: []string{challengeProtocol}}, nil
	}
	if options.CertFile == "" || options.KeyFile == "" {
		return nil, errors.New("TLS needs a certificate file and a key file, or ACME domains")
	}
	from, err := newFiles(options.CertFile, options.KeyFile, logger)
	if err != nil {
		return nil, err
	}
	return &TLS{from: from}, nil
}

// Config returns the configuration of a listener.
func (t *TLS) Config() *tls.Config {
	return &tls.Config{
		GetCertificate: t.from.certificate,
		NextProtos:     append([]string{"h2", "http/1.1"}, t.protocols...),
		MinVersion:     tls.VersionTLS12,
		// Of TLS 1.2; those of 1.3 are all good. Go's own list goes on to CBC
		// with SHA-1, which no client needs that knows TLS 1.2 as it should.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}

// ChallengeHandler returns what a plain listener serves: answers to HTTP-01
// challenges where ACME is asked for them, and next for everything else.
func (t *TLS) ChallengeHandler(next http.Handler) http.Handler { return t.from.challenges(next) }

// Run keeps certificates up to date until ctx ends, and is called once. The
// listeners must serve by then, since an ACME server comes to them. Only what
// keeps it from beginning is an error; all else is logged and tried again.
func (t *TLS) Run(ctx context.Context) error { return t.from.run(ctx) }
