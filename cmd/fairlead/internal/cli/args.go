package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// The checks of arguments say what is missing or too much, instead of how many
// arguments a command takes.

// exactlyOne is for commands that cannot guess where the specs are.
func exactlyOne(what, example string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return fmt.Errorf("say where %s are; for example: %s", what, example)
		case 1:
			return nil
		default:
			return unexpected(args[1], example)
		}
	}
}

// atMost is for commands whose last argument is a directory that may be left
// out.
func atMost(n int, example string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > n {
			return unexpected(args[n], example)
		}
		return nil
	}
}

// none is for commands that are told everything by flags.
func none(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q; see: %s --help", args[0], cmd.CommandPath())
	}
	return nil
}

func unexpected(arg, example string) error {
	return fmt.Errorf("unexpected argument %q; for example: %s", arg, example)
}
