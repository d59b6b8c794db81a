package gitea

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"code.gitea.io/sdk/gitea"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

const (
	readPulls  = "read:repository"
	writePulls = "write:repository and write:issue"

	// What is sent of a text at most, in characters. Gitea takes more of a body than
	// anybody reads.
	maxTitle = 255
	maxBody  = 65_536
)

// Pulls implements reconcile.Forge. Picked by a branch, it lists those from the
// repository itself.
func (f *Forge) Pulls(ctx context.Context, q reconcile.PullQuery) ([]reconcile.Pull, error) {
	s, err := f.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.end()
	return s.open(q)
}

func (s *session) open(q reconcile.PullQuery) ([]reconcile.Pull, error) {
	var pulls []reconcile.Pull
	seen := map[int]bool{} // a page moves while others open pull requests
	err := s.list("list the open pull requests", gitea.StateOpen, func(p reconcile.Pull) bool {
		if !seen[p.Number] && (q.Base == "" || p.Base == q.Base) && (q.Head == "" || !p.Fork && p.Head == q.Head) {
			seen[p.Number] = true
			pulls = append(pulls, p)
		}
		return true
	})
	return pulls, err
}

// list reads pull requests, the newest first.
func (s *session) list(doing string, state gitea.StateType, take func(reconcile.Pull) (more bool)) error {
	var broken error
	response, err := pages(func(page gitea.ListOptions) ([]*gitea.PullRequest, *gitea.Response, error) {
		return s.sdk.ListRepoPullRequests(s.owner, s.repo, gitea.ListPullRequestsOptions{ListOptions: page, State: state})
	}, func(p *gitea.PullRequest) bool {
		pull, ok := told(p)
		if !ok {
			broken = s.odd(doing, "a pull request has no number, or no branch")
			return false
		}
		return take(pull)
	})
	if err != nil {
		return s.failed(rest.Call{Doing: doing, Needs: readPulls}, response, err)
	}
	return broken
}

// Pull implements reconcile.Forge.
func (f *Forge) Pull(ctx context.Context, number int) (reconcile.Pull, error) {
	s, err := f.begin(ctx)
	if err != nil {
		return reconcile.Pull{}, err
	}
	defer s.end()
	p, err := s.pull(number)
	if err != nil {
		return reconcile.Pull{}, err
	}
	return s.complete(p)
}

// pull is a pull request without what takes more requests to know.
func (s *session) pull(number int) (reconcile.Pull, error) {
	doing := fmt.Sprintf("look at pull request %d", number)
	p, response, err := s.sdk.GetPullRequest(s.owner, s.repo, int64(number))
	if err != nil {
		return reconcile.Pull{}, s.missing(rest.Call{Doing: doing, Needs: readPulls}, response, err)
	}
	pull, ok := told(p)
	if !ok {
		return reconcile.Pull{}, s.odd(doing, "it has no number, or no branch")
	}
	return pull, nil
}

// complete asks what Gitea does not tell with a pull request that is over: what
// exactly was merged or closed, since it tells of any what its branch holds by now, and
// who closed it.
func (s *session) complete(p reconcile.Pull) (reconcile.Pull, error) {
	var err error
	switch p.State {
	case reconcile.PullMerged:
		if p.MergedBy == "" { // a list does not tell
			if p, err = s.pull(p.Number); err != nil {
				return p, err
			}
		}
		p.HeadSHA, err = s.headOf(p)
	case reconcile.PullClosed:
		if p.HeadSHA, err = s.headOf(p); err == nil {
			p.ClosedBy, err = s.closedBy(p.Number)
		}
	case reconcile.PullOpen:
	}
	return p, err
}

// headOf is the commit that refs/pull/N/head holds. It is "" where there is no such
// ref: the branch of the pull request may be something else by now.
func (s *session) headOf(p reconcile.Pull) (string, error) {
	call := rest.Call{Doing: fmt.Sprintf("ask what was proposed by pull request %d", p.Number), Needs: "read:repository"}
	refs, response, err := s.sdk.GetRepoRefs(s.owner, s.repo, p.Ref)
	switch {
	case status(response) == http.StatusNotFound:
		return "", nil
	case err != nil:
		return "", s.failed(call, response, err)
	}
	for _, ref := range refs {
		if ref != nil && ref.Ref == p.Ref && ref.Object != nil {
			return ref.Object.SHA, nil
		}
	}
	return "", nil
}

