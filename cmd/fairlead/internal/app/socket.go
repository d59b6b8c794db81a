package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fairlead/fairlead/providers/statefile"
)

// SocketName is the daemon's unix socket in its data directory.
const SocketName = "fairlead.sock"

// socket is the daemon's unix socket. A lock beside it says whose it is: a daemon
// that is only slow to answer keeps it, and one that was killed has lost it,
// though its file is still there.
type socket struct {
	net.Listener // removes the file when it is closed
	lock         *statefile.Lock
}

// Close gives the socket up. The lock goes last: a successor must not have its
// own file removed.
func (s *socket) Close() error { return errors.Join(s.Listener.Close(), s.lock.Unlock()) }

// listenUnix makes the socket, in place of one of a daemon that is gone. While
// another daemon has it the error is a *statefile.HeldError.
func listenUnix(ctx context.Context, path string) (*socket, error) {
	lock, err := statefile.TryLock(path + ".lock")
	if err != nil {
		return nil, err
	}
	s := &socket{lock: lock}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("remove the socket of a daemon that is gone: %w", err), lock.Unlock())
	}
	var listen net.ListenConfig
	if s.Listener, err = listen.Listen(ctx, "unix", path); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on the daemon's socket: %w", err), lock.Unlock())
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect the daemon's socket: %w", err), s.Close())
	}
	return s, nil
}

// claimSocket serves the API on the socket, unless another daemon has it. It is
// asked again until it succeeds, and does nothing after that.
func (a *api) claimSocket(ctx context.Context, wg *sync.WaitGroup, log *slog.Logger) (claimed bool, err error) {
	if a.claimed {
		return true, nil
	}
	path := filepath.Join(a.config.Data, SocketName)
	s, err := listenUnix(ctx, path)
	if _, held := errors.AsType[*statefile.HeldError](err); held {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	a.claimed = true
	log.Info("API", "socket", path)
	a.serve(ctx, wg, log, s, a.handler(false))
	return true, nil
}

// handover bounds how long a daemon that has let go of its environment still
// answers questions.
const handover = 5 * time.Second

// awaitSocket is claimSocket for a daemon that may act. The one that acted before
// answers its last questions. One that goes on answering has, as a rule, another
// environment or owner, whose state in the same directory would get mixed up with
// this one's.
func (a *api) awaitSocket(ctx context.Context, wg *sync.WaitGroup, log *slog.Logger) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	end := time.NewTimer(handover)
	defer end.Stop()
	for {
		if claimed, err := a.claimSocket(ctx, wg, log); claimed || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-end.C:
			return fmt.Errorf("another daemon keeps the socket %s, though this one may act; a daemon of another environment or owner needs a data directory of its own (--data)",
				filepath.Join(a.config.Data, SocketName))
		case <-ticker.C:
		}
	}
}
