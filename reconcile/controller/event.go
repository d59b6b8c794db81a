package controller

import (
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// Event is something that happened, for logs, metrics and progress. Events are
// for watching: nothing is decided by them.
type Event struct {
	Time    time.Time     `json:"time"`
	Type    EventType     `json:"type"`
	Address spec.Address  `json:"address,omitzero"`
	Commit  string        `json:"commit,omitempty"`
	Verb    rollout.Verb  `json:"verb,omitempty"`
	Name    string        `json:"container,omitempty"`
	Message string        `json:"message"`
	Took    time.Duration `json:"took,omitempty"` // nanoseconds
	Err     error         `json:"-"`
	Phase   rollout.Phase `json:"phase,omitempty"`
	// Entry is the decision of a Decided, without its record; Ended is set if a
	// rollout has ended with it.
	Entry *journal.Entry `json:"entry,omitempty"`
	Ended *journal.Ended `json:"ended,omitempty"`
	// Verdict is what a Measured is about.
	Verdict *judge.Verdict `json:"verdict,omitempty"`
}

// EventType is what kind of thing happened.
type EventType string

// The types.
const (
	CommitAccepted  EventType = "commit_accepted"
	CommitRefused   EventType = "commit_refused" // does not load, or the guard refused it
	SourceFailed    EventType = "source_failed"
	SourceRecovered EventType = "source_recovered"
	EngineFailed    EventType = "engine_failed"
	EngineRecovered EventType = "engine_recovered"
	GatewayFailed   EventType = "gateway_failed"
	GatewayAnswers  EventType = "gateway_answers"
	ActionStarted   EventType = "action_started"
	ActionDone      EventType = "action_done"
	ActionFailed    EventType = "action_failed"
	Pulling         EventType = "pulling"
	TablePushed     EventType = "table_pushed"
	PhaseChanged    EventType = "phase_changed"
	Resynced        EventType = "resynced"   // one list of everything
	Reconciled      EventType = "reconciled" // one look at one object

	Decided          EventType = "decided"  // an entry is in the journal
	Measured         EventType = "measured" // a check was looked at
	JournalFailed    EventType = "journal_failed"
	JournalRecovered EventType = "journal_recovered"
	MetricsFailed    EventType = "metrics_failed"
	MetricsRecovered EventType = "metrics_recovered"

	DriftHealed EventType = "drift_healed" // nobody had decided it, and it is put right; Message has a line for each act
)
