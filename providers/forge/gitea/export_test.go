package gitea

import (
	"context"

	"code.gitea.io/sdk/gitea"
)

// History is what leads to a commit, newest first.
func (f *Forge) History(ctx context.Context, commit string) ([]string, error) {
	s, err := f.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.end()
	commits, _, err := all(func(page gitea.ListOptions) ([]*gitea.Commit, *gitea.Response, error) {
		return s.sdk.ListRepoCommits(s.owner, s.repo, gitea.ListCommitOptions{ListOptions: page, SHA: commit})
	})
	var ids []string
	for _, c := range commits {
		ids = append(ids, c.SHA)
	}
	return ids, err
}
