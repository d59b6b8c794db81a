package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec/lang"
)

// aboutRuns is the part of the help about how a run is named.
const aboutRuns = `
RUN is the id of a run, such as train_digits-12, or the name of a pipeline, which
means its newest run.
`

func (p *program) pipelineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pipeline",
		Short: "Run pipelines, look at their runs, and decide about them",
		Long: `A pipeline makes a model from data in steps, each of which is a container. What a
step gave is kept by all that it follows from, so a step runs again only when its
image, command, environment, parameters or inputs differ.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		p.pipelineListCommand(), p.pipelinePlanCommand(), p.pipelineRunCommand(), p.pipelineShowCommand(), p.pipelineLogsCommand(),
		p.pipelineResumeCommand(), p.pipelineCancelCommand(), p.pipelineOverrideCommand(), p.pipelineGraphCommand(),
	)
	return cmd
}

func (p *program) pipelineListCommand() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:   "list [PIPELINE]",
		Short: "List pipelines, or the runs of one",
		Long: `Lists the pipelines that Git declares: how their last run ended or how far the one
under way is, when the next begins, and what starts them. With the name of a
pipeline it lists its runs, the newest first.

    fairlead pipeline list
    fairlead pipeline list train_digits

Exit codes: 0 fine, 1 error, no daemon answers, or there is no such pipeline.`,
		Args: atMost(1, "fairlead pipeline list train_digits"),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.daemonOf(cmd, &f)
			if err != nil {
				return err
			}
			status, err := d.pipelines(cmd.Context())
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return p.show(status, func() error { return p.view.Pipelines(status, time.Now()) })
			}
			runs, err := d.runs(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if len(runs.Runs) == 0 { // one that left Git may have runs yet
				if err := d.declares(cmd.Context(), status, args[0]); err != nil {
					return err
				}
			}
			return p.show(runs, func() error { return p.view.Runs(runs, args[0], time.Now()) })
		},
	}
	f.registerDaemon(cmd.Flags())
	return cmd
}

func (p *program) pipelinePlanCommand() *cobra.Command {
	var f siteFlags
	var params []string
	cmd := &cobra.Command{
		Use:   "plan PIPELINE",
		Short: "Show which steps a run would take from the cache, and why the others run",
		Long: `Shows for each step whether an earlier run did the same, so that its result would be
taken, or what differs. Starts nothing. A step that reads what another gives is
open until that one has run.

    fairlead pipeline plan train_digits -p test_share=0.3

Exit codes: 0 fine, 1 error, or a run could not start.`,
		Args: onePipeline("fairlead pipeline plan train_digits"),
		RunE: func(cmd *cobra.Command, args []string) error {
			given, err := parseParams(params)
			if err != nil {
				return err
			}
			d, err := p.daemonOf(cmd, &f)
			if err != nil {
				return err
			}
			preview, err := d.preview(cmd.Context(), args[0], given)
			if err != nil {
				return err
			}
			if err := p.show(preview, func() error { return p.view.RunPreview(&preview.Preview) }); err != nil {
				return err
			}
			if preview.Problem != "" {
				return &exit{code: exitError}
			}
			return nil
		},
	}
	f.registerDaemon(cmd.Flags())
	registerParams(cmd, &params)
	return cmd
}

func (p *program) pipelineShowCommand() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:   "show RUN",
		Short: "Show a run: its steps, figures, gates, what it published, and what to do next",
		Long: `Shows what a run was started with, how each step is and what it gave, the gates
with their figures, the version that it proposed, what failed and what a person
can do about it.
` + aboutRuns + `
    fairlead pipeline show train_digits
    fairlead pipeline show train_digits-12 --json

