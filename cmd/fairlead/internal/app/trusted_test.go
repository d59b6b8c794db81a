package app

import (
	"log/slog"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/providers/statefile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// remembering is a site whose journal says that a commit was accepted.
func remembering(t *testing.T, signers string, record journal.RepoRecord) (*Site, *acceptance) {
	t.Helper()
	j := memory.NewJournal()
	s := &Site{Config: Config{JournalSigners: signers}, log: slog.New(slog.DiscardHandler)}
	s.books = newBooks(j, s)
	s.Journal = s.books
	if _, err := s.books.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := j.Append(t.Context(), journal.Entry{At: record.Since, Action: journal.ActionAccept, Repo: journal.RootRepo, To: record.Accepted, Actor: "x", RepoRecord: &record})
	if err != nil {
		t.Fatal(err)
	}
	return s, &acceptance{store: statefile.NewStore(t.TempDir()), site: s, name: journal.RootRepo, keep: true}
}

// Whoever can push to the repo can write to its journal. Without keys that say whose
// entries count, it must not tell which commit was accepted.
func TestAJournalThatAnybodyCanWriteAcceptsNothing(t *testing.T) {
	noon := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	forged := journal.RepoRecord{Repo: journal.RootRepo, Accepted: "bad0000000000000000000000000000000000000", Since: noon.Add(time.Hour)}
	t.Run("in place of nothing", func(t *testing.T) {
		_, a := remembering(t, "", forged)
		if r, known, err := a.Accepted(t.Context()); err != nil || known {
			t.Errorf("got %+v, %v", r, err)
		}
	})
	t.Run("in place of what this host knows", func(t *testing.T) {
		s, a := remembering(t, "", forged)
		mine := journal.RepoRecord{Repo: journal.RootRepo, Accepted: "600d000000000000000000000000000000000000", Since: noon}
		if err := a.Accept(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		again := &acceptance{store: a.store, site: s, name: journal.RootRepo, keep: true} // after a restart
		if r, known, err := again.Accepted(t.Context()); err != nil || !known || r.Accepted != mine.Accepted {
			t.Errorf("got %+v, %v, %v", r, known, err)
		}
	})
	t.Run("with keys it does, after a loss of the data", func(t *testing.T) {
		_, a := remembering(t, "signers", forged)
		if r, known, err := a.Accepted(t.Context()); err != nil || !known || r.Accepted != forged.Accepted {
			t.Errorf("got %+v, %v, %v", r, known, err)
		}
	})
}

func TestWhatAnIncludeInheritsFromTheRoot(t *testing.T) {
	group := func(name string) spec.Group { return spec.Group{Name: name, Members: []string{"ann"}} }
	operator := &spec.Trust{Mode: spec.TrustEvery, Since: "seal", Signers: []spec.Signer{{Name: "op"}}, Reviews: []spec.ReviewRule{{Name: "floor"}}, Groups: []spec.Group{group("people")}}
	own := &spec.Trust{Mode: spec.TrustHead, Since: "other", Signers: []spec.Signer{{Name: "ann"}}, Reviews: []spec.ReviewRule{{Name: "own"}}, Groups: []spec.Group{group("vision")}}
	s := &Site{}
	if got := s.inherited(nil); got != nil {
		t.Errorf("of nothing: %+v", got)
	}
	if got := s.inherited(own); got.Mode != spec.TrustHead || got.Since != "" || len(got.Reviews) != 1 {
		t.Errorf("of the repo: %+v", got)
	}
	s.operator = operator
	if got := s.inherited(nil); got.Mode != spec.TrustEvery || got.Since != "" || got.Signers[0].Name != "op" {
		t.Errorf("of the operator: %+v", got)
	}
	got := s.inherited(own)
	if got.Mode != spec.TrustEvery || got.Since != "" || got.Signers[0].Name != "ann" || len(got.Reviews) != 2 || len(got.Groups) != 2 {
		t.Errorf("of both: %+v", got)
	}
	if own.Since != "other" || len(own.Groups) != 1 || operator.Since != "seal" {
		t.Error("the rules of the root were changed")
	}
}

func TestWhereTokensMayGo(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{"https://git.test/a/b.git", "https://git.test/c/d"}:   true,
		{"https://git.test:8443/a/b", "https://git.test/c/d"}:  false,
		{"http://git.test/a/b", "https://git.test/c/d"}:        false,
		{"https://git.test.evil.test/a", "https://git.test/c"}: false,
		{"git@git.test:a/b.git", "git@git.test:c/d.git"}:       true,
		{"git@evil.test:a/b.git", "git@git.test:c/d.git"}:      false,
		{"https://git.test@evil.test/a", "https://git.test/c"}: false,
		{"ssh://git@git.test/a", "https://git.test/c"}:         false,
		{"/srv/git/a.git", "https://git.test/c"}:               false,
	} {
		if got := sameHost(pair[0], pair[1]); got != want {
			t.Errorf("%s and %s: got %v, want %v", pair[0], pair[1], got, want)
		}
	}
}
