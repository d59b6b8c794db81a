package spec

import "time"

// Trust says which commits of a config repo count. A commit is judged by the Trust
// of the one that was accepted before it, so that no change weakens its own gate.
type Trust struct {
	Pos  Pos       `json:"pos,omitzero"`
	Mode TrustMode `json:"mode"`
	// Since is a full commit id up to which, itself included, history is not
	// judged: what was there before signatures were asked for. "": all of it is.
	Since   string       `json:"since,omitempty"`
	Signers []Signer     `json:"signers,omitempty"` // sorted by Name
	Groups  []Group      `json:"groups,omitempty"`  // sorted by Name
	Reviews []ReviewRule `json:"reviews,omitempty"` // sorted by Name
}

// TrustMode is how much of the history has to be signed.
type TrustMode string

// The modes, the strictest last.
const (
	TrustOff   TrustMode = "off"   // nothing
	TrustHead  TrustMode = "head"  // the commit that is followed, or a tag on it
	TrustEvery TrustMode = "every" // every commit since the one that was accepted last
)

// Signer is one who may sign commits.
type Signer struct {
	Name string `json:"name"` // label of the block
	Pos  Pos    `json:"pos,omitzero"`
	// Login is the name of the person on the forge; "": Name.
	Login string `json:"login,omitempty"`
	// SSH are public keys as in authorized_keys; GPG are armoured public keys.
	SSH  []string   `json:"ssh,omitempty"`
	GPG  []string   `json:"gpg,omitempty"`
	Role SignerRole `json:"role"`
	// A signature counts if its commit's committer time is from ValidFrom up to
	// ValidUntil; zero: unbounded. Revoked: no signature counts that was made from
	// then on, nor any that is first seen from then on.
	ValidFrom  time.Time `json:"valid_from,omitzero"`
	ValidUntil time.Time `json:"valid_until,omitzero"`
	Revoked    time.Time `json:"revoked,omitzero"`
}

// SignerRole is what a signer's signature is good for.
type SignerRole string

// The roles.
const (
	// SignerPerson may sign any commit.
	SignerPerson SignerRole = "person"
	// SignerForge is the key of a forge. It counts for merges that add nothing of
	// their own: every parent has to be good by itself.
	SignerForge SignerRole = "forge"
	// SignerBot is a key of Fairlead, or another program. It counts for commits that
	// a person or the forge merges, never for a commit of the branch itself.
	SignerBot SignerRole = "bot"
)

// Group is a list of people under one name, which owners and reviewers may use:
// @vision.
type Group struct {
	Name    string   `json:"name"`    // without @
	Members []string `json:"members"` // logins, without @
	Pos     Pos      `json:"pos,omitzero"`
}

// ReviewRule says who must have approved what.
type ReviewRule struct {
	Name string `json:"name"`
	Pos  Pos    `json:"pos,omitzero"`
	// Paths are globs over the path of a file below the configured path, ** for any
	// directories; empty: all.
	Paths []string `json:"paths,omitempty"`
	// Approvals is how many people must have approved, none of them an author.
	Approvals int `json:"approvals"`
	// From are those whose approval counts: @login or @group; empty: anybody with
	// the forge's right to review.
	From []string `json:"from,omitempty"`
	// Owners: each object that the change touches, and each path that CODEOWNERS
	// gives somebody, must have the approval of an owner.
	Owners bool `json:"owners,omitempty"`
}
