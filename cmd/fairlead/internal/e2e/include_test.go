package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/providers/forge/forgetest"
)

// team adds a repository of another team to the forge, that ann and ben may write to.
func (r *reviewed) team(name string) *forgetest.Repo {
	r.t.Helper()
	repo, err := r.world.AddRepo(name, ann, ben, bot)
	if err != nil {
		r.t.Fatal(err)
	}
	repo.SetPrivate()
	return repo
}

func commitTo(t *testing.T, repo *forgetest.Repo, login, message string, files map[string]string) string {
	t.Helper()
	commit, err := repo.Commit(login, "main", message, files)
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

// includes waits until the root is followed with an include at a commit.
func (r *reviewed) includes(root, name, commit string) {
	r.t.Helper()
	r.untilNothing(func() string {
		s, ok := r.status()
		if !ok || s.Commit.ID != root || s.Commit.Includes[name] != commit || !s.Converged {
			return fmt.Sprintf("%s with %s of %s is not followed, but %+v, converged: %t", root, commit, name, s.Commit, s.Converged)
		}
		return ""
	})
}

// A root repository runs the models of another one beside its own. A commit there counts
// by that repository's rules; one that is bad, or reaches for what is not its own, leaves
// everything as it is.
func TestIncludedRepositoryIsJudgedByItself(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	team := r.team("team/models")
	start, err := team.Commit(ann, "main", "Start", map[string]string{"NOTES.md": "None.\n"})
	if err != nil {
		t.Fatal(err)
	}
	theirs := func(name, version, body string) map[string]string {
		return map[string]string{"models.hcl": model{name: name, image: r.image, version: version, replicas: 1, body: body}.hcl()}
	}
	root := map[string]string{"models.hcl": r.digits("1.0.0", r.image, ""), "include.hcl": fmt.Sprintf(`include "team" {
  repo   = %q
  prefix = "team_"

  trust {
    mode  = every
    since = %q
  %s}
}
`, team.CloneURL(), start, strings.ReplaceAll(signer(ann, r.key(ann)), "\n", "\n  "))}
	first := commitTo(t, team, ann, "Letters", theirs("team_letters", "1", ""))
	commit := r.commit("Digits, and what the team has", root)
	r.serveForge()
	r.includes(commit, "team", first)
	r.exactly(model{name: "digits", replicas: 1}, model{name: "team_letters", replicas: 1})
	before := slices.Concat(r.replicas("digits"), r.replicas("team_letters"))

	rewind := func() { r.gitIn(team, "update-ref", "refs/heads/main", first) }
	for what, c := range map[string]struct {
		login string
		files map[string]string
		says  string
	}{
		"nobody has signed it":     {ben, theirs("team_letters", "6", ""), "trust.signed"},
		"a name outside":           {ann, theirs("letters", "6", ""), "team_"},
		"the name of another one":  {ann, theirs("digits", "6", ""), "team_"},
		"a route outside":          {ann, theirs("team_letters", "6", "  route {\n    path = \"/digits\"\n  }\n"), "/team"},
		"it does not load":         {ann, map[string]string{"models.hcl": "model {"}, "models.hcl"},
		"what only the root may":   {ann, map[string]string{"n.hcl": "notifier \"n\" {\n  kind = webhook\n  url = \"https://example.com\"\n}\n"}, "Not in an included repo"},
		"the root's own variables": {ann, theirs("team_letters", "6", "  description = model.digits.image\n"), "models.hcl"},
	} {
		commitTo(t, team, c.login, what, c.files)
		r.until("it is told that "+what, func() bool {
			answer, err := r.ask("/api/v1/status")
			s, ok := r.status()
			return err == nil && ok && s.Commit.ID == commit && s.Commit.Includes["team"] == first &&
				strings.Contains(strings.Join(s.Source.Notes, " ")+s.Source.Error+fmt.Sprint(s.Refusals), c.says) && len(answer) > 0
		})
		rewind()
		r.until("nothing is refused any more", func() bool {
			s, ok := r.status()
			return ok && len(s.Refusals) == 0 && !strings.Contains(strings.Join(s.Source.Notes, " ")+s.Source.Error, c.says)
		})
	}
	if after := slices.Concat(r.replicas("digits"), r.replicas("team_letters")); !slices.Equal(before, after) {
		t.Errorf("refused commits have changed the containers from %v to %v", before, after)
	}

	// The root goes on, also while the team's newest commit is bad.
	commitTo(t, team, ben, "Unsigned", theirs("team_letters", "6", ""))
	root["models.hcl"] = r.digits("1.1.0", r.bad, "")
	commit = r.commit("Digits 1.1.0", root)
	r.includes(commit, "team", first)
	if got := r.replicas("team_letters"); !slices.Contains(before, got[0]) {
		t.Errorf("a commit of the root has replaced %v", got)
	}
	rewind()
	next := commitTo(t, team, ann, "Letters 2", theirs("team_letters", "2", ""))
	r.includes(commit, "team", next)
	if got := r.serving("team_letters"); got != "2" {
		t.Errorf("version %q of the team's model serves", got)
	}
}
