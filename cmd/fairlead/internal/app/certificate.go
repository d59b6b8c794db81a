package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// certificateInterval is how often the operator's files are looked at.
const certificateInterval = 10 * time.Second

// shownTLS is what the gateway is started with: copies of the operator's files.
// The gateway does not run as root and could not read a private key that only
// root may; and a renewal often replaces a link to another directory.
func (c *Config) shownTLS() reconcile.GatewayTLS {
	tls := c.GatewayTLS
	if tls.CertFile != "" {
		dir := filepath.Join(c.Data, "gateway-tls") // nobody else gets into the data directory
		tls.CertFile, tls.KeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	}
	return tls
}

// openCertificate copies the gateway's certificate, and again whenever it
// changes, until the site is closed.
func (s *Site) openCertificate(ctx context.Context, log *slog.Logger) error {
	c := &s.Config
	if c.GatewayTLS.CertFile == "" {
		return nil
	}
	if err := c.copyCertificate(); err != nil {
		return fmt.Errorf("copy the gateway's certificate: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(certificateInterval)
		defer tick.Stop()
		for said := ""; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			err := c.copyCertificate()
			if err == nil {
				said = ""
			} else if said != err.Error() {
				said = err.Error()
				log.Warn("the gateway's certificate cannot be read; it shows the one that it has", "error", err)
			}
		}
	})
	s.close = append(s.close, func() error {
		cancel()
		wg.Wait()
		return nil
	})
	return nil
}

// copyCertificate copies what changed. The key comes last: the gateway takes a
// pair only when it fits.
func (c *Config) copyCertificate() error {
	shown := c.shownTLS()
	dir := filepath.Dir(shown.CertFile)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, file := range [][2]string{{c.GatewayTLS.CertFile, shown.CertFile}, {c.GatewayTLS.KeyFile, shown.KeyFile}} {
		if err := replace(file[0], file[1]); err != nil {
			return err
		}
	}
	return nil
}

// replace makes to what from is, in one step, unless it is that already.
func replace(from, to string) error {
	want, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	have, err := os.ReadFile(to)
	if err == nil && bytes.Equal(have, want) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(to), ".new-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(want)
	err = errors.Join(err, temp.Chmod(0o444), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), to)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
	}
	return err
}
