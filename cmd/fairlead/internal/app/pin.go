package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/providers/oci"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/update"
)

// Pinned is what a registry says about the tag of an image.
type Pinned struct {
	Ref string // with the digest; empty: no registry has it
	Why string // it is not known
	// Unasked: the registry could not be asked, so it may have the image.
	Unasked bool
}

// pinParallel is how many registries are asked at one time.
const pinParallel = 4

// PinImages asks registries which digests images mean now. Images that no registry has
// are in the answer, with the reason; the error is about registries that did not tell.
func PinImages(ctx context.Context, c Config, refs []string) (_ map[string]Pinned, err error) {
	place, err := os.MkdirTemp("", "fairlead-pin-") // nothing of the images is kept
	if err != nil {
		return nil, fmt.Errorf("make a place to work in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(place)) }()
	store, err := oci.New(oci.Options{Dir: place, DockerConfig: c.DockerConfig, Insecure: c.InsecureRegistries})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	return pinImages(ctx, store, refs)
}

func pinImages(ctx context.Context, ask registries, refs []string) (map[string]Pinned, error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var errs []error
	pinned := make(map[string]Pinned, len(refs))
	turns := make(chan struct{}, pinParallel)
	for _, ref := range refs {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			p, err := pinImage(ctx, ask, ref)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			pinned[ref] = p
		})
	}
	wg.Wait()
	return pinned, errors.Join(errs...)
}

func pinImage(ctx context.Context, ask registries, ref string) (Pinned, error) {
	image, err := update.ParseImage(ref)
	if err != nil {
		return Pinned{Why: err.Error()}, nil //nolint:nilerr // a name that no registry can know is told as such
	}
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	digest, err := ask.ResolveImage(ctx, ref)
	switch {
	case err == nil:
		return Pinned{Ref: image.With(image.Tag, digest).String()}, nil
	case errors.Is(err, reconcile.ErrImageNotFound):
		return Pinned{Why: err.Error()}, nil
	case maybeLocal(image, err):
		return atHome(err), nil
	default:
		return Pinned{}, err
	}
}

// atHome is what is said of an image that may be on this host only.
func atHome(err error) Pinned {
	if errors.Is(err, reconcile.ErrUnavailable) {
		return Pinned{Unasked: true, Why: fmt.Sprintf("a name without a registry means Docker Hub, which cannot be asked now, so whether it has the image is not known: %v", err)}
	}
	return Pinned{Why: fmt.Sprintf("a name without a registry means Docker Hub, which does not give it; an image that is on this host only has no digest to be pinned to, so push it to a registry and name that: %v", err)}
}

// maybeLocal tells whether an image is perhaps on this host only. One that was built here
// has a name without a registry, which stands for Docker Hub; that refuses whoever asks
// for what is not there, and where there is no way to it, only a name with a directory
// means it for sure.
func maybeLocal(image update.Image, err error) bool {
	host, _ := image.Registry()
	return host == "docker.io" && (!errors.Is(err, reconcile.ErrUnavailable) || !strings.Contains(image.Name, "/"))
}
