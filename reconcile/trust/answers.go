package trust

import (
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// How much of what the forge said is kept, and for how long: what is taken back after
// the merge of a commit that waits to be followed is seen after that time.
const (
	maxAnswers = 2000
	answerLife = 15 * time.Minute
)

// answers are what the forge said of commits and of merged pull requests, so that a
// long backlog behind one commit that waits is not asked for at each look. It is safe
// for concurrent use.
type answers struct {
	mu      sync.Mutex
	looks   int
	commits map[string]*answer[[]reconcile.Pull] // by commit
	pulls   map[pullKey]*answer[PullEvidence]
	same    map[squash]bool // what was found to hold what was reviewed
}

// pullKey is a pull request as it was merged.
type pullKey struct {
	number       int
	head, merged string
}

// squash is a run of commits that a pull request brought.
type squash struct{ head, first, last string }

// answer is what was said in one look.
type answer[T any] struct {
	said T
	look int
	at   time.Time
	// doubted: nothing good came of it, or it may change. It counts in its own look.
	doubted bool
}

// current tells whether an answer counts in a look.
func (a *answer[T]) current(look int, now time.Time) bool {
	return a != nil && (a.look == look || !a.doubted && now.Sub(a.at) < answerLife)
}

// begin is the number of a new look.
func (a *answers) begin() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.looks++
	return a.looks
}

// brought are the pull requests that brought a commit, where that is known.
func (a *answers) brought(commit string, look int, now time.Time) ([]reconcile.Pull, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.commits[commit]; known.current(look, now) {
		return known.said, true
	}
	return nil, false
}

func (a *answers) keepBrought(commit string, pulls []reconcile.Pull, look int, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.commits == nil || len(a.commits) >= maxAnswers {
		a.commits = make(map[string]*answer[[]reconcile.Pull])
	}
	a.commits[commit] = &answer[[]reconcile.Pull]{said: pulls, look: look, at: now, doubted: !final(pulls...)}
}

// final tells whether pull requests are merged, all of them, and at least one.
func final(pulls ...reconcile.Pull) bool {
	for _, p := range pulls {
		if p.State != reconcile.PullMerged || p.HeadSHA == "" || p.Merged == "" {
			return false
		}
	}
	return len(pulls) > 0
}

func keyOf(p reconcile.Pull) pullKey { return pullKey{p.Number, p.HeadSHA, p.Merged} }

// pull is what is known of a pull request; current: its reviews count. Of a merged one
// the commits stay what they are in any case.
func (a *answers) pull(p reconcile.Pull, look int, now time.Time) (e PullEvidence, current bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.pulls[keyOf(p)]
	switch {
	case known.current(look, now):
		return known.said, true
	case known != nil && final(p):
		return PullEvidence{Commits: known.said.Commits}, false
	}
	return PullEvidence{}, false
}

func (a *answers) keepPull(e PullEvidence, look int, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pulls == nil || len(a.pulls) >= maxAnswers {
		a.pulls = make(map[pullKey]*answer[PullEvidence])
	}
	a.pulls[keyOf(e.Pull)] = &answer[PullEvidence]{said: e, look: look, at: now, doubted: !final(e.Pull)}
}

// doubt makes what was said of a commit be asked for again in the next look.
func (a *answers) doubt(commit string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.commits[commit]
	if known == nil {
		return
	}
	known.doubted = true
	for _, p := range known.said {
		if e := a.pulls[keyOf(p)]; e != nil {
			e.doubted = true
		}
	}
}

func (a *answers) isSame(s squash) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.same[s]
}

func (a *answers) keepSame(s squash, same bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.same == nil || len(a.same) >= maxAnswers {
		a.same = make(map[squash]bool)
	}
	a.same[s] = same
}
