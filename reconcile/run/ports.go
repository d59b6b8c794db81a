package run

import (
	"context"
	"errors"
	"io"
	"time"
)

// Store keeps runs and the cache on the daemon's host. Losing it costs time, and
// the logs, never a version: what was published is in Git. All calls are safe for
// concurrent use.
type Store interface {
	// Save stores a run whole, durable and atomic.
	Save(ctx context.Context, r *Run) error
	// Load returns a run; the error wraps ErrNoRun if there is none.
	Load(ctx context.Context, id string) (*Run, error)
	// List returns the runs of a pipeline, or of all for "", newest first. What
	// does not read is passed over, and named in the error beside the others.
	List(ctx context.Context, pipeline string) ([]Summary, error)
	// Delete removes a run with its logs.
	Delete(ctx context.Context, id string) error

	// Result returns what the cache has for a key; the error wraps ErrNoResult if
	// that is nothing, or is damaged.
	Result(ctx context.Context, key string) (*Result, error)
	// Remember stores a result under its key. One that is there is replaced.
	Remember(ctx context.Context, r Result) error
	// Forget removes results that were made, and last taken, before the time; what
	// is left is returned, so that nothing of it is collected.
	Forget(ctx context.Context, before time.Time) ([]Result, error)

	// CreateLog begins the log of an attempt anew. What is written beyond max bytes
	// is dropped, and a last line says how much that was.
	CreateLog(ctx context.Context, run, node string, attempt int, max int64) (io.WriteCloser, error)
	// OpenLog reads the log of an attempt; with follow it goes on until the log is
	// closed or ctx ends. The error wraps ErrNoLog if there is none.
	OpenLog(ctx context.Context, run, node string, attempt int, follow bool) (io.ReadCloser, error)

	// Work returns the directory that an attempt writes its outputs into, made if
	// absent: it is of this host, the engine can mount it, and any user may write to
	// it. The outputs in it are made, too.
	Work(ctx context.Context, run, node string, attempt int, outputs []string) (out string, err error)
	// RemoveWork removes that directory with all that is in it.
	RemoveWork(ctx context.Context, run, node string, attempt int) error
}

// Errors of a Store that a caller decides by.
var (
	ErrNoRun    = errors.New("no such run")
	ErrNoResult = errors.New("no such result")
	ErrNoLog    = errors.New("no such log")
)

// Lineage is told what runs did, in the words of OpenLineage.
type Lineage interface {
	// Emit sends an event. It returns at once: what cannot be sent now is tried again
	// for a while, and given up then.
	Emit(ctx context.Context, e Event)
}

// Event is one moment of a run, or of one of its steps.
type Event struct {
	Kind EventKind
	At   time.Time
	Run  *Run  // as it is at that moment; not to be changed
	Node *Node // nil: the run as a whole
}

// EventKind is what happened.
type EventKind string

// The kinds of event, as OpenLineage has them. A run or step has one EventStart and
// one of the others.
const (
	EventStart    EventKind = "START"
	EventComplete EventKind = "COMPLETE"
	EventFail     EventKind = "FAIL"
	EventAbort    EventKind = "ABORT" // cancelled
)
