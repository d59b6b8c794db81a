package registry

import (
	"strings"

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
	for _, r := range records {
		for _, held := range releases(&r) {
			add(held.release.Inputs.Artifact)
		}
	}
	return keep
}

// digestOf is the digest of a reference, or "".
func digestOf(ref string) string {
	_, digest, _ := strings.Cut(ref, "@")
	return digest
}
