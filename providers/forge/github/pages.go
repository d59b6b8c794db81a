package github

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-github/v89/github"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

// Comment implements reconcile.Forge.
func (f *Forge) Comment(ctx context.Context, number int, marker, body string) error {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	call := rest.Call{Doing: fmt.Sprintf("comment on pull request %d", number), Needs: writePulls}
	self, err := f.Self(ctx)
	if err != nil {
		return err
	}
	var own *github.IssueComment
	response, err := pages(func(page github.ListOptions) ([]*github.IssueComment, *github.Response, error) {
		return f.client.Issues.ListComments(ctx, f.owner, f.repo, number, &github.IssueListCommentsOptions{ListOptions: page})
	}, func(c *github.IssueComment) bool {
		if c.GetUser().GetLogin() == self.Login && strings.Contains(c.GetBody(), marker) {
			own = c
		}
		return own == nil
	})
	if err != nil {
		return f.missing(ctx, call, response, err)
	}
	body = rest.Marked(body, marker, maxBody)
	switch {
	case own == nil:
		_, response, err = f.client.Issues.CreateComment(ctx, f.owner, f.repo, number, &github.IssueComment{Body: &body})
	case !rest.Same(own.GetBody(), body):
		_, response, err = f.client.Issues.EditComment(ctx, f.owner, f.repo, own.GetID(), &github.IssueComment{Body: &body})
	}
	if err != nil {
		return f.missing(ctx, call, response, err)
	}
	return nil
}

// maxDescription is what a commit status takes, in characters.
const maxDescription = 140

// Status implements reconcile.Forge: an App makes a check run, a token a commit
// status, which has no state for held and no place for annotations. What is there
// already is not put again.
func (f *Forge) Status(ctx context.Context, commit string, s reconcile.CommitStatus) (annotated bool, err error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	if f.app != nil {
		return f.check(ctx, commit, s)
	}
	call := rest.Call{Doing: "put the status " + s.Context + " on commit " + short(commit), Needs: "Commit statuses: write"}
	state, text := string(s.State), s.Text
	if s.State == reconcile.CommitHeld {
		state = "failure"
		if !strings.Contains(strings.ToLower(text), "held") {
			text = "held: " + text
		}
	}
	text = rest.Cut(text, maxDescription)
	put := github.RepoStatus{State: &state, Description: &text, Context: &s.Context}
	if s.URL != "" {
		put.TargetURL = &s.URL
	}
	there, response, err := f.put(ctx, commit, s.Context)
	if err != nil {
		return false, f.failed(call, response, err)
	}
	if there != nil && there.GetState() == state && there.GetDescription() == text && there.GetTargetURL() == s.URL {
		return false, nil
	}
	if _, response, err = f.client.Repositories.CreateStatus(ctx, f.owner, f.repo, commit, put); err != nil {
		return false, f.failed(call, response, err)
	}
	return false, nil
}

// put is the newest status of a context; nil if there is none.
func (f *Forge) put(ctx context.Context, commit, name string) (found *github.RepoStatus, response *github.Response, err error) {
	response, err = pages(func(page github.ListOptions) ([]*github.RepoStatus, *github.Response, error) {
		combined, response, err := f.client.Repositories.GetCombinedStatus(ctx, f.owner, f.repo, commit, &page)
		if err != nil || combined == nil {
			return nil, response, err
		}
		return combined.Statuses, response, nil
	}, func(s *github.RepoStatus) bool {
		if s.GetContext() == name {
			found = s
		}
		return found == nil
	})
	return found, response, err
}
