package judge

import (
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Vars fill in a query.
type Vars struct {
	Model     string
	Stable    string // revision
	Candidate string // revision
	Window    time.Duration
	// Output is the output tensor of score_shift.
	Output string
	// Share is the candidate's share of the requests, 0 to 1.
	Share float64
}

// Query is one PromQL query of a check.
type Query struct {
	Name   string // what it measures, for messages
	PromQL string
}

// Reading is one measurement of one check, good for one Look.
type Reading struct {
	At  time.Time
	Err string // why it could not be made; "" if it could
}

// Compile returns the queries that a check needs.
func Compile(c spec.Check, v Vars) []Query { return nil }

// Read makes a reading of what the queries of Compile gave, in their order.
func Read(c spec.Check, v Vars, at time.Time, results [][]reconcile.Sample) Reading {
	return Reading{At: at}
}

// Unread is the reading of a check whose queries failed.
func Unread(at time.Time, err error) Reading { return Reading{At: at, Err: err.Error()} }
