package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/fairlead/fairlead/reconcile"
)

// opening gives an exchange that lasts as long as a container does a deadline for
// its beginning: opened ends that, end the exchange.
func opening(ctx context.Context) (_ context.Context, opened, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(queryLimit, func() { cancel(fmt.Errorf("no answer within %s", queryLimit)) })
	return ctx, func() { late.Stop() }, func() { late.Stop(); cancel(nil) }
}

// Follow implements reconcile.Runtime.
func (r *Runtime) Follow(ctx context.Context, id string, w io.Writer) error {
	who, err := r.owned(ctx, id)
	if err != nil {
		return fmt.Errorf("follow the log: %w", err)
	}
	what := "follow the log of container " + who.name
	ctx, opened, end := opening(ctx)
	defer end()
	stream, err := r.connection.client().ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true})
	if err != nil {
		return r.explain(ctx, what, err)
	}
	opened()
	// A writer that stalls stalls the copy, which must not hold up the caller.
	out := whileWanted{ctx, w}
	copied := make(chan error, 1)
	go func() {
		_, err := stdcopy.StdCopy(out, out, stream)
		copied <- errors.Join(err, stream.Close())
	}()
	select {
	case err := <-copied:
		return r.explain(ctx, what, err)
	case <-ctx.Done():
		return r.explain(ctx, what, ctx.Err())
	}
}

// whileWanted begins no write after ctx has ended: frames that have arrived by
// then are not for anybody any more.
type whileWanted struct {
	ctx context.Context
	w   io.Writer
}

func (o whileWanted) Write(p []byte) (int, error) {
	if err := o.ctx.Err(); err != nil {
		return 0, err
	}
	return o.w.Write(p)
}

// Wait implements reconcile.Waiter.
func (r *Runtime) Wait(ctx context.Context, id string) (reconcile.Exit, error) {
	who, err := r.owned(ctx, id)
	if err != nil {
		return reconcile.Exit{}, fmt.Errorf("wait for a container: %w", err)
	}
	what := "wait for container " + who.name
	if err := r.awaitExit(ctx, what, id); err != nil {
		return reconcile.Exit{}, err
	}
	// The answer has no more than the code, and for a container that never ran the
	// same as for one that ended well.
	c, err := r.inspect(ctx, id)
	if err != nil {
		return reconcile.Exit{}, fmt.Errorf("%s: %w", what, err)
	}
	if c.State.Status != container.StateExited && c.State.Status != container.StateDead {
		return reconcile.Exit{}, fmt.Errorf("%s: it is %s", what, c.State.Status)
	}
	return reconcile.Exit{
		Code: c.State.ExitCode, OOMKilled: c.State.OOMKilled,
		Finished: later(engineTime(c.State.StartedAt), engineTime(c.State.FinishedAt)),
	}, nil
}

// awaitExit waits until the container does not run.
func (r *Runtime) awaitExit(ctx context.Context, what, id string) error {
	ctx, opened, end := opening(ctx)
	defer end()
	ended, failed := r.connection.client().ContainerWait(ctx, id, container.WaitConditionNotRunning)
	opened()
	select {
	case <-ended:
		return nil
	case err := <-failed:
		return r.explain(ctx, what, err)
	}
}
