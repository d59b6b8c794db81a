package git_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile"
)

const proposalBranch = "fairlead/publish/digits-1.2.0"

// configRepo is a repository as people have it: specs below a path, an executable
// file, a symlink outside of the path.
func configRepo(t testing.TB) *repo {
	t.Helper()
	r := newRepo(t)
	r.write("README.md", "about it\n")
	r.write("config/digits.hcl", "model \"digits\" {\n  version = \"1.1.0\" # now\n}\n")
	r.write("config/run.sh", "#!/bin/sh\n")
	r.write("config/old.hcl", "# to go\n")
	if err := errors.Join(os.Chmod(filepath.Join(r.dir, "config/run.sh"), 0o755), os.Symlink("config", filepath.Join(r.dir, "link"))); err != nil {
		t.Fatal(err)
	}
	r.commit("start")
	return r
}

// proposalsFor returns what proposes to the repository of the options, that the
// Source has read, and the commit that is followed.
func proposalsFor(t testing.TB, o git.JournalOptions) (*git.Proposals, string) {
	t.Helper()
	options := git.Options{URL: o.URL, Auth: o.Auth, Branch: "main", Path: "config", DataDir: t.TempDir()}
	base := mustLatest(t, mustNew(t, options)).Tree.Commit().ID
	return mustPropose(t, options), base
}

