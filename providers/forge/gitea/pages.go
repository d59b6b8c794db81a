package gitea

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"code.gitea.io/sdk/gitea"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

// maxStatus is how much of the text of a status is sent, in characters: as much as
// fits into the line it is shown in.
const maxStatus = 255

// Reviews implements reconcile.Forge. See the package on what official and stale mean.
func (f *Forge) Reviews(ctx context.Context, number int) ([]reconcile.Review, error) {
	s, err := f.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.end()
	found, response, err := all(func(page gitea.ListOptions) ([]*gitea.PullReview, *gitea.Response, error) {
		return s.sdk.ListPullReviews(s.owner, s.repo, int64(number), gitea.ListPullReviewsOptions{ListOptions: page})
	})
	if err != nil {
		return nil, s.missing(rest.Call{Doing: fmt.Sprintf("list the reviews of pull request %d", number), Needs: readPulls}, response, err)
	}
	found = slices.DeleteFunc(found, func(r *gitea.PullReview) bool { return r == nil })
	// Their times are whole seconds; their ids grow.
	slices.SortFunc(found, func(a, b *gitea.PullReview) int { return cmp.Compare(a.ID, b.ID) })
	var reviews []reconcile.Review
	for _, r := range found {
		state, said := reviewState(r)
		if !said || login(r.Reviewer) == "" {
			continue
		}
		reviews = append(reviews, reconcile.Review{
			By: login(r.Reviewer), State: state, Commit: r.CommitID, At: r.Submitted, Official: r.Official, Stale: r.Stale,
		})
	}
	return reviews, nil
}

// reviewState is what a review says; some say nothing yet.
func reviewState(r *gitea.PullReview) (state reconcile.ReviewState, said bool) {
	switch {
	case r.State == gitea.ReviewStateComment:
		return reconcile.ReviewCommented, true
	case r.State != gitea.ReviewStateApproved && r.State != gitea.ReviewStateRequestChanges:
		return "", false // begun, or asked for
	case r.Dismissed:
		return reconcile.ReviewDismissed, true
	case r.State == gitea.ReviewStateApproved:
		return reconcile.ReviewApproved, true
	default:
		return reconcile.ReviewChanges, true
	}
}

// Comment implements reconcile.Forge.
func (f *Forge) Comment(ctx context.Context, number int, marker, body string) error {
	s, err := f.begin(ctx)
	if err != nil {
		return err
	}
	defer s.end()
	self, err := s.self()
	if err != nil {
		return err
	}
	body = rest.Marked(body, marker, maxBody)
	if _, err := s.pull(number); err != nil { // of an unknown one the comments are a 500
		return err
	}
	own, err := s.own(number, self, marker)
	if err != nil {
		return err
	}
	if own == nil {
		if _, response, err := s.sdk.CreateIssueComment(s.owner, s.repo, int64(number), gitea.CreateIssueCommentOption{Body: body}); err != nil {
			return s.missing(rest.Call{Doing: fmt.Sprintf("comment on pull request %d", number), Needs: "write:issue"}, response, err)
		}
		return nil
	}
	if rest.Same(own.Body, body) {
		return nil
	}
	if _, response, err := s.sdk.EditIssueComment(s.owner, s.repo, own.ID, gitea.EditIssueCommentOption{Body: body}); err != nil {
		return s.failed(rest.Call{Doing: fmt.Sprintf("edit the comment on pull request %d", number), Needs: "write:issue"}, response, err)
	}
	return nil
}

// own is the comment of an account that holds a marker, nil if there is none. Gitea
// gives all comments at once.
func (s *session) own(number int, self, marker string) (*gitea.Comment, error) {
	comments, response, err := s.sdk.ListIssueComments(s.owner, s.repo, int64(number), gitea.ListIssueCommentOptions{ListOptions: gitea.ListOptions{PageSize: perPage}})
	if err != nil {
		return nil, s.missing(rest.Call{Doing: fmt.Sprintf("list the comments on pull request %d", number), Needs: "read:issue"}, response, err)
	}
	for _, c := range comments {
		if c != nil && login(c.Poster) == self && strings.Contains(c.Body, marker) {
			return c, nil
		}
	}
	return nil, nil
}