func (s *session) closedBy(number int) (who string, err error) {
	response, err := pages(func(page gitea.ListOptions) ([]*gitea.TimelineComment, *gitea.Response, error) {
		return s.sdk.ListIssueTimeline(s.owner, s.repo, int64(number), gitea.ListIssueCommentOptions{ListOptions: page})
	}, func(c *gitea.TimelineComment) bool {
		if c != nil && c.Type == "close" {
			who = login(c.Poster)
		}
		return true
	})
	if err != nil {
		return "", s.missing(rest.Call{Doing: fmt.Sprintf("ask who closed pull request %d", number), Needs: "read:issue"}, response, err)
	}
	return who, nil
}

// Latest implements reconcile.Forge. Gitea cannot be asked for a branch: it reads the
// list until it meets one.
func (f *Forge) Latest(ctx context.Context, head string) (reconcile.Pull, error) {
	s, err := f.begin(ctx)
	if err != nil {
		return reconcile.Pull{}, err
	}
	defer s.end()
	var latest reconcile.Pull
	err = s.list("look for the pull request from "+head, gitea.StateAll, func(p reconcile.Pull) bool {
		if !p.Fork && p.Head == head {
			latest = p
		}
		return latest.Number == 0
	})
	if err != nil {
		return reconcile.Pull{}, err
	}
	if latest.Number == 0 {
		return reconcile.Pull{}, fmt.Errorf("%s: from the branch %s: %w", s.Name(), head, reconcile.ErrNoPull)
	}
	return s.complete(latest)
}

// PullCommits implements reconcile.Forge.
func (f *Forge) PullCommits(ctx context.Context, number int) ([]reconcile.PullCommit, error) {
	s, err := f.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.end()
	return s.pullCommits(number)
}

func (s *session) pullCommits(number int) ([]reconcile.PullCommit, error) {
	doing := fmt.Sprintf("list the commits of pull request %d", number)
	commits, response, err := all(func(page gitea.ListOptions) ([]*gitea.Commit, *gitea.Response, error) {
		return s.sdk.ListPullRequestCommits(s.owner, s.repo, int64(number), gitea.ListPullRequestCommitsOptions{ListOptions: page})
	})
	if err != nil {
		return nil, s.missing(rest.Call{Doing: doing, Needs: readPulls}, response, err)
	}
	var out []reconcile.PullCommit
	for _, c := range commits {
		if c == nil || c.CommitMeta == nil || c.SHA == "" {
			return nil, s.odd(doing, "a commit has no id")
		}
		told := reconcile.PullCommit{ID: c.SHA, Author: login(c.Author), Committer: login(c.Committer)}
		if c.RepoCommit != nil && c.RepoCommit.Author != nil {
			told.Email = c.RepoCommit.Author.Email
		}
		out = append(out, told)
	}
	slices.Reverse(out) // as `git log` tells them
	return out, nil
}

// told is a pull request in the words of the port. It is not ok if what everything
// depends on is missing.
func told(p *gitea.PullRequest) (pull reconcile.Pull, ok bool) {
	if p == nil || p.Index <= 0 || p.Base == nil || p.Head == nil || p.Base.Ref == "" {
		return reconcile.Pull{}, false
	}
	pull = reconcile.Pull{
		Number: int(p.Index), URL: p.HTMLURL, Title: p.Title, Body: p.Body, Author: login(p.Poster), State: reconcile.PullOpen,
		Base: p.Base.Ref, Head: p.Head.Name, HeadSHA: p.Head.Sha, Ref: fmt.Sprintf("refs/pull/%d/head", p.Index),
		Fork: p.Head.RepoID != p.Base.RepoID || p.Head.Name == "", Draft: p.Draft,
	}
	if p.Updated != nil {
		pull.Updated = *p.Updated
	}
	switch {
	case p.HasMerged:
		pull.State, pull.MergedBy = reconcile.PullMerged, login(p.MergedBy)
		if p.MergedCommitID != nil {
			pull.Merged = *p.MergedCommitID
		}
		pull.HeadSHA = "" // see headOf
	case p.State != gitea.StateOpen:
		pull.State, pull.HeadSHA = reconcile.PullClosed, ""
	}
	return pull, true
}
