package cli

import (
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
)

func (p *program) serveCommand() *cobra.Command {
	var f siteFlags
	var logs logFlags
	cmd := &cobra.Command{
		Use:   "serve --repo URL|PATH",
		Short: "Follow a repository and keep what runs equal to it",
		Long: `Runs the daemon: follows a branch of a repository, or a plain directory, and keeps
one environment equal to it. Replicas and the gateway go on serving when the
daemon stops.

Every flag can also be given as FAIRLEAD_NAME in the environment (FAIRLEAD_REPO,
FAIRLEAD_INTERVAL, ...; lists with commas) and in the HCL file that --config
names. A flag wins over the environment, the environment over the file.

What specs may ask of this host (mounts, devices, privileges) is decided by the
--allow flags, never by the repository. Repositories that it includes get none of it
unless their include block says allow = [host].

Secrets in the repository are decrypted with the keys of --age-identity FILE. Those of
an included repository NAME are decrypted with --age-identity NAME=FILE alone, so that
a ciphertext that was copied from one into the other gives nothing. The same key for
both is refused. What is before the first = is a name where it can be one: a path with
= in it begins with / or ./.

Of several daemons of one owner and environment on an engine, one acts and the others
stand by. They tell by a lock, which holds on one host for one user: a file outside of
--data, in /run/fairlead, or for others than root in fairlead-UID below the temporary
directory. Daemons of different users, hosts or containers do not see each other's
lock (a private /tmp, as systemd's PrivateTmp makes, is enough for that) and need
different --owner names.

What is decided about rollouts is kept on the branch fairlead/journal/ENVIRONMENT of
the repository: first in --data, then delivered. While it cannot be delivered,
rollouts go on all the same and "fairlead status" says so.

The checks of rollouts are answered by metrics that the daemon scrapes and keeps in
--data; Grafana reads them below /prometheus, as from a Prometheus. With
--metrics-url a Prometheus answers that you have. It learns what to scrape by
http_sd, from /api/v1/targets; its checks rely on the labels job and environment
that it is told there, so leave these as they are.

Over the unix socket in --data the API answers everything; over TCP (--listen)
/api needs the token of --token-file. /healthz, /readyz and /metrics are open.

Exit codes: 0 stopped by a signal, 1 error.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.resolve(cmd, &f)
			if err != nil {
				return err
			}
			if c.Repo == "" {
				return errors.New("say which repository to follow; for example: fairlead serve --repo https://git.example.com/team/models.git")
			}
			log, err := p.logger(logs)
			if err != nil {
				return err
			}
			daemon, err := app.NewDaemon(cmd.Context(), c, log)
			if err != nil {
				return err
			}
			return daemon.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Repo, "repo", "", "`URL` or path of the repository, or a plain directory")
	flags.StringVar(&f.Branch, "branch", "", "`BRANCH` to follow (default: the one that HEAD of the repository names)")
	flags.StringVar(&f.OnRewrite, "on-rewrite", "follow", "`WHAT` to do when history was rewritten: follow or refuse; it is always said")
	flags.StringVar(&f.Listen, "listen", "", "`HOST:PORT` for the API over TCP (default: only the unix socket)")
	flags.StringVar(&f.TokenFile, "token-file", "", "`FILE` with the bearer token for the API over TCP")
	f.register(flags)
	f.registerEngine(flags)
	f.registerSpecs(flags)
	f.registerGit(flags)
	f.registerAct(flags)
	f.registerPipelines(flags)
	f.registerReview(flags)
	logs.register(flags)
	return cmd
}

// logger writes text to a terminal and JSON to everything else.
func (p *program) logger(f logFlags) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.level)); err != nil {
		return nil, errors.New("--log-level is debug, info, warn or error")
	}
	options := &slog.HandlerOptions{Level: level}
	switch format := f.format; {
	case format == "text" || format == "" && p.Terminal:
		return slog.New(slog.NewTextHandler(p.Stderr, options)), nil
	case format == "json" || format == "":
		return slog.New(slog.NewJSONHandler(p.Stderr, options)), nil
	default:
		return nil, errors.New("--log-format is text or json")
	}
}
