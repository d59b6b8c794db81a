package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

func (p *program) statusCommand() *cobra.Command {
	var f siteFlags
	var watch, detailed bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what the daemon follows, how every model is doing, and every rollout",
		Long: `Asks the daemon over the unix socket in its data directory, or over TCP with
--daemon and --token-file. In the column ROLLOUT stand the candidate's share of the
requests, the step, and a sign for each check: ✓ pass, ✗ fail, … not enough data
yet, ! the measurement failed, · not measured yet.

With --watch the table is kept up to date until it is interrupted. Where output
goes to no terminal, each change is a line, or with --json a JSON document on a
line of its own.

Exit codes: 0 fine, 1 error, or no daemon answers; with --detailed-exitcode 2 when
what runs is not yet what Git wants, or the newest commit of an include is not
followed, 4 when a model is held or fails, and waits
for a person or a new commit.`,
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
			if watch && detailed {
				return errors.New("--watch ends when it is interrupted, so it has no state to end with; leave --detailed-exitcode out")
			}
			if watch {
				return p.watch(cmd.Context(), d)
			}
			status, err := d.status(cmd.Context())
			if err != nil {
				return err
			}
			if err := p.show(status, func() error { return p.view.Status(status, time.Now()) }); err != nil {
				return err
			}
			if code := detailedCode(status); detailed && code != exitOK {
				return &exit{code: code}
			}
			return nil
		},
	}
	f.registerDaemon(cmd.Flags())
	cmd.Flags().BoolVar(&watch, "watch", false, "keep showing it until interrupted")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 or 4 when not everything is as Git wants it")
	return cmd
}

// detailedCode tells apart what time will mend and what it will not.
func detailedCode(s *app.DaemonStatus) int {
	person := s.Gateway.Failed() || slices.ContainsFunc(s.Models, func(m controller.ModelStatus) bool {
		return m.Phase == rollout.Held || m.Failed()
	})
	switch {
	case person:
		return exitPerson
	case !s.Converged, len(s.Source.Behind) > 0:
		return exitChanges
	}
	return exitOK
}

// watchInterval is how often a watched status is asked for. A hold counts down in
// seconds.
const watchInterval = 500 * time.Millisecond

// watch shows the status until ctx ends. A daemon that goes away while it is
// watched may come back; one that was never there is an error.
func (p *program) watch(ctx context.Context, d *daemon) error {
	status, err := d.status(ctx)
	if err != nil {
		return err
	}
	var size func() (columns, lines int)
	if p.Terminal {
		size = p.Size
	}
	w := p.view.Watch(p.json, size)
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		switch {
		case ctx.Err() != nil:
			return w.End(time.Now())
		case err != nil:
			err = w.Away(err, time.Now())
		default:
			err = w.Show(status, time.Now())
		}
		if err != nil {
			return errors.Join(err, w.End(time.Now()))
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
			status, err = d.status(ctx)
		}
	}
}
