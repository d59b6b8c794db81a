package metrics

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/fileutil"
	"github.com/prometheus/prometheus/util/compression"
)

const (
	// blockSpan is how much time one block on disk spans. See "Size" in the
	// package's documentation for why it is short.
	blockSpan = 30 * time.Minute
	// walSegment is small, since the WAL is shortened by whole segments.
	walSegment = 4 << 20
	// stripes of the head's series map; each costs memory whether used or not.
	stripes = 512
	// clockTolerance is how far the clock may go back without a new beginning.
	clockTolerance = time.Minute
)

// errClock says that the newest sample is from the future.
var errClock = errors.New("the clock went back")

// openStore opens the TSDB in the directory, which the caller has locked. A block
// that cannot be read is removed. If the rest cannot be read it is set aside, and
// an empty store takes its place. openStore fails where an empty one would fail as
// well.
func openStore(opts Options) (*tsdb.DB, error) {
	if err := roomIn(opts.Dir); err != nil {
		return nil, err
	}
	if err := removeDamaged(opts); err != nil {
		return nil, err
	}
	db, err := tryOpen(opts)
	if err == nil || ofTheHost(err) {
		return db, err
	}
	aside, asideErr := setAside(opts.Dir)
	if asideErr != nil {
		return nil, errors.Join(err, asideErr)
	}
	opts.Log.Warn("the stored metrics cannot be read; they begin anew, and rollouts gather their evidence again",
		slog.String("err", err.Error()), slog.String("set_aside", aside))
	return tryOpen(opts)
}

// roomIn fails if there is no room for a small file. A TSDB that finds out itself,
// halfway through its start, leaves a goroutine behind each time.
func roomIn(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	probe := filepath.Join(dir, "probe")
	err := os.WriteFile(probe, make([]byte, 256<<10), 0o600)
	if removeErr := os.Remove(probe); err == nil {
		err = removeErr
	}
	return err
}

// removeDamaged removes blocks that cannot be opened, one of which is enough for
// the TSDB to give up. A block is half an hour, or a few hours, of a day.
func removeDamaged(opts Options) error {
	metas, err := filepath.Glob(filepath.Join(opts.Dir, "*", "meta.json"))
	if err != nil {
		return fmt.Errorf("look for blocks: %w", err)
	}
	for _, meta := range metas {
		dir := filepath.Dir(meta)
		block, err := tsdb.OpenBlock(quiet(opts.Log), dir, nil, nil)
		if err == nil {
			err = block.Close()
		}
		if err == nil {
			continue
		}
		if ofTheHost(err) {
			return err
		}
		opts.Log.Warn("a block of the stored metrics cannot be read and is removed", slog.String("block", dir), slog.String("err", err.Error()))
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove a damaged block: %w", err)
		}
	}
	return nil
}

// tryOpen opens the TSDB as it is.
func tryOpen(opts Options) (*tsdb.DB, error) {
	db, err := tsdb.Open(opts.Dir, quiet(opts.Log), nil, storeOptions(opts), nil)
	if err != nil {
		return nil, err
	}
	if ahead := aheadOfClock(db, time.Now()); ahead > clockTolerance {
		err := fmt.Errorf("%w by %s", errClock, ahead.Round(time.Second))
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func storeOptions(opts Options) *tsdb.Options {
	o := tsdb.DefaultOptions()
	o.RetentionDuration = opts.Retention.Milliseconds()
	o.MaxBytes = opts.MaxBytes
	o.MinBlockDuration = blockSpan.Milliseconds()
	// As Prometheus does: a block is dropped as a whole, so none may span more
	// than a tenth of what is kept.
	o.MaxBlockDuration = max(opts.Retention/10, blockSpan).Milliseconds()
	o.WALSegmentSize = walSegment
	o.WALCompression = compression.Snappy
	o.StripeSize = stripes
	o.HeadChunksWriteBufferSize = chunks.MinWriteBufferSize
	o.WALReplayConcurrency = 2
	o.NoLockfile = true // lockStore holds one that stays where it is when the store is set aside
	return o
}

// aheadOfClock is how far the newest sample lies in the future; 0 if it does not.
func aheadOfClock(db *tsdb.DB, now time.Time) time.Duration {
	newest := db.Head().MaxTime()
	if blocks := db.Blocks(); len(blocks) > 0 {
		newest = max(newest, blocks[len(blocks)-1].MaxTime())
	}
	if newest <= now.UnixMilli() { // so is the newest of an empty store, the beginning of time
		return 0
	}
	const most = math.MaxInt64 / int64(time.Millisecond)
	return time.Duration(min(newest-now.UnixMilli(), most)) * time.Millisecond
}

// ofTheHost tells errors that a new store would run into as well.
func ofTheHost(err error) bool {
	for _, cause := range []error{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.ENOTDIR,
		syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM,
	} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

// setAside moves the store out of the way and returns where it went. Only the last
// one is kept: it is for whoever wants to know what happened, not for use.
func setAside(dir string) (string, error) {
	aside := filepath.Clean(dir) + ".broken"
	if err := os.RemoveAll(aside); err != nil {
		return "", fmt.Errorf("make room for the broken store: %w", err)
	}
	if err := os.Rename(dir, aside); err != nil {
		return "", fmt.Errorf("set the broken store aside: %w", err)
	}
	return aside, nil
}

// lockStore takes the lock of a store, which lies beside its directory and ends
// with the process.
func lockStore(dir string) (fileutil.Releaser, error) {
	lock, _, err := fileutil.Flock(filepath.Clean(dir) + ".lock")
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("another process has them open; stop it, or give this one another data directory: %w", err)
	}
	return lock, err
}

func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
