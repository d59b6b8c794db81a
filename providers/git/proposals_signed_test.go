package git_test

import (
	"testing"

	"github.com/fairlead/fairlead/providers/git"
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
