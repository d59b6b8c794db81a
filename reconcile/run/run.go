package run

import (
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/spec"
)

// Format is the FormatVersion that this program writes and reads.
const Format = 1

// Run is one execution of a pipeline: what it was started with, and how far it is.
// It is stored whole after every change, and what is stored is enough to go on.
type Run struct {
	FormatVersion int    `json:"format_version"`
	ID            string `json:"id"` // PIPELINE-NUMBER
	Pipeline      string `json:"pipeline"`
	Environment   string `json:"environment"`
	Trigger       Cause  `json:"trigger"`
	// Commit is that of the config repo, and Definition the pipeline as it was there:
	// an edit in Git does not change a run under way.
	Commit     string        `json:"commit,omitempty"`
	Definition spec.Pipeline `json:"definition"`
	// Fingerprint is that of the definition. While it stays the same nothing has
	// changed that on = [change] would start for.
	Fingerprint string         `json:"fingerprint,omitempty"`
	Params      map[string]any `json:"params,omitempty"` // every parameter, defaults filled in
	Fresh       bool           `json:"fresh,omitempty"`  // no result of an earlier run is taken

	// What Prepare found out.
	Images   map[string]reconcile.Image `json:"images,omitempty"` // by reference as written
	Datasets map[string]Dataset         `json:"datasets,omitempty"`
	Secrets  map[string]string          `json:"secrets,omitempty"` // version by name

	Phase Phase            `json:"phase"`
	Nodes map[string]*Node `json:"nodes"` // by ID
	// Gates are judged when every step but the exit steps has ended.
	Gates []gate.Result `json:"gates,omitempty"`
	// Overrides are people's words about soft gates, by gate.
	Overrides map[string]gate.Override `json:"overrides,omitempty"`
	// Reproduces is the version that the run makes again, MODEL@VERSION; it publishes
	// nothing then.
	Reproduces string `json:"reproduces,omitempty"`
	// Chain are the runs that this one goes on with, the first one first.
	Chain []string `json:"chain,omitempty"`
	// Recorded are the digests that its datasets must have, by name.
	Recorded map[string]string `json:"recorded,omitempty"`
	// Contents are those datasets as the store still has them, by name: they are read
	// from there, whatever is at their sources now.
	Contents  map[string]string `json:"contents,omitempty"`
	Cancelled *Order            `json:"cancelled,omitempty"`
	Published *Publication      `json:"published,omitempty"`

	Outcome  Outcome   `json:"outcome,omitempty"` // "" while it is not decided
	Reason   string    `json:"reason,omitempty"`
	Created  time.Time `json:"created"`
	Began    time.Time `json:"began,omitzero"`   // when it was not queued any more
	Started  time.Time `json:"started,omitzero"` // when it was prepared
	Finished time.Time `json:"finished,omitzero"`
	// Judged is when the gates were judged first. It is the time of the version.
	Judged time.Time `json:"judged,omitzero"`
	// Tries counts failures in a row of what the run does as a whole: to prepare, to
	// publish; it is tried again at RetryAt.
	Tries      int       `json:"tries,omitempty"`
	TriedSince time.Time `json:"tried_since,omitzero"`
	RetryAt    time.Time `json:"retry_at,omitzero"`
}

// Cause is why a run was started.
type Cause struct {
	Kind      spec.TriggerKind `json:"kind"`
	Actor     string           `json:"actor,omitempty"`
	Reason    string           `json:"reason,omitempty"`
	Scheduled time.Time        `json:"scheduled,omitzero"` // the time that cron said
	Dataset   string           `json:"dataset,omitempty"`
	Resumes   string           `json:"resumes,omitempty"` // run that this one goes on with
}

// Phase is where a run is.
type Phase string

// The phases, in their order.
const (
	Queued     Phase = "queued"     // behind another run of the pipeline
	Preparing  Phase = "preparing"  // images are pinned, datasets fetched and checked
	Running    Phase = "running"    // steps run
	Judging    Phase = "judging"    // gates are judged
	Publishing Phase = "publishing" // the new version is stored and proposed
	Exiting    Phase = "exiting"    // exit steps run
	Done       Phase = "done"
)

// Outcome is how a run ended.
type Outcome string

// The outcomes.
const (
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"    // a step, a dataset, or publishing
	Denied    Outcome = "denied"    // by a gate or a policy
	Cancelled Outcome = "cancelled" // by a person, or by a newer run
)

// Dataset is a dataset as the run reads it.
type Dataset struct {
	Digest  string   `json:"digest,omitempty"`  // as declared: of the file, or the manifest
	Content string   `json:"content,omitempty"` // of the store
	Size    int64    `json:"size,omitempty"`
	Rows    int64    `json:"rows,omitempty"`
	Checked []string `json:"checked,omitempty"` // expectations that hold, in words
}

// Node is one container of the graph: a step, or one variant of it.
type Node struct {
	ID     string         `json:"id"` // train, or train.2
	Step   string         `json:"step"`
	Values map[string]any `json:"values,omitempty"` // of the matrix, or of the trial
	Trial  int            `json:"trial,omitempty"`  // index of the variant, from 0
	Phase  NodePhase      `json:"phase"`
	// Key is that of the cache, once all inputs are known, and KeyOf what it was made
	// from, to tell what differs.
	Key   string    `json:"key,omitempty"`
	KeyOf *KeyParts `json:"key_of,omitempty"`
	// Again: another node computes the same, so the cache is asked again when that has
	// ended.
	Again bool `json:"again,omitempty"`
	// From is the run whose result was taken; "" where the node ran itself.
	From string `json:"from,omitempty"`

	Attempt  int                          `json:"attempt,omitempty"` // from 1
	Started  time.Time                    `json:"started,omitzero"`  // of the attempt's container
	Finished time.Time                    `json:"finished,omitzero"`
	RetryAt  time.Time                    `json:"retry_at,omitzero"`
	ExitCode int                          `json:"exit_code,omitempty"`
	Cause    spec.StepCause               `json:"cause,omitempty"` // of a failure
	Reason   string                       `json:"reason,omitempty"`
	Outputs  map[string]reconcile.Content `json:"outputs,omitempty"`
	Metrics  map[string]float64           `json:"metrics,omitempty"`
	// Launched is when the daemon learnt that the attempt's container was started.
	Launched time.Time `json:"launched,omitzero"`
	// Litter are the attempts of which a container or a work directory may be left.
	Litter []int `json:"litter,omitempty"`
	// Past are the attempts that failed.
	Past []Attempt `json:"past,omitempty"`
}

