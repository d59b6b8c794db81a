package git_test

import (
	"errors"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile"
)

func TestAProposalIsLookedAtAndWithdrawn(t *testing.T) {
	eachRemote(t, func(t *testing.T, r *repo, o git.JournalOptions) {
		p, base := proposalsFor(t, o)
		look := func(commit, into string, want reconcile.ProposalBranch) {
			t.Helper()
			got, err := p.Look(t.Context(), proposalBranch, commit, into)
			if err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		}
		look("", base, reconcile.ProposalBranch{})
		done, err := p.Propose(t.Context(), publishing(base))
		if err != nil {
			t.Fatal(err)
		}
		look(done.Commit, base, reconcile.ProposalBranch{Tip: done.Commit, Ours: true})
		look(done.Commit, done.Commit, reconcile.ProposalBranch{Tip: done.Commit, Ours: true, Merged: true})
		r.git("pack-refs", "--all")
		if err := p.Withdraw(t.Context(), proposalBranch); err != nil {
			t.Fatal(err)
		}
		if got := r.git("branch", "--list", proposalBranch); got != "" {
			t.Errorf("the branch is there still: %q", got)
		}
		look(done.Commit, base, reconcile.ProposalBranch{})
		if err := p.Withdraw(t.Context(), proposalBranch); err != nil {
			t.Errorf("a branch that is gone: %v", err)
		}
		if got := r.git("rev-parse", "main"); got != base {
			t.Errorf("main is at %s; want %s", got, base)
		}
	})
}

func TestOnlyABranchOfOursIsWithdrawn(t *testing.T) {
	eachRemote(t, func(t *testing.T, r *repo, o git.JournalOptions) {
		p, base := proposalsFor(t, o)
		theirs := r.git("commit-tree", "-p", base, "-m", "mine", base+"^{tree}")
		r.git("update-ref", "refs/heads/"+proposalBranch, theirs)
		got, err := p.Look(t.Context(), proposalBranch, "", base)
		if want := (reconcile.ProposalBranch{Tip: theirs}); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		if err := p.Withdraw(t.Context(), proposalBranch); !errors.Is(err, reconcile.ErrNotOurs) {
			t.Errorf("got %v", err)
		}
		for _, branch := range []string{"main", "fairlead/journal/prod", "fairlead/../main", ""} {
			if err := p.Withdraw(t.Context(), branch); err == nil {
				t.Errorf("%q was withdrawn", branch)
			}
		}
		if got := r.git("rev-parse", "main", proposalBranch); got != base+"\n"+theirs {
			t.Errorf("the branches are at %s", got)
		}
	})
}