func mustPropose(t testing.TB, o git.Options) *git.Proposals {
	t.Helper()
	p, err := git.NewProposals(o, git.Author{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func publishing(base string) reconcile.Proposal {
	return reconcile.Proposal{
		Branch: proposalBranch, Base: base, Message: "digits: publish 1.2.0\n\n| metric   | 1.2.0 |\n| accuracy | 0.98  |\n\nFairlead-Run: train_digits-12\n",
		Files: map[string][]byte{
			"digits.hcl":                []byte("model \"digits\" {\n  version = \"1.2.0\" # now\n}\n"),
			"versions/digits/1.2.0.hcl": []byte("version \"digits@1.2.0\" {\n}\n"),
			"run.sh":                    []byte("#!/bin/sh\necho\n"),
			"old.hcl":                   nil,
		},
	}
}

// eachRemote runs a test with each way to write to a configRepo.
func eachRemote(t *testing.T, test func(t *testing.T, r *repo, o git.JournalOptions)) {
	for name, publish := range upstreams {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := configRepo(t)
			test(t, r, publish(t, r))
		})
	}
}

func TestProposalIsOneCommitOnItsBase(t *testing.T) {
	eachRemote(t, func(t *testing.T, r *repo, o git.JournalOptions) {
		p, base := proposalsFor(t, o)
		before := r.git("ls-tree", "-r", "-t", "main")
		done, err := p.Propose(t.Context(), publishing(base))
		if err != nil {
			t.Fatal(err)
		}
		if !done.Pushed || done.Branch != proposalBranch || done.Commit != r.git("rev-parse", proposalBranch) || strings.Contains(done.Remote, token) {
			t.Errorf("got %+v", done)
		}
		if got := r.git("rev-list", "--parents", "-1", proposalBranch); got != done.Commit+" "+base {
			t.Errorf("the commit and its parents are %q", got)
		}
		if got := r.git("log", "-1", "--format=%s|%cn|%(trailers)", proposalBranch); got != "digits: publish 1.2.0|Fairlead|Fairlead-Run: train_digits-12\nFairlead-Proposal: "+proposalBranch {
			t.Errorf("git reads %q", got)
		}
		if got := r.git("diff", "--name-status", "main", proposalBranch); got != "M\tconfig/digits.hcl\nD\tconfig/old.hcl\nM\tconfig/run.sh\nA\tconfig/versions/digits/1.2.0.hcl" {
			t.Errorf("the change is\n%s", got)
		}
		for path, mode := range map[string]string{"config/run.sh": "100755", "config/digits.hcl": "100644", "link": "120000", "config/versions/digits/1.2.0.hcl": "100644"} {
			if got := r.git("ls-tree", proposalBranch, path); !strings.HasPrefix(got, mode) {
				t.Errorf("%s is %q; want mode %s", path, got, mode)
			}
		}
		if got := r.git("ls-tree", "-r", "-t", "main"); got != before {
			t.Error("the branch that is followed has changed")
		}
		r.git("fsck", "--full", "--strict")
	})
}

func TestProposalIsMadeOnceAndReplacedByAnother(t *testing.T) {
	eachRemote(t, func(t *testing.T, r *repo, o git.JournalOptions) {
		p, base := proposalsFor(t, o)
		first, err := p.Propose(t.Context(), publishing(base))
		if err != nil {
			t.Fatal(err)
		}
		elsewhere, _ := proposalsFor(t, o) // after a restart with another data directory
		for name, p := range map[string]*git.Proposals{"same": p, "another": elsewhere} {
			again, err := p.Propose(t.Context(), publishing(base))
			if err != nil || again.Pushed || again.Commit != first.Commit {
				t.Errorf("%s: got %+v, %v; want %s without a push", name, again, err, first.Commit)
			}
		}
		changed := publishing(base)
		changed.Files["digits.hcl"] = []byte("model \"digits\" {}\n")
		second, err := elsewhere.Propose(t.Context(), changed)
		if err != nil || !second.Pushed || second.Commit == first.Commit {
			t.Fatalf("got %+v, %v", second, err)
		}
		if got := r.git("rev-list", "--parents", "-1", proposalBranch); got != second.Commit+" "+base {
			t.Errorf("the commit and its parents are %q", got)
		}
		if got := r.git("show", proposalBranch+":config/digits.hcl"); got != "model \"digits\" {}" {
			t.Errorf("the file is %q", got)
		}
		if third, err := p.Propose(t.Context(), publishing(base)); err != nil || !third.Pushed {
			t.Errorf("got %+v, %v", third, err)
		}
		r.git("fsck", "--full", "--strict")
	})
}

func TestWorkOfOthersIsLeftAlone(t *testing.T) {
	eachRemote(t, func(t *testing.T, r *repo, o git.JournalOptions) {
		p, base := proposalsFor(t, o)
		if _, err := p.Propose(t.Context(), publishing(base)); err != nil {
			t.Fatal(err)
		}
		// Ann goes on where Fairlead was.
		theirs := r.gitIn("better\n", "commit-tree", proposalBranch+"^{tree}", "-p", proposalBranch)
		r.git("update-ref", "refs/heads/"+proposalBranch, theirs)
		_, err := p.Propose(t.Context(), publishing(base))
		if !errors.Is(err, reconcile.ErrNotOurs) || errors.Is(err, reconcile.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		wantWords(t, err, "by Ann", `"better"`, "delete the branch")
		// She makes our commit hers.
		text := r.git("log", "-1", "--format=%B", proposalBranch+"^")
		r.git("update-ref", "refs/heads/"+proposalBranch, r.gitIn(text, "commit-tree", "main^{tree}", "-p", "main"))
		if _, err := p.Propose(t.Context(), publishing(base)); !errors.Is(err, reconcile.ErrNotOurs) {
			t.Errorf("got %v", err)
		}
		// She deletes the branch: it is free again.
		r.git("update-ref", "-d", "refs/heads/"+proposalBranch)
		if done, err := p.Propose(t.Context(), publishing(base)); err != nil || !done.Pushed {
			t.Errorf("got %+v, %v", done, err)
		}
	})
}

func TestSomebodyIsFasterThanTheProposal(t *testing.T) {
	r := configRepo(t)
	s := newServer(t, false)
	url := s.publish(r)
	bare := &repo{t: t, dir: filepath.Join(s.root, "config.git")}
	bare.git("config", "http.receivepack", "true")
	p, base := proposalsFor(t, git.JournalOptions{URL: url})
	twin, _ := proposalsFor(t, git.JournalOptions{URL: url})
	before := func(do func()) {
		s.hook(func(_ http.ResponseWriter, req *http.Request) bool {
			if strings.HasSuffix(req.URL.Path, "/git-receive-pack") && req.Method == http.MethodPost {
				s.hook(nil)
				do()
			}
			return false
		})
	}
	before(func() {
		if _, err := twin.Propose(t.Context(), publishing(base)); err != nil {
			t.Error(err)
		}
	})
	if done, err := p.Propose(t.Context(), publishing(base)); err != nil || done.Pushed || done.Commit != bare.git("rev-parse", proposalBranch) {
		t.Errorf("got %+v, %v; want that the other one's counts", done, err)
	}
	changed := publishing(base)
	changed.Message = "another"
	before(func() { bare.git("update-ref", "refs/heads/"+proposalBranch, "main") })
	if _, err := p.Propose(t.Context(), changed); !errors.Is(err, reconcile.ErrNotOurs) {
		t.Errorf("got %v; want that the branch is not ours any more", err)
	}
	if bare.git("rev-parse", proposalBranch) != base {
		t.Error("somebody's work was lost")
	}
}

func TestServerThatRefusesAProposalIsQuoted(t *testing.T) {
	for _, name := range []string{"https", "ssh"} {
		t.Run(name, func(t *testing.T) {
			r := configRepo(t)
			p, base := proposalsFor(t, upstreams[name](t, r))
			hooks := filepath.Join(r.dir, "hooks")
			if !exists(hooks) {
				hooks = filepath.Join(r.dir, ".git", "hooks")
			}
			if err := os.WriteFile(filepath.Join(hooks, "pre-receive"), []byte("#!/bin/sh\necho 'branches need a ticket' >&2\nexit 1\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			_, err := p.Propose(t.Context(), publishing(base))
			wantWords(t, err, "propose "+proposalBranch, "refuses the proposal", "branches need a ticket")
			if errors.Is(err, reconcile.ErrUnavailable) || errors.Is(err, reconcile.ErrNotOurs) {
				t.Errorf("%v passes by itself, or is about the branch", err)
			}
			if strings.Contains(err.Error(), token) {
				t.Errorf("the token is in %q", err)
			}
		})
	}
}

func TestServerThatKeepsBranchesAsTheyAre(t *testing.T) {
	r := configRepo(t)
	p, base := proposalsFor(t, upstreams["https"](t, r))
	if _, err := p.Propose(t.Context(), publishing(base)); err != nil {
		t.Fatal(err)
	}
	r.git("config", "receive.denyNonFastForwards", "true")
	changed := publishing(base)
	changed.Message = "another"
	_, err := p.Propose(t.Context(), changed)
	wantWords(t, err, "non-fast-forward", "lets no branch be rewritten")
}

func TestRemoteThatIsAwayTakesNoProposal(t *testing.T) {
	r := configRepo(t)
	s := newServer(t, false)
	url := s.publish(r)
	o := git.Options{URL: url, Branch: "main", Path: "config", DataDir: t.TempDir(), Timeout: time.Minute}
	_, err := mustPropose(t, o).Propose(t.Context(), publishing(strings.Repeat("ab", 20)))
	wantWords(t, err, "has not been read")
	if !errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("%v does not pass", err)
	}
	base := mustLatest(t, mustNew(t, o)).Tree.Commit().ID
	_, err = mustPropose(t, o).Propose(t.Context(), publishing(strings.Repeat("ab", 20)))
	wantWords(t, err, "has no commit abababa")
	for name, c := range map[string]struct {
		answer  int
		passing bool
	}{"in trouble": {500, true}, "overloaded": {429, true}, "shut": {403, false}, "locked": {401, false}} {
		s.hook(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(c.answer); return true })
		_, err := mustPropose(t, o).Propose(t.Context(), publishing(base))
		if err == nil || errors.Is(err, reconcile.ErrUnavailable) != c.passing {
			t.Errorf("%s: got %v; want that it passes: %t", name, err, c.passing)
		}
	}
	s.Close()
	_, err = mustPropose(t, o).Propose(t.Context(), publishing(base))
	wantWords(t, err, "cannot be reached", "nothing was changed")
	if !errors.Is(err, reconcile.ErrUnavailable) || strings.Contains(err.Error(), "container engine") {
		t.Errorf("got %v", err)
	}
}

func TestRemoteThatNeverAnswersTakesNoProposal(t *testing.T) {
	r := configRepo(t)
	s := newServer(t, false)
	url := s.publish(r)
	bare := &repo{t: t, dir: filepath.Join(s.root, "config.git")}
	bare.git("config", "http.receivepack", "true")
	o := git.Options{URL: url, Branch: "main", Path: "config", DataDir: t.TempDir()}
	base := mustLatest(t, mustNew(t, o)).Tree.Commit().ID
	hurried := o
	hurried.Timeout = 300 * time.Millisecond
	s.hook(func(_ http.ResponseWriter, req *http.Request) bool {
		<-req.Context().Done()
		return true
	})
	_, err := mustPropose(t, hurried).Propose(t.Context(), publishing(base))
	wantWords(t, err, "no answer within 300ms", "nothing was changed")
	if !errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("%v does not pass", err)
	}
	if err := mustPropose(t, hurried).Tag(t.Context(), "digits@v1.2.0", base, "x"); !errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("%v does not pass", err)
	}
	s.hook(nil)
	if done, err := mustPropose(t, o).Propose(t.Context(), publishing(base)); err != nil || !done.Pushed || bare.git("rev-parse", proposalBranch) != done.Commit {
		t.Errorf("afterwards it gets %+v, %v", done, err)
	}
}

