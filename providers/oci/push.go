package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/fairlead/fairlead/reconcile"
)

// push sends to the registry what it does not have.
func (s *Store) push(ctx context.Context, to reference, tag string, a *artifact) (sent bool, err error) {
	size := a.model.size
	for _, blob := range a.model.parts() {
		size += blob.Size
	}
	err = s.remotely(ctx, to, "push to", size, func(ctx context.Context, repo *remote.Repository) error {
		p := &pushing{store: s, repo: repo}
		defer func() { sent = p.sent.Load() }()
		there, err := repo.Manifests().Exists(ctx, a.model.descriptor())
		if err == nil && !there {
			err = p.send(ctx, a.model, "")
		}
		if err == nil {
			err = p.tag(ctx, a.model, tag)
		}
		if err == nil {
			err = p.attach(ctx, a)
		}
		return err
	})
	return sent, err
}

// pushing is one push.
type pushing struct {
	store *Store
	repo  *remote.Repository
	sent  atomic.Bool
}

// send sends an artifact, its manifest last, with a tag unless that is "": a registry
// refuses a manifest whose blobs it does not have.
func (p *pushing) send(ctx context.Context, m *manifest, tag string) error {
	group, blobs := errgroup.WithContext(ctx)
	group.SetLimit(parallelBlobs)
	for _, blob := range distinct(m.parts()) {
		group.Go(func() error { return p.store.again(blobs, func() error { return p.sendBlob(blobs, blob) }) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	raw, err := p.store.readManifest(m.digest)
	if err != nil {
		return err
	}
	p.sent.Store(true)
	if tag == "" {
		tag = m.digest.String()
	}
	return p.repo.Manifests().PushReference(ctx, m.descriptor(), bytes.NewReader(raw), tag)
}

// sendBlob sends a blob, if it is not there. It is verified on the way: the registry
// gets all of it only if it matches.
func (p *pushing) sendBlob(ctx context.Context, blob ocispec.Descriptor) error {
	if there, err := p.repo.Blobs().Exists(ctx, blob); err != nil || there {
		return err
	}
	f, err := p.store.openBlob(blob)
	if err != nil {
		return err
	}
	defer closeQuietly(f)
	p.sent.Store(true)
	// The client closes what can be closed, which here is ours.
	err = p.repo.Blobs().Push(ctx, blob, struct{ io.Reader }{heard(ctx, newVerifying(f, blob))})
	if errors.Is(err, reconcile.ErrTampered) {
		p.store.suspect(blob.Digest)
	}
	return err
}

// tag names the model by its version.
func (p *pushing) tag(ctx context.Context, m *manifest, tag string) error {
	for _, name := range []string{tag, otherTag(tag, m.digest)} {
		found, err := p.repo.Resolve(ctx, name)
		switch {
		case errors.Is(err, errdef.ErrNotFound):
			p.sent.Store(true)
			return p.repo.Tag(ctx, m.descriptor(), name)
		case err != nil || found.Digest == m.digest:
			return err
		}
	}
	return fmt.Errorf("the tags %s and %s name other artifacts already; publish another version", tag, otherTag(tag, m.digest))
}

// attach sends the referrers that the registry does not list. That it has one does
// not do: with a registry that keeps no list itself, another client may have
// overwritten that at the same time.
func (p *pushing) attach(ctx context.Context, a *artifact) error {
	if len(a.referrers) == 0 {
		return nil
	}
	listed := map[digest.Digest]bool{}
	err := p.repo.Referrers(ctx, a.model.descriptor(), "", func(found []ocispec.Descriptor) error {
		for _, d := range found {
			listed[d.Digest] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	lists := p.repo.SetReferrersCapability(true) == nil // by now the client knows
	for _, r := range a.referrers {
		if listed[r.digest] {
			continue
		}
		tag := ""
		if !lists {
			tag = referrerTag(a.model.digest, r.digest)
		}
		if err := p.send(ctx, r, tag); err != nil {
			return err
		}
	}
	return nil
}

// referrerTag is the tag of a referrer where the registry does not list referrers: its
// garbage collection does not know either that something refers to them, and some
// take what has no tag.
func referrerTag(subject, d digest.Digest) string {
	return "sha256-" + subject.Encoded() + "." + d.Encoded()[:12]
}
