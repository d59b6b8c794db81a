package git_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/spec"
)

var journalBranch = journal.Branch("default")

func newJournal(t testing.TB, o git.JournalOptions) *git.Journal {
	t.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "journal.git")
	}
	if o.Branch == "" {
		o.Branch = journalBranch
	}
	j, err := git.NewJournal(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

// openJournal is newJournal, open.
func openJournal(t testing.TB, o git.JournalOptions) *git.Journal {
	t.Helper()
	j := newJournal(t, o)
	mustOpen(t, j)
	return j
}

func mustOpen(t testing.TB, j *git.Journal) map[string]journal.Record {
	t.Helper()
	records, err := j.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return records
}

var journalDay = time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)

// decision is the n-th entry about a model: it brings the version 1.n.
func decision(model string, n int) journal.Entry {
	at := journalDay.Add(time.Duration(n) * time.Second)
	limit := 0.01
	stable := journal.Release{
		Revision: fmt.Sprintf("%012x", n), Version: fmt.Sprintf("1.%d", n), Commit: strings.Repeat("ab", 20), Image: "registry:5000/digits:1",
		Inputs: reconcile.RevisionInputs{Image: "sha256:" + strings.Repeat("0", 64), Port: 8080, Memory: 1 << 28, Env: map[string]string{"THREADS": "2"}},
	}
	return journal.Entry{
		At: at, Action: journal.ActionPromote, Model: model, From: fmt.Sprintf("%012x", max(n-1, 0)), To: stable.Revision, Version: stable.Version,
		Commit: stable.Commit, Reason: "all checks have passed: errors 0.1 % of 7810 requests, stable 0.1 % of 7922", Actor: journal.Daemon,
		Record: &journal.Record{
			FormatVersion: journal.RecordFormat, Model: model, Stable: &stable, Since: at,
			Rejected: []journal.Rejection{{Release: stable, Cause: journal.CauseFailed, Reason: "errors", At: at, Evidence: []judge.Verdict{{
				Check: "errors", Outcome: judge.Fail, At: at, Candidate: &limit, Text: "errors 5.2 % of 412 requests, more than 1 %",
			}}}},
			Last: &journal.Ended{Outcome: journal.Promoted, Revision: stable.Revision, Reason: "all steps have passed", Started: at, At: at},
		},
	}
}

func mustAppend(t testing.TB, j *git.Journal, entries ...journal.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := j.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func mustDeliver(t testing.TB, j *git.Journal) {
	t.Helper()
	if err := j.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := j.Delivery(); d.Pending != 0 || d.Error != "" {
		t.Fatalf("after a delivery it is %+v", d)
	}
}

// history lists the entries, oldest first, as MODEL=N.
func history(t testing.TB, j *git.Journal) string {
	t.Helper()
	entries, err := j.History(t.Context(), journal.Query{})
	if err != nil {
		t.Fatal(err)
	}
	list := make([]string, len(entries))
	for i, e := range entries {
		list[len(entries)-1-i] = e.Model + "=" + strings.TrimPrefix(e.Version, "1.")
	}
	return strings.Join(list, " ")
}

// stable lists the records as MODEL=N.
func stable(records map[string]journal.Record) string {
	var list []string
	for _, model := range []string{"a", "b", "c", "d"} {
		if r, ok := records[model]; ok {
			list = append(list, model+"="+strings.TrimPrefix(r.Stable.Version, "1."))
		}
	}
	return strings.Join(list, " ")
}

// bareRepo is an empty repository for the journal to be delivered to.
func bareRepo(t testing.TB) *repo {
	t.Helper()
	r := newRepo(t)
	r.git("config", "core.bare", "true")
	return r
}

// upstreams are the ways to deliver to the repository r.
var upstreams = map[string]func(t *testing.T, r *repo) git.JournalOptions{
	"worktree": func(_ *testing.T, r *repo) git.JournalOptions { return git.JournalOptions{URL: r.dir} },
	"bare repository": func(t *testing.T, r *repo) git.JournalOptions {
		bare := filepath.Join(t.TempDir(), "bare.git")
		r.git("clone", "-q", "--bare", r.dir, bare)
		r.dir = bare
		return git.JournalOptions{URL: "file://" + bare}
	},
	"https": func(t *testing.T, r *repo) git.JournalOptions {
		s := newServer(t, true)
		s.hook(requireToken)
		url := s.publish(r)
		r.dir = filepath.Join(s.root, "config.git")
		r.git("config", "http.receivepack", "true")
		return git.JournalOptions{URL: url, Auth: git.Auth{CAFile: s.authority(t), TokenFile: tokenFile(t, token)}}
	},
	"ssh": func(t *testing.T, r *repo) git.JournalOptions {
		k := sshKeys(t)
		address := sshServer(t, k)
		host, port, _ := net.SplitHostPort(address)
		k.write(t, "known_hosts", fmt.Sprintf("[%s]:%s %s\n", host, port, k.read(t, "host.pub")))
		me, err := user.Current()
		if err != nil {
			t.Skipf("the user is not known: %v", err)
		}
		return git.JournalOptions{URL: fmt.Sprintf("ssh://%s@%s%s", me.Username, address, r.dir), Auth: k.auth}
	},
}

// eachUpstream runs a test with each way to deliver to a repository that has one
// commit on main.
func eachUpstream(t *testing.T, test func(t *testing.T, r *repo, o git.JournalOptions)) {
	for name, publish := range upstreams {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.commit("start")
			o := publish(t, r)
			test(t, r, o)
		})
	}
}

