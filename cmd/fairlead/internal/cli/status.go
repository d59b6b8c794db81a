package cli

import (
	"time"

	"github.com/spf13/cobra"
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
			d, err := f.reach(c)
			if err != nil {
				return err
			}
			status, err := d.status(cmd.Context())
			if err != nil {
				return err
			}
			return p.show(status, func() error { return p.view.Status(status, time.Now()) })
		},
	}
	f.registerDaemon(cmd.Flags())
	return cmd
}
