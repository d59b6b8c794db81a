package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// checkInterval is how often the files are looked at, at the most.
	checkInterval = 10 * time.Second
	// maxPEM bounds the size of a certificate file or a key file.
	maxPEM = 1 << 20
)

// files serves a certificate from a pair of files. They are looked at during
// handshakes and not by a watcher: it costs two calls of stat in ten seconds, and
// notices a file that was replaced through whatever link or mount.
type files struct {
	certFile, keyFile string
	logger            *slog.Logger

	current atomic.Pointer[tls.Certificate]

	mu      sync.Mutex // held by the one handshake that looks
	checked time.Time
	seen    [2]os.FileInfo // of the pair in current
	said    string         // the error that was logged last; "" after a success
}

func newFiles(certFile, keyFile string, logger *slog.Logger) (*files, error) {
	f := &files{certFile: certFile, keyFile: keyFile, logger: logger, checked: time.Now()}
	certificate, seen, err := f.read()
	if err != nil {
		return nil, err
	}
	// A gateway that does not start would help nobody with an expired
	// certificate.
	if err := inTime(certificate.Leaf, f.checked); err != nil {
		f.warn(err)
	}
	f.seen = seen
	f.current.Store(certificate)
	return f, nil
}

func (f *files) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	// Who finds another one looking goes on with what there is.
	if f.mu.TryLock() {
		f.refresh(time.Now())
		f.mu.Unlock()
	}
	return f.current.Load(), nil
}

// refresh takes a new pair if there is one. A pair that is half replaced fails
// for once, and is found complete the next time.
func (f *files) refresh(now time.Time) {
	if now.Sub(f.checked) < checkInterval {
		return
	}
	f.checked = now
	if f.said == "" && f.unchanged() {
		return
	}
	certificate, seen, err := f.read()
	if err == nil {
		err = inTime(certificate.Leaf, now)
	}
	if err != nil {
		f.warn(err)
		return
	}
	f.seen, f.said = seen, ""
	f.current.Store(certificate)
	f.logger.Info("the TLS certificate was read again", "file", f.certFile, "until", certificate.Leaf.NotAfter)
}

// warn logs what is wrong once, and not every ten seconds.
func (f *files) warn(err error) {
	if err.Error() == f.said {
		return
	}
	f.said = err.Error()
	f.logger.Warn("the TLS certificate needs attention; the last one that was read stays in use", "file", f.certFile, "error", err)
}

// unchanged tells whether both files are those that were read.
func (f *files) unchanged() bool {
	for i, name := range []string{f.certFile, f.keyFile} {
		info, err := os.Stat(name)
		if err != nil || !os.SameFile(info, f.seen[i]) || !info.ModTime().Equal(f.seen[i].ModTime()) || info.Size() != f.seen[i].Size() {
			return false
		}
	}
	return true
}

// read reads the pair, and tells which files it was.
func (f *files) read() (certificate *tls.Certificate, seen [2]os.FileInfo, err error) {
	var text [2][]byte
	for i, name := range []string{f.certFile, f.keyFile} {
		if text[i], seen[i], err = readPEM(name); err != nil {
			return nil, seen, fmt.Errorf("read the TLS certificate: %w", err)
		}
	}
	pair, err := tls.X509KeyPair(text[0], text[1])
	if err != nil {
		return nil, seen, fmt.Errorf("the certificate in %s and the key in %s are not a pair of PEM files that TLS can use: %w", f.certFile, f.keyFile, err)
	}
	return &pair, seen, nil
}

// readPEM reads a file of bounded size. The information is about the file that
// was read, even if another one has its name by now.
func readPEM(name string) (text []byte, info os.FileInfo, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }()
	if info, err = file.Stat(); err != nil {
		return nil, nil, err
	}
	if text, err = io.ReadAll(io.LimitReader(file, maxPEM+1)); err != nil {
		return nil, nil, err
	}
	if len(text) > maxPEM {
		return nil, nil, fmt.Errorf("%s is larger than %d bytes, which no certificate is", name, maxPEM)
	}
	return text, info, nil
}

// inTime tells why a certificate cannot be used at now, or returns nil.
func inTime(leaf *x509.Certificate, now time.Time) error {
	switch {
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the certificate expired on %s; renew it and replace both files", leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate is valid from %s only; check the clock, or replace both files", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

func (f *files) challenges(next http.Handler) http.Handler { return next }

func (f *files) run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
