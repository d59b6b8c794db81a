package runner

import (
	"errors"
	"time"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// StartOrder is a wish to start a run.
type StartOrder struct {
	Pipeline string           `json:"pipeline"`
	Kind     spec.TriggerKind `json:"kind,omitempty"`   // "": manual
	Params   map[string]any   `json:"params,omitempty"` // the others keep their default
	Fresh    bool             `json:"fresh,omitempty"`  // take no result of an earlier run
	Actor    string           `json:"actor"`
	Reason   string           `json:"reason,omitempty"`
}

// ResumeOrder goes on with a run that failed, was denied or was cancelled, as a new
// run of the same definition: what succeeded and does not depend on a changed
// parameter is taken over.
type ResumeOrder struct {
	Run    string         `json:"run"`
	Params map[string]any `json:"params,omitempty"` // those that change
	Actor  string         `json:"actor"`
	Reason string         `json:"reason,omitempty"`
}

// CancelOrder ends a run. Its containers are stopped, its exit steps run.
type CancelOrder struct {
	Run    string `json:"run"`
	Actor  string `json:"actor"`
	Reason string `json:"reason,omitempty"`
}

// OverrideOrder lets a soft gate pass for one run. The reason is required and
// journaled.
type OverrideOrder struct {
	Run    string `json:"run"`
	Gate   string `json:"gate"`
	Actor  string `json:"actor"`
	Reason string `json:"reason"`
}

// Errors that orders are refused with. Every refusal is for people.
var (
	ErrUnknown = errors.New("there is no such pipeline, run or gate")
	ErrRefused = errors.New("the order cannot be carried out")
)

// PipelineStatus is a declared pipeline and how it is.
type PipelineStatus struct {
	Name        string         `json:"name"`
	Pos         spec.Pos       `json:"pos,omitzero"`
	Description string         `json:"description,omitempty"`
	Schedule    string         `json:"schedule,omitempty"` // cron and zone
	Next        time.Time      `json:"next,omitzero"`      // time of the schedule
	On          []spec.Trigger `json:"on,omitempty"`
	Current     *run.Summary   `json:"current,omitempty"`
	Queued      *run.Cause     `json:"queued,omitempty"` // the run after the current one
	Last        *run.Summary   `json:"last,omitempty"`   // that ended
	Publishes   string         `json:"publishes,omitempty"`
	Problem     string         `json:"problem,omitempty"` // why it cannot run
	Gates       []gate.Result  `json:"gates,omitempty"`   // of the last run
	Definition  *spec.Pipeline `json:"definition"`        // for its graph
}

// Status is what the runner does.
type Status struct {
	FormatVersion int              `json:"format_version"`
	Pipelines     []PipelineStatus `json:"pipelines"` // sorted by name
}

// StatusFormat is the FormatVersion of Status.
const StatusFormat = 1

// ReproduceOrder makes a published version again, from its recorded definition,
// parameters and inputs: fresh, and publishing nothing.
type ReproduceOrder struct {
	Model   string `json:"model"`
	Version string `json:"version"`
	Actor   string `json:"actor"`
}
