package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/plain"
)

// Commit is one commit of the journal's branch, as it is stored.
type Commit struct {
	ID                string
	Parents           []string
	Author, Committer Stamp
	Message           string
	Signature         reconcile.SignatureCheck
	// Changes are the files in which its tree differs from that of its first parent; of
	// the first commit all.
	Changes []Change
}

// Stamp is who did something, and when.
type Stamp struct {
	By   string    // "Name <mail>"
	When time.Time // to the second
}

// Change is a file that a commit changes.
type Change struct {
	Path    string
	Removed bool
	Regular bool   // a plain file, not executable, and neither link nor submodule
	Data    []byte // of a plain file that is there now
}

// Rules is what a commit of the journal has to keep. Nothing of it needs another commit
// than the one before.
type Rules struct {
	// Signed: the signature has to be good. False where nobody told which keys are.
	Signed bool
	// Committers are those who may commit, "Name <mail>"; empty: anybody.
	Committers []string
	// Journal is the branch that signed entries name; empty: any. Those that name none
	// are older than that, so none follows one that does.
	Journal string
}

// Check lists what is wrong with a commit that follows another, which is nil for the first
// one. The problems have no number yet.
func (r Rules) Check(c Commit, before *Commit) []Problem {
	var problems []Problem
	subject, _, _ := strings.Cut(c.Message, "\n")
	wrong := func(rule Rule, format string, args ...any) {
		problems = append(problems, Problem{Commit: c.ID, Subject: plain.Line(subject), Rule: rule, Reason: fmt.Sprintf(format, args...)})
	}
	if len(c.Parents) > 1 {
		wrong(RuleChain, "it is a merge of %d histories; the journal is one chain, and fairlead merges nothing into it", len(c.Parents))
	}
	if r.Signed {
		r.checkSignature(c, wrong)
	}
	e, err := journal.ParseMessage(c.Message)
	if err != nil {
		text := err.Error()
		if errors.Is(err, journal.ErrForeign) {
			text = "its message is none that fairlead writes"
		}
		wrong(RuleEntry, "it is no entry of the journal: %s; %s committed it", text, plain.Line(c.Committer.By))
		return problems
	}
	r.checkBinding(c, before, wrong)
	r.checkStamps(c, e, before, wrong)
	checkTree(c, &e, wrong)
	return problems
}

// sayer adds a problem.
type sayer func(rule Rule, format string, args ...any)

func (r Rules) checkSignature(c Commit, wrong sayer) {
	switch s := c.Signature; s.State {
	case reconcile.SignatureGood:
	case reconcile.SignatureNone:
		wrong(RuleSignature, "it is not signed; %s committed it", plain.Line(c.Committer.By))
	case reconcile.SignatureUnknown:
		wrong(RuleSignature, "it is signed with a key that is not one of the journal's: %s", s.Reason)
	default:
		wrong(RuleSignature, "its signature is not good: %s", s.Reason)
	}
}

// checkBinding looks for entries that were signed for another journal.
func (r Rules) checkBinding(c Commit, before *Commit, wrong sayer) {
	if r.Journal == "" {
		return
	}
	named, _ := journal.BoundTo(c.Message)
	switch {
	case named == r.Journal:
	case named != "":
		wrong(RuleJournal, "it was written for the journal %s, and this is %s", plain.Line(named), r.Journal)
	case r.Signed && before != nil:
		if named, _ = journal.BoundTo(before.Message); named != "" {
			wrong(RuleJournal, "it does not say which journal it is of, and the entry before it does")
		}
	}
}

// checkStamps compares the times of a commit with that of its entry, and with the one
// before it: its author's time is that of the decision, its committer's time likewise,
// but it never goes back.
func (r Rules) checkStamps(c Commit, e journal.Entry, before *Commit, wrong sayer) {
	at := e.At.Truncate(time.Second)
	want := at
	if before != nil && want.Before(before.Committer.When) {
		want = before.Committer.When
	}
	switch {
	case before != nil && c.Committer.When.Before(before.Committer.When):
		wrong(RuleTime, "it was committed at %s, before the entry that it follows, of %s: the order was changed, or a clock", clock(c.Committer.When), clock(before.Committer.When))
	case !c.Author.When.Equal(at):
		wrong(RuleTime, "its author's time is %s, and the entry is of %s", clock(c.Author.When), clock(e.At))
	case !c.Committer.When.Equal(want):
		wrong(RuleTime, "its committer's time is %s and has to be %s, by its entry and the one before it", clock(c.Committer.When), clock(want))
	}
	switch {
	case c.Author.By != c.Committer.By:
		wrong(RuleAuthor, "%s is its author and %s committed it; fairlead is both", plain.Line(c.Author.By), plain.Line(c.Committer.By))
	case len(r.Committers) > 0 && !slices.Contains(r.Committers, c.Committer.By):
		wrong(RuleAuthor, "%s committed it, and may not; %s may", plain.Line(c.Committer.By), strings.Join(r.Committers, ", "))
	}
}

// checkTree compares what a commit changes with what its entry says.
func checkTree(c Commit, e *journal.Entry, wrong sayer) {
	path := e.Folder() + "/" + journal.FileName(e.Subject())
	for _, change := range c.Changes {
		if change.Path != path {
			wrong(RuleTree, "it changes %s, and is about %s", plain.Line(change.Path), path)
			continue
		}
		if change.Removed {
			continue
		}
		if !change.Regular {
			wrong(RuleTree, "it makes %s something else than a plain file", path)
			continue
		}
		if err := e.DecodeInto(change.Data); err != nil {
			wrong(RuleRecord, "%s: %s", path, err)
			continue
		}
		if reason := contradiction(e); reason != "" {
			wrong(RuleRecord, "%s contradicts the entry: %s", path, reason)
		}
	}
}

// contradiction says where a record is not what its entry led to.
func contradiction(e *journal.Entry) string {
	since := time.Time{}
	switch {
	case e.Record != nil:
		since = e.Record.Since
	case e.PipelineRecord != nil:
		since = e.PipelineRecord.Since
	case e.ProposalRecord != nil:
		since = e.ProposalRecord.Since
	case e.RepoRecord != nil:
		since = e.RepoRecord.Since
		if e.Action == journal.ActionAccept && e.RepoRecord.Accepted != e.To {
			return fmt.Sprintf("it says that %s is followed, and the entry accepts %s", short(e.RepoRecord.Accepted), short(e.To))
		}
	}
	switch {
	case e.Action == journal.ActionRemove && !onlyLedger(e.Record):
		return "it is there, and the entry removes it"
	case !since.IsZero() && !since.Equal(e.At):
		return fmt.Sprintf("it is of %s, and the entry of %s", clock(since), clock(e.At))
	}
	return ""
}

// onlyLedger: nothing is left of a model that was removed but what was rejected of it.
func onlyLedger(r *journal.Record) bool {
	return r != nil && len(r.Rejected) > 0 && r.Stable == nil && r.Previous == nil && r.Rollout == nil && r.Last == nil
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
