package oci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockWait is how long a call waits for the store at most. A collection takes
// seconds, all others hold it for milliseconds.
const lockWait = 2 * time.Minute

// share takes the store's lock together with others that store. It must be held
// only for as long as names change, never while content is read or written.
func (s *Store) share(ctx context.Context) (unlock func(), err error) {
	return s.take(ctx, syscall.LOCK_SH)
}

// seize takes the store's lock alone.
func (s *Store) seize(ctx context.Context) (unlock func(), err error) {
	return s.take(ctx, syscall.LOCK_EX)
}

// take passes the gate first, which whoever waits for the store alone keeps shut: so
// a stream of calls that share the lock cannot keep it waiting for ever.
func (s *Store) take(ctx context.Context, how int) (func(), error) {
	gate, err := lockFile(ctx, filepath.Join(s.dir, "gate"), how)
	if err != nil {
		return nil, err
	}
	defer closeQuietly(gate)
	lock, err := lockFile(ctx, filepath.Join(s.dir, "lock"), how)
	if err != nil {
		return nil, err
	}
	return func() { closeQuietly(lock) }, nil
}

// lockFile locks the file, which is made if it is not there; closing it unlocks.
func lockFile(ctx context.Context, path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a lock of the artifact store: %w", explainDisk(err))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lockWait, unavailable("another process held it for %s", lockWait))
	defer cancel()
	// A blocking flock could not be given up when ctx ends.
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		locked, err := tryLock(f, how)
		if locked {
			return f, nil
		}
		if err == nil {
			err = pause(ctx, wait)
		}
		if err != nil {
			closeQuietly(f)
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

// tryLock waits for nobody, but for signals that interrupt even a call that does not
// block.
func tryLock(f *os.File, how int) (bool, error) {
	for {
		switch err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, fmt.Errorf("%w; the artifact store must be on a file system that knows flock", err)
		}
	}
}

// pause waits, or returns why ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// closeQuietly closes what was only read, or what counts only as a lock: no error of
// it changes anything.
func closeQuietly(f *os.File) { _ = f.Close() }
