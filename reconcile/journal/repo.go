package journal

import (
	"time"

	"github.com/fairlead/fairlead/spec"
)

// RootRepo is the name of the config repo itself; others are those that it includes.
const RootRepo = spec.RootName

// RepoRecord is the state of one config repo: the commit that is followed, and why
// it could be trusted. It is written for each commit that comes to be followed, so
// the history of the file tells who brought and who approved everything.
type RepoRecord struct {
	FormatVersion int    `json:"format_version"`
	Repo          string `json:"repo"`
	URL           string `json:"url,omitempty"` // without credentials
	// Accepted is the commit that is followed; Before the one that was followed until
	// then.
	Accepted string    `json:"accepted"`
	Before   string    `json:"before,omitempty"`
	Author   string    `json:"author,omitempty"` // "Name <mail>", of Accepted
	Subject  string    `json:"subject,omitempty"`
	Mode     string    `json:"mode,omitempty"` // spec.TrustMode that it was judged by
	Since    time.Time `json:"since"`          // of the last entry about this repo
	// Commits tells of every commit from Before to Accepted, oldest first; of more
	// than 100 the newest.
	Commits []AcceptedCommit `json:"commits,omitempty"`
	// Pulls are the pull requests that brought them, as the forge had them.
	Pulls []AcceptedPull `json:"pulls,omitempty"`
	// Rules are those of Accepted, by which the next commit is judged should Accepted
	// itself not be readable any more; nil: they are not known.
	Rules *AcceptedRules `json:"rules,omitempty"`
}

// AcceptedRules are the rules that an accepted commit declares.
type AcceptedRules struct {
	Trust *spec.Trust `json:"trust,omitempty"` // nil: it has no trust block
	// Since is what the operator's file said when it was accepted. Another word is a
	// newer one.
	Since string `json:"since,omitempty"`
}

// AcceptedCommit is one commit that was judged.
type AcceptedCommit struct {
	ID     string `json:"id"`
	Author string `json:"author"`
	Signer string `json:"signer,omitempty"` // name of the spec.Signer
	Key    string `json:"key,omitempty"`    // fingerprint
}

// AcceptedPull is the evidence of a review.
type AcceptedPull struct {
	Number    int        `json:"number"`
	URL       string     `json:"url"`
	Author    string     `json:"author"`
	Head      string     `json:"head"`   // that was merged
	Merged    string     `json:"merged"` // commit on the branch
	MergedBy  string     `json:"merged_by,omitempty"`
	Approvals []Approver `json:"approvals,omitempty"`
	// Objects and Paths are what the change touches, as the rules had it.
	Objects []string `json:"objects,omitempty"` // model.digits
}

// Approver is one approval that counted.
type Approver struct {
	By    string    `json:"by"` // login
	At    time.Time `json:"at"`
	Rules []string  `json:"rules,omitempty"` // names of the rules that it was good for
}
