package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

// Comment implements reconcile.Forge.
func (f *Forge) Comment(ctx context.Context, number int, marker, body string) error {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	call := rest.Call{Doing: fmt.Sprintf("comment on merge request %d", number), Needs: needsWrite}
	self, err := f.Self(ctx)
	if err != nil {
		return err
	}
	var own *gitlab.Note
	response, err := f.eachNote(ctx, number, func(n *gitlab.Note) bool {
		if !n.System && n.Author.Username == self.Login && strings.Contains(n.Body, marker) {
			own = n
		}
		return own == nil
	})
	if err != nil {
		return f.missing(ctx, call, response, err)
	}
	body = rest.Marked(body, marker, maxBody)
	switch {
	case own == nil:
		_, response, err = f.client.Notes.CreateMergeRequestNote(f.repo, int64(number), &gitlab.CreateMergeRequestNoteOptions{Body: &body}, gitlab.WithContext(ctx))
	case !rest.Same(own.Body, body):
		_, response, err = f.client.Notes.UpdateMergeRequestNote(f.repo, int64(number), own.ID, &gitlab.UpdateMergeRequestNoteOptions{Body: &body}, gitlab.WithContext(ctx))
	}
	if err != nil {
		return f.missing(ctx, call, response, err)
	}
	return nil
}

// maxDescription is what a commit status takes, in characters.
const maxDescription = 255

// states: GitLab has no word for held, and would wait for what is pending.
var states = map[reconcile.CommitState]gitlab.BuildStateValue{
	reconcile.CommitPending: gitlab.Pending,
	reconcile.CommitSuccess: gitlab.Success,
	reconcile.CommitFailure: gitlab.Failed,
	reconcile.CommitHeld:    gitlab.Failed,
}

// Status implements reconcile.Forge. GitLab has no place for annotations. What is there
// already is not put again. A status that is under way takes no other text, but by
// going from pending to running; after that the text stays until it has come to an end.
func (f *Forge) Status(ctx context.Context, commit string, s reconcile.CommitStatus) (annotated bool, err error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	call := rest.Call{Doing: "put the status " + s.Context + " on commit " + short(commit), Needs: needsWrite}
	text := s.Text
	if s.State == reconcile.CommitHeld && !strings.Contains(strings.ToLower(text), "held") {
		text = "held: " + text
	}
	text = rest.Cut(text, maxDescription)
	set := &gitlab.SetCommitStatusOptions{State: states[s.State], Name: &s.Context, Description: &text}
	if s.URL != "" {
		set.TargetURL = &s.URL
	}
	there, response, err := f.newestStatus(ctx, commit, s.Context)
	if err != nil {
		return false, f.failed(call, response, err)
	}
	if there != nil && set.State == gitlab.Pending && under(there) {
		if there.Description == text && there.TargetURL == s.URL || there.Status == string(gitlab.Running) {
			return false, nil
		}
		set.State = gitlab.Running
	}
	if there != nil && there.Status == string(set.State) && there.Description == text && there.TargetURL == s.URL {
		return false, nil
	}
	if _, response, err = f.client.Commits.SetCommitStatus(f.repo, commit, set, gitlab.WithContext(ctx)); err != nil {
		// Two at once: the other one was faster, and said the same.
		if status(response) == http.StatusBadRequest && strings.Contains(err.Error(), "Cannot transition status") {
			if there, _, again := f.newestStatus(ctx, commit, s.Context); again == nil && there != nil && there.Status == string(set.State) {
				return false, nil
			}
		}
		return false, f.failed(call, response, err)
	}
	return false, nil
}

// under way: the states from which GitLab changes a status in place.
func under(s *gitlab.CommitStatus) bool {
	return s.Status == string(gitlab.Pending) || s.Status == string(gitlab.Running)
}

// newestStatus is the newest of a name; nil if there is none.
func (f *Forge) newestStatus(ctx context.Context, commit, name string) (newest *gitlab.CommitStatus, response *gitlab.Response, err error) {
	response, err = pages(ctx, func(page ...gitlab.RequestOptionFunc) ([]*gitlab.CommitStatus, *gitlab.Response, error) {
		return f.client.Commits.GetCommitStatuses(f.repo, commit, &gitlab.GetCommitStatusesOptions{ListOptions: gitlab.ListOptions{PerPage: perPage}, Name: &name}, page...)
	}, func(s *gitlab.CommitStatus) bool {
		if s.Name == name && (newest == nil || s.ID > newest.ID) {
			newest = s
		}
		return true
	})
	return newest, response, err
}
