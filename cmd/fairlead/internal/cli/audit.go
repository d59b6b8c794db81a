package cli

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/audit"
)

func (p *program) auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Prove what the journal says, and hand it to an auditor",
		Long: `The journal is a branch of the config repo, one signed commit per decision. These
commands prove that nothing of it was changed, and turn it into a table.

Exit codes: 0 fine, 1 error; audit verify 2 when nothing could be checked.`,
		Args: none,
	}
	cmd.AddCommand(p.auditVerifyCommand(), p.auditExportCommand(), p.auditHeadCommand())
	return cmd
}

func (p *program) auditVerifyCommand() *cobra.Command {
	var f siteFlags
	var q app.AuditQuery
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Find what was changed, removed or added in the journal",
		Long: `Walks over the whole journal: each entry holds the id of the one before, is signed
by the daemon, and changes what it says and nothing else. Reads the journal in
--data; with --repo, or where there is none, the branch fairlead/journal/ENVIRONMENT
of a repository. Neither a daemon nor an engine is asked, and nothing is changed.

Two things the journal cannot say about itself. Which key is the daemon's: name it
with --journal-signers. How far it had come: keep its newest entry where whoever can push
cannot write (serve --journal-head FILE, notifications, or "fairlead audit head"),
and name it with --head.

    fairlead audit verify --data /var/lib/fairlead/prod --environment prod \
        --journal-signers daemon.pub --head /mnt/backup/head.json
    fairlead audit verify --repo https://git.example.com/team/models.git \
        --environment prod --journal-signers daemon.pub --head head.json

Exit codes: 0 nothing is wrong, 1 something is, 2 nothing could be checked.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			named := cmd.Flags().Changed("repo")
			c, err := p.resolve(cmd, &f)
			if err != nil {
				return &exit{exitUnchecked, err}
			}
			if _, err := app.LeftJournal(c); err == nil && !named { // one that is configured is for where no daemon runs
				c.Repo = ""
			}
			report, err := app.VerifyJournal(cmd.Context(), c, q)
			if err != nil {
				return &exit{exitUnchecked, err}
			}
			err = p.show(report, func() error {
				return p.view.AuditReport(&report, c.Environment, len(q.Heads) > 0, c.JournalSigners != "")
			})
			if err == nil && !report.OK() {
				err = &exit{code: exitError}
			}
			return err
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringVar(&f.Repo, "repo", "", "`URL` or path of a repository whose journal is verified, instead of the one in --data")
	f.registerGitAuth(cmd.Flags())
	cmd.Flags().StringArrayVar(&q.Heads, "head", nil, "`FILE` or full id of an entry that the journal is known to have had; may be repeated")
	f.registerSigners(cmd.Flags())
	cmd.Flags().SetNormalizeFunc(shortSigners)
	return cmd
}

// shortSigners lets flags about the signers of the journal go without the word where nothing
// but a journal is meant.
func shortSigners(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	if name == "signers" || name == "signed-since" {
		name = "journal-" + name
	}
	return pflag.NormalizedName(name)
}

func (p *program) auditExportCommand() *cobra.Command {
	var f siteFlags
	var from, to, format, output string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write what was decided as a table, with who approved it",
		Long: `Writes a line per decision, the oldest first: what, when, from which revision to
which, by whom and why; the commit that brought it with its author, signer, approvers
and who merged it; and the evidence of checks. As JSON Lines, or as CSV with a line
of names, in which no field is a formula to a spreadsheet.
` + whereFrom + `
    fairlead audit export --from 2026-01-01 --to 2026-04-01 --format csv --output q1.csv

Exit codes: 0 fine, 1 error.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "jsonl" && format != "csv" {
				return fmt.Errorf("--format %q is neither jsonl nor csv", format)
			}
			now := time.Now()
			begin, err := parseWhen("from", from, now)
			if err != nil {
				return err
			}
			end, err := parseWhen("to", to, now)
			if err != nil {
				return err
			}
			if !end.IsZero() && end.Before(begin) {
				return fmt.Errorf("--to %s is before --from %s", to, from)
			}
			past, c, err := p.openPast(cmd, &f)
			if err != nil {
				return err
			}
			defer func() { _ = past.close() }()
			rows, err := past.rows(cmd.Context(), begin, end)
			if err != nil {
				return err
			}
			chain, err := p.chainOf(cmd.Context(), c, past)
			if err != nil {
				return err
			}
			return believed(chain, p.export(rows.Rows, format == "csv", output))
		},
	}
	f.registerChain(cmd.Flags())
	cmd.Flags().StringVar(&from, "from", "", "`TIME` of the oldest: how long ago (90d), or a date or time (default: the first)")
	cmd.Flags().StringVar(&to, "to", "", "`TIME` of the newest (default: now)")
	cmd.Flags().StringVar(&format, "format", "jsonl", "`FORMAT`: jsonl or csv")
	cmd.Flags().StringVarP(&output, "output", "o", "", "`FILE` to write, replaced as a whole (default: standard output)")
	return cmd
}

