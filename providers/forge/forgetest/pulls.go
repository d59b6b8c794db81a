package forgetest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// How a pull request is merged, in Gitea's words.
const (
	Merge  = "merge"  // a commit with two parents
	Squash = "squash" // one commit
	Rebase = "rebase" // each commit again, on the base
)

type pull struct {
	id          int64
	number      int
	title, body string
	author      string
	base, head  string
	headRepo    *Repo
	headSHA     string // of refs/pull/N/head
	mergeBase   string
	contents    string // what it changes
	open        bool
	merged      string // commit
	mergedBy    string
	labels      []int64
	reviews     []*review
	comments    []*comment
	events      []*event

	created, updated, closed, mergedAt time.Time
}

// event is a line between the comments.
type event struct {
	id   int64
	kind string // close, reopen or merge_pull
	by   string
}

type comment struct {
	id       int64
	by, body string
	at       time.Time
}

// Pull is a pull request as people see it. State is open, closed or merged.
type Pull struct {
	Number      int
	Title, Body string
	Author      string
	Base, Head  string
	HeadSHA     string // that is or was proposed
	State       string
	Merged      string // commit
	Labels      []string
}

func (p *pull) ref() string { return fmt.Sprintf("refs/pull/%d/head", p.number) }

// OpenPull opens a pull request as a user. The head is a branch, or USER:BRANCH of a
// fork.
func (r *Repo) OpenPull(login, head, base, title, body string) (number int, err error) {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	p, err := r.openPull(login, head, base, title, body, nil)
	if err != nil {
		return 0, fmt.Errorf("open a pull request from %s: %w", head, err)
	}
	return p.number, nil
}

func (r *Repo) openPull(login, head, base, title, body string, labels []int64) (*pull, error) {
	w := r.world
	u, err := w.user(login)
	if err != nil {
		return nil, err
	}
	w.sync(nil)
	source, branch := r, head
	if owner, of, isFork := strings.Cut(head, ":"); isFork {
		source, branch = w.repos[owner+"/"+r.name], of
		if owner == r.owner {
			source = r
		}
	}
	if source == nil || source.branches[branch] == "" || r.branches[base] == "" {
		return nil, fmt.Errorf("%w: head or base", errNotFound)
	}
	if title == "" {
		return nil, fmt.Errorf("%w: the title is empty", errInvalid)
	}
	for _, other := range r.pulls {
		if other.open && other.headRepo == source && other.head == branch && other.base == base {
			return nil, fmt.Errorf("%w: pull request for these targets: number %d", errExists, other.number)
		}
	}
	at := now()
	p := &pull{
		id: w.nextID(), number: len(r.pulls) + 1, title: title, body: body, author: login, base: base, head: branch, headRepo: source,
		open: true, labels: labels, created: at, updated: at,
	}
	if err := r.moveHead(p, source.branches[branch]); err != nil {
		return nil, err
	}
	r.pulls = append(r.pulls, p)
	r.tellPull(u, p, "opened")
	return p, nil
}

// moveHead makes refs/pull/N/head hold a commit of the head's repository.
func (r *Repo) moveHead(p *pull, sha string) error {
	if p.headRepo != r {
		if _, err := r.git(nil, "fetch", "-q", p.headRepo.dir, sha); err != nil {
			return err
		}
	}
	if _, err := r.git(nil, "update-ref", p.ref(), sha); err != nil {
		return err
	}
	p.headSHA = sha
	p.mergeBase, _ = r.git(nil, "merge-base", "refs/heads/"+p.base, sha)
	p.contents = r.contents("refs/heads/"+p.base, sha)
	return nil
}

// syncPull takes notice of a head that moved.
func (r *Repo) syncPull(p *pull, by *user) {
	sha := p.headRepo.branches[p.head]
	if !p.open || sha == "" || sha == p.headSHA {
		return
	}
	before := p.contents
	if err := r.moveHead(p, sha); err != nil {
		return
	}
	for _, review := range p.reviews {
		switch {
		case review.commit == sha:
			review.stale = false
		case p.contents != before: // a mere rebase leaves it as it is
			review.stale = true
		}
	}
	p.updated = now()
	r.tellPull(by, p, "synchronized")
}

// Pull is a pull request of now.
func (r *Repo) Pull(number int) (Pull, error) {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.world.sync(nil)
	p, err := r.pull(number)
	if err != nil {
		return Pull{}, err
	}
	return r.shown(p), nil
}

// Pulls are all pull requests, oldest first.
func (r *Repo) Pulls() []Pull {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.world.sync(nil)
	var out []Pull
	for _, p := range r.pulls {
		out = append(out, r.shown(p))
	}
	return out
}

