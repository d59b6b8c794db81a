package github

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-github/v89/github"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

const (
	readPulls  = "Pull requests: read"
	writePulls = "Pull requests: write"

	// What GitHub takes, in characters.
	maxTitle = 256
	maxBody  = 65_536
	// maxCommits is how many commits of a pull request GitHub lists.
	maxCommits = 250
)

// Pulls implements reconcile.Forge. Picked by a branch, it lists those from the
// repository itself; GitHub picks those of forks by their owner only.
func (f *Forge) Pulls(ctx context.Context, q reconcile.PullQuery) ([]reconcile.Pull, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	list := github.PullRequestListOptions{State: "open", Base: q.Base, Sort: "created", Direction: "desc"}
	if q.Head != "" {
		list.Head = f.owner + ":" + q.Head
	}
	var pulls []reconcile.Pull
	seen := map[int]bool{} // a page moves while others open pull requests
	response, err := f.list(ctx, list, func(p reconcile.Pull) bool {
		if !seen[p.Number] && (q.Head == "" || !p.Fork && p.Head == q.Head) {
			seen[p.Number] = true
			pulls = append(pulls, p)
		}
		return true
	})
	if err != nil {
		return nil, f.failed(rest.Call{Doing: "list the open pull requests", Needs: readPulls}, response, err)
	}
	return pulls, nil
}

func (f *Forge) list(ctx context.Context, list github.PullRequestListOptions, take func(reconcile.Pull) bool) (*github.Response, error) {
	return pages(func(page github.ListOptions) ([]*github.PullRequest, *github.Response, error) {
		list.ListOptions = page
		return f.client.PullRequests.List(ctx, f.owner, f.repo, &list)
	}, func(p *github.PullRequest) bool { return take(told(p)) })
}

// Pull implements reconcile.Forge.
func (f *Forge) Pull(ctx context.Context, number int) (reconcile.Pull, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	return f.pull(ctx, number)
}

func (f *Forge) pull(ctx context.Context, number int) (reconcile.Pull, error) {
	call := rest.Call{Doing: fmt.Sprintf("look at pull request %d", number), Needs: readPulls}
	p, response, err := f.client.PullRequests.Get(ctx, f.owner, f.repo, number)
	if err != nil || p == nil {
		return reconcile.Pull{}, f.missing(ctx, call, response, err)
	}
	pull := told(p)
	if pull.State == reconcile.PullClosed { // who did it only the issue of the same number tells
		issue, response, err := f.client.Issues.Get(ctx, f.owner, f.repo, number)
		if err != nil {
			return reconcile.Pull{}, f.missing(ctx, rest.Call{Doing: fmt.Sprintf("ask who closed pull request %d", number), Needs: readPulls}, response, err)
		}
		pull.ClosedBy = issue.GetClosedBy().GetLogin()
	}
	return pull, nil
}

// Latest implements reconcile.Forge.
func (f *Forge) Latest(ctx context.Context, head string) (reconcile.Pull, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	list := github.PullRequestListOptions{State: "all", Head: f.owner + ":" + head, Sort: "created", Direction: "desc"}
	newest, response, err := f.first(ctx, list, head)
	if err != nil {
		return reconcile.Pull{}, f.failed(rest.Call{Doing: "look for a pull request from " + head, Needs: readPulls}, response, err)
	}
	if newest == 0 {
		return reconcile.Pull{}, fmt.Errorf("%s: branch %s: %w", f.Name(), head, reconcile.ErrNoPull)
	}
	return f.pull(ctx, newest)
}

// first is the number of the first in a list that comes from the branch of the
// repository itself; 0 if there is none.
func (f *Forge) first(ctx context.Context, list github.PullRequestListOptions, head string) (number int, response *github.Response, err error) {
	response, err = f.list(ctx, list, func(p reconcile.Pull) bool {
		if !p.Fork && p.Head == head {
			number = p.Number
		}
		return number == 0
	})
	return number, response, err
}

