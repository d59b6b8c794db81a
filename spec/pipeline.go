package spec

import (
	"time"

	"github.com/fairlead/fairlead/spec/expr"
)

// Pipeline is a graph of steps that makes a model: each step is one container that
// reads the outputs of others. Runs of it keep the definition that they were
// started with, so a Pipeline is written as JSON and read again.
type Pipeline struct {
	Address     Address        `json:"address"`
	Name        string         `json:"name"` // Address.ServedName()
	Pos         Pos            `json:"pos,omitzero"`
	Description string         `json:"description,omitempty"`
	Owners      []string       `json:"owners,omitempty"`
	Schedule    *Schedule      `json:"schedule,omitempty"` // nil: none
	On          []Trigger      `json:"on,omitempty"`       // a person can always start it
	Concurrency RunConcurrency `json:"concurrency,omitempty"`
	Parallel    int            `json:"parallel,omitempty"` // steps at a time; 0: as many as the daemon allows
	Timeout     time.Duration  `json:"timeout,omitempty"`  // of a whole run; 0: none
	Params      []Param        `json:"params,omitempty"`   // sorted by Name
	Steps       []*Step        `json:"steps"`              // sorted by Name; the graph has no cycle
	Selects     []*Select      `json:"selects,omitempty"`  // sorted by Name
	Gates       []*Gate        `json:"gates,omitempty"`    // sorted by Name
	Publish     *Publish       `json:"publish,omitempty"`  // nil: nothing is published
}

