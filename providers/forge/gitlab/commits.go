package gitlab

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

// PullCommits implements reconcile.Forge. Of a commit GitLab's REST API tells an
// address only; whose that is its GraphQL API knows. Where that gives no answer, for
// example as the token may not see people, the authors stay empty.
func (f *Forge) PullCommits(ctx context.Context, number int) ([]reconcile.PullCommit, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	call := rest.Call{Doing: fmt.Sprintf("list the commits of merge request %d", number), Needs: needsRead}
	listed, response, err := all(ctx, func(page ...gitlab.RequestOptionFunc) ([]*gitlab.Commit, *gitlab.Response, error) {
		return f.client.MergeRequests.GetMergeRequestCommits(f.repo, int64(number), &gitlab.GetMergeRequestCommitsOptions{ListOptions: gitlab.ListOptions{PerPage: perPage}}, page...)
	})
	if err != nil {
		return nil, f.missing(ctx, call, response, err)
	}
	authors, err := f.authors(ctx, number, call)
	if err != nil {
		return nil, err
	}
	commits := make([]reconcile.PullCommit, 0, len(listed))
	for _, c := range slices.Backward(listed) { // the newest is the first
		commits = append(commits, reconcile.PullCommit{ID: c.ID, Author: authors[c.ID], Email: c.AuthorEmail})
	}
	return commits, nil
}

// whose asks for the accounts that GitLab knows by any address of theirs.
const whose = `query($path: ID!, $iid: String!, $after: String) {
  project(fullPath: $path) { mergeRequest(iid: $iid) { commits(first: 100, after: $after) {
    nodes { sha author { username } }
    pageInfo { endCursor hasNextPage }
  } } }
}`

// authorship is the answer to it.
type authorship struct {
	Data struct {
		Project *struct {
			MergeRequest *struct {
				Commits struct {
					Nodes []struct {
						SHA    string `json:"sha"`
						Author *struct {
							Username string `json:"username"`
						} `json:"author"`
					} `json:"nodes"`
					PageInfo struct {
						EndCursor   string `json:"endCursor"`
						HasNextPage bool   `json:"hasNextPage"`
					} `json:"pageInfo"`
				} `json:"commits"`
			} `json:"mergeRequest"`
		} `json:"project"`
	} `json:"data"`
	Errors []struct {
		Message string `json:"message"`
	} `json:"errors"`
}

// authors are the logins of the authors of commits, by commit.
func (f *Forge) authors(ctx context.Context, number int, call rest.Call) (map[string]string, error) {
	call.Doing += ", and ask for their authors"
	logins := map[string]string{}
	after := ""
	for range rest.MaxPages {
		variables := map[string]any{"path": f.repo, "iid": strconv.Itoa(number)}
		if after != "" {
			variables["after"] = after
		}
		var page authorship
		response, err := f.client.GraphQL.Do(gitlab.GraphQLQuery{Query: whose, Variables: variables}, &page, gitlab.WithContext(ctx))
		if err != nil {
			return nil, f.failed(call, response, err)
		}
		if len(page.Errors) > 0 || page.Data.Project == nil || page.Data.Project.MergeRequest == nil {
			reason := "nothing"
			if len(page.Errors) > 0 {
				reason = f.rest.Clean(page.Errors[0].Message)
			}
			f.log.WarnContext(ctx, "GitLab does not tell who the authors of commits are", "repo", f.repo, "answer", reason)
			return logins, nil
		}
		commits := page.Data.Project.MergeRequest.Commits
		for _, c := range commits.Nodes {
			if c.Author != nil {
				logins[c.SHA] = c.Author.Username
			}
		}
		if !commits.PageInfo.HasNextPage || commits.PageInfo.EndCursor == after {
			return logins, nil
		}
		after = commits.PageInfo.EndCursor
	}
	return logins, nil
}
