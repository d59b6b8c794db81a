package journal

import "time"

// ProposalKind is what a proposal is for.
type ProposalKind string

// The kinds of proposal.
const (
	ProposeRevert    ProposalKind = "revert"    // back to what serves, after a rollback
	ProposePromote   ProposalKind = "promote"   // let a rollout pass a step
	ProposeRetrain   ProposalKind = "retrain"   // a version that a pipeline made
	ProposePin       ProposalKind = "pin"       // a newer image, or the digest of a tag
	ProposePromotion ProposalKind = "promotion" // what ran well in another environment
)

// ProposalRecord is the state of one thing that Fairlead may want in Git, and the
// ledger of what became of such wishes: none that has ended is proposed again.
type ProposalRecord struct {
	FormatVersion int          `json:"format_version"`
	Proposal      string       `json:"proposal"` // key: revert-digits
	Kind          ProposalKind `json:"kind"`
	Model         string       `json:"model"`
	Include       string       `json:"include,omitempty"` // whose repo it is proposed to; "": the config repo itself
	// Open is the proposal that waits for people; nil: none does.
	Open *OpenProposal `json:"open,omitempty"`
	// Ended are those that came to an end, newest last, at most 200.
	Ended []EndedProposal `json:"ended,omitempty"`
	Since time.Time       `json:"since"` // of the last entry about it
}

// OpenProposal is a proposal that waits for people.
type OpenProposal struct {
	// Wish tells what is wanted from other wishes: equal ones are the same proposal.
	Wish   string    `json:"wish"`
	Title  string    `json:"title"`
	Body   string    `json:"body"` // Markdown, of the pull request
	Branch string    `json:"branch"`
	Base   string    `json:"base"`   // commit that it was made on
	Commit string    `json:"commit"` // that the branch has
	Pull   int       `json:"pull,omitempty"`
	URL    string    `json:"url,omitempty"`
	Since  time.Time `json:"since"`
}

// EndedProposal is an entry of the ledger of proposals.
type EndedProposal struct {
	Wish    string          `json:"wish"`
	Outcome ProposalOutcome `json:"outcome"`
	Title   string          `json:"title"`
	Pull    int             `json:"pull,omitempty"`
	URL     string          `json:"url,omitempty"`
	Commit  string          `json:"commit,omitempty"` // that merged it
	By      string          `json:"by,omitempty"`     // who merged or rejected it
	Reason  string          `json:"reason,omitempty"`
	At      time.Time       `json:"at"`
	// Tidied says what became of the branch and the pull request of one that is moot or
	// replaced; "": nobody has seen to that yet.
	Tidied string `json:"tidied,omitempty"`
}

// TidiedUp begins the reason of an entry that only tells what became of the branch and the
// pull request of a proposal that has ended. Its action is ActionPropose.
const TidiedUp = "tidied up: "

// ProposalOutcome is the closed set of ways in which a proposal ends.
type ProposalOutcome string

// The outcomes.
const (
	ProposalMerged   ProposalOutcome = "merged"
	ProposalRejected ProposalOutcome = "rejected" // a person closed it, or deleted its branch
	ProposalMoot     ProposalOutcome = "moot"     // what it is for is no more
	ProposalReplaced ProposalOutcome = "replaced" // by a newer wish
)
