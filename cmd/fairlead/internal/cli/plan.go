package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
)

func (p *program) planCommand() *cobra.Command {
	var f siteFlags
	var detailed bool
	cmd := &cobra.Command{
		Use:   "plan DIR | URL[@REF]",
		Short: "Show what would change, and why",
		Long: `Compares the specs with what runs and shows the difference. Changes nothing.

DIR is read as it is, committed or not. URL[@REF] is a repository at a branch, a
tag or a full commit id.

Exit codes: 0 fine, 1 error, or the engine has no room for a change; with --detailed-exitcode 2 when there are changes.`,
		Args: exactlyOne("the specs to plan", "fairlead plan ."),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.resolve(cmd, &f)
			if err != nil {
				return err
			}
			site, err := openTarget(cmd.Context(), c, args[0], app.Look)
			if err != nil {
				return err
			}
			defer func() { _ = site.Close() }()
			result, tree, err := site.Plan(cmd.Context())
			if err != nil {
				return p.explainError(err, tree)
			}
			if err := p.show(result, func() error { return p.view.Plan(result) }); err != nil {
				return err
			}
			if result.Summary.Problems > 0 {
				return &exit{code: exitError}
			}
			if detailed && !result.Empty() {
				return &exit{code: exitChanges}
			}
			return nil
		},
	}
	f.register(cmd.Flags())
	f.registerEngine(cmd.Flags())
	f.registerSpecs(cmd.Flags())
	f.registerGit(cmd.Flags())
	f.Limits.MaxDestroy = 0.5
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 when there are changes")
	return cmd
}

// openTarget opens the site that plan and apply are pointed at. A bare
// repository has no files of its own, so its newest commit is read.
func openTarget(ctx context.Context, c app.Config, arg string, access app.Access) (*app.Site, error) {
	t := parseTarget(arg)
	if t.dir == "" {
		c.Repo, c.Ref = t.url, t.ref
		return app.OpenSite(ctx, c, access)
	}
	if _, err := os.Stat(filepath.Join(t.dir, ".git")); err != nil && app.IsRepository(t.dir) {
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
