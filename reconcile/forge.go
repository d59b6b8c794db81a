package reconcile

import (
	"context"
	"errors"
	"time"
)

// Forge is where the config repo is reviewed: GitHub, GitLab, Gitea or Forgejo. A
// pull request is what GitLab calls a merge request.
//
// All calls are safe for concurrent use and end in bounded time. An error says what
// was tried, of which repository, why it failed and what to do; it never holds a
// credential. What may pass by itself (the network, 5xx, a rate limit) wraps
// ErrUnavailable; where the forge says when to come back it is a *RetryError.
type Forge interface {
	// Name is how people call it, with the repository: "GitHub acme/models".
	Name() string
	// Self is the account that the calls are made by.
	Self(ctx context.Context) (ForgeUser, error)
	// CommitURL is the page of a commit. It asks nobody.
	CommitURL(commit string) string

	// Pulls lists the open pull requests, newest first, of all pages. Base and Head
	// pick by branch; empty: any.
	Pulls(ctx context.Context, q PullQuery) ([]Pull, error)
	// Pull is one, open or not. The error wraps ErrNoPull if there is none.
	Pull(ctx context.Context, number int) (Pull, error)
	// Latest is the newest pull request from a branch of the repository itself, in
	// any state; ErrNoPull if there never was one.
	Latest(ctx context.Context, head string) (Pull, error)
	// Brought lists the merged pull requests that brought a commit into the base.
	Brought(ctx context.Context, commit string) ([]Pull, error)
	// Reviews lists what people said about a pull request, oldest first. Commits are
	// the ids of the commits it consists of, oldest first.
	Reviews(ctx context.Context, number int) ([]Review, error)
	PullCommits(ctx context.Context, number int) ([]PullCommit, error)

	// OpenPull opens a pull request, or returns the open one of that head and base,
	// brought up to date.
	OpenPull(ctx context.Context, p NewPull) (Pull, error)
	// EditPull replaces title and text, where they differ.
	EditPull(ctx context.Context, number int, title, body string) error
	// ClosePull closes without merging. One that is not open stays as it is.
	ClosePull(ctx context.Context, number int) error
	// Comment keeps one comment current: the one of Self that holds the marker, an
	// HTML comment, is edited where it differs, and made where there is none.
	Comment(ctx context.Context, number int, marker, body string) error
	// Status puts a status on a commit. The same Context replaces the one before. The
	// annotations are put where the forge has a place for them; shown tells whether.
	Status(ctx context.Context, commit string, s CommitStatus) (annotated bool, err error)

	// Members are the logins of a team, as CODEOWNERS and owners name it: "acme/vision"
	// or "vision". The error wraps ErrNoTeam if the forge knows none of that name.
	Members(ctx context.Context, team string) ([]string, error)
}

// Errors of Forge that a caller decides by.
var (
	ErrNoPull = errors.New("there is no such pull request")
	ErrNoTeam = errors.New("there is no such team")
	// ErrStale: the pull request has moved on from the commit that was looked at.
	ErrStale = errors.New("the pull request has another head by now")
)

// RetryError says when to come back. It wraps ErrUnavailable.
type RetryError struct {
	After time.Time
	Cause error
}

func (e *RetryError) Error() string   { return e.Cause.Error() }
func (e *RetryError) Unwrap() []error { return []error{e.Cause, ErrUnavailable} }

// ForgeUser is an account.
type ForgeUser struct {
	Login string `json:"login"`
	Bot   bool   `json:"bot,omitempty"`
}

// PullQuery picks open pull requests.
type PullQuery struct{ Base, Head string }

// Pull is a pull request.
type Pull struct {
	Number  int       `json:"number"`
	URL     string    `json:"url"`
	Title   string    `json:"title"`
	Body    string    `json:"body,omitempty"`
	Author  string    `json:"author"` // login
	State   PullState `json:"state"`
	Base    string    `json:"base"`     // branch
	Head    string    `json:"head"`     // branch
	HeadSHA string    `json:"head_sha"` // of the branch now; of a merged one what was merged
	// Ref is where its head can be fetched from the repository: refs/pull/7/head.
	Ref string `json:"ref"`
	// Fork: the head is in another repository.
	Fork     bool      `json:"fork,omitempty"`
	Draft    bool      `json:"draft,omitempty"`
	Merged   string    `json:"merged,omitempty"`    // commit that brought it into the base
	MergedBy string    `json:"merged_by,omitempty"` // login
	ClosedBy string    `json:"closed_by,omitempty"` // login, where the forge tells
	Updated  time.Time `json:"updated,omitzero"`
}

// PullState is the state of a Pull.
type PullState string

// The states.
const (
	PullOpen   PullState = "open"
	PullMerged PullState = "merged"
	PullClosed PullState = "closed" // without having been merged
)

// PullCommit is one commit of a pull request, and whose the forge takes it to be.
type PullCommit struct {
	ID     string
	Author string // login; "": the forge knows no account of that address
	Email  string // of the author
	// Committer is the login of who made the commit of what the author wrote; "": the
	// forge does not tell.
	Committer string
}

// Review is what one person said about a pull request. Only the newest word of each
// person that is not a mere comment counts.
type Review struct {
	By     string      `json:"by"` // login
	State  ReviewState `json:"state"`
	Commit string      `json:"commit"` // full id of the head that was looked at; "": the forge does not tell
	At     time.Time   `json:"at"`
	// Official: the person may write to the repository, so that the forge itself
	// would count it.
	Official bool `json:"official"`
	// Stale: the forge says that the head has changed since.
	Stale bool `json:"stale,omitempty"`
}

// ReviewState is what a Review says.
type ReviewState string

// The states of a review.
const (
	ReviewApproved  ReviewState = "approved"
	ReviewChanges   ReviewState = "changes_requested"
	ReviewCommented ReviewState = "commented"
	ReviewDismissed ReviewState = "dismissed" // what was said counts no more
)

// NewPull is a pull request to be opened.
type NewPull struct {
	Head, Base  string // branches of the repository
	Title, Body string // Markdown
	Labels      []string
}

// CommitStatus is what a page of the forge shows beside a commit.
type CommitStatus struct {
	Context string      `json:"context"` // name of the check: fairlead/prod
	State   CommitState `json:"state"`
	Text    string      `json:"text"` // one line; longer than the forge takes is cut
	// Summary is Markdown, for forges whose checks have a page.
	Summary string `json:"summary,omitempty"`
	URL     string `json:"url,omitempty"` // that tells more
	// Annotations are shown at the lines they are about.
	Annotations []Annotation `json:"annotations,omitempty"`
}

// CommitState is the closed set of states that every forge has.
type CommitState string

// The states of a commit. A forge without one for held shows it as a failure that
// says so.
const (
	CommitPending CommitState = "pending"
	CommitSuccess CommitState = "success"
	CommitFailure CommitState = "failure"
	CommitHeld    CommitState = "held"
)

// Annotation is a remark on lines of a file.
type Annotation struct {
	Path    string `json:"path"`  // from the top of the repository
	Line    int    `json:"line"`  // from 1
	Level   string `json:"level"` // error, warning or notice
	Title   string `json:"title"`
	Message string `json:"message"`
}
