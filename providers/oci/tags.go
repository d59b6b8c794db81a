package oci

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/update"
)

// The bounds of a list of tags. The smallest pages of common registries have 50.
const (
	maxTags     = 10_000
	maxTagPages = 250
)

// tagForm is what a tag can be. Others cannot be written into a spec.
var tagForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

var errManyTags = fmt.Errorf("it has more than %d tags; follow one tag instead of a range of them", maxTags)

// Tags lists the tags of a container image, in the order of its registry. The tag and
// the digest of the reference mean nothing; a name without a registry is on Docker
// Hub. The error wraps reconcile.ErrImageNotFound where there is no such image, and
// reconcile.ErrUnavailable where it may pass by itself; if the registry said when to
// come back it is a *reconcile.RetryError.
func (s *Store) Tags(ctx context.Context, ref string) ([]string, error) {
	image, err := update.ParseImage(ref)
	if err != nil {
		return nil, err
	}
	var tags []string
	err = s.ask(ctx, inRegistry(image), 0, func(ctx context.Context, repo *remote.Repository) error {
		repo.TagListMaxPages = maxTagPages
		err := repo.Tags(ctx, "", func(page []string) error {
			for _, tag := range page {
				if tagForm.MatchString(tag) {
					tags = append(tags, tag)
				}
			}
			if len(tags) > maxTags {
				return errManyTags
			}
			return nil
		})
		if errors.Is(err, errdef.ErrTooManyPages) {
			return errManyTags
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the tags of image %s: %w", image.Name, notFound(err))
	}
	return tags, nil
}

// ResolveImage asks the registry for the digest that a reference to a container image
// means now, as `docker pull` would print it: of the index, where the image is one for
// several platforms. Without a tag it is latest; a digest is the answer itself. Errors
// are as of Tags.
func (s *Store) ResolveImage(ctx context.Context, ref string) (string, error) {
	image, err := update.ParseImage(ref)
	if err != nil {
		return "", err
	}
	if image.Digest != "" {
		return image.Digest, nil
	}
	if image.Tag == "" {
		image.Tag = "latest"
	}
	var found ocispec.Descriptor
	err = s.ask(ctx, inRegistry(image), 0, func(ctx context.Context, repo *remote.Repository) error {
		found, err = repo.Resolve(ctx, image.Tag)
		return err
	})
	if err == nil {
		_, err = parseDigest(found.Digest.String())
	}
	if err != nil {
		return "", fmt.Errorf("resolve image %s: %w", image, notFound(err))
	}
	return found.Digest.String(), nil
}

func inRegistry(image update.Image) reference {
	host, repository := image.Registry()
	return reference{host: host, repository: repository, tag: image.Tag}
}

// notFound says it of an image what explain says of an artifact.
func notFound(err error) error {
	if errors.Is(err, reconcile.ErrNoContent) {
		return fmt.Errorf("%w: its registry has none of that name (404); check the name and the tag, and that this user may read it", reconcile.ErrImageNotFound)
	}
	return err
}
