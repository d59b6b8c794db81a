// Package registry answers questions about the versions of models. The registry is the
// config repo: a version is a block in it, spec.Version. It is pure.
package registry

import (
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// Keep are the digests of the artifacts that must stay: of every version, of what
// models declare, and of every release that the journal knows as stable, previous,
// candidate or rejected.
func Keep(cfg *spec.Config, records map[string]journal.Record) map[string]bool {
	keep := map[string]bool{}
	add := func(digest string) {
		if digest != "" {
			keep[digest] = true
		}
	}
	for _, v := range cfg.Versions {
		add(v.Content)
		add(v.Profile)
		add(digestOf(v.Artifact))
	}
	for _, m := range cfg.Models {
		if m.Artifact != nil {
			add(m.Artifact.Digest)
		}
	}
	release := func(r *journal.Release) {
		if r != nil {
			add(r.Inputs.Artifact)
		}
	}
	for _, r := range records {
		release(r.Stable)
		if r.Previous != nil {
			release(&r.Previous.Release)
		}
		if r.Rollout != nil {
			release(&r.Rollout.Candidate)
		}
		for i := range r.Rejected {
			release(&r.Rejected[i].Release)
		}
	}
	return keep
}

func digestOf(ref string) string {
	for i := len(ref) - 1; i >= 0; i-- {
		if ref[i] == '@' {
			return ref[i+1:]
		}
	}
	return ""
}
