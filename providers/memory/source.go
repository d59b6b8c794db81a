package memory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Source is a config repo in memory. It also remembers the last good revision,
// so it stands for both ports: reconcile.Source and reconcile.Snapshots.
type Source struct {
	mu     sync.Mutex
	latest *reconcile.Snapshot
	kept   *reconcile.Snapshot
	err    error
	hints  chan struct{}
}

var (
	_ reconcile.Source    = (*Source)(nil)
	_ reconcile.Snapshots = (*Source)(nil)
)

// NewSource returns a source without a revision: Latest fails until Set.
func NewSource() *Source { return &Source{hints: make(chan struct{}, 1)} }

// Set makes these files, by path, the newest revision. Notes come with it.
func (s *Source) Set(commit spec.Commit, files map[string]string, notes ...string) {
	contents := make([]spec.Content, 0, len(files))
	for _, path := range slices.Sorted(maps.Keys(files)) {
		data := []byte(files[path])
		sum := sha256.Sum256(data)
		file := spec.File{Path: path, Hash: hex.EncodeToString(sum[:]), Size: int64(len(data))}
		contents = append(contents, spec.Content{File: file, Data: data})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = &reconcile.Snapshot{Tree: spec.NewTree(commit, contents), Notes: notes}
	s.hint()
}

// Fail lets Latest fail with err until Fail(nil). What is kept stays.
func (s *Source) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Hints wake on every Set, like the notifications of a real source.
func (s *Source) Hints() reconcile.Hints { return s.hints }

// hint never blocks. Its caller holds the lock.
func (s *Source) hint() {
	select {
	case s.hints <- struct{}{}:
	default:
	}
}

// Latest implements reconcile.Source.
func (s *Source) Latest(ctx context.Context) (reconcile.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return reconcile.Snapshot{}, ctx.Err()
	case s.err != nil:
		return reconcile.Snapshot{}, s.err
	case s.latest == nil:
		return reconcile.Snapshot{}, fmt.Errorf("the source in memory has no revision yet: %w", fs.ErrNotExist)
	}
	return *s.latest, nil
}

// LastGood implements reconcile.Snapshots.
func (s *Source) LastGood(ctx context.Context) (reconcile.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return reconcile.Snapshot{}, ctx.Err()
	case s.kept == nil:
		return reconcile.Snapshot{}, fmt.Errorf("no good revision has been kept yet: %w", fs.ErrNotExist)
	}
	return *s.kept, nil
}

// Keep implements reconcile.Snapshots.
func (s *Source) Keep(ctx context.Context, snapshot reconcile.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.kept = &snapshot
	return nil
}