Exit codes: 0 fine, 1 error, no daemon answers, or there is no such run.`,
		Args: oneRun("fairlead pipeline show train_digits"),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, r, err := p.runOf(cmd, &f, args[0])
			if err != nil {
				return err
			}
			return p.show(r, func() error { return p.view.Run(r, d.tails(cmd.Context(), r, nil), time.Now()) })
		},
	}
	f.registerDaemon(cmd.Flags())
	return cmd
}

// onePipeline is for commands about one pipeline, and oneRun for those about a run.
func onePipeline(example string) cobra.PositionalArgs { return oneThing("pipeline", example) }

func oneRun(example string) cobra.PositionalArgs { return oneThing("run", example) }

func oneThing(what, example string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return fmt.Errorf("say which %s is meant; for example: %s", what, example)
		case 1:
			return nil
		}
		return unexpected(args[1], example)
	}
}

// registerParams adds the flag for parameters of a run.
func registerParams(cmd *cobra.Command, to *[]string) {
	cmd.Flags().StringArrayVarP(to, "param", "p", nil, "parameter of the run, `NAME=VALUE`; may be repeated")
}

// parseParams reads what registerParams takes. The daemon knows what type each has.
func parseParams(pairs []string) (map[string]any, error) {
	given := map[string]any{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := given[name]; twice {
			return nil, fmt.Errorf("parameter %s is given twice", name)
		}
		if !ok || name == "" {
			return nil, fmt.Errorf("-p %q is not of the form NAME=VALUE", pair)
		}
		given[name] = value
	}
	return given, nil
}

// daemonOf reaches the daemon that the flags mean.
func (p *program) daemonOf(cmd *cobra.Command, f *siteFlags) (*daemon, error) {
	c, err := p.resolve(cmd, f)
	if err != nil {
		return nil, err
	}
	return f.reach(c)
}

// runOf asks for the run that an argument means.
func (p *program) runOf(cmd *cobra.Command, f *siteFlags, arg string) (*daemon, *run.Run, error) {
	d, err := p.daemonOf(cmd, f)
	if err != nil {
		return nil, nil, err
	}
	r, err := d.findRun(cmd.Context(), arg)
	return d, r, err
}

func (d *daemon) pipelines(ctx context.Context) (*runner.Status, error) {
	var s runner.Status
	return &s, d.get(ctx, "/api/v1/pipelines", nil, &s)
}

// runs are those of a pipeline, the newest first.
func (d *daemon) runs(ctx context.Context, pipeline string) (*app.Runs, error) {
	var runs app.Runs
	return &runs, d.get(ctx, "/api/v1/runs", url.Values{"pipeline": {pipeline}}, &runs)
}

func (d *daemon) run(ctx context.Context, id string) (*run.Run, error) {
	var r run.Run
	return &r, d.get(ctx, "/api/v1/runs/"+url.PathEscape(id), nil, &r)
}

func (d *daemon) preview(ctx context.Context, pipeline string, params map[string]any) (*app.RunPreview, error) {
	query := url.Values{}
	for name, value := range params {
		query.Set("param."+name, fmt.Sprint(value))
	}
	var preview app.RunPreview
	err := d.get(ctx, "/api/v1/pipelines/"+url.PathEscape(pipeline)+"/preview", query, &preview)
	return &preview, d.nearest(ctx, pipeline, err)
}

// findRun is the run of that id, or the newest of the pipeline of that name.
func (d *daemon) findRun(ctx context.Context, arg string) (*run.Run, error) {
	r, err := d.run(ctx, arg)
	if !isUnknown(err) {
		return r, err
	}
	runs, err := d.runs(ctx, arg)
	if err != nil {
		return nil, err
	}
	if len(runs.Runs) > 0 {
		return d.run(ctx, runs.Runs[0].ID)
	}
	status, err := d.pipelines(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.declares(ctx, status, arg); err != nil {
		return nil, fmt.Errorf("there is no run %q, and %w", arg, err)
	}
	return nil, fmt.Errorf("pipeline %s never ran; start it: fairlead pipeline run %s", arg, arg)
}

// nearest adds to a refusal which pipeline was perhaps meant.
func (d *daemon) nearest(ctx context.Context, name string, err error) error {
	if !isUnknown(err) {
		return err
	}
	status, askErr := d.pipelines(ctx)
	if askErr != nil {
		return err
	}
	if unknown := d.declares(ctx, status, name); unknown != nil {
		return unknown
	}
	return err
}

// isUnknown tells whether the daemon says that there is no such thing.
func isUnknown(err error) bool {
	refusal, ok := errors.AsType[*refusedError](err)
	return ok && refusal.status == http.StatusNotFound
}

// declares is declaredIn of what the daemon follows, which the error names: somebody may ask
// about a commit that is newer.
func (d *daemon) declares(ctx context.Context, s *runner.Status, name string) error {
	if declaredIn(s, name, "") == nil {
		return nil
	}
	where := ""
	switch status, err := d.status(ctx); {
	case err != nil: // it is about pipelines, and that is told without
	case status.Commit.ID == "":
		where = ": the daemon follows no commit yet; see: fairlead status"
	default:
		where = " in commit " + status.Commit.Short() + ", which the daemon follows"
	}
	return declaredIn(s, name, where)
}

// declaredIn is an error where no pipeline has that name. where says of what, if it is known.
func declaredIn(s *runner.Status, name, where string) error {
	var names []string
	for i := range s.Pipelines {
		if s.Pipelines[i].Name == name {
			return nil
		}
		names = append(names, s.Pipelines[i].Name)
	}
	switch near := lang.Nearest(name, names); {
	case near != "":
		return fmt.Errorf("there is no pipeline %q; did you mean %s?", name, near)
	case len(names) == 0:
		return errors.New("no pipeline is declared" + where)
	}
	return fmt.Errorf("there is no pipeline %q%s; see: fairlead pipeline list", name, where)
}
