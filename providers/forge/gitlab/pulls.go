package gitlab

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

// What GitLab takes, in characters.
const (
	maxTitle = 255
	maxBody  = 1_000_000
)

// Pulls implements reconcile.Forge. Picked by a branch, it lists those from the
// project itself.
func (f *Forge) Pulls(ctx context.Context, q reconcile.PullQuery) ([]reconcile.Pull, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	list := listed("opened", q.Head)
	if q.Base != "" {
		list.TargetBranch = &q.Base
	}
	var pulls []reconcile.Pull
	seen := map[int]bool{} // a page moves while others open merge requests
	response, err := f.list(ctx, list, func(p reconcile.Pull) bool {
		if !seen[p.Number] && (q.Head == "" || !p.Fork) {
			seen[p.Number] = true
			pulls = append(pulls, p)
		}
		return true
	})
	if err != nil {
		return nil, f.failed(rest.Call{Doing: "list the open merge requests", Needs: needsRead}, response, err)
	}
	return pulls, nil
}

// listed asks for merge requests, newest first.
func listed(state, head string) *gitlab.ListProjectMergeRequestsOptions {
	list := &gitlab.ListProjectMergeRequestsOptions{
		ListOptions: gitlab.ListOptions{PerPage: perPage}, State: &state, OrderBy: gitlab.Ptr("created_at"), Sort: gitlab.Ptr("desc"), Scope: gitlab.Ptr("all"),
	}
	if head != "" {
		list.SourceBranch = &head
	}
	return list
}

func (f *Forge) list(ctx context.Context, list *gitlab.ListProjectMergeRequestsOptions, take func(reconcile.Pull) bool) (*gitlab.Response, error) {
	return pages(ctx, func(page ...gitlab.RequestOptionFunc) ([]*gitlab.BasicMergeRequest, *gitlab.Response, error) {
		return f.client.MergeRequests.ListProjectMergeRequests(f.repo, list, page...)
	}, func(m *gitlab.BasicMergeRequest) bool { return take(told(m)) })
}

// Pull implements reconcile.Forge.
func (f *Forge) Pull(ctx context.Context, number int) (reconcile.Pull, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	m, err := f.get(ctx, number, rest.Call{Doing: fmt.Sprintf("look at merge request %d", number), Needs: needsRead})
	if err != nil {
		return reconcile.Pull{}, err
	}
	return told(&m.BasicMergeRequest), nil
}

func (f *Forge) get(ctx context.Context, number int, call rest.Call) (*gitlab.MergeRequest, error) {
	m, response, err := f.client.MergeRequests.GetMergeRequest(f.repo, int64(number), nil, gitlab.WithContext(ctx))
	if err != nil || m == nil {
		return nil, f.missing(ctx, call, response, err)
	}
	return m, nil
}

// Latest implements reconcile.Forge.
func (f *Forge) Latest(ctx context.Context, head string) (reconcile.Pull, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	newest, response, err := f.first(ctx, listed("all", head))
	if err != nil {
		return reconcile.Pull{}, f.failed(rest.Call{Doing: "look for a merge request from " + head, Needs: needsRead}, response, err)
	}
	if newest == 0 {
		return reconcile.Pull{}, fmt.Errorf("%s: branch %s: %w", f.Name(), head, reconcile.ErrNoPull)
	}
	return f.Pull(ctx, newest)
}

