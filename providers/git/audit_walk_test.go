package git

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/audit"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// TestEveryCommitIsCheckedOnce: whatever the number of commits is to the size of the
// pieces that are handed out.
func TestEveryCommitIsCheckedOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal.git")
	j, err := NewJournal(JournalOptions{Dir: dir, Branch: journal.Branch("default")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	var heads []audit.Head
	for n := range 13 {
		at := time.Date(2026, 3, 3, 14, 0, n, 0, time.UTC)
		if err := j.Append(t.Context(), journal.Entry{At: at, Action: journal.ActionPause, Model: "digits", Actor: "ann", Record: &journal.Record{Since: at}}); err != nil {
			t.Fatal(err)
		}
		head, err := j.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, head)
		for _, size := range []int{1, 2, 3, 4, 100} {
			w := newAuditWalk(AuditOptions{Dir: dir, Branch: journal.Branch("default"), Committers: []string{"Nobody <n@x>"}, Heads: heads})
			w.size = size
			repo, err := openLocal(dir)
			if err != nil {
				t.Fatal(err)
			}
			found, err := w.walk(t.Context(), repo, j.at.commit)
			repo.close()
			if err != nil {
				t.Fatal(err)
			}
			times := map[string]int{}
			for _, p := range found.Problems {
				times[fmt.Sprintf("%d %s %s", p.Entry, p.Commit, p.Rule)]++
			}
			for i, h := range heads {
				if times[fmt.Sprintf("%d %s %s", i+1, h.Commit, audit.RuleAuthor)] != 1 || found.Number[h.Commit] != i+1 {
					t.Errorf("%d commits in pieces of %d: commit %d is number %d, and the problems are %v", n+1, size, i+1, found.Number[h.Commit], times)
				}
			}
			if len(times) != n+1 || !found.Whole {
				t.Errorf("%d commits in pieces of %d: %v", n+1, size, times)
			}
		}
	}
}
