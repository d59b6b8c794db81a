package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile/audit"
	"github.com/fairlead/fairlead/reconcile/gitdir"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// AuditQuery says how a journal is verified.
type AuditQuery struct {
	Heads []string // files with heads, or full commit ids
}

// VerifyJournal verifies the journal of the environment: that of Repo, where it is set,
// else the one in the data directory. A repository elsewhere is fetched first, and that is
// all that needs a network. Without JournalSigners nobody's signature is looked at. The error
// says why nothing could be verified.
func VerifyJournal(ctx context.Context, c Config, q AuditQuery) (audit.Report, error) {
	heads, err := readHeads(q.Heads)
	if err != nil {
		return audit.Report{}, err
	}
	keys, err := readKeys(c.JournalSigners)
	if err != nil {
		return audit.Report{}, err
	}
	dir, done, err := journalOnDisk(ctx, c)
	if err != nil {
		return audit.Report{}, err
	}
	report, err := git.VerifyJournal(ctx, git.AuditOptions{
		Dir: dir, Branch: journal.Branch(c.Environment), Trusted: keys, TrustedSince: c.JournalSignedSince[c.Environment], Heads: heads,
	})
	if c.Repo != "" {
		report.Repository = redact(c.Repo)
	}
	return report, errors.Join(err, done())
}

// journalOnDisk finds a repository on this host that has the journal, or fetches one to a
// place of its own, which done removes.
func journalOnDisk(ctx context.Context, c Config) (dir string, done func() error, err error) {
	nothing := func() error { return nil }
	local := strings.TrimPrefix(c.Repo, "file://")
	switch {
	case c.Repo == "":
		dir = filepath.Join(c.Data, "journal")
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return "", nil, fmt.Errorf("there is no journal of environment %s in %s; name the data directory of its daemon with --data, or its repository with --repo", c.Environment, c.Data)
		}
		return dir, nothing, nil
	case gitdir.Is(local):
		return local, nothing, nil
	case isPlainDirectory(c):
		return "", nil, noRepository(c)
	}
	place, err := os.MkdirTemp("", "fairlead-journal-")
	if err != nil {
		return "", nil, fmt.Errorf("make a place for the journal: %w", err)
	}
	done = func() error { return os.RemoveAll(place) }
	dir = filepath.Join(place, "journal")
	err = git.FetchJournal(ctx, git.JournalOptions{Dir: dir, URL: c.Repo, Auth: c.GitAuth, Branch: journal.Branch(c.Environment), Timeout: c.GitTimeout, ReadOnly: true})
	if err != nil {
		return "", nil, errors.Join(err, done())
	}
	return dir, done, nil
}

func noRepository(c Config) error {
	return fmt.Errorf("%s is no Git repository, and a journal is a branch of one; without a repository it is kept in the data directory: name that with --data", c.Repo)
}

// hexID is what a person may take for the id of a commit.
var hexID = regexp.MustCompile(`^[0-9a-f]{4,40}$`)

// readHeads reads heads from files, and ids as they are.
func readHeads(args []string) ([]audit.Head, error) {
	var heads []audit.Head
	for _, arg := range args {
		text, err := os.ReadFile(arg)
		source := arg
		switch {
		case err == nil:
		case hexID.MatchString(arg) && len(arg) < 40:
			return nil, fmt.Errorf("--head %s is a part of an id; write all 40 digits", arg)
		case hexID.MatchString(arg):
			text, source = []byte(arg), "--head"
		default:
			return nil, fmt.Errorf("read the head of the journal: %w; --head takes such a file, or the 40 digits of a commit", err)
		}
		head, err := audit.ParseHead(text, source)
		if err != nil {
			return nil, err
		}
		heads = append(heads, head)
	}
	return heads, nil
}

// HeadOf is the newest entry of a journal.
func HeadOf(ctx context.Context, j journal.Journal) (audit.Head, error) {
	keeper, ok := j.(*git.Journal)
	if !ok {
		return audit.Head{}, errors.New("this journal is not kept in Git, so it has no newest commit")
	}
	head, err := keeper.Head(ctx)
	if errors.Is(err, journal.ErrClosed) {
		if _, err = keeper.Open(ctx); err != nil {
			return audit.Head{}, err
		}
		head, err = keeper.Head(ctx)
	}
	if err == nil && head.Commit == "" {
		err = errors.New("nothing was decided yet, so the journal has no newest entry")
	}
	return head, err
}

