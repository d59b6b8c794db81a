package gitea_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fairlead/fairlead/providers/forge/forgetest"
	"github.com/fairlead/fairlead/providers/forge/gitea"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

// local is the world of the suite on the forge of the tests.
type local struct {
	forge  *forgetest.World
	repo   *forgetest.Repo
	token  string
	pushes int
}

func newLocal(t *testing.T) (reconcile.Forge, providertest.ForgeWorld) {
	t.Helper()
	w := &local{forge: forgetest.Start(t)}
	w.forge.PageSize = 3
	for _, login := range []string{"ann", "bob", "eve"} {
		w.forge.AddUser(login)
	}
	w.token = w.forge.AddUser("fairlead-bot")
	repo, err := w.forge.AddRepo("acme/models", "ann", "bob", "fairlead-bot")
	if err != nil {
		t.Fatal(err)
	}
	w.repo = repo
	if err := w.forge.AddTeam("acme/"+forgetest.Owners, "fairlead-bot"); err != nil { // who may see who is in a team
		t.Fatal(err)
	}
	return newForge(t, w.forge.URL, w.token), w
}

func newForge(t *testing.T, url, token string) *gitea.Forge {
	t.Helper()
	f, err := gitea.New(gitea.Options{BaseURL: url, Repo: "acme/models", TokenFile: tokenFile(t, token)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func tokenFile(t *testing.T, token string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestForgeKeepsItsContract(t *testing.T) {
	providertest.ForgeSuite(t, newLocal)
}

// Gitea tells of a closed pull request what its branch holds by now, which may be another
// proposal.
func TestHeadOfAClosedPullRequestStays(t *testing.T) {
	f, w := newLocal(t)
	head := w.Push(t, "ann", "feature")
	number := w.OpenPull(t, "ann", "feature", "main", "Digits 1.2.0")
	w.Close(t, "bob", number)
	w.Push(t, "ann", "feature")
	if p, err := f.Pull(t.Context(), number); err != nil || p.HeadSHA != head || p.ClosedBy != "bob" {
		t.Errorf("closed it is %+v, %v; want the head %s", p, err, head)
	}
}

func TestEachCommitOfARebaseIsFound(t *testing.T) {
	rebaseIsFound(t, newLocal)
}

func rebaseIsFound(t *testing.T, fresh func(*testing.T) (reconcile.Forge, providertest.ForgeWorld)) {
	f, w := fresh(t)
	world := w.(interface {
		providertest.ForgeWorld
		Rebase(t *testing.T, user string, pull int) (commit string)
	})
	for range w.PageSize() + 2 {
		w.Push(t, "ann", "feature")
	}
	number := w.OpenPull(t, "ann", "feature", "main", "Many changes")
	before := w.Push(t, "bob", "main")
	last := world.Rebase(t, "bob", number)
	w.Push(t, "bob", "other")
	w.Merge(t, "ann", w.OpenPull(t, "bob", "other", "main", "Something else"))
	after := w.Push(t, "bob", "main")
	for _, c := range line(t, f, last) {
		pulls, err := f.Brought(t.Context(), c)
		switch {
		case err != nil:
			t.Fatal(err)
		case c == before:
			if len(pulls) != 0 {
				t.Errorf("what was there before the rebase is told to be brought by %+v", pulls)
			}
			return
		case len(pulls) != 1 || pulls[0].Number != number || pulls[0].HeadSHA == "" || pulls[0].MergedBy != "bob":
			t.Errorf("%s was brought by %+v; want number %d", c, pulls, number)
		}
	}
	t.Errorf("%s does not lead to %s, %s", last, before, after)
}

func TestTextOfAStatusFitsItsLine(t *testing.T) {
	f, w := newLocal(t)
	commit := w.Push(t, "ann", "feature")
	if _, err := f.Status(t.Context(), commit, reconcile.CommitStatus{Context: "fairlead/prod", State: reconcile.CommitSuccess, Text: strings.Repeat("ü", 2000)}); err != nil {
		t.Fatal(err)
	}
	if got := w.Statuses(t, commit); len(got) != 1 || utf8.RuneCountInString(got[0].Text) != 255 {
		t.Errorf("got %+v", got)
	}
}

func TestStatusOnNothingDoesNotWaitForBetterTimes(t *testing.T) {
	statusOnNothing(t, newLocal)
}

func statusOnNothing(t *testing.T, fresh func(*testing.T) (reconcile.Forge, providertest.ForgeWorld)) {
	f, _ := fresh(t)
	_, err := f.Status(t.Context(), strings.Repeat("ab", 20), reconcile.CommitStatus{Context: "fairlead/prod", State: reconcile.CommitSuccess, Text: "x"})
	if err == nil || errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("a status on a commit that is not there: %v; want an error that does not pass by itself", err)
	}
}

// line is what leads to a commit, newest first.
func line(t *testing.T, f reconcile.Forge, commit string) []string {
	t.Helper()
	ids, err := f.(*gitea.Forge).History(t.Context(), commit)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// reviewStates are the suite's words in Gitea's.
var reviewStates = map[reconcile.ReviewState]string{
	reconcile.ReviewApproved: forgetest.Approved, reconcile.ReviewChanges: forgetest.ChangesRequested, reconcile.ReviewCommented: forgetest.Commented,
}

// commitStates are Gitea's words in the port's.
var commitStates = map[string]reconcile.CommitState{
	"pending": reconcile.CommitPending, "success": reconcile.CommitSuccess, "failure": reconcile.CommitFailure, "warning": reconcile.CommitHeld,
}

func (w *local) Lacks() providertest.ForgeLacks { return providertest.ForgeLacks{} }
func (w *local) PageSize() int                  { return w.forge.PageSize }
func (w *local) Secrets() []string              { return []string{w.token} }

func (w *local) Push(t *testing.T, user, branch string) string {
	t.Helper()
	w.pushes++
	commit, err := w.repo.Commit(user, branch, "Change", map[string]string{branch + ".hcl": fmt.Sprintln(w.pushes)})
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

func (w *local) OpenPull(t *testing.T, user, head, base, title string) int {
	t.Helper()
	number, err := w.repo.OpenPull(user, head, base, title, "")
	if err != nil {
		t.Fatal(err)
	}
	return number
}

func (w *local) OpenFork(t *testing.T, user, head, base, title string) int {
	t.Helper()
	fork, err := w.repo.Fork(user)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fork.Commit(user, head, "Change", map[string]string{"fork.hcl": "x"}); err != nil {
		t.Fatal(err)
	}
	return w.OpenPull(t, user, user+":"+head, base, title)
}

func (w *local) Review(t *testing.T, user string, pull int, state reconcile.ReviewState) {
	t.Helper()
	if err := w.repo.Review(pull, user, reviewStates[state], "I looked"); err != nil {
		t.Fatal(err)
	}
}

func (w *local) Dismiss(t *testing.T, user string, pull int) {
	t.Helper()
	if err := w.repo.Dismiss(pull, user); err != nil {
		t.Fatal(err)
	}
}

func (w *local) Merge(t *testing.T, user string, pull int) string {
	t.Helper()
	commit, err := w.repo.MergePull(pull, user, forgetest.Merge)
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

func (w *local) Rebase(t *testing.T, user string, pull int) string {
	t.Helper()
	commit, err := w.repo.MergePull(pull, user, forgetest.Rebase)
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

func (w *local) Close(t *testing.T, user string, pull int) {
	t.Helper()
	if err := w.repo.ClosePull(pull, user); err != nil {
		t.Fatal(err)
	}
}

func (w *local) AddTeam(t *testing.T, name string, members ...string) string {
	t.Helper()
	if err := w.forge.AddTeam("acme/"+name, members...); err != nil {
		t.Fatal(err)
	}
	return "acme/" + name
}

func (w *local) Comment(t *testing.T, user string, pull int, body string) {
	t.Helper()
	if err := w.repo.Comment(pull, user, body); err != nil {
		t.Fatal(err)
	}
}

func (w *local) Comments(_ *testing.T, pull int) []providertest.ForgeComment {
	var out []providertest.ForgeComment
	for _, c := range w.repo.Comments(pull) {
		out = append(out, providertest.ForgeComment{By: c.By, Body: strings.TrimSpace(c.Body)})
	}
	return out
}

func (w *local) Statuses(_ *testing.T, commit string) []providertest.ForgeStatus {
	var out []providertest.ForgeStatus
	for _, s := range w.repo.Statuses(commit) {
		out = append(out, providertest.ForgeStatus{Context: s.Context, State: commitStates[s.State], Text: s.Text, URL: s.URL})
	}
	return out
}
