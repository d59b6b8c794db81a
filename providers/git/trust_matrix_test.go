package git_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/trust"
	"github.com/fairlead/fairlead/spec"
)

// The time of the matrix: keys are made at keyed, commits at signing, and a year later
// is late.
var (
	keyed   = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)
	signing = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	turn    = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC) // from which things are otherwise
	late    = time.Date(2025, 9, 1, 12, 0, 0, 0, time.UTC)
)

// world is a repository in which the matrix happens.
type world struct {
	*repo
	scheme
}

// as commits what the worktree has; "" signs nothing.
func (w *world) as(name string, at time.Time, args ...string) string {
	w.t.Helper()
	w.dated(at)
	w.git("add", "-A")
	w.git(append(w.signed(name, at, "commit", "-q", "--allow-empty", "-m", "a commit"), args...)...)
	return w.git("rev-parse", "HEAD")
}

func (w *world) dated(at time.Time) {
	w.t.(*testing.T).Setenv("GIT_COMMITTER_DATE", at.Format(time.RFC3339))
	w.t.(*testing.T).Setenv("GIT_AUTHOR_DATE", at.Format(time.RFC3339))
}

// signed adds the option with which git signs.
func (w *world) signed(name string, at time.Time, command string, args ...string) []string {
	if name == "" {
		return append([]string{command, "--no-gpg-sign"}, args...)
	}
	w.configure(w.repo, name, at)
	return append([]string{command, "-S"}, args...)
}

// merge merges a branch into the one that is checked out.
func (w *world) merge(name string, args ...string) string {
	w.t.Helper()
	w.dated(signing)
	w.git(append(w.signed(name, signing, "merge", "-q", "--no-ff", "-m", "a merge"), args...)...)
	return w.git("rev-parse", "HEAD")
}

// branch makes a branch of one commit that writes a file, and goes back to main.
func (w *world) branch(branch, signer, from string) {
	w.t.Helper()
	w.git("checkout", "-q", "-b", branch, from)
	w.write(branch+".hcl", branch+"\n")
	w.as(signer, signing)
	w.git("checkout", "-q", "main")
}