func TestJournalKeepsThePort(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) git.JournalOptions{
		"local only": func(*testing.T) git.JournalOptions { return git.JournalOptions{} },
		"delivered":  func(t *testing.T) git.JournalOptions { return git.JournalOptions{URL: bareRepo(t).dir} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.JournalSuite(t, func(t *testing.T) func() journal.Journal {
				o := open(t)
				o.Dir = filepath.Join(t.TempDir(), "data", "journal.git")
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				t.Cleanup(func() { cancel(); <-done })
				close(done)
				return func() journal.Journal {
					j := newJournal(t, o)
					last := done
					done = make(chan struct{})
					go func(done chan struct{}) { defer close(done); <-last; j.Run(ctx) }(done)
					return j
				}
			})
		})
	}
}

func TestJournalIsDeliveredAsGitReadsIt(t *testing.T) {
	eachUpstream(t, func(t *testing.T, r *repo, o git.JournalOptions) {
		j := openJournal(t, o)
		mustAppend(t, j, decision("a", 1), decision("b", 2))
		if d := j.Delivery(); d.Pending != 2 || strings.Contains(d.Remote, token) {
			t.Errorf("got %+v", d)
		}
		mustDeliver(t, j)
		mustAppend(t, j, decision("a", 3))
		mustDeliver(t, j)
		if got := r.git("log", "--format=%s", journalBranch); got != strings.Join([]string{
			"a: promote 000000000003: all checks have passed: errors 0.1 % of 7810 requests, stable 0.1 % of 7922",
			"b: promote 000000000002: all checks have passed: errors 0.1 % of 7810 requests, stable 0.1 % of 7922",
			"a: promote 000000000001: all checks have passed: errors 0.1 % of 7810 requests, stable 0.1 % of 7922",
		}, "\n") {
			t.Errorf("the log is\n%s", got)
		}
		if got := r.git("log", "-1", "--format=%(trailers:key=Fairlead-Version,valueonly)%aI %ae", journalBranch); !strings.HasPrefix(got, "1.3\n2026-03-03T14:00:03+00:00 fairlead@") {
			t.Errorf("git reads %q", got)
		}
		if got := r.git("ls-tree", "-r", "--name-only", journalBranch); got != "models/a.json\nmodels/b.json" {
			t.Errorf("the files are %q", got)
		}
		r.git("fsck", "--full", "--strict")
	})
}

func TestJournalIsRebuiltFromItsRemote(t *testing.T) {
	eachUpstream(t, func(t *testing.T, _ *repo, o git.JournalOptions) {
		o.Dir = filepath.Join(t.TempDir(), "journal.git")
		j := openJournal(t, o)
		for n := range 5 {
			mustAppend(t, j, decision([]string{"a", "b"}[n%2], n))
		}
		mustDeliver(t, j)
		if err := os.RemoveAll(o.Dir); err != nil {
			t.Fatal(err)
		}
		j = newJournal(t, o)
		if got := stable(mustOpen(t, j)); got != "a=4 b=3" {
			t.Errorf("the records are %q", got)
		}
		if got := history(t, j); got != "a=0 b=1 a=2 b=3 a=4" {
			t.Errorf("the history is %q", got)
		}
		mustAppend(t, j, decision("c", 5))
		mustDeliver(t, j)
		if got := stable(mustOpen(t, openJournal(t, git.JournalOptions{URL: o.URL, Auth: o.Auth}))); got != "a=4 b=3 c=5" {
			t.Errorf("another host has %q", got)
		}
	})
}

func TestPolicyOfARecordComesBack(t *testing.T) {
	j := openJournal(t, git.JournalOptions{})
	e := decision("a", 1)
	e.Record.Rollout = &journal.Rollout{
		Candidate: *e.Record.Stable, Started: e.At, StepSince: e.At,
		Policy: spec.Rollout{Strategy: spec.Canary, Steps: []spec.RolloutStep{{Weight: 5, Hold: time.Minute}}, ProgressDeadline: time.Hour},
	}
	mustAppend(t, j, e)
	got := mustOpen(t, j)["a"].Rollout.Policy
	if got.Strategy != spec.Canary || got.Steps[0].Hold != time.Minute || got.ProgressDeadline != time.Hour {
		t.Errorf("got %+v", got)
	}
}
