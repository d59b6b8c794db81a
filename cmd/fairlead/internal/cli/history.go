package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// whereFrom is the part of the help that history and live share.
const whereFrom = `
Asks the daemon. Where none runs, the journal in --data is read; with --repo that
of a repository is read in any case: the branch fairlead/journal/ENVIRONMENT. It
is only read. With --journal-signers a journal that is read here is verified first;
one that was changed is shown, and the exit code is 1. A daemon that answers has
verified its own, by its own --journal-signers.
`

func (p *program) historyCommand() *cobra.Command {
	var f siteFlags
	var since, until string
	var limit int
	var about subject
	cmd := &cobra.Command{
		Use:   "history [MODEL]",
		Short: "Show what was decided, by whom and why",
		Long: `Shows decisions, the newest first: when, about what, from which revision to which, at
what weight, by whom and why. They are about models, runs of pipelines, commits that
came to be followed (accept, where there is a trust block or a forge), and proposals
(propose, conclude).
` + whereFrom + `
    fairlead history digits --since 24h
    fairlead history --commits
    fairlead history --repo https://git.example.com/team/models.git --environment prod

Exit codes: 0 fine, 1 error.`,
		Args: atMost(1, "fairlead history digits"),
		RunE: func(cmd *cobra.Command, args []string) error {
			named := cmd.Flags().Changed("repo")
			c, err := p.resolve(cmd, &f)
			if err != nil {
				return err
			}
			if limit < 1 {
				return fmt.Errorf("--limit %d is too small; use 1 or more", limit)
			}
			query, err := about.query(args)
			if err != nil {
				return err
			}
			query.Limit = limit
			now := time.Now()
			query.Since, err = parseWhen("since", since, now)
			if err != nil {
				return err
			}
			if query.Until, err = parseWhen("until", until, now); err != nil {
				return err
			}
			past, err := f.past(cmd.Context(), c, named)
			if err != nil {
				return err
			}
			defer func() { _ = past.close() }()
			entries, err := past.history(cmd.Context(), query)
			if err != nil {
				return err
			}
			chain, err := p.chainOf(cmd.Context(), c, past)
			if err != nil {
				return err
			}
			h := view.History{FormatVersion: app.HistoryFormat, Environment: c.Environment, From: past.place, Chain: chain, Entries: entries, Commits: about.commits}
			return believed(chain, p.show(h, func() error { return p.view.History(&h) }))
		},
	}
	f.registerChain(cmd.Flags())
	cmd.Flags().IntVar(&limit, "limit", 20, "show so many `DECISIONS` at the most")
	cmd.Flags().StringVar(&since, "since", "", "`TIME` of the oldest: how long ago (24h, 7d), or a date or time")
	cmd.Flags().StringVar(&until, "until", "", "`TIME` of the newest")
	cmd.Flags().StringVar(&about.pipeline, "pipeline", "", "only what is about the pipeline of that `NAME`")
	cmd.Flags().BoolVar(&about.commits, "commits", false, "only which commits came to be followed")
	cmd.Flags().BoolVar(&about.proposals, "proposals", false, "only what was proposed in Git, and what became of it")
	return cmd
}

// subject picks what decisions are about; the zero subject is everything.
type subject struct {
	pipeline           string
	commits, proposals bool
}

func (s *subject) query(args []string) (q journal.Query, err error) {
	picked := len(args)
	for _, on := range []bool{s.pipeline != "", s.commits, s.proposals} {
		if on {
			picked++
		}
	}
	if picked > 1 {
		return q, errors.New("a MODEL, --pipeline, --commits and --proposals each pick something else; say one of them")
	}
	switch {
	case len(args) > 0:
		q.Model, err = servedName(args[0])
	case s.pipeline != "":
		if q.Pipeline = s.pipeline; !spec.ValidName(s.pipeline) {
			err = fmt.Errorf("--pipeline %q is not a name", s.pipeline)
		}
	case s.commits:
		q.Actions = []journal.Action{journal.ActionAccept}
	case s.proposals:
		q.Actions = []journal.Action{journal.ActionPropose, journal.ActionConclude}
	}
	return q, err
}

