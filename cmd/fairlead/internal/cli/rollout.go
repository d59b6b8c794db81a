package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/spec/lang"
)

func (p *program) rolloutCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollout",
		Short: "Look at rollouts, decide about them, and try their rules",
		Long: `A rollout takes a model from its stable revision to a candidate, as fast as the
evidence allows. What is decided by hand needs a reason, which stands in the
journal for ever beside who gave the order.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.rolloutListCommand(), p.rolloutShowCommand())
	cmd.AddCommand(p.orderCommands()...)
	cmd.AddCommand(p.simulateCommand())
	return cmd
}

func (p *program) rolloutListCommand() *cobra.Command {
	var f siteFlags
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List models with a rollout under way, held, or with rejected revisions",
		Long: `Lists the models that have a rollout under way, that are held, or that have
revisions in the ledger of rejected ones. With --all every model.

Exit codes: 0 fine, 1 error, or no daemon answers.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, _, err := p.askStatus(cmd, &f)
			if err != nil {
				return err
			}
			list := view.RolloutList{FormatVersion: controller.StatusFormat, Environment: status.Environment, Models: []controller.ModelStatus{}}
			for _, m := range status.Models {
				if all || m.Rollout != nil || m.Phase == "held" || len(m.Rejected) > 0 {
					list.Models = append(list.Models, m)
				}
			}
			list.Known = len(status.Models)
			return p.show(list, func() error { return p.view.RolloutList(&list) })
		},
	}
	f.registerDaemon(cmd.Flags())
	cmd.Flags().BoolVar(&all, "all", false, "every model, also those where nothing is under way")
	return cmd
}

func (p *program) rolloutShowCommand() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:   "show MODEL",
		Short: "Show all that was decided about a model, with the evidence",
		Long: `Shows what serves, what is being introduced and how far it got, every check with
its numbers, what was rejected and why, and how the last rollout ended.

    fairlead rollout show digits --environment prod

Exit codes: 0 fine, 1 error, no daemon answers, or there is no such model.`,
		Args: oneModel("fairlead rollout show digits"),
		RunE: func(cmd *cobra.Command, args []string) error {
			status, _, err := p.askStatus(cmd, &f)
			if err != nil {
				return err
			}
			m, err := modelIn(status, args[0])
			if err != nil {
				return err
			}
			shown := view.RolloutShown{FormatVersion: controller.StatusFormat, Environment: status.Environment, ModelStatus: *m}
			return p.show(shown, func() error { return p.view.Rollout(m, time.Now()) })
		},
	}
	f.registerDaemon(cmd.Flags())
	return cmd
}

// askStatus asks the daemon that the flags mean how everything is doing.
func (p *program) askStatus(cmd *cobra.Command, f *siteFlags) (*app.DaemonStatus, *daemon, error) {
	c, err := p.resolve(cmd, f)
	if err != nil {
		return nil, nil, err
	}
	d, err := f.reach(c)
	if err != nil {
		return nil, nil, err
	}
	status, err := acting(cmd.Context(), d)
	return status, d, err
}

// acting is the status of a daemon that can say something about models.
func acting(ctx context.Context, d *daemon) (*app.DaemonStatus, error) {
	status, err := d.status(ctx)
	switch {
	case err != nil:
		return nil, err
	case status.Standby != "":
		return nil, fmt.Errorf("the daemon on %s does not act: %s", d.place, status.Standby)
	case status.Models == nil:
		reason := "it has not read the repository yet"
		for _, text := range []string{status.Engine.Error, status.Source.Error, status.Journal.Broken} {
			if text != "" {
				reason = text
				break
			}
		}
		return nil, fmt.Errorf("the daemon on %s knows no models: %s", d.place, reason)
	}
	return status, nil
}

// oneModel is for commands about one model.
func oneModel(example string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return fmt.Errorf("say which model is meant; for example: %s", example)
		case 1:
			return nil
		}
		return unexpected(args[1], example)
	}
}

// modelIn finds a model by its served name, or its address.
func modelIn(s *app.DaemonStatus, name string) (*controller.ModelStatus, error) {
	var known []string
	for i := range s.Models {
		if m := &s.Models[i]; m.Name == name || m.Address.String() == name {
			return m, nil
		}
		known = append(known, s.Models[i].Name)
	}
	return nil, unknownModel(name, known)
}

func unknownModel(name string, known []string) error {
	const most = 10
	switch near := lang.Nearest(name, known); {
	case near != "":
		return fmt.Errorf("there is no model %q; did you mean %s?", name, near)
	case len(known) == 0:
		return errors.New("there is no model at all")
	case len(known) > most:
		return fmt.Errorf("there is no model %q among the %d that there are; see: fairlead status", name, len(known))
	}
	return fmt.Errorf("there is no model %q; there is %s", name, strings.Join(known, ", "))
}
