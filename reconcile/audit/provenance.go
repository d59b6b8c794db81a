package audit

import (
	"cmp"
	"slices"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// Provenance tells of commits how they came to be followed.
type Provenance struct {
	records  []*journal.RepoRecord // oldest first
	byCommit map[string]int        // where in records
}

// NewProvenance reads entries with their records, in any order. Those that accept no
// commit are passed over. Of a commit that was accepted several times the first one
// counts, with the pull requests that were found out about it later.
func NewProvenance(entries []journal.Entry) *Provenance {
	p := &Provenance{byCommit: map[string]int{}}
	accepts := make([]journal.Entry, 0, len(entries))
	for _, e := range entries {
		if e.Action == journal.ActionAccept && e.RepoRecord != nil {
			accepts = append(accepts, e)
		}
	}
	slices.SortStableFunc(accepts, func(a, b journal.Entry) int { return a.At.Compare(b.At) })
	for _, e := range accepts {
		if p.completes(e.RepoRecord) {
			continue
		}
		at := len(p.records)
		p.records = append(p.records, e.RepoRecord)
		p.know(e.RepoRecord.Accepted, at)
		for _, c := range e.RepoRecord.Commits {
			p.know(c.ID, at)
		}
	}
	return p
}

// completes takes over from a record what it says beyond the one before it about the same
// step: where no rule asks for reviews, the pull requests are found out afterwards.
func (p *Provenance) completes(r *journal.RepoRecord) bool {
	at, known := p.byCommit[r.Accepted]
	if !known {
		return false
	}
	first := p.records[at]
	if first.Repo != r.Repo || first.Accepted != r.Accepted || first.Before != r.Before {
		return false
	}
	if len(first.Pulls) == 0 && len(r.Pulls) > 0 {
		whole := *first
		whole.Pulls = r.Pulls
		p.records[at] = &whole
	}
	return true
}

func (p *Provenance) know(commit string, at int) {
	if _, known := p.byCommit[commit]; !known {
		p.byCommit[commit] = at
	}
}

// Of is the record of when a commit came to be followed; nil if the journal does not
// know.
func (p *Provenance) Of(commit string) *journal.RepoRecord {
	if i, known := p.byCommit[commit]; known {
		return p.records[i]
	}
	return nil
}

// Brought is the newest record, up to the one of a commit, with a pull request that
// touches a model: a rollout may begin long after its commit was followed. Where none is
// known to do so, it is the record of the commit itself.
func (p *Provenance) Brought(commit, model string) *journal.RepoRecord {
	at, known := p.byCommit[commit]
	if !known {
		return nil
	}
	for _, r := range slices.Backward(p.records[:at+1]) {
		if r.Repo != p.records[at].Repo {
			continue
		}
		told := true // which objects it touches
		for _, pull := range r.Pulls {
			if touches(pull, model) {
				return r
			}
			told = told && len(pull.Objects) > 0
		}
		if len(r.Pulls) == 0 || !told {
			break // this one may have brought it
		}
	}
	return p.records[at]
}

func touches(pull journal.AcceptedPull, model string) bool {
	return slices.Contains(pull.Objects, "model."+model)
}

// pullsOf are the pull requests of a record that touch a model; where none is known to,
// all.
func pullsOf(r *journal.RepoRecord, model string) []journal.AcceptedPull {
	var found []journal.AcceptedPull
	for _, pull := range r.Pulls {
		if model != "" && touches(pull, model) {
			found = append(found, pull)
		}
	}
	if len(found) == 0 {
		return r.Pulls
	}
	return found
}

// commitIn is what a record knows about a commit; of one that it does not list, what it
// knows about the newest.
func commitIn(r *journal.RepoRecord, commit string) journal.AcceptedCommit {
	for _, id := range []string{commit, r.Accepted} {
		for _, c := range r.Commits {
			if c.ID == id {
				c.Author = cmp.Or(c.Author, r.Author)
				return c
			}
		}
	}
	return journal.AcceptedCommit{ID: r.Accepted, Author: r.Author}
}
