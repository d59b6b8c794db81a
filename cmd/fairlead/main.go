// Fairlead keeps the models that serve on a Docker host equal to a Git
// repository. See package cli for the commands.
package main

import (
	"os"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.System()))
}