// Brought implements reconcile.Forge.
func (f *Forge) Brought(ctx context.Context, commit string) ([]reconcile.Pull, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	call := rest.Call{Doing: "ask which pull request brought " + short(commit), Needs: readPulls}
	found, response, err := all(func(page github.ListOptions) ([]*github.PullRequest, *github.Response, error) {
		return f.client.PullRequests.ListPullRequestsWithCommit(ctx, f.owner, f.repo, commit, &page)
	})
	if err != nil {
		return nil, f.failed(call, response, err)
	}
	var pulls []reconcile.Pull
	for _, p := range found {
		if p.MergedAt == nil { // it lists what is open as well
			continue
		}
		pull, err := f.pull(ctx, p.GetNumber()) // which tells who merged it
		if err != nil {
			return nil, err
		}
		pulls = append(pulls, pull)
	}
	return pulls, nil
}

// PullCommits implements reconcile.Forge. GitHub lists 250 commits at most; of a pull
// request with more it is an error, since who is an author would be unclear.
func (f *Forge) PullCommits(ctx context.Context, number int) ([]reconcile.PullCommit, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	call := rest.Call{Doing: fmt.Sprintf("list the commits of pull request %d", number), Needs: readPulls}
	listed, response, err := all(func(page github.ListOptions) ([]*github.RepositoryCommit, *github.Response, error) {
		return f.client.PullRequests.ListCommits(ctx, f.owner, f.repo, number, &page)
	})
	if err != nil {
		return nil, f.missing(ctx, call, response, err)
	}
	if len(listed) >= maxCommits {
		p, response, err := f.client.PullRequests.Get(ctx, f.owner, f.repo, number)
		if err != nil || p == nil {
			return nil, f.missing(ctx, call, response, err)
		}
		if p.GetCommits() != len(listed) {
			return nil, fmt.Errorf("%s: %s: it has %d, and GitHub lists %d only; make smaller pull requests", f.Name(), call.Doing, p.GetCommits(), len(listed))
		}
	}
	commits := make([]reconcile.PullCommit, 0, len(listed))
	for _, c := range listed {
		commits = append(commits, reconcile.PullCommit{
			ID: c.GetSHA(), Author: c.GetAuthor().GetLogin(), Email: c.GetCommit().GetAuthor().GetEmail(), Committer: c.GetCommitter().GetLogin(),
		})
	}
	return commits, nil
}

// OpenPull implements reconcile.Forge. Labels that cannot be put are logged: the pull
// request is there.
func (f *Forge) OpenPull(ctx context.Context, ask reconcile.NewPull) (reconcile.Pull, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	call := rest.Call{Doing: fmt.Sprintf("open a pull request from %s to %s", ask.Head, ask.Base), Needs: writePulls}
	open := github.PullRequestListOptions{State: "open", Head: f.owner + ":" + ask.Head, Base: ask.Base}
	number, response, err := f.first(ctx, open, ask.Head)
	if err != nil {
		return reconcile.Pull{}, f.failed(call, response, err)
	}
	if number == 0 {
		title, body := rest.Cut(ask.Title, maxTitle), rest.Cut(ask.Body, maxBody)
		made, response, err := f.client.PullRequests.Create(ctx, f.owner, f.repo, &github.NewPullRequest{Head: &ask.Head, Base: &ask.Base, Title: &title, Body: &body})
		if err != nil {
			// Somebody else may have been faster.
			if status(response) == http.StatusUnprocessableEntity && strings.Contains(err.Error(), "already exists") {
				number, _, _ = f.first(ctx, open, ask.Head)
			}
			if number == 0 {
				return reconcile.Pull{}, f.failed(call, response, err)
			}
		} else {
			number = made.GetNumber()
		}
	}
	return f.current(ctx, number, ask)
}

