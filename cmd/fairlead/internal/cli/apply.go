package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

func (p *program) applyCommand() *cobra.Command {
	var f siteFlags
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "apply DIR | URL[@REF]",
		Short: "Make what runs equal to the specs, once",
		Long: `Shows the plan and carries it out until every model serves as the specs say. What
runs goes on serving after apply has ended, but nothing heals or follows Git; for
that, see "fairlead serve". Interrupt it at any moment: the next apply finds what
is half done.

A rollout is waited for to its end, with its steps and checks; one that needs an
approval waits for it until --timeout. A revision that was rejected is not tried
again: apply says why and ends with an error.

There is no question to answer: the specs were reviewed where they were merged.
To look first, use "fairlead plan".

Exit codes: 0 all models are as the specs say, 1 error, or a model that is not.`,
		Args: exactlyOne("the specs to apply", "fairlead apply ."),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.resolve(cmd, &f)
			if err != nil {
				return err
			}
			site, err := openTarget(cmd.Context(), c, args[0], app.Act)
			if err != nil {
				return err
			}
			defer func() { _ = site.Close() }()
			return p.apply(cmd.Context(), site, timeout)
		},
	}
	f.register(cmd.Flags())
	f.registerEngine(cmd.Flags())
	f.registerSpecs(cmd.Flags())
	f.registerGit(cmd.Flags())
	f.registerAct(cmd.Flags())
	f.registerJournalKey(cmd.Flags())
	cmd.Flags().DurationVar(&timeout, "timeout", 15*time.Minute, "give up after so long")
	return cmd
}

func (p *program) apply(ctx context.Context, site *app.Site, timeout time.Duration) error {
	lock, err := site.Lock(ctx)
	if err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	defer func() { _ = lock.Unlock() }()
	progress := p.view.Progress(p.json)
	if err := site.Begin(ctx, slog.New(slog.DiscardHandler)); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	desired, tree, err := site.Desired(ctx)
	if err != nil {
		return p.explainError(err, tree)
	}
	before, err := site.Compare(ctx, desired)
	if err != nil {
		return err
	}
	if err := progress.Plan(before); err != nil {
		return err
	}
	if err := plan.Guard(before, desired, site.Config.Limits); err != nil {
		return err
	}
	return p.converge(ctx, site, desired, progress, timeout)
}

// converge runs a controller until nothing is left to do, or nothing will get
// better by waiting.
func (p *program) converge(ctx context.Context, site *app.Site, desired *reconcile.Desired, progress *view.Progress, timeout time.Duration) error {
	running, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c := site.Controller(nil, progress.Event)
	start := time.Now()
	c.Run(running, settled)
	s := c.Status()
	switch {
	case s.Converged:
		return progress.Done(s, time.Since(start))
	case ctx.Err() != nil:
		return errors.New("interrupted; what is half done, the next apply finds and finishes")
	case running.Err() != nil:
		return progress.Failed(s, fmt.Errorf("not done after %s", timeout), site.LastWords(ctx, s, desired.Secrets))
	default:
		return progress.Failed(s, nil, site.LastWords(ctx, s, desired.Secrets))
	}
}

// stubborn is how many failures in a row make an error that waiting does not
// mend.
const stubborn = 3

// settled tells whether waiting longer makes sense no more.
func settled(s *controller.Status) bool {
	if s.Converged {
		return true
	}
	if s.Models == nil {
		return s.Source.Error != "" && s.Source.Fetched.IsZero()
	}
	open := 0
	failed := s.Gateway.Failures >= stubborn || s.Gateway.Phase == rollout.Degraded
	if !failed && s.Gateway.Phase != rollout.Steady {
		open++ // an interrupted start of the gateway is one more thing to wonder about
	}
	for i := range s.Models {
		m := &s.Models[i]
		switch {
		case m.Phase == rollout.Degraded || m.Phase == rollout.Held || m.Failures >= stubborn:
			failed = true // a model that is held waits for a person, or another commit
		case m.Phase != rollout.Steady:
			open++
		}
	}
	return failed && (open == 0 || s.Gateway.Failures >= stubborn)
}
