package git

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fairlead/fairlead/reconcile"
)

// Merge implements [reconcile.Commits].
func (s *Source) Merge(ctx context.Context, ours, theirs string) (reconcile.MergeResult, error) {
	return read(ctx, s, func(ctx context.Context, repo *repository, before state) (reconcile.MergeResult, error) {
		var result reconcile.MergeResult
		one, err := commitID(ours)
		if err != nil {
			return result, err
		}
		two, err := commitID(theirs)
		if err != nil {
			return result, err
		}
		old, err := repo.existing(one)
		if err != nil {
			return result, err
		}
		if _, err := repo.existing(two); err != nil {
			return result, err
		}
		merged, err := mergeCommits(ctx, repo, one, two)
		if err != nil {
			return result, err
		}
		result.Base = merged.base.String()
		repo.made = merged.made
		defer func() { repo.made = nil }()
		changes, err := (&treeDiff{ctx: ctx, repo: repo, limit: maxMerged}).between(old.tree, merged.tree)
		if err != nil {
			return result, err
		}
		for i := range changes {
			result.Changed = append(result.Changed, changes[i].path)
		}
		result.Tree, err = s.treeOf(ctx, repo, before, two, merged.tree)
		return result, err
	})
}

// cleanMerge tells whether the tree of a merge is what merging its parents gives. One
// of more than two parents, or whose history is not all there, is not known to be.
func cleanMerge(ctx context.Context, repo *repository, c commitFacts) (bool, error) {
	if len(c.parents) != 2 || !repo.has(c.parents[0]) || !repo.has(c.parents[1]) {
		return false, nil
	}
	merged, err := mergeCommits(ctx, repo, c.parents[0], c.parents[1])
	if _, conflict := errors.AsType[*reconcile.MergeConflict](err); conflict || errors.Is(err, errNoMerge) {
		return false, nil
	}
	return merged.tree == c.tree, err
}

// errNoMerge marks reasons for which two commits are not merged at all.
var errNoMerge = errors.New("the two cannot be merged")

// mergedTree is the outcome of a merge without a conflict.
type mergedTree struct {
	tree, base plumbing.Hash
	made       map[plumbing.Hash]plumbing.EncodedObject
}

// mergeCommits merges the trees of two commits. Where they have several best common
// ancestors, Git would merge these first; here what they disagree on is a conflict,
// unless both sides have the same.
func mergeCommits(ctx context.Context, repo *repository, ours, theirs plumbing.Hash) (mergedTree, error) {
	bases, whole, err := newWalk(ctx, repo).bases(ours, theirs)
	switch {
	case err != nil:
		return mergedTree{}, err
	case !whole:
		return mergedTree{}, fmt.Errorf("%w: the repository is shallow and does not show where they parted; give the daemon a full clone", errNoMerge)
	case len(bases) == 0:
		return mergedTree{}, fmt.Errorf("%w: they have no common history", errNoMerge)
	}
	trees := make([]plumbing.Hash, 0, len(bases)+2)
	for _, id := range append(slices.Clone(bases), ours, theirs) {
		facts, err := repo.facts(id)
		if err != nil {
			return mergedTree{}, err
		}
		trees = append(trees, facts.tree)
	}
	m := &treeMerge{ctx: ctx, repo: repo, edit: treeEdit{repo: repo}}
	n := len(bases)
	tree, err := m.merge(trees[:n], trees[n], trees[n+1])
	if _, much := errors.AsType[*diffLimitError](err); much {
		err = fmt.Errorf("%w: %w", errNoMerge, err)
	}
	if err != nil {
		return mergedTree{}, err
	}
	made := make(map[plumbing.Hash]plumbing.EncodedObject, len(m.edit.made))
	for _, o := range m.edit.made {
		made[o.Hash()] = o
	}
	return mergedTree{tree, bases[0], made}, nil
}
