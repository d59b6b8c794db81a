package memory

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Logs implements reconcile.Runtime.
func (r *Runtime) Logs(ctx context.Context, id string, lines int) (string, error) {
	var text string
	err := r.do(ctx, OpLogs, func(e *Engine) error {
		c, err := r.owned(e, id)
		if err != nil {
			return err
		}
		all := slices.Collect(strings.Lines(string(c.output)))
		text = strings.Join(all[max(0, len(all)-max(lines, 0)):], "")
		return nil
	})
	return text, err
}

// Follow implements reconcile.Runtime.
func (r *Runtime) Follow(ctx context.Context, id string, w io.Writer) error {
	var c *container
	err := r.do(ctx, OpLogs, func(e *Engine) (err error) {
		c, err = r.owned(e, id)
		return err
	})
	if err != nil {
		return err
	}
	for sent, ended := 0, false; !ended; {
		var fresh []byte
		err := r.engine.await(ctx, c, func(gone bool) bool {
			fresh, ended = slices.Clone(c.output[sent:]), gone || !c.runs()
			return ended || len(fresh) > 0
		})
		if err == nil {
			sent += len(fresh)
			err = writeWithin(ctx, w, fresh)
		}
		if err != nil {
			return fmt.Errorf("follow %s: %w", c.Name, err)
		}
	}
	return nil
}

// writeWithin writes, but waits no longer than ctx lasts.
func writeWithin(ctx context.Context, w io.Writer, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	written := make(chan error, 1)
	go func() {
		_, err := w.Write(p)
		written <- err
	}()
	select {
	case err := <-written:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
