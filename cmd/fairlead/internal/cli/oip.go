package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/providers/oip"
)

func (p *program) oipCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "oip",
		Short: "Look at model servers by the Open Inference Protocol",
		Args:  none,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.oipCheckCommand())
	return cmd
}

func (p *program) oipCheckCommand() *cobra.Command {
	var model string
	cmd := &cobra.Command{
		Use:   "check URL",
		Short: "Try every requirement of the Open Inference Protocol on a server",
		Long: `Tries every requirement of the Open Inference Protocol v2 (REST) on a model server,
and shows which it meets. The requests are made from the model's own metadata and
are small. Needs neither specs nor engine.

    fairlead oip check http://127.0.0.1:8080 --model digits

Exit codes: 0 every requirement is met, 1 one is not, or error.`,
		Args: func(_ *cobra.Command, args []string) error {
			const example = "fairlead oip check http://127.0.0.1:8080"
			switch len(args) {
			case 0:
				return fmt.Errorf("say which server to check; for example: %s", example)
			case 1:
				return nil
			}
			return unexpected(args[1], example)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			report := oip.Check(cmd.Context(), nil, args[0], model)
			if len(report.Results) == 0 && !p.json {
				return errors.New(report.Problem)
			}
			if err := p.show(report, func() error { return p.view.Conformance(&report) }); err != nil {
				return err
			}
			if !report.Conforms {
				return &exit{code: exitError}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&model, "model", "", "`NAME` of the model (default: the only one, where the server lists its models)")
	return cmd
}
