package git_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// appendForever is what the test binary does in place of its tests when it is
// started to be killed: it appends to a journal and prints each entry that Append
// has returned for.
func appendForever(dir, url string) int {
	ctx := context.Background()
	j, err := git.NewJournal(git.JournalOptions{Dir: dir, URL: url, Branch: journalBranch})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	git.JoinEach(j, 4) // so that it is killed in the middle of that, too
	if _, err := j.Open(ctx); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	entries, err := j.History(ctx, journal.Query{})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	go j.Run(ctx)
	for n := len(entries); ; n++ {
		if err := j.Append(ctx, decision("a", n)); err != nil {
			fmt.Println("error:", err)
			return 1
		}
		fmt.Println(n)
	}
}

func TestKillDuringAppendsLeavesNoGapAndNoDuplicate(t *testing.T) {
	for name, url := range map[string]string{"local only": "", "delivered": bareRepo(t).dir} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "journal.git")
			confirmed := -1
			const rounds = 6
			for round := range rounds {
				confirmed = max(confirmed, killedAppends(t, dir, url, 3+11*round))
				j := openJournal(t, git.JournalOptions{Dir: dir, URL: url})
				entries, err := j.History(t.Context(), journal.Query{})
				if err != nil {
					t.Fatalf("after kill %d: %v", round, err)
				}
				// The one that was under way may be there or not.
				if len(entries) < confirmed+1 || len(entries) > confirmed+2 {
					t.Fatalf("after kill %d there are %d entries; %d were confirmed", round, len(entries), confirmed+1)
				}
				for i, e := range entries {
					if want := fmt.Sprintf("1.%d", len(entries)-1-i); e.Version != want {
						t.Fatalf("after kill %d entry %d is %s; want %s", round, i, e.Version, want)
					}
				}
			}
			j := openJournal(t, git.JournalOptions{Dir: dir, URL: url})
			if url != "" {
				age(t, filepath.Join(url, ".git", "refs", "heads", filepath.FromSlash(journalBranch)+".lock"))
				mustDeliver(t, j)
				entries, err := j.History(t.Context(), journal.Query{})
				if err != nil {
					t.Fatal(err)
				}
				r := &repo{t: t, dir: url}
				if got := r.git("rev-list", "--count", journalBranch); got != strconv.Itoa(len(entries)) {
					t.Errorf("the remote has %s entries; want %d", got, len(entries))
				}
				r.git("fsck", "--full", "--strict")
			}
			(&repo{t: t, dir: dir}).git("fsck", "--full", "--strict")
		})
	}
}

// age makes a file an hour old, if it is there.
func age(t *testing.T, path string) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// killedAppends starts a process that appends, kills it a moment after its n-th
// entry, and returns the last entry that it has confirmed.
func killedAppends(t *testing.T, dir, url string, n int) int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "GIT_TEST_JOURNAL="+dir, "GIT_TEST_URL="+url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	confirmed := -1
	lines := bufio.NewScanner(out)
	for count := 1; lines.Scan(); count++ {
		if confirmed, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatalf("the process says %q", lines.Text())
		}
		if count == n {
			_ = cmd.Process.Kill() // the lines that are in the pipe are still read
		}
	}
	_ = cmd.Wait() // it was killed
	return confirmed
}

func TestJournalGoesOnWhileItsRemoteIsAway(t *testing.T) {
	r := newRepo(t)
	r.commit("start")
	s := newServer(t, false)
	o := git.JournalOptions{URL: s.publish(r), Dir: filepath.Join(t.TempDir(), "journal.git")}
	r.dir = filepath.Join(s.root, "config.git")
	r.git("config", "http.receivepack", "true")
	j := openJournal(t, o)
	mustAppend(t, j, decision("a", 0))
	mustDeliver(t, j)
	s.hook(func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "down", http.StatusBadGateway)
		return true
	})
	for n := 1; n < 10; n++ {
		mustAppend(t, j, decision("a", n))
		if err := j.Deliver(t.Context()); err == nil {
			t.Fatal("a remote that is away took an entry")
		}
	}
	if d := j.Delivery(); d.Pending != 9 || !strings.Contains(d.Error, "502") {
		t.Errorf("got %+v", d)
	}
	// A restart without the remote: what is here counts.
	j = newJournal(t, o)
	if got := stable(mustOpen(t, j)); got != "a=9" {
		t.Errorf("the records are %q", got)
	}
	mustAppend(t, j, decision("b", 10))
	if d := j.Delivery(); d.Pending != 10 || d.Error == "" {
		t.Errorf("got %+v", d)
	}
	s.hook(nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); j.Run(ctx) }()
	waitFor(t, func() bool { d := j.Delivery(); return d.Pending == 0 && d.Error == "" })
	cancel()
	<-done
	if got := r.git("rev-list", "--count", journalBranch); got != "11" {
		t.Errorf("the remote has %s entries", got)
	}
}

