package forgetest

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// What a review says, in Gitea's words.
const (
	Approved         = "APPROVED"
	ChangesRequested = "REQUEST_CHANGES"
	Commented        = "COMMENT"
)

type review struct {
	id        int64
	by        string
	state     string
	body      string
	commit    string
	official  bool
	stale     bool
	dismissed bool
	at        time.Time
}

var errOwnPull = errors.New("nobody approves a pull request of their own")

// Review says something about the head of now, as a user.
func (r *Repo) Review(number int, login, state, body string) error {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.world.sync(nil)
	u, err := r.world.user(login)
	if err != nil {
		return err
	}
	p, err := r.pull(number)
	if err != nil {
		return err
	}
	_, err = r.addReview(p, u, state, body, "")
	return err
}

func (r *Repo) addReview(p *pull, u *user, state, body, commit string) (*review, error) {
	switch {
	case !slices.Contains([]string{Approved, ChangesRequested, Commented}, state):
		return nil, fmt.Errorf("%w: review state %q", errInvalid, state)
	case state != Approved && body == "":
		return nil, fmt.Errorf("%w: the review says nothing", errInvalid)
	case state != Commented && u.login == p.author:
		return nil, errOwnPull
	}
	if commit == "" {
		commit = p.headSHA
	}
	rev := &review{id: r.world.nextID(), by: u.login, state: state, body: body, commit: commit, at: now()}
	rev.stale = commit != p.headSHA && r.contents("refs/heads/"+p.base, commit) != p.contents
	if state != Commented { // only the newest word of a person is official
		for _, other := range p.reviews {
			if other.by == u.login {
				other.official = false
			}
		}
		rev.official = r.mayWrite(u.login)
	}
	p.reviews = append(p.reviews, rev)
	p.updated = rev.at
	r.tellReview(u, p, rev)
	return rev, nil
}

// Dismiss takes the newest approval or refusal of a user back, as who may write.
func (r *Repo) Dismiss(number int, login string) error {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	p, err := r.pull(number)
	if err != nil {
		return err
	}
	for _, rev := range slices.Backward(p.reviews) {
		if rev.by == login && rev.state != Commented && !rev.dismissed {
			rev.dismissed = true
			p.updated = now()
			return nil
		}
	}
	return fmt.Errorf("%w: a review of %s", errNotFound, login)
}
