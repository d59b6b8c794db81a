package git

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// journalTrust knows whose entries count.
type journalTrust struct {
	signers  []spec.Signer
	since    plumbing.Hash // zero: every entry has to be signed
	copied   bool          // see vouchedHere
	verifier signature.Verifier
}

// newJournalTrust returns nil where nobody is named: every entry counts then.
func newJournalTrust(keys []string, since string) *journalTrust {
	if len(keys) == 0 {
		return nil
	}
	return &journalTrust{signers: []spec.Signer{{Name: "journal", SSH: keys}}, since: plumbing.NewHash(since)}
}

func (t *journalTrust) verify(raw []byte) reconcile.SignatureCheck {
	return t.verifier.Verify(raw, t.signers)
}

// errUntrusted: the remote has an entry that nobody who may has signed for this journal.
var errUntrusted = errors.New("it does not count")

// untrustedError is errUntrusted with all that is known.
type untrustedError struct {
	entry          plumbing.Hash
	remote, branch string
	reason         string
}

func (e *untrustedError) Error() string {
	return fmt.Sprintf("the entry %s of the journal of %s: %s: %s; entries are kept here; find out with fairlead audit verify --repo who wrote it, and set the branch %s there back to an entry that counts",
		shortHash(e.entry), e.remote, errUntrusted, e.reason, e.branch)
}
func (e *untrustedError) Unwrap() error { return errUntrusted }

// vouched refuses commits of the remote, oldest first, unless each is signed by a key of
// the journal, for this journal. Those that lead to the commit from which on keys are
// asked for are taken as they are.
func (j *Journal) vouched(ctx context.Context, repo *repository, commits []plumbing.Hash) error {
	if j.trust == nil || len(commits) == 0 {
		return nil
	}
	sealed, err := j.sealed(ctx, repo, commits)
	if err != nil {
		return err
	}
	binding, err := j.bindingHere(repo)
	if err != nil {
		return err
	}
	for _, id := range commits {
		if err := ctx.Err(); err != nil {
			return err
		}
		if sealed[id] {
			continue
		}
		raw, err := repo.read(plumbing.CommitObject, id, maxMetaObject)
		if err != nil {
			return err
		}
		reason := ""
		if check := j.trust.verify(raw); check.State != reconcile.SignatureGood {
			reason = "it is not signed by a key of the journal (" + check.Reason + ")"
		} else if reason, err = binding.refuses(repo, id); err != nil {
			return err
		}
		if reason != "" {
			return &untrustedError{entry: id, remote: j.delivery.Remote, branch: j.store.branch.Short(), reason: reason}
		}
	}
	return nil
}

// vouchedHere looks, once, at what is in the copy of a journal that somebody else keeps: it
// may have been fetched before keys were asked for. One that does not count is none.
func (j *Journal) vouchedHere(ctx context.Context, here position) error {
	if !j.options.ReadOnly || j.upstream == nil || j.trust == nil || j.trust.copied || here.commit.IsZero() {
		return nil
	}
	err := j.store.view(func(repo *clone) error {
		whole, err := ancestry(ctx, &repo.repository, here.commit, func(plumbing.Hash) bool { return false })
		if err != nil {
			return err
		}
		return j.vouched(ctx, &repo.repository, whole)
	})
	if errors.Is(err, errUntrusted) {
		return fmt.Errorf("%w: %w", errNoStore, err)
	}
	j.trust.copied = err == nil
	return err
}

// binding finds entries that were signed for another journal with the same key. Entries
// that name none are older than the name: they count until one that has it.
type binding struct {
	branch string
	begun  bool // an entry with the name was there
}

// bindingHere begins with what is in the store already.
func (j *Journal) bindingHere(repo *repository) (*binding, error) {
	b := &binding{branch: j.store.branch.Short()}
	if j.at == nil || j.at.commit.IsZero() {
		return b, nil
	}
	newest, err := repo.commit(j.at.commit)
	if err != nil {
		return nil, err
	}
	named, _ := journal.BoundTo(newest.Message)
	b.begun = named == b.branch
	return b, nil
}

// refuses says why the next commit does not count; "": it does. What is no entry decides
// nothing.
func (b *binding) refuses(repo *repository, id plumbing.Hash) (string, error) {
	commit, err := repo.commit(id)
	if err != nil {
		return "", err
	}
	named, entry := journal.BoundTo(commit.Message)
	switch {
	case !entry:
	case named == b.branch:
		b.begun = true
	case named != "":
		return fmt.Sprintf("it was signed for the journal %s (after a change of the environment's name, --journal-signed-since takes what came before)", printable(named)), nil
	case b.begun:
		return "it does not say which journal it was signed for, and older entries do", nil
	}
	return "", nil
}

// sealed are the commits that were made before keys were asked for. That they lead to
// the one that is named, by its hash, makes them as good as a signature would.
func (j *Journal) sealed(ctx context.Context, repo *repository, commits []plumbing.Hash) (map[plumbing.Hash]bool, error) {
	for _, id := range commits {
		if id == j.trust.since {
			return ancestors(ctx, repo, id)
		}
	}
	return nil, nil
}
