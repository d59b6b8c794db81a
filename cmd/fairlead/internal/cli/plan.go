package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/gitdir"
	"github.com/fairlead/fairlead/reconcile/review"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
)

func (p *program) planCommand() *cobra.Command {
	var f siteFlags
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan DIR | URL[@REF]",
		Short: "Show what would change, and why",
		Long: `Compares the specs with what runs and shows the difference. Changes nothing.

DIR is read as it is, committed or not. URL[@REF] is a repository at a branch, a
tag or a full commit id.

With --pr it shows what merging a pull request would do, into the branch REF of the
repository at URL, or into its default branch. --forge says where it is. With --post
the plan is written there, too: one comment and one check, as the daemon does.

--format github is for a step of GitHub Actions: each problem is an annotation at its
line, and the plan goes to the summary of the job. markdown is that plan alone.

    fairlead plan --data /var/lib/fairlead/prod --environment prod .
    fairlead plan --format github models
    fairlead plan --pr 12 --forge github --forge-token-file token https://github.com/acme/models.git

Beside the models it names the pipelines, datasets and policies that are not as the
daemon of this --data followed them last. With --preview it also says what of a run
would come from the cache: for that it asks for the images of the steps, reads their
secrets, and fetches the data of the pipelines that change, all of it, each time.

Without the --data of a daemon it is not known which policies are newly broken. Then
text and json take none of them for new, and markdown and github, which are for
checks, take all.

Exit codes: 0 fine; 1 error, or a change that would not go ahead; with --detailed-exitcode 2 when models would
change. A change does not go ahead where the engine has no room, a policy that is not advisory is newly broken, or
too many models would go; with --pr also where the branches conflict.`,
		Args: exactlyOne("the specs to plan", "fairlead plan ."),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.resolve(cmd, &f)
			if err != nil {
				return err
			}
			if err := o.check(p); err != nil {
				return err
			}
			c.Previews = o.preview
			switch {
			case o.pr > 0:
				return p.planPull(cmd.Context(), c, args[0], &o)
			case o.report():
				return p.planReport(cmd.Context(), c, args[0], &o)
			default:
				return p.plan(cmd.Context(), c, args[0], o.detailed)
			}
		},
	}
	f.register(cmd.Flags())
	f.registerEngine(cmd.Flags())
	f.registerSpecs(cmd.Flags())
	f.registerGit(cmd.Flags())
	f.registerForge(cmd.Flags())
	f.Limits.MaxDestroy = 0.5
	cmd.Flags().BoolVar(&o.detailed, "detailed-exitcode", false, "exit with 2 when models would change")
	cmd.Flags().IntVar(&o.pr, "pr", 0, "`NUMBER` of a pull request to plan, as it would be merged")
	cmd.Flags().BoolVar(&o.post, "post", false, "with --pr: write the plan to the pull request")
	cmd.Flags().BoolVar(&o.preview, "preview", false, "say what runs of the pipelines that change would take from the cache; fetches their data")
	cmd.Flags().StringVar(&o.format, "format", "text", "`FORMAT`: text, json, markdown or github")
	return cmd
}

// planOptions say what is planned, and how it is shown.
type planOptions struct {
	pr       int
	post     bool
	format   string
	detailed bool
	preview  bool
}

// report tells whether the plan is shown as a pull request shows it.
func (o *planOptions) report() bool { return o.format == "markdown" || o.format == "github" }

func (o *planOptions) check(p *program) error {
	switch {
	case !slices.Contains([]string{"text", "json", "markdown", "github"}, o.format):
		return fmt.Errorf("--format %q is none of text, json, markdown and github", o.format)
	case p.json && o.report():
		return fmt.Errorf("--json and --format %s are two formats; say one", o.format)
	case o.pr < 0:
		return fmt.Errorf("--pr %d is no number of a pull request", o.pr)
	case o.post && o.pr == 0:
		return errors.New("--post writes to a pull request; say which with --pr")
	}
	p.json = p.json || o.format == "json"
	return nil
}

// plan shows what differs between specs and what runs.
func (p *program) plan(ctx context.Context, c app.Config, arg string, detailed bool) error {
	site, err := openTarget(ctx, c, arg, app.Look)
	if err != nil {
		return err
	}
	defer func() { _ = site.Close() }()
	r, tree, err := site.Plan(ctx)
	if err != nil {
		return p.explainError(err, tree)
	}
	if err := p.view.Planned(p.json, r); err != nil {
		return err
	}
	return ended(r, detailed)
}

