package rollout

import (
	"errors"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// Act is an order that a person gives about a model.
type Act struct {
	Kind   ActKind `json:"kind"`
	Model  string  `json:"model"`
	Actor  string  `json:"actor"`
	Reason string  `json:"reason"`
	// Revision is the one that the order is about, as the person saw it: the
	// candidate, for Undo the stable one, for Retry the rejected one. Step is the
	// step that was shown. An order is refused when the model has moved on.
	Revision string `json:"revision"`
	Step     int    `json:"step"`
	// Full makes Promote pass all steps and checks that are left.
	Full bool `json:"full,omitempty"`
}

// ActKind is what a person wants.
type ActKind string

// The kinds.
const (
	ActPromote ActKind = "promote"
	ActPause   ActKind = "pause"
	ActResume  ActKind = "resume"
	ActAbort   ActKind = "abort"
	ActRetry   ActKind = "retry"
	ActUndo    ActKind = "undo"
)

// ErrMovedOn: the model is not where the person saw it.
var ErrMovedOn = errors.New("the model has moved on")

// ErrImpossible: the order makes no sense where the model is.
var ErrImpossible = errors.New("the order is not possible now")

// Order judges an order and returns the entry to be journaled for it. The errors
// wrap ErrMovedOn or ErrImpossible, and say how things stand.
func Order(r journal.Record, a Act, commit string, now time.Time) (*journal.Entry, error) {
	return nil, ErrImpossible
}
