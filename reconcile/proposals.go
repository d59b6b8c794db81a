package reconcile

import (
	"context"
	"errors"
)

// Proposals writes what Fairlead would like to change in the config repo: a branch
// of its own with one commit, for people to review and merge. Nothing is ever
// written to the branch that is followed.
type Proposals interface {
	// Propose makes the branch hold exactly one commit on top of the base, with the
	// changes. A branch that holds the same already stays as it is; one whose newest
	// commit somebody else wrote is left alone, and the error wraps ErrNotOurs. The
	// call ends in bounded time; what may pass by itself wraps ErrUnavailable.
	Propose(ctx context.Context, p Proposal) (Proposed, error)
	// Look tells how the branch of a proposal stands; commit is what was proposed there,
	// into the commit that is followed.
	Look(ctx context.Context, branch, commit, into string) (ProposalBranch, error)
	// Withdraw deletes the branch of a proposal. One that is gone is no error; one whose
	// newest commit somebody else wrote is left alone, and the error wraps ErrNotOurs.
	Withdraw(ctx context.Context, branch string) error
	// Tag writes an annotated tag at a commit, and pushes it. A tag that is there
	// already is left as it is.
	Tag(ctx context.Context, name, commit, message string) error
}

// ErrNotOurs: a branch holds work of somebody else.
var ErrNotOurs = errors.New("the branch holds a commit that Fairlead did not write")

// Proposal is one change.
type Proposal struct {
	Branch  string // without refs/heads/, below fairlead/: fairlead/publish/digits-1.2.0
	Base    string // commit of the config repo that it is made on
	Message string // of the commit; its first line is the title
	// Files are the new contents, by path below the configured path; nil removes.
	Files map[string][]byte
}

// ProposalBranch is how the branch of a proposal stands.
type ProposalBranch struct {
	Tip    string // "" if there is no such branch
	Ours   bool   // Fairlead wrote the tip
	Merged bool   // the commit that was proposed is part of the history of into
}

// Proposed is where a proposal is.
type Proposed struct {
	Branch string `json:"branch"`
	Commit string `json:"commit"`
	Remote string `json:"remote"` // to which it was pushed, without credentials
	Pushed bool   `json:"pushed"` // false: it was there already
}
