package providertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// ForgeWorld is the other side of a reconcile.Forge: what people do there, and what
// they see. It has a repository with a branch "main" that holds a commit, the users
// "ann" and "bob", who may write to it and approve, "eve", who may only read it, and
// the account that the Forge is. Every method fails the test by itself.
type ForgeWorld interface {
	// Lacks is what this kind of forge cannot do or tell at all.
	Lacks() ForgeLacks
	// PageSize is how many items the forge puts on a page at most. The suite makes
	// more than two pages, so a small one keeps it fast.
	PageSize() int
	// Secrets are the credentials that the Forge uses. No error may show them.
	Secrets() []string

	// Push puts a new commit of a user on a branch, which is made from main if it is
	// not there, and returns its id.
	Push(t *testing.T, user, branch string) (commit string)
	// OpenPull opens a pull request as a user and returns its number.
	OpenPull(t *testing.T, user, head, base, title string) int
	// OpenFork does so from a branch of that name, with one commit, in a fork of the
	// user.
	OpenFork(t *testing.T, user, head, base, title string) int
	// Review says something about the head of now. It may be approved,
	// changes_requested or commented.
	Review(t *testing.T, user string, pull int, state reconcile.ReviewState)
	// Dismiss takes back the newest word of a user: who may, dismisses it, or the
	// user does it where that is the only way.
	Dismiss(t *testing.T, user string, pull int)
	// Merge merges by a merge commit, as a user, and returns the commit.
	Merge(t *testing.T, user string, pull int) (commit string)
	Close(t *testing.T, user string, pull int)
	// AddTeam makes a team and returns the name it is known by everywhere:
	// "acme/vision".
	AddTeam(t *testing.T, name string, members ...string) (full string)
	Comment(t *testing.T, user string, pull int, body string)

	Comments(t *testing.T, pull int) []ForgeComment
	// Statuses are those of now: one of each context.
	Statuses(t *testing.T, commit string) []ForgeStatus
}

// ForgeLacks names what a kind of forge has no notion of.
type ForgeLacks struct {
	// ReviewCommits: it does not tell what a review was about, so that Review.Commit
	// is empty.
	ReviewCommits bool
	// ChangesRequested: people can approve and take that back, no more.
	ChangesRequested bool
}

// ForgeComment is a comment as people see it.
type ForgeComment struct{ By, Body string }

// ForgeStatus is a status as people see it, in the words of the port.
type ForgeStatus struct {
	Context string
	State   reconcile.CommitState
	Text    string
	URL     string
}

// ForgeSuite holds the contract of reconcile.Forge. fresh returns a Forge and its
// world, in which nothing has happened yet.
func ForgeSuite(t *testing.T, fresh func(t *testing.T) (reconcile.Forge, ForgeWorld)) {
	for name, test := range map[string]func(t *testing.T, f reconcile.Forge, w ForgeWorld){
		"it has a name, an account, and pages of commits":         forgeNames,
		"a pull request is opened once, and brought up to date":   forgeOpensOnce,
		"one that was closed is not opened again":                 forgeOpensAfresh,
		"the pull request of a person is told in full":            forgeTells,
		"what is not there is told":                               forgeUnknown,
		"open ones are listed, newest first, of all pages":        forgeLists,
		"a fork is told apart":                                    forgeForks,
		"the newest word of a person is found":                    forgeReviews,
		"an approval is tied to what was looked at":               forgeStale,
		"who may not write does not review officially":            forgeOfficial,
		"reviews of many pages are all told":                      forgeManyReviews,
		"a merge is told: of what, as what, by whom":              forgeMerged,
		"a merge is found by the commit that it made":             forgeBrought,
		"the commits of a pull request have their authors":        forgeCommits,
		"a comment is made once, and kept current":                forgeComments,
		"a comment of somebody else is left alone":                forgeOthersComment,
		"a status replaces the one of the same context":           forgeStatus,
		"a text that is too long is cut":                          forgeLongTexts,
		"teams have members":                                      forgeTeams,
		"a cancelled call ends at once, and no error is a secret": forgeCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			f, w := fresh(t)
			test(t, f, w)
		})
	}
}

func forgeNames(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	if f.Name() == "" {
		t.Error("it has no name")
	}
	self, err := f.Self(t.Context())
	if err != nil || self.Login == "" {
		t.Errorf("got the account %+v, %v", self, err)
	}
	commit := w.Push(t, "ann", "feature")
	if url := f.CommitURL(commit); !strings.Contains(url, "://") || !strings.Contains(url, commit) {
		t.Errorf("the page of %s is %q", commit, url)
	}
}

