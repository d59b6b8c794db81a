package cli

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fairlead/fairlead/providers/gateway"
	"github.com/fairlead/fairlead/spec"
)

// logFlags say how a long-running command logs.
type logFlags struct{ level, format string }

func (f *logFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.level, "log-level", "info", "`LEVEL`: debug, info, warn or error")
	flags.StringVar(&f.format, "log-format", "", "`FORMAT`: text or json (default: text on a terminal)")
}

func (p *program) gatewayCommand() *cobra.Command {
	var c gateway.Config
	var tokenFile string
	var logs logFlags
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Route requests to replicas (the daemon starts this in a container of its own)",
		Long: `Routes /v2/models/NAME/... and every declared route to the replicas that are ready,
and probes their health. The daemon starts it from an image that holds nothing but
this binary, and gives it its routing table over the admin listener. It goes on
with the last table while the daemon is away.

Exit codes: 0 stopped by a signal, 1 error.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.fromEnvironment(cmd.Flags()); err != nil {
				return err
			}
			if tokenFile == "" {
				return fmt.Errorf("the gateway needs the token of its admin listener: --token-file FILE")
			}
			token, err := os.ReadFile(tokenFile)
			if err != nil {
				return fmt.Errorf("read the admin token: %w", err)
			}
			c.Token, c.Version = spec.NewSensitive(strings.TrimSpace(string(token))), version()
			if c.Logger, err = p.logger(logs); err != nil {
				return err
			}
			server, err := gateway.NewServer(c)
			if err != nil {
				return err
			}
			return server.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.Listen, "listen", ":8080", "`ADDRESS` for requests to models")
	flags.StringVar(&c.Admin, "admin", ":9901", "`ADDRESS` of the admin listener")
	flags.StringVar(&c.TablePath, "table", "", "`FILE` that keeps the last routing table")
	flags.StringVar(&tokenFile, "token-file", "", "`FILE` with the token of the admin listener")
	flags.DurationVar(&c.DrainTimeout, "drain", gateway.DefaultDrainTimeout, "how long open requests may go on after a signal")
	flags.Int64Var(&c.Limits.Body, "max-body", 64<<20, "bytes of one request body")
	logs.register(flags)
	return cmd
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Prints the release, or the commit that this program was built from.

Exit codes: 0 fine, 1 error.`,
		Args: none,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version string `json:"version"`
			}{cmp.Or(version(), "unknown")}
			return p.show(v, func() error { return p.view.Line("fairlead " + v.Version) })
		},
	}
}
