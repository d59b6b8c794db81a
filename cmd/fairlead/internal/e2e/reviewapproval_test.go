package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile/journal"
)

const promoteBranch = "fairlead/promote/digits"

// byPeople waits in its second step for an approval.
const byPeople = `
  rollout {
    step {
      weight = 20
      hold   = "3s"
    }
    step {
      weight   = 50
      approval = true
    }
    keep_previous = "1s"
  }
`

// waits waits until the rollout to a version waits for an approval, and returns the
// revision.
func (r *reviewed) waits(version string) (revision string) {
	r.t.Helper()
	r.until(version+" waits for an approval", func() bool {
		s, ok := r.status()
		if !ok || len(s.Models) != 1 {
			return false
		}
		ro := s.Models[0].Rollout
		if ro == nil || !ro.Approval || ro.Candidate.Version != version {
			return false
		}
		revision = ro.Candidate.Revision
		return true
	})
	return revision
}

// A step that waits for people is passed by merging a pull request, and the journal
// names who did.
func TestStepIsApprovedByMergingItsPullRequest(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	first := r.commit("Digits", map[string]string{"models.hcl": r.digits("1.0.0", r.image, byPeople)})
	r.serveForge()
	r.steady(first)
	next := r.commit("Digits 1.1.0", map[string]string{"models.hcl": r.digits("1.1.0", r.bad, byPeople)})
	revision := r.waits("1.1.0")
	p := r.proposed(promoteBranch)
	for _, part := range []string{"1.1.0", "step 2 of 2", "50 %", "Merging this is the approval"} {
		if !strings.Contains(p.Body, part) {
			t.Errorf("the proposal does not say %q:\n%s", part, p.Body)
		}
	}
	if got := r.read(p.HeadSHA, "approvals/digits.hcl"); !strings.Contains(got, revision) || !strings.Contains(got, "step     = 2") {
		t.Errorf("the approval is:\n%s", got)
	}
	r.shows(next, "pending")
	merged := r.merge(p.Number)
	r.steady(merged)
	r.shows(merged, "success")
	r.nothingProposed()
	if s, ok := r.status(); !ok || s.Models[0].Serving != revision {
		t.Errorf("%s serves, want %s", s.Models[0].Serving, revision)
	}
	approved := r.decided(journal.ActionApprove)
	if len(approved) != 1 || !strings.Contains(approved[0].Actor, ben) || !strings.Contains(approved[0].Reason, "approvals/digits.hcl") {
		t.Errorf("the journal has the approval as %+v, want once, by %s", approved, ben)
	}
	if got := r.from(promoteBranch); len(got) != 1 || got[0].State != "merged" {
		t.Errorf("pull requests %+v, want one", got)
	}
}

// An approval is of what people saw: when a newer version comes, its proposal closes
// itself, and the block of the old one, merged by hand, lets nothing pass.
func TestStaleApprovalHasNoEffect(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	spec := func(version, image, threads string) map[string]string {
		return map[string]string{"models.hcl": strings.Replace(r.digits(version, image, byPeople), `THREADS = "1"`, `THREADS = "`+threads+`"`, 1)}
	}
	first := r.commit("Digits", spec("1.0.0", r.image, "1"))
	r.serveForge()
	r.steady(first)
	r.commit("Digits 1.1.0", spec("1.1.0", r.image, "2"))
	old := r.waits("1.1.0")
	stale := r.proposed(promoteBranch)
	approval := r.read(stale.HeadSHA, "approvals/digits.hcl")

	r.commit("Digits 1.2.0", spec("1.2.0", r.image, "3"))
	r.until("the proposal closes itself", func() bool {
		p, err := r.forge.Pull(stale.Number)
		return err == nil && p.State == "closed"
	})
	revision := r.waits("1.2.0")
	if revision == old {
		t.Fatal("both versions are one revision")
	}
	fresh := r.proposed(promoteBranch)
	if fresh.Number == stale.Number || !strings.Contains(fresh.Body, "1.2.0") {
		t.Errorf("the proposal for the newer version is %+v", fresh)
	}

	byHand := r.commit("Approve what is no more", map[string]string{"approvals/digits.hcl": approval})
	r.until("the old approval is followed", func() bool {
		s, ok := r.status()
		return ok && s.Commit.ID == byHand
	})
	// It is where the new one belongs, so the proposal is made anew on top of it.
	r.until("the proposal can be merged", func() bool {
		p := r.proposed(promoteBranch)
		return p.Number == fresh.Number && strings.Contains(r.read(p.HeadSHA, "approvals/digits.hcl"), revision) &&
			strings.TrimSpace(r.gitOf("merge-base", "main", p.HeadSHA)) == byHand
	})
	if got := r.decided(journal.ActionApprove); len(got) != 0 {
		t.Errorf("the old approval had an effect: %+v", got)
	}
	if got := r.waits("1.2.0"); got != revision {
		t.Errorf("%s waits, and it was %s", got, revision)
	}
	r.steady(r.merge(fresh.Number))
	r.nothingProposed()
	approved := r.decided(journal.ActionApprove)
	if len(approved) != 1 || approved[0].To != revision && !strings.Contains(approved[0].Actor, ben) {
		t.Errorf("the journal has the approvals %+v, want that of %s", approved, revision)
	}
	if ended := r.decided(journal.ActionConclude); len(ended) != 2 || !slices.ContainsFunc(ended, func(e journal.Entry) bool { return strings.HasPrefix(e.Reason, "moot") }) {
		t.Errorf("the proposals were concluded by %+v, want one moot and one merged", ended)
	}
}
