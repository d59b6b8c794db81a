package spec

import "time"

// Rollout says how a new revision takes over from the one that serves.
type Rollout struct {
	Strategy         Strategy      `json:"strategy,omitzero"`
	Steps            []RolloutStep `json:"steps,omitzero"`
	Checks           []Check       `json:"checks,omitzero"`
	Match            *Match        `json:"match,omitzero"`             // ab only
	Sticky           *Sticky       `json:"sticky,omitzero"`            // nil: every request is drawn by itself
	Mirror           *Mirror       `json:"mirror,omitzero"`            // shadow only
	ProgressDeadline time.Duration `json:"progress_deadline,omitzero"` // bounds every wait of one rollout
	KeepPrevious     time.Duration `json:"keep_previous,omitzero"`     // how long the old revision stays for an instant way back
	Velocity         Velocity      `json:"velocity,omitzero"`
	OnFailure        FailureAction `json:"on_failure,omitzero"`
	OnDeadline       FailureAction `json:"on_deadline,omitzero"`
	Pos              Pos           `json:"-"`
}

// Strategy is the shape of a rollout.
type Strategy string

// The strategies.
const (
	Canary    Strategy = "canary"
	BlueGreen Strategy = "blue_green"
	Shadow    Strategy = "shadow"
	AB        Strategy = "ab"
	Recreate  Strategy = "recreate"
)

// RolloutStep is one stage on the way from stable to candidate.
type RolloutStep struct {
	Weight   int           `json:"weight"`            // percent of requests to the candidate, 0 to 100
	Hold     time.Duration `json:"hold,omitzero"`     // how long the step lasts at least
	Approval bool          `json:"approval,omitzero"` // wait for a person
	Replicas int           `json:"replicas,omitzero"` // candidate replicas in this step; 0: in proportion to Weight
	Checks   []string      `json:"checks,omitzero"`   // names of the checks that count here; nil: all
}

// Check is one measured condition of a rollout. Exactly one of Metric and Query
// is set. A nil bound is no bound.
type Check struct {
	Name         string        `json:"name,omitzero"`
	Metric       Metric        `json:"metric,omitzero"`
	Query        string        `json:"query,omitzero"` // PromQL with $model, $stable, $candidate, $window
	Min          *float64      `json:"min,omitzero"`
	Max          *float64      `json:"max,omitzero"`
	MinVsStable  *float64      `json:"min_vs_stable,omitzero"` // ratio candidate / stable
	MaxVsStable  *float64      `json:"max_vs_stable,omitzero"`
	Interval     time.Duration `json:"interval,omitzero"`
	FailureLimit int           `json:"failure_limit,omitzero"` // this many failures are tolerated
	MinSamples   int           `json:"min_samples,omitzero"`
	// Output is the output tensor whose values score_shift compares; "" is the
	// first numeric output of the signature.
	Output string `json:"output,omitzero"`
	Pos    Pos    `json:"-"`
}

// Sticky keeps a caller on the side, stable or candidate, that it once was on,
// as long as the candidate's weight only rises. The caller is told apart by a
// header or a cookie. The gateway gives a cookie to whoever has none.
type Sticky struct {
	Header string `json:"header,omitzero"` // exactly one is set
	Cookie string `json:"cookie,omitzero"`
}

// Mirror is the share of the requests that a shadow rollout copies to the
// candidate, and how its answers are compared with stable's.
type Mirror struct {
	Percent int `json:"percent,omitzero"`
	// Tolerance is the relative difference up to which two numbers agree.
	Tolerance float64 `json:"tolerance,omitzero"`
}

// Metric is a measurement that Fairlead knows how to make.
type Metric string

// The metrics.
const (
	ErrorRatio      Metric = "error_ratio"
	LatencyP50      Metric = "latency_p50"
	LatencyP90      Metric = "latency_p90"
	LatencyP99      Metric = "latency_p99"
	RequestRate     Metric = "request_rate"
	ScoreShift      Metric = "score_shift"
	ShadowAgreement Metric = "shadow_agreement"
	Restarts        Metric = "restarts"
)

// Match picks the callers that an ab rollout sends to the candidate.
type Match struct {
	Header string `json:"header,omitzero"` // exactly one is set
	Cookie string `json:"cookie,omitzero"` // exactly one is set
	Value  string `json:"value,omitzero"`
}

// Velocity says what a newer revision does to a rollout that is under way.
type Velocity string

// The velocities.
const (
	VelocityRestart     Velocity = "restart"
	VelocityQueueLatest Velocity = "queue_latest"
	VelocityFinish      Velocity = "finish"
)

// FailureAction is what follows a failed rollout.
type FailureAction string

// The failure actions.
const (
	ActionRollback FailureAction = "rollback"
	ActionHold     FailureAction = "hold"
)
