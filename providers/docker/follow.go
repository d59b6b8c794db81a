package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	cerrdefs "github.com/containerd/errdefs"
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
// a log may have been rotated, the container is asked, and what the engine has of
// the rest is read.
func (r *Runtime) Follow(ctx context.Context, id string, w io.Writer) error {
	who, err := r.owned(ctx, id)
	if err != nil {
		return fmt.Errorf("follow the log: %w", err)
	}
	what := "follow the log of container " + who.name
	t := newTranscript(ctx, w)
	for {
		if err := r.copyLog(ctx, what, id, t, true); err != nil || t.size < leastRotated {
			return err
		}
		t.resume()
		c, err := r.inspect(ctx, id)
		switch {
		case cerrdefs.IsNotFound(err):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", what, err)
		case !c.State.Running:
			return r.copyLog(ctx, what, id, t, false)
		}
		pause(ctx, resumePause)
	}
}

// resumePause keeps an engine that ends every stream at once from being asked all
// the time.
const resumePause = 20 * time.Millisecond

// copyLog copies what the transcript does not have yet.
func (r *Runtime) copyLog(ctx context.Context, what, id string, t *transcript, follow bool) error {
	ctx, opened, end := opening(ctx)
	defer end()
	stream, err := r.connection.client().ContainerLogs(ctx, id, container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Follow: follow, Timestamps: true, Since: t.since(),
	})
	if err != nil {
		return r.explain(ctx, what, err)
	}
	opened()
	// A writer that stalls stalls the copy, which must not hold up the caller.
	copied := make(chan error, 1)
	go func() {
		_, err := stdcopy.StdCopy(t.stdout, t.stderr, stream)
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

// transcript is a log as far as it was passed on.
type transcript struct {
	ctx            context.Context // after its end no write begins: nobody wants what is left
	w              io.Writer
	broken         error // of w
	size           int64 // of the engine's file for it, about
	stdout, stderr *voice
}

// voice is one of the two streams of a log. Messages of one stream are in the order
// of their times; those of both together are not quite.
type voice struct {
	*transcript
	last  time.Time // of the newest message
	known time.Time // messages up to here were passed on before
}

func newTranscript(ctx context.Context, w io.Writer) *transcript {
	t := &transcript{ctx: ctx, w: w}
	t.stdout, t.stderr = &voice{transcript: t}, &voice{transcript: t}
	return t
}

// resume makes what was passed on known: it may come once more.
func (t *transcript) resume() { t.stdout.known, t.stderr.known = t.stdout.last, t.stderr.last }

// disorder is how much later than one that is newer a message may be written down.
const disorder = time.Second

// since is from when on the engine has something new; "" for all.
func (t *transcript) since() string {
	newest := later(t.stdout.known, t.stderr.known)
	if newest.IsZero() {
		return ""
	}
	from := newest.Add(-disorder)
	return fmt.Sprintf("%d.%09d", from.Unix(), from.Nanosecond())
}

// Write takes one message, which comes with its time before it.
func (v *voice) Write(message []byte) (int, error) {
	if err := v.ctx.Err(); err != nil {
		return 0, err
	}
	stamp, text, _ := bytes.Cut(message, []byte(" "))
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return 0, fmt.Errorf("the engine gave no time with a message: %w", err)
	}
	if !v.known.IsZero() && !at.After(v.known) {
		return len(message), nil
	}
	v.last = at
	v.size += int64(len(text)) + envelope
	if _, err := v.w.Write(text); err != nil {
		v.broken = err
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
