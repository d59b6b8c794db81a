package journal

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// Journal keeps decisions.
//
// Entries are appended one after another, from any goroutine; reading is safe
// beside it. Every call ends in bounded
// time. A remote that is away never fails an Append: what it has not got is
// queued, and Delivery tells.
type Journal interface {
	// Open makes the journal ready and returns the newest record of every
	// model; Pipelines has those of the pipelines. Where the local copy is gone or behind, it is rebuilt from the
	// remote; where the remote cannot be asked, the local copy counts.
	Open(ctx context.Context) (map[string]Record, error)
	// Append stores an entry, durable when it returns. Its effect must not
	// begin before. The error says what to do, for example that the disk is
	// full; nothing is stored then.
	Append(ctx context.Context, e Entry) error
	// History returns entries, newest first, without their records unless the query
	// asks for those. What is in the journal and no entry is passed over, and noted in
	// Delivery. Nothing has to be open for it.
	History(ctx context.Context, q Query) ([]Entry, error)
	// At returns the record of every model as it was at a time. Nothing has to
	// be open for it.
	At(ctx context.Context, at time.Time) (map[string]Record, error)
	// Pipelines, Repos and Proposals return the newest records of what is no model. The
	// journal has to be open.
	Pipelines(ctx context.Context) (map[string]PipelineRecord, error)
	Repos(ctx context.Context) (map[string]RepoRecord, error)
	Proposals(ctx context.Context) (map[string]ProposalRecord, error)
	// Delivery says how far the remote is behind.
	Delivery() Delivery
}

// ErrDiverged: somebody else wrote to the journal what contradicts it, for
// example a second daemon for the same environment.
var ErrDiverged = errors.New("the journal was written by somebody else")

// ErrClosed: the journal has not been opened.
var ErrClosed = errors.New("the journal is not open")

// Query picks entries of the history.
type Query struct {
	// Model, Pipeline, Repo and Proposal pick what entries are about; where all are
	// empty it is everything, and where more than one is set nothing.
	Model    string
	Pipeline string
	Repo     string
	Proposal string
	Actions  []Action  // empty: all
	Since    time.Time // zero: from the beginning
	Until    time.Time // zero: to the end
	Limit    int       // 0: all
	// Records: each entry comes with the record that it led to, which costs more.
	Records bool
}

// Picks tells whether an entry is asked for, apart from the limit.
func (q Query) Picks(e Entry) bool {
	return (q.Model == "" || q.Model == e.Model) && (q.Pipeline == "" || q.Pipeline == e.Pipeline) &&
		(q.Repo == "" || q.Repo == e.Repo) && (q.Proposal == "" || q.Proposal == e.Proposal) &&
		(len(q.Actions) == 0 || slices.Contains(q.Actions, e.Action)) &&
		(q.Since.IsZero() || !e.At.Before(q.Since)) &&
		(q.Until.IsZero() || !e.At.After(q.Until))
}

// Delivery is how far a remote is behind.
type Delivery struct {
	Remote  string    `json:"remote,omitempty"` // "": there is none, the journal is local
	Pending int       `json:"pending"`          // entries that it has not got
	Pushed  time.Time `json:"pushed,omitzero"`  // last success
	Error   string    `json:"error,omitempty"`  // of the last attempt
	// Notes are what a person should know about the journal: that it was rebuilt,
	// that somebody else wrote to it.
	Notes []string `json:"notes,omitempty"`
}

// Entry is one decision.
type Entry struct {
	ID     string    `json:"id,omitempty"` // of the commit that holds it; set when read
	At     time.Time `json:"at"`
	Action Action    `json:"action"`
	// Model is the served name of the model that it is about, Pipeline that of the
	// pipeline, Repo the name of the config repo (RootRepo, or that of an include),
	// Proposal the key of the proposal: one of them is set.
	Model    string `json:"model,omitempty"`
	Pipeline string `json:"pipeline,omitempty"`
	Repo     string `json:"repo,omitempty"`
	Proposal string `json:"proposal,omitempty"`
	Run      string `json:"run,omitempty"` // of the pipeline
	// From and To are the revisions that the decision moves between; either may
	// be empty. To of ActionOverride is the gate. Of ActionAccept they are commits.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Version is the team's own version of To; of ActionPublish it is MODEL@VERSION.
	Version string `json:"version,omitempty"`
	Weight  int    `json:"weight"`           // of the candidate, after the decision
	Commit  string `json:"commit,omitempty"` // of the config repo that is followed
	// Include is NAME@COMMIT of the included repo that declares the model; "" where the
	// config repo itself does.
	Include string `json:"include,omitempty"`
	// Reason of ActionEnd begins with the outcome of the run.
	Reason string `json:"reason"`
	Actor  string `json:"actor"` // "fairlead", or who gave the order
	// Record is the state of the model after the decision; nil removes it.
	Record *Record `json:"record,omitempty"`
	// PipelineRecord is the state of the pipeline after the decision; nil removes it.
	PipelineRecord *PipelineRecord `json:"pipeline_record,omitempty"`
	RepoRecord     *RepoRecord     `json:"repo_record,omitempty"`     // likewise
	ProposalRecord *ProposalRecord `json:"proposal_record,omitempty"` // likewise
}

// Subject is the name of what the entry is about.
func (e *Entry) Subject() string { return cmp.Or(e.Model, e.Pipeline, e.Repo, e.Proposal) }

// DeclaredIn is the commit that declares what the entry is about, of the repo that does.
func (e *Entry) DeclaredIn() string { return declaredIn(e.Commit, e.Include) }

// Daemon is the actor of what Fairlead decides by itself.
const Daemon = "fairlead"

// Action is what was decided.
type Action string

// The actions.
const (
	ActionAdopt     Action = "adopt"    // what was found running is stable
	ActionStart     Action = "start"    // a rollout begins
	ActionStep      Action = "step"     // the rollout comes to a step
	ActionWeight    Action = "weight"   // the candidate gets its share
	ActionTolerate  Action = "tolerate" // a check failed, within its limit
	ActionFinish    Action = "finish"   // all steps have passed: to full size
	ActionPromote   Action = "promote"
	ActionRollback  Action = "rollback"
	ActionReturn    Action = "return" // fast, to a release that was kept
	ActionAbort     Action = "abort"
	ActionSupersede Action = "supersede"
	ActionFail      Action = "fail" // a first deployment
	ActionHold      Action = "hold"
	ActionRelease   Action = "release" // the previous release is kept no longer
	ActionRemove    Action = "remove"  // the model or pipeline is not in Git

	ActionApprove Action = "approve"
	ActionPause   Action = "pause"
	ActionResume  Action = "resume"
	ActionRetry   Action = "retry" // the ledger forgets a rejection

	ActionSchedule Action = "schedule" // the times of a pipeline are now these
	ActionRun      Action = "run"      // a run of a pipeline starts
	ActionOverride Action = "override" // a person lets a soft gate pass
	ActionPublish  Action = "publish"  // a run proposes a version
	ActionEnd      Action = "end"      // a run has ended

	ActionAccept Action = "accept" // a commit of a config repo is followed from now on

	ActionPropose  Action = "propose"  // a proposal is opened, or brought up to date
	ActionConclude Action = "conclude" // a proposal is merged, rejected or moot
)
