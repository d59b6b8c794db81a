package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/fairlead/fairlead/reconcile"
)

// pin holds an artifact that is being read: Collect leaves it alone.
type pin struct{ file *os.File }

func (p *pin) release() { closeQuietly(p.file) }

// pin marks the artifact as used now and holds it. The error wraps
// reconcile.ErrNoContent if its manifest is not in the store.
func (s *Store) pin(ctx context.Context, d digest.Digest) (*pin, error) {
	unlock, err := s.share(ctx) // nothing is collected between the two steps
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := os.Lstat(s.blobPath(d)); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s is not in the artifact store %s: %w", d, s.dir, reconcile.ErrNoContent)
		}
		return nil, explainDisk(err)
	}
	return s.holdRoot(d)
}

// holdRoot is pin where the store's lock is held.
func (s *Store) holdRoot(d digest.Digest) (*pin, error) {
	f, err := s.openRoot(d)
	if err != nil {
		return nil, err
	}
	locked, err := tryLock(f, syscall.LOCK_SH)
	if err == nil && !locked {
		err = errors.New("somebody else than fairlead locked it")
	}
	if err != nil {
		closeQuietly(f)
		return nil, fmt.Errorf("hold %s: %w", f.Name(), err)
	}
	return &pin{file: f}, nil
}

// openRoot opens the file of the root with its time set to now.
func (s *Store) openRoot(d digest.Digest) (*os.File, error) {
	path := filepath.Join(s.roots, d.Encoded())
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("note the use of %s: %w", d, explainDisk(err))
	}
	now := time.Now()
	if err := os.Chtimes(path, now, now); err != nil {
		closeQuietly(f)
		return nil, fmt.Errorf("note the use of %s: %w", d, explainDisk(err))
	}
	return f, nil
}

// summary is what counting the files of an artifact has given. It is kept with the
// root, since an archive must be read to its end for it.
type summary struct {
	Files int   `json:"files"`
	Size  int64 `json:"size"`
}

// summary returns what is kept of the artifact. A summary that is only half there is
// none.
func (p *pin) summary() (summary, bool) {
	var sum summary
	raw, err := io.ReadAll(io.NewSectionReader(p.file, 0, 1<<10))
	if err != nil || json.Unmarshal(raw, &sum) != nil {
		return summary{}, false
	}
	return sum, true
}

// keep writes the summary. All who write it for a root write the same bytes; one that
// is not written is only counted again.
func (p *pin) keep(sum summary) {
	if raw, err := json.Marshal(sum); err == nil {
		_, _ = p.file.WriteAt(raw, 0)
		now := time.Now()
		_ = os.Chtimes(p.file.Name(), now, now)
	}
}
