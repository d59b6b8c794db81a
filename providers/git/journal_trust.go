package git

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// journalTrust knows whose entries count.
type journalTrust struct {
	signers  []spec.Signer
	since    plumbing.Hash // zero: every entry has to be signed
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

// errUntrusted: the remote has an entry that nobody who may has signed.
var errUntrusted = errors.New("it is not signed by a key of the journal")

// vouched refuses commits of the remote, oldest first, unless each is signed by a key of
// the journal. Those that lead to the commit from which on keys are asked for are taken
// as they are.
func (j *Journal) vouched(ctx context.Context, repo *repository, commits []plumbing.Hash) error {
	if j.trust == nil || len(commits) == 0 {
		return nil
	}
	sealed, err := j.sealed(ctx, repo, commits)
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
		if check := j.trust.verify(raw); check.State != reconcile.SignatureGood {
			return fmt.Errorf("the entry %s of the journal of %s does not count: %w (%s); entries are kept here; find out with fairlead audit verify who wrote it, and set the branch %s there back to an entry that counts",
				shortHash(id), j.delivery.Remote, errUntrusted, check.Reason, j.store.branch.Short())
		}
	}
	return nil
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
