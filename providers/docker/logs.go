package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

const (
	// logBytes bounds what Logs returns.
	logBytes = 64 << 10
	// logTransfer bounds what is read for it: a line has no longest length.
	logTransfer = 16 << 20
)

// Logs implements reconcile.Runtime.
func (r *Runtime) Logs(ctx context.Context, id string, lines int) (string, error) {
	who, err := r.owned(ctx, id)
	if err != nil {
		return "", fmt.Errorf("read the log: %w", err)
	}
	last := &tail{max: logBytes}
	err = r.call(ctx, "read the log of container "+who.name, queryLimit, func(ctx context.Context) error {
		stream, err := r.connection.client().ContainerLogs(ctx, id, container.LogsOptions{
			ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(max(lines, 0)),
		})
		if err != nil {
			return err
		}
		bounded := &io.LimitedReader{R: stream, N: logTransfer}
		_, err = stdcopy.StdCopy(last, last, bounded)
		if bounded.N <= 0 { // cut within a frame, by us
			err = nil
		}
		return errors.Join(err, stream.Close())
	})
	return strings.ToValidUTF8(string(last.data), "\uFFFD"), err
}

// tail keeps the last bytes that are written to it.
type tail struct {
	max  int
	data []byte
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > t.max {
		p = p[len(p)-t.max:]
	}
	if over := len(t.data) + len(p) - t.max; over > 0 {
		t.data = append(t.data[:0], t.data[over:]...)
	}
	t.data = append(t.data, p...)
	return n, nil
}
