package git_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile/audit"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// signer makes a fresh key that signs.
func signer(t testing.TB) *signature.Signer {
	t.Helper()
	s, err := signature.NewSigner(providertest.SSHKey(t), "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// author commits and signs with a key.
func author(key git.Signer) git.Author {
	return git.Author{Name: "Fairlead", Email: "fairlead@test", Signer: key}
}

// allow lets git in the repository know a key.
func (r *repo) allow(key *signature.Signer) {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "allowed")
	if err := os.WriteFile(file, []byte("* namespaces=\"git\" "+key.PublicKey()+"\n"), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.git("config", "gpg.ssh.allowedSignersFile", file)
}

func TestGitAgreesWithTheSignaturesOfTheJournal(t *testing.T) {
	eachUpstream(t, func(t *testing.T, r *repo, o git.JournalOptions) {
		sshKeys(t) // git verifies with ssh-keygen
		key, other := signer(t), signer(t)
		o.Author, o.Trusted = author(key), []string{key.PublicKey()}
		j := openJournal(t, o)
		mustAppend(t, j, decision("a", 1), decision("b", 2), ended("train", 3), accept("root", 4), proposal("revert-a", 5))
		mustDeliver(t, j)
		r.allow(key)
		for _, commit := range strings.Fields(r.git("rev-list", journalBranch)) {
			r.git("verify-commit", commit)
		}
		if got := r.git("log", "--format=%G?%an <%ae>", "-1", journalBranch); got != "GFairlead <fairlead@test>" {
			t.Errorf("git says %q", got)
		}
		r.git("fsck", "--full", "--strict")
		r.allow(other)
		if out, err := r.try("", "verify-commit", journalBranch); err == nil {
			t.Errorf("git takes another key for good: %s", out)
		}
	})
}

func TestEntriesOfStrangersAreNotTaken(t *testing.T) {
	r := bareRepo(t)
	key, stranger := signer(t), signer(t)
	o := git.JournalOptions{URL: r.dir, Dir: filepath.Join(t.TempDir(), "journal.git"), Author: author(key), Trusted: []string{key.PublicKey()}}
	j := openJournal(t, o)
	mustAppend(t, j, decision("a", 1))
	mustDeliver(t, j)
	good := r.git("rev-parse", journalBranch)

	for name, by := range map[string]git.Author{"unsigned": author(nil), "another key": author(stranger)} {
		t.Run(name, func(t *testing.T) {
			r.git("update-ref", "refs/heads/"+journalBranch, good)
			foreign := openJournal(t, git.JournalOptions{URL: r.dir, Author: by})
			mustAppend(t, foreign, decision("b", 2))
			mustDeliver(t, foreign)
			bad := r.git("rev-parse", "--short=7", journalBranch)

			// While both are up, and nothing is to be delivered, nothing is asked. Then the
			// next delivery meets it.
			ahead := o
			ahead.Dir = filepath.Join(t.TempDir(), "copy.git")
			if err := os.CopyFS(ahead.Dir, os.DirFS(o.Dir)); err != nil {
				t.Fatal(err)
			}
			daemon := openJournal(t, ahead)
			wantWords(t, errors.New(strings.Join(daemon.Delivery().Notes, "\n")), bad, "not signed by a key of the journal", "audit verify")
			mustAppend(t, daemon, decision("c", 3))
			err := daemon.Deliver(t.Context())
			wantWords(t, err, bad, "not signed by a key of the journal")
			if d := daemon.Delivery(); d.Pending != 1 || d.Error == "" {
				t.Errorf("got %+v", d)
			}
			if got := history(t, daemon); got != "a=1 c=3" {
				t.Errorf("the history is %q", got)
			}

			// Without a copy on this host there is nothing to go on from.
			lost := o
			lost.Dir = filepath.Join(t.TempDir(), "lost.git")
			_, err = newJournal(t, lost).Open(t.Context())
			wantWords(t, err, bad, "not signed by a key of the journal")

			// A person sets the branch back, and all is well.
			r.git("update-ref", "refs/heads/"+journalBranch, good)
			mustDeliver(t, daemon)
			if got := stable(mustOpen(t, newJournal(t, lost))); got != "a=1 c=3" {
				t.Errorf("the records are %q", got)
			}
		})
	}
}

func TestJournalThatBeganWithoutAKeyGoesOnWithOne(t *testing.T) {
	r := bareRepo(t)
	key := signer(t)
	before := openJournal(t, git.JournalOptions{URL: r.dir})
	mustAppend(t, before, decision("a", 1), decision("b", 2))
	mustDeliver(t, before)
	last := r.git("rev-parse", journalBranch)

	o := git.JournalOptions{URL: r.dir, Author: author(key), Trusted: []string{key.PublicKey()}}
	_, err := newJournal(t, o).Open(t.Context())
	wantWords(t, err, "not signed by a key of the journal")
	o.TrustedSince = last
	j := openJournal(t, o)
	mustAppend(t, j, decision("a", 3))
	mustDeliver(t, j)
	o.Dir = ""
	if got := stable(mustOpen(t, newJournal(t, o))); got != "a=3 b=2" {
		t.Errorf("the records are %q", got)
	}
	report := verify(t, git.AuditOptions{Dir: r.dir, Branch: journalBranch, Trusted: o.Trusted, TrustedSince: last})
	if !report.OK() || report.Unsigned != 2 || len(report.Signed) != 1 || report.Signed[0].Entries != 1 {
		t.Errorf("got %+v", report)
	}
	o.TrustedSince = "12345"
	if _, err := git.NewJournal(git.JournalOptions{Dir: t.TempDir(), Branch: journalBranch, TrustedSince: "12345"}); err == nil {
		t.Error("half an id is taken")
	}
}

// headIn reads a file with a head.
func headIn(t testing.TB, file string) audit.Head {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, err := audit.ParseHead(text, file)
	if err != nil {
		t.Fatal(err)
	}
	return head
}

func TestSealedTellsWhetherTheNewestEntryIsSigned(t *testing.T) {
	key := signer(t)
	o := git.JournalOptions{Dir: filepath.Join(t.TempDir(), "journal.git")}
	for _, step := range []struct {
		by             git.Author
		before, sealed bool
	}{{git.Author{}, false, false}, {author(key), false, true}, {author(key), true, true}, {git.Author{}, true, false}} {
		o.Author = step.by
		j := openJournal(t, o)
		if before, err := j.Sealed(t.Context()); err != nil || before != step.before {
			t.Errorf("before: %t, %v", before, err)
		}
		mustAppend(t, j, decision("a", 1))
		if after, err := j.Sealed(t.Context()); err != nil || after != step.sealed {
			t.Errorf("after: %t, %v", after, err)
		}
		j.Close()
	}
}

func TestHeadIsKeptOutOfTheJournal(t *testing.T) {
	r := bareRepo(t)
	file := filepath.Join(t.TempDir(), "head.json")
	o := git.JournalOptions{URL: r.dir, Dir: filepath.Join(t.TempDir(), "journal.git"), HeadFile: file}
	j := openJournal(t, o)
	if _, err := os.Stat(file); err == nil {
		t.Error("an empty journal has a head")
	}
	for n := range 3 {
		mustAppend(t, j, decision("a", n))
		mustDeliver(t, j)
		want := r.git("rev-parse", journalBranch)
		got, err := j.Head(t.Context())
		if err != nil || got.Commit != want || got.Entries != n+1 || !got.At.Equal(decision("a", n).At) || got.Branch != journalBranch {
			t.Errorf("got %+v, %v; want %s", got, err, want)
		}
		if kept := headIn(t, file); kept.Commit != want || kept.Entries != n+1 {
			t.Errorf("the file has %+v; want %s", kept, want)
		}
	}

	// What somebody else wrote is counted, too, and so is what is made again on top of it.
	other := openJournal(t, git.JournalOptions{URL: r.dir})
	mustAppend(t, other, decision("b", 3), decision("b", 4))
	mustDeliver(t, other)
	mustAppend(t, j, decision("a", 5))
	git.SettleHead(j)
	if kept := headIn(t, file); kept.Entries != 4 {
		t.Errorf("the file has %+v", kept)
	}
	mustDeliver(t, j)
	if kept := headIn(t, file); kept.Entries != 6 || kept.Commit != r.git("rev-parse", journalBranch) {
		t.Errorf("the file has %+v", kept)
	}

	// After a restart, and after the loss of the directory.
	j = openJournal(t, o)
	mustAppend(t, j, decision("a", 7))
	git.SettleHead(j)
	if kept := headIn(t, file); kept.Entries != 7 {
		t.Errorf("the file has %+v", kept)
	}
	undelivered := headIn(t, file)
	if err := os.RemoveAll(o.Dir); err != nil {
		t.Fatal(err)
	}
	j = openJournal(t, o)
	if kept := headIn(t, file); kept.Entries != 6 {
		t.Errorf("the file has %+v", kept)
	}
	wantWords(t, errors.New(strings.Join(j.Delivery().Notes, "\n")), undelivered.Commit[:12], "entry 7", "not there now", file+".lost")
	if kept := headIn(t, file+".lost"); kept.Commit != undelivered.Commit {
		t.Errorf("the file has %+v", kept)
	}
}

func TestHeadThatCannotBeKeptIsOnlyNoted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "no", "such", "directory", "head.json")
	j := openJournal(t, git.JournalOptions{HeadFile: file})
	mustAppend(t, j, decision("a", 1))
	git.SettleHead(j)
	wantWords(t, errors.New(strings.Join(j.Delivery().Notes, "\n")), "not kept in "+file)
}

