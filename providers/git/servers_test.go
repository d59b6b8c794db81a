package git_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile"
)

// remote is a repository behind a real Git server that asks who is there.
type remote struct {
	url  string
	auth git.Auth
	// bare is the repository as the server has it; work pushes to it by a path.
	bare, work *repo
	// expire has the server take another credential from now on, and renew gives that to
	// the client, in the file where the old one was.
	expire, renew func()
}

// servers are the ways to reach a repository, each with a real server.
var servers = map[string]func(t *testing.T) remote{
	"git-http-backend behind TLS": func(t *testing.T) remote {
		work := newRepo(t)
		work.next("first")
		s := newServer(t, true)
		var valid atomic.Value
		valid.Store(token)
		s.hook(func(w http.ResponseWriter, r *http.Request) bool {
			if _, password, _ := r.BasicAuth(); password == valid.Load() {
				return false
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		})
		file := tokenFile(t, token)
		r := remote{url: s.publish(work), work: work, auth: git.Auth{CAFile: s.authority(t), TokenFile: file}}
		r.bare = &repo{t: t, dir: filepath.Join(s.root, "config.git")}
		r.bare.git("config", "http.receivepack", "true")
		r.expire = func() { valid.Store("another-" + token) }
		r.renew = func() {
			if err := os.WriteFile(file, []byte("another-"+token+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return r
	},
	"sshd with git-shell": func(t *testing.T) remote {
		work := newRepo(t)
		work.next("first")
		bare := &repo{t: t, dir: filepath.Join(t.TempDir(), "it's.git")}
		work.git("clone", "-q", "--bare", work.dir, bare.dir)
		work.git("remote", "add", "origin", bare.dir)
		k := sshKeys(t)
		address := sshServer(t, k)
		host, port, _ := net.SplitHostPort(address)
		k.write(t, "known_hosts", fmt.Sprintf("[%s]:%s %s\n", host, port, k.read(t, "host.pub")))
		me, err := user.Current()
		if err != nil {
			t.Skipf("the user is not known: %v", err)
		}
		return remote{
			url: fmt.Sprintf("ssh://%s@%s%s", me.Username, address, bare.dir), auth: k.auth, bare: bare, work: work,
			expire: func() { k.write(t, "authorized_keys", k.read(t, "other.pub")+"\n") },
			renew:  func() { k.write(t, "client", k.read(t, "other")+"\n") },
		}
	},
}

func eachServer(t *testing.T, test func(t *testing.T, r remote)) {
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, serve(t))
		})
	}
}

func TestServersAreFollowed(t *testing.T) {
	eachServer(t, func(t *testing.T, r remote) {
		source := mustNew(t, git.Options{URL: r.url, Branch: "main", DataDir: t.TempDir(), Auth: r.auth})
		first := mustLatest(t, source).Tree.Commit().ID // a clone
		second := r.work.next("second")
		r.work.git("push", "-q", "origin", "main")
		if got := mustLatest(t, source).Tree.Commit().ID; got != second { // a fetch
			t.Errorf("it is at %s; want %s", got, second)
		}
		r.work.git("reset", "-q", "--hard", first)
		third := r.work.next("third")
		r.work.git("push", "-q", "--force", "origin", "main")
		snapshot := mustLatest(t, source)
		if snapshot.Tree.Commit().ID != third || !strings.Contains(strings.Join(snapshot.Notes, "\n"), "rewritten") {
			t.Errorf("after a force-push it is at %+v with the notes %q", snapshot.Tree.Commit(), snapshot.Notes)
		}
	})
}

func TestJournalSetBackOnTheServerComesBack(t *testing.T) {
	eachServer(t, func(t *testing.T, r remote) {
		key := signer(t)
		o := git.JournalOptions{URL: r.url, Auth: r.auth, Author: author(key), Trusted: []string{key.PublicKey()}}
		j := openJournal(t, o)
		mustAppend(t, j, decision("a", 1))
		mustDeliver(t, j)
		old := r.bare.git("rev-parse", journalBranch)
		mustAppend(t, j, decision("a", 2), decision("b", 3))
		mustDeliver(t, j)
		whole := r.bare.git("rev-parse", journalBranch)
		r.bare.git("update-ref", "refs/heads/"+journalBranch, old) // as a force-push does
		mustAppend(t, j, decision("a", 4))
		mustDeliver(t, j)
		if got := r.bare.git("rev-parse", journalBranch+"~1"); got != whole {
			t.Errorf("the remote goes on from %s; want %s", got, whole)
		}
		r.bare.git("fsck", "--full", "--strict")
	})
}