// AuditRows is a part of the journal as an auditor reads it.
type AuditRows struct {
	FormatVersion int         `json:"format_version"`
	Rows          []audit.Row `json:"rows"` // oldest first
}

// ReadAuditRows reads what was decided in a time; zero: without a bound.
func ReadAuditRows(ctx context.Context, j journal.Journal, from, to time.Time) (*AuditRows, error) {
	entries, err := j.History(ctx, journal.Query{Since: from, Until: to, Records: true})
	if err != nil {
		return nil, err
	}
	accepted, err := acceptedBefore(ctx, j, to)
	if err != nil {
		return nil, err
	}
	rows := audit.Rows(entries, accepted)
	slices.Reverse(rows)
	return &AuditRows{FormatVersion: audit.RowFormat, Rows: rows}, nil
}

// acceptedBefore are the entries that tell where commits came from.
func acceptedBefore(ctx context.Context, j journal.Journal, until time.Time) ([]journal.Entry, error) {
	return j.History(ctx, journal.Query{Actions: []journal.Action{journal.ActionAccept}, Until: until, Records: true})
}

// VersionApproval tells who let a version of a model in, and what came of it.
type VersionApproval struct {
	audit.Approval
	Environment string `json:"environment"`
	Chain       *Chain `json:"chain,omitempty"` // of the journal that was read; nil: of a daemon
	// Outcome is how its rollout ended; nil: it has not, or nothing was to roll out.
	Outcome  *RolloutEnd      `json:"outcome,omitempty"`
	Evidence []audit.Evidence `json:"evidence,omitempty"` // last word of each check
}

// RolloutEnd is how a rollout ended.
type RolloutEnd struct {
	Entry  string    `json:"entry"`
	At     time.Time `json:"at"`
	What   string    `json:"what"` // promote, rollback, ...
	Reason string    `json:"reason"`
}

// errNeverCame: the journal knows of no such version.
var errNeverCame = errors.New("never came into the environment")

// WhoApproved tells who let a version of a model into the environment.
func WhoApproved(ctx context.Context, j journal.Journal, environment, model, version string) (*VersionApproval, error) {
	entries, err := j.History(ctx, journal.Query{Model: model, Records: true})
	if err != nil {
		return nil, err
	}
	accepted, err := acceptedBefore(ctx, j, time.Time{})
	if err != nil {
		return nil, err
	}
	found, known := audit.WhoApproved(entries, accepted, model, version)
	if !known {
		return nil, fmt.Errorf("%s %s %w %s, as far as its journal knows%s", model, version, errNeverCame, environment, versionsOf(entries))
	}
	a := &VersionApproval{Approval: found, Environment: environment}
	a.conclude(audit.Rows(entries, accepted))
	return a, nil
}

// ends are the actions that end a rollout.
var ends = []journal.Action{
	journal.ActionPromote, journal.ActionRollback, journal.ActionReturn, journal.ActionAbort, journal.ActionSupersede, journal.ActionFail,
}

// conclude finds how the rollout that began it ended. rows are the newest first.
func (a *VersionApproval) conclude(rows []audit.Row) {
	for _, r := range slices.Backward(rows) {
		if r.At.Before(a.Started) || r.To != a.Revision && r.From != a.Revision {
			continue
		}
		if len(r.Evidence) > 0 {
			a.Evidence = r.Evidence
		}
		if slices.Contains(ends, journal.Action(r.What)) {
			a.Outcome = &RolloutEnd{Entry: r.Entry, At: r.At, What: r.What, Reason: r.Reason}
			return
		}
	}
}

// versionsOf names the versions that did come, for who has mistyped one.
func versionsOf(entries []journal.Entry) string {
	var versions []string
	for _, e := range entries {
		if e.Version != "" && !slices.Contains(versions, e.Version) {
			versions = append(versions, e.Version)
		}
	}
	const shown = 5
	switch {
	case len(entries) == 0:
		return ", which knows no model of that name"
	case len(versions) == 0:
		return ""
	case len(versions) > shown:
		versions = append(versions[:shown], "...")
	}
	return "; it knows " + strings.Join(versions, ", ")
}