func TestHeadOfAClosedJournalIsNotKnown(t *testing.T) {
	if _, err := newJournal(t, git.JournalOptions{}).Head(t.Context()); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// failing cannot sign.
type failing struct{}

func (failing) PublicKey() string           { return "" }
func (failing) Sign([]byte) (string, error) { return "", errors.New("the key is gone") }

func TestNothingIsWrittenThatCannotBeSigned(t *testing.T) {
	j := openJournal(t, git.JournalOptions{Author: git.Author{Signer: failing{}}})
	err := j.Append(t.Context(), decision("a", 1))
	wantWords(t, err, "about a", "cannot be signed", "the key is gone")
	if got := history(t, j); got != "" {
		t.Errorf("the history is %q", got)
	}
}

// accept is the n-th entry about a config repo.
func accept(repo string, n int) journal.Entry {
	e := decision("x", n)
	commit := strings.Repeat("cd", 20)
	return journal.Entry{
		At: e.At, Action: journal.ActionAccept, Repo: repo, To: commit, Commit: commit, Reason: "signed by ann", Actor: journal.Daemon,
		RepoRecord: &journal.RepoRecord{Accepted: commit, Author: "Ann <ann@example.org>", Since: e.At},
	}
}

// proposal is the n-th entry about a proposal.
func proposal(key string, n int) journal.Entry {
	e := decision("x", n)
	return journal.Entry{
		At: e.At, Action: journal.ActionPropose, Proposal: key, Reason: "rolled back", Actor: journal.Daemon,
		ProposalRecord: &journal.ProposalRecord{Kind: journal.ProposeRevert, Model: "digits", Since: e.At},
	}
}

func verify(t testing.TB, o git.AuditOptions) audit.Report {
	t.Helper()
	report, err := git.VerifyJournal(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(report); err != nil {
		t.Fatal(err)
	}
	return report
}
