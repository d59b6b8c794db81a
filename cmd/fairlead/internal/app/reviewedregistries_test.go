package app

import (
	"context"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// askedEngine notes which images it was asked for.
type askedEngine struct {
	reconcile.Runtime
	asked []string
}

func (e *askedEngine) Resolve(_ context.Context, ref string) (reconcile.Image, error) {
	e.asked = append(e.asked, ref)
	return reconcile.Image{Ref: ref}, nil
}

func TestOnlyReviewedRegistriesAreAskedForAPlan(t *testing.T) {
	engine := &askedEngine{}
	r := &reviewedRegistries{Runtime: engine}
	r.reviewed(&spec.Config{
		Models:    []*spec.Model{{Image: "registry.test:5000/digits:1"}},
		Pipelines: []*spec.Pipeline{{Steps: []*spec.Step{{Image: "ghcr.io/acme/train@sha256:" + strings.Repeat("a", 64)}}}},
	})
	for ref, want := range map[string]bool{
		"registry.test:5000/other:2": true, "ghcr.io/acme/train:2": true, "digits:1.0.0": true,
		"169.254.169.254/latest:1": false, "registry.test/digits:1": false, "localhost:2375/x:1": false,
	} {
		before := len(engine.asked)
		_, err := r.Resolve(t.Context(), ref)
		if asked := len(engine.asked) > before; asked != want || (err == nil) != want {
			t.Errorf("%s: asked %v, %v; want %v", ref, asked, err, want)
		}
	}
}
