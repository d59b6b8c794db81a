package gitea

import (
	"context"
	"net/http"
	"slices"
	"time"

	"code.gitea.io/sdk/gitea"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

// How far a rebase is looked for.
const (
	closedPulls  = 100             // pull requests that were touched last
	rebasedPulls = 8               // of those, whose commits are compared
	rebasedSkew  = 2 * time.Minute // between the clocks of a commit and of its merge
)

// Brought implements reconcile.Forge. Gitea itself knows the one commit that a pull
// request was merged as: the merge, the squashed commit, or the last of a rebase. The
// earlier ones of a rebase are looked for below the last commits of the pull requests
// that were merged next. That is by their number, not by what they hold.
func (f *Forge) Brought(ctx context.Context, commit string) ([]reconcile.Pull, error) {
	s, err := f.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.end()
	doing := "ask what brought " + commit
	p, response, err := s.sdk.GetCommitPullRequest(s.owner, s.repo, commit)
	if status(response) == http.StatusNotFound {
		return s.rebased(commit)
	}
	if err != nil {
		return nil, s.failed(rest.Call{Doing: doing, Needs: readPulls}, response, err)
	}
	pull, ok := told(p)
	if !ok {
		return nil, s.odd(doing, "it has no number, or no branch")
	}
	if pull.State != reconcile.PullMerged || pull.Merged != commit {
		return nil, nil
	}
	return s.one(pull)
}

func (s *session) one(p reconcile.Pull) ([]reconcile.Pull, error) {
	p, err := s.complete(p)
	if err != nil {
		return nil, err
	}
	return []reconcile.Pull{p}, nil
}

// rebased finds the pull request whose rebase a commit is a part of.
func (s *session) rebased(commit string) ([]reconcile.Pull, error) {
	call := rest.Call{Doing: "look at the commit " + commit, Needs: "read:repository"}
	c, response, err := s.sdk.GetSingleCommit(s.owner, s.repo, commit)
	switch {
	case status(response) == http.StatusNotFound:
		return nil, s.repoIsThere(call.Doing)
	case err != nil:
		return nil, s.failed(call, response, err)
	case c == nil || c.RepoCommit == nil || c.RepoCommit.Committer == nil:
		return nil, s.odd(call.Doing, "it has no committer")
	case len(c.Parents) != 1:
		return nil, nil
	}
	made, err := time.Parse(time.RFC3339, c.RepoCommit.Committer.Date)
	if err != nil {
		return nil, s.odd(call.Doing, "it has no time")
	}
	candidates, err := s.mergedSince(made.Add(-rebasedSkew))
	if err != nil {
		return nil, err
	}
	for _, p := range candidates {
		part, err := s.isPart(commit, p)
		if err != nil {
			return nil, err
		}
		if part {
			return s.one(p)
		}
	}
	return nil, nil
}

// mergedSince are the pull requests that were merged first after a time, of those
// that were touched last.
func (s *session) mergedSince(since time.Time) ([]reconcile.Pull, error) {
	type merge struct {
		at   time.Time
		pull reconcile.Pull
	}
	var merged []merge
	seen := 0
	response, err := pages(func(page gitea.ListOptions) ([]*gitea.PullRequest, *gitea.Response, error) {
		return s.sdk.ListRepoPullRequests(s.owner, s.repo, gitea.ListPullRequestsOptions{ListOptions: page, State: gitea.StateClosed, Sort: "recentupdate"})
	}, func(p *gitea.PullRequest) bool {
		seen++
		if pull, ok := told(p); ok && pull.Merged != "" && p.Merged != nil && !p.Merged.Before(since) {
			merged = append(merged, merge{*p.Merged, pull})
		}
		return seen < closedPulls
	})
	if err != nil {
		return nil, s.failed(rest.Call{Doing: "list the merged pull requests", Needs: readPulls}, response, err)
	}
	slices.SortStableFunc(merged, func(a, b merge) int { return a.at.Compare(b.at) })
	var first []reconcile.Pull
	for _, m := range merged[:min(len(merged), rebasedPulls)] {
		first = append(first, m.pull)
	}
	return first, nil
}

// isPart tells whether a commit is one of as many in a row as a pull request has,
// the last of which merged it.
func (s *session) isPart(commit string, p reconcile.Pull) (bool, error) {
	commits, err := s.pullCommits(p.Number)
	if err != nil || len(commits) < 2 {
		return false, err
	}
	part, next, left := false, p.Merged, len(commits)
	response, err := pages(func(page gitea.ListOptions) ([]*gitea.Commit, *gitea.Response, error) {
		return s.sdk.ListRepoCommits(s.owner, s.repo, gitea.ListCommitOptions{ListOptions: page, SHA: p.Merged})
	}, func(c *gitea.Commit) bool {
		if c == nil || c.CommitMeta == nil || c.SHA != next || len(c.Parents) != 1 || c.Parents[0] == nil {
			return false // no row
		}
		part = c.SHA == commit
		next, left = c.Parents[0].SHA, left-1
		return !part && left > 0
	})
	if err != nil {
		return false, s.failed(rest.Call{Doing: "list the commits that " + p.Merged + " ends", Needs: "read:repository"}, response, err)
	}
	return part, nil
}
