package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
)

func (p *program) destroyCommand() *cobra.Command {
	var f siteFlags
	var yes bool
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "Take an environment down: its models, its gateway, its network",
		Long: `Removes every container of the environment, its gateway, the gateway's volume and
the network. Volumes that models mount stay. Nothing of another owner or
environment is touched. A daemon that runs must be stopped first.

Without --yes it only lists what it would remove.

Exit codes: 0 nothing is left, or listed; 1 error.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.resolve(cmd, &f)
			if err != nil {
				return err
			}
			access := app.Look
			if yes {
				access = app.Act
			}
			site, err := app.OpenScope(c, access)
			if err != nil {
				return err
			}
			defer func() { _ = site.Close() }()
			if !yes {
				names, err := site.Containers(cmd.Context())
				if err != nil {
					return err
				}
				return p.view.WouldDestroy(p.json, c.Environment, names)
			}
			lock, err := site.Lock(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { _ = lock.Unlock() }()
			start := time.Now()
			removed, err := site.Destroy(cmd.Context(), p.actor())
			if err != nil {
				return err
			}
			return p.view.Destroyed(p.json, c.Environment, removed, time.Since(start))
		},
	}
	f.register(cmd.Flags())
	f.registerEngine(cmd.Flags())
	f.registerJournalKey(cmd.Flags())
	cmd.Flags().BoolVar(&yes, "yes", false, "do it; there is no way back but apply")
	return cmd
}
