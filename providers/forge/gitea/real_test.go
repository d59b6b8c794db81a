package gitea_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/fairlead/fairlead/providers/forge/gitea"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

// Where a real Gitea is, and the token of its administrator: `make test-gitea` sets
// them. Its pages have so many items at most.
const (
	realURL   = "FAIRLEAD_GITEA_URL"
	realToken = "FAIRLEAD_GITEA_ADMIN_TOKEN"
	realPage  = 3

	password   = "Correct-h0rse-battery"
	realPoll   = 20 * time.Millisecond
	realPasses = 20 * time.Second // within which what Gitea does beside is done
)

// real is the world of the suite on a real Gitea.
type real struct {
	url   string
	org   string
	admin *sdk.Client
	token string
	count int
}

// made numbers what must not have the same name.
var made atomic.Int64

func TestRealGiteaKeepsTheContract(t *testing.T) {
	url, token := os.Getenv(realURL), os.Getenv(realToken)
	if url == "" || token == "" {
		t.Skipf("there is no real Gitea: %s and %s are not set; `make test-gitea` runs one", realURL, realToken)
	}
	fresh := func(t *testing.T) (reconcile.Forge, providertest.ForgeWorld) { return newReal(t, url, token) }
	providertest.ForgeSuite(t, fresh)
	t.Run("each commit of a rebase is found", func(t *testing.T) { rebaseIsFound(t, fresh) })
	t.Run("a status on nothing does not wait for better times", func(t *testing.T) { statusOnNothing(t, fresh) })
}

func newReal(t *testing.T, url, token string) (reconcile.Forge, providertest.ForgeWorld) {
	t.Helper()
	w := &real{url: url, org: fmt.Sprintf("acme-%d-%d", time.Now().UnixNano(), made.Add(1))}
	w.admin = w.client(t, sdk.SetToken(token))
	no := false
	for _, login := range []string{"ann", "bob", "eve", "fairlead-bot"} {
		_, response, err := w.admin.AdminCreateUser(sdk.CreateUserOption{Username: login, Email: login + "@forge.example", Password: password, MustChangePassword: &no})
		if err != nil && (response == nil || response.StatusCode != http.StatusUnprocessableEntity) { // which says that it is there
			t.Fatal(err)
		}
	}
	_, _, err := w.admin.CreateOrg(sdk.CreateOrgOption{Name: w.org})
	check(t, err)
	_, _, err = w.admin.CreateOrgRepo(w.org, sdk.CreateRepoOption{Name: "models", AutoInit: true, DefaultBranch: "main"})
	check(t, err)
	write := sdk.AccessModeWrite
	for _, login := range []string{"ann", "bob", "fairlead-bot"} {
		_, err := w.admin.AddCollaborator(w.org, "models", login, sdk.AddCollaboratorOption{Permission: &write})
		check(t, err)
	}
	teams, _, err := w.admin.ListOrgTeams(w.org, sdk.ListTeamsOptions{})
	check(t, err)
	_, err = w.admin.AddTeamMember(teams[0].ID, "fairlead-bot") // the owners, who may see who is in a team
	check(t, err)
	access, _, err := w.as(t, "fairlead-bot").CreateAccessToken(sdk.CreateAccessTokenOption{
		Name: w.org, Scopes: []sdk.AccessTokenScope{"read:user", "write:repository", "write:issue", "read:organization"},
	})
	check(t, err)
	w.token = access.Token
	f, err := gitea.New(gitea.Options{BaseURL: url, Repo: w.org + "/models", TokenFile: tokenFile(t, w.token)})
	check(t, err)
	t.Cleanup(f.Close)
	return f, w
}

func (w *real) client(t *testing.T, as sdk.ClientOption) *sdk.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	connections := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	c, err := sdk.NewClient(w.url, sdk.SetContext(ctx), sdk.SetHTTPClient(connections), sdk.SetGiteaVersion(""), as)
	check(t, err)
	return c
}

func (w *real) as(t *testing.T, user string) *sdk.Client {
	t.Helper()
	return w.client(t, sdk.SetBasicAuth(user, password))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits for what Gitea does beside.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), realPasses)
	defer cancel()
	tick := time.NewTicker(realPoll)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("Gitea does not get there within %s: %s", realPasses, what)
		case <-tick.C:
		}
	}
}

func (w *real) Lacks() providertest.ForgeLacks { return providertest.ForgeLacks{} }
func (w *real) PageSize() int                  { return realPage }
func (w *real) Secrets() []string              { return []string{w.token} }

func (w *real) Push(t *testing.T, user, branch string) string {
	t.Helper()
	commit := w.push(t, user, w.org, branch)
	w.settle(t, branch, commit)
	return commit
}

func (w *real) push(t *testing.T, user, owner, branch string) string {
	t.Helper()
	w.count++
	file := sdk.FileOptions{BranchName: branch, Message: fmt.Sprintf("Change %d", w.count)}
	if _, response, err := w.admin.GetRepoBranch(owner, "models", branch); err != nil {
		if response == nil || response.StatusCode != http.StatusNotFound {
			t.Fatal(err)
		}
		file.BranchName, file.NewBranchName = "main", branch
	}
	answer, _, err := w.as(t, user).CreateFile(owner, "models", fmt.Sprintf("%s/%d.hcl", branch, w.count), sdk.CreateFileOptions{
		FileOptions: file, Content: base64.StdEncoding.EncodeToString([]byte(fmt.Sprintln(w.count))),
	})
	check(t, err)
	return answer.Commit.SHA
}

