package reconcile

import (
	"context"

	"github.com/fairlead/fairlead/spec"
)

// Secrets resolves secret values on the daemon's host.
type Secrets interface {
	// Resolve returns the values of all the given secrets, by name. It is all or
	// nothing: the error names every secret that could not be resolved, where it
	// is declared, why, and what to do, and never holds any part of a value.
	Resolve(ctx context.Context, secrets []*spec.Secret) (map[string]spec.Sensitive, error)
}

// Store keeps the little that the daemon must remember between two starts and
// that is not in Git: which digest a tag had at a commit, keys. Values are small
// JSON documents.
type Store interface {
	// Load returns the value of key; the error wraps fs.ErrNotExist if there is
	// none.
	Load(ctx context.Context, key string) ([]byte, error)
	// Save replaces the value of key, durably and atomically, mode 0600.
	Save(ctx context.Context, key string, value []byte) error
}
