package reconcile

import (
	"context"

	"github.com/fairlead/fairlead/spec"
)

// Source is where desired state comes from: a Git repository or a plain
// directory.
//
// Implementations are safe for concurrent use; they serialise what must not
// overlap. Every call ends by itself in bounded time, also with a context that
// has no deadline.
type Source interface {
	// Latest fetches and returns the newest revision that may be acted on: its
	// commit, its tree and every file below the path are known to resolve. The
	// Tree holds their content: it stays readable whatever becomes of the
	// repository it came from.
	//
	// On any error the caller keeps the revision that it has: an error says
	// nothing about what should run. The error is for people: what was tried,
	// where, why it failed, what to do. It never holds a credential.
	//
	// Calling Latest again without a change is cheap and returns an equal
	// Commit.
	Latest(ctx context.Context) (Snapshot, error)
}

// Snapshots remembers the last good revision across restarts, apart from any
// Source, so that neither an outage of the remote nor a lost clone changes what
// runs.
type Snapshots interface {
	// LastGood returns the newest Snapshot that Keep has stored, without any
	// network. The error wraps fs.ErrNotExist if there is none yet.
	LastGood(ctx context.Context) (Snapshot, error)
	// Keep stores the snapshot as the last good one: durable and atomic, so
	// that a crash or a full disk leaves the old or the new one, never a
	// mixture. Keeping what is kept already costs next to nothing.
	Keep(ctx context.Context, s Snapshot) error
}

// Snapshot is one accepted revision of the config repo.
type Snapshot struct {
	Tree spec.Tree
	// Notes are what an operator should know about how this revision came, for
	// example "history of main was rewritten: 51ab9d2 is no ancestor of 8c1f2e0".
	Notes []string
	// Behind are the includes whose newest commit is not part of the revision: it was
	// refused, or does not load. The rest is followed without it.
	Behind []string
}

// TreeLimits bound what one revision of a config repo may hold. A source that
// meets more refuses the revision and says which path was too much.
type TreeLimits struct {
	Files     int   // files below the path
	FileSize  int64 // bytes of one file
	TotalSize int64 // bytes of all files together
	Depth     int   // nested directories
}

// WithDefaults fills in the limits that are zero. They are far above any real
// config repo: 10,000 models are about 10 MB.
func (l TreeLimits) WithDefaults() TreeLimits {
	if l.Files == 0 {
		l.Files = 50_000
	}
	if l.FileSize == 0 {
		l.FileSize = 8 << 20
	}
	if l.TotalSize == 0 {
		l.TotalSize = 64 << 20
	}
	if l.Depth == 0 {
		l.Depth = 32
	}
	return l
}

// Hints wake the reconciler. A hint carries no content: missing all of them
// costs latency, never correctness. Sends never block, so a provider offers a
// channel of capacity one.
type Hints <-chan struct{}