// waitFor waits until a condition holds.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-timeout.C:
			t.Fatal("it does not come to that")
		}
	}
}

func TestNothingIsDecidedWithoutAnyCopy(t *testing.T) {
	s := newServer(t, false)
	s.hook(func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "down", http.StatusBadGateway)
		return true
	})
	j := newJournal(t, git.JournalOptions{URL: s.URL + "/config.git"})
	_, err := j.Open(t.Context())
	wantWords(t, err, "no copy of the journal", "502", "rejected")
	if err := j.Append(t.Context(), decision("a", 1)); err == nil {
		t.Error("a journal that is not open takes an entry")
	}
}

func wantWords(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("there is no error; want one with %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error is %q; want %q in it", err, word)
		}
	}
}

func TestRemoteThatNeverAnswersHoldsNothingUp(t *testing.T) {
	r := newRepo(t)
	r.commit("start")
	s := newServer(t, false)
	o := git.JournalOptions{URL: s.publish(r), Dir: filepath.Join(t.TempDir(), "journal.git"), Timeout: 300 * time.Millisecond}
	r = &repo{t: t, dir: filepath.Join(s.root, "config.git")}
	r.git("config", "http.receivepack", "true")
	patient := o
	patient.Timeout = 0
	j := openJournal(t, patient)
	mustAppend(t, j, decision("a", 1))
	mustDeliver(t, j)
	s.hook(func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	j = newJournal(t, o)
	if got := stable(mustOpen(t, j)); got != "a=1" {
		t.Errorf("the records are %q", got)
	}
	mustAppend(t, j, decision("a", 2))
	wantWords(t, j.Deliver(t.Context()), "no answer within 300ms", "entries are kept here")
	s.hook(nil)
	j = newJournal(t, patient)
	mustOpen(t, j)
	mustDeliver(t, j)
	if got := r.git("rev-list", "--count", journalBranch); got != "2" {
		t.Errorf("the remote has %s entries", got)
	}
}

func TestTwoWritersLoseNothing(t *testing.T) {
	eachUpstream(t, func(t *testing.T, r *repo, o git.JournalOptions) {
		one, two := o, o
		one.Dir, two.Dir = filepath.Join(t.TempDir(), "one.git"), filepath.Join(t.TempDir(), "two.git")
		first := openJournal(t, one)
		mustAppend(t, first, decision("a", 0))
		mustDeliver(t, first)
		second := openJournal(t, two)

		// Both write, about different models: nobody is told off.
		mustAppend(t, first, decision("b", 1), decision("b", 2))
		mustAppend(t, second, decision("c", 3), decision("c", 4))
		mustDeliver(t, first)
		mustDeliver(t, second)
		if got := history(t, second); got != "a=0 b=1 b=2 c=3 c=4" {
			t.Errorf("the history is %q", got)
		}
		if notes := strings.Join(second.Delivery().Notes, "\n"); !strings.Contains(notes, "somebody else wrote 2 entries") {
			t.Errorf("the notes are %q", notes)
		}
		if got := stable(mustOpen(t, second)); got != "a=0 b=2 c=4" {
			t.Errorf("the records are %q", got)
		}

		// Both write about one model: the later one counts, and it is said.
		mustAppend(t, first, decision("d", 5)) // behind by now, without knowing it
		mustDeliver(t, first)
		mustAppend(t, second, decision("d", 6))
		err := second.Deliver(t.Context())
		if !errors.Is(err, journal.ErrDiverged) {
			t.Errorf("got %v; want that it diverged", err)
		}
		wantWords(t, err, "about d", "only one fairlead")
		if d := second.Delivery(); d.Pending != 0 || !strings.Contains(d.Error, "somebody else") {
			t.Errorf("got %+v", d)
		}
		if got := r.git("log", "--format=%s", "-2", "--reverse", journalBranch); !strings.HasPrefix(got, "d: promote 000000000005") || !strings.Contains(got, "\nd: promote 000000000006") {
			t.Errorf("the log ends with %q", got)
		}
		if got := stable(mustOpen(t, newJournal(t, git.JournalOptions{URL: o.URL, Auth: o.Auth}))); got != "a=0 b=2 c=4 d=6" {
			t.Errorf("the records are %q", got)
		}
		r.git("fsck", "--full", "--strict")
	})
}

func TestSecondWriterInOneDirectoryIsStopped(t *testing.T) {
	o := git.JournalOptions{Dir: filepath.Join(t.TempDir(), "journal.git")}
	first, second := openJournal(t, o), openJournal(t, o)
	mustAppend(t, first, decision("a", 1))
	err := second.Append(t.Context(), decision("a", 2))
	if !errors.Is(err, journal.ErrDiverged) {
		t.Errorf("got %v; want that it diverged", err)
	}
	wantWords(t, err, "another fairlead", o.Dir)
	mustAppend(t, first, decision("a", 3))
	if got := history(t, second); got != "a=1 a=3" {
		t.Errorf("the history is %q", got)
	}
}

func TestWritersThatBeginTogetherLoseNothing(t *testing.T) {
	o := git.JournalOptions{URL: bareRepo(t).dir}
	first, second := openJournal(t, o), openJournal(t, o)
	mustAppend(t, first, decision("a", 1))
	mustAppend(t, second, decision("b", 2))
	mustDeliver(t, first)
	mustDeliver(t, second)
	if got := stable(mustOpen(t, openJournal(t, o))); got != "a=1 b=2" {
		t.Errorf("the records are %q", got)
	}
}

func TestRemoteThatRefusesOnlyQueues(t *testing.T) {
	for _, name := range []string{"https", "ssh"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.commit("start")
			o := upstreams[name](t, r)
			hook := filepath.Join(strings.TrimSpace(r.git("rev-parse", "--absolute-git-dir")), "hooks", "pre-receive")
			script := "#!/bin/sh\necho 'protected: ask the platform team' >&2\nexit 1\n"
			if err := errors.Join(os.MkdirAll(filepath.Dir(hook), 0o755), os.WriteFile(hook, []byte(script), 0o755)); err != nil {
				t.Fatal(err)
			}
			j := openJournal(t, o)
			mustAppend(t, j, decision("a", 1), decision("a", 2))
			wantWords(t, j.Deliver(t.Context()), "refuses", "pre-receive hook declined", "ask the platform team")
			if d := j.Delivery(); d.Pending != 2 || !strings.Contains(d.Error, "platform team") || strings.Contains(d.Error, token) {
				t.Errorf("got %+v", d)
			}
			if err := os.Remove(hook); err != nil {
				t.Fatal(err)
			}
			mustDeliver(t, j)
		})
	}
}

func TestWhatIsInTheWayIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(t *testing.T, r *repo)
		word string
	}{
		"branch is checked out":      {func(_ *testing.T, r *repo) { r.git("checkout", "-q", "-b", journalBranch) }, "checked out"},
		"branch in a linked tree":    {func(t *testing.T, r *repo) { r.git("worktree", "add", "-q", "-b", journalBranch, t.TempDir()+"/x") }, "checked out"},
		"branch named like a folder": {func(_ *testing.T, r *repo) { r.git("branch", "fairlead") }, "a branch fairlead"},
		"lock of another program": {func(t *testing.T, r *repo) {
			lock := filepath.Join(r.dir, ".git", "refs", "heads", filepath.FromSlash(journalBranch)+".lock")
			if err := errors.Join(os.MkdirAll(filepath.Dir(lock), 0o755), os.WriteFile(lock, nil, 0o644)); err != nil {
				t.Fatal(err)
			}
		}, "another program"},
		"no repository": {func(t *testing.T, r *repo) {
			if err := os.RemoveAll(r.dir); err != nil {
				t.Fatal(err)
			}
		}, "no Git repository"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.commit("start")
			j := openJournal(t, git.JournalOptions{URL: r.dir})
			c.set(t, r)
			mustAppend(t, j, decision("a", 1))
			wantWords(t, j.Deliver(t.Context()), "deliver the journal", c.word)
		})
	}
}

