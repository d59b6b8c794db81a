package spec

import (
	"time"

	"github.com/fairlead/fairlead/spec/expr"
)

// Approval is a block that lets a rollout pass a step that waits for people:
// merging it is the approval. It counts for the one revision and step that it
// names.
type Approval struct {
	Model    string `json:"model"`    // served name
	Revision string `json:"revision"` // of the candidate
	Step     int    `json:"step"`     // as people count: the first is 1
	// Started is when the rollout began that it lets pass, in RFC 3339 with all its digits.
	// "": it counts for the rollout of the revision that is under way when it is merged.
	Started string `json:"started,omitempty"`
	// Environment is the one in which it counts; "": in every one. A Config holds those
	// of its own environment only.
	Environment string `json:"environment,omitempty"`
	Pos         Pos    `json:"pos,omitzero"`
}

// Update says which newer images of a model are proposed. It is a block of a
// model.
type Update struct {
	Pos Pos `json:"pos,omitzero"`
	// Range is a constraint on tags that are semantic versions: "~1.2", ">= 1.2, < 2".
	// The highest that meets it is proposed. "": Tag is followed.
	Range string `json:"range,omitempty"`
	// Tag is followed by its digest. "": Range is.
	Tag      string        `json:"tag,omitempty"`
	Interval time.Duration `json:"interval"` // between two looks at the registry
}

// Promotion proposes for this environment what ran well in another.
type Promotion struct {
	Name string `json:"name"` // label of the block: the environment that is proposed for
	Pos  Pos    `json:"pos,omitzero"`
	From string `json:"from"` // environment
	// Models are the served names; empty: every model that both have.
	Models []string `json:"models,omitempty"`
	// After is how long a release must have been stable in From.
	After time.Duration `json:"after"`
	// Require are further conditions on from.FACT, all of which must hold.
	Require []expr.Expr `json:"require,omitempty"`
}