func (p *program) liveCommand() *cobra.Command {
	var f siteFlags
	var when string
	cmd := &cobra.Command{
		Use:   "live",
		Short: "Show which revisions serve, now or at a time in the past, and why",
		Long: `Shows for every model what was decided to serve: stable and candidate with their
shares of the requests, versions and commits, since when, who decided it and why.
` + whereFrom + `
    fairlead live
    fairlead live --at "2026-03-03 14:00"

Exit codes: 0 fine, 1 error.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			named := cmd.Flags().Changed("repo")
			c, err := p.resolve(cmd, &f)
			if err != nil {
				return err
			}
			now := time.Now()
			at, err := parseWhen("at", when, now)
			if err != nil {
				return err
			}
			if at.IsZero() {
				at = now
			}
			past, err := f.past(cmd.Context(), c, named)
			if err != nil {
				return err
			}
			defer func() { _ = past.close() }()
			live, err := past.live(cmd.Context(), at)
			if err != nil {
				return err
			}
			chain, err := p.chainOf(cmd.Context(), c, past)
			if err != nil {
				return err
			}
			live.Environment, live.From, live.Chain = c.Environment, past.place, chain
			return believed(chain, p.show(live, func() error { return p.view.Live(live, when != "") }))
		},
	}
	f.registerChain(cmd.Flags())
	cmd.Flags().StringVar(&when, "at", "", "`TIME`: how long ago (24h, 7d), or a date or time (default: now)")
	return cmd
}

// registerPast adds the flags of commands that read the journal.
func (f *siteFlags) registerPast(flags *pflag.FlagSet) {
	f.registerDaemon(flags)
	flags.StringVar(&f.Repo, "repo", "", "`URL` or path of a repository whose journal is read, instead of asking a daemon")
	f.registerGitAuth(flags)
}

// registerChain is registerPast for commands that say whether the journal can be relied on.
func (f *siteFlags) registerChain(flags *pflag.FlagSet) {
	f.registerPast(flags)
	f.registerSigners(flags)
}

// servedName is the name under which a model is in the journal.
func servedName(arg string) (string, error) {
	if spec.ValidName(arg) {
		return arg, nil
	}
	a, err := spec.ParseAddress(arg)
	if err != nil || a.Kind != spec.KindModel {
		return "", fmt.Errorf("%q is not a model; write its name, for example digits, or its address, model.digits", arg)
	}
	return a.ServedName(), nil
}

// chainOf verifies the journal that is read here, and says so beside the answer. It is nil
// where a daemon answers, who knows his own journal.
func (p *program) chainOf(ctx context.Context, c app.Config, from *past) (*app.Chain, error) {
	if from.journal == nil {
		if from.unverified {
			return nil, p.view.Unverified()
		}
		return nil, nil
	}
	chain, err := app.CheckChain(ctx, c, from.journal)
	if err != nil {
		return nil, fmt.Errorf("verify the journal that is read: %w", err)
	}
	if !chain.Checked && from.place == c.Data { // which only its daemon writes to
		return chain, nil
	}
	return chain, p.view.Chain(chain, from.place)
}

// believed is err, or else the exit code of an answer that cannot be relied on.
func believed(chain *app.Chain, err error) error {
	if err == nil && chain.Broken() {
		return &exit{code: exitError}
	}
	return err
}

// past answers what was decided: a daemon, or a journal.
type past struct {
	place   string
	daemon  *daemon
	journal journal.Journal
	close   func() error
	// unverified: a daemon answers, and keys were named to verify a journal with.
	unverified bool
}

// past finds who can tell: the repository that was named on the command line, a
// daemon that runs, the repository that the environment or the configuration
// names, or the journal that a daemon has left in its data directory.
func (f *siteFlags) past(ctx context.Context, c app.Config, named bool) (*past, error) {
	if named && f.daemon != "" {
		return nil, errors.New("--repo reads a repository and --daemon asks a daemon; say one of the two")
	}
	if named {
		return pastOf(ctx, c)
	}
	d, err := f.reach(c)
	if err != nil {
		return nil, err
	}
	_, err = d.status(ctx)
	switch {
	case err == nil:
		return &past{daemon: d, close: func() error { return nil }, unverified: f.verifies}, nil
	case !errors.Is(err, errNoDaemon) || f.daemon != "":
		return nil, err
	case c.Repo != "":
		return pastOf(ctx, c)
	}
	j, jerr := app.LeftJournal(c)
	if jerr != nil {
		return nil, fmt.Errorf("%w\nThere is no journal below %s either. To read one from a repository, say --repo URL", err, c.Data)
	}
	return &past{place: c.Data, journal: j, close: func() error { return nil }}, nil
}

// pastOf reads the journal of a repository.
func pastOf(ctx context.Context, c app.Config) (*past, error) {
	j, done, err := app.ReadJournal(ctx, c)
	return &past{place: app.PlaceOf(c), journal: j, close: done}, err
}

func (p *past) history(ctx context.Context, q journal.Query) ([]journal.Entry, error) {
	if p.daemon == nil {
		entries, err := p.journal.History(ctx, q)
		if entries == nil {
			entries = []journal.Entry{}
		}
		return entries, err
	}
	values := url.Values{"limit": {strconv.Itoa(q.Limit)}}
	for name, value := range map[string]string{"model": q.Model, "pipeline": q.Pipeline} {
		if value != "" {
			values.Set(name, value)
		}
	}
	for _, action := range q.Actions {
		values.Add("action", string(action))
	}
	for name, at := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !at.IsZero() {
			values.Set(name, at.Format(time.RFC3339))
		}
	}
	var h app.History
	err := p.daemon.get(ctx, "/api/v1/history", values, &h)
	return h.Entries, err
}

// lookBack is how many decisions are looked through for since when a release
// serves, where the record itself does not tell any more.
const lookBack = 5000

func (p *past) live(ctx context.Context, at time.Time) (*view.Live, error) {
	records, err := p.records(ctx, at)
	if err != nil {
		return nil, err
	}
	live := &view.Live{FormatVersion: app.HistoryFormat, At: at, Models: []view.Serving{}}
	var entries []journal.Entry
	if slices.ContainsFunc(slices.Collect(maps.Values(records)), view.NeedsHistory) {
		if entries, err = p.history(ctx, journal.Query{Until: at, Limit: lookBack}); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(records)) {
		record := records[name]
		live.Models = append(live.Models, view.ServingOf(name, &record, entries))
	}
	return live, nil
}

func (p *past) records(ctx context.Context, at time.Time) (map[string]journal.Record, error) {
	if p.daemon == nil {
		return p.journal.At(ctx, at)
	}
	var answer app.Live
	err := p.daemon.get(ctx, "/api/v1/live", url.Values{"at": {at.Format(time.RFC3339Nano)}}, &answer)
	return answer.Records, err
}
