package providertest

import (
	"slices"
	"testing"

	"github.com/fairlead/fairlead/reconcile"
)

func forgeReviews(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	w.Push(t, "ann", "feature")
	number := w.OpenPull(t, "ann", "feature", "main", "Digits 1.2.0")
	if reviews := mustReviews(t, f, number); len(reviews) != 0 {
		t.Errorf("nobody said anything, but there are %+v", reviews)
	}
	if !w.Lacks().ChangesRequested {
		w.Review(t, "bob", number, reconcile.ReviewChanges)
		wantWord(t, f, number, "bob", reconcile.ReviewChanges)
	}
	w.Review(t, "bob", number, reconcile.ReviewApproved)
	word := wantWord(t, f, number, "bob", reconcile.ReviewApproved)
	head := mustPull(t, f, number).HeadSHA
	if want := head; !w.Lacks().ReviewCommits && word.Commit != want {
		t.Errorf("the review is of %q; want %s", word.Commit, want)
	}
	if word.Stale || !word.Official || word.At.IsZero() {
		t.Errorf("the review is %+v; want it fresh, official and dated", word)
	}
	w.Review(t, "bob", number, reconcile.ReviewCommented) // takes nothing back
	wantWord(t, f, number, "bob", reconcile.ReviewApproved)
	w.Dismiss(t, "bob", number)
	if word, found := newestWord(mustReviews(t, f, number), "bob"); found && word.State == reconcile.ReviewApproved {
		t.Errorf("an approval that was dismissed is still %+v", word)
	}
	w.Review(t, "bob", number, reconcile.ReviewApproved)
	wantWord(t, f, number, "bob", reconcile.ReviewApproved)
}

func forgeStale(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	before := w.Push(t, "ann", "feature")
	number := w.OpenPull(t, "ann", "feature", "main", "Digits 1.2.0")
	w.Review(t, "bob", number, reconcile.ReviewApproved)
	after := w.Push(t, "ann", "feature")
	word, found := newestWord(mustReviews(t, f, number), "bob")
	if found && word.State == reconcile.ReviewApproved && word.Commit == after {
		t.Errorf("the approval of %s is told to be of %s: %+v", before, after, word)
	}
	if found && !w.Lacks().ReviewCommits && word.Commit != before {
		t.Errorf("the approval is told to be of %q; it is of %s", word.Commit, before)
	}
	w.Review(t, "bob", number, reconcile.ReviewApproved)
	if word := wantWord(t, f, number, "bob", reconcile.ReviewApproved); word.Stale || !w.Lacks().ReviewCommits && word.Commit != after {
		t.Errorf("approved again it is %+v; want it fresh, of %s", word, after)
	}
}

func forgeOfficial(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	w.Push(t, "ann", "feature")
	number := w.OpenPull(t, "ann", "feature", "main", "Digits 1.2.0")
	w.Review(t, "eve", number, reconcile.ReviewApproved)
	if word, found := newestWord(mustReviews(t, f, number), "eve"); found && word.Official {
		t.Errorf("eve may only read, but her review is %+v", word)
	}
	w.Review(t, "bob", number, reconcile.ReviewApproved)
	if word := wantWord(t, f, number, "bob", reconcile.ReviewApproved); !word.Official {
		t.Errorf("bob may write, but his review is %+v", word)
	}
}

func forgeManyReviews(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	w.Push(t, "ann", "feature")
	number := w.OpenPull(t, "ann", "feature", "main", "Digits 1.2.0")
	w.Review(t, "bob", number, reconcile.ReviewApproved)
	for range 2 * w.PageSize() {
		w.Review(t, "bob", number, reconcile.ReviewCommented)
	}
	wantWord(t, f, number, "bob", reconcile.ReviewApproved)
	w.Dismiss(t, "bob", number)
	w.Review(t, "bob", number, reconcile.ReviewApproved) // on the last page
	wantWord(t, f, number, "bob", reconcile.ReviewApproved)
	reviews := mustReviews(t, f, number)
	if !slices.IsSortedFunc(reviews, func(a, b reconcile.Review) int { return a.At.Compare(b.At) }) {
		t.Errorf("not the oldest first: %+v", reviews)
	}
}

