package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v89/github"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

// states are the words of GitHub. A PENDING review was not submitted yet.
var states = map[string]reconcile.ReviewState{
	"APPROVED":          reconcile.ReviewApproved,
	"CHANGES_REQUESTED": reconcile.ReviewChanges,
	"COMMENTED":         reconcile.ReviewCommented,
	"DISMISSED":         reconcile.ReviewDismissed,
}

// Reviews implements reconcile.Forge. Commit is the head at which the review was
// submitted; GitHub does not say Stale beside that. A review is Official if its author
// may write to the repository now.
func (f *Forge) Reviews(ctx context.Context, number int) ([]reconcile.Review, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	call := rest.Call{Doing: fmt.Sprintf("list the reviews of pull request %d", number), Needs: readPulls}
	listed, response, err := all(func(page github.ListOptions) ([]*github.PullRequestReview, *github.Response, error) {
		return f.client.PullRequests.ListReviews(ctx, f.owner, f.repo, number, &page)
	})
	if err != nil {
		return nil, f.missing(ctx, call, response, err)
	}
	var reviews []reconcile.Review
	for _, r := range listed {
		state, known := states[strings.ToUpper(r.GetState())]
		login := r.GetUser().GetLogin()
		if !known || login == "" { // an account that was deleted approves nothing
			continue
		}
		official, err := f.mayWrite(ctx, login)
		if err != nil {
			return nil, err
		}
		reviews = append(reviews, reconcile.Review{By: login, State: state, Commit: r.GetCommitID(), At: r.GetSubmittedAt().Time, Official: official})
	}
	return reviews, nil
}

func (f *Forge) mayWrite(ctx context.Context, login string) (bool, error) {
	if write, found := f.permissions.Get(login); found {
		return write, nil
	}
	level, response, err := f.client.Repositories.GetPermissionLevel(ctx, f.owner, f.repo, url.PathEscape(login))
	switch {
	case status(response) == http.StatusNotFound: // no collaborator
	case err != nil:
		return false, f.failed(rest.Call{Doing: "ask whether " + login + " may write", Needs: "Metadata: read"}, response, err)
	}
	write := level.GetPermission() == "write" || level.GetPermission() == "admin" // maintain is told as write
	f.permissions.Put(login, write)
	return write, nil
}

// Members implements reconcile.Forge. A team is one of the organisation that the
// repository belongs to; those of the teams below it count.
func (f *Forge) Members(ctx context.Context, team string) ([]string, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	owner, slug, found := strings.Cut(strings.TrimPrefix(team, "@"), "/")
	if !found {
		owner, slug = f.owner, owner
	}
	if !strings.EqualFold(owner, f.owner) || !named.MatchString(slug) || strings.Trim(slug, ".") == "" {
		return nil, fmt.Errorf("%s: %q: %w; a team is one of %s: %s/vision", f.Name(), team, reconcile.ErrNoTeam, f.owner, f.owner)
	}
	users, response, err := all(func(page github.ListOptions) ([]*github.User, *github.Response, error) {
		return f.client.Teams.ListTeamMembersBySlug(ctx, f.owner, slug, &github.TeamListTeamMembersOptions{ListOptions: page})
	})
	if err != nil {
		var also []error
		if status(response) == http.StatusNotFound {
			also = append(also, reconcile.ErrNoTeam)
		}
		call := rest.Call{Doing: "list the members of team " + f.owner + "/" + slug, Needs: "Members: read (of a classic token: read:org)"}
		return nil, f.failed(call, response, err, also...)
	}
	logins := make([]string, 0, len(users))
	for _, user := range users {
		logins = append(logins, user.GetLogin())
	}
	return logins, nil
}
