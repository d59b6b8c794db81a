package forgetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Repo is a repository of a World.
type Repo struct {
	world   *World
	id      int64
	owner   string
	name    string
	dir     string
	private bool
	fork    bool
	writers []string

	branches map[string]string // that sync has seen
	pulls    []*pull           // by number, from 1
	labels   []*label
	statuses []*status
	hooks    []hook
}

type label struct {
	id          int64
	name, color string
}

type status struct {
	id                        int64
	sha                       string
	context, state, text, url string
	creator                   string
	at                        time.Time
}

// Comment is a comment as people see it.
type Comment struct{ By, Body string }

// Status is a status of a commit as people see it. State is Gitea's: pending,
// success, error, failure or warning.
type Status struct{ Context, State, Text, URL string }

var (
	errConflict  = errors.New("it conflicts with the base")
	errMerged    = errors.New("cannot change the state of this pull request, it was already merged")
	errForbidden = errors.New("the user has no right to do that")
	errInvalid   = errors.New("invalid")
	errExists    = errors.New("it is there already")
)

// FullName is OWNER/NAME.
func (r *Repo) FullName() string { return r.owner + "/" + r.name }

// Dir is the bare repository. What is pushed into it directly is seen at the next
// request or call.
func (r *Repo) Dir() string { return r.dir }

// CloneURL is where Git finds it, without credentials.
func (r *Repo) CloneURL() string { return r.world.URL + "/" + r.FullName() + ".git" }

// SetPrivate asks for a credential of everybody who reads.
func (r *Repo) SetPrivate() {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.private = true
}

// Head is the commit of a branch, "" if there is none.
func (r *Repo) Head(branch string) string { return r.resolve("refs/heads/" + branch) }

// DeleteBranch deletes a branch.
func (r *Repo) DeleteBranch(login, branch string) error {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	u, err := r.world.user(login)
	if err != nil {
		return err
	}
	if _, err := r.git(nil, "update-ref", "-d", "refs/heads/"+branch); err != nil {
		return err
	}
	r.world.sync(u)
	return nil
}

// Fork makes a copy that belongs to a user, or returns the one that is there.
func (r *Repo) Fork(login string) (*Repo, error) {
	name := login + "/" + r.name
	w := r.world
	w.mu.Lock()
	there := w.repos[name]
	w.mu.Unlock()
	if there != nil {
		return there, nil
	}
	f, err := w.addRepo(name, []string{login})
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f.fork = true
	if _, err := f.git(nil, "fetch", "-q", r.dir, "refs/heads/*:refs/heads/*"); err != nil {
		return nil, err
	}
	w.sync(nil)
	return f, nil
}

// Statuses are those of a commit, the newest of each context, sorted by context.
func (r *Repo) Statuses(sha string) []Status {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	newest := map[string]Status{}
	for _, s := range r.statuses {
		if s.sha == sha {
			newest[s.context] = Status{Context: s.context, State: s.state, Text: s.text, URL: s.url}
		}
	}
	var out []Status
	for _, context := range slices.Sorted(maps.Keys(newest)) {
		out = append(out, newest[context])
	}
	return out
}

func (r *Repo) setStatus(u *user, s *status) error {
	if !r.mayWrite(u.login) {
		return errForbidden
	}
	if !slices.Contains([]string{"pending", "success", "error", "failure", "warning"}, s.state) {
		return fmt.Errorf("%w: state %q", errInvalid, s.state)
	}
	if r.resolve(s.sha+"^{commit}") == "" {
		return fmt.Errorf("%w: commit %s", errNotFound, s.sha)
	}
	s.id, s.creator, s.at = r.world.nextID(), u.login, now()
	r.statuses = append(r.statuses, s)
	return nil
}

func (r *Repo) mayWrite(login string) bool {
	return login == r.owner || slices.Contains(r.writers, login)
}

func (r *Repo) mayRead(login string) bool { return !r.private || r.mayWrite(login) }

// sync takes notice of what was pushed: it moves the heads of open pull requests,
// makes reviews stale, and tells the webhooks. By is who pushed, nil if unknown.
func (w *World) sync(by *user) {
	for _, name := range slices.Sorted(maps.Keys(w.repos)) {
		r := w.repos[name]
		out, err := r.git(nil, "for-each-ref", "--format=%(refname:strip=2) %(objectname)", "refs/heads/")
		if err != nil {
			continue // the directory was taken away by the end of the test
		}
		found := map[string]string{}
		for line := range strings.Lines(out) {
			if branch, id, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				found[branch] = id
			}
		}
		for _, branch := range slices.Sorted(maps.Keys(found)) {
			if before := r.branches[branch]; before != found[branch] {
				r.tellPush(by, branch, before, found[branch])
			}
		}
		r.branches = found
	}
	for _, name := range slices.Sorted(maps.Keys(w.repos)) {
		r := w.repos[name]
		for _, p := range r.pulls {
			r.syncPull(p, by)
		}
	}
}
