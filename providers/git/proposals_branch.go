package git

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fairlead/fairlead/reconcile"
)

// Look implements reconcile.Proposals.
func (p *Proposals) Look(ctx context.Context, branch, commit, into string) (reconcile.ProposalBranch, error) {
	var there reconcile.ProposalBranch
	err := p.alone(ctx, func(ctx context.Context, base *clone) error {
		from := newUpstream(p.link, plumbing.NewBranchReferenceName(branch))
		tip, err := from.tip(ctx)
		if err != nil {
			return err
		}
		if !tip.IsZero() {
			_, foreign, err := p.look(ctx, from, base, branch, tip, hashes(into))
			if err != nil {
				return err
			}
			there.Tip, there.Ours = tip.String(), foreign == ""
		}
		there.Merged, err = merged(ctx, base, commit, into)
		return err
	})
	if err != nil {
		return reconcile.ProposalBranch{}, fmt.Errorf("look at the proposal %s: %w", branch, err)
	}
	return there, nil
}

// hashes are those ids that are whole.
func hashes(ids ...string) (known []plumbing.Hash) {
	for _, id := range ids {
		if fullID.MatchString(id) {
			known = append(known, plumbing.NewHash(id))
		}
	}
	return known
}

// merged tells whether a commit is part of the history of another, as far as both are
// here.
func merged(ctx context.Context, base *clone, commit, into string) (bool, error) {
	if !fullID.MatchString(commit) || !fullID.MatchString(into) {
		return false, nil
	}
	was, tip := plumbing.NewHash(commit), plumbing.NewHash(into)
	if !base.has(was) || !base.has(tip) {
		return false, nil
	}
	newest, err := base.commit(tip)
	if err != nil {
		return false, err
	}
	found, _, err := base.isAncestor(ctx, was, newest)
	return found, err
}

// Withdraw implements reconcile.Proposals.
func (p *Proposals) Withdraw(ctx context.Context, branch string) error {
	if !ofProposals(branch) {
		return fmt.Errorf("%q is no branch of a proposal", printable(branch))
	}
	err := p.alone(ctx, func(ctx context.Context, base *clone) error {
		from := newUpstream(p.link, plumbing.NewBranchReferenceName(branch))
		tip, err := from.tip(ctx)
		if err != nil || tip.IsZero() {
			return err
		}
		_, foreign, err := p.look(ctx, from, base, branch, tip, nil)
		if err != nil {
			return err
		}
		if foreign != "" {
			return fmt.Errorf("%w: %s %s", reconcile.ErrNotOurs, shortHash(tip), foreign)
		}
		return from.remove(ctx, tip)
	})
	if err != nil {
		return fmt.Errorf("withdraw %s: %w", branch, err)
	}
	return nil
}

// ofProposals tells whether Proposals may write to a branch.
func ofProposals(branch string) bool {
	return strings.HasPrefix(branch, proposalFolder) && !strings.HasPrefix(branch, journalFolder) && plumbing.NewBranchReferenceName(branch).Validate() == nil
}
