package docker

import (
	"bytes"
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

const (
	// leastRotated is the smallest file of a log that a spec can ask for: below
	// it nothing was rotated.
	leastRotated = 4 << 10
	// envelope is about what the engine writes into the file around a message.
	envelope = 72
)

// Follow implements reconcile.Runtime. Engines lose their place when they rotate a
// log that grows fast, and end the stream as if the container had ended. So where
// a log may have been rotated, the end is believed when nothing comes after it.
func (r *Runtime) Follow(ctx context.Context, id string, w io.Writer) error {
	who, err := r.owned(ctx, id)
	if err != nil {
		return fmt.Errorf("follow the log: %w", err)
	}
	t := &transcript{ctx: ctx, w: w}
	for {
		before := t.size
		if err := r.followOnce(ctx, "follow the log of container "+who.name, id, t); err != nil {
			return err
		}
		if t.size < leastRotated || t.size == before {
			return nil
		}
		t.known = t.last
	}
}

// followOnce copies one stream, of what the transcript does not know yet.
func (r *Runtime) followOnce(ctx context.Context, what, id string, t *transcript) error {
	ctx, opened, end := opening(ctx)
	defer end()
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true, Timestamps: true}
	if !t.known.IsZero() {
		options.Since = fmt.Sprintf("%d.%09d", t.known.Unix(), t.known.Nanosecond())
	}
	stream, err := r.connection.client().ContainerLogs(ctx, id, options)
	if err != nil {
		return r.explain(ctx, what, err)
	}
	opened()
	// A writer that stalls stalls the copy, which must not hold up the caller.
	copied := make(chan error, 1)
	go func() {
		_, err := stdcopy.StdCopy(t, t, stream)
		copied <- errors.Join(err, stream.Close())
	}()
	select {
	case err := <-copied:
		if t.broken != nil { // which says nothing about the engine
			return fmt.Errorf("%s: write what it says: %w", what, t.broken)
		}
		return r.explain(ctx, what, err)
	case <-ctx.Done():
		return r.explain(ctx, what, ctx.Err())
	}
}

// transcript passes on the messages of a log, each of which comes as one write and
// with its time before it.
type transcript struct {
	ctx   context.Context // after its end no write begins: nobody wants what is left
	w     io.Writer
	size  int64     // of the log as far as it was passed on, about
	last  time.Time // of the newest message
	known time.Time // messages up to here came with an earlier stream

	broken error // of w
}

func (t *transcript) Write(message []byte) (int, error) {
	if err := t.ctx.Err(); err != nil {
		return 0, err
	}
	stamp, text, _ := bytes.Cut(message, []byte(" "))
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return 0, fmt.Errorf("the engine gave no time with a message: %w", err)
	}
	if !t.known.IsZero() && !at.After(t.known) {
		return len(message), nil
	}
	if at.After(t.last) { // the two streams are not quite in order
		t.last = at
	}
	t.size += int64(len(text)) + envelope
	if _, err := t.w.Write(text); err != nil {
		t.broken = err
		return 0, err
	}
	return len(message), nil
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
