package audit

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Report is the outcome of a verification.
type Report struct {
	FormatVersion int    `json:"format_version"`
	Repository    string `json:"repository"`
	Branch        string `json:"branch"`
	// Head is the newest entry, First the time of the oldest.
	Head  Head      `json:"head,omitzero"`
	First time.Time `json:"first,omitzero"`
	// Signed counts the entries by the fingerprint of the key that signed them; Unsigned
	// are those that needed no signature and have none.
	Signed   []KeyUse    `json:"signed,omitempty"`
	Unsigned int         `json:"unsigned,omitempty"`
	Heads    []HeadFound `json:"heads,omitempty"` // that were asked about
	// Problems are sorted by entry, so the first is where to look. At most MaxProblems
	// are kept, and More counts the others.
	Problems []Problem `json:"problems"`
	More     int       `json:"more_problems,omitempty"`
	// Notes say what was not checked.
	Notes []string `json:"notes,omitempty"`
}

// ReportFormat is the FormatVersion of a Report.
const ReportFormat = 1

// MaxProblems bounds the list of problems: one rewritten entry makes every later one bad.
const MaxProblems = 1000

// KeyUse tells how much a key signed.
type KeyUse struct {
	Key     string `json:"key"`
	Entries int    `json:"entries"`
}

// HeadFound tells of a head whether the journal has it.
type HeadFound struct {
	Commit string `json:"commit"`
	Source string `json:"source,omitempty"`
	Entry  int    `json:"entry,omitempty"` // its number; 0: it is not there
}

// Problem is one thing that must not be.
type Problem struct {
	// Entry is the number of the entry, the oldest is 1; 0: it is about none.
	Entry   int    `json:"entry,omitempty"`
	Commit  string `json:"commit,omitempty"`
	Subject string `json:"subject,omitempty"` // first line of the message
	Rule    Rule   `json:"rule"`
	Reason  string `json:"reason"` // for people
}

// String is one line.
func (p Problem) String() string {
	text := string(p.Rule)
	if p.Commit != "" {
		text = fmt.Sprintf("commit %s, %s", short(p.Commit), p.Rule)
	}
	if p.Entry > 0 {
		text = fmt.Sprintf("entry %d, %s", p.Entry, text)
	}
	return text + ": " + p.Reason
}

// Rule is what a problem breaks.
type Rule string

// The rules.
const (
	RuleEntry     Rule = "entry"     // each commit is an entry
	RuleChain     Rule = "chain"     // each has one parent, and it is there
	RuleSignature Rule = "signature" // each is signed by a known key
	RuleJournal   Rule = "journal"   // each is of this journal and of no other
	RuleTree      Rule = "tree"      // each changes the file of its entry, and nothing else
	RuleRecord    Rule = "record"    // that file is what the entry says
	RuleTime      Rule = "time"      // time never goes back
	RuleAuthor    Rule = "author"    // who commits is who should
	RuleObject    Rule = "object"    // every object is there, and what its id says
	RuleHead      Rule = "head"      // the journal has the heads that are known
	RuleReplace   Rule = "replace"   // nothing makes git show another history
)

// OK tells whether nothing is wrong.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// Found is what a verification has seen of the branch, for Report.Conclude.
type Found struct {
	Problems []Problem
	// Number is where the branch has the commits of the heads, the oldest entry is 1.
	Number map[string]int
	// Keys counts entries by fingerprint.
	Keys map[string]int
	// Whole: the walk came to the beginning.
	Whole bool
}

// Conclude fills in the report: which of the known heads are there, and the problems in
// their order.
func (r *Report) Conclude(found Found, heads []Head) {
	r.FormatVersion = ReportFormat
	problems := found.Problems
	for _, h := range heads {
		n := found.Number[h.Commit]
		r.Heads = append(r.Heads, HeadFound{Commit: h.Commit, Source: h.Source, Entry: n})
		if p, bad := r.judge(h, n, found.Whole); bad {
			problems = append(problems, p)
		}
	}
	for key, n := range found.Keys {
		r.Signed = append(r.Signed, KeyUse{key, n})
	}
	slices.SortFunc(r.Signed, func(a, b KeyUse) int { return cmp.Or(cmp.Compare(b.Entries, a.Entries), cmp.Compare(a.Key, b.Key)) })
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(place(a), place(b)) })
	if len(problems) > MaxProblems {
		r.More = len(problems) - MaxProblems
		problems = problems[:MaxProblems]
	}
	r.Problems = append([]Problem{}, problems...)
}

// place sorts what is about no entry behind what is.
func place(p Problem) int {
	if p.Entry == 0 {
		return int(^uint(0) >> 1)
	}
	return p.Entry
}

// judge compares a known head with what is there. n is its number in the branch.
func (r *Report) judge(h Head, n int, whole bool) (Problem, bool) {
	p := Problem{Commit: h.Commit, Rule: RuleHead}
	switch {
	case h.Branch != "" && h.Branch != r.Branch:
		p.Reason = fmt.Sprintf("the head %s is of the branch %s, and this is %s", h, h.Branch, r.Branch)
	case n == 0 && r.Head.Commit == "":
		p.Reason = fmt.Sprintf("the journal once had the head %s, and now it is empty: the branch was deleted, or replaced", h)
	case n == 0 && h.Entries > r.Head.Entries:
		p.Reason = fmt.Sprintf("the journal once had the head %s, and now it ends with entry %d, %s: entries were removed from its end, at least %d of them, or it was rewritten; where this is a copy, they may wait with the daemon until the remote takes them, which fairlead status tells", h, r.Head.Entries, short(r.Head.Commit), h.Entries-r.Head.Entries)
	case n == 0:
		p.Reason = fmt.Sprintf("the journal once had the head %s, which is none of its entries now: it was cut off and went on, or was rewritten or replaced", h)
	case whole && h.Entries > 0 && h.Entries != n:
		p.Entry = n
		p.Reason = fmt.Sprintf("the head %s was entry %d and is entry %d here", h, h.Entries, n)
	default:
		return Problem{}, false
	}
	return p, true
}