// export writes rows to a file, or to where output goes.
func (p *program) export(rows []audit.Row, csv bool, output string) error {
	if output == "" || output == "-" {
		return p.view.AuditRows(rows, csv)
	}
	var text strings.Builder
	if err := (&view.View{Out: &text, Err: p.Stderr}).AuditRows(rows, csv); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(output), ".fairlead-audit-*")
	if err != nil {
		return fmt.Errorf("write --output: %w", err)
	}
	defer func() { _ = os.Remove(temp.Name()) }() // it is gone where the rename went well
	_, err = temp.WriteString(text.String())
	if cerr := temp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(temp.Name(), output)
	}
	if err != nil {
		return fmt.Errorf("write --output: %w", err)
	}
	return nil
}

func (p *program) auditHeadCommand() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:   "head",
		Short: "Print the newest entry of the journal, to be kept out of reach",
		Long: `Prints a line that "fairlead audit verify --head" takes later: the id of the newest
entry, its number and its time. Keep it where whoever can write to the journal
cannot, for example by a timer on another host.
` + whereFrom + `
    fairlead audit head --daemon https://10.0.0.5:7070 --token-file token > head.json

Exit codes: 0 fine, 1 error.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			past, c, err := p.openPast(cmd, &f)
			if err != nil {
				return err
			}
			defer func() { _ = past.close() }()
			head, err := past.head(cmd.Context())
			if err != nil {
				return err
			}
			chain, err := p.chainOf(cmd.Context(), c, past)
			if err != nil {
				return err
			}
			return believed(chain, p.view.AuditHead(head))
		},
	}
	f.registerChain(cmd.Flags())
	return cmd
}

func (p *program) whoApprovedCommand() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:   "who-approved MODEL@VERSION",
		Short: "Show who let a version of a model in, and by what evidence",
		Long: `Shows for the first time that a version came into the environment: the commit that
brought it, its author and signer, the pull request with its approvers and who merged
it, and the evidence of the rollout. What the journal does not know, it says: without
a forge nobody tells of pull requests.
` + whereFrom + `
    fairlead who-approved digits@1.1.0

Exit codes: 0 it is known how it came, 1 it never came, or error.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("say which version of which model; for example: fairlead who-approved digits@1.1.0")
			}
			return atMost(1, "fairlead who-approved digits@1.1.0")(nil, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			name, version, ok := strings.Cut(args[0], "@")
			if !ok || version == "" {
				return fmt.Errorf("%q names no version; write MODEL@VERSION, for example digits@1.1.0", args[0])
			}
			model, err := servedName(name)
			if err != nil {
				return err
			}
			past, c, err := p.openPast(cmd, &f)
			if err != nil {
				return err
			}
			defer func() { _ = past.close() }()
			a, err := past.whoApproved(cmd.Context(), c.Environment, model, version)
			if err != nil {
				return err
			}
			if a.Chain, err = p.chainOf(cmd.Context(), c, past); err != nil {
				return err
			}
			return believed(a.Chain, p.show(a, func() error { return p.view.Approval(a) }))
		},
	}
	f.registerChain(cmd.Flags())
	return cmd
}

// openPast finds who can tell what was decided, by the flags of a command.
func (p *program) openPast(cmd *cobra.Command, f *siteFlags) (*past, app.Config, error) {
	named := cmd.Flags().Changed("repo")
	c, err := p.resolve(cmd, f)
	if err != nil {
		return nil, c, err
	}
	past, err := f.past(cmd.Context(), c, named)
	return past, c, err
}

func (p *past) head(ctx context.Context) (audit.Head, error) {
	if p.daemon == nil {
		return app.HeadOf(ctx, p.journal)
	}
	var head audit.Head
	err := p.daemon.get(ctx, "/api/v1/audit/head", nil, &head)
	return head, err
}

func (p *past) rows(ctx context.Context, from, to time.Time) (*app.AuditRows, error) {
	if p.daemon == nil {
		return app.ReadAuditRows(ctx, p.journal, from, to)
	}
	query := url.Values{}
	for name, at := range map[string]time.Time{"from": from, "to": to} {
		if !at.IsZero() {
			query.Set(name, at.Format(time.RFC3339Nano))
		}
	}
	var rows app.AuditRows
	return &rows, p.daemon.get(ctx, "/api/v1/audit/rows", query, &rows)
}

func (p *past) whoApproved(ctx context.Context, environment, model, version string) (*app.VersionApproval, error) {
	if p.daemon == nil {
		return app.WhoApproved(ctx, p.journal, environment, model, version)
	}
	var a app.VersionApproval
	return &a, p.daemon.get(ctx, "/api/v1/audit/approval", url.Values{"model": {model}, "version": {version}}, &a)
}
