package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fairlead/fairlead/reconcile/audit"
)

// AuditOptions say which journal is verified, and by what.
type AuditOptions struct {
	// Dir is a repository on this machine that has the branch: the journal's own, or any
	// clone of the config repo, also as a branch of its origin.
	Dir    string
	Branch string // as in JournalOptions
	// Trusted and TrustedSince are as in JournalOptions. Without keys nobody's signature
	// is looked at, and the report says so.
	Trusted      []string
	TrustedSince string
	// Committers are those who may commit, "Name <mail>"; empty: anybody.
	Committers []string
	// Heads are what the journal is known to have had.
	Heads []audit.Head
}

func (o AuditOptions) check() error {
	switch {
	case o.Branch == "":
		return errors.New("no branch is named that could hold a journal")
	case o.TrustedSince != "" && !fullID.MatchString(o.TrustedSince):
		return fmt.Errorf("%q is not a full commit id", o.TrustedSince)
	}
	return nil
}

// VerifyJournal walks over the whole branch and tells everything that is wrong with it.
// It asks no network, and changes nothing. The error says why it could not look; what is
// wrong with the journal is in the report.
func VerifyJournal(ctx context.Context, o AuditOptions) (audit.Report, error) {
	if err := o.check(); err != nil {
		return audit.Report{}, fmt.Errorf("verify the journal: %w", err)
	}
	var report audit.Report
	err := steady(o.Dir, func() (err error) {
		if report, err = o.verify(ctx); err == nil && slices.ContainsFunc(report.Problems, isDamage) {
			return errUnreadable
		}
		return err
	})
	if errors.Is(err, errUnreadable) && report.FormatVersion != 0 {
		err = nil // the report tells
	}
	if err != nil {
		return audit.Report{}, fmt.Errorf("verify the journal in %s: %w", o.Dir, err)
	}
	return report, nil
}

// isDamage tells a problem that a daemon beside this process may cause, which tidies.
func isDamage(p audit.Problem) bool { return p.Rule == audit.RuleObject }

// verify is VerifyJournal, once.
func (o AuditOptions) verify(ctx context.Context) (audit.Report, error) {
	report := audit.Report{Repository: o.Dir, Branch: o.Branch, Notes: o.unchecked()}
	var found audit.Found
	err := recovering(func() error {
		repo, err := openLocal(o.Dir)
		if err != nil {
			return err
		}
		defer repo.close()
		head, err := o.head(repo)
		if err != nil {
			return err
		}
		w := newAuditWalk(o)
		if found, err = w.walk(ctx, repo, head); err != nil {
			return err
		}
		w.describe(&report, head)
		masks, err := masksOf(repo)
		found.Problems = append(found.Problems, masks...)
		return err
	})
	if err != nil {
		return audit.Report{}, err
	}
	if report.Head.Commit == "" && len(o.Heads) == 0 {
		return audit.Report{}, fmt.Errorf("it has no branch %s, so there is nothing to verify", o.Branch)
	}
	report.Conclude(found, o.Heads)
	return report, nil
}

// head is the newest commit of the branch, or of that of the remote in somebody's clone.
func (o AuditOptions) head(repo *repository) (plumbing.Hash, error) {
	for _, name := range []plumbing.ReferenceName{plumbing.NewBranchReferenceName(o.Branch), plumbing.NewRemoteReferenceName("origin", o.Branch)} {
		if id, err := refOf(repo, name); err != nil || !id.IsZero() {
			return id, err
		}
	}
	return plumbing.ZeroHash, nil
}

// unchecked says what cannot be told without more than was given.
func (o AuditOptions) unchecked() (notes []string) {
	if len(o.Trusted) == 0 {
		notes = append(notes, "no key was named, so it was not checked who signed the entries")
	}
	if len(o.Heads) == 0 {
		notes = append(notes, "no head was given, so it cannot be told whether entries are missing at the end")
	}
	return notes
}

// describe fills in where the journal begins and ends.
func (w *auditWalk) describe(report *audit.Report, head plumbing.Hash) {
	report.Unsigned = w.unsigned
	if head.IsZero() {
		return
	}
	report.Head = audit.Head{FormatVersion: audit.HeadFormat, Branch: report.Branch, Commit: head.String(), Entries: w.total, At: w.newest}
	report.First = w.oldest
	if w.shallow {
		report.Notes = append(report.Notes, "the repository does not reach back to the first entry, so the numbers count from where it begins")
	}
}

// masksOf lists what makes git show another history than there is. Fairlead itself looks
// through it.
func masksOf(repo *repository) ([]audit.Problem, error) {
	var problems []audit.Problem
	refs, err := repo.stores[0].IterReferences()
	if err != nil {
		return nil, fmt.Errorf("%w: its refs cannot be listed: %w", errUnreadable, err)
	}
	err = refs.ForEach(func(ref *plumbing.Reference) error {
		if id, replaced := strings.CutPrefix(ref.Name().String(), "refs/replace/"); replaced {
			problems = append(problems, audit.Problem{
				Commit: id, Rule: audit.RuleReplace,
				Reason: fmt.Sprintf("%s makes git show %s in its place; fairlead does not look at that; remove it with git replace -d %s", printable(ref.Name().String()), shortHash(ref.Hash()), printable(id)),
			})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: its refs cannot be read: %w", errUnreadable, err)
	}
	grafts := filepath.Join(repo.common, "info", "grafts")
	switch info, err := os.Stat(grafts); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Size() > 0:
		problems = append(problems, audit.Problem{Rule: audit.RuleReplace, Reason: grafts + " makes git show other parents of commits than they have; fairlead does not look at that; remove it"})
	}
	return problems, nil
}

// stamp is who did something, and when.
func stamp(name, email string, when time.Time) audit.Stamp {
	return audit.Stamp{By: fmt.Sprintf("%s <%s>", name, email), When: when}
}
