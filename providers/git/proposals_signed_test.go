package git_test

import (
	"errors"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile"
)

func TestProposalsAreSigned(t *testing.T) {
	sshKeys(t) // git verifies with ssh-keygen
	r := configRepo(t)
	key := signer(t)
	options := git.Options{URL: r.dir, Branch: "main", Path: "config", DataDir: t.TempDir()}
	base := mustLatest(t, mustNew(t, options)).Tree.Commit().ID
	p, err := git.NewProposals(options, author(key))
	if err != nil {
		t.Fatal(err)
	}
	r.allow(key)
	first, err := p.Propose(t.Context(), publishing(base))
	if err != nil {
		t.Fatal(err)
	}
	r.git("verify-commit", proposalBranch)
	if err := p.Tag(t.Context(), "models/digits/1.2.0", first.Commit, "digits 1.2.0"); err != nil {
		t.Fatal(err)
	}
	r.git("verify-tag", "models/digits/1.2.0")
	r.git("fsck", "--full", "--strict")
	if again, err := p.Propose(t.Context(), publishing(base)); err != nil || again.Pushed || again.Commit != first.Commit {
		t.Errorf("the same proposal again is %+v, %v", again, err)
	}
}

// Whoever can push can write a committer and a trailer. With a key that is not enough to
// have the work of people replaced.
func TestForgedProposalIsNotReplaced(t *testing.T) {
	r := configRepo(t)
	options := git.Options{URL: r.dir, Branch: "main", Path: "config", DataDir: t.TempDir()}
	base := mustLatest(t, mustNew(t, options)).Tree.Commit().ID
	propose := func(by git.Author) *git.Proposals {
		t.Helper()
		p, err := git.NewProposals(options, by)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	daemon := propose(author(signer(t)))
	for name, by := range map[string]git.Author{"unsigned": author(nil), "another key": author(signer(t))} {
		t.Run(name, func(t *testing.T) {
			r.git("update-ref", "-d", "refs/heads/"+proposalBranch)
			forged := publishing(base)
			forged.Message = "by hand\n\n" + forged.Message
			made, err := propose(by).Propose(t.Context(), forged)
			if err != nil {
				t.Fatal(err)
			}
			_, err = daemon.Propose(t.Context(), publishing(base))
			wantWords(t, err, "by hand", "not signed with the key of this daemon", "merge it, or delete the branch")
			if !errors.Is(err, reconcile.ErrNotOurs) {
				t.Errorf("%v is not ErrNotOurs", err)
			}
			there, err := daemon.Look(t.Context(), proposalBranch, "", "")
			if err != nil || there.Ours || there.Tip != made.Commit {
				t.Errorf("the branch is %+v, %v", there, err)
			}
			if err := daemon.Withdraw(t.Context(), proposalBranch); !errors.Is(err, reconcile.ErrNotOurs) {
				t.Errorf("withdrawing it gives %v", err)
			}
			if got := r.git("rev-parse", proposalBranch); got != made.Commit {
				t.Errorf("the branch has %s; want %s", got, made.Commit)
			}
		})
	}
	// Without a key nothing but the names tells, as before.
	if there, err := propose(author(nil)).Look(t.Context(), proposalBranch, "", ""); err != nil || !there.Ours {
		t.Errorf("the branch is %+v, %v", there, err)
	}
}
