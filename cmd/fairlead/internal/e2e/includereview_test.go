package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile/audit"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

// teamDigits is the team's model, as a commit of its repository.
func (r *reviewed) teamDigits(version, image, rollout string) map[string]string {
	return map[string]string{"models.hcl": strings.Replace(r.digits(version, image, rollout), `model "digits"`, `model "team_digits"`, 1)}
}

// included waits until the team's commit is followed and its model is in a phase.
func (r *reviewed) included(commit string, phase rollout.Phase) {
	r.t.Helper()
	r.untilNothing(func() string {
		s, ok := r.status()
		if !ok {
			return "the daemon does not answer"
		}
		for _, m := range s.Models {
			if m.Name == "team_digits" && m.Phase == phase && (phase != rollout.Rolling) == (m.Rollout == nil) && s.Commit.Includes["team"] == commit {
				return ""
			}
		}
		return fmt.Sprintf("%v is followed, want team at %s and its model %s: %+v", s.Commit.Includes, commit, phase, s.Models)
	})
}

// A team that keeps its models in a repository of its own sees there what becomes of
// them: plans on its pull requests, statuses on its commits, a revert of what was rolled
// back, and the approval of a step. Nothing of it goes to the root, and nothing of the
// root to the team.
func TestIncludedRepositoryIsReviewedWhereItIs(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	team := *r
	team.forge, team.name = r.team("team/models"), "team"
	commit := func(message string, files map[string]string) string {
		return commitTo(t, team.forge, ann, message, files)
	}
	good := r.teamDigits("1.0.0", r.image, byErrors)
	first := commit("Digits of the team", good)
	root := r.commit("Digits, and what the team has", map[string]string{
		"models.hcl":  r.digits("1.0.0", r.image, ""),
		"include.hcl": fmt.Sprintf("include \"team\" {\n  repo   = %q\n  prefix = \"team_\"\n}\n", team.forge.CloneURL()),
	})
	r.serveForge()
	r.includes(root, "team", first)
	team.shows(first, "success")
	startTraffic(t, r.url("team_digits"), 1, 40)

	number := team.propose("digits-1.1", "Digits 1.1.0", r.teamDigits("1.1.0", r.bad, byErrors))
	plan := team.planned(number, "success", "1 to roll out", "model.team_digits", first[:7])
	if strings.Contains(plan, "model.digits") {
		t.Errorf("the team's plan tells of the root's model:\n%s", plan)
	}
	wrong := team.propose("slip", "A slip", map[string]string{"more.hcl": "model \"digits\" {\n}\n"})
	team.planned(wrong, "failure", "more.hcl:1", "Name outside of the prefix")

	bad := team.merge(number)
	r.included(bad, rollout.Held)
	team.shows(bad, "warning")
	p := team.proposed("fairlead/revert/team_digits")
	if !strings.Contains(p.Body, "from **1.1.0** to **1.0.0**") || !strings.Contains(p.Body, "| errors | fail |") {
		t.Errorf("the proposal does not say why:\n%s", p.Body)
	}
	if got := team.read(p.HeadSHA, "models.hcl"); got != good["models.hcl"] {
		t.Errorf("the proposal is not what was there before:\n%s", got)
	}
	merged := team.merge(p.Number)
	r.included(merged, rollout.Steady)
	team.shows(merged, "success")
	r.nothingProposed()

	next := r.teamDigits("1.2.0", r.image, strings.Replace(byPeople, "3s", "1s", 1))
	next["models.hcl"] = strings.Replace(next["models.hcl"], `THREADS = "1"`, `THREADS = "2"`, 1)
	commit("Digits 1.2.0", next)
	approval := team.proposed("fairlead/promote/team_digits")
	r.included(team.merge(approval.Number), rollout.Steady)
	if s, ok := r.status(); !ok || s.Models[1].Stable.Version != "1.2.0" || s.Models[1].Serving != s.Models[1].Revision {
		t.Errorf("the team's model is %+v", s.Models[1])
	}
	approved := r.decided(journal.ActionApprove)
	if len(approved) != 1 || !strings.Contains(approved[0].Actor, ben) || !strings.HasPrefix(approved[0].Include, "team@") {
		t.Errorf("the journal has the approval as %+v, want once, by %s", approved, ben)
	}
	var who audit.Approval
	if err := r.get("/api/v1/audit/approval?model=team_digits&version=1.1.0", &who); err != nil {
		t.Fatal(err)
	}
	if who.Repo != "team" || who.Commit != bad || len(who.Pulls) != 1 || who.Pulls[0].MergedBy != ben {
		t.Errorf("1.1.0 was let in by %+v, want the team's pull request, which %s merged", who, ben)
	}
	if got := r.forge.Pulls(); len(got) != 0 {
		t.Errorf("the root has pull requests: %+v", got)
	}
	if heads := strings.Fields(r.gitOf("for-each-ref", "--format=%(refname:short)", "refs/heads")); slices.ContainsFunc(heads, func(h string) bool { return strings.Contains(h, "team_digits") }) {
		t.Errorf("the root has the branches %v", heads)
	}
}
