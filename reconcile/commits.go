package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead/fairlead/spec"
)

// Commits is the history of a config repo, as far as it has to be known to judge
// whether a commit can be trusted, and what it would bring. It never asks go-git, or
// anything that parses and writes again, what was signed: a RawCommit holds the bytes
// of the object.
type Commits interface {
	// Range lists the commits that lead to `to` and not to `from`, parents first. An
	// empty from means all. It asks no network; the Source has to have fetched both.
	Range(ctx context.Context, from, to string) (CommitRange, error)
	// TreeAt reads what lies below the configured path at a commit.
	TreeAt(ctx context.Context, commit string) (spec.Tree, error)
	// FileAt reads one file of a commit by its path from the top of the repository,
	// at most 1 MiB; the error wraps fs.ErrNotExist if there is none.
	FileAt(ctx context.Context, commit, path string) ([]byte, error)
	// FetchRef fetches a ref that is not followed, as refs/pull/7/head, and returns its
	// commit.
	FetchRef(ctx context.Context, ref string) (commit string, err error)
	// Merge is what lies below the configured path when theirs is merged into ours, as
	// git merge would do it without a conflict. Nothing is written. Paths in conflict
	// are a *MergeConflict.
	Merge(ctx context.Context, ours, theirs string) (MergeResult, error)
}

// CommitRange is a part of the history.
type CommitRange struct {
	From, To string
	// Descends: From is an ancestor of To, or the same. Known is false where a shallow
	// repository ends before that is clear.
	Descends, Known bool
	Commits         []RawCommit // parents first
	// Tags are the annotated tags on To, raw.
	Tags []RawTag
	// Notes tell of what was passed over on purpose, such as replace refs and grafts.
	Notes []string
}

// RawCommit is a commit as it is stored.
type RawCommit struct {
	ID      string
	Raw     []byte // bytes of the object, without the header of the object store
	Parents []string
	Author  string    // "Name <mail>"
	Email   string    // of the author
	When    time.Time // of the committer
	Subject string
	// Changed are the paths from the top of the repository in which it differs from
	// its first parent, sorted; of a root commit all. At most 10,000 are listed, then
	// ChangedAll is false.
	Changed    []string
	ChangedAll bool
	// Clean: of a merge, that its tree is what merging its parents gives without any
	// conflict. False where that is not known. It is true of other commits.
	Clean bool
}

// RawTag is an annotated tag as it is stored.
type RawTag struct {
	Name string // without refs/tags/
	ID   string
	Raw  []byte
}

// MergeResult is a merge that was not made.
type MergeResult struct {
	Tree spec.Tree // its Commit is that of theirs
	Base string    // merge base
	// Changed are the paths from the top of the repository that differ from ours.
	Changed []string
}

// MergeConflict names what cannot be merged without a person.
type MergeConflict struct{ Paths []string }

func (e *MergeConflict) Error() string {
	text := "it conflicts with the branch that it would be merged into"
	for i, p := range e.Paths {
		if i == 5 {
			return text + ", ..."
		}
		if i == 0 {
			text += ": "
		} else {
			text += ", "
		}
		text += p
	}
	return text
}

// Signatures verifies what signs commits.
type Signatures interface {
	// Verify finds out whose signature a raw commit or tag holds. It never says good
	// of anything that does not parse to the last byte, and never panics.
	Verify(raw []byte, signers []spec.Signer) SignatureCheck
}

// SignatureCheck is what a signature is worth, apart from time.
type SignatureCheck struct {
	State  SignatureState
	Signer string // name of the spec.Signer, of a good one
	Key    string // fingerprint: SHA256:... of SSH, 40 hex digits of GPG; "" if it cannot be told
	// Expired is when the key itself expires by its own word, Revoked that the key
	// holds a revocation of itself.
	Expired time.Time
	Revoked bool
	Reason  string // why it is not good
}

// SignatureState is the closed set of outcomes.
type SignatureState string

// The outcomes.
const (
	SignatureNone    SignatureState = "none"    // there is none
	SignatureGood    SignatureState = "good"    // of a key of the signer
	SignatureUnknown SignatureState = "unknown" // of a key that nobody is known to have
	SignatureBad     SignatureState = "bad"     // of other bytes, damaged, or not understood
)

// Refusal is a commit that must not be followed. It is an error of a Source.
type Refusal struct {
	Repo   string // name of the source: root, or of an include
	Rule   string // that it breaks: trust.signed, trust.review "models", trust.rewind, ...
	Commit string // that breaks it, which may be older than the refused one
	Path   string // "" if it is about no path
	Reason string // for people
	Remedy string
	Pos    spec.Pos // of the rule
	// Waiting: nothing is wrong with it but that approvals are missing, or that who
	// knows of them cannot be asked.
	Waiting bool
	// Head is the commit that was refused.
	Head spec.Commit
}

func (e *Refusal) Error() string {
	text := "commit " + e.Head.Short() + " is refused by " + e.Rule
	if pos := e.Pos.String(); pos != "" {
		text += " (" + pos + ")"
	}
	text += ": " + e.Reason
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// ErrRefused is what every Refusal is.
var ErrRefused = errors.New("the commit is refused")

// Is makes errors.Is(err, ErrRefused) true.
func (e *Refusal) Is(target error) bool { return target == ErrRefused }
