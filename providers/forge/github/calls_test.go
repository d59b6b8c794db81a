package github_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/forge/github"
	"github.com/fairlead/fairlead/providers/forge/internal/world"
	"github.com/fairlead/fairlead/reconcile"
)

func TestPagesOfCommits(t *testing.T) {
	for base, want := range map[string]string{
		"":                                    "https://github.com/acme/models/commit/abc",
		"https://github.com/":                 "https://github.com/acme/models/commit/abc",
		"https://api.github.com":              "https://github.com/acme/models/commit/abc",
		"https://acme.ghe.com":                "https://acme.ghe.com/acme/models/commit/abc",
		"https://github.example.com/":         "https://github.example.com/acme/models/commit/abc",
		"https://github.example.com/api/v3":   "https://github.example.com/acme/models/commit/abc",
		"https://git.example.com:8443/github": "https://git.example.com:8443/github/acme/models/commit/abc",
	} {
		f := open(t, github.Options{BaseURL: base, TokenFile: "x"})
		if got := f.CommitURL("abc"); got != want {
			t.Errorf("%s: the page is %s; want %s", base, got, want)
		}
	}
}

func TestTheSecondaryLimitNeedNotSayForHowLong(t *testing.T) {
	d, clock := newDouble(t), &world.Clock{}
	f := open(t, github.Options{BaseURL: d.URL, TokenFile: world.File(t, canary), Now: clock.Now})
	d.Fail(func(w http.ResponseWriter, _ *http.Request) {
		world.Answer(w, 403, object{
			"message":           "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
			"documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
		})
	})
	var retry *reconcile.RetryError
	if err := list(t, f); !errors.As(err, &retry) || retry.After.Before(clock.Now().Add(50*time.Second)) {
		t.Fatalf("got %v", err)
	}
	if err := list(t, f); !errors.As(err, &retry) || len(d.Requests()) != 1 {
		t.Errorf("%v after %v", err, d.Requests())
	}
	d.Fail(nil)
	clock.Skip(time.Minute + time.Second)
	if err := list(t, f); err != nil {
		t.Error(err)
	}
}

func TestWhichRightIsMissingIsSaid(t *testing.T) {
	d := newDouble(t)
	f := byToken(t, d)
	d.Fail(func(w http.ResponseWriter, _ *http.Request) {
		world.Answer(w, 403, object{"message": "Resource not accessible by personal access token"})
	})
	_, err := f.Status(t.Context(), strings.Repeat("a", 40), reconcile.CommitStatus{Context: "c", State: reconcile.CommitSuccess})
	if err == nil || !strings.Contains(err.Error(), "Commit statuses: write") || !strings.Contains(err.Error(), "not accessible") || errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	d.Fail(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Accepted-GitHub-Permissions", "pull_requests=read")
		w.Header().Set("X-GitHub-SSO", "required; url=https://github.com/orgs/acme/sso?authorization_request=x")
		world.Answer(w, 403, object{"message": "Resource protected by organization SAML enforcement."})
	})
	if err := list(t, f); err == nil || !strings.Contains(err.Error(), "pull_requests=read") || !strings.Contains(err.Error(), "single sign-on") {
		t.Errorf("got %v", err)
	}
}

func TestMoreCommitsThanAreListedAreAnError(t *testing.T) {
	d := newDouble(t)
	f := byToken(t, d)
	total := 0
	d.Fail(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/commits") {
			world.Answer(w, 200, object{"number": 1, "commits": total})
			return
		}
		commits := []object{}
		for i := range 250 {
			commits = append(commits, object{"sha": fmt.Sprintf("%040d", i)})
		}
		world.Answer(w, 200, commits)
	})
	for _, total = range []int{250, 251} {
		commits, err := f.PullCommits(t.Context(), 1)
		if ok := err == nil && len(commits) == 250; ok != (total == 250) {
			t.Errorf("of %d commits: %d, %v", total, len(commits), err)
		}
	}
}

// Who made a commit of what another wrote had a hand in it.
func TestCommittersAreTold(t *testing.T) {
	d := newDouble(t)
	f := byToken(t, d)
	d.Fail(func(w http.ResponseWriter, _ *http.Request) {
		world.Answer(w, 200, []object{
			{"sha": "one", "author": object{"login": "ann"}, "committer": object{"login": "eve"}}, {"sha": "two", "author": nil, "committer": nil},
		})
	})
	commits, err := f.PullCommits(t.Context(), 1)
	if err != nil || len(commits) != 2 || commits[0].Author != "ann" || commits[0].Committer != "eve" || commits[1].Author != "" || commits[1].Committer != "" {
		t.Errorf("got %+v, %v", commits, err)
	}
}