func forgeOpensOnce(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	w.Push(t, "ann", "other")
	w.OpenPull(t, "ann", "other", "main", "Not this one")
	head := w.Push(t, "ann", "fairlead/revert/digits")
	ask := reconcile.NewPull{Head: "fairlead/revert/digits", Base: "main", Title: "Revert digits", Body: "It failed.", Labels: []string{"fairlead", "revert"}}
	first := mustOpen(t, f, ask)
	self, err := f.Self(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.Number <= 0 || first.State != reconcile.PullOpen || first.Title != ask.Title || strings.TrimSpace(first.Body) != ask.Body ||
		first.Head != ask.Head || first.Base != ask.Base || first.HeadSHA != head || first.Author != self.Login || first.Fork {
		t.Errorf("opened %+v by %s; want %+v at %s", first, self.Login, ask, head)
	}
	again := mustOpen(t, f, ask)
	if again.Number != first.Number {
		t.Errorf("opened number %d beside %d", again.Number, first.Number)
	}
	ask.Title, ask.Body = "Revert digits 1.2.0", "It failed, by numbers."
	again = mustOpen(t, f, ask)
	if again.Number != first.Number || again.Title != ask.Title || strings.TrimSpace(again.Body) != ask.Body {
		t.Errorf("brought up to date it is %+v; want %+v", again, ask)
	}
	wantPulls(t, f, reconcile.PullQuery{Head: ask.Head}, first.Number)
	if err := f.EditPull(t.Context(), first.Number, "Edited", "Text."); err != nil {
		t.Fatal(err)
	}
	if p := mustPull(t, f, first.Number); p.Title != "Edited" || strings.TrimSpace(p.Body) != "Text." {
		t.Errorf("edited it is %+v", p)
	}
}

func forgeOpensAfresh(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	w.Push(t, "ann", "fairlead/pin/digits")
	ask := reconcile.NewPull{Head: "fairlead/pin/digits", Base: "main", Title: "Pin digits", Body: "By digest."}
	first := mustOpen(t, f, ask)
	for range 2 { // the second time it is closed already
		if err := f.ClosePull(t.Context(), first.Number); err != nil {
			t.Fatal(err)
		}
	}
	if p := mustPull(t, f, first.Number); p.State != reconcile.PullClosed || p.Merged != "" || p.MergedBy != "" {
		t.Errorf("closed it is %+v", p)
	}
	wantPulls(t, f, reconcile.PullQuery{})
	if latest, err := f.Latest(t.Context(), ask.Head); err != nil || latest.Number != first.Number || latest.State != reconcile.PullClosed {
		t.Errorf("the latest is %+v, %v; want number %d, closed", latest, err, first.Number)
	}
	second := mustOpen(t, f, ask)
	if second.Number == first.Number {
		t.Errorf("number %d was opened again; its conversation is over", first.Number)
	}
	if latest, err := f.Latest(t.Context(), ask.Head); err != nil || latest.Number != second.Number || latest.State != reconcile.PullOpen {
		t.Errorf("the latest is %+v, %v; want number %d, open", latest, err, second.Number)
	}
	w.Close(t, "bob", second.Number)
	if p := mustPull(t, f, second.Number); p.State != reconcile.PullClosed || p.ClosedBy != "" && p.ClosedBy != "bob" {
		t.Errorf("closed by bob it is %+v", p)
	}
}

func forgeTells(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	before := w.Push(t, "ann", "feature")
	number := w.OpenPull(t, "ann", "feature", "main", "Digits 1.2.0")
	p := mustPull(t, f, number)
	if p.Number != number || p.Title != "Digits 1.2.0" || p.Author != "ann" || p.State != reconcile.PullOpen || p.Base != "main" ||
		p.Head != "feature" || p.HeadSHA != before || p.Fork || p.Draft || p.Merged != "" || p.MergedBy != "" {
		t.Errorf("number %d is %+v", number, p)
	}
	if !strings.Contains(p.URL, "://") || !strings.HasSuffix(p.URL, fmt.Sprint(number)) {
		t.Errorf("its page is %q", p.URL)
	}
	if !strings.HasPrefix(p.Ref, "refs/") || !strings.Contains(p.Ref, fmt.Sprintf("/%d/", number)) {
		t.Errorf("its head can be fetched as %q", p.Ref)
	}
	if p.Updated.IsZero() {
		t.Error("it is not told when it was updated")
	}
	after := w.Push(t, "ann", "feature")
	if p := mustPull(t, f, number); p.HeadSHA != after {
		t.Errorf("after a push its head is %s; want %s", p.HeadSHA, after)
	}
}

func forgeUnknown(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	ctx := t.Context()
	if _, err := f.Pull(ctx, 4040); !errors.Is(err, reconcile.ErrNoPull) {
		t.Errorf("pull request 4040 is told as %v", err)
	}
	w.Push(t, "ann", "feature") // never proposed
	if _, err := f.Latest(ctx, "feature"); !errors.Is(err, reconcile.ErrNoPull) {
		t.Errorf("the latest of a branch without any is told as %v", err)
	}
	if _, err := f.Members(ctx, "nobody-of-that-name"); !errors.Is(err, reconcile.ErrNoTeam) {
		t.Errorf("an unknown team is told as %v", err)
	}
	if _, err := f.OpenPull(ctx, reconcile.NewPull{Head: "no-such-branch", Base: "main", Title: "x", Body: "x"}); err == nil || errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("a pull request from a branch that is not there is told as %v", err)
	}
	for call, err := range map[string]error{
		"edit":    f.EditPull(ctx, 4040, "title", "body"),
		"close":   f.ClosePull(ctx, 4040),
		"comment": f.Comment(ctx, 4040, "<!-- m -->", "body"),
	} {
		if !errors.Is(err, reconcile.ErrNoPull) {
			t.Errorf("%s of pull request 4040: %v; want ErrNoPull", call, err)
		}
	}
	if _, err := f.Reviews(ctx, 4040); !errors.Is(err, reconcile.ErrNoPull) {
		t.Errorf("reviews of pull request 4040: %v; want ErrNoPull", err)
	}
	if _, err := f.PullCommits(ctx, 4040); !errors.Is(err, reconcile.ErrNoPull) {
		t.Errorf("commits of pull request 4040: %v; want ErrNoPull", err)
	}
}

