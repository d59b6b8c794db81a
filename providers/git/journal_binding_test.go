package git_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/reconcile/audit"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// sign signs what is unsigned on the branch of the journal, as a fairlead did that named
// no journal in what it signed.
func sign(r *repo, key *signature.Signer, branch string) {
	r.t.Helper()
	parent := ""
	for _, id := range strings.Fields(r.git("rev-list", "--reverse", branch)) {
		raw := r.git("cat-file", "commit", id) + "\n"
		if strings.Contains(raw, "\ngpgsig ") {
			parent = id
			continue
		}
		if header, rest, ok := strings.Cut(raw, "\nparent "); ok {
			raw = header + "\nparent " + parent + rest[40:]
		}
		signed, err := key.SignCommit([]byte(raw))
		if err != nil {
			r.t.Fatal(err)
		}
		parent = r.gitIn(string(signed), "hash-object", "-t", "commit", "-w", "--stdin")
	}
	r.git("update-ref", "refs/heads/"+branch, parent)
}

func TestJournalOfAnotherEnvironmentDoesNotCount(t *testing.T) {
	const prod, staging = "fairlead/journal/prod", "fairlead/journal/staging"
	r := bareRepo(t)
	key := signer(t)
	o := git.JournalOptions{URL: r.dir, Branch: prod, Dir: filepath.Join(t.TempDir(), "journal.git"), Author: author(key), Trusted: []string{key.PublicKey()}}
	other := o
	other.Branch, other.Dir = staging, ""
	j := openJournal(t, other)
	mustAppend(t, j, decision("a", 1), decision("b", 2))
	mustDeliver(t, j)
	if got := r.git("log", "-1", "--format=%(trailers:key=Fairlead-Journal)", staging); got != "Fairlead-Journal: "+staging {
		t.Errorf("the entry names %q", got)
	}
	r.git("update-ref", "refs/heads/"+prod, staging)
	_, err := newJournal(t, o).Open(t.Context())
	wantWords(t, err, "it does not count", "signed for the journal "+staging, "audit verify")
	report := verify(t, git.AuditOptions{Dir: r.dir, Branch: prod, Trusted: o.Trusted})
	if len(report.Problems) != 2 || report.Problems[0].Rule != audit.RuleJournal || report.Problems[0].Entry != 1 {
		t.Errorf("got %+v", report)
	}
	if report := verify(t, git.AuditOptions{Dir: r.dir, Branch: staging, Trusted: o.Trusted}); !report.OK() {
		t.Errorf("got %+v", report)
	}

	// A daemon that has a copy goes on with it.
	r.git("update-ref", "-d", "refs/heads/"+prod)
	j = openJournal(t, o)
	mustAppend(t, j, decision("a", 3))
	mustDeliver(t, j)
	r.git("update-ref", "refs/heads/"+prod, staging)
	j = newJournal(t, o)
	if got := stable(mustOpen(t, j)); got != "a=3" {
		t.Errorf("the records are %q", got)
	}
	wantWords(t, errors.New(strings.Join(j.Delivery().Notes, "\n")), "signed for the journal "+staging)

	// What came before a change of the name is taken where a person says so.
	o.Dir, o.TrustedSince = "", r.git("rev-parse", staging)
	j = openJournal(t, o)
	mustAppend(t, j, decision("a", 4))
	mustDeliver(t, j)
	if report := verify(t, git.AuditOptions{Dir: r.dir, Branch: prod, Trusted: o.Trusted, TrustedSince: o.TrustedSince}); !report.OK() || report.Head.Entries != 3 {
		t.Errorf("got %+v", report)
	}
}

func TestSignedJournalThatNamesNoneGoesOn(t *testing.T) {
	r := bareRepo(t)
	key := signer(t)
	before := openJournal(t, git.JournalOptions{URL: r.dir, Author: author(nil)})
	mustAppend(t, before, decision("a", 1), decision("b", 2))
	mustDeliver(t, before)
	sign(r, key, journalBranch)

	o := git.JournalOptions{URL: r.dir, Dir: filepath.Join(t.TempDir(), "journal.git"), Author: author(key), Trusted: []string{key.PublicKey()}}
	j := openJournal(t, o)
	mustAppend(t, j, decision("a", 3))
	mustDeliver(t, j)
	named := r.git("rev-parse", journalBranch)
	again := o
	again.Dir = ""
	if got := stable(mustOpen(t, newJournal(t, again))); got != "a=3 b=2" {
		t.Errorf("the records are %q", got)
	}
	a := git.AuditOptions{Dir: r.dir, Branch: journalBranch, Trusted: o.Trusted}
	if report := verify(t, a); !report.OK() || report.Head.Entries != 3 {
		t.Errorf("got %+v", report)
	}

	// From then on each entry has to: those of old journals count nowhere else.
	stranger := openJournal(t, git.JournalOptions{URL: r.dir, Author: author(nil)})
	mustAppend(t, stranger, decision("b", 4))
	mustDeliver(t, stranger)
	sign(r, key, journalBranch)
	_, err := newJournal(t, again).Open(t.Context())
	wantWords(t, err, "it does not count", "does not say which journal")
	report := verify(t, a)
	if len(report.Problems) != 1 || report.Problems[0].Rule != audit.RuleJournal || report.Problems[0].Entry != 4 {
		t.Errorf("got %+v", report)
	}

	// So does an old journal in the place of one that a daemon has a copy of.
	r.git("update-ref", "refs/heads/"+journalBranch, named)
	elsewhere := openJournal(t, git.JournalOptions{URL: r.dir, Branch: journal.Branch("other"), Author: author(nil)})
	mustAppend(t, elsewhere, decision("c", 5))
	mustDeliver(t, elsewhere)
	sign(r, key, journal.Branch("other"))
	r.git("update-ref", "refs/heads/"+journalBranch, journal.Branch("other"))
	j = newJournal(t, o)
	if got := stable(mustOpen(t, j)); got != "a=3 b=2" {
		t.Errorf("the records are %q", got)
	}
	wantWords(t, errors.New(strings.Join(j.Delivery().Notes, "\n")), "does not say which journal")
}

func TestUnsignedEntriesNameNoJournal(t *testing.T) {
	r := bareRepo(t)
	j := openJournal(t, git.JournalOptions{URL: r.dir, Author: author(nil)})
	mustAppend(t, j, decision("a", 1))
	mustDeliver(t, j)
	want, err := journal.EncodeMessage(decision("a", 1))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.git("log", "-1", "--format=%B", journalBranch); got != strings.TrimSpace(want) {
		t.Errorf("the message is %q; want %q", got, want)
	}
}