func TestSomebodyElseOpensItFirst(t *testing.T) {
	d := newDouble(t)
	f := byToken(t, d)
	d.Push(t, "ann", "feature")
	d.beforeOpen = func() { d.Open("ann", "feature", "main", "Theirs", "", "", d.Branches["feature"]) }
	p, err := f.OpenPull(t.Context(), reconcile.NewPull{Head: "feature", Base: "main", Title: "Ours", Body: "text"})
	if err != nil || p.Number != 1 || p.Title != "Ours" || p.Author != "ann" {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestLabelsAreNotWorthAnError(t *testing.T) {
	d := newDouble(t)
	var log bytes.Buffer
	f := open(t, github.Options{BaseURL: d.URL, TokenFile: world.File(t, canary), Log: slog.New(slog.NewTextHandler(&log, nil))})
	d.Push(t, "ann", "feature")
	d.noLabels = true
	p, err := f.OpenPull(t.Context(), reconcile.NewPull{Head: "feature", Base: "main", Title: "Ours", Body: "text", Labels: []string{"fairlead"}})
	if err != nil || p.Number != 1 || !strings.Contains(log.String(), "labels") || strings.Contains(log.String(), canary) {
		t.Errorf("got %+v, %v; logged %s", p, err, log.String())
	}
}

func TestTeamsAreThoseOfTheOrganisation(t *testing.T) {
	d := newDouble(t)
	f := byToken(t, d)
	d.AddTeam(t, "vision", "ann")
	for name, found := range map[string]bool{"vision": true, "@acme/vision": true, "ACME/vision": true, "other/vision": false, "acme/../vision": false, "..": false, "": false, "a b": false} {
		_, err := f.Members(t.Context(), name)
		if (err == nil) != found || err != nil && !errors.Is(err, reconcile.ErrNoTeam) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestWhoMayWriteIsAskedOnceInAWhile(t *testing.T) {
	d, clock := newDouble(t), &world.Clock{}
	f := open(t, github.Options{BaseURL: d.URL, TokenFile: world.File(t, canary), Now: clock.Now})
	d.Push(t, "ann", "feature")
	number := d.OpenPull(t, "ann", "feature", "main", "Digits")
	for range 3 {
		d.Review(t, "bob", number, reconcile.ReviewApproved)
	}
	official := func() (official bool, asked int) {
		t.Helper()
		d.Fail(nil)
		reviews, err := f.Reviews(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		for _, request := range d.Requests() {
			if strings.HasSuffix(request, "/permission") {
				asked++
			}
		}
		return reviews[0].Official, asked
	}
	if is, asked := official(); !is || asked != 1 {
		t.Errorf("official: %v, asked %d times", is, asked)
	}
	if is, asked := official(); !is || asked != 0 {
		t.Errorf("official: %v, asked %d times", is, asked)
	}
	d.Lock()
	d.Users["bob"].Write = false
	d.Unlock()
	clock.Skip(6 * time.Minute)
	if is, asked := official(); is || asked != 1 {
		t.Errorf("official: %v, asked %d times", is, asked)
	}
}

func TestAForkOfTheOwnerIsAForkAsWell(t *testing.T) {
	d := newDouble(t)
	f := byToken(t, d)
	d.Fail(func(w http.ResponseWriter, _ *http.Request) {
		world.Answer(w, 200, []object{{
			"number": 1, "state": "open", "head": object{"ref": "feature", "repo": object{"id": 1, "full_name": "acme/models-fork"}},
			"base": object{"ref": "main", "repo": object{"id": 2, "full_name": "acme/models"}},
		}, {"number": 2, "state": "open", "head": object{"ref": "feature", "repo": nil}, "base": object{"ref": "main", "repo": object{"id": 2}}}})
	})
	if p, err := f.Latest(t.Context(), "feature"); !errors.Is(err, reconcile.ErrNoPull) {
		t.Errorf("the latest of our branch is %+v, %v", p, err)
	}
	if pulls, err := f.Pulls(t.Context(), reconcile.PullQuery{Head: "feature"}); err != nil || len(pulls) > 0 {
		t.Errorf("of our branch are %+v, %v", pulls, err)
	}
}
