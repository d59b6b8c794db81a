package judge

import "time"

// Outcome is what one look at one check says.
type Outcome string

// The outcomes. Silence is never success, and an outage of the metrics says
// nothing about a model.
const (
	Pass         Outcome = "pass"
	Fail         Outcome = "fail"
	Insufficient Outcome = "insufficient" // no data, or too little
	Error        Outcome = "error"        // the measurement itself failed
)

// severity orders outcomes: fail over error over insufficient over pass.
var severity = map[Outcome]int{Pass: 0, Insufficient: 1, Error: 2, Fail: 3}

// Worse returns the worse of two outcomes. The empty outcome, no look yet,
// counts as insufficient.
func Worse(a, b Outcome) Outcome {
	if a == "" {
		a = Insufficient
	}
	if b == "" {
		b = Insufficient
	}
	if severity[b] > severity[a] {
		return b
	}
	return a
}

// Verdict is what one look at one check found, with the numbers that it rests on.
type Verdict struct {
	Check   string    `json:"check"`
	Outcome Outcome   `json:"outcome"`
	At      time.Time `json:"at"`
	// Candidate and Stable are the measured values, in the unit of the metric
	// (ratio, seconds, requests per second, ...); nil where there is none.
	Candidate *float64 `json:"candidate,omitempty"`
	Stable    *float64 `json:"stable,omitempty"`
	// Samples are the sizes of the two samples that the values come from; 0
	// where a query does not tell.
	CandidateSamples float64 `json:"candidate_samples,omitempty"`
	StableSamples    float64 `json:"stable_samples,omitempty"`
	// Evidence is the strength of the case against the candidate, as the inverse
	// of a p-value that is good at any number of looks: it fails at Threshold.
	// Both 0 for a plain comparison.
	Evidence  float64 `json:"evidence,omitempty"`
	Threshold float64 `json:"threshold,omitempty"`
	// Text is one plain sentence for people.
	Text string `json:"text"`
}
