package runstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/reconcile/durable"
	"github.com/fairlead/fairlead/reconcile/run"
)

// pollEvery is how often a log is read on that another process writes.
const pollEvery = 200 * time.Millisecond

// logs are those that this process is writing, by path.
type logs struct {
	mu      sync.Mutex
	writing map[string]*logWriter
}

// CreateLog implements run.Store. Whoever reads the log of before reads it to its
// end.
func (s *Store) CreateLog(ctx context.Context, id, node string, attempt int, limit int64) (io.WriteCloser, error) {
	path, err := s.logFile(ctx, id, node, attempt)
	if err != nil {
		return nil, err
	}
	if err := durable.MakeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f, err := createLocked(path)
	if err != nil {
		return nil, explainLog(path, err)
	}
	w := &logWriter{logs: &s.logs, path: path, file: f, left: limit, grown: make(chan struct{})}
	s.logs.mu.Lock()
	defer s.logs.mu.Unlock()
	if s.logs.writing == nil {
		s.logs.writing = map[string]*logWriter{}
	}
	s.logs.writing[path] = w
	return w, nil
}

// createLocked makes a new file at path that is locked from the start. The lock tells
// readers of other processes that more may come. It ends with the process, however
// that ends.
func createLocked(path string) (f *os.File, err error) {
	f, err = os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// logWriter writes a log up to its limit. It is safe for concurrent use.
type logWriter struct {
	logs *logs
	path string

	mu      sync.Mutex
	file    *os.File // nil once closed
	left    int64    // bytes that may still be written
	dropped int64
	partial bool // the last line has no end
	grown   chan struct{}
}

// Write implements io.Writer. What is beyond the limit counts as written. After an
// error, as of a full disk, the next Write tries again.
func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return 0, fmt.Errorf("write %s: %w", w.path, os.ErrClosed)
	}
	keep := p[:max(0, min(int64(len(p)), w.left))]
	n := 0
	if len(keep) > 0 {
		var err error
		n, err = w.file.Write(keep)
		w.left -= int64(n)
		w.partial = n > 0 && keep[n-1] != '\n'
		w.wake()
		if err != nil {
			return n, explainLog(w.path, err)
		}
	}
	w.dropped += int64(len(p) - n)
	return len(p), nil
}

// wake lets followers read on.
func (w *logWriter) wake() {
	close(w.grown)
	w.grown = make(chan struct{})
}

// Close implements io.Closer. The second time it does nothing.
func (w *logWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	var err error
	if w.dropped > 0 {
		line := fmt.Sprintf("fairlead: log cut: %d bytes were dropped\n", w.dropped)
		if w.partial {
			line = "\n" + line
		}
		_, err = io.WriteString(w.file, line)
	}
	if err = errors.Join(err, w.file.Close()); err != nil {
		err = explainLog(w.path, err)
	}
	w.file = nil
	w.logs.mu.Lock()
	if w.logs.writing[w.path] == w { // else it was begun anew meanwhile
		delete(w.logs.writing, w.path)
	}
	w.logs.mu.Unlock()
	w.wake()
	return err
}

// is tells whether the writer writes to the open file, and returns what is closed
// when the file has grown since.
func (w *logWriter) is(f *os.File) (grown <-chan struct{}, same bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil, false
	}
	mine, err := w.file.Stat()
	if err != nil {
		return nil, false
	}
	other, err := f.Stat()
	return w.grown, err == nil && os.SameFile(mine, other)
}

// OpenLog implements run.Store. Where ctx ends while the log is followed, Read
// returns its cause.
func (s *Store) OpenLog(ctx context.Context, id, node string, attempt int, follow bool) (io.ReadCloser, error) {
	path, err := s.logFile(ctx, id, node, attempt)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("attempt %d of node %s of run %s: %w", attempt, node, id, run.ErrNoLog)
	}
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	if !follow {
		return f, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	return &logFollower{ctx: ctx, cancel: cancel, logs: &s.logs, path: path, file: f}, nil
}

// logFollower reads a log while it is written.
type logFollower struct {
	ctx    context.Context //nolint:containedctx // Read has none, and Close must end it
	cancel context.CancelCauseFunc
	logs   *logs
	path   string
	file   *os.File
}

// Read implements io.Reader. It waits for more until the log is closed.
func (r *logFollower) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if r.ctx.Err() != nil {
			return 0, context.Cause(r.ctx)
		}
		grown, open := r.open() // before the read: what comes later closes grown
		n, err := r.file.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) || !open {
			return n, err
		}
		if err := r.wait(grown); err != nil {
			return 0, err
		}
	}
}

// open tells whether more may come. grown is closed when it has; nil where another
// process writes.
func (r *logFollower) open() (grown <-chan struct{}, open bool) {
	r.logs.mu.Lock()
	w := r.logs.writing[r.path]
	r.logs.mu.Unlock()
	if w != nil {
		if grown, same := w.is(r.file); same {
			return grown, true
		}
	}
	conn, err := r.file.SyscallConn() // which a Close at the same time does no harm to
	if err != nil {
		return nil, true // it is closed: the wait says so
	}
	var locked error
	err = conn.Control(func(fd uintptr) {
		locked = syscall.Flock(int(fd), syscall.LOCK_SH|syscall.LOCK_NB)
		if locked == nil {
			_ = syscall.Flock(int(fd), syscall.LOCK_UN) // closing it does the same
		}
	})
	return nil, err != nil || errors.Is(locked, syscall.EWOULDBLOCK)
}

func (r *logFollower) wait(grown <-chan struct{}) error {
	var poll <-chan time.Time
	if grown == nil {
		timer := time.NewTimer(pollEvery)
		defer timer.Stop()
		poll = timer.C
	}
	select {
	case <-grown:
	case <-poll:
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
	return nil
}

// Close implements io.Closer, and ends a Read that waits.
func (r *logFollower) Close() error {
	r.cancel(os.ErrClosed)
	return r.file.Close()
}

func (s *Store) logFile(ctx context.Context, id, node string, attempt int) (string, error) {
	name, err := attemptName(ctx, id, node, attempt)
	if err != nil {
		return "", err
	}
	return filepath.Join(s.dir, "runs", id, "logs", name+".log"), nil
}

func explainLog(path string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("write the log %s: %w; free space there", path, err)
	}
	return fmt.Errorf("write the log %s: %w", path, err)
}
