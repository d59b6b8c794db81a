package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/fairlead/fairlead/reconcile"
)

// Options say where a Store keeps what it has, and how it speaks to registries.
type Options struct {
	// Dir is the directory of the store, made if it is not there. Nobody but the
	// daemon's user can enter it. It must be on one file system that knows hard links
	// for checkouts to cost no space.
	Dir string
	// DockerConfig is the directory of the config.json with the credentials of
	// registries, or the credential helpers that have them. "": DOCKER_CONFIG, else
	// ~/.docker.
	DockerConfig string
	// Insecure are registries, HOST or HOST:PORT, that are spoken to without TLS. So
	// are localhost, 127.0.0.1 and [::1].
	Insecure []string
	// Timeout is the longest silence of a registry; 0: one minute.
	Timeout time.Duration
	// MaxSize is how many bytes the archives of one artifact may unpack to; 0: 256 GiB.
	MaxSize int64
	// Transport replaces the one to registries, for tests; nil: the system's own.
	Transport http.RoundTripper
}

// The defaults of Options.
const (
	defaultTimeout = time.Minute
	defaultMaxSize = 256 << 30
)

// Store implements reconcile.Artifacts. Any number of them, in any number of
// processes of one user, may share a directory.
type Store struct {
	options Options
	dir     string

	layout, blobs, roots, work, checkouts, tampered string

	client    *auth.Client
	transport http.RoundTripper

	mu       sync.Mutex
	verified map[digest.Digest]listing // checkouts that this process compared in full
}

var _ reconcile.Artifacts = (*Store)(nil)

// New opens the store, and makes what is missing of it.
func New(options Options) (*Store, error) {
	dir, err := filepath.Abs(options.Dir)
	if err != nil || options.Dir == "" {
		return nil, errors.Join(errors.New("the artifact store needs a directory"), err)
	}
	if options.Timeout <= 0 {
		options.Timeout = defaultTimeout
	}
	if options.MaxSize <= 0 {
		options.MaxSize = defaultMaxSize
	}
	layout := filepath.Join(dir, "layout")
	s := &Store{
		options: options, dir: dir, layout: layout, blobs: filepath.Join(layout, "blobs", "sha256"),
		roots: filepath.Join(dir, "roots"), work: filepath.Join(dir, "work"),
		checkouts: filepath.Join(dir, "checkout"), tampered: filepath.Join(dir, "tampered"),
		verified: map[digest.Digest]listing{},
	}
	for _, d := range []string{s.blobs, s.roots, s.work, s.checkouts, s.tampered} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("make the artifact store: %w", explainDisk(err))
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("close the artifact store to others: %w", explainDisk(err))
	}
	s.connect()
	if err := s.openLayout(); err != nil {
		return nil, fmt.Errorf("make the artifact store: %w", err)
	}
	return s, nil
}

// Close ends idle connections to registries. What is under way goes on.
func (s *Store) Close() {
	if t, ok := s.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Lookup describes an artifact of the store.
func (s *Store) Lookup(ctx context.Context, text string) (reconcile.Content, error) {
	d, err := parseDigest(text)
	if err != nil {
		return reconcile.Content{}, err
	}
	p, m, err := s.hold(ctx, d)
	if err != nil {
		return reconcile.Content{}, err
	}
	defer p.release()
	if err := s.complete(ctx, m); err != nil {
		return reconcile.Content{}, err
	}
	return s.describe(ctx, p, m)
}

// hold pins an artifact and reads its manifest.
func (s *Store) hold(ctx context.Context, d digest.Digest) (*pin, *manifest, error) {
	p, err := s.pin(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	m, err := s.manifest(d)
	if err != nil {
		p.release()
		return nil, nil, err
	}
	return p, m, nil
}

// complete tells whether all parts of the artifact are there. The error of a part
// that is not wraps reconcile.ErrNoContent, or reconcile.ErrTampered.
func (s *Store) complete(ctx context.Context, m *manifest) error {
	for _, blob := range m.parts() {
		if err := s.intact(ctx, blob); err != nil {
			return fmt.Errorf("%s is not complete: %w", m.digest, err)
		}
	}
	return nil
}

// describe counts the files of the artifact.
func (s *Store) describe(ctx context.Context, p *pin, m *manifest) (reconcile.Content, error) {
	sum, known := p.summary()
	if !known {
		err := s.walk(ctx, m, func(f file) error {
			sum.Files++
			sum.Size += f.size
			return nil
		})
		if err != nil {
			return reconcile.Content{}, err
		}
		p.keep(sum)
	}
	return reconcile.Content{Digest: m.digest.String(), Files: sum.Files, Size: sum.Size}, nil
}

// manifest reads and verifies the manifest of an artifact.
func (s *Store) manifest(d digest.Digest) (*manifest, error) {
	raw, err := s.readManifest(d)
	if err != nil {
		return nil, err
	}
	return parseManifest(d, raw)
}

// readManifest returns the bytes of a manifest, whose size is not known beforehand.
func (s *Store) readManifest(d digest.Digest) ([]byte, error) {
	info, err := os.Lstat(s.blobPath(d))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s is not in the artifact store %s: %w", d, s.dir, reconcile.ErrNoContent)
	case err != nil:
		return nil, explainDisk(err)
	case info.Size() > maxManifest:
		return nil, fmt.Errorf("%s has %d bytes; a manifest has at most %d: %w", d, info.Size(), maxManifest, errNoManifest)
	}
	return s.readBlob(ocispec.Descriptor{Digest: d, Size: info.Size()})
}

// readBlob returns the verified bytes of a small blob.
func (s *Store) readBlob(blob ocispec.Descriptor) ([]byte, error) {
	f, err := s.openBlob(blob)
	if err != nil {
		return nil, err
	}
	defer closeQuietly(f)
	raw, err := readAll(newVerifying(f, blob), blob.Size)
	if errors.Is(err, reconcile.ErrTampered) {
		s.suspect(blob.Digest)
	}
	return raw, err
}
