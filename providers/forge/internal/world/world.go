// Package world is what the doubles of forges in tests have in common: people,
// branches, pull requests and what was said about them, in memory. A double adds the
// wire format of one forge. Nothing of it is in the program.
package world

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// Owner and Repo are where everything happens.
const (
	Owner = "acme"
	Repo  = "models"
	Self  = "fairlead"
)

// World is a repository and its people. What is exported is read and written under
// its lock.
type World struct {
	sync.Mutex

	Users    map[string]*User
	Commits  map[string]*Commit
	Branches map[string]string // commit of each
	Pulls    []*Pull           // oldest first
	Teams    map[string][]string

	now  time.Time
	last int64
}

// User is an account.
type User struct {
	ID    int64
	Login string
	Write bool
}

// Email is what they commit with.
func (u *User) Email() string { return u.Login + "@acme.example" }

// Commit is one of a branch.
type Commit struct {
	ID      string
	Parents []string
	Author  string
	At      time.Time
}

// Pull is a pull request.
type Pull struct {
	ID                       int64
	Number                   int
	Author, Title, Body      string
	Head, Base               string
	HeadSHA, BaseSHA         string
	ForkOf                   string // whose fork the head is in; "": the repository's own
	State                    reconcile.PullState
	Merged, MergedBy, Closer string
	Labels                   []string
	Created, Updated         time.Time
	Reviews                  []*Review
	Comments                 []*Comment
	Versions                 []Version // oldest first
}

// Review is what somebody said.
type Review struct {
	ID      int64
	By      string
	State   reconcile.ReviewState
	Commit  string
	At      time.Time
	TakenAt time.Time // when it was dismissed
}

// Comment is one on a pull request. System: the forge itself made it.
type Comment struct {
	ID       int64
	By, Body string
	At       time.Time
	System   bool
}

// Version is a head that a pull request had.
type Version struct {
	ID   int64
	Head string
	At   time.Time
}

// New makes a world in which nothing has happened yet.
func New() *World {
	w := &World{
		Users: map[string]*User{}, Commits: map[string]*Commit{}, Branches: map[string]string{}, Teams: map[string][]string{},
		now: time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC),
	}
	for _, login := range []string{Self, "ann", "bob", "eve"} {
		w.Users[login] = &User{ID: w.ID(), Login: login, Write: login != "eve"}
	}
	w.Branches["main"] = w.commit("ann")
	return w
}

// ID is a new number.
func (w *World) ID() int64 {
	w.last++
	return w.last
}

// Tick is a moment later than all before.
func (w *World) Tick() time.Time {
	w.now = w.now.Add(time.Second)
	return w.now
}

func (w *World) commit(author string, parents ...string) string {
	c := &Commit{ID: fmt.Sprintf("%040x", 0xabc0000+w.ID()), Parents: parents, Author: author, At: w.Tick()}
	w.Commits[c.ID] = c
	return c.ID
}

// Pull is one by its number; nil if there is none.
func (w *World) Pull(number int) *Pull {
	if number < 1 || number > len(w.Pulls) {
		return nil
	}
	return w.Pulls[number-1]
}

// Open opens a pull request of commits that are there.
func (w *World) Open(user, head, base, title, body, fork, commit string) *Pull {
	p := &Pull{
		ID: w.ID(), Number: len(w.Pulls) + 1, Author: user, Title: title, Body: body, Head: head, Base: base, HeadSHA: commit,
		BaseSHA: w.Branches[base], ForkOf: fork, State: reconcile.PullOpen, Created: w.Tick(),
	}
	p.Updated = p.Created
	p.Versions = []Version{{ID: w.ID(), Head: commit, At: p.Created}}
	w.Pulls = append(w.Pulls, p)
	return p
}

// CommitsOf are the ids of the commits of a pull request, oldest first.
func (w *World) CommitsOf(p *Pull) []string {
	base := map[string]bool{}
	w.walk(p.BaseSHA, base, nil)
	var ids []string
	w.walk(p.HeadSHA, base, func(id string) { ids = append(ids, id) })
	return ids
}

func (w *World) walk(id string, seen map[string]bool, met func(string)) {
	c := w.Commits[id]
	if c == nil || seen[id] {
		return
	}
	seen[id] = true
	for _, parent := range c.Parents {
		w.walk(parent, seen, met)
	}
	if met != nil {
		met(id)
	}
}

// BroughtBy are the pull requests that a commit is related to, open ones among them.
func (w *World) BroughtBy(commit string) []*Pull {
	return slices.DeleteFunc(slices.Clone(w.Pulls), func(p *Pull) bool {
		return p.Merged != commit && !slices.Contains(w.CommitsOf(p), commit)
	})
}

