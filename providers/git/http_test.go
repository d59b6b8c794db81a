package git_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
)

// overHTTP is a repository with one commit behind a server in clear, and a
// source for it.
func overHTTP(t *testing.T, options git.Options) (*repo, *server, *git.Source) {
	t.Helper()
	work := newRepo(t)
	work.write("a.hcl", "1")
	work.commit("first")
	s := newServer(t, false)
	options.URL = s.publish(work)
	options.Branch = "main"
	if options.DataDir == "" {
		options.DataDir = t.TempDir()
	}
	return work, s, mustNew(t, options)
}

func TestRemoteIsFollowedCommitByCommit(t *testing.T) {
	work, s, source := overHTTP(t, git.Options{})
	for i := range 3 {
		work.write(fmt.Sprintf("m%d.hcl", i), "x")
		id := work.commit("more")
		work.git("push", "-q", "origin", "main")
		snapshot := mustLatest(t, source)
		if snapshot.Tree.Commit().ID != id || len(snapshot.Notes) != 0 {
			t.Fatalf("step %d: got %+v with notes %q", i, snapshot.Tree.Commit(), snapshot.Notes)
		}
	}
	before := s.count()
	mustLatest(t, source)
	if asked := s.count() - before; asked != 1 {
		t.Errorf("a poll without a change makes %d requests; want 1", asked)
	}
}

func TestTokenIsSentOverTLSAndNeverShown(t *testing.T) {
	work := newRepo(t)
	work.write("a.hcl", "1")
	work.commit("first")
	s := newServer(t, true)
	s.hook(requireToken)
	url := s.publish(work)
	for name, c := range map[string]struct {
		url  string
		auth git.Auth
		want []string // words of the error; none: success
	}{
		"from a file":          {url, git.Auth{TokenFile: tokenFile(t, token)}, nil},
		"in the URL":           {strings.Replace(url, "://", "://ann:"+token+"@", 1), git.Auth{}, nil},
		"none":                 {url, git.Auth{}, []string{"401", "--git-token-file"}},
		"wrong":                {url, git.Auth{TokenFile: tokenFile(t, "wr0ng")}, []string{"401", "does not accept"}},
		"empty":                {url, git.Auth{TokenFile: tokenFile(t, "")}, []string{"empty"}},
		"wrong one in the URL": {strings.Replace(url, "://", "://ann:wr0ng@", 1), git.Auth{}, []string{"401"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.auth.CAFile = s.authority(t)
			source := mustNew(t, git.Options{URL: c.url, Branch: "main", DataDir: t.TempDir(), Auth: c.auth})
			_, err := source.Latest(t.Context())
			if (err == nil) != (c.want == nil) {
				t.Fatalf("got %v; want an error with %q", err, c.want)
			}
			for _, word := range c.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("got %q; want %q in it", err, word)
				}
			}
			for _, secret := range []string{token, "wr0ng", "Basic "} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows %q: %s", secret, err)
				}
			}
		})
	}
}

func TestUnknownAuthorityIsRefused(t *testing.T) {
	work := newRepo(t)
	work.write("a.hcl", "1")
	work.commit("first")
	s := newServer(t, true)
	source := mustNew(t, git.Options{URL: s.publish(work), Branch: "main", DataDir: t.TempDir()})
	wantError(t, source, "certificate", "--git-ca")
}

func TestRedirectToAnotherServerGetsNothing(t *testing.T) {
	var asked []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Authorization"))
	}))
	defer other.Close()
	_, s, source := overHTTP(t, git.Options{Auth: git.Auth{TokenFile: tokenFile(t, token)}})
	s.hook(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, other.URL+r.URL.RequestURI(), http.StatusFound)
		return true
	})
	wantError(t, source, "redirects", other.URL)
	if len(asked) != 0 {
		t.Errorf("the second server was asked %d times, with %q", len(asked), asked)
	}
	if len(s.credentials()) == 0 {
		t.Error("the first server was not sent the token: the test proves nothing")
	}
}

func TestRedirectOnTheSameServerIsFollowed(t *testing.T) {
	_, s, source := overHTTP(t, git.Options{})
	s.hook(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/moved/") {
			r.URL.Path = strings.TrimPrefix(r.URL.Path, "/moved")
			return false
		}
		if !strings.HasSuffix(r.URL.Path, "/info/refs") {
			return false
		}
		http.Redirect(w, r, "/moved"+r.URL.RequestURI(), http.StatusMovedPermanently)
		return true
	})
	mustLatest(t, source)
}

func TestStatusOfTheServerIsExplained(t *testing.T) {
	for status, words := range map[int][]string{
		http.StatusForbidden:           {"403", "access"},
		http.StatusNotFound:            {"404", "URL"},
		http.StatusInternalServerError: {"500", "next poll"},
		http.StatusTeapot:              {"418"},
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			_, s, source := overHTTP(t, git.Options{})
			s.hook(func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Retry-After", "77")
				w.WriteHeader(status)
				return true
			})
			wantError(t, source, words...)
			s.hook(nil)
			mustLatest(t, source) // and it recovers by itself
		})
	}
}

func TestBlackHoleEndsWithTheDeadline(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	for name, url := range map[string]string{
		"http": "http://" + listener.Addr().String() + "/r.git",
		"ssh":  "ssh://git@" + listener.Addr().String() + "/r.git",
	} {
		t.Run(name, func(t *testing.T) {
			options := git.Options{URL: url, Branch: "main", DataDir: t.TempDir(), Timeout: 300 * time.Millisecond}
			if name == "ssh" {
				options.Auth = sshKeys(t).auth
			}
			source := mustNew(t, options)
			for range 2 { // the second one shows that the first holds no lock
				begin := time.Now()
				_, err := source.Latest(context.Background())
				if !errors.Is(err, context.DeadlineExceeded) && !strings.Contains(fmt.Sprint(err), "no answer within 300ms") {
					t.Errorf("got %v", err)
				}
				if took := time.Since(begin); took > time.Minute {
					t.Errorf("it took %s", took)
				}
			}
		})
	}
}

// cut lets a response end after n bytes of the pack, without saying so.
type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	if len(p) > c.left {
		_, _ = c.ResponseWriter.Write(p[:c.left])
		c.left = 0
		panic(http.ErrAbortHandler) // resets the connection
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

func TestCutTransferLeavesTheLastRevisionAndRecovers(t *testing.T) {
	work, s, source := overHTTP(t, git.Options{})
	first := mustLatest(t, source)
	work.write("large.txt", strings.Repeat(fmt.Sprintf("%p incompressible enough %d\n", work, time.Now().UnixNano()), 2000))
	second := work.commit("second")
	work.git("push", "-q", "origin", "main")
	backend := s.Config.Handler
	for _, after := range []int{0, 10, 100, 300, 500} {
		s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "git-upload-pack") {
				w = &cut{w, after}
			}
			backend.ServeHTTP(w, r)
		})
		if snapshot, err := source.Latest(t.Context()); err == nil {
			t.Fatalf("cut after %d bytes: got %s; want an error", after, snapshot.Tree.Commit().Short())
		}
	}
	s.Config.Handler = backend
	if got := mustLatest(t, source).Tree.Commit().ID; got != second {
		t.Errorf("after the outage it is %s; want %s", got, second)
	}
	if got, err := first.Tree.Read("a.hcl"); err != nil || string(got) != "1" {
		t.Errorf("the revision from before reads %q, %v", got, err)
	}
}