// states are Gitea's words for the states of a commit. A warning does not pass where
// the status is required.
var states = map[reconcile.CommitState]gitea.StatusState{
	reconcile.CommitPending: gitea.StatusPending,
	reconcile.CommitSuccess: gitea.StatusSuccess,
	reconcile.CommitFailure: gitea.StatusFailure,
	reconcile.CommitHeld:    gitea.StatusWarning,
}

// Status implements reconcile.Forge. There are no annotations.
func (f *Forge) Status(ctx context.Context, commit string, c reconcile.CommitStatus) (annotated bool, err error) {
	s, err := f.begin(ctx)
	if err != nil {
		return false, err
	}
	defer s.end()
	state, known := states[c.State]
	if !known {
		return false, fmt.Errorf("%s: put a status on %s: %q is no state of a commit", s.Name(), commit, c.State)
	}
	_, response, err := s.sdk.CreateStatus(s.owner, s.repo, commit, gitea.CreateStatusOption{
		State: state, TargetURL: c.URL, Description: rest.Cut(c.Text, maxStatus), Context: c.Context,
	})
	if err == nil {
		return false, nil
	}
	call := rest.Call{Doing: "put a status on " + commit, Needs: "write:repository"}
	failure := s.failed(call, response, err)
	if status(response) == http.StatusInternalServerError { // a commit that it has not is that, too, and does not pass
		if _, response, err := s.sdk.GetSingleCommit(s.owner, s.repo, commit); status(response) == http.StatusNotFound {
			return false, s.failed(call, response, err)
		}
	}
	return false, failure
}

// readTeams: whoever asks sees the members of the teams that it is in itself; an owner
// of the organization sees all.
const readTeams = "read:organization, and to be in that team or an owner of the organization"

var errNoOwner = errors.New("a team is named by its organization and itself: acme/vision")

// Members implements reconcile.Forge. A team without an organization is one of the
// repository's owner.
func (f *Forge) Members(ctx context.Context, team string) ([]string, error) {
	s, err := f.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.end()
	org, name, full := strings.Cut(team, "/")
	if !full {
		org, name = s.owner, team
	}
	if org == "" || name == "" || strings.Contains(name, "/") {
		return nil, fmt.Errorf("%s: %q: %w; %w", s.Name(), team, reconcile.ErrNoTeam, errNoOwner)
	}
	id, err := s.team(org, name)
	if err != nil {
		return nil, err
	}
	members, response, err := all(func(page gitea.ListOptions) ([]*gitea.User, *gitea.Response, error) {
		return s.sdk.ListTeamMembers(id, gitea.ListTeamMembersOptions{ListOptions: page})
	})
	if err != nil {
		return nil, s.failed(rest.Call{Doing: "list the members of the team " + team, Needs: readTeams}, response, err)
	}
	var logins []string
	for _, m := range members {
		if login(m) != "" {
			logins = append(logins, login(m))
		}
	}
	return logins, nil
}

// team is the id of a team; Gitea takes upper and lower case for the same.
func (s *session) team(org, name string) (id int64, err error) {
	call := rest.Call{Doing: "look for the team " + org + "/" + name, Needs: readTeams}
	response, err := pages(func(page gitea.ListOptions) ([]*gitea.Team, *gitea.Response, error) {
		return s.sdk.ListOrgTeams(org, gitea.ListTeamsOptions{ListOptions: page})
	}, func(t *gitea.Team) bool {
		if t != nil && strings.EqualFold(t.Name, name) {
			id = t.ID
		}
		return id == 0
	})
	switch {
	case status(response) == http.StatusNotFound:
		return 0, s.failed(call, response, err, reconcile.ErrNoTeam)
	case err != nil:
		return 0, s.failed(call, response, err)
	case id == 0:
		return 0, fmt.Errorf("%s: %s: %w", s.Name(), call.Doing, reconcile.ErrNoTeam)
	}
	return id, nil
}
