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

// openStore opens the TSDB in dir. One that cannot be read is set aside, and an
// empty one takes its place. It fails where a new one would fail as well.
func openStore(opts Options) (*tsdb.DB, error) {
	db, err := tryOpen(opts)
	if err == nil || errors.Is(err, syscall.EWOULDBLOCK) || ofTheHost(err) {
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

// explainOpen says what to do about an error of openStore.
func explainOpen(dir string, err error) error {
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return fmt.Errorf("open the metrics in %s: another process has them open; stop it, or give this one another data directory: %w", dir, err)
	case noRoom(err):
		return fmt.Errorf("open the metrics in %s: the disk is full; free some space and they open by themselves: %w", dir, err)
	default:
		return fmt.Errorf("open the metrics in %s: %w", dir, err)
	}
}

func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
