package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"

	"github.com/fairlead/fairlead/reconcile"
)

// Resolve implements reconcile.Runtime.
func (r *Runtime) Resolve(ctx context.Context, ref string) (reconcile.Image, error) {
	if isImageID(ref) {
		return r.resolveID(ctx, ref)
	}
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return reconcile.Image{}, fmt.Errorf("image %q: %w; write NAME:TAG or NAME@sha256:DIGEST", ref, err)
	}
	if digested, ok := named.(reference.Digested); ok {
		return reconcile.Image{Ref: ref, Pin: pin(named, digested.Digest().String())}, nil
	}
	tagged := reference.TagNameOnly(named)
	local, err := r.inspectImage(ctx, reference.FamiliarString(tagged))
	if err != nil && !cerrdefs.IsNotFound(err) {
		return reconcile.Image{}, err
	}
	localPin := ""
	if err == nil {
		localPin = repoDigest(local, named)
		if localPin == "" {
			// It was built or loaded here under this name. Docker runs such an
			// image without asking a registry, and so do we.
			return reconcile.Image{Ref: ref, Pin: local.ID, LocalOnly: true}, nil
		}
	}
	digest, err := r.askRegistry(ctx, tagged)
	switch {
	case err == nil:
		return reconcile.Image{Ref: ref, Pin: pin(named, digest)}, nil
	case localPin != "" && ctx.Err() == nil:
		return reconcile.Image{Ref: ref, Pin: localPin, Note: fmt.Sprintf(
			"the registry could not be asked for %s (%v); the copy on this host was taken, which may be older", ref, err)}, nil
	}
	return reconcile.Image{}, err
}

// resolveID pins an image that the spec names by its id.
func (r *Runtime) resolveID(ctx context.Context, id string) (reconcile.Image, error) {
	local, err := r.inspectImage(ctx, id)
	if cerrdefs.IsNotFound(err) {
		return reconcile.Image{}, fmt.Errorf("%w: no image on this host has the id %s; ids differ between hosts, a digest does not", reconcile.ErrImageNotFound, id)
	}
	if err != nil {
		return reconcile.Image{}, err
	}
	return reconcile.Image{Ref: id, Pin: local.ID, LocalOnly: true}, nil
}

// askRegistry returns the digest of a tag, by way of the engine, which knows its
// mirrors and proxies.
func (r *Runtime) askRegistry(ctx context.Context, tagged reference.Named) (string, error) {
	name := reference.FamiliarString(tagged)
	auth, err := r.credentials(ctx, tagged)
	if err != nil {
		return "", fmt.Errorf("resolve image %s: %w", name, err)
	}
	var answer registry.DistributionInspect
	err = r.call(ctx, "ask the registry for image "+name, registryLimit, func(ctx context.Context) (err error) {
		answer, err = r.connection.client().DistributionInspect(ctx, tagged.String(), auth)
		return err
	})
	switch {
	case cerrdefs.IsNotFound(err):
		return "", fmt.Errorf("%w: neither this host nor the registry has %s; check the name and the tag, or build it here", reconcile.ErrImageNotFound, name)
	case cerrdefs.IsUnauthorized(err), cerrdefs.IsPermissionDenied(err):
		// Registries give the same answer for what does not exist.
		return "", fmt.Errorf("%w: the registry does not show %s to this host; check the name, and log in with docker login %s: %w",
			reconcile.ErrImageNotFound, name, reference.Domain(tagged), err)
	case err != nil && auth == "" && !errors.Is(err, reconcile.ErrUnavailable):
		// Engines do not always tell a missing login from other failures.
		return "", fmt.Errorf("%w; this host has no login for the registry: if it wants one, run docker login %s", err, reference.Domain(tagged))
	case err != nil:
		return "", err
	case answer.Descriptor.Digest.Validate() != nil:
		return "", fmt.Errorf("resolve image %s: the registry's answer has no valid digest", name)
	}
	return answer.Descriptor.Digest.String(), nil
}

// EnsureImage implements reconcile.Runtime.
func (r *Runtime) EnsureImage(ctx context.Context, img reconcile.Image, progress func(reconcile.PullProgress)) error {
	present, err := r.hasImage(ctx, img)
	if err != nil || present {
		return err
	}
	if img.LocalOnly && !img.Self {
		return fmt.Errorf("%w: %s was pinned to %s, which is no longer on this host and is in no registry; build it again",
			reconcile.ErrImageNotFound, img.Ref, img.Pin)
	}
	// Two models of one image must not pull it twice.
	unlock, err := r.busy.lock(ctx, "image "+img.Pin)
	if err != nil {
		return fmt.Errorf("pull image %s: %w", img.Ref, err)
	}
	defer unlock()
	if present, err := r.hasImage(ctx, img); err != nil || present {
		return err
	}
	if img.Self {
		return r.loadSelf(ctx, img)
	}
	if err := r.pull(ctx, img, progress); err != nil {
		return err
	}
	present, err = r.hasImage(ctx, img)
	if err == nil && !present {
		err = fmt.Errorf("pull image %s: the engine has pulled something, but not %s", img.Ref, img.Pin)
	}
	return err
}

// hasImage tells whether the engine has exactly the pinned content.
func (r *Runtime) hasImage(ctx context.Context, img reconcile.Image) (bool, error) {
	_, err := r.inspectImage(ctx, runnable(img))
	if cerrdefs.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

func (r *Runtime) inspectImage(ctx context.Context, name string) (image.InspectResponse, error) {
	var found image.InspectResponse
	err := r.call(ctx, "inspect image "+name, queryLimit, func(ctx context.Context) (err error) {
		found, err = r.connection.client().ImageInspect(ctx, name)
		return err
	})
	if err == nil && found.ID == "" {
		err = errors.New("inspect image " + name + ": the answer has no id")
	}
	return found, err
}

// isImageID tells whether a reference is the id of an image, not a name.
func isImageID(ref string) bool { return strings.HasPrefix(ref, "sha256:") }

// pin names content of a repository. A tag beside the digest says nothing.
func pin(named reference.Named, digest string) string {
	return reference.FamiliarName(named) + "@" + digest
}

// repoDigest returns the pin under which the repository gave the image to this
// host, "" if it did not. Of several the first in order is taken, always the same.
func repoDigest(found image.InspectResponse, named reference.Named) string {
	prefix := reference.FamiliarName(named) + "@"
	for _, digest := range slices.Sorted(slices.Values(found.RepoDigests)) {
		if strings.HasPrefix(digest, prefix) {
			return digest
		}
	}
	return ""
}
