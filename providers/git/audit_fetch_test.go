package git_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile/audit"
)

// What is fetched to be verified is the branch as it is, also where a daemon would not
// take it.
func TestJournalIsFetchedAsItIs(t *testing.T) {
	key := signer(t)
	for name, options := range upstreams {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			o := options(t, r)
			o.Author = author(key)
			j := openJournal(t, o)
			for n := range 3 {
				mustAppend(t, j, decision("digits", n))
			}
			mustDeliver(t, j)
			head, err := j.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			from := git.JournalOptions{URL: o.URL, Auth: o.Auth, Branch: journalBranch, ReadOnly: true, Dir: filepath.Join(t.TempDir(), "journal")}
			if err := git.FetchJournal(t.Context(), from); err != nil {
				t.Fatal(err)
			}
			report := verify(t, git.AuditOptions{Dir: from.Dir, Branch: journalBranch, Trusted: []string{key.PublicKey()}, Heads: []audit.Head{head}})
			if !report.OK() || report.Head.Commit != head.Commit || report.Head.Entries != 3 {
				t.Errorf("got %+v", report)
			}

			none := from
			none.Branch, none.Dir = "fairlead/journal/none", filepath.Join(t.TempDir(), "journal")
			if err := git.FetchJournal(t.Context(), none); err != nil {
				t.Fatal(err)
			}
			report = verify(t, git.AuditOptions{Dir: none.Dir, Branch: none.Branch, Heads: []audit.Head{{Commit: head.Commit}}})
			if report.OK() || !strings.Contains(report.Problems[0].Reason, "it is empty") {
				t.Errorf("got %+v", report)
			}
		})
	}
}

func TestJournalThatCannotBeFetchedLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	err := git.FetchJournal(t.Context(), git.JournalOptions{URL: "http://127.0.0.1:1/models.git", Branch: journalBranch, Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "fetch the journal of http://127.0.0.1:1/models.git") {
		t.Errorf("got %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := git.FetchJournal(t.Context(), git.JournalOptions{Branch: journalBranch, Dir: dir}); err == nil || !strings.Contains(err.Error(), "no repository is named") {
		t.Errorf("got %v", err)
	}
}