func TestLockOfAKilledProcessIsBroken(t *testing.T) {
	r := newRepo(t)
	r.commit("start")
	j := openJournal(t, git.JournalOptions{URL: r.dir})
	lock := filepath.Join(r.dir, ".git", "refs", "heads", filepath.FromSlash(journalBranch)+".lock")
	if err := errors.Join(os.MkdirAll(filepath.Dir(lock), 0o755), os.WriteFile(lock, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	age(t, lock)
	mustAppend(t, j, decision("a", 1))
	mustDeliver(t, j)
}

func TestDeletedBranchIsPushedAgain(t *testing.T) {
	eachUpstream(t, func(t *testing.T, r *repo, o git.JournalOptions) {
		j := openJournal(t, o)
		mustAppend(t, j, decision("a", 1), decision("a", 2))
		mustDeliver(t, j)
		r.git("update-ref", "-d", "refs/heads/"+journalBranch)
		mustAppend(t, j, decision("a", 3))
		mustDeliver(t, j)
		if got := r.git("rev-list", "--count", journalBranch); got != "3" {
			t.Errorf("the remote has %s entries", got)
		}
		r.git("update-ref", "-d", "refs/heads/"+journalBranch)
		mustOpen(t, j)
		mustDeliver(t, j)
		if got := r.git("rev-list", "--count", journalBranch); got != "3" {
			t.Errorf("after a restart the remote has %s entries", got)
		}
	})
}

func TestRunTriesAgainMoreAndMoreSeldom(t *testing.T) {
	r := bareRepo(t)
	dir := t.TempDir()
	mustAppend(t, openJournal(t, git.JournalOptions{Dir: filepath.Join(dir, "journal.git"), URL: r.dir}), decision("a", 1))
	there, away := filepath.Join(r.dir, ".git"), filepath.Join(r.dir, "away")
	if err := os.Rename(there, away); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		j := openJournal(t, git.JournalOptions{Dir: filepath.Join(dir, "journal.git"), URL: r.dir})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan struct{})
		go func() { defer close(done); j.Run(ctx) }()
		time.Sleep(time.Hour) // of the bubble's clock
		synctest.Wait()
		if d := j.Delivery(); d.Pending != 1 || !strings.Contains(d.Error, "no Git repository") {
			t.Errorf("got %+v", d)
		}
		if err := os.Rename(away, there); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute) // the longest pause is shorter
		synctest.Wait()
		if d := j.Delivery(); d.Pending != 0 || d.Error != "" {
			t.Errorf("with the remote back it is %+v", d)
		}
		cancel()
		<-done
	})
}

func TestJournalOptionsAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		o    git.JournalOptions
		word string
	}{
		"no directory":   {git.JournalOptions{Branch: "b"}, "--data"},
		"no branch":      {git.JournalOptions{Dir: "/d"}, "branch"},
		"bad branch":     {git.JournalOptions{Dir: "/d", Branch: "a..b"}, "branch"},
		"bad URL":        {git.JournalOptions{Dir: "/d", Branch: "b", URL: "git://host/r"}, "git://"},
		"token in clear": {git.JournalOptions{Dir: "/d", Branch: "b", URL: "http://host/r", Auth: git.Auth{TokenEnv: "T"}}, "https"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := git.NewJournal(c.o)
			wantWords(t, err, c.word)
		})
	}
}