// first is the number of the first in a list that comes from the project itself; 0 if
// there is none.
func (f *Forge) first(ctx context.Context, list *gitlab.ListProjectMergeRequestsOptions) (number int, response *gitlab.Response, err error) {
	response, err = f.list(ctx, list, func(p reconcile.Pull) bool {
		if !p.Fork {
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
	call := rest.Call{Doing: "ask which merge request brought " + short(commit), Needs: needsRead}
	found, response, err := all(ctx, func(page ...gitlab.RequestOptionFunc) ([]*gitlab.BasicMergeRequest, *gitlab.Response, error) {
		return f.client.Commits.ListMergeRequestsByCommit(f.repo, commit, page...)
	})
	if err != nil {
		return nil, f.failed(call, response, err)
	}
	var pulls []reconcile.Pull
	for _, m := range found {
		if m.State != "merged" { // it lists what is open as well
			continue
		}
		pull, err := f.Pull(ctx, int(m.IID)) // which tells all of it
		if err != nil {
			return nil, err
		}
		pulls = append(pulls, pull)
	}
	return pulls, nil
}

// OpenPull implements reconcile.Forge.
func (f *Forge) OpenPull(ctx context.Context, ask reconcile.NewPull) (reconcile.Pull, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	call := rest.Call{Doing: fmt.Sprintf("open a merge request from %s to %s", ask.Head, ask.Base), Needs: needsWrite}
	open := listed("opened", ask.Head)
	open.TargetBranch = &ask.Base
	number, response, err := f.first(ctx, open)
	if err != nil {
		return reconcile.Pull{}, f.failed(call, response, err)
	}
	if number == 0 {
		create := &gitlab.CreateMergeRequestOptions{
			SourceBranch: &ask.Head, TargetBranch: &ask.Base, Title: gitlab.Ptr(rest.Cut(ask.Title, maxTitle)), Description: gitlab.Ptr(rest.Cut(ask.Body, maxBody)),
		}
		if len(ask.Labels) > 0 {
			create.Labels = (*gitlab.LabelOptions)(&ask.Labels)
		}
		made, response, err := f.client.MergeRequests.CreateMergeRequest(f.repo, create, gitlab.WithContext(ctx))
		if err == nil && made != nil {
			return told(&made.BasicMergeRequest), nil
		}
		if status(response) == http.StatusConflict { // somebody else was faster
			number, _, _ = f.first(ctx, open)
		}
		if number == 0 {
			return reconcile.Pull{}, f.failed(call, response, err)
		}
	}
	return f.edit(ctx, number, ask.Title, ask.Body, ask.Labels)
}

// EditPull implements reconcile.Forge.
func (f *Forge) EditPull(ctx context.Context, number int, title, body string) error {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	_, err := f.edit(ctx, number, title, body, nil)
	return err
}

// edit returns the merge request as it is then.
func (f *Forge) edit(ctx context.Context, number int, title, body string, labels []string) (reconcile.Pull, error) {
	call := rest.Call{Doing: fmt.Sprintf("edit merge request %d", number), Needs: needsWrite}
	m, err := f.get(ctx, number, call)
	if err != nil {
		return reconcile.Pull{}, err
	}
	title, body = rest.Cut(title, maxTitle), rest.Cut(body, maxBody)
	labels = slices.DeleteFunc(slices.Clone(labels), func(label string) bool {
		return slices.ContainsFunc(m.Labels, func(l string) bool { return strings.EqualFold(l, label) })
	})
	if m.Title == title && rest.Same(m.Description, body) && len(labels) == 0 {
		return told(&m.BasicMergeRequest), nil
	}
	update := &gitlab.UpdateMergeRequestOptions{Title: &title, Description: &body}
	if len(labels) > 0 {
		update.AddLabels = (*gitlab.LabelOptions)(&labels)
	}
	m, response, err := f.client.MergeRequests.UpdateMergeRequest(f.repo, int64(number), update, gitlab.WithContext(ctx))
	if err != nil || m == nil {
		return reconcile.Pull{}, f.missing(ctx, call, response, err)
	}
	return told(&m.BasicMergeRequest), nil
}

// ClosePull implements reconcile.Forge.
func (f *Forge) ClosePull(ctx context.Context, number int) error {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	call := rest.Call{Doing: fmt.Sprintf("close merge request %d", number), Needs: needsWrite}
	m, err := f.get(ctx, number, call)
	if err != nil || told(&m.BasicMergeRequest).State != reconcile.PullOpen {
		return err
	}
	if _, response, err := f.client.MergeRequests.UpdateMergeRequest(f.repo, int64(number), &gitlab.UpdateMergeRequestOptions{StateEvent: gitlab.Ptr("close")}, gitlab.WithContext(ctx)); err != nil {
		return f.missing(ctx, call, response, err)
	}
	return nil
}

// told is a merge request in our words. One that is locked is just being merged. What
// it was merged as is the commit of the merge; without one, as when fast-forwarding,
// the squashed commit, or the head itself.
func told(m *gitlab.BasicMergeRequest) reconcile.Pull {
	pull := reconcile.Pull{
		Number: int(m.IID), URL: m.WebURL, Title: m.Title, Body: rest.Lines(m.Description), Author: login(m.Author), State: reconcile.PullOpen,
		Base: m.TargetBranch, Head: m.SourceBranch, HeadSHA: m.SHA, Ref: fmt.Sprintf("refs/merge-requests/%d/head", m.IID),
		Fork: m.SourceProjectID == 0 || m.SourceProjectID != m.TargetProjectID, Draft: m.Draft, Updated: at(m.UpdatedAt),
	}
	switch m.State {
	case "merged":
		pull.State, pull.Merged = reconcile.PullMerged, cmp.Or(m.MergeCommitSHA, m.SquashCommitSHA, m.SHA)
		pull.MergedBy = login(m.MergeUser)
	case "closed":
		pull.State, pull.ClosedBy = reconcile.PullClosed, login(m.ClosedBy)
	}
	return pull
}
