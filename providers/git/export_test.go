package git

import (
	"context"

	"github.com/go-git/go-git/v5/plumbing"
)

// MergedTree is the id of the tree that merging two commits of a repository on this
// machine gives.
func MergedTree(ctx context.Context, path, ours, theirs string) (string, error) {
	repo, err := openLocal(path)
	if err != nil {
		return "", err
	}
	defer repo.close()
	m, err := mergeCommits(ctx, repo, plumbing.NewHash(ours), plumbing.NewHash(theirs))
	return m.tree.String(), err
}

// JoinEach has a journal join packs as soon as there are n of a size.
func JoinEach(j *Journal, n int) { j.store.fan = n }

// SettleHead waits until the file for the head of a journal has the newest one.
func SettleHead(j *Journal) { j.settleHead(context.Background()) }