func TestProposalsAtATimeWaitForEachOther(t *testing.T) {
	r := configRepo(t)
	p, base := proposalsFor(t, git.JournalOptions{URL: r.dir})
	var writers sync.WaitGroup
	for n := range 4 {
		writers.Go(func() {
			proposal := publishing(base)
			proposal.Branch = fmt.Sprintf("fairlead/publish/model-%d", n)
			if done, err := p.Propose(t.Context(), proposal); err != nil || !done.Pushed {
				t.Errorf("got %+v, %v", done, err)
			}
		})
	}
	writers.Wait()
	if got := r.git("rev-list", "--count", "--branches=fairlead", "^main"); got != "4" {
		t.Errorf("there are %s commits", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Propose(ctx, publishing(base)); err == nil {
		t.Error("a cancelled call succeeds")
	}
}

func TestDirectoryIsNoPlaceForProposals(t *testing.T) {
	p := mustPropose(t, git.Options{URL: t.TempDir()})
	_, err := p.Propose(t.Context(), publishing(strings.Repeat("ab", 20)))
	wantWords(t, err, "nowhere to propose to", "git init")
	wantWords(t, p.Tag(t.Context(), "a@v1.0.0", strings.Repeat("ab", 20), "x"), "nowhere to propose to")
}

func TestWhatIsNoProposalIsRefused(t *testing.T) {
	r := configRepo(t)
	p, base := proposalsFor(t, git.JournalOptions{URL: r.dir})
	for name, c := range map[string]struct {
		spoil func(*reconcile.Proposal)
		words string
	}{
		"another branch":        {func(p *reconcile.Proposal) { p.Branch = "main" }, "begins with fairlead/"},
		"a journal":             {func(p *reconcile.Proposal) { p.Branch = "fairlead/journal/prod" }, "neither a journal"},
		"no name of a branch":   {func(p *reconcile.Proposal) { p.Branch = "fairlead/a..b" }, "cannot be the branch"},
		"a short base":          {func(p *reconcile.Proposal) { p.Base = "abc" }, "full commit id"},
		"no message":            {func(p *reconcile.Proposal) { p.Message = "\n" }, "needs a message"},
		"a way out":             {func(p *reconcile.Proposal) { p.Files["../README.md"] = nil }, "way to another directory"},
		"the repository itself": {func(p *reconcile.Proposal) { p.Files[".git/config"] = []byte("x") }, ".git"},
		"an absolute path":      {func(p *reconcile.Proposal) { p.Files["/etc/passwd"] = []byte("x") }, "empty"},
		"a file as directory":   {func(p *reconcile.Proposal) { p.Files["digits.hcl/x"] = []byte("x") }, "directory"},
		"below a file":          {func(p *reconcile.Proposal) { p.Files = map[string][]byte{"digits.hcl/x": []byte("x")} }, "config/digits.hcl: it is a file"},
		"only another case":     {func(p *reconcile.Proposal) { p.Files["Digits.hcl"] = []byte("x") }, "upper and lower case"},
		"nothing":               {func(p *reconcile.Proposal) { p.Files = map[string][]byte{"never.hcl": nil} }, "changes nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			proposal := publishing(base)
			c.spoil(&proposal)
			_, err := p.Propose(t.Context(), proposal)
			wantWords(t, err, c.words)
		})
	}
	if got := r.git("branch", "--list", "fairlead/*"); got != "" {
		t.Errorf("there are the branches %q", got)
	}
}

func TestProposalInACheckedOutBranchIsRefused(t *testing.T) {
	r := configRepo(t)
	p, base := proposalsFor(t, git.JournalOptions{URL: r.dir})
	if _, err := p.Propose(t.Context(), publishing(base)); err != nil {
		t.Fatal(err)
	}
	r.git("checkout", "-q", proposalBranch)
	changed := publishing(base)
	changed.Message = "another"
	_, err := p.Propose(t.Context(), changed)
	wantWords(t, err, "is checked out")
}

// Whatever files a proposal changes, the tree is what it was with these changes.
func TestProposalChangesItsFilesOnly(t *testing.T) {
	r := configRepo(t)
	p, base := proposalsFor(t, git.JournalOptions{URL: r.dir})
	listed := func(revision string) map[string]string {
		files := map[string]string{}
		for line := range strings.SplitSeq(r.git("ls-tree", "-r", revision), "\n") {
			entry, path, _ := strings.Cut(line, "\t")
			files[path] = entry
		}
		return files
	}
	before := listed("main")
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		changes := rapid.MapOfN(rapid.SampledFrom([]string{"digits.hcl", "old.hcl", "run.sh", "new.hcl", "a/b/c.hcl", "a/b.hcl", "a/d.hcl", "digits.d/x.hcl"}),
			rapid.SampledFrom([]string{"", "one\n", "two\n"}), 1, 5).Draw(rt, "changes")
		want := map[string]string{}
		for path := range before {
			want[path] = before[path]
		}
		files := map[string][]byte{}
		for path, content := range changes {
			files[path] = []byte(content)
			if content == "" {
				files[path] = nil
				delete(want, "config/"+path)
				continue
			}
			mode := "100644"
			if path == "run.sh" {
				mode = "100755"
			}
			want["config/"+path] = mode + " blob " + map[string]string{"one\n": "5626abf0f72e58d7a153368ba57db4c673c0e171", "two\n": "f719efd430d52bcfc8566a43b2eb655688d38871"}[content]
		}
		n++
		branch := fmt.Sprintf("fairlead/test/%d", n)
		_, err := p.Propose(t.Context(), reconcile.Proposal{Branch: branch, Base: base, Message: "x", Files: files})
		if fmt.Sprint(want) == fmt.Sprint(before) {
			if err == nil || !strings.Contains(err.Error(), "changes nothing") {
				rt.Fatalf("got %v", err)
			}
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		if got := listed(branch); fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Fatalf("got %v\nwant %v", got, want)
		}
	})
	r.git("fsck", "--full", "--strict")
}

