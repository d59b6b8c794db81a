package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/providers/forge/forgetest"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// key gives somebody an SSH key that signs, and returns its public half.
func (r *reviewed) key(login string) (public string) {
	r.t.Helper()
	path := r.newKey(login)
	if err := r.world.SignAs(login, path); err != nil {
		r.t.Fatal(err)
	}
	return r.public(path)
}

// newKey makes an SSH key and returns its file.
func (r *reviewed) newKey(name string, options ...string) (path string) {
	r.t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		r.t.Skip("this test needs ssh-keygen, which makes and uses the keys")
	}
	path = filepath.Join(r.t.TempDir(), name)
	if len(options) == 0 {
		options = []string{"-N", ""}
	}
	args := append([]string{"-q", "-t", "ed25519", "-C", name, "-f", path}, options...)
	if out, err := exec.CommandContext(r.t.Context(), "ssh-keygen", args...).CombinedOutput(); err != nil {
		r.t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	return path
}

func (r *reviewed) public(path string) string {
	r.t.Helper()
	content, err := os.ReadFile(path + ".pub")
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

// rewind takes main back to a commit, as an administrator of the forge does.
func (r *reviewed) rewind(commit string) {
	r.t.Helper()
	r.gitOf("update-ref", "refs/heads/main", commit)
}

// refused waits until the newest commit is not followed, and returns why.
func (r *reviewed) refused(head string) (why app.RefusalStatus) {
	r.t.Helper()
	r.until("refused: "+head, func() bool {
		s, ok := r.status()
		if !ok || len(s.Refusals) == 0 || s.Refusals[0].Head != head || s.Source.Commit != head {
			return false
		}
		why = s.Refusals[0]
		return true
	})
	if why.Rule == "" || why.Reason == "" || why.Remedy == "" || why.Commit == "" {
		r.t.Errorf("the refusal lacks something: %+v", why)
	}
	return why
}

// follows waits until a commit is followed.
func (r *reviewed) follows(commit string) {
	r.t.Helper()
	r.until("following "+commit, func() bool {
		s, ok := r.status()
		return ok && s.Commit.ID == commit && len(s.Refusals) == 0
	})
}

// again restarts the daemon: what was refused is judged at once.
func (r *reviewed) again() {
	r.t.Helper()
	r.daemon.stop()
	r.serveForge()
}

func signer(name, public string) string {
	return fmt.Sprintf("  signer %q {\n    ssh = [%q]\n  }\n", name, public)
}

// A commit that nobody signed changes nothing, says which rule and what to do, and is
// told to people; the next good one overtakes it.
func TestUnsignedCommitIsRefused(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	start := r.forge.Head("main")
	r.set("TRUST", r.file("trust.hcl", fmt.Sprintf("trust {\n  mode  = every\n  since = %q\n%s}\n", start, signer(ann, r.key(ann)))))
	r.set("NOTIFY_PRIVATE", "true")
	inbox := newReceiver(t, false)
	good := map[string]string{"models.hcl": r.digits("1.0.0", r.image, "") + inbox.notifier("inbox")}
	first := r.commit("Digits", good)
	r.serveForge()
	r.steady(first)
	r.shows(first, "success")
	before := r.replicas("digits")

	unsigned := r.commitAs(ben, "main", "Digits 6.6.6", map[string]string{"models.hcl": r.digits("6.6.6", r.bad, "")})
	why := r.refused(unsigned)
	if why.Rule != "trust.signed" || why.Commit != unsigned {
		t.Errorf("the unsigned commit is refused by %+v", why)
	}
	if shown := r.shows(unsigned, "failure"); !strings.Contains(shown.Text, "refused") || !strings.Contains(shown.Text, why.Rule) {
		t.Errorf("its status says %q", shown.Text)
	}
	if m := r.told(inbox, spec.NotifyRefused, unsigned[:7]); m.Facts["rule"] != why.Rule || m.Facts["commit"] != unsigned {
		t.Errorf("people are told %+v", m)
	}
	over := r.commit("Digits, signed, on top of it", good)
	if why := r.refused(over); why.Commit != unsigned {
		t.Errorf("what stands on an unsigned commit is refused for %+v, want for %s", why, unsigned)
	}
	if s, _ := r.status(); s.Commit.ID != first {
		t.Errorf("%s is followed, want %s", s.Commit.ID, first)
	}
	if got := r.replicas("digits"); !slices.Equal(got, before) {
		t.Errorf("a refused commit has changed the containers from %v to %v", before, got)
	}

	r.rewind(first)
	next := r.commit("Digits 1.0.1", map[string]string{"models.hcl": strings.Replace(good["models.hcl"], "1.0.0", "1.0.1", 1)})
	r.steady(next)
	r.shows(next, "success")
	if got := inbox.of(spec.NotifyRefused); len(got) != 2 {
		t.Errorf("%d refusals were told, want those of two commits", len(got))
	}
}

// A commit cannot name its own key: the rules of the one before it count.
func TestChangeOfTrustCannotAllowItself(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	start := r.forge.Head("main")
	annKey, benKey := r.key(ann), r.key(ben)
	r.set("TRUST", r.file("trust.hcl", fmt.Sprintf("trust {\n  mode  = every\n  since = %q\n%s}\n", start, signer(ann, annKey))))
	rules := func(signers string) map[string]string {
		return map[string]string{"trust.hcl": "trust {\n  mode = every\n" + signers + "}\n"}
	}
	first := r.commit("Rules", rules(signer(ann, annKey)))
	r.serveForge()
	r.follows(first)

	own := r.commitAs(ben, "main", "Ben, by Ben", rules(signer(ann, annKey)+signer(ben, benKey)))
	if why := r.refused(own); why.Commit != own {
		t.Errorf("it is refused for %+v", why)
	}
	r.rewind(first)
	weaker := r.commitAs(ben, "main", "No rules", map[string]string{"trust.hcl": "trust {\n  mode = off\n}\n"})
	r.refused(weaker)
	r.rewind(first)
	added := r.commit("Ben, by Ann", rules(signer(ann, annKey)+signer(ben, benKey)))
	r.follows(added)
	r.follows(r.commitAs(ben, "main", "By Ben", map[string]string{"NOTES.md": "Ben was here.\n"}))
}

// Where every commit has to be signed, Fairlead's own are, too: what it proposes counts
// once the forge has merged it, and never by itself.
func TestProposalsAreSignedWhereEveryCommitIs(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	forge, own := r.newKey("forge"), r.newKey("own")
	r.world.SignMerges(forge)
	r.set("JOURNAL_KEY", own)
	role := func(name, public, role string) string {
		return strings.Replace(signer(name, public), "  }", "    role = "+role+"\n  }", 1)
	}
	r.set("TRUST", r.file("trust.hcl", fmt.Sprintf("trust {\n  mode  = every\n  since = %q\n%s%s%s}\n", r.forge.Head("main"),
		signer(ann, r.key(ann)), role("forge", r.public(forge), "forge"), role(bot, r.public(own), "bot"))))
	good := r.digits("1.0.0", r.image, byErrors)
	r.begin(good)
	r.held(r.merge(r.propose("digits-1.1", "Digits 1.1.0", map[string]string{"models.hcl": r.digits("1.1.0", r.bad, byErrors)})))
	p := r.proposed(revertBranch)
	before := r.forge.Head("main")

	r.gitOf("update-ref", "refs/heads/main", p.HeadSHA) // without the forge
	if why := r.refused(p.HeadSHA); why.Commit != p.HeadSHA {
		t.Errorf("what a bot has signed is refused for %+v", why)
	}
	r.rewind(before)
	r.until("nothing is refused", func() bool {
		s, ok := r.status()
		return ok && len(s.Refusals) == 0
	})
	p = r.proposed(revertBranch)
	merged := r.merge(p.Number)
	r.steady(merged)
	r.untilNothing(func() string {
		signers := map[string]string{}
		for _, c := range r.root().Commits {
			signers[c.ID] = c.Signer
		}
		if signers[merged] != "forge" || signers[p.HeadSHA] != bot {
			return fmt.Sprintf("the journal has the signers %v, want the forge of %s and the bot of %s", signers, merged, p.HeadSHA)
		}
		return ""
	})
}

// root is what the journal has of the config repo.
func (r *reviewed) root() (record journal.RepoRecord) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.read(journal.Branch("default"), "repos/root.json")), &record); err != nil {
		r.t.Fatal(err)
	}
	return record
}