// PageSize is a part of providertest.ForgeWorld, as are those that follow.
func (w *World) PageSize() int { return 3 }

// Push puts a commit on a branch.
func (w *World) Push(_ *testing.T, user, branch string) string {
	w.Lock()
	defer w.Unlock()
	parent, there := w.Branches[branch]
	if !there {
		parent = w.Branches["main"]
	}
	id := w.commit(user, parent)
	w.Branches[branch] = id
	for _, p := range w.Pulls {
		if p.State == reconcile.PullOpen && p.Head == branch && p.ForkOf == "" {
			p.HeadSHA, p.Updated = id, w.Tick()
			p.Versions = append(p.Versions, Version{ID: w.ID(), Head: id, At: p.Updated})
		}
	}
	return id
}

// OpenPull opens one as a user.
func (w *World) OpenPull(t *testing.T, user, head, base, title string) int {
	w.Lock()
	defer w.Unlock()
	if w.Branches[head] == "" || w.Branches[base] == "" {
		t.Fatalf("there is no branch %s or %s", head, base)
	}
	return w.Open(user, head, base, title, "", "", w.Branches[head]).Number
}

// OpenFork opens one from a fork.
func (w *World) OpenFork(_ *testing.T, user, head, base, title string) int {
	w.Lock()
	defer w.Unlock()
	return w.Open(user, head, base, title, "", user, w.commit(user, w.Branches[base])).Number
}

// Review says something.
func (w *World) Review(t *testing.T, user string, number int, state reconcile.ReviewState) {
	w.Lock()
	defer w.Unlock()
	p := w.must(t, number)
	p.Reviews = append(p.Reviews, &Review{ID: w.ID(), By: user, State: state, Commit: p.HeadSHA, At: w.Tick()})
}

// Dismiss takes the newest word back.
func (w *World) Dismiss(t *testing.T, user string, number int) {
	w.Lock()
	defer w.Unlock()
	for _, r := range slices.Backward(w.must(t, number).Reviews) {
		if r.By == user && r.State != reconcile.ReviewCommented && r.State != reconcile.ReviewDismissed {
			r.State, r.TakenAt = reconcile.ReviewDismissed, w.Tick()
			return
		}
	}
	t.Fatalf("%s said nothing about %d", user, number)
}

// Merge merges by a merge commit.
func (w *World) Merge(t *testing.T, user string, number int) string {
	w.Lock()
	defer w.Unlock()
	p := w.must(t, number)
	p.Merged = w.commit(user, w.Branches[p.Base], p.HeadSHA)
	p.State, p.MergedBy, p.Updated = reconcile.PullMerged, user, w.Tick()
	w.Branches[p.Base] = p.Merged
	return p.Merged
}

// Close closes one.
func (w *World) Close(t *testing.T, user string, number int) {
	w.Lock()
	defer w.Unlock()
	p := w.must(t, number)
	p.State, p.Closer, p.Updated = reconcile.PullClosed, user, w.Tick()
}

// AddTeam makes a team.
func (w *World) AddTeam(_ *testing.T, name string, members ...string) string {
	w.Lock()
	defer w.Unlock()
	w.Teams[name] = members
	return Owner + "/" + name
}

// Comment makes a comment.
func (w *World) Comment(t *testing.T, user string, number int, body string) {
	w.Lock()
	defer w.Unlock()
	w.Say(w.must(t, number), user, body)
}

// Say makes a comment.
func (w *World) Say(p *Pull, user, body string) *Comment {
	c := &Comment{ID: w.ID(), By: user, Body: body, At: w.Tick()}
	p.Comments = append(p.Comments, c)
	return c
}

// FindComment finds one by its id.
func (w *World) FindComment(id int64) *Comment {
	for _, p := range w.Pulls {
		for _, c := range p.Comments {
			if c.ID == id {
				return c
			}
		}
	}
	return nil
}

// Said are the comments of people.
func (w *World) Said(t *testing.T, number int) []Comment {
	w.Lock()
	defer w.Unlock()
	var said []Comment
	for _, c := range w.must(t, number).Comments {
		if !c.System {
			said = append(said, *c)
		}
	}
	return said
}

func (w *World) must(t *testing.T, number int) *Pull {
	t.Helper()
	p := w.Pull(number)
	if p == nil {
		t.Fatalf("there is no pull request %d in %v", number, slices.Sorted(maps.Keys(w.Branches)))
	}
	return p
}

// Page cuts a list to a page, and tells whether another one follows.
func Page[T any](items []T, page, size int) (cut []T, more bool) {
	from := min((page-1)*size, len(items))
	to := min(from+size, len(items))
	return items[from:to], to < len(items)
}
