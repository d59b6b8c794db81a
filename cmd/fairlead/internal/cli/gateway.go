package cli

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fairlead/fairlead/providers/gateway"
	"github.com/fairlead/fairlead/providers/gateway/edge"
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
	var certificate certificateFlags
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Route requests to replicas (the daemon starts this in a container of its own)",
		Long: `Routes /v2/models/NAME/... and every declared route to the replicas that are ready,
and probes their health. The daemon starts it from an image that holds nothing but
this binary, and gives it its routing table over the admin listener. It goes on
with the last table while the daemon is away.

Requests come in the clear, over HTTP/1.1 and HTTP/2, unless a certificate is
given: as files, which are read again when they change, or by ACME, for which the
port has to be reached as 443 of the domains.

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
			c.TLS = certificate.options()
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
	certificate.register(flags)
	logs.register(flags)
	return cmd
}

// certificateFlags say which certificate the gateway shows.
type certificateFlags struct {
	certFile, keyFile string
	acme              edge.ACME
}

func (f *certificateFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.certFile, "tls-cert", "", "`FILE` with the certificate and its chain (PEM)")
	flags.StringVar(&f.keyFile, "tls-key", "", "`FILE` with the certificate's private key (PEM)")
	flags.StringArrayVar(&f.acme.Domains, "acme-domain", nil, "`DOMAIN` to get a certificate for by ACME; may be repeated")
	flags.StringVar(&f.acme.Email, "acme-email", "", "`ADDRESS` that the certificate authority writes to")
	flags.StringVar(&f.acme.Directory, "acme-directory", "", "`URL` of the authority's directory (default: Let's Encrypt)")
	flags.StringVar(&f.acme.Storage, "acme-storage", "", "`DIR` that keeps ACME's keys and certificates over restarts")
	flags.StringVar(&f.acme.CAFile, "acme-ca", "", "`FILE` with the roots that the directory is trusted by (default: the system's)")
}

// options are nil where no certificate is asked for. Whether what was asked for
// fits together is seen by whoever makes use of it.
func (f *certificateFlags) options() *edge.Options {
	options := &edge.Options{CertFile: f.certFile, KeyFile: f.keyFile}
	acme := f.acme
	if len(acme.Domains) > 0 || acme.Email != "" || acme.Directory != "" || acme.Storage != "" || acme.CAFile != "" {
		options.ACME = &acme
	}
	if *options == (edge.Options{}) {
		return nil
	}
	return options
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
