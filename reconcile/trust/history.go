package trust

import (
	"slices"

	"github.com/fairlead/fairlead/reconcile"
)

// line is a range with the commits of the branch itself picked out: those that are
// reached by first parents alone.
type line struct {
	by     map[string]*reconcile.RawCommit // every commit that is judged
	branch []*reconcile.RawCommit          // oldest first
	on     map[string]bool                 // ids of branch
}

func newLine(r reconcile.CommitRange, sealed map[string]bool) line {
	l := line{by: make(map[string]*reconcile.RawCommit, len(r.Commits)), on: make(map[string]bool)}
	for i := range r.Commits {
		if c := &r.Commits[i]; !sealed[c.ID] {
			l.by[c.ID] = c
		}
	}
	for c := l.by[r.To]; c != nil && !l.on[c.ID]; {
		l.on[c.ID] = true
		l.branch = append(l.branch, c)
		if len(c.Parents) == 0 {
			break
		}
		c = l.by[c.Parents[0]]
	}
	slices.Reverse(l.branch)
	return l
}

// stretch is the part of a range from one commit of it, or its beginning, to another.
// Whether one descends from the other is found out anew.
func stretch(r reconcile.CommitRange, from, to string) reconcile.CommitRange {
	by := byID(r)
	before, upTo := reached(by, from), reached(by, to)
	part := r
	part.From, part.To, part.Commits, part.Descends = from, to, nil, from == "" || from == to
	for i := range r.Commits {
		if id := r.Commits[i].ID; upTo[id] && !before[id] {
			part.Commits = append(part.Commits, r.Commits[i])
		}
		part.Descends = part.Descends || upTo[r.Commits[i].ID] && slices.Contains(r.Commits[i].Parents, from)
	}
	return part
}

func byID(r reconcile.CommitRange) map[string]*reconcile.RawCommit {
	by := make(map[string]*reconcile.RawCommit, len(r.Commits))
	for i := range r.Commits {
		by[r.Commits[i].ID] = &r.Commits[i]
	}
	return by
}

// reached are the commits that lead to id, itself included.
func reached(by map[string]*reconcile.RawCommit, id string) map[string]bool {
	seen := make(map[string]bool)
	for left := []string{id}; len(left) > 0; {
		next := left[len(left)-1]
		left = left[:len(left)-1]
		if c := by[next]; c != nil && !seen[next] {
			seen[next] = true
			left = append(left, c.Parents...)
		}
	}
	return seen
}

// history refuses what is not known to come after the accepted commit.
func (j *judge) history() {
	r := j.Range
	switch {
	case r.To == "" || r.To != j.Head.ID:
		j.refuse(finding{
			rule: "trust.history", reason: "its history could not be read: it leads to " + short(r.To),
			remedy: "fetch the repository again",
		})
	case !r.Known:
		j.refuse(finding{
			rule:   "trust.history",
			reason: "the repository is shallow: its history ends before it is clear how the commit came about",
			remedy: "give the daemon a full clone (git fetch --unshallow)",
		})
	case r.From != "" && !r.Descends:
		j.refuse(finding{
			rule:   "trust.rewind",
			reason: "it does not descend from " + short(r.From) + ", which was accepted: history was rewritten, or the branch was set back",
			remedy: "undo changes by new commits; if history was rewritten on purpose, set since in the operator's trust file to a full commit id of the new history",
		})
	case r.From != r.To && j.missing(r.To):
		j.refuse(finding{
			rule: "trust.history", reason: "it is not part of the history that was read",
			remedy: "fetch the repository again",
		})
	}
}

// missing tells whether a commit should be in the range and is not.
func (j *judge) missing(id string) bool { return j.line.by[id] == nil && !j.Sealed[id] }
