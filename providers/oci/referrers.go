package oci

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/fairlead/fairlead/reconcile"
)

// Referrers lists what is attached to an artifact: in its registry, or for oci://local
// in this store. A referrer whose document has more than 64 MiB is an error.
func (s *Store) Referrers(ctx context.Context, ref, artifactType string) ([]reconcile.Referrer, error) {
	text, err := s.Resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	r, err := parseRef(ref)
	if err != nil {
		return nil, err
	}
	r = r.withDigest(digest.Digest(text))
	if r.local() {
		return s.localReferrers(ctx, r, artifactType)
	}
	var all []reconcile.Referrer
	err = s.remotely(ctx, r, "list the referrers of", maxAttachment, func(ctx context.Context, repo *remote.Repository) error {
		var listed []ocispec.Descriptor
		err := repo.Referrers(ctx, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: r.digest}, "", func(found []ocispec.Descriptor) error {
			listed = append(listed, found...)
			return nil
		})
		if err != nil {
			return err
		}
		for _, d := range listed {
			found, err := remoteReferrer(ctx, repo, d, artifactType)
			if err != nil {
				return fmt.Errorf("referrer %s: %w", d.Digest, err)
			}
			all = append(all, found...)
		}
		return nil
	})
	return all, err
}

// remoteReferrer reads and verifies the first document of a referrer, if it is of the
// type. The list of a registry is not asked for the type: some put another one there.
func remoteReferrer(ctx context.Context, repo *remote.Repository, d ocispec.Descriptor, artifactType string) ([]reconcile.Referrer, error) {
	if _, err := parseDigest(d.Digest.String()); err != nil {
		return nil, err
	}
	raw, err := getManifest(ctx, repo, d.Digest)
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(d.Digest, raw)
	if err != nil {
		return nil, err
	}
	if artifactType != "" && m.kind() != artifactType {
		return nil, nil
	}
	found, err := m.referrer(func(layer ocispec.Descriptor) ([]byte, error) {
		body, err := repo.Blobs().Fetch(ctx, layer)
		if err != nil {
			return nil, err
		}
		defer func() { _ = body.Close() }() // was only read
		return readAll(newVerifying(heard(ctx, body), layer), layer.Size)
	})
	return []reconcile.Referrer{found}, err
}

// localReferrers reads what index.json lists.
func (s *Store) localReferrers(ctx context.Context, r reference, artifactType string) ([]reconcile.Referrer, error) {
	p, err := s.pin(ctx, r.digest) // what refers to it stays as long as it does
	if err != nil {
		return nil, err
	}
	defer p.release()
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	var all []reconcile.Referrer
	for _, d := range index {
		if d.Annotations[annotationSubject] != r.digest.String() || artifactType != "" && d.ArtifactType != artifactType {
			continue
		}
		m, err := s.manifest(d.Digest)
		if err != nil {
			return nil, fmt.Errorf("referrer of %s: %w", r, err)
		}
		found, err := m.referrer(s.readBlob)
		if err != nil {
			return nil, fmt.Errorf("referrer of %s: %w", r, err)
		}
		all = append(all, found)
	}
	return all, nil
}

// referrer is what the manifest attaches, whose document read reads.
func (m *manifest) referrer(read func(ocispec.Descriptor) ([]byte, error)) (reconcile.Referrer, error) {
	found := reconcile.Referrer{ArtifactType: m.kind(), Digest: m.digest.String()}
	if len(m.Layers) == 0 {
		return found, nil
	}
	layer := m.Layers[0]
	if layer.Size > maxAttachment {
		return found, fmt.Errorf("its document has %d bytes; at most %d are read: %w", layer.Size, maxAttachment, errors.ErrUnsupported)
	}
	var err error
	found.Data, err = read(layer)
	return found, err
}
