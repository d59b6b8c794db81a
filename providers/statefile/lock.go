package statefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Holder is the process that holds a Lock.
type Holder struct {
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

// HeldError says that another process holds the lock.
type HeldError struct {
	Path   string
	Holder Holder // zero if the holder has not written it yet
}

// Error names the holder. What to do is for the caller to say, who knows what the
// lock is for.
func (e *HeldError) Error() string {
	who := "another fairlead"
	if e.Holder.PID != 0 {
		who += fmt.Sprintf(" (pid %d, since %s)", e.Holder.PID, e.Holder.Since.Local().Format(time.DateTime))
	}
	return fmt.Sprintf("%s holds %s", who, e.Path)
}

// Lock is an exclusive lock that ends with the process that holds it, however it
// ends: the kernel owns it (flock), so there is no stale lock to clean up. The
// file stays; it is the lock that counts and not the file.
type Lock struct{ file *os.File }

// TryLock takes the lock at path without waiting. Where another process holds it
// the error is a *HeldError.
func TryLock(path string) (*Lock, error) {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f, err := openLocked(path)
	if err != nil {
		return nil, err
	}
	// The kernel has the lock already. A full disk only costs the next daemon
	// the name of the holder in its message.
	_ = writeHolder(f, Holder{PID: os.Getpid(), Since: time.Now().Round(time.Second)})
	return &Lock{file: f}, nil
}

// Unlock gives the lock back.
func (l *Lock) Unlock() error { return l.file.Close() }

// openLocked opens and locks the file that is at path now. If somebody removes
// the file between the two steps the lock would be on a file that nobody else
// finds, so it starts over.
func openLocked(path string) (*os.File, error) {
	for range 10 {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open the lock file: %w", err)
		}
		if err := flock(f); err != nil {
			if errors.Is(err, syscall.EWOULDBLOCK) {
				err = &HeldError{Path: path, Holder: readHolder(f)}
			} else {
				err = fmt.Errorf("lock %s: %w; its directory must be on a file system that knows flock", path, err)
			}
			_ = f.Close() // was only read
			return nil, err
		}
		if isAt(f, path) {
			return f, nil
		}
		_ = f.Close() // a removed file
	}
	return nil, fmt.Errorf("lock %s: the file is removed again and again by somebody else", path)
}

// flock waits out signals, which can interrupt even a call that does not block.
func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// isAt tells whether path still names the open file.
func isAt(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(open, named)
}

func writeHolder(f *os.File, h Holder) error {
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(line, '\n'), 0)
	return err
}

// readHolder returns the zero Holder if there is nothing to read: it is only for
// a message, and the holder may be just about to write.
func readHolder(f *os.File) Holder {
	var h Holder
	raw, err := io.ReadAll(io.LimitReader(f, 1<<10))
	if err != nil || json.Unmarshal(raw, &h) != nil {
		return Holder{}
	}
	return h
}
