package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Options configure a Source.
type Options struct {
	Dir    string
	Limits reconcile.TreeLimits // zero fields take their defaults
	// Timeout ends one Latest, which may hang on a network file system;
	// zero: 60 s.
	Timeout time.Duration
}

// Source reads a directory. It implements reconcile.Source.
type Source struct {
	dir     string
	limits  reconcile.TreeLimits
	timeout time.Duration

	turn chan struct{} // holds one token: whoever has it reads the directory
	seen map[string]seenFile
}

var _ reconcile.Source = (*Source)(nil)

// New returns the source of a directory that exists.
func New(o Options) (*Source, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the directory %s: %w", o.Dir, err)
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no directory %s: %w; check the path", dir, err)
	case err != nil:
		return nil, fmt.Errorf("find the directory %s: %w", dir, err)
	case !info.IsDir():
		return nil, fmt.Errorf("%s is not a directory; name the directory that holds the .hcl files", dir)
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	s := &Source{dir: dir, limits: o.Limits.WithDefaults(), timeout: o.Timeout, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s, nil
}

// Latest implements reconcile.Source.
func (s *Source) Latest(ctx context.Context) (reconcile.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	select {
	case <-s.turn:
	case <-ctx.Done():
		return reconcile.Snapshot{}, fmt.Errorf("read the directory %s: another read of it hangs: %w", s.dir, context.Cause(ctx))
	}
	type result struct {
		snapshot reconcile.Snapshot
		err      error
	}
	done := make(chan result, 1)
	go func() {
		// A system call that hangs cannot be cancelled. It keeps its turn, so
		// that reads of a dead file system do not pile up.
		defer func() { s.turn <- struct{}{} }()
		snapshot, err := s.read(ctx)
		done <- result{snapshot, err}
	}()
	select {
	case r := <-done:
		return r.snapshot, r.err
	case <-ctx.Done():
		return reconcile.Snapshot{}, fmt.Errorf("read the directory %s: %w; is its file system reachable?", s.dir, context.Cause(ctx))
	}
}

// read walks the whole directory. Its caller has the turn.
func (s *Source) read(ctx context.Context) (reconcile.Snapshot, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return reconcile.Snapshot{}, fmt.Errorf("open the directory %s: %w", s.dir, err)
	}
	defer func() { _ = root.Close() }() // read only
	w := &walk{ctx: ctx, root: root, limits: s.limits, seen: s.seen, now: time.Now(), next: make(map[string]seenFile, len(s.seen))}
	w.dir(".", "", 0)
	if len(w.refused) > 0 {
		return reconcile.Snapshot{}, fmt.Errorf("the directory %s cannot be taken as it is: %w", s.dir, errors.Join(w.refused...))
	}
	s.seen = w.next
	return reconcile.Snapshot{Tree: spec.NewTree(spec.Commit{}, w.files)}, nil
}
