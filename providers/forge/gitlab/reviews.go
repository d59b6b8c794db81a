package gitlab

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

// What GitLab itself notes on a merge request, in every language of its pages.
const (
	noteApproved   = "approved this merge request"
	noteUnapproved = "unapproved this merge request"
	noteChanges    = "requested changes"
)

// Reviews implements reconcile.Forge: the word of now of each person, and dismissed
// ones for those whose approval is gone. The doc of the package says what Commit is,
// and when it is empty. A review is Official if its author is a Developer of the
// project or more.
func (f *Forge) Reviews(ctx context.Context, number int) ([]reconcile.Review, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	talk, err := f.talk(ctx, number)
	if err != nil {
		return nil, err
	}
	words := talk.words()
	reviews := make([]reconcile.Review, 0, len(words))
	for _, word := range words {
		if word.Official, err = f.mayWrite(ctx, word.id, word.By); err != nil {
			return nil, err
		}
		reviews = append(reviews, word.Review)
	}
	return reviews, nil
}

// talk is all that GitLab tells about a review.
type talk struct {
	approvals []*gitlab.MergeRequestApproverUser
	reviewers []*gitlab.MergeRequestReviewer
	notes     []*gitlab.Note                    // of GitLab itself
	versions  []*gitlab.MergeRequestDiffVersion // oldest first
}

// talk asks for the versions last: a push meanwhile makes an approval older than the
// newest of them, never the other way.
func (f *Forge) talk(ctx context.Context, number int) (talk, error) {
	var t talk
	call := rest.Call{Doing: fmt.Sprintf("ask who approved merge request %d", number), Needs: needsRead}
	approvals, response, err := f.client.MergeRequestApprovals.GetConfiguration(f.repo, int64(number), gitlab.WithContext(ctx))
	if err != nil || approvals == nil {
		return t, f.missing(ctx, call, response, err)
	}
	t.approvals = approvals.ApprovedBy
	call.Doing = fmt.Sprintf("list the reviewers of merge request %d", number)
	t.reviewers, response, err = all(ctx, func(page ...gitlab.RequestOptionFunc) ([]*gitlab.MergeRequestReviewer, *gitlab.Response, error) {
		return f.client.MergeRequests.GetMergeRequestReviewers(f.repo, int64(number), page...)
	})
	if err != nil {
		return t, f.missing(ctx, call, response, err)
	}
	call.Doing = fmt.Sprintf("read the notes of merge request %d", number)
	response, err = f.eachNote(ctx, number, func(n *gitlab.Note) bool {
		if n.System {
			t.notes = append(t.notes, n)
		}
		return true
	})
	if err != nil {
		return t, f.missing(ctx, call, response, err)
	}
	call.Doing = fmt.Sprintf("list the versions of merge request %d", number)
	t.versions, response, err = all(ctx, func(page ...gitlab.RequestOptionFunc) ([]*gitlab.MergeRequestDiffVersion, *gitlab.Response, error) {
		return f.client.MergeRequests.GetMergeRequestDiffVersions(f.repo, int64(number), &gitlab.GetMergeRequestDiffVersionsOptions{ListOptions: gitlab.ListOptions{PerPage: perPage}}, page...)
	})
	if err != nil {
		return t, f.missing(ctx, call, response, err)
	}
	slices.SortStableFunc(t.versions, func(a, b *gitlab.MergeRequestDiffVersion) int {
		return cmp.Or(at(a.CreatedAt).Compare(at(b.CreatedAt)), cmp.Compare(a.ID, b.ID))
	})
	return t, nil
}

// eachNote reads the notes of a merge request, oldest first.
func (f *Forge) eachNote(ctx context.Context, number int, take func(*gitlab.Note) bool) (*gitlab.Response, error) {
	return pages(ctx, func(page ...gitlab.RequestOptionFunc) ([]*gitlab.Note, *gitlab.Response, error) {
		return f.client.Notes.ListMergeRequestNotes(f.repo, int64(number), &gitlab.ListMergeRequestNotesOptions{
			ListOptions: gitlab.ListOptions{PerPage: perPage}, OrderBy: gitlab.Ptr("created_at"), Sort: gitlab.Ptr("asc"),
		}, page...)
	}, take)
}

// word is a review, and whose account said it.
type word struct {
	reconcile.Review
	id int64
}

// words finds out what counts now. Somebody who asks for changes now does so whatever
// they approved: GitLab takes that back once they approve again.
func (t talk) words() []word {
	noted := t.noted()
	var words []word
	approved := map[string]time.Time{}
	for _, a := range t.approvals {
		if a == nil {
			continue
		}
		if who := login(a.User); who != "" {
			when := cmp.Or(at(a.ApprovedAt), noted[who].approved)
			approved[who] = when
			words = append(words, t.word(a.User.ID, who, reconcile.ReviewApproved, when))
		}
	}
	for _, r := range t.reviewers {
		who := login(r.User)
		if who == "" || r.State != "requested_changes" {
			continue
		}
		when := noted[who].changes
		if when.Before(approved[who]) {
			when = approved[who]
		}
		words = append(words, t.word(r.User.ID, who, reconcile.ReviewChanges, when))
	}
	for who, n := range noted {
		if n.approved.IsZero() || slices.ContainsFunc(words, func(w word) bool { return w.By == who }) {
			continue
		}
		gone := t.word(n.id, who, reconcile.ReviewDismissed, n.approved)
		if n.unapproved.After(n.approved) {
			gone.At = n.unapproved
		}
		words = append(words, gone)
	}
	// Of one time, what forbids is the newest.
	slices.SortStableFunc(words, func(a, b word) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(forbids(a.State), forbids(b.State)), cmp.Compare(a.By, b.By))
	})
	return words
}

func forbids(state reconcile.ReviewState) int {
	if state == reconcile.ReviewApproved {
		return 0
	}
	return 1
}

// noted is when somebody said something last.
type noted struct {
	id                            int64
	approved, unapproved, changes time.Time
}

func (t talk) noted() map[string]noted {
	people := map[string]noted{}
	for _, n := range t.notes {
		who, when := n.Author.Username, at(n.CreatedAt)
		p := people[who]
		p.id = n.Author.ID
		switch n.Body {
		case noteApproved:
			p.approved = latest(p.approved, when)
		case noteUnapproved:
			p.unapproved = latest(p.unapproved, when)
		case noteChanges:
			p.changes = latest(p.changes, when)
		default:
			continue
		}
		people[who] = p
	}
	return people
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (t talk) word(id int64, who string, state reconcile.ReviewState, when time.Time) word {
	commit := t.headAt(when)
	stale := commit != "" && commit != t.versions[len(t.versions)-1].HeadCommitSHA
	return word{reconcile.Review{By: who, State: state, Commit: commit, At: when, Stale: stale}, id}
}

// headAt is the head of the newest version from before a time; "" if that is not
// certain.
func (t talk) headAt(when time.Time) string {
	if len(t.versions) == 1 { // there never was another one
		return t.versions[0].HeadCommitSHA
	}
	head := ""
	for _, v := range t.versions {
		created := at(v.CreatedAt)
		if created.IsZero() || when.IsZero() {
			return ""
		}
		if created.Before(when) {
			head = v.HeadCommitSHA
		}
	}
	return head
}
