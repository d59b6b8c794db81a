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

// marker is as a caller would write one.
const marker = "<!-- fairlead:plan:prod -->"

func forgeComments(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	w.Push(t, "ann", "feature")
	number := w.OpenPull(t, "ann", "feature", "main", "Digits 1.2.0")
	self, err := f.Self(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.Comment(t, "ann", number, "What will it do?")
	for _, body := range []string{"Plan: 1 change", "Plan: 1 change", "Plan: 2 changes <b>&amp;</b>\n\n- `a`"} {
		body = marker + "\n" + body
		mustComment(t, f, number, marker, body)
		comments := w.Comments(t, number)
		if len(comments) != 2 || comments[0].By != "ann" || comments[0].Body != "What will it do?" ||
			comments[1].By != self.Login || strings.TrimSpace(comments[1].Body) != body {
			t.Fatalf("the comments are %+v; want the one of ann, and %q", comments, body)
		}
	}
	// Much is said between two plans; another environment has its own comment.
	for i := range 2 * w.PageSize() {
		w.Comment(t, "bob", number, fmt.Sprintf("Remark %d", i))
	}
	other := "<!-- fairlead:plan:staging -->"
	mustComment(t, f, number, other, other+"\nNothing to do")
	mustComment(t, f, number, other, other+"\nStill nothing")
	mustComment(t, f, number, marker, marker+"\nPlan: 3 changes")
	var own []string
	for _, c := range w.Comments(t, number) {
		if c.By == self.Login {
			own = append(own, strings.TrimSpace(c.Body))
		}
	}
	if want := []string{marker + "\nPlan: 3 changes", other + "\nStill nothing"}; !slices.Equal(own, want) {
		t.Errorf("our comments are %q; want %q", own, want)
	}
}

func forgeOthersComment(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	w.Push(t, "ann", "feature")
	number := w.OpenPull(t, "ann", "feature", "main", "Digits 1.2.0")
	w.Comment(t, "eve", number, marker+"\nA plan, I say")
	mustComment(t, f, number, marker, marker+"\nPlan: 1 change")
	comments := w.Comments(t, number)
	if len(comments) != 2 || comments[0].Body != marker+"\nA plan, I say" {
		t.Errorf("the comments are %+v; want that of eve as it was, and ours", comments)
	}
}

func forgeStatus(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	commit := w.Push(t, "ann", "feature")
	number := w.OpenPull(t, "ann", "feature", "main", "Digits 1.2.0") // some forges show it there only
	status := reconcile.CommitStatus{
		Context: "fairlead/prod", State: reconcile.CommitPending, Text: "planning", URL: "https://fairlead.example/plan/7", Summary: "## Plan",
		Annotations: []reconcile.Annotation{{Path: "digits.hcl", Line: 3, Level: "error", Title: "image", Message: "there is no such image"}},
	}
	put := func(s reconcile.CommitStatus) {
		t.Helper()
		if _, err := f.Status(t.Context(), commit, s); err != nil {
			t.Fatal(err)
		}
	}
	put(status)
	wantStatuses(t, w, commit, ForgeStatus{"fairlead/prod", reconcile.CommitPending, "planning", status.URL})
	status.State, status.Text = reconcile.CommitFailure, "1 error"
	put(status)
	wantStatuses(t, w, commit, ForgeStatus{"fairlead/prod", reconcile.CommitFailure, "1 error", status.URL})
	status.State, status.Text = reconcile.CommitSuccess, "2 changes"
	put(status)
	put(status)
	other := reconcile.CommitStatus{Context: "fairlead/staging", State: reconcile.CommitFailure, Text: "refused"}
	put(other)
	wantStatuses(t, w, commit, ForgeStatus{"fairlead/prod", reconcile.CommitSuccess, "2 changes", status.URL}, ForgeStatus{"fairlead/staging", reconcile.CommitFailure, "refused", ""})
	other.State, other.Text = reconcile.CommitHeld, "held: step 2 waits"
	put(other)
	for _, s := range w.Statuses(t, commit) {
		if s.Context == "fairlead/staging" && (s.State == reconcile.CommitSuccess || !strings.Contains(s.Text, "held")) {
			t.Errorf("held is shown as %+v", s)
		}
	}
	if p := mustPull(t, f, number); p.State != reconcile.PullOpen {
		t.Errorf("a status made the pull request %+v", p)
	}
}

func forgeLongTexts(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	commit := w.Push(t, "ann", "feature")
	w.OpenPull(t, "ann", "feature", "main", "Digits 1.2.0")
	long := "eine Änderung " + strings.Repeat("ü", 2000)
	if _, err := f.Status(t.Context(), commit, reconcile.CommitStatus{Context: "fairlead/prod", State: reconcile.CommitSuccess, Text: long}); err != nil {
		t.Fatal(err)
	}
	statuses := w.Statuses(t, commit)
	if len(statuses) != 1 || !strings.HasPrefix(statuses[0].Text, "eine Änderung ü") || strings.ToValidUTF8(statuses[0].Text, "?") != statuses[0].Text {
		t.Errorf("the statuses are %+v", statuses)
	}
}

func forgeTeams(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	full := w.AddTeam(t, "vision", "ann", "bob")
	w.AddTeam(t, "visionaries", "eve")
	short := full[strings.LastIndex(full, "/")+1:]
	for _, name := range []string{full, short} {
		members, err := f.Members(t.Context(), name)
		slices.Sort(members)
		// Who made the team may be in it.
		if err != nil || !slices.Contains(members, "ann") || !slices.Contains(members, "bob") || slices.Contains(members, "eve") {
			t.Errorf("in %s are %v, %v; want ann and bob", name, members, err)
		}
	}
}

func forgeCancelled(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	commit := w.Push(t, "ann", "feature")
	number := w.OpenPull(t, "ann", "feature", "main", "Digits 1.2.0")
	for call, do := range map[string]func(ctx context.Context) error{
		"pulls":   func(ctx context.Context) error { _, err := f.Pulls(ctx, reconcile.PullQuery{}); return err },
		"pull":    func(ctx context.Context) error { _, err := f.Pull(ctx, number); return err },
		"latest":  func(ctx context.Context) error { _, err := f.Latest(ctx, "feature"); return err },
		"brought": func(ctx context.Context) error { _, err := f.Brought(ctx, commit); return err },
		"reviews": func(ctx context.Context) error { _, err := f.Reviews(ctx, number); return err },
		"commits": func(ctx context.Context) error { _, err := f.PullCommits(ctx, number); return err },
		"open": func(ctx context.Context) error {
			_, err := f.OpenPull(ctx, reconcile.NewPull{Head: "feature", Base: "main", Title: "x", Body: "y"})
			return err
		},
		"edit":    func(ctx context.Context) error { return f.EditPull(ctx, number, "x", "y") },
		"close":   func(ctx context.Context) error { return f.ClosePull(ctx, number) },
		"comment": func(ctx context.Context) error { return f.Comment(ctx, number, marker, marker) },
		"status": func(ctx context.Context) error {
			_, err := f.Status(ctx, commit, reconcile.CommitStatus{Context: "c", State: reconcile.CommitSuccess})
			return err
		},
		"members": func(ctx context.Context) error { _, err := f.Members(ctx, "vision"); return err },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		err := do(ctx)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v", call, err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s with a cancelled context took %s", call, took)
		}
		withoutSecrets(t, w, err)
	}
	_, err := f.Pull(t.Context(), 4040)
	withoutSecrets(t, w, err)
	if p := mustPull(t, f, number); p.State != reconcile.PullOpen || p.Title != "Digits 1.2.0" {
		t.Errorf("calls that were cancelled made it %+v", p)
	}
}

func withoutSecrets(t *testing.T, w ForgeWorld, err error) {
	t.Helper()
	for _, secret := range w.Secrets() {
		if err != nil && secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("an error shows a credential: %v", err)
		}
	}
}

func mustComment(t *testing.T, f reconcile.Forge, number int, marker, body string) {
	t.Helper()
	if err := f.Comment(t.Context(), number, marker, body); err != nil {
		t.Fatal(err)
	}
}

func wantStatuses(t *testing.T, w ForgeWorld, commit string, want ...ForgeStatus) {
	t.Helper()
	got := w.Statuses(t, commit)
	slices.SortFunc(got, func(a, b ForgeStatus) int { return strings.Compare(a.Context, b.Context) })
	if !slices.Equal(got, want) {
		t.Errorf("the statuses are %+v; want %+v", got, want)
	}
}
