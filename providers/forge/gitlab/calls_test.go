package gitlab_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/forge/gitlab"
	"github.com/fairlead/fairlead/providers/forge/internal/world"
	"github.com/fairlead/fairlead/reconcile"
)

func TestProjectsLieInGroups(t *testing.T) {
	for base, want := range map[string]string{
		"":                                   "https://gitlab.com/acme/ml/models/-/commit/abc",
		"https://gitlab.example.com/":        "https://gitlab.example.com/acme/ml/models/-/commit/abc",
		"https://example.com/gitlab":         "https://example.com/gitlab/acme/ml/models/-/commit/abc",
		"https://gitlab.example.com/api/v4/": "https://gitlab.example.com/acme/ml/models/-/commit/abc",
	} {
		f := open(t, gitlab.Options{BaseURL: base, TokenFile: "x", Repo: "acme/ml/models"})
		if got := f.CommitURL("abc"); got != want {
			t.Errorf("%s: the page is %s; want %s", base, got, want)
		}
	}
	for _, o := range []gitlab.Options{
		{Repo: "acme/models"},
		{Repo: "models", TokenFile: "x"},
		{Repo: "acme//models", TokenFile: "x"},
		{Repo: "acme/../models", TokenFile: "x"},
		{Repo: "acme/models", TokenFile: "x", BaseURL: "https://oauth2:" + canary + "@gitlab.example.com"},
		{Repo: "acme/models", TokenFile: "x", BaseURL: "ssh://gitlab.example.com"},
		{Repo: "acme/models", TokenFile: "x", CAFile: "/nowhere"},
	} {
		if _, err := gitlab.New(o); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestABareNameIsNeverAGroupOfStrangers(t *testing.T) {
	d := newDouble(t)
	for _, c := range []struct{ repo, team, asked string }{
		{"acme/ml/models", "vision", "/groups/acme%2Fml%2Fvision/members/all"},
		{"acme/ml/models", "@ML", "/groups/acme%2Fml/members/all"},
		{"acme/ml/models", "acme", "/groups/acme/members/all"},
		{"acme/ml/models", "other/vision", "/groups/other%2Fvision/members/all"},
		{"acme/ml/models", "../x", ""},
		{"acme/ml/models", "", ""},
	} {
		f := open(t, gitlab.Options{BaseURL: d.URL, Repo: c.repo, TokenFile: world.File(t, canary)})
		d.Fail(func(w http.ResponseWriter, _ *http.Request) { world.Answer(w, 404, notFound) })
		if _, err := f.Members(t.Context(), c.team); !errors.Is(err, reconcile.ErrNoTeam) {
			t.Errorf("%s: %v", c.team, err)
		}
		asked := strings.TrimPrefix(strings.Join(d.Requests(), " "), "GET /api/v4")
		if asked != c.asked {
			t.Errorf("%s of %s asks %q; want %q", c.team, c.repo, asked, c.asked)
		}
	}
}

// review is the newest word of bob.
func review(t *testing.T, f *gitlab.Forge, number int) reconcile.Review {
	t.Helper()
	reviews, err := f.Reviews(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range slices.Backward(reviews) {
		if r.By == "bob" {
			return r
		}
	}
	return reconcile.Review{}
}

func TestAnApprovalOfAnOldServerHasTheTimeOfItsNote(t *testing.T) {
	d := newDouble(t)
	d.untimed = true
	f := byToken(t, d)
	d.Push(t, "ann", "feature")
	number := d.OpenPull(t, "ann", "feature", "main", "Digits")
	old := d.Push(t, "ann", "feature")
	d.Review(t, "bob", number, reconcile.ReviewApproved)
	if r := review(t, f, number); r.State != reconcile.ReviewApproved || r.Commit != old || r.Stale || r.At.IsZero() {
		t.Errorf("it is %+v; want of %s", r, old)
	}
	head := d.Push(t, "ann", "feature")
	if r := review(t, f, number); r.State != reconcile.ReviewApproved || r.Commit != old || !r.Stale {
		t.Errorf("after a push to %s it is %+v; want of %s", head, r, old)
	}
}

// talked answers a talk that a test writes down.
func talked(d *double, answers map[string]any) {
	d.Fail(func(w http.ResponseWriter, r *http.Request) {
		for end, answer := range answers {
			if strings.HasSuffix(r.URL.Path, "/"+end) {
				world.Answer(w, 200, answer)
				return
			}
		}
		if strings.Contains(r.URL.Path, "/members/all/") {
			world.Answer(w, 200, object{"id": 7, "username": "bob", "state": "active", "access_level": 30})
			return
		}
		world.Answer(w, 200, []object{})
	})
}

func TestACommitThatIsNotCertainIsNotTold(t *testing.T) {
	const first, second = "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"
	bob := object{"id": 7, "username": "bob", "state": "active"}
	at := func(second int) string {
		return time.Date(2026, 3, 3, 14, 0, second, 0, time.UTC).Format("2006-01-02T15:04:05.000Z")
	}
	version := func(id int, head, created string) object {
		o := object{"id": id, "head_commit_sha": head}
		if created != "" {
			o["created_at"] = created
		}
		return o
	}
	both := []object{version(2, second, at(20)), version(1, first, at(10))} // newest first, as GitLab has them
	for name, c := range map[string]struct {
		approved any
		versions []object
		commit   string
		stale    bool
	}{
		"after the newest":             {at(21), both, second, false},
		"between":                      {at(15), both, first, true},
		"at the moment of the newest":  {at(20), both, first, true},
		"before all":                   {at(5), both, "", false},
		"without a time":               {nil, both, "", false},
		"one version, without a time":  {nil, both[1:], first, false},
		"a version without a time":     {at(21), []object{version(2, second, ""), version(1, first, at(10))}, "", false},
		"no version":                   {at(21), []object{}, "", false},
		"back to an older head":        {at(25), []object{version(3, first, at(30)), both[0], both[1]}, second, true},
		"approved again after a reset": {at(35), []object{version(3, first, at(30)), both[0], both[1]}, first, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDouble(t)
			f := byToken(t, d)
			talked(d, map[string]any{"approvals": object{"approved_by": []object{{"user": bob, "approved_at": c.approved}}}, "versions": c.versions})
			if r := review(t, f, 1); r.State != reconcile.ReviewApproved || r.Commit != c.commit || r.Stale != c.stale || !r.Official {
				t.Errorf("got %+v; want of %q, stale %v", r, c.commit, c.stale)
			}
		})
	}
}

func TestWhoAsksForChangesForbids(t *testing.T) {
	bob := object{"id": 7, "username": "bob", "state": "active"}
	versions := []object{{"id": 1, "head_commit_sha": strings.Repeat("1", 40), "created_at": "2026-03-03T14:00:00.000Z"}}
	note := func(body, at string) object {
		return object{"id": 1, "system": true, "body": body, "author": bob, "created_at": at}
	}
	for name, c := range map[string]struct {
		approved bool
		reviewer string
		notes    []object
		want     reconcile.ReviewState
	}{
		"both, without a time":      {true, "requested_changes", nil, reconcile.ReviewChanges},
		"both, an older request":    {true, "requested_changes", []object{note("requested changes", "2026-03-03T14:00:01.000Z")}, reconcile.ReviewChanges},
		"approved":                  {true, "approved", []object{note("requested changes", "2026-03-03T14:00:01.000Z")}, reconcile.ReviewApproved},
		"an approval that was lost": {false, "unreviewed", []object{note("approved this merge request", "2026-03-03T14:00:01.000Z")}, reconcile.ReviewDismissed},
		"somebody quotes the words": {false, "unreviewed", []object{{"id": 1, "body": "approved this merge request", "author": bob, "created_at": "2026-03-03T14:00:01.000Z"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDouble(t)
			f := byToken(t, d)
			by := []object{}
			if c.approved {
				by = append(by, object{"user": bob, "approved_at": "2026-03-03T14:00:05.000Z"})
			}
			talked(d, map[string]any{"approvals": object{"approved_by": by}, "reviewers": []object{{"user": bob, "state": c.reviewer}}, "notes": c.notes, "versions": versions})
			if r := review(t, f, 1); r.State != c.want {
				t.Errorf("got %+v; want %q", r, c.want)
			}
		})
	}
}

func TestAuthorsThatGitLabDoesNotTellStayEmpty(t *testing.T) {
	d := newDouble(t)
	d.quiet = true
	var log bytes.Buffer
	f := open(t, gitlab.Options{BaseURL: d.URL, TokenFile: world.File(t, canary), Log: slog.New(slog.NewTextHandler(&log, nil))})
	d.Push(t, "ann", "feature")
	commits, err := f.PullCommits(t.Context(), d.OpenPull(t, "ann", "feature", "main", "Digits"))
	if err != nil || len(commits) != 1 || commits[0].Author != "" || commits[0].Email != "ann@acme.example" || !strings.Contains(log.String(), "authors") {
		t.Errorf("got %+v, %v; logged %s", commits, err, log.String())
	}
}

func TestSomebodyElseOpensItFirst(t *testing.T) {
	d := newDouble(t)
	f := byToken(t, d)
	d.Push(t, "ann", "feature")
	d.beforeOpen = func() { d.Open("ann", "feature", "main", "Theirs", "", "", d.Branches["feature"]) }
	p, err := f.OpenPull(t.Context(), reconcile.NewPull{Head: "feature", Base: "main", Title: "Ours", Body: "text", Labels: []string{"fairlead"}})
	if err != nil || p.Number != 1 || p.Title != "Ours" || p.Author != "ann" {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestAStatusUnderWayChangesAsFarAsItCan(t *testing.T) {
	d := newDouble(t)
	f := byToken(t, d)
	commit := d.Push(t, "ann", "feature")
	for _, step := range []struct {
		state reconcile.CommitState
		text  string
		want  string // how GitLab has it
	}{
		{reconcile.CommitPending, "planning", "pending planning"},
		{reconcile.CommitPending, "planning", "pending planning"},
		{reconcile.CommitPending, "rolling out", "running rolling out"},
		{reconcile.CommitPending, "step 2", "running rolling out"}, // it takes no other text
		{reconcile.CommitSuccess, "done", "success done"},
		{reconcile.CommitHeld, "step 2 waits", "failed held: step 2 waits"},
		{reconcile.CommitPending, "again", "pending again"},
	} {
		if annotated, err := f.Status(t.Context(), commit, reconcile.CommitStatus{Context: "fairlead/prod", State: step.state, Text: step.text, Annotations: []reconcile.Annotation{{Path: "a", Line: 1}}}); err != nil || annotated {
			t.Errorf("%s %s: %v, %v", step.state, step.text, annotated, err)
		}
		d.Lock()
		all := d.statuses[commit]
		newest := all[len(all)-1]
		if got := newest["status"].(string) + " " + newest["description"].(string); got != step.want {
			t.Errorf("after %s %q it is %q; want %q", step.state, step.text, got, step.want)
		}
		d.Unlock()
	}
}

func TestWhatAMergeLeftBehind(t *testing.T) {
	head, squashed, merged := strings.Repeat("1", 40), strings.Repeat("2", 40), strings.Repeat("3", 40)
	for name, c := range map[string]struct {
		squash, merge any
		want          string
	}{
		"a merge commit":           {nil, merged, merged},
		"a merge of a squashed":    {squashed, merged, merged},
		"a squashed, fast-forward": {squashed, nil, squashed},
		"a fast-forward":           {nil, nil, head},
	} {
		d := newDouble(t)
		f := byToken(t, d)
		d.Fail(func(w http.ResponseWriter, _ *http.Request) {
			world.Answer(w, 200, object{"iid": 1, "state": "merged", "sha": head, "merge_commit_sha": c.merge, "squash_commit_sha": c.squash, "merge_user": object{"username": "bob"}})
		})
		if p, err := f.Pull(t.Context(), 1); err != nil || p.Merged != c.want || p.MergedBy != "bob" || p.State != reconcile.PullMerged {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}
