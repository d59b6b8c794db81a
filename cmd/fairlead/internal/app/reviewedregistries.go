package app

import (
	"context"
	"fmt"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/update"
	"github.com/fairlead/fairlead/spec"
)

// reviewedRegistries is the runtime of who plans what nobody has reviewed: it asks only
// registries that the reviewed specs use. Else whoever can open a pull request could have
// this host ask any address, with its logins.
type reviewedRegistries struct {
	reconcile.Runtime
	known map[string]bool
}

// reviewed makes the registries of these specs those that may be asked.
func (r *reviewedRegistries) reviewed(cfg *spec.Config) {
	r.known = map[string]bool{"docker.io": true} // which is what a name without a host means, also of an image that is only here
	note := func(ref string) {
		if host, ok := registryOf(ref); ok {
			r.known[host] = true
		}
	}
	for _, m := range cfg.Models {
		note(m.Image)
	}
	for _, p := range cfg.Pipelines {
		for _, s := range p.Steps {
			note(s.Image)
		}
	}
}

func registryOf(ref string) (string, bool) {
	image, err := update.ParseImage(ref)
	if err != nil {
		return "", false
	}
	host, _ := image.Registry()
	return host, true
}

// Resolve implements reconcile.Runtime.
func (r *reviewedRegistries) Resolve(ctx context.Context, ref string) (reconcile.Image, error) {
	if host, ok := registryOf(ref); ok && !r.known[host] {
		return reconcile.Image{}, fmt.Errorf("the registry %s of %s is used by nothing that was reviewed, and is not asked before this is merged", host, ref)
	}
	return r.Runtime.Resolve(ctx, ref)
}
