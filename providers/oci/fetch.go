package oci

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/fairlead/fairlead/reconcile"
)

// Resolve asks what the reference means now.
func (s *Store) Resolve(ctx context.Context, ref string) (string, error) {
	r, err := parseRef(ref)
	switch {
	case err != nil:
		return "", err
	case r.digest != "":
		return r.digest.String(), nil
	case r.tag == "":
		return "", badRef(ref, errors.New("it has neither a tag nor a digest"))
	case r.local():
		return s.resolveLocal(r)
	}
	var found ocispec.Descriptor
	err = s.remotely(ctx, r, "resolve", 0, func(ctx context.Context, repo *remote.Repository) error {
		found, err = repo.Resolve(ctx, r.tag)
		return err
	})
	if err != nil {
		return "", err
	}
	if _, err := parseDigest(found.Digest.String()); err != nil {
		return "", fmt.Errorf("resolve %s: %w", r, err)
	}
	return found.Digest.String(), nil
}

func (s *Store) resolveLocal(r reference) (string, error) {
	index, err := s.index()
	if err != nil {
		return "", err
	}
	d := tagged(index, r.repository+":"+r.tag)
	if d == "" {
		return "", fmt.Errorf("%s is not in the artifact store %s: %w", r, s.dir, reconcile.ErrNoContent)
	}
	return d.String(), nil
}

// Fetch makes the artifact of a registry available in the store. What is there
// already is not asked for; what is there and does not match is replaced.
func (s *Store) Fetch(ctx context.Context, ref string) (reconcile.Content, error) {
	r, err := parseRef(ref)
	if err != nil {
		return reconcile.Content{}, err
	}
	if r.digest == "" {
		return reconcile.Content{}, badRef(ref, errors.New("it has no digest, without which nobody can tell what it is"))
	}
	content, err := s.Lookup(ctx, r.digest.String())
	missing := errors.Is(err, reconcile.ErrNoContent) || errors.Is(err, reconcile.ErrTampered)
	switch {
	case err == nil || !missing:
		return content, err
	case r.local():
		return reconcile.Content{}, fmt.Errorf("fetch %s: %w; it is in the store of the host that made it only: publish it to a registry to have it on others, or run its pipeline here", r, err)
	}
	for n := 1; ; n++ {
		content, err = s.pull(ctx, r)
		if n == transfers || !errors.Is(err, errLost) {
			return content, err
		}
	}
}

// pull brings an artifact from its registry. Nothing of it is visible before all of
// it is there and verified.
func (s *Store) pull(ctx context.Context, r reference) (reconcile.Content, error) {
	in, err := s.begin(ctx)
	if err != nil {
		return reconcile.Content{}, err
	}
	defer in.close()
	var raw []byte
	err = s.remotely(ctx, r, "fetch", maxManifest, func(ctx context.Context, repo *remote.Repository) error {
		return s.again(ctx, func() (err error) {
			raw, err = getManifest(ctx, repo, r.digest)
			return err
		})
	})
	if err != nil {
		return reconcile.Content{}, err
	}
	m, err := parseManifest(r.digest, raw)
	if err != nil {
		return reconcile.Content{}, fmt.Errorf("fetch %s: %w", r, err)
	}
	size, err := s.acceptable(m)
	if err != nil {
		return reconcile.Content{}, fmt.Errorf("fetch %s: %w", r, err)
	}
	err = s.remotely(ctx, r, "fetch", size, func(ctx context.Context, repo *remote.Repository) error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(parallelBlobs)
		for _, blob := range distinct(m.parts()) {
			group.Go(func() error { return s.again(ctx, func() error { return in.get(ctx, repo, blob) }) })
		}
		return group.Wait()
	})
	if err != nil {
		return reconcile.Content{}, err
	}
	root, err := in.writeBytes(ctx, ocispec.MediaTypeImageManifest, raw)
	if err != nil {
		return reconcile.Content{}, err
	}
	p, err := in.commit(ctx, root, m.parts(), nil)
	if err != nil {
		return reconcile.Content{}, err
	}
	defer p.release()
	return s.describe(ctx, p, m)
}

// getManifest reads and verifies a manifest.
func getManifest(ctx context.Context, repo *remote.Repository, d digest.Digest) ([]byte, error) {
	found, body, err := repo.Manifests().FetchReference(ctx, d.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // was only read
	if found.Size > maxManifest {
		return nil, fmt.Errorf("the manifest has %d bytes; at most %d are allowed: %w", found.Size, maxManifest, errNoManifest)
	}
	return readAll(newVerifying(heard(ctx, body), ocispec.Descriptor{Digest: d, Size: found.Size}), found.Size)
}

// acceptable tells how many bytes the artifact has, if it can be unpacked.
func (s *Store) acceptable(m *manifest) (size int64, err error) {
	for _, layer := range m.Layers {
		if _, err := m.packing(layer); err != nil {
			return 0, err
		}
	}
	for _, blob := range m.parts() {
		if size += blob.Size; size > s.options.MaxSize || size < 0 {
			return 0, fmt.Errorf("it has more than %d bytes: %w", s.options.MaxSize, reconcile.ErrNotStorable)
		}
	}
	return size, nil
}

// distinct leaves out blobs that are there twice.
func distinct(blobs []ocispec.Descriptor) []ocispec.Descriptor {
	seen := map[digest.Digest]bool{}
	var all []ocispec.Descriptor
	for _, blob := range blobs {
		if !seen[blob.Digest] {
			seen[blob.Digest] = true
			all = append(all, blob)
		}
	}
	return all
}

// get brings a blob from a registry, if it is not here.
func (in *ingest) get(ctx context.Context, repo *remote.Repository, blob ocispec.Descriptor) error {
	if in.has(ctx, blob) {
		return nil
	}
	body, err := repo.Blobs().Fetch(ctx, blob)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // was only read
	_, err = in.write(ctx, blob.MediaType, func(w io.Writer) error {
		n, err := copyBytes(ctx, w, newVerifying(heard(ctx, body), blob))
		if err == nil && n != blob.Size {
			return fmt.Errorf("blob %s ends after %d of %d bytes: %w", blob.Digest, n, blob.Size, reconcile.ErrTampered)
		}
		return err
	})
	return err
}
