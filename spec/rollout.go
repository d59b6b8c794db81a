package spec

import "time"

// Rollout says how a new revision takes over from the one that serves.
type Rollout struct {
	Strategy         Strategy
	Steps            []RolloutStep
	Checks           []Check
	Match            *Match        // ab only
	Sticky           *Sticky       // nil: every request is drawn by itself
	Mirror           *Mirror       // shadow only
	ProgressDeadline time.Duration // bounds every wait of one rollout
	KeepPrevious     time.Duration // how long the old revision stays for an instant way back
	Velocity         Velocity
	OnFailure        FailureAction
	OnDeadline       FailureAction
	Pos              Pos
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
	Weight   int           // percent of requests to the candidate, 0 to 100
	Hold     time.Duration // how long the step lasts at least
	Approval bool          // wait for a person
	Replicas int           // candidate replicas in this step; 0: in proportion to Weight
	Checks   []string      // names of the checks that count here; nil: all
}

// Check is one measured condition of a rollout. Exactly one of Metric and Query
// is set. A nil bound is no bound.
type Check struct {
	Name         string
	Metric       Metric
	Query        string // PromQL with $model, $stable, $candidate, $window
	Min, Max     *float64
	MinVsStable  *float64 // ratio candidate / stable
	MaxVsStable  *float64
	Interval     time.Duration
	FailureLimit int // this many failures are tolerated
	MinSamples   int
	// Output is the output tensor whose values score_shift compares; "" is the
	// first numeric output of the signature.
	Output string
	Pos    Pos
}

// Sticky keeps a caller on the side, stable or candidate, that it once was on,
// as long as the candidate's weight only rises. The caller is told apart by a
// header or a cookie. The gateway gives a cookie to whoever has none.
type Sticky struct{ Header, Cookie string } // exactly one is set

// Mirror is the share of the requests that a shadow rollout copies to the
// candidate, and how its answers are compared with stable's.
type Mirror struct {
	Percent int
	// Tolerance is the relative difference up to which two numbers agree.
	Tolerance float64
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
	Header, Cookie string // exactly one is set
	Value          string
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
