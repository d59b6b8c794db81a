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

// labelColor is that of labels that are not there yet.
const labelColor = "#1d76db"

// OpenPull implements reconcile.Forge. A label that is not there is made, and left
// out where that is not allowed.
func (f *Forge) OpenPull(ctx context.Context, p reconcile.NewPull) (reconcile.Pull, error) {
	s, err := f.begin(ctx)
	if err != nil {
		return reconcile.Pull{}, err
	}
	defer s.end()
	if pull, found, err := s.update(p); found || err != nil {
		return pull, err
	}
	doing := fmt.Sprintf("open a pull request from %s to %s", p.Head, p.Base)
	labels, err := s.labels(p.Labels)
	if err != nil {
		f.log.WarnContext(ctx, "the pull request gets no labels", "forge", f.Name(), "error", err)
	}
	made, response, err := s.sdk.CreatePullRequest(s.owner, s.repo, gitea.CreatePullRequestOption{
		Head: p.Head, Base: p.Base, Title: rest.Cut(p.Title, maxTitle), Body: rest.Cut(p.Body, maxBody), Labels: labels,
	})
	if status(response) == http.StatusConflict { // somebody was faster
		if pull, found, err := s.update(p); found || err != nil {
			return pull, err
		}
	}
	if err != nil {
		return reconcile.Pull{}, s.failed(rest.Call{Doing: doing, Needs: writePulls + ", and the branch " + p.Head}, response, err)
	}
	pull, ok := told(made)
	if !ok {
		return reconcile.Pull{}, s.odd(doing, "it has no number, or no branch")
	}
	return pull, nil
}

// update brings the open pull request of a head and a base up to date.
func (s *session) update(p reconcile.NewPull) (pull reconcile.Pull, found bool, err error) {
	pulls, err := s.open(reconcile.PullQuery{Head: p.Head, Base: p.Base})
	if err != nil || len(pulls) == 0 {
		return reconcile.Pull{}, false, err
	}
	pull, err = s.edit(pulls[0], p.Title, p.Body)
	return pull, true, err
}

// EditPull implements reconcile.Forge.
func (f *Forge) EditPull(ctx context.Context, number int, title, body string) error {
	s, err := f.begin(ctx)
	if err != nil {
		return err
	}
	defer s.end()
	p, err := s.pull(number)
	if err != nil {
		return err
	}
	_, err = s.edit(p, title, body)
	return err
}

func (s *session) edit(p reconcile.Pull, title, body string) (reconcile.Pull, error) {
	title, body = rest.Cut(title, maxTitle), rest.Cut(body, maxBody)
	if p.Title == title && rest.Same(p.Body, body) {
		return p, nil
	}
	doing := fmt.Sprintf("edit pull request %d", p.Number)
	edited, response, err := s.sdk.EditPullRequest(s.owner, s.repo, int64(p.Number), gitea.EditPullRequestOption{Title: title, Body: &body})
	if err != nil {
		return p, s.missing(rest.Call{Doing: doing, Needs: writePulls}, response, err)
	}
	pull, ok := told(edited)
	if !ok {
		return p, s.odd(doing, "it has no number, or no branch")
	}
	return pull, nil
}

// ClosePull implements reconcile.Forge.
func (f *Forge) ClosePull(ctx context.Context, number int) error {
	s, err := f.begin(ctx)
	if err != nil {
		return err
	}
	defer s.end()
	p, err := s.pull(number)
	if err != nil || p.State != reconcile.PullOpen {
		return err
	}
	closed := gitea.StateClosed
	_, response, failure := s.sdk.EditPullRequest(s.owner, s.repo, int64(number), gitea.EditPullRequestOption{State: &closed})
	if failure == nil {
		return nil
	}
	// Gitea refuses what somebody has merged in the meantime.
	if code := status(response); code == http.StatusPreconditionFailed || code == http.StatusConflict || code == http.StatusUnprocessableEntity {
		if p, err := s.pull(number); err == nil && p.State != reconcile.PullOpen {
			return nil
		}
	}
	return s.missing(rest.Call{Doing: fmt.Sprintf("close pull request %d", number), Needs: writePulls}, response, failure)
}

// labels are the ids of labels by name.
func (s *session) labels(names []string) ([]int64, error) {
	if len(names) == 0 {
		return nil, nil
	}
	there, response, err := all(func(page gitea.ListOptions) ([]*gitea.Label, *gitea.Response, error) {
		return s.sdk.ListRepoLabels(s.owner, s.repo, gitea.ListLabelsOptions{ListOptions: page})
	})
	if err != nil {
		return nil, s.failed(rest.Call{Doing: "list the labels", Needs: "read:issue"}, response, err)
	}
	var ids []int64
	for _, name := range names {
		i := slices.IndexFunc(there, func(l *gitea.Label) bool { return l != nil && l.Name == name })
		if i >= 0 {
			ids = append(ids, there[i].ID)
			continue
		}
		made, response, err := s.sdk.CreateLabel(s.owner, s.repo, gitea.CreateLabelOption{Name: name, Color: labelColor})
		if err != nil {
			return ids, s.failed(rest.Call{Doing: "make the label " + name, Needs: "write:issue"}, response, err)
		}
		ids = append(ids, made.ID)
	}
	return ids, nil
}