// Step returns the step of that name, or nil.
func (p *Pipeline) Step(name string) *Step {
	for _, s := range p.Steps {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Select returns the selection of that name, or nil.
func (p *Pipeline) Select(name string) *Select {
	for _, s := range p.Selects {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Schedule says when runs start by themselves.
type Schedule struct {
	Cron   string       `json:"cron"` // five fields: minute hour day month weekday; or @daily and the like
	Zone   string       `json:"zone"` // IANA name, "UTC" unless said otherwise
	Missed MissedPolicy `json:"missed"`
	// Jitter delays each start by a fixed part of it, which follows from the
	// pipeline's name, so that not all begin at the full hour.
	Jitter time.Duration `json:"jitter,omitempty"`
}

// MissedPolicy is what becomes of the times that fell into an outage of the daemon.
type MissedPolicy string

// The policies for missed times.
const (
	MissedSkip MissedPolicy = "skip" // they are gone
	MissedOnce MissedPolicy = "once" // the default: one run makes up for all of them
)

// Trigger is what starts a run by itself.
type Trigger struct {
	Kind    TriggerKind `json:"kind"`
	Dataset string      `json:"dataset,omitempty"` // served name, of TriggerDataset
}

// TriggerKind is the kind of a Trigger, and of what started a run.
type TriggerKind string

// The kinds of trigger.
const (
	TriggerManual   TriggerKind = "manual"
	TriggerSchedule TriggerKind = "schedule"
	TriggerChange   TriggerKind = "change"  // the definition, or what it reads of the repo, is another than that of the last run
	TriggerDataset  TriggerKind = "dataset" // the content of a dataset changed
	TriggerDrift    TriggerKind = "drift"   // a monitor asks for it
)

// RunConcurrency is what becomes of a trigger while a run is under way. A pipeline
// has one run at a time.
type RunConcurrency string

// The kinds of concurrency.
const (
	RunQueue   RunConcurrency = "queue"   // the default: it starts afterwards; several become one
	RunReplace RunConcurrency = "replace" // the one under way is cancelled
	RunSkip    RunConcurrency = "skip"
)

// Param is a value that a person may set for a run.
type Param struct {
	Name        string    `json:"name"`
	Type        ParamType `json:"type"`
	Default     any       `json:"default,omitempty"` // string, float64 or bool; nil: it must be given
	Description string    `json:"description,omitempty"`
}

// ParamType is the type of a Param.
type ParamType string

// The types of a parameter.
const (
	ParamString ParamType = "string"
	ParamNumber ParamType = "number"
	ParamBool   ParamType = "bool"
)

// Step is one node of the graph: a container that runs to its end. It finds its
// inputs below /in, each in a directory of its name and read-only, and writes each
// output into the directory of its name below /out, which is made for it.
type Step struct {
	Name  string `json:"name"`
	Pos   Pos    `json:"pos,omitzero"`
	Image string `json:"image"`
	// Inputs are by the name under which the container sees them.
	Inputs map[string]Input `json:"inputs,omitempty"`
	// Env and Command may refer to param.NAME, and to matrix.NAME of the step.
	Env     map[string]StepValue `json:"env,omitempty"`
	Command []expr.Expr          `json:"command,omitzero"` // nil: the image's own
	// Container holds the rest: Entrypoint, User, Resources, Mounts, SecretFiles...
	// Its Env and Command are empty, and it is never restarted.
	Container Container `json:"container"`
	Outputs   []string  `json:"outputs,omitempty"` // sorted
	// Metrics is the file below /out with the figures of the step, a JSON object of
	// numbers; "" for none.
	Metrics string      `json:"metrics,omitempty"`
	Matrix  []Axis      `json:"matrix,omitempty"` // sorted by Name; the step runs once per combination
	Search  *Search     `json:"search,omitempty"` // nil: none; never together with Matrix
	When    expr.Expr   `json:"when,omitzero"`    // zero: always. Where it does not hold the step is skipped
	After   []string    `json:"after,omitempty"`  // steps that must have ended, of which nothing is read
	Exit    bool        `json:"exit,omitempty"`   // runs when all others have ended, whatever came of them
	Retries int         `json:"retries,omitempty"`
	RetryOn []StepCause `json:"retry_on,omitzero"` // nil: CauseEngine, CauseExit, CauseTimeout
	// Backoff is the wait before the first retry; each next one is twice as long, at
	// most MaxBackoff.
	Backoff    time.Duration `json:"backoff,omitempty"`
	MaxBackoff time.Duration `json:"max_backoff,omitempty"`
	Timeout    time.Duration `json:"timeout,omitempty"` // of one attempt; 0: that of the run
	NoCache    bool          `json:"no_cache,omitempty"`
	MaxAge     time.Duration `json:"max_age,omitempty"`    // of a result that may be taken again; 0: any
	Network    bool          `json:"network,omitempty"`    // may reach the engine's network; else it has none
	MaxLog     int64         `json:"max_log,omitempty"`    // bytes kept of one attempt's log
	MaxOutput  int64         `json:"max_output,omitempty"` // bytes below /out; above, the step is killed
}

// StepValue is one environment variable of a step.
type StepValue struct {
	Expr   expr.Expr `json:"expr,omitzero"`
	Secret string    `json:"secret,omitempty"` // name of a secret; Expr is zero then
}

// Input is something that a step reads, or that is published.
type Input struct {
	Kind InputKind `json:"kind"`
	Name string    `json:"name"` // of the dataset (served name), step or selection
	// Output of the step. Of a step with a matrix it stands for that output of all
	// variants, each in a directory of its own.
	Output string `json:"output,omitempty"`
}

// InputKind is the kind of an Input.
type InputKind string

// The kinds of input.
const (
	InputDataset InputKind = "dataset"
	InputStep    InputKind = "step"
	InputSelect  InputKind = "select"
)

// Axis is one dimension of a matrix.
type Axis struct {
	Name   string `json:"name"`
	Values []any  `json:"values"` // string, float64 or bool
}

// Search looks for the best parameters: the step runs once per trial, and the
// values of a trial are read as matrix.NAME.
type Search struct {
	Method   SearchMethod `json:"method"`
	Trials   int          `json:"trials"`
	Parallel int          `json:"parallel"` // trials at a time; trial i knows the results of those up to i-Parallel
	Seed     int64        `json:"seed"`
	Metric   string       `json:"metric"` // of the step
	Minimize bool         `json:"minimize,omitempty"`
	Space    []Dimension  `json:"space"` // sorted by Name
}

// SearchMethod is how a Search chooses.
type SearchMethod string

// The methods.
const (
	SearchRandom SearchMethod = "random"
	SearchTPE    SearchMethod = "tpe" // tree-structured Parzen estimator, Bergstra et al. 2011
)

// Dimension is one parameter of a Search: a range, or a list of values.
type Dimension struct {
	Name    string  `json:"name"`
	Min     float64 `json:"min,omitempty"`
	Max     float64 `json:"max,omitempty"`
	Log     bool    `json:"log,omitempty"`     // the logarithm is what varies evenly
	Integer bool    `json:"integer,omitempty"` // whole numbers
	Values  []any   `json:"values,omitempty"`  // a choice; no range then
}

// StepCause is why an attempt failed.
type StepCause string

// The causes.
const (
	CauseEngine  StepCause = "engine"  // it could not be started, or was lost
	CauseExit    StepCause = "exit"    // its process ended with another code than 0
	CauseOOM     StepCause = "oom"     // it was killed for want of memory
	CauseTimeout StepCause = "timeout" // it took too long
	CauseOutput  StepCause = "output"  // an output is missing, too large or unreadable
	CauseMetrics StepCause = "metrics" // its metrics are missing, or no numbers
	CauseData    StepCause = "data"    // a dataset is not what was declared
)

// Select is the best variant of a step with a matrix or a search.
type Select struct {
	Name     string `json:"name"`
	Pos      Pos    `json:"pos,omitzero"`
	Of       string `json:"of"`     // step
	Metric   string `json:"metric"` // of that step
	Minimize bool   `json:"minimize,omitempty"`
}

// Gate is a condition that must hold before a run may publish anything.
type Gate struct {
	Name       string    `json:"name"`
	Pos        Pos       `json:"pos,omitzero"`
	Require    expr.Expr `json:"require"`
	Level      GateLevel `json:"level"`
	Message    string    `json:"message,omitempty"` // what to do where it does not hold
	Regulation string    `json:"regulation,omitempty"`
}

// GateLevel says what follows where a condition does not hold, or cannot be told.
type GateLevel string

// The levels.
const (
	LevelAdvisory GateLevel = "advisory" // it is said, nothing else
	LevelSoft     GateLevel = "soft"     // a person may override it, with a reason
	LevelHard     GateLevel = "hard"     // the default
)

// Policy is a condition on every model or pipeline that it is for.
type Policy struct {
	Address     Address
	Name        string
	Pos         Pos
	Description string
	For         Kind      // KindModel, KindPipeline or KindDataset
	Where       expr.Expr // zero: all of them
	Require     expr.Expr
	Level       GateLevel
	Message     string
	Regulation  string
}

// Publish says what a run that passed its gates proposes.
type Publish struct {
	Pos      Pos     `json:"pos,omitzero"`
	Model    Address `json:"model"`
	Artifact Input   `json:"artifact"`
	// Bump is how the version moves on from the newest of the model; Version is an
	// expression for it instead. Exactly one is set.
	Bump    VersionBump `json:"bump,omitempty"`
	Version expr.Expr   `json:"version,omitzero"`
	Metrics *Input      `json:"metrics,omitempty"` // step or selection whose metrics are the version's; nil: those of the artifact's and of every step that the gates name
	Profile *Input      `json:"profile,omitempty"`
	Card    string      `json:"card,omitempty"` // path in the repo
	// Registry is where the artifact is pushed: oci://HOST/REPOSITORY; "" keeps it
	// in the store of the daemon.
	Registry string `json:"registry,omitempty"`
	// Tolerance is how far the metrics of a reproduction may be off, absolute.
	Tolerance float64 `json:"tolerance,omitempty"`
	Tags      bool    `json:"tags,omitempty"` // write GTO tags, too
}

// VersionBump is the part of a semantic version that moves on.
type VersionBump string

// The bumps.
const (
	BumpPatch VersionBump = "patch"
	BumpMinor VersionBump = "minor"
	BumpMajor VersionBump = "major"
)
