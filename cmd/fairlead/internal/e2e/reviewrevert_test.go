package e2e

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile/journal"
)

const revertBranch = "fairlead/revert/digits"

// begin commits a good version and brings it up, under load.
func (r *reviewed) begin(spec string) (commit string) {
	r.t.Helper()
	commit = r.commit("Digits", map[string]string{"models.hcl": spec})
	r.serveForge()
	r.steady(commit)
	startTraffic(r.t, r.url("digits"), 1, 40)
	return commit
}

// A bad version is merged, is rolled back by its errors, and is proposed to be reverted
// with the numbers that condemn it. Merged, all is as it was, and nothing is left over.
func TestBadVersionIsRevertedByAPullRequest(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	good := r.digits("1.0.0", r.image, byErrors)
	r.shows(r.begin(good), "success")
	before := r.replicas("digits")
	number := r.propose("digits-1.1", "Digits 1.1.0", map[string]string{"models.hcl": r.digits("1.1.0", r.bad, byErrors)})
	away := func(w http.ResponseWriter, request *http.Request) bool { return opens(request) && unreachable(w) }
	r.relay.before.Store(&away)
	bad := r.merge(number)
	r.held(bad)
	shown := r.shows(bad, "warning") // held, as Gitea has it
	if !strings.Contains(shown.Text, "digits") {
		t.Errorf("the status of the commit says %q", shown.Text)
	}

	r.relay.quiet()
	p := r.proposed(revertBranch)
	for what, pattern := range map[string]string{
		"the verdict":      `\| errors \| fail \| 0\.\d+ \| 0 \|`,
		"both versions":    `from \*\*1\.1\.0\*\* to \*\*1\.0\.0\*\*`,
		"the commit":       bad[:7],
		"how far it came":  `step 1 and 50 % of the requests`,
		"another way out":  `fairlead rollout retry digits`,
		"what is declared": `model\.digits`,
	} {
		if !regexp.MustCompile(pattern).MatchString(p.Body) {
			t.Errorf("the proposal does not tell %s:\n%s", what, p.Body)
		}
	}
	if p.Author != bot || p.Base != "main" || !strings.Contains(p.Title, "1.0.0") {
		t.Errorf("the proposal is %+v", p)
	}
	if got := r.read(p.HeadSHA, "models.hcl"); got != good {
		t.Errorf("the proposal is not what was there before:\n%s", got)
	}
	if files := strings.Fields(r.gitOf("diff", "--name-only", "main", revertBranch)); !slices.Equal(files, []string{"models.hcl"}) {
		t.Errorf("the proposal changes %v", files)
	}
	r.until("the status leads to the proposal", func() bool {
		return strings.HasSuffix(r.shows(bad, "warning").URL, "/pulls/2")
	})

	merged := r.merge(p.Number)
	r.steady(merged)
	r.shows(merged, "success")
	r.nothingProposed()
	if got := r.replicas("digits"); !slices.Equal(got, before) {
		t.Errorf("the containers of the good version are %v, and were %v", got, before)
	}
	if got := r.from(revertBranch); len(got) != 1 || len(r.forge.Pulls()) != 2 {
		t.Errorf("pull requests: %+v, want that of the version and one revert", r.forge.Pulls())
	}
	if got := r.decided(journal.ActionStart); len(got) != 2 {
		t.Errorf("%d rollouts were started, want that of the first version and that of the bad one", len(got))
	}
	if got := r.decided(journal.ActionConclude); len(got) != 1 || got[0].Actor != ben || !strings.HasPrefix(got[0].Reason, "merged") {
		t.Errorf("the proposal was concluded by %+v, want once, by the one who merged it", got)
	}
}

// Who reverts by hand is first: a proposal that is open closes itself, and one that could
// not be opened yet never is. Its branch is gone either way.
func TestProposalGivesWayToAPersonWhoReverts(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	good := r.digits("1.0.0", r.image, byErrors)
	r.begin(good)
	worse := map[string]string{"models.hcl": r.digits("1.1.0", r.bad, byErrors)}
	better := map[string]string{"models.hcl": good}

	r.held(r.commit("Digits 1.1.0", worse))
	p := r.proposed(revertBranch)
	r.steady(r.commit("Back to 1.0.0", better))
	r.withdrawn()
	if got, err := r.forge.Pull(p.Number); err != nil || got.State != "closed" {
		t.Errorf("the proposal is %s (%v), want closed", got.State, err)
	}

	away := func(w http.ResponseWriter, request *http.Request) bool { return opens(request) && unreachable(w) }
	r.relay.before.Store(&away)
	r.held(r.commit("Digits 1.1.0 again", worse)) // at once: it is in the ledger
	r.until("the branch is pushed", func() bool { return r.forge.Head(revertBranch) != "" })
	r.steady(r.commit("Back to 1.0.0 again", better))
	r.withdrawn()
	r.relay.quiet()
	if got := r.from(revertBranch); len(got) != 1 {
		t.Errorf("pull requests %+v, want the first one", got)
	}
}

// withdrawn waits until nothing is left of a revert.
func (r *reviewed) withdrawn() {
	r.t.Helper()
	r.until("the branch is deleted", func() bool { return r.forge.Head(revertBranch) == "" })
	r.nothingProposed()
}

// Where more than the release is bad, the model's block gets back the text that it had,
// with its comments, and nothing else changes.
func TestRevertGivesTheBlockItsTextBack(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	good := r.digits("1.0.0", r.image, byErrors)
	r.begin(good)
	bad := strings.NewReplacer(`"1.0.0"`, `"1.1.0"`, `THREADS = "1"`, `ERRORS  = "0.5" # what could go wrong`, "# What it may use.\n", "").Replace(good)
	const other = "\n# Beside it.\nmodel \"other\" {\n  image   = \"IMAGE\"\n  enabled = false\n}\n"
	beside := strings.ReplaceAll(other, "IMAGE", r.image)
	r.held(r.commit("Digits 1.1.0, and one beside it", map[string]string{"models.hcl": bad + beside}))
	p := r.proposed(revertBranch)
	if got := r.read(p.HeadSHA, "models.hcl"); got != good+beside {
		t.Errorf("the proposal is not the block as it was, and all else as it is:\n%s", got)
	}
	r.steady(r.merge(p.Number))
	r.nothingProposed()
}

// Without a forge a revert is a branch, and a line of the status; whoever merges it by
// hand ends it.
func TestRevertWithoutAForgeIsABranch(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	c.model.body = contract + strings.ReplaceAll(byErrors, "40s", "20s")
	good := c.next(nil)
	c.serve(c.dir)
	c.converged(good)
	startTraffic(t, c.url(c.model.name), 1, 40)
	bad := c.next(map[string]string{"ERRORS": `"0.5"`})
	c.held(bad)
	c.until("the branch is named", func() bool {
		s, ok := c.status()
		return ok && len(s.Proposals) == 1 && s.Proposals[0].State == "open" && s.Proposals[0].Branch == revertBranch && s.Proposals[0].Error == ""
	})
	if out, code := c.fairlead("status"); code != 0 || !strings.Contains(out, revertBranch) {
		t.Errorf("status ends with %d and does not name the branch:\n%s", code, out)
	}
	c.git("merge", "-q", "--no-edit", revertBranch)
	c.converged(c.git("rev-parse", "HEAD"))
	c.until("no proposal is open", func() bool {
		s, ok := c.status()
		return ok && len(s.Proposals) == 0
	})
	if diff := c.git("diff", good, "HEAD"); diff != "" {
		t.Errorf("the revert is not what was there before:\n%s", diff)
	}
}
