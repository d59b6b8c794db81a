package trust

import (
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// Input is all that a judgement depends on.
type Input struct {
	Repo string // journal.RootRepo, or the name of an include
	// Head is the commit that is to be followed; Range the history that leads to it
	// from the accepted one, "" if none was accepted yet.
	Head  spec.Commit
	Range reconcile.CommitRange
	Rules Rules
	// Sealed are the commits of the range that `since` says nothing is asked of.
	Sealed map[string]bool
	// Checks are the signatures of every commit and tag of the range, by id. One that
	// is not there is bad.
	Checks map[string]Check
	// Evidence is what is known of reviews. Nil is none: every review rule that
	// concerns a commit refuses it.
	Evidence *Evidence
	Now      time.Time
}

// Check is what was found out about one signature.
type Check struct {
	// By is the outcome with the signers of [Rules.Signers], Root the one with those
	// of the operator, where these are others; zero: nobody asked.
	By, Root reconcile.SignatureCheck
	// Seen is when the commit was first seen, which nobody can forge; zero: now.
	Seen time.Time
}

// Verdict is the outcome of a judgement.
type Verdict struct {
	// Refusals are all reasons not to follow the commit, the gravest first; empty: it
	// is accepted.
	Refusals []*reconcile.Refusal
	Mode     spec.TrustMode // that it was judged by
	// Commits and Pulls are what the journal keeps of an accepted one.
	Commits []journal.AcceptedCommit
	Pulls   []journal.AcceptedPull
	partial bool // of a pull request only a part is there: what follows may bring the rest
}

// Accepted tells whether the commit may be followed.
func (v Verdict) Accepted() bool { return len(v.Refusals) == 0 }

// Judge says whether the head may be followed. It is pure.
func Judge(in Input) Verdict {
	j := newJudge(in)
	mode, err := in.Rules.Mode()
	if err != nil {
		j.refuse(finding{rule: "trust.mode", reason: err.Error(), remedy: "correct the trust block, or upgrade fairlead"})
	}
	j.history()
	if len(j.refusals) == 0 {
		j.signatures(mode)
		j.reviews()
	}
	v := Verdict{Refusals: j.refusals, Mode: mode, partial: j.partial}
	if v.Accepted() {
		v.Commits, v.Pulls = j.commits(), j.accepted
	}
	return v
}

// Signed judges history and signatures alone: what has to be good before anything
// of the commit is read.
func Signed(in Input) Verdict {
	in.Rules = in.Rules.unreviewed()
	return Judge(in)
}

// unreviewed are the rules without those about reviews.
func (r Rules) unreviewed() Rules {
	without := func(t *spec.Trust) *spec.Trust {
		if t == nil {
			return nil
		}
		bare := *t
		bare.Reviews = nil
		return &bare
	}
	return Rules{Old: without(r.Old), Root: without(r.Root)}
}

// judge is one judgement as it goes on.
type judge struct {
	Input
	line     line
	good     map[string]*finding // by commit; nil: it is good by itself
	refusals []*reconcile.Refusal
	accepted []journal.AcceptedPull
	partial  bool
}

func newJudge(in Input) *judge {
	return &judge{Input: in, line: newLine(in.Range, in.Sealed), good: make(map[string]*finding)}
}

// finding is something that is wrong.
type finding struct {
	rule, commit, path, reason, remedy string
	pos                                spec.Pos
	waiting                            bool
}

func (j *judge) refuse(f finding) {
	if f.commit == "" {
		f.commit = j.Range.To
	}
	j.refusals = append(j.refusals, &reconcile.Refusal{
		Repo: j.Repo, Rule: f.rule, Commit: f.commit, Path: f.path, Reason: f.reason, Remedy: f.remedy,
		Pos: f.pos, Waiting: f.waiting, Head: j.Head,
	})
}

// commits are all commits of the range with those who signed them, oldest first.
func (j *judge) commits() []journal.AcceptedCommit {
	all := make([]journal.AcceptedCommit, 0, len(j.Range.Commits))
	for i := range j.Range.Commits {
		c := &j.Range.Commits[i]
		accepted := journal.AcceptedCommit{ID: c.ID, Author: c.Author}
		if check := j.Checks[c.ID].By; check.State == reconcile.SignatureGood {
			accepted.Signer, accepted.Key = check.Signer, check.Key
		}
		all = append(all, accepted)
	}
	return all
}

func short(id string) string { return spec.Commit{ID: id}.Short() }
