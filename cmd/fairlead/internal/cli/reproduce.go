package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/reconcile/run"
)

func (p *program) reproduceCommand() *cobra.Command {
	var f siteFlags
	var body app.Reproduction
	cmd := &cobra.Command{
		Use:   "reproduce MODEL@VERSION",
		Short: "Make a version again from what was recorded, and say whether it is the same",
		Long: `Lets the daemon run the pipeline of a version again as it was recorded: its steps,
images, parameters and data, with nothing from the cache. Nothing is published. Says
then whether the files are the same, byte for byte, or, where training is not exact
to the bit, whether every metric is within the tolerance that the version declares.

    fairlead reproduce digits@1.2.0

On a terminal the run is shown while it goes on. Interrupted, only the watching ends.

Exit codes: 0 it agrees, 1 it does not, the run failed, or error.`,
		Args: oneThing("version", "fairlead reproduce digits@1.2.0"),
		RunE: func(cmd *cobra.Command, args []string) error {
			model, version, err := splitVersion(args[0])
			if err != nil {
				return err
			}
			if version == "" {
				return fmt.Errorf("say which version of %s is meant: %s@VERSION; see: fairlead model versions %s", model, model, model)
			}
			if body.Actor, err = p.who(body.Actor); err != nil {
				return err
			}
			d, err := p.daemonOf(cmd, &f)
			if err != nil {
				return err
			}
			return p.reproduce(cmd, d, model, version, &body)
		},
	}
	f.registerDaemon(cmd.Flags())
	cmd.Flags().StringVar(&body.Actor, "actor", "", "`NAME` of who wants it (default: the user of this system, as USER@HOST)")
	return cmd
}

func (p *program) reproduce(cmd *cobra.Command, d *daemon, model, version string, body *app.Reproduction) error {
	ctx := cmd.Context()
	var known app.Registry
	if err := d.get(ctx, "/api/v1/registry", nil, &known); err != nil {
		return err
	}
	published, err := known.Facts(nil, nil).OfVersion(model, version)
	if err != nil {
		return err
	}
	var taken app.RunTaken
	if err := d.post(ctx, "/api/v1/versions/"+url.PathEscape(model+"@"+version)+"/reproduction", body, &taken); err != nil {
		return err
	}
	if taken.Run == nil {
		return errors.New("the daemon does not say which run it started; are this program and the daemon of different versions?")
	}
	quiet := *p
	quiet.view = &view.View{Out: io.Discard, Err: p.Stderr}
	watching := p
	if p.json { // the verdict is the one document
		watching = &quiet
	}
	r, err := watching.follow(ctx, d, taken.Run)
	if err != nil {
		return err
	}
	if r.Outcome != run.Succeeded {
		return fmt.Errorf("%s could not be made again: run %s %s: %s", published.Entry.ID(), r.ID, r.Outcome, r.Reason)
	}
	again, err := r.Version(time.Now())
	if err != nil {
		return fmt.Errorf("%s was made again by run %s, but there is nothing to compare: %w", published.Entry.ID(), r.ID, err)
	}
	shown := &view.Reproduced{FormatVersion: app.RegistryFormat, Agreement: registry.Agree(published.Entry, again)}
	if err := p.show(shown, func() error { return p.view.Agreement(shown) }); err != nil {
		return err
	}
	if !shown.Agrees {
		return &exit{code: exitError}
	}
	return nil
}