// approved waits until the journal on the forge has who approved a pull request.
func (r *reviewed) approved(commit string, number int, by string) {
	r.t.Helper()
	r.untilNothing(func() string {
		record := r.root()
		if record.Accepted != commit {
			return fmt.Sprintf("the journal has %s as accepted, want %s", record.Accepted, commit)
		}
		for _, p := range record.Pulls {
			if p.Number == number && p.Author == ann && len(p.Approvals) == 1 && p.Approvals[0].By == by && slices.Contains(p.Approvals[0].Rules, "models") {
				return ""
			}
		}
		return fmt.Sprintf("the journal has the pull requests %+v, want #%d approved by %s", record.Pulls, number, by)
	})
}

// What a rule wants to have reviewed is followed once somebody else has approved just
// what was merged, be it after the merge, and the journal keeps who did.
func TestMergedWithoutApprovalIsRefused(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	r.set("TRUST", r.file("trust.hcl", fmt.Sprintf(`trust {
  mode  = off
  since = %q
  review "models" {
    paths     = ["*.hcl"]
    approvals = 1
  }
}
`, r.forge.Head("main"))))
	review := func(number int) {
		if err := r.forge.Review(number, ben, forgetest.Approved, "fine"); err != nil {
			t.Fatal(err)
		}
	}
	version := func(v string) map[string]string {
		return map[string]string{"models.hcl": r.digits(v, r.image, "")}
	}
	r.serveForge()
	r.follows(r.forge.Head("main"))

	number := r.propose("digits-1.0", "Digits 1.0.0", version("1.0.0"))
	review(number)
	merged := r.merge(number)
	r.steady(merged)
	r.shows(merged, "success")
	r.approved(merged, number, ben)
	if answer, err := r.ask("/api/v1/audit/approval?model=digits&version=1.0.0"); err != nil || !strings.Contains(string(answer), `"`+ben+`"`) {
		t.Errorf("who approved digits@1.0.0 is answered %s, %v", answer, err)
	}

	number = r.propose("digits-1.1", "Digits 1.1.0", version("1.1.0"))
	merged = r.merge(number)
	why := r.refused(merged)
	if !strings.HasPrefix(why.Rule, "trust.review") || !why.Waiting || why.Pos.File == "" {
		t.Errorf("it is refused by %+v, want the review rule, waiting", why)
	}
	if shown := r.shows(merged, "pending"); !strings.Contains(shown.Text, "waits") {
		t.Errorf("its status says %q", shown.Text)
	}
	review(number)
	r.again()
	r.steady(merged)
	r.approved(merged, number, ben)

	number = r.propose("digits-1.2", "Digits 1.2.0", version("1.1.9"))
	review(number) // of what is not merged
	r.commitAs(ann, "digits-1.2", "Digits 1.2.0, really", version("1.2.0"))
	merged = r.merge(number)
	r.refused(merged)
	review(number)
	r.again()
	r.steady(merged)
	r.approved(merged, number, ben)

	past := r.commit("Digits 1.3.0, past the review", version("1.3.0"))
	if why := r.refused(past); why.Commit != past || !strings.HasPrefix(why.Rule, "trust.review") {
		t.Errorf("what came by no pull request is refused by %+v", why)
	}
}
