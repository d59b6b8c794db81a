package forgetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// World is one forge: users, teams and repositories. It is safe for concurrent use.
type World struct {
	// URL is where it is served, without a slash at the end; links are built from it.
	URL string
	// PageSize is how many items a page holds at most. Zero: 50, as Gitea's.
	PageSize int

	dir     string
	handler http.Handler
	hooks   *courier

	mu        sync.Mutex
	users     map[string]*user
	repos     map[string]*Repo
	teams     []*team
	lastID    int64
	intercept func(http.ResponseWriter, *http.Request) bool
	mergeKey  string
}

type user struct {
	id    int64
	login string
	email string
	token string
	key   string // file of the SSH key that signs
}

// Owners is the team of an organization that sees everything in it.
const Owners = "Owners"

type team struct {
	id      int64
	org     string
	name    string
	members []string
}

// New returns an empty forge that keeps its repositories below a directory. Set URL
// before anything else, and Close it at the end.
func New(dir string) *World {
	w := &World{dir: dir, users: map[string]*user{}, repos: map[string]*Repo{}, hooks: newCourier()}
	w.handler = w.routes()
	return w
}

// Start serves an empty forge on loopback until the test ends. It skips the test
// where there is no git.
func Start(t testing.TB) *World {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git, which serves the repositories of the forge")
	}
	w := New(t.TempDir())
	server := httptest.NewServer(w)
	w.URL = server.URL
	t.Cleanup(func() {
		server.Close()
		w.Close()
	})
	return w
}

// Close waits for the webhooks that are under way.
func (w *World) Close() { w.hooks.close() }

// ServeHTTP serves the API below /api/v1/ and the repositories at /OWNER/NAME.git.
func (w *World) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	intercept := w.intercept
	w.mu.Unlock()
	if intercept != nil && intercept(rw, r) {
		return
	}
	w.handler.ServeHTTP(rw, r)
}

// Intercept is asked before every request; true: it has answered itself. Nil ends it.
func (w *World) Intercept(f func(http.ResponseWriter, *http.Request) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.intercept = f
}

// AddUser makes an account and returns its token, which is good for the API and, as
// the password, for Git. Adding it again returns the same.
func (w *World) AddUser(login string) (token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if u := w.users[login]; u != nil {
		return u.token
	}
	u := &user{id: w.nextID(), login: login, email: login + "@forge.example", token: strings.ToLower(rand.Text())}
	w.users[login] = u
	return u.token
}

// NewToken replaces the token of an account.
func (w *World) NewToken(login string) (token string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	u, err := w.user(login)
	if err != nil {
		return "", err
	}
	u.token = strings.ToLower(rand.Text())
	return u.token, nil
}

// SignAs makes what a user commits through Repo.Commit signed by an SSH key; the
// file holds the private key.
func (w *World) SignAs(login, keyFile string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	u, err := w.user(login)
	if err != nil {
		return err
	}
	u.key = keyFile
	return nil
}

// SignMerges makes the forge sign what it merges with an SSH key of its own.
func (w *World) SignMerges(keyFile string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mergeKey = keyFile
}

// AddTeam makes a team, or gives one other members. Its name is ORG/NAME. As on
// Gitea, the API tells of its members only those, and those of ORG/Owners.
func (w *World) AddTeam(name string, members ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	org, short, ok := strings.Cut(name, "/")
	if !ok || short == "" {
		return fmt.Errorf("team %q: want ORG/NAME", name)
	}
	for _, m := range members {
		if _, err := w.user(m); err != nil {
			return err
		}
	}
	for _, t := range w.teams {
		if t.org == org && t.name == short {
			t.members = slices.Clone(members)
			return nil
		}
	}
	w.teams = append(w.teams, &team{id: w.nextID(), org: org, name: short, members: slices.Clone(members)})
	return nil
}

// AddRepo makes the repository OWNER/NAME, to which the writers may write and which
// everybody may read. Its branch main holds one commit with a README.md.
func (w *World) AddRepo(fullName string, writers ...string) (*Repo, error) {
	r, err := w.addRepo(fullName, writers)
	if err != nil {
		return nil, err
	}
	author := "forge"
	w.AddUser(author)
	if len(writers) > 0 {
		author = writers[0]
	}
	if _, err := r.Commit(author, "main", "First", map[string]string{"README.md": "Models.\n"}); err != nil {
		return nil, err
	}
	return r, nil
}

func (w *World) addRepo(fullName string, writers []string) (*Repo, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	owner, name, ok := strings.Cut(fullName, "/")
	if !ok || name == "" || strings.Contains(name, "/") {
		return nil, fmt.Errorf("repository %q: want OWNER/NAME", fullName)
	}
	if w.repos[fullName] != nil {
		return nil, fmt.Errorf("repository %s: it is there already", fullName)
	}
	for _, login := range writers {
		if _, err := w.user(login); err != nil {
			return nil, err
		}
	}
	r := &Repo{world: w, id: w.nextID(), owner: owner, name: name, dir: filepath.Join(w.dir, owner, name+".git"), writers: slices.Clone(writers), branches: map[string]string{}}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"init", "-q", "--bare", "--initial-branch=main"},
		{"config", "http.receivepack", "true"},
		{"config", "uploadpack.allowAnySHA1InWant", "true"},
		{"config", "uploadpack.allowFilter", "true"},
		{"config", "gc.auto", "0"},
		{"config", "receive.hideRefs", "refs/pull/"}, // what was proposed nobody pushes over
	} {
		if _, err := r.git(nil, args...); err != nil {
			return nil, err
		}
	}
	w.repos[fullName] = r
	return r, nil
}

func (w *World) user(login string) (*user, error) {
	if u := w.users[login]; u != nil {
		return u, nil
	}
	return nil, fmt.Errorf("user %s: there is none; add it first", login)
}

func (w *World) nextID() int64 {
	w.lastID++
	return w.lastID
}

// now is in whole seconds, as Gitea keeps time.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

var errNotFound = errors.New("not found")