// settle waits until the open pull requests of a branch have taken notice of a push.
func (w *real) settle(t *testing.T, branch, commit string) {
	t.Helper()
	pulls, _, err := w.admin.ListRepoPullRequests(w.org, "models", sdk.ListPullRequestsOptions{State: sdk.StateOpen})
	check(t, err)
	for _, p := range pulls {
		if p.Head.Name != branch || p.Head.RepoID != p.Base.RepoID {
			continue
		}
		until(t, fmt.Sprintf("refs/pull/%d/head is %s", p.Index, commit), func() bool {
			ref, _, err := w.admin.GetRepoRef(w.org, "models", fmt.Sprintf("pull/%d/head", p.Index))
			return err == nil && ref.Object.SHA == commit
		})
	}
}

func (w *real) OpenPull(t *testing.T, user, head, base, title string) int {
	t.Helper()
	p, _, err := w.as(t, user).CreatePullRequest(w.org, "models", sdk.CreatePullRequestOption{Head: head, Base: base, Title: title})
	check(t, err)
	return int(p.Index)
}

func (w *real) OpenFork(t *testing.T, user, head, base, title string) int {
	t.Helper()
	as := w.as(t, user)
	if response, err := as.DeleteRepo(user, "models"); err != nil && (response == nil || response.StatusCode != http.StatusNotFound) {
		t.Fatal(err) // a fork of an earlier run is in the way
	}
	_, _, err := as.CreateFork(w.org, "models", sdk.CreateForkOption{})
	check(t, err)
	w.push(t, user, user, head)
	return w.OpenPull(t, user, user+":"+head, base, title)
}

func (w *real) Review(t *testing.T, user string, pull int, state reconcile.ReviewState) {
	t.Helper()
	_, _, err := w.as(t, user).CreatePullReview(w.org, "models", int64(pull), sdk.CreatePullReviewOptions{State: sdk.ReviewStateType(reviewStates[state]), Body: "I looked"})
	check(t, err)
}

func (w *real) Dismiss(t *testing.T, user string, pull int) {
	t.Helper()
	for page := 1; ; page++ {
		reviews, _, err := w.admin.ListPullReviews(w.org, "models", int64(pull), sdk.ListPullReviewsOptions{ListOptions: sdk.ListOptions{Page: page, PageSize: realPage}})
		check(t, err)
		if len(reviews) == 0 {
			return
		}
		for _, r := range reviews {
			if r.Reviewer.UserName == user && r.State != sdk.ReviewStateComment && !r.Dismissed {
				_, err := w.admin.DismissPullReview(w.org, "models", int64(pull), r.ID, sdk.DismissPullReviewOptions{Message: "not any more"})
				check(t, err)
			}
		}
	}
}

func (w *real) Merge(t *testing.T, user string, pull int) string {
	t.Helper()
	return w.merge(t, user, pull, sdk.MergeStyleMerge)
}

// merge tries until Gitea has found out that it can be merged.
func (w *real) merge(t *testing.T, user string, pull int, style sdk.MergeStyle) string {
	t.Helper()
	as := w.as(t, user)
	until(t, fmt.Sprintf("pull request %d is merged", pull), func() bool {
		merged, _, err := as.MergePullRequest(w.org, "models", int64(pull), sdk.MergePullRequestOption{Style: style})
		check(t, err)
		return merged
	})
	p, _, err := w.admin.GetPullRequest(w.org, "models", int64(pull))
	check(t, err)
	return *p.MergedCommitID
}

func (w *real) Rebase(t *testing.T, user string, pull int) string {
	t.Helper()
	return w.merge(t, user, pull, sdk.MergeStyleRebase)
}

func (w *real) Close(t *testing.T, user string, pull int) {
	t.Helper()
	closed := sdk.StateClosed
	_, _, err := w.as(t, user).EditPullRequest(w.org, "models", int64(pull), sdk.EditPullRequestOption{State: &closed})
	check(t, err)
}

func (w *real) AddTeam(t *testing.T, name string, members ...string) string {
	t.Helper()
	made, _, err := w.admin.CreateTeam(w.org, sdk.CreateTeamOption{Name: name, Permission: sdk.AccessModeRead, Units: []sdk.RepoUnitType{sdk.RepoUnitCode}})
	check(t, err)
	for _, m := range members {
		_, err := w.admin.AddTeamMember(made.ID, m)
		check(t, err)
	}
	return w.org + "/" + name
}

func (w *real) Comment(t *testing.T, user string, pull int, body string) {
	t.Helper()
	_, _, err := w.as(t, user).CreateIssueComment(w.org, "models", int64(pull), sdk.CreateIssueCommentOption{Body: body})
	check(t, err)
}

func (w *real) Comments(t *testing.T, pull int) []providertest.ForgeComment {
	t.Helper()
	comments, _, err := w.admin.ListIssueComments(w.org, "models", int64(pull), sdk.ListIssueCommentOptions{})
	check(t, err)
	var out []providertest.ForgeComment
	for _, c := range comments {
		out = append(out, providertest.ForgeComment{By: c.Poster.UserName, Body: strings.TrimSpace(c.Body)})
	}
	return out
}

func (w *real) Statuses(t *testing.T, commit string) []providertest.ForgeStatus {
	t.Helper()
	combined, _, err := w.admin.GetCombinedStatus(w.org, "models", commit)
	check(t, err)
	var out []providertest.ForgeStatus
	for _, s := range combined.Statuses {
		out = append(out, providertest.ForgeStatus{Context: s.Context, State: commitStates[string(s.State)], Text: s.Description, URL: s.TargetURL})
	}
	return out
}