func TestTagsAreAnnotatedAndStay(t *testing.T) {
	eachRemote(t, func(t *testing.T, r *repo, o git.JournalOptions) {
		p, base := proposalsFor(t, o)
		for _, name := range []string{"digits@v1.2.0", "models=digits@v1.2.0", "digits#prod#3"} {
			if err := p.Tag(t.Context(), name, base, "digits 1.2.0 is "+base); err != nil {
				t.Fatal(err)
			}
			if got := r.git("cat-file", "-t", name) + " " + r.git("rev-parse", name+"^{commit}"); got != "tag "+base {
				t.Errorf("%s is %q", name, got)
			}
		}
		was := r.git("rev-parse", "digits@v1.2.0")
		if err := p.Tag(t.Context(), "digits@v1.2.0", base, "something else"); err != nil {
			t.Error(err)
		}
		if got := r.git("rev-parse", "digits@v1.2.0"); got != was {
			t.Error("a tag was moved")
		}
		for _, name := range []string{"", "a b", "-x", "a..b", "x.lock"} {
			if err := p.Tag(t.Context(), name, base, "x"); err == nil {
				t.Errorf("%q is a tag", name)
			}
		}
		wantWords(t, p.Tag(t.Context(), "a@v1.0.0", "main", "x"), "full commit id")
		r.git("fsck", "--full", "--strict")
	})
}