// NodePhase is where a node is.
type NodePhase string

// The phases of a node.
const (
	NodeWaiting    NodePhase = "waiting"  // for what it needs
	NodeLooking    NodePhase = "looking"  // whether an earlier run did the same
	NodeReady      NodePhase = "ready"    // for a slot
	NodeBackoff    NodePhase = "backoff"  // before the next attempt
	NodeStarting   NodePhase = "starting" // its image and inputs are brought, its container started
	NodeRunning    NodePhase = "running"
	NodeStopping   NodePhase = "stopping"   // too long, too large, or cancelled
	NodeCollecting NodePhase = "collecting" // its outputs and metrics are read
	NodeSucceeded  NodePhase = "succeeded"
	NodeFailed     NodePhase = "failed"
	NodeSkipped    NodePhase = "skipped" // its condition does not hold, or what it needs is not there
	NodeCancelled  NodePhase = "cancelled"
)

// Ended tells whether nothing more becomes of the node.
func (p NodePhase) Ended() bool {
	switch p {
	case NodeSucceeded, NodeFailed, NodeSkipped, NodeCancelled:
		return true
	default:
		return false
	}
}

// Attempt is one try at a node that failed.
type Attempt struct {
	Attempt  int            `json:"attempt"`
	Started  time.Time      `json:"started,omitzero"`
	Finished time.Time      `json:"finished"`
	ExitCode int            `json:"exit_code,omitempty"`
	Cause    spec.StepCause `json:"cause"`
	Reason   string         `json:"reason"`
}

// KeyParts are what the result of a node follows from.
type KeyParts struct {
	Format     int                          `json:"format"`
	Image      string                       `json:"image"` // the pin
	Entrypoint []string                     `json:"entrypoint,omitempty"`
	Command    []string                     `json:"command,omitempty"`
	Env        map[string]string            `json:"env,omitempty"`
	Secrets    map[string]string            `json:"secrets,omitempty"` // version, by where they are used
	User       string                       `json:"user,omitempty"`
	Network    bool                         `json:"network,omitempty"`
	Inputs     map[string]map[string]string `json:"inputs,omitempty"` // digest by variant ("" without) by name
	Outputs    []string                     `json:"outputs,omitempty"`
	Metrics    string                       `json:"metrics,omitempty"`
	Mounts     []string                     `json:"mounts,omitempty"`
}

// Result is what the cache keeps of a node that succeeded.
type Result struct {
	Key     string                       `json:"key"`
	KeyOf   KeyParts                     `json:"key_of"`
	Run     string                       `json:"run"` // that made it
	Node    string                       `json:"node"`
	At      time.Time                    `json:"at"`
	Took    time.Duration                `json:"took"`
	Outputs map[string]reconcile.Content `json:"outputs,omitempty"`
	Metrics map[string]float64           `json:"metrics,omitempty"`
}

// Order is what a person wants of a run.
type Order struct {
	Actor  string    `json:"actor"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// Publication is what a run proposed.
type Publication struct {
	Version  string    `json:"version"`
	Artifact string    `json:"artifact"` // oci://...@sha256:...
	Branch   string    `json:"branch,omitempty"`
	Commit   string    `json:"commit,omitempty"`
	Pushed   bool      `json:"pushed,omitempty"`
	Unneeded string    `json:"unneeded,omitempty"` // why nothing was proposed: the same content is a version already
	At       time.Time `json:"at"`
}

// Summary is a run in one line.
type Summary struct {
	ID       string    `json:"id"`
	Pipeline string    `json:"pipeline"`
	Trigger  Cause     `json:"trigger"`
	Commit   string    `json:"commit,omitempty"`
	Phase    Phase     `json:"phase"`
	Outcome  Outcome   `json:"outcome,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Created  time.Time `json:"created"`
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
	Steps    int       `json:"steps"`
	Ended    int       `json:"ended"`
	Cached   int       `json:"cached"`
	Version  string    `json:"version,omitempty"` // that it proposed
}

// Preview is what a run would do if it were started now.
type Preview struct {
	Pipeline string         `json:"pipeline"`
	Params   map[string]any `json:"params,omitempty"`
	Nodes    []NodePreview  `json:"nodes"`             // in the order of the graph
	Problem  string         `json:"problem,omitempty"` // why it could not start
}

// NodePreview says whether a node would run.
type NodePreview struct {
	Node   string         `json:"node"`
	Step   string         `json:"step"`
	Values map[string]any `json:"values,omitempty"`
	// Hit: an earlier run did the same, and its result is taken.
	Hit  bool   `json:"hit"`
	From string `json:"from,omitempty"` // that run
	// Depends: whether it hits follows from what these nodes give.
	Depends []string `json:"depends,omitempty"`
	// Why is the part of the key that differs from the last run of the node.
	Why string `json:"why,omitempty"`
}