func (r *Repo) shown(p *pull) Pull {
	out := Pull{Number: p.number, Title: p.title, Body: p.body, Author: p.author, Base: p.base, Head: p.head, HeadSHA: p.headSHA, State: "open", Merged: p.merged}
	switch {
	case p.merged != "":
		out.State = "merged"
	case !p.open:
		out.State = "closed"
	}
	for _, l := range r.labels {
		if slices.Contains(p.labels, l.id) {
			out.Labels = append(out.Labels, l.name)
		}
	}
	return out
}

func (r *Repo) pull(number int) (*pull, error) {
	if number < 1 || number > len(r.pulls) {
		return nil, fmt.Errorf("%w: pull request %d", errNotFound, number)
	}
	return r.pulls[number-1], nil
}

// ClosePull closes as a user, without merging.
func (r *Repo) ClosePull(number int, login string) error {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	u, err := r.world.user(login)
	if err != nil {
		return err
	}
	p, err := r.pull(number)
	if err != nil {
		return err
	}
	return r.setOpen(p, u, false)
}

func (r *Repo) setOpen(p *pull, u *user, open bool) error {
	if u.login != p.author && !r.mayWrite(u.login) {
		return errForbidden
	}
	if p.merged != "" {
		return errMerged
	}
	if p.open == open {
		return nil
	}
	p.open, p.updated = open, now()
	if open {
		p.closed = time.Time{}
		r.addEvent(p, u, "reopen")
		r.tellPull(u, p, "reopened")
		return nil
	}
	p.closed = p.updated
	r.addEvent(p, u, "close")
	r.tellPull(u, p, "closed")
	return nil
}

func (r *Repo) addEvent(p *pull, u *user, kind string) {
	p.events = append(p.events, &event{id: r.world.nextID(), kind: kind, by: u.login})
}

// MergePull merges as a user and returns the commit that the base holds then.
func (r *Repo) MergePull(number int, login, style string) (commit string, err error) {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.world.sync(nil)
	u, err := r.world.user(login)
	if err != nil {
		return "", err
	}
	p, err := r.pull(number)
	if err != nil {
		return "", err
	}
	if err := r.merge(p, u, style); err != nil {
		return "", fmt.Errorf("merge pull request %d: %w", number, err)
	}
	return p.merged, nil
}

func (r *Repo) merge(p *pull, u *user, style string) error {
	if !r.mayWrite(u.login) {
		return errForbidden
	}
	if !p.open {
		return fmt.Errorf("%w: it is not open", errInvalid)
	}
	commit, err := r.mergeCommit(p, u, style)
	if err != nil {
		return err
	}
	if _, err := r.git(nil, "update-ref", "refs/heads/"+p.base, commit); err != nil {
		return err
	}
	p.open, p.merged, p.mergedBy = false, commit, u.login
	p.mergedAt = now()
	p.closed, p.updated = p.mergedAt, p.mergedAt
	r.addEvent(p, u, "merge_pull")
	r.tellPull(u, p, "closed")
	r.world.sync(u)
	return nil
}

func (r *Repo) mergeCommit(p *pull, u *user, style string) (string, error) {
	base := r.resolve("refs/heads/" + p.base)
	committer, key := u, ""
	if r.world.mergeKey != "" {
		committer, key = &user{login: "Forge", email: "noreply@forge.example"}, r.world.mergeKey
	}
	if style == Rebase {
		return r.rebased(committer, key, base, p.headSHA)
	}
	tree, err := r.mergeTree(base, p.headSHA)
	if err != nil {
		return "", err
	}
	title := fmt.Sprintf("%s (#%d)", p.title, p.number)
	switch style {
	case Merge:
		message := fmt.Sprintf("Merge pull request '%s' from %s into %s\n\nReviewed-on: %s", title, p.head, p.base, r.pullURL(p))
		return r.commitTree(u, committer, key, tree, message, base, p.headSHA)
	case Squash:
		author, err := r.world.user(p.author)
		if err != nil {
			return "", err
		}
		return r.commitTree(author, committer, key, tree, title, base)
	}
	return "", fmt.Errorf("%w: merge style %q", errInvalid, style)
}

// Comment says something below a pull request.
func (r *Repo) Comment(number int, login, body string) error {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	u, err := r.world.user(login)
	if err != nil {
		return err
	}
	p, err := r.pull(number)
	if err != nil {
		return err
	}
	r.addComment(p, u, body)
	return nil
}

func (r *Repo) addComment(p *pull, u *user, body string) *comment {
	c := &comment{id: r.world.nextID(), by: u.login, body: body, at: now()}
	p.comments = append(p.comments, c)
	p.updated = c.at
	r.tellComment(u, p, c)
	return c
}

// Comments are those of a pull request, oldest first.
func (r *Repo) Comments(number int) []Comment {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	p, err := r.pull(number)
	if err != nil {
		return nil
	}
	var out []Comment
	for _, c := range p.comments {
		out = append(out, Comment{By: c.by, Body: c.body})
	}
	return out
}
