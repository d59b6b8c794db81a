package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
	"github.com/fairlead/fairlead/spec/schema"
)

func (p *program) explainCommand() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:   "explain ADDRESS [DIR]",
		Short: "Show where a value comes from",
		Long: `Shows every layer that gives a value to an argument, with file and line, and which
one counts: the default, the block, the environment.

    fairlead explain model.digits.replicas --environment prod
    fairlead explain model.digits
    fairlead explain var.registry

Exit codes: 0 fine, 1 error, or there is no such thing.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("say what to explain; for example: fairlead explain model.digits.replicas")
			}
			return atMost(2, "fairlead explain model.digits .")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := p.languageConfig(cmd, &f)
			if err != nil {
				return err
			}
			tree, err := readDirectory(cmd, args[1:])
			if err != nil {
				return err
			}
			explanation, diags := lang.NewLoader().Explain(tree, o, args[0])
			if diags.HasErrors() {
				return p.explainError(&diag.ListError{Diagnostics: diags}, tree)
			}
			return p.show(explanation, func() error { return p.view.Explanation(&explanation) })
		},
	}
	f.registerLanguage(cmd.Flags())
	cmd.Flags().StringVar(&f.Environment, "environment", "", "`NAME` of the environment to look at")
	return cmd
}

func (p *program) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the language reference, or with --json the schema",
		Long: `Prints every block and argument with type, default and meaning. With --json the
same table for programs: editors, converters, checks.

Exit codes: 0 fine, 1 error.`,
		Args: none,
		RunE: func(*cobra.Command, []string) error {
			return p.show(schema.JSON(), func() error { return p.view.Line(schema.Reference()) })
		},
	}
}