func TestTwoDaemonsPushAtOnce(t *testing.T) {
	eachServer(t, func(t *testing.T, r remote) {
		first := openJournal(t, git.JournalOptions{URL: r.url, Auth: r.auth})
		second := openJournal(t, git.JournalOptions{URL: r.url, Auth: r.auth})
		done := make(chan error, 2)
		for name, j := range map[string]*git.Journal{"a": first, "b": second} {
			go func() {
				for n := range 3 {
					if err := errors.Join(j.Append(t.Context(), decision(name, n)), j.Deliver(t.Context())); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		if err := errors.Join(<-done, <-done); err != nil {
			t.Fatal(err)
		}
		if got := r.bare.git("rev-list", "--count", journalBranch); got != "6" {
			t.Errorf("the remote has %s entries; want all 6", got)
		}
		if got := stable(mustOpen(t, newJournal(t, git.JournalOptions{URL: r.url, Auth: r.auth}))); got != "a=2 b=2" {
			t.Errorf("the records are %q", got)
		}
	})
}

func TestRotatedCredentialNeedsNoRestart(t *testing.T) {
	eachServer(t, func(t *testing.T, r remote) {
		source := mustNew(t, git.Options{URL: r.url, Branch: "main", DataDir: t.TempDir(), Auth: r.auth})
		j := openJournal(t, git.JournalOptions{URL: r.url, Auth: r.auth})
		first := mustLatest(t, source)
		mustAppend(t, j, decision("a", 1))
		mustDeliver(t, j)

		r.expire()
		second := r.work.next("second")
		r.work.git("push", "-q", "origin", "main")
		wantError(t, source, "does not accept the")
		mustAppend(t, j, decision("a", 2))
		err := j.Deliver(t.Context())
		wantWords(t, err, "does not accept the")
		if strings.Contains(err.Error(), token) || j.Delivery().Pending != 1 {
			t.Errorf("got %v, %+v", err, j.Delivery())
		}
		if data, err := first.Tree.Read("what.hcl"); err != nil || string(data) != "first" {
			t.Errorf("the revision from before reads %q, %v", data, err)
		}

		r.renew()
		if got := mustLatest(t, source).Tree.Commit().ID; got != second {
			t.Errorf("it is at %s; want %s", got, second)
		}
		mustDeliver(t, j)
	})
}

// asked counts the calls of a server and keeps what they carried.
func asked(t *testing.T) (url string, calls *atomic.Int32) {
	t.Helper()
	calls = new(atomic.Int32)
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	t.Cleanup(other.Close)
	return other.URL, calls
}

func TestPushIsNotRedirectedToAnotherServer(t *testing.T) {
	for name, part := range map[string]string{"at the first call": "/info/refs", "when it sends": "/git-receive-pack"} {
		for _, code := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
			t.Run(fmt.Sprint(name, " ", code), func(t *testing.T) {
				other, calls := asked(t)
				r := newRepo(t)
				r.commit("start")
				s := newServer(t, false)
				o := git.JournalOptions{URL: s.publish(r), Auth: git.Auth{TokenFile: tokenFile(t, token)}}
				(&repo{t: t, dir: filepath.Join(s.root, "config.git")}).git("config", "http.receivepack", "true")
				j := openJournal(t, o)
				mustAppend(t, j, decision("a", 1))
				s.hook(func(w http.ResponseWriter, r *http.Request) bool {
					if !strings.HasSuffix(r.URL.Path, part) {
						return false
					}
					http.Redirect(w, r, other+r.URL.RequestURI(), code)
					return true
				})
				wantWords(t, j.Deliver(t.Context()), "redirects to "+other, "must not see the credentials")
				if n := calls.Load(); n != 0 {
					t.Errorf("the second server was called %d times", n)
				}
				if len(s.credentials()) == 0 {
					t.Error("the first server was not sent the token: the test proves nothing")
				}
				s.hook(nil)
				mustDeliver(t, j)
			})
		}
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	late := func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	r := newRepo(t)
	r.next("first")
	s := newServer(t, false)
	url := s.publish(r)
	(&repo{t: t, dir: filepath.Join(s.root, "config.git")}).git("config", "http.receivepack", "true")
	source := mustNew(t, git.Options{URL: url, Branch: "main", DataDir: t.TempDir()})
	j := openJournal(t, git.JournalOptions{URL: url})
	mustAppend(t, j, decision("a", 1))
	for name, call := range map[string]func() error{
		"fetch": func() error { _, err := source.Latest(t.Context()); return err },
		"push":  func() error { return j.Deliver(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			s.hook(late)
			begin := time.Now()
			err := call()
			ended := time.Now()
			wantWords(t, err, "429", "Retry-After 1", "not called before")
			told, ok := errors.AsType[*reconcile.RetryError](err)
			if !ok || !errors.Is(err, reconcile.ErrUnavailable) {
				t.Fatalf("got %v, which does not say when to come back", err)
			}
			if told.After.Before(begin.Add(time.Second)) || told.After.After(ended.Add(2*time.Second)) {
				t.Errorf("asked between %s and %s it is to come back at %s", begin, ended, told.After)
			}
			// Until then the server hears nothing.
			s.hook(nil)
			before := s.count()
			waitFor(t, func() bool {
				err := call()
				if err == nil {
					return true
				}
				if n := s.count(); n != before && time.Now().Before(told.After) {
					t.Fatalf("the server was called %d times too early", n-before)
				}
				if again, ok := errors.AsType[*reconcile.RetryError](err); !ok || !again.After.Equal(told.After) {
					t.Fatalf("meanwhile it is %v", err)
				}
				return false
			})
			if time.Now().Before(told.After) {
				t.Error("it was called too early")
			}
		})
	}
}
