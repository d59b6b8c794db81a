package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/run"
)

// runExits is the end of the help of commands that wait for a run.
const runExits = `
On a terminal the graph is shown while it runs; else each change is a line. With
--json nothing is printed before the end, then the run as one document.
Interrupted, only the watching ends: the run goes on.

Exit codes: 0 the run succeeded, or with --wait=false it was started; 1 it failed,
was denied by a gate, was cancelled, or error.`

func (p *program) pipelineRunCommand() *cobra.Command {
	var f siteFlags
	var body app.RunStart
	var params []string
	var wait bool
	cmd := &cobra.Command{
		Use:   "run PIPELINE",
		Short: "Start a run, and watch it until it has ended",
		Long: `Shows which steps the cache has, starts a run, and follows it. It waits until no
other run of the pipeline is under way.

    fairlead pipeline run train_digits
    fairlead pipeline run train_digits -p test_share=0.3 --reason "a larger test set"
    fairlead pipeline run train_digits --fresh --wait=false
` + runExits,
		Args: onePipeline("fairlead pipeline run train_digits"),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.daemonOf(cmd, &f)
			if err != nil {
				return err
			}
			if body.Params, err = parseParams(params); err != nil {
				return err
			}
			if body.Actor, err = p.who(body.Actor); err != nil {
				return err
			}
			return p.startRun(cmd.Context(), d, args[0], &body, wait)
		},
	}
	f.registerDaemon(cmd.Flags())
	registerParams(cmd, &params)
	cmd.Flags().BoolVar(&body.Fresh, "fresh", false, "run every step, whatever the cache has")
	cmd.Flags().BoolVar(&wait, "wait", true, "follow the run until it has ended")
	registerWho(cmd, &body.Actor, &body.Reason, "")
	return cmd
}

func (p *program) pipelineResumeCommand() *cobra.Command {
	var f siteFlags
	var body app.RunOrder
	var params []string
	var wait bool
	cmd := &cobra.Command{
		Use:   "resume RUN",
		Short: "Go on with a run that failed, was denied or was cancelled",
		Long: `Starts a new run of the same definition: what had succeeded is taken over, unless a
parameter that is changed with -p makes it another thing.
` + aboutRuns + `
    fairlead pipeline resume train_digits
    fairlead pipeline resume train_digits-12 -p epochs=20
` + runExits,
		Args: oneRun("fairlead pipeline resume train_digits"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if body.Params, err = parseParams(params); err != nil {
				return err
			}
			if body.Actor, err = p.who(body.Actor); err != nil {
				return err
			}
			d, r, err := p.runOf(cmd, &f, args[0])
			if err != nil {
				return err
			}
			taken, err := d.orderRun(cmd.Context(), r.ID, app.OrderResume, &body)
			if err != nil {
				return err
			}
			return p.started(cmd.Context(), d, taken, wait)
		},
	}
	f.registerDaemon(cmd.Flags())
	registerParams(cmd, &params)
	cmd.Flags().BoolVar(&wait, "wait", true, "follow the run until it has ended")
	registerWho(cmd, &body.Actor, &body.Reason, "")
	return cmd
}

// registerWho adds the flags that say who wants something, and why.
func registerWho(cmd *cobra.Command, actor, reason *string, required string) {
	cmd.Flags().StringVar(reason, "reason", "", "`TEXT` that says why"+required)
	cmd.Flags().StringVar(actor, "actor", "", "`NAME` of who wants it (default: the user of this system, as USER@HOST)")
}

// who is the actor that was named, or who sits at this terminal.
func (p *program) who(named string) (string, error) {
	if actor := cmp.Or(strings.TrimSpace(named), p.actor()); actor != "" {
		return actor, nil
	}
	return "", errors.New("say who wants this, with --actor NAME; this system does not tell")
}

// startRun shows what the cache has, and starts a run.
func (p *program) startRun(ctx context.Context, d *daemon, pipeline string, body *app.RunStart, wait bool) error {
	if !p.json && !body.Fresh {
		preview, err := d.preview(ctx, pipeline, body.Params)
		if err != nil {
			return err
		}
		if err := p.view.RunPreview(&preview.Preview); err != nil {
			return err
		}
	}
	var taken app.RunTaken
	if err := d.post(ctx, "/api/v1/pipelines/"+url.PathEscape(pipeline)+"/runs", body, &taken); err != nil {
		return d.nearest(ctx, pipeline, err)
	}
	return p.started(ctx, d, &taken, wait)
}

// orderRun gives an order about a run.
func (d *daemon) orderRun(ctx context.Context, id, kind string, body *app.RunOrder) (*app.RunTaken, error) {
	var taken app.RunTaken
	return &taken, d.post(ctx, fmt.Sprintf("/api/v1/runs/%s/%s", url.PathEscape(id), kind), body, &taken)
}

// started follows a run, or says that it is under way.
func (p *program) started(ctx context.Context, d *daemon, taken *app.RunTaken, wait bool) error {
	if taken.Run == nil {
		return errors.New("the daemon does not say which run it started; are this program and the daemon of different versions?")
	}
	if !wait {
		return p.show(taken.Run, func() error { return p.view.RunStarted(taken.Run) })
	}
	r, err := p.follow(ctx, d, taken.Run)
	if err != nil {
		return err
	}
	if r.Outcome != run.Succeeded {
		return &exit{code: exitError}
	}
	return nil
}

// followInterval is how often a run that is watched is asked for.
const followInterval = 500 * time.Millisecond

// follow shows a run until it has ended. A daemon that goes away meanwhile may come
// back: the run goes on with it.
func (p *program) follow(ctx context.Context, d *daemon, r *run.Run) (*run.Run, error) {
	var size func() (columns, lines int)
	if p.Terminal {
		size = p.Size
	}
	w := p.view.Follow(p.json, size)
	tails := d.tails(ctx, r, nil)
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	if err := w.Show(r, tails, time.Now()); err != nil {
		return nil, errors.Join(err, w.End(time.Now()))
	}
	for r.Phase != run.Done {
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
		if ctx.Err() != nil {
			return nil, errors.Join(w.End(time.Now()), fmt.Errorf("nobody watches any more, but %s goes on; see it with: fairlead pipeline show %s; end it with: fairlead pipeline cancel %s", r.ID, r.ID, r.ID))
		}
		now, err := d.run(ctx, r.ID)
		switch {
		case ctx.Err() != nil:
			continue
		case isUnknown(err):
			return nil, errors.Join(w.End(time.Now()), err)
		case err != nil:
			err = w.Away(err, time.Now())
		default:
			r, tails = now, d.tails(ctx, now, tails)
			err = w.Show(r, tails, time.Now())
		}
		if err != nil {
			return nil, errors.Join(err, w.End(time.Now()))
		}
	}
	return r, w.End(time.Now())
}
