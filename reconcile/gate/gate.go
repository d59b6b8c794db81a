package gate

import "github.com/fairlead/fairlead/spec"

// Result is what became of one gate, or of one policy about one object.
type Result struct {
	Name       string         `json:"name"`
	Policy     bool           `json:"policy,omitempty"`  // a policy block, not a gate of the pipeline
	Subject    string         `json:"subject,omitempty"` // address, of a policy
	Level      spec.GateLevel `json:"level"`
	Outcome    Outcome        `json:"outcome"`
	Detail     string         `json:"detail"`               // the condition with its figures: accuracy 0.9835 >= 0.95
	Require    string         `json:"require,omitempty"`    // as it was written
	Message    string         `json:"message,omitempty"`    // what to do
	Regulation string         `json:"regulation,omitempty"` // why it is asked
	Pos        spec.Pos       `json:"pos,omitzero"`
	Override   *Override      `json:"override,omitempty"`
}

// Outcome is the closed set of what can become of a condition.
type Outcome string

// The outcomes. What is missing or cannot be computed is no evidence, and denies as
// much as a condition that does not hold.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Missing Outcome = "missing"
)

// Override is a person's word that a soft condition does not count this time.
type Override struct {
	Actor  string `json:"actor"`
	Reason string `json:"reason"`
	// Detail is what was found when the word was given: it is about nothing else. "": it
	// is about whatever is found.
	Detail string `json:"detail,omitempty"`
}

// ID tells results apart: a policy is judged about several objects, and a gate may have
// its name.
func (r *Result) ID() string {
	if r.Policy {
		return "policy." + r.Name + " " + r.Subject
	}
	return r.Name
}

// Denies tells whether the result keeps what it is about from going on.
func (r *Result) Denies() bool {
	switch {
	case r.Outcome == Passed, r.Level == spec.LevelAdvisory:
		return false
	case r.Level == spec.LevelSoft:
		return r.Override == nil
	default:
		return true
	}
}
