package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/gate/fixture"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
)

func (p *program) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Judge the specs by policies, and test the policies themselves",
		Long: `Policies are conditions on every model, pipeline or dataset: regulations as code.
What a hard one denies stays as it is. examples/policies has rules to start with.

Exit codes: 0 fine, 1 error.`,
		Args: none,
	}
	cmd.AddCommand(p.policyCheckCommand(), p.policyTestCommand())
	return cmd
}

func (p *program) policyCheckCommand() *cobra.Command {
	var f siteFlags
	var all bool
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Judge the specs by their policies",
		Long: `Reads all specs below DIR (default: the current directory) and judges every model,
pipeline and dataset by the policies that are for it. Needs neither engine nor
network. Without --environment every environment that the specs declare is judged.

Each policy that does not hold is shown with the figures that it found, and with
what to do. A fact that is missing is no evidence, and denies.

    fairlead policy check .
    fairlead policy check --environment prod --all .

Exit codes: 0 no hard policy denies anything, 1 one does, or error.`,
		Args: atMost(1, "fairlead policy check ."),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := p.languageConfig(cmd, &f)
			if err != nil {
				return err
			}
			tree, err := readDirectory(cmd, args)
			if err != nil {
				return err
			}
			configs, diags := loadAll(tree, o)
			if diags.HasErrors() {
				return p.explainError(&diag.ListError{Diagnostics: diags}, tree)
			}
			report := gate.ReportOf(configs, time.Now())
			if err := p.show(report, func() error { return p.view.Policies(&report, all) }); err != nil {
				return err
			}
			if !report.OK {
				return &exit{code: exitError}
			}
			return nil
		},
	}
	f.registerLanguage(cmd.Flags())
	cmd.Flags().StringVar(&f.Environment, "environment", "", "`NAME` of the environment to judge (default: all)")
	cmd.Flags().BoolVar(&all, "all", false, "show the policies that hold, too")
	return cmd
}

// loadAll loads the environment of the options, or every one that the specs
// declare.
func loadAll(tree spec.Tree, o lang.Options) ([]*spec.Config, diag.Diagnostics) {
	loader := lang.NewLoader()
	environments := []string{o.Environment}
	if o.Environment == "" {
		if declared, _ := loader.Environments(tree, o); len(declared) > 0 {
			environments = declared
		}
	}
	var configs []*spec.Config
	for _, name := range environments {
		o.Environment = name
		cfg, diags := loader.Load(tree, o)
		if diags.HasErrors() {
			return nil, diags
		}
		configs = append(configs, cfg)
	}
	return configs, nil
}

func (p *program) policyTestCommand() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Test policies with what they must pass and what they must deny",
		Long: `Runs the fixtures of the policies below DIR (default: the current directory). Those of
policy NAME are the files tests/NAME/*.txtar, each a small config repo in the txtar
format: pass-*.txtar must pass it, fail-*.txtar must not, and it must be about
nothing in skip-*.txtar. Lines above the first file may say more:

    # now: 2026-03-03T14:00:00Z
    # environment: prod
    # outcome: missing
    -- model.hcl --
    model "orphan" {
      image = "orphan:1"
    }

Exit codes: 0 every policy says what its fixtures expect; 1 one does not, or a
policy has no fixture that passes or none that fails, or error.`,
		Args: atMost(1, "fairlead policy test ."),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := p.languageConfig(cmd, &f)
			if err != nil {
				return err
			}
			tree, err := readDirectory(cmd, args)
			if err != nil {
				return err
			}
			report, diags := fixture.Run(tree, o, time.Now())
			if diags.HasErrors() {
				return p.explainError(&diag.ListError{Diagnostics: diags}, tree)
			}
			if err := p.show(report, func() error { return p.view.PolicyTests(report) }); err != nil {
				return err
			}
			if !report.OK {
				return &exit{code: exitError}
			}
			return nil
		},
	}
	f.registerLanguage(cmd.Flags())
	cmd.Flags().StringVar(&f.Environment, "environment", "", "`NAME` of the environment of fixtures that name none")
	return cmd
}