// ended is how a plan ends.
func ended(r *review.Report, detailed bool) error {
	switch {
	case r.Failed():
		return &exit{code: exitError}
	case detailed && !r.Plan.Empty():
		return &exit{code: exitChanges}
	}
	return nil
}

// planReport shows the same in the form of a pull request.
func (p *program) planReport(ctx context.Context, c app.Config, arg string, o *planOptions) error {
	site, err := openTarget(ctx, c, arg, app.Look)
	if err != nil {
		return err
	}
	defer func() { _ = site.Close() }()
	r, err := site.PlanReport(ctx)
	if err != nil {
		return err
	}
	if t := parseTarget(arg); t.dir != "" {
		r.Root = p.inWorkspace(t.dir)
	}
	return p.showReport(r, o)
}

// planPull shows what merging a pull request would do.
func (p *program) planPull(ctx context.Context, c app.Config, arg string, o *planOptions) error {
	t := parseTarget(arg)
	c.Repo, c.Branch = t.url, t.ref
	if t.dir != "" {
		c.Repo = t.dir
	}
	if c.Forge.Kind == "" {
		return errors.New("pull requests are on a forge: say which with --forge, for example --forge github --forge-token-file FILE")
	}
	site, err := app.OpenSite(ctx, c, app.Look)
	if err != nil {
		return err
	}
	defer func() { _ = site.Close() }()
	r, err := site.PlanPull(ctx, o.pr, o.post)
	if err != nil {
		return err
	}
	return p.showReport(r, o)
}

// showReport shows a report in its format, and ends by it.
func (p *program) showReport(r *review.Report, o *planOptions) error {
	var err error
	switch o.format {
	case "markdown":
		err = p.view.Markdown(r)
	case "github":
		if err = p.view.GitHub(r, rand.Text()); err == nil {
			err = p.jobSummary(r)
		}
	default:
		err = p.show(r, func() error { return p.view.Review(r) })
	}
	if err != nil {
		return err
	}
	return ended(r, o.detailed)
}

// jobSummary appends the Markdown to the file that GitHub Actions shows below a job.
func (p *program) jobSummary(r *review.Report) error {
	path := p.Getenv("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // the runner's own file, of its mode
	if err != nil {
		return fmt.Errorf("write the summary of the job to GITHUB_STEP_SUMMARY: %w", err)
	}
	_, err = file.WriteString(r.Markdown() + "\n")
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the summary of the job to GITHUB_STEP_SUMMARY: %w", err)
	}
	return nil
}

// inWorkspace is a directory as annotations name it: from the top of the checkout, where
// GitHub Actions has one, else as it was given.
func (p *program) inWorkspace(dir string) string {
	from := p.Getenv("GITHUB_WORKSPACE")
	absolute, err := filepath.Abs(dir)
	if from != "" && err == nil {
		if rel, err := filepath.Rel(from, absolute); err == nil && filepath.IsLocal(rel) {
			dir = rel
		}
	}
	if dir = filepath.ToSlash(filepath.Clean(dir)); dir == "." {
		return ""
	}
	return dir
}

// openTarget opens the site that plan and apply are pointed at. A bare
// repository has no files of its own, so its newest commit is read.
func openTarget(ctx context.Context, c app.Config, arg string, access app.Access) (*app.Site, error) {
	t := parseTarget(arg)
	if t.dir == "" {
		c.Repo, c.Ref = t.url, t.ref
		return app.OpenSite(ctx, c, access)
	}
	if _, err := os.Stat(filepath.Join(t.dir, ".git")); err != nil && gitdir.Is(t.dir) {
		c.Repo = t.dir
		return app.OpenSite(ctx, c, access)
	}
	return app.OpenWorktree(ctx, c, t.dir, access)
}

// explainError prints diagnostics with the lines that they are about, and leaves
// any other error to the edge.
func (p *program) explainError(err error, tree spec.Tree) error {
	list, ok := errors.AsType[*diag.ListError](err)
	if !ok {
		return err
	}
	var sources diag.Sources
	if tree != nil {
		sources = lang.Sources(tree)
	}
	if p.json {
		if err := p.view.JSON(diag.Report(list.Diagnostics, sources)); err != nil {
			return err
		}
	} else {
		p.view.Diagnostics(list.Diagnostics, sources)
	}
	return &exit{code: exitError}
}

// show prints a value as JSON, or as text by the given function.
func (p *program) show(value any, text func() error) error {
	if p.json {
		return p.view.JSON(value)
	}
	return text()
}
