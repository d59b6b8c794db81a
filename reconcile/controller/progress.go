package controller

import (
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// JournalStatus is how the memory of decisions is doing.
type JournalStatus struct {
	journal.Delivery
	// Broken tells why the journal itself cannot be read or written: nothing new
	// is decided about models meanwhile. Error is only about the remote.
	Broken string `json:"broken,omitempty"`
}

// MetricsStatus is how the store of metrics is doing.
type MetricsStatus struct {
	Error string `json:"error,omitempty"` // of the last measurement
}

// ReleaseStatus names a release of a model.
type ReleaseStatus struct {
	Revision string `json:"revision"`
	Version  string `json:"version,omitempty"`
	Commit   string `json:"commit,omitempty"`
	Include  string `json:"include,omitempty"` // NAME@COMMIT of the included repo that declares it
	Image    string `json:"image,omitempty"`
	Artifact string `json:"artifact,omitempty"` // where it was had from
}

// PreviousStatus is the release that is kept for an instant way back.
type PreviousStatus struct {
	ReleaseStatus
	Until time.Time `json:"until"`
}

// RolloutStatus is a rollout under way.
type RolloutStatus struct {
	Candidate ReleaseStatus `json:"candidate"`
	Strategy  spec.Strategy `json:"strategy"`
	// Plan are the steps of the policy that it was started with.
	Plan      []PlannedStep    `json:"plan,omitempty"`
	Step      int              `json:"step"`  // from 1; 0 while the candidate is made ready
	Steps     int              `json:"steps"` // that the policy has
	Weight    int              `json:"weight"`
	Activity  rollout.Activity `json:"activity,omitempty"`
	Started   time.Time        `json:"started"`
	Since     time.Time        `json:"since"`               // of the step
	HoldUntil time.Time        `json:"hold_until,omitzero"` // of the step, at the earliest
	// Deadline bounds the present wait; zero where nothing does.
	Deadline time.Time      `json:"deadline,omitzero"`
	Paused   *journal.Pause `json:"paused,omitempty"`
	Held     string         `json:"held,omitempty"` // why it stopped until a person decides
	// Approval: the step waits for a person.
	Approval  bool          `json:"approval,omitempty"`
	Promoting bool          `json:"promoting,omitempty"` // all steps have passed
	Forced    bool          `json:"forced,omitempty"`    // a person promoted it past steps and checks
	First     bool          `json:"first,omitempty"`     // there is no stable release
	Checks    []CheckStatus `json:"checks,omitempty"`
}

// PlannedStep is one step of a rollout's policy.
type PlannedStep struct {
	Percent  int           `json:"percent"` // of the requests
	Hold     time.Duration `json:"hold,omitzero"`
	Approval bool          `json:"approval,omitempty"`
}

func planned(steps []spec.RolloutStep) []PlannedStep {
	all := make([]PlannedStep, 0, len(steps))
	for _, s := range steps {
		all = append(all, PlannedStep{Percent: s.Weight, Hold: s.Hold, Approval: s.Approval})
	}
	return all
}

// CheckStatus is one check of a rollout under way.
type CheckStatus struct {
	Name     string         `json:"name"`
	Metric   spec.Metric    `json:"metric,omitempty"`
	Counts   bool           `json:"counts"` // in the present step
	Failures int            `json:"failures"`
	Limit    int            `json:"limit"` // of failures that are tolerated
	Looks    int            `json:"looks"`
	Verdict  *judge.Verdict `json:"verdict,omitempty"` // the last
}

// RejectedStatus is an entry of the ledger.
type RejectedStatus struct {
	Revision string          `json:"revision"`
	Version  string          `json:"version,omitempty"`
	Cause    journal.Cause   `json:"cause"`
	Reason   string          `json:"reason"`
	Actor    string          `json:"actor,omitempty"`
	At       time.Time       `json:"at"`
	Evidence []judge.Verdict `json:"evidence,omitempty"`
}

func release(r *journal.Release) ReleaseStatus {
	return ReleaseStatus{Revision: r.Revision, Version: r.Version, Commit: r.Commit, Include: r.Include, Image: r.Image, Artifact: r.Inputs.ArtifactRef}
}

// recordStatus tells what was decided about a model.
func (o *object) recordStatus(m *ModelStatus) {
	r := &o.ledger.record
	m.Restarts, m.Last = r.Restarts, r.Last
	if r.Stable != nil {
		stable := release(r.Stable)
		m.Stable = &stable
	}
	if r.Previous != nil {
		m.Previous = &PreviousStatus{release(&r.Previous.Release), r.Previous.Until}
	}
	for _, j := range r.Rejected {
		m.Rejected = append(m.Rejected, RejectedStatus{
			Revision: j.Revision, Version: j.Version, Cause: j.Cause, Reason: j.Reason, Actor: j.Actor, At: j.At, Evidence: j.Evidence,
		})
	}
	if r.Rollout != nil {
		m.Rollout = o.rolloutStatus(r.Rollout)
	}
	for revision, n := range o.restarts {
		if m.ReplicaRestarts == nil {
			m.ReplicaRestarts = map[string]int{}
		}
		m.ReplicaRestarts[revision] = n.total
	}
}

func (o *object) rolloutStatus(r *journal.Rollout) *RolloutStatus {
	s := &RolloutStatus{
		Candidate: release(&r.Candidate), Strategy: r.Policy.Strategy, Plan: planned(r.Policy.Steps), Step: r.Step + 1, Steps: len(r.Policy.Steps), Weight: r.Weight,
		Activity: o.decision.Activity, Started: r.Started, Since: r.StepSince, Paused: r.Paused, Held: r.Held,
		Promoting: r.Promoting, Forced: r.Forced, First: r.First,
	}
	wait := r.StepSince
	var counting []string // nil: all
	if r.Step >= 0 && r.Step < len(r.Policy.Steps) && !r.Promoting {
		step := r.Policy.Steps[r.Step]
		counting = step.Checks
		s.Approval = step.Approval && r.Approved <= r.Step
		if wait = wait.Add(step.Hold); step.Hold > 0 {
			s.HoldUntil = wait
		}
	}
	if r.Policy.ProgressDeadline > 0 && r.Paused == nil && r.Held == "" {
		s.Deadline = wait.Add(r.Policy.ProgressDeadline)
	}
	for _, c := range r.Policy.Checks {
		e := o.evidenceOf(c.Name)
		s.Checks = append(s.Checks, CheckStatus{
			Name: c.Name, Metric: c.Metric, Counts: counting == nil || slices.Contains(counting, c.Name),
			Failures: e.Failures, Limit: c.FailureLimit, Looks: e.Looks, Verdict: e.Last,
		})
	}
	return s
}

// evidenceOf is the newest evidence of a check: what Step remembers of this
// rollout, or what was journaled.
func (o *object) evidenceOf(check string) judge.Evidence {
	r := o.ledger.record.Rollout
	if e, newer := o.state.Evidence[check]; newer && o.state.Of == r.Candidate.Revision && o.state.Since.Equal(r.Started) {
		return e
	}
	return r.Checks[check]
}

// journalStatus is what is known of the journal, with how far its remote is.
func (l *loop) journalStatus() JournalStatus {
	s := l.status.Journal
	if l.journal.open {
		s.Delivery = l.c.opts.Journal.Delivery()
	}
	return s
}

// decidedAll: what was decided is in the journal, of every model.
func (l *loop) decidedAll() bool {
	if !l.journal.open {
		return false
	}
	for _, o := range l.objects {
		if o.ledger.writing || o.ledger.err != nil {
			return false
		}
	}
	return true
}