// current brings an open pull request up to date.
func (f *Forge) current(ctx context.Context, number int, ask reconcile.NewPull) (reconcile.Pull, error) {
	p, err := f.edit(ctx, number, ask.Title, ask.Body)
	if err != nil {
		return reconcile.Pull{}, err
	}
	missing := slices.DeleteFunc(slices.Clone(ask.Labels), func(label string) bool {
		return slices.ContainsFunc(p.Labels, func(l *github.Label) bool { return strings.EqualFold(l.GetName(), label) })
	})
	if len(missing) > 0 {
		if _, response, err := f.client.Issues.AddLabelsToIssue(ctx, f.owner, f.repo, number, missing); err != nil {
			err = f.failed(rest.Call{Doing: fmt.Sprintf("label pull request %d", number), Needs: writePulls}, response, err)
			f.log.WarnContext(ctx, "a pull request has no labels", "error", err)
		}
	}
	return told(p), nil
}

// EditPull implements reconcile.Forge.
func (f *Forge) EditPull(ctx context.Context, number int, title, body string) error {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	_, err := f.edit(ctx, number, title, body)
	return err
}

// edit returns the pull request as it is then.
func (f *Forge) edit(ctx context.Context, number int, title, body string) (*github.PullRequest, error) {
	call := rest.Call{Doing: fmt.Sprintf("edit pull request %d", number), Needs: writePulls}
	p, response, err := f.client.PullRequests.Get(ctx, f.owner, f.repo, number)
	if err != nil || p == nil {
		return nil, f.missing(ctx, call, response, err)
	}
	title, body = rest.Cut(title, maxTitle), rest.Cut(body, maxBody)
	if p.GetTitle() == title && rest.Same(p.GetBody(), body) {
		return p, nil
	}
	if p, response, err = f.client.PullRequests.Edit(ctx, f.owner, f.repo, number, &github.PullRequest{Title: &title, Body: &body}); err != nil || p == nil {
		return nil, f.missing(ctx, call, response, err)
	}
	return p, nil
}

// ClosePull implements reconcile.Forge.
func (f *Forge) ClosePull(ctx context.Context, number int) error {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	call := rest.Call{Doing: fmt.Sprintf("close pull request %d", number), Needs: writePulls}
	p, response, err := f.client.PullRequests.Get(ctx, f.owner, f.repo, number)
	if err != nil || p == nil {
		return f.missing(ctx, call, response, err)
	}
	if told(p).State != reconcile.PullOpen {
		return nil
	}
	if _, response, err = f.client.PullRequests.Edit(ctx, f.owner, f.repo, number, &github.PullRequest{State: github.Ptr("closed")}); err != nil {
		return f.missing(ctx, call, response, err)
	}
	return nil
}

// told is a pull request in our words. Of an open one merge_commit_sha is a trial.
func told(p *github.PullRequest) reconcile.Pull {
	pull := reconcile.Pull{
		Number: p.GetNumber(), URL: p.GetHTMLURL(), Title: p.GetTitle(), Body: rest.Lines(p.GetBody()), Author: p.GetUser().GetLogin(),
		State: reconcile.PullOpen, Base: p.GetBase().GetRef(), Head: p.GetHead().GetRef(), HeadSHA: p.GetHead().GetSHA(),
		Ref: fmt.Sprintf("refs/pull/%d/head", p.GetNumber()), Draft: p.GetDraft(), Updated: p.GetUpdatedAt().Time,
	}
	// The repository of the head is null once a fork was deleted.
	from, to := p.GetHead().GetRepo(), p.GetBase().GetRepo()
	pull.Fork = from == nil || from.GetID() != to.GetID()
	switch {
	case p.MergedAt != nil || p.GetMerged():
		pull.State, pull.Merged, pull.MergedBy = reconcile.PullMerged, p.GetMergeCommitSHA(), p.GetMergedBy().GetLogin()
	case p.GetState() != "open":
		pull.State = reconcile.PullClosed
	}
	return pull
}

func short(commit string) string { return commit[:min(len(commit), 12)] }