func forgeLists(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	w.Push(t, "ann", "release")
	var want []int
	for i := range 2*w.PageSize() + 1 {
		branch := fmt.Sprintf("feature-%d", i)
		w.Push(t, "ann", branch)
		want = append(want, w.OpenPull(t, "ann", branch, "main", "Change "+branch))
	}
	w.Close(t, "ann", want[0])
	want = want[1:]
	slices.Reverse(want)
	wantPulls(t, f, reconcile.PullQuery{}, want...)
	w.Push(t, "bob", "backport")
	other := w.OpenPull(t, "bob", "backport", "release", "Backport")
	wantPulls(t, f, reconcile.PullQuery{Base: "release"}, other)
	wantPulls(t, f, reconcile.PullQuery{Base: "main"}, want...)
	wantPulls(t, f, reconcile.PullQuery{Head: "feature-1"}, want[len(want)-1])
	wantPulls(t, f, reconcile.PullQuery{Head: "feature-1", Base: "release"})
}

func forgeForks(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	w.Push(t, "ann", "feature")
	own := w.OpenPull(t, "ann", "feature", "main", "Ours")
	strange := w.OpenFork(t, "eve", "feature", "main", "From afar")
	if p := mustPull(t, f, own); p.Fork {
		t.Errorf("%+v is told to come from a fork", p)
	}
	if p := mustPull(t, f, strange); !p.Fork || p.Author != "eve" || p.HeadSHA == "" {
		t.Errorf("a pull request from a fork is %+v", p)
	}
	if latest, err := f.Latest(t.Context(), "feature"); err != nil || latest.Number != own {
		t.Errorf("the latest from our branch is %+v, %v; want number %d", latest, err, own)
	}
	p := mustOpen(t, f, reconcile.NewPull{Head: "feature", Base: "main", Title: "Ours", Body: "text"})
	if p.Number != own {
		t.Errorf("number %d was taken for ours; want %d", p.Number, own)
	}
}

// forgeTimeout is how long one call of the suite may take.
const forgeTimeout = 30 * time.Second

func mustOpen(t *testing.T, f reconcile.Forge, ask reconcile.NewPull) reconcile.Pull {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), forgeTimeout)
	defer cancel()
	p, err := f.OpenPull(ctx, ask)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustPull(t *testing.T, f reconcile.Forge, number int) reconcile.Pull {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), forgeTimeout)
	defer cancel()
	p, err := f.Pull(ctx, number)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wantPulls(t *testing.T, f reconcile.Forge, q reconcile.PullQuery, want ...int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), forgeTimeout)
	defer cancel()
	pulls, err := f.Pulls(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, p := range pulls {
		got = append(got, p.Number)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v picks %v; want %v", q, got, want)
	}
}
