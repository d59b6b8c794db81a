package git_test

import (
	"testing"

	"github.com/fairlead/fairlead/providers/git"
)

func TestTipIsTheNewestEntry(t *testing.T) {
	r := bareRepo(t)
	o := git.JournalOptions{URL: r.dir}
	j := newJournal(t, o)
	if got := j.Tip(); got != "" {
		t.Errorf("a journal that is not open ends with %s", got)
	}
	mustOpen(t, j)
	if got := j.Tip(); got != "" {
		t.Errorf("an empty journal ends with %s", got)
	}
	agree := func() {
		t.Helper()
		mustDeliver(t, j)
		if got, want := j.Tip(), r.git("rev-parse", journalBranch); got != want {
			t.Errorf("it ends with %s; want %s", got, want)
		}
	}
	mustAppend(t, j, decision("a", 1))
	agree()
	other := openJournal(t, o) // its entry is on the way between two of ours
	mustAppend(t, other, decision("b", 2))
	mustDeliver(t, other)
	mustAppend(t, j, decision("a", 3))
	agree()
	mustOpen(t, j)
	agree()
}

// A head is counted without a file for it, too, and from where the number was known.
func TestHeadCountsWhatOthersWrote(t *testing.T) {
	r := bareRepo(t)
	o := git.JournalOptions{URL: r.dir}
	j := openJournal(t, o)
	count := func(want int) {
		t.Helper()
		if head, err := j.Head(t.Context()); err != nil || head.Entries != want || head.Commit != j.Tip() {
			t.Errorf("the head is %+v, %v; want %d entries", head, err, want)
		}
	}
	mustAppend(t, j, decision("a", 1))
	mustDeliver(t, j)
	count(1)
	other := openJournal(t, o)
	mustAppend(t, other, decision("b", 2), decision("b", 3))
	mustDeliver(t, other)
	mustAppend(t, j, decision("a", 4)) // made again on top of theirs
	mustDeliver(t, j)
	mustAppend(t, j, decision("a", 5))
	count(5)
	mustOpen(t, j)
	mustAppend(t, j, decision("a", 6))
	count(6)
}
