package trust

import (
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// Evidence is what is known about the reviews of a range.
type Evidence struct {
	// NoForge: there is none that could be asked.
	NoForge bool
	// Path is the configured path of the config repo; "" or ".": its top. Only what
	// lies below it, and CODEOWNERS, is a matter of review.
	Path string
	// Branch is the one that is followed: a pull request into another one counts for
	// nothing. "": any.
	Branch string
	// Commits are what is known of each commit of the branch. One that is not there is
	// not known.
	Commits map[string]CommitEvidence
	// Differs are the paths from the top of the repository in which the head differs
	// from the accepted commit. What no commit of the branch owns up to is the head's.
	Differs []string
	// Owners is CODEOWNERS of the accepted commit.
	Owners Codeowners
	// Teams are those that rules and owners name and the forge was asked for, by name
	// in lower case, without @.
	Teams map[string]Team
	// Aside are the times of the committers of commits that pull requests consist of
	// and that did not come themselves, as those of a squash. Their signatures are
	// among the Checks.
	Aside map[string]time.Time
}

// CommitEvidence is what is known about one commit of the branch.
type CommitEvidence struct {
	// Err is why the forge could not tell.
	Err   error
	Pulls []PullEvidence // that brought it
	// Touched are the objects that it changes.
	Touched []Touched
}

// PullEvidence is a pull request as the forge has it.
type PullEvidence struct {
	Pull    reconcile.Pull
	Reviews []reconcile.Review
	Commits []reconcile.PullCommit
	// Same: of a squash or a rebase, that the commit holds exactly what merging the
	// reviewed head gives. NotSame says why that is not known.
	Same    bool
	NotSame string
}

// Team is what the forge says of a team.
type Team struct {
	Known   bool     // false: the forge has none of that name
	Members []string // logins
	Err     error    // it could not be asked
}

// Touched is an object that differs between two configs.
type Touched struct {
	Address string   // model.digits; trust
	Owners  []string // as the older config has them; of a new object its own
	Paths   []string // of the files that declare it, below the configured path
}
