package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
)

func (p *program) statusCommand() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what the daemon follows, and how every model is doing",
		Long: `Asks the daemon over the unix socket in its data directory.

Exit codes: 0 fine, 1 error, or no daemon answers.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.resolve(cmd, &f)
			if err != nil {
				return err
			}
			var status app.DaemonStatus
			if err := ask(cmd.Context(), c.Data, "/api/v1/status", &status); err != nil {
				return err
			}
			return p.show(status, func() error { return p.view.Status(&status, time.Now()) })
		},
	}
	f.register(cmd.Flags())
	return cmd
}

// ask calls the daemon's API over its socket.
func ask(ctx context.Context, data, path string, answer any) error {
	socket := filepath.Join(data, app.SocketName)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://daemon"+path, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("no daemon answers on %s; is \"fairlead serve\" running, with the same --data and --environment?", socket)
	}
	if err != nil {
		return fmt.Errorf("ask the daemon on %s: %w", socket, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the daemon answers %s: %s", response.Status, body)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("the daemon's answer cannot be read; are this program and the daemon of different versions? %w", err)
	}
	return nil
}
