package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// exactlyOne says what the missing argument is, instead of how many there are.
func exactlyOne(what, example string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return fmt.Errorf("say where %s are; for example: %s", what, example)
		case 1:
			return nil
		default:
			return fmt.Errorf("unexpected argument %q; for example: %s", args[1], example)
		}
	}
}