func forgeMerged(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	head := w.Push(t, "ann", "feature")
	number := w.OpenPull(t, "ann", "feature", "main", "Digits 1.2.0")
	merged := w.Merge(t, "bob", number)
	p := mustPull(t, f, number)
	if p.State != reconcile.PullMerged || p.Merged != merged || p.MergedBy != "bob" || p.HeadSHA != head || p.Author != "ann" {
		t.Errorf("merged as %s it is %+v", merged, p)
	}
	wantPulls(t, f, reconcile.PullQuery{})
	if err := f.ClosePull(t.Context(), number); err != nil {
		t.Errorf("closing what is merged: %v", err)
	}
	if p := mustPull(t, f, number); p.State != reconcile.PullMerged {
		t.Errorf("closed after the merge it is %+v", p)
	}
	// The branch goes on: what was merged stays what it was.
	w.Push(t, "ann", "feature")
	if p := mustPull(t, f, number); p.HeadSHA != head {
		t.Errorf("%s was merged, but now its head is told to be %s", head, p.HeadSHA)
	}
	if latest, err := f.Latest(t.Context(), "feature"); err != nil || latest.Number != number || latest.State != reconcile.PullMerged || latest.HeadSHA != head || latest.MergedBy != "bob" {
		t.Errorf("the latest of the branch is %+v, %v", latest, err)
	}
}

func forgeBrought(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	w.Push(t, "ann", "feature")
	number := w.OpenPull(t, "ann", "feature", "main", "Digits 1.2.0")
	head := mustPull(t, f, number).HeadSHA
	if pulls, err := f.Brought(t.Context(), head); err != nil || len(pulls) != 0 {
		t.Errorf("what is not merged is told to be brought by %+v, %v", pulls, err)
	}
	merged := w.Merge(t, "bob", number)
	pulls, err := f.Brought(t.Context(), merged)
	if err != nil || len(pulls) != 1 || pulls[0].Number != number || pulls[0].State != reconcile.PullMerged || pulls[0].HeadSHA != head {
		t.Errorf("%s was brought by %+v, %v; want number %d", merged, pulls, err, number)
	}
	direct := w.Push(t, "ann", "main")
	if pulls, err := f.Brought(t.Context(), direct); err != nil || len(pulls) != 0 {
		t.Errorf("a direct push is told to be brought by %+v, %v", pulls, err)
	}
}

func forgeCommits(t *testing.T, f reconcile.Forge, w ForgeWorld) {
	var want []string
	for i := range 2*w.PageSize() + 1 {
		want = append(want, w.Push(t, []string{"ann", "bob"}[i%2], "feature"))
	}
	number := w.OpenPull(t, "ann", "feature", "main", "Digits 1.2.0")
	check := func() {
		t.Helper()
		commits, err := f.PullCommits(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, c := range commits {
			got = append(got, c.ID)
			if author := []string{"ann", "bob"}[i%2]; c.Author != author || c.Email == "" {
				t.Errorf("commit %d is %+v; %s made it", i, c, author)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got the commits %v; want %v", got, want)
		}
	}
	check()
	w.Merge(t, "bob", number)
	check()
}

func mustReviews(t *testing.T, f reconcile.Forge, number int) []reconcile.Review {
	t.Helper()
	reviews, err := f.Reviews(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	return reviews
}

// newestWord is the newest review of a person that is not a mere comment.
func newestWord(reviews []reconcile.Review, who string) (word reconcile.Review, found bool) {
	for _, r := range reviews {
		if r.By == who && r.State != reconcile.ReviewCommented {
			word, found = r, true
		}
	}
	return word, found
}

func wantWord(t *testing.T, f reconcile.Forge, number int, who string, want reconcile.ReviewState) reconcile.Review {
	t.Helper()
	reviews := mustReviews(t, f, number)
	word, found := newestWord(reviews, who)
	if !found || word.State != want {
		t.Fatalf("the newest word of %s is %+v; want %s; all are %+v", who, word, want, reviews)
	}
	return word
}
