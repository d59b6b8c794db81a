package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
)

func (p *program) pipelineCancelCommand() *cobra.Command {
	var f siteFlags
	var body app.RunOrder
	cmd := &cobra.Command{
		Use:   "cancel RUN",
		Short: "End a run: its containers are stopped, its exit steps run",
		Long: `Ends a run that is under way. What its steps gave so far stays in the cache, so that
"fairlead pipeline resume" goes on from there.
` + aboutRuns + `
    fairlead pipeline cancel train_digits --reason "the wrong data"

Exit codes: 0 it is decided, 1 error, or refused.`,
		Args: oneRun("fairlead pipeline cancel train_digits"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if body.Actor, err = p.who(body.Actor); err != nil {
				return err
			}
			d, r, err := p.runOf(cmd, &f, args[0])
			if err != nil {
				return err
			}
			taken, err := d.orderRun(cmd.Context(), r.ID, app.OrderCancel, &body)
			if err != nil {
				return err
			}
			return p.show(taken, func() error { return p.view.RunCancelled(r.ID, &body) })
		},
	}
	f.registerDaemon(cmd.Flags())
	registerWho(cmd, &body.Actor, &body.Reason, "")
	return cmd
}

func (p *program) pipelineOverrideCommand() *cobra.Command {
	var f siteFlags
	var body app.RunOrder
	var wait bool
	cmd := &cobra.Command{
		Use:   "override RUN GATE --reason TEXT",
		Short: "Let a soft gate pass for one run",
		Long: `Lets a gate or policy of level soft pass that denied a run, though its condition does
not hold: a new run goes on with it, and takes everything from the cache that had
succeeded. Who decided that, and why, stands in the journal for ever, and in the
version that the run proposes. Hard gates cannot be overridden.
` + aboutRuns + `
    fairlead pipeline override train_digits-12 fair --reason "the sample is too small to tell"
` + runExits,
		Args: func(_ *cobra.Command, args []string) error {
			const example = "fairlead pipeline override train_digits-12 fair --reason \"...\""
			switch len(args) {
			case 0, 1:
				return fmt.Errorf("say which run and which gate are meant; for example: %s", example)
			case 2:
				return nil
			}
			return unexpected(args[2], example)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(body.Reason) == "" {
				return errors.New("say why, with --reason TEXT: it stands in the journal for ever, for whoever asks later who decided this and what they knew")
			}
			var err error
			if body.Actor, err = p.who(body.Actor); err != nil {
				return err
			}
			d, r, err := p.runOf(cmd, &f, args[0])
			if err != nil {
				return err
			}
			body.Gate = args[1]
			taken, err := d.orderRun(cmd.Context(), r.ID, app.OrderOverride, &body)
			if err != nil {
				return err
			}
			return p.started(cmd.Context(), d, taken, wait)
		},
	}
	f.registerDaemon(cmd.Flags())
	registerWho(cmd, &body.Actor, &body.Reason, "; required")
	cmd.Flags().BoolVar(&wait, "wait", true, "follow the run until it has ended")
	return cmd
}