// raw is the commit as it is stored.
func (w *world) raw(id string) string {
	out := exec.CommandContext(w.t.Context(), "git", "cat-file", "commit", id)
	out.Dir = w.dir
	data, err := out.Output()
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

// store writes a commit as it is.
func (w *world) store(raw string) string {
	w.t.Helper()
	return w.gitIn(raw, "hash-object", "-t", "commit", "-w", "--stdin", "--literally")
}

// unsigned takes the signature out of a raw commit.
func unsigned(raw string) (payload, header string) {
	header = regexp.MustCompile(`(?m)^gpgsig .*\n( .*\n)*`).FindString(raw)
	return strings.Replace(raw, header, "", 1), header
}

// sealed puts a signature into a raw commit.
func sealed(payload, armored string) string {
	return strings.Replace(payload, "\n\n", "\ngpgsig "+strings.ReplaceAll(strings.TrimSpace(armored), "\n", "\n ")+"\n\n", 1)
}

// question is what the judge is asked.
type question struct {
	from, to string
	mode     spec.TrustMode // "": every
	signers  []spec.Signer
	dir      string // of another repository
	oracle   bool   // git can tell as well
}

// accepted asks the whole way: source, signatures, judge.
func (w *world) accepted(q question) (bool, string) {
	w.t.Helper()
	dir := w.dir
	if q.dir != "" {
		dir = q.dir
	}
	source := mustNew(w.t, git.Options{URL: dir, Ref: q.to})
	r, err := source.Range(w.t.Context(), q.from, q.to)
	if err != nil {
		return false, err.Error()
	}
	if q.mode == "" {
		q.mode = spec.TrustEvery
	}
	rules := trust.Rules{Root: &spec.Trust{Mode: q.mode, Signers: q.signers}}
	var verifier signature.Verifier
	checks := map[string]trust.Check{}
	for i := range r.Commits {
		checks[r.Commits[i].ID] = trust.Check{By: verifier.Verify(r.Commits[i].Raw, rules.Signers())}
	}
	for i := range r.Tags {
		checks[r.Tags[i].ID] = trust.Check{By: verifier.Verify(r.Tags[i].Raw, rules.Signers())}
	}
	verdict := trust.Judge(trust.Input{
		Repo: journal.RootRepo, Head: spec.Commit{ID: q.to}, Range: r, Rules: rules, Checks: checks, Now: late.AddDate(1, 0, 0),
	})
	if !verdict.Accepted() {
		return false, verdict.Refusals[0].Error()
	}
	if _, err := source.TreeAt(w.t.Context(), q.to); err != nil {
		return false, err.Error()
	}
	return true, ""
}

// matrix are the 18 cases, each with its good twin: what differs is the one thing that
// the case is about. words are a part of why it is refused.
var matrix = []struct {
	name  string
	words string
	build func(w *world) (bad, good question)
}{
	{"unsigned", "not signed", func(w *world) (bad, good question) {
		w.key("ann")
		from := w.as("ann", signing)
		good = question{from: from, to: w.as("ann", signing), signers: []spec.Signer{w.public("ann")}, oracle: true}
		w.git("reset", "-q", "--hard", from)
		bad = good
		bad.to = w.as("", signing)
		return bad, good
	}},
	{"bad signature", "other bytes", func(w *world) (bad, good question) {
		bad, good = w.twin()
		bad.to = w.store(strings.Replace(w.raw(good.to), "a commit", "a Commit", 1))
		return bad, good
	}},
	{"unknown key", "nobody's", func(w *world) (bad, good question) {
		bad, good = w.twin()
		w.key("eve")
		bad.to = w.as("eve", signing)
		return bad, good
	}},
	{"expired key", "", func(w *world) (bad, good question) {
		w.expiring("ann")
		from := w.as("ann", signing)
		signers := []spec.Signer{w.outdated("ann")}
		good = question{from: from, to: w.as("ann", signing), signers: signers}
		w.dated(late)
		w.configure(w.repo, "ann", signing) // its clock is wrong, or somebody sets it back
		w.git("commit", "-q", "-S", "--allow-empty", "-m", "late")
		return question{from: from, to: w.git("rev-parse", "HEAD"), signers: signers, oracle: true}, good
	}},
	{"revoked key", "revoked", func(w *world) (bad, good question) {
		bad, good = w.twin()
		bad.to, bad.signers = good.to, []spec.Signer{w.revoked("ann")}
		return bad, good
	}},
	{"old key after its rotation", "until", func(w *world) (bad, good question) {
		w.key("old")
		w.key("new")
		before, after := w.public("old"), w.public("new")
		before.ValidUntil, after.ValidFrom = turn, turn
		from := w.as("old", signing)
		good = question{from: from, to: w.as("new", late), signers: []spec.Signer{before, after}}
		good.oracle = before.SSH != nil // gpg knows of no such thing
		w.git("reset", "-q", "--hard", from)
		bad = good
		bad.to = w.as("old", late)
		return bad, good
	}},
	{"wrong namespace", "", func(w *world) (bad, good question) {
		bad, good = w.twin()
		payload, _ := unsigned(w.raw(good.to))
		bad.to = w.store(sealed(payload, w.misused("ann", payload)))
		bad.oracle = good.signers[0].SSH != nil // gpg takes a signature of text
		return bad, good
	}},
	{"double header", "2 signatures", func(w *world) (bad, good question) {
		bad, good = w.twin()
		payload, header := unsigned(w.raw(good.to))
		bad.to = w.store(strings.Replace(payload, "\n\n", "\n"+header+header+"\n", 1))
		bad.oracle = false // git checks the joined text, and may take the first
		return bad, good
	}},
	{"signature over another tree", "other bytes", func(w *world) (bad, good question) {
		bad, good = w.twin()
		w.write("evil.hcl", "evil\n")
		other, _ := unsigned(w.raw(w.as("", signing, "--amend")))
		_, header := unsigned(w.raw(good.to))
		bad.to = w.store(strings.Replace(other, "\n\n", "\n"+header+"\n", 1))
		return bad, good
	}},
	{"malformed header", "", func(w *world) (bad, good question) {
		bad, good = w.twin()
		bad.to = w.store(regexp.MustCompile(`(?m)^ -----END .*\n`).ReplaceAllString(w.raw(good.to), ""))
		bad.oracle = good.signers[0].SSH != nil // gpg does without the last line
		return bad, good
	}},
	{"merge with an unsigned second parent", "not signed", func(w *world) (bad, good question) {
		bad, good = w.twin()
		from := good.to
		good.from, bad.from = from, from
		w.branch("signed", "ann", from)
		w.branch("unsigned", "", from)
		w.as("ann", signing)
		good.to = w.merge("ann", "signed")
		w.git("reset", "-q", "--hard", "HEAD~1")
		bad.to = w.merge("ann", "unsigned")
		bad.oracle = false // git looks at one commit
		return bad, good
	}},
	{"evil merge", "not known to hold only", func(w *world) (bad, good question) {
		_, good = w.twin()
		w.key("forge")
		forge := w.public("forge")
		forge.Role = spec.SignerForge
		from := good.to
		good.from, good.signers = from, append(good.signers, forge)
		w.branch("topic", "ann", from)
		w.write("main.hcl", "main\n")
		w.as("ann", signing)
		good.to = w.merge("forge", "topic")
		bad = good
		w.write("evil.hcl", "evil\n")
		bad.to = w.as("forge", signing, "--amend")
		bad.oracle = false // git does not ask what a merge holds
		return bad, good
	}},
	{"octopus", "not known to hold only", func(w *world) (bad, good question) {
		_, good = w.twin()
		w.key("forge")
		forge := w.public("forge")
		forge.Role = spec.SignerForge
		from := good.to
		good.from, good.signers = from, append(good.signers, forge)
		w.branch("one", "ann", from)
		w.branch("two", "ann", from)
		w.as("ann", signing)
		good.to = w.merge("ann", "one", "two") // a person may
		w.git("reset", "-q", "--hard", "HEAD~1")
		bad = good
		bad.to = w.merge("forge", "one", "two")
		bad.oracle = false
		return bad, good
	}},
	{"rewind", "does not descend", func(w *world) (bad, good question) {
		bad, good = w.twin()
		bad.from, bad.to, bad.oracle = good.to, good.from, false
		return bad, good
	}},
	{"shallow boundary", "shallow", func(w *world) (bad, good question) {
		_, good = w.twin()
		good.to = w.as("ann", signing)
		bad = good
		bad.dir = filepath.Join(w.t.(*testing.T).TempDir(), "shallow")
		w.git("clone", "-q", "--depth", "1", "file://"+w.dir, bad.dir)
		bad.oracle = false
		return bad, good
	}},
	{"tag and branch of one name", "not signed", func(w *world) (bad, good question) {
		w.key("ann")
		first := w.as("", signing)
		w.configure(w.repo, "ann", signing)
		w.git("tag", "-s", "-m", "main", "main", first)
		good = question{to: first, mode: spec.TrustHead, signers: []spec.Signer{w.public("ann")}}
		bad = good
		bad.from, bad.to = first, w.as("", signing)
		return bad, good
	}},
	{"grafts and replace refs", "not signed", func(w *world) (bad, good question) {
		bad, good = w.twin()
		other := w.as("", signing, "--amend")
		w.git("replace", other, good.to) // git shows the signed one
		w.git("replace", good.to, w.as("", signing, "--amend", "-m", "other"))
		w.write(".git/info/grafts", other+"\n")
		bad.to, bad.oracle = other, false
		good.oracle = false // git is deceived both ways
		return bad, good
	}},
	{"SHA-1 collision", "another content than its id says", func(w *world) (bad, good question) {
		bad, good = w.twin()
		// No two files are known that collide as blobs, whose header comes first, so one
		// is put into the place of the other.
		bad.dir = filepath.Join(w.t.(*testing.T).TempDir(), "collision")
		w.git("clone", "-q", "--no-local", w.dir, bad.dir)
		other := &repo{t: w.t, dir: bad.dir}
		packs, err := filepath.Glob(filepath.Join(bad.dir, ".git/objects/pack/*.pack"))
		if err != nil || len(packs) != 1 {
			w.t.Fatalf("packs %v, %v", packs, err)
		}
		pack, err := os.ReadFile(packs[0])
		if err != nil {
			w.t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Dir(packs[0])); err != nil {
			w.t.Fatal(err)
		}
		other.gitIn(string(pack), "unpack-objects", "-q")
		path := func(id string) string { return filepath.Join(bad.dir, ".git/objects", id[:2], id[2:]) }
		evil, err := os.ReadFile(path(other.gitIn("evil\n", "hash-object", "-w", "--stdin")))
		if err != nil {
			w.t.Fatal(err)
		}
		victim := path(other.git("rev-parse", good.to+":main.hcl"))
		if err := os.Remove(victim); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(victim, evil, 0o600); err != nil {
			w.t.Fatal(err)
		}
		bad.to, bad.oracle = good.to, false
		return bad, good
	}},
}

// twin is two signed commits of ann, of which the second is in question. Both
// questions are the same so far.
func (w *world) twin() (bad, good question) {
	w.key("ann")
	w.write("main.hcl", "one\n")
	from := w.as("ann", signing)
	w.write("main.hcl", "two\n")
	good = question{from: from, to: w.as("ann", signing), signers: []spec.Signer{w.public("ann")}, oracle: true}
	return good, good
}

// TestTrustMatrix is the matrix of 36: no false accept and no false refusal.
func TestTrustMatrix(t *testing.T) {
	schemes := map[string]func(t *testing.T) scheme{"SSH": newSSHScheme, "GPG": newGPGScheme}
	for _, name := range []string{"GPG", "SSH"} {
		for _, c := range matrix {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				w := &world{newRepo(t), schemes[name](t)}
				bad, good := c.build(w)
				if ok, why := w.accepted(good); !ok {
					t.Errorf("a false refusal: %s", why)
				}
				ok, why := w.accepted(bad)
				if ok {
					t.Error("a false accept")
				} else if !strings.Contains(why, c.words) {
					t.Errorf("it is refused with %q; want %q in it", why, c.words)
				}
				for q, want := range map[*question]bool{&bad: false, &good: true} {
					if !q.oracle {
						continue
					}
					w.oracle(w.repo, q.signers)
					if _, err := w.try("", "verify-commit", q.to); (err == nil) != want {
						t.Errorf("git verify-commit says %v; want %v", err, want)
					}
				}
			})
		}
	}
}
