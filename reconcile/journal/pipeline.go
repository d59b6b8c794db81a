package journal

import (
	"time"

	"github.com/fairlead/fairlead/reconcile/gate"
)

// PipelineRecord is the state of one pipeline: what has to be remembered so that no
// time of its schedule is run twice and nothing is published twice. The runs
// themselves are not here, only how the newest ended.
type PipelineRecord struct {
	FormatVersion int    `json:"format_version"`
	Pipeline      string `json:"pipeline"` // served name
	// Number is that of the newest run.
	Number int `json:"number"`
	// Schedule is the one that Fired is about: after an edit the times before it are
	// not made up for.
	Schedule string `json:"schedule,omitempty"`
	// Fired is the newest time of the schedule that was dealt with.
	Fired time.Time `json:"fired,omitzero"`
	// Fingerprint and Datasets (digest by dataset) are those of the newest run that
	// was prepared.
	Fingerprint string            `json:"fingerprint,omitempty"`
	Datasets    map[string]string `json:"datasets,omitempty"`
	Current     string            `json:"current,omitempty"` // run under way
	Last        *RunEnded         `json:"last,omitempty"`
	// Published are the versions that were proposed, newest last, at most 50.
	Published []RunPublished `json:"published,omitempty"`
	Since     time.Time      `json:"since"` // of the last entry about this pipeline
}

// RunEnded is how a run ended.
type RunEnded struct {
	Run     string        `json:"run"`
	Outcome string        `json:"outcome"` // run.Outcome
	Reason  string        `json:"reason,omitempty"`
	Commit  string        `json:"commit,omitempty"`
	Trigger string        `json:"trigger,omitempty"`
	Gates   []gate.Result `json:"gates,omitempty"`
	Started time.Time     `json:"started"`
	At      time.Time     `json:"at"`
}

// RunPublished is a version that a run proposed.
type RunPublished struct {
	Run      string    `json:"run"`
	Model    string    `json:"model"`
	Version  string    `json:"version"`
	Artifact string    `json:"artifact"`
	Content  string    `json:"content"` // digest of the files alone
	Profile  string    `json:"profile,omitempty"`
	Branch   string    `json:"branch,omitempty"`
	Commit   string    `json:"commit,omitempty"`
	At       time.Time `json:"at"`
}
