package journal

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/spec"
)

// RecordFormat is the FormatVersion that this program writes and reads.
const RecordFormat = 1

// Record is the state of one model: everything that Fairlead decided about it and
// has to remember. The zero Record is that of a model about which nothing was
// decided yet.
type Record struct {
	FormatVersion int    `json:"format_version"`
	Model         string `json:"model"` // served name
	// Stable is the release that takes the traffic; nil before the first
	// deployment has succeeded.
	Stable *Release `json:"stable,omitempty"`
	// Previous is the release before Stable, kept for an instant way back.
	Previous *Previous `json:"previous,omitempty"`
	// Rollout is the walk from Stable to a candidate that is under way.
	Rollout *Rollout `json:"rollout,omitempty"`
	// Rejected is the ledger: releases that must not be started again until a
	// person clears them. Oldest first.
	Rejected []Rejection `json:"rejected,omitempty"`
	// Last is how the last rollout ended.
	Last *Ended `json:"last,omitempty"`
	// Restarts counts the rollouts in a row that a newer revision superseded.
	Restarts int       `json:"restarts,omitempty"`
	Since    time.Time `json:"since"` // of the last entry about this model
}

// Release is one revision of a model, with all that is needed to create its
// containers again: image, artifact, configuration and versions of secrets go
// forward and back together.
type Release struct {
	Revision string                   `json:"revision"`
	Version  string                   `json:"version,omitempty"` // the team's own
	Commit   string                   `json:"commit,omitempty"`  // of the config repo, that asked for it
	Include  string                   `json:"include,omitempty"` // NAME@COMMIT of the included repo that declares the model
	Image    string                   `json:"image,omitempty"`   // as written in the spec
	Inputs   reconcile.RevisionInputs `json:"inputs"`
	Health   spec.Health              `json:"health,omitzero"` // by which its replicas are good
	// Signature is the contract that its replicas are verified by. The request of
	// its warm-up is not kept: it may be large.
	Signature *spec.Signature `json:"signature,omitempty"`
}

// DeclaredIn is the commit that declares it, of the repo that does: the config repo, or
// one that it includes. "" where that is not known.
func (r *Release) DeclaredIn() string { return declaredIn(r.Commit, r.Include) }

func declaredIn(commit, include string) string {
	if _, theirs, included := strings.Cut(include, "@"); included {
		return theirs
	}
	return commit
}

// Previous is a release that was replaced, and until when it is kept.
type Previous struct {
	Release
	Until time.Time `json:"until"`
}

// Rollout is a rollout under way.
type Rollout struct {
	Candidate Release `json:"candidate"`
	// Policy is the one that it was started with: an edit of steps or thresholds
	// does not change a rollout under way.
	Policy  spec.Rollout `json:"policy"`
	Started time.Time    `json:"started"`
	// Step is the index of the step it is in; -1 while the candidate's replicas
	// are being made ready.
	Step int `json:"step"`
	// StepSince is when it came to the step; a pause moves it on.
	StepSince time.Time `json:"step_since"`
	// Weight is the candidate's share in percent. It follows the step's weight
	// once the candidate has as many replicas as the step wants.
	Weight int `json:"weight"`
	// Checks is the evidence so far, by check.
	Checks map[string]judge.Evidence `json:"checks,omitempty"`
	// Approved is the number of steps that people let pass.
	Approved int `json:"approved,omitempty"`
	// Stood are the steps, counted from 1, whose approvals stood in Git when the rollout
	// began, or began anew, without saying which rollout they are for: they are not for it.
	Stood []int `json:"stood,omitempty"`
	// Promoting: all steps have passed, or a person said so; the candidate grows
	// to full size.
	Promoting bool `json:"promoting,omitempty"`
	// Forced: a person promoted it past steps and checks.
	Forced bool `json:"forced,omitempty"`
	// Paused is set while a person holds it.
	Paused *Pause `json:"paused,omitempty"`
	// Held says why on_failure = hold or on_deadline = hold stopped it. Weight
	// stays as it is until a person decides.
	Held string `json:"held,omitempty"`
	// First: the model has no stable release, so this is a plain deployment.
	First bool `json:"first,omitempty"`
}

// Pause is a person's order to wait.
type Pause struct {
	Since  time.Time `json:"since"`
	Actor  string    `json:"actor"`
	Reason string    `json:"reason"`
}

// Rejection is an entry of the ledger.
type Rejection struct {
	Release
	Cause    Cause           `json:"cause"`
	Reason   string          `json:"reason"`
	Evidence []judge.Verdict `json:"evidence,omitempty"`
	Step     int             `json:"step"`
	Weight   int             `json:"weight"`
	Actor    string          `json:"actor,omitempty"`
	At       time.Time       `json:"at"`
}

// Cause is why a release was rejected.
type Cause string

// The causes. deadline is apart from failed: nothing was found against the
// release, there was only not enough for it.
const (
	CauseFailed   Cause = "failed"
	CauseDeadline Cause = "deadline"
	CauseAborted  Cause = "aborted" // by a person
	CauseUndone   Cause = "undone"  // by a person, after its promotion
)

// Ended is how a rollout ended.
type Ended struct {
	Outcome  RolloutOutcome `json:"outcome"`
	Revision string         `json:"revision"`
	Version  string         `json:"version,omitempty"`
	Reason   string         `json:"reason"`
	Started  time.Time      `json:"started"`
	At       time.Time      `json:"at"`
}

// RolloutOutcome is the closed set of ways in which a rollout ends.
type RolloutOutcome string

// The outcomes.
const (
	Promoted       RolloutOutcome = "promoted"
	FastPromoted   RolloutOutcome = "fast_promoted" // by a person, past steps or checks
	RolledBack     RolloutOutcome = "rolled_back"
	FastRolledBack RolloutOutcome = "fast_rolled_back" // to a release that was kept
	Aborted        RolloutOutcome = "aborted"          // stable was wanted again, or a person said so
	Superseded     RolloutOutcome = "superseded"       // by a newer revision
	Failed         RolloutOutcome = "failed"           // a first deployment
)

// Rejection returns the ledger's entry for a revision, or nil.
func (r *Record) Rejection(revision string) *Rejection {
	i := slices.IndexFunc(r.Rejected, func(j Rejection) bool { return j.Revision == revision })
	if i < 0 {
		return nil
	}
	return &r.Rejected[i]
}

// Clone is a copy that shares nothing which may be written to.
func (r Record) Clone() Record {
	if r.Rollout != nil {
		ro := *r.Rollout
		ro.Checks = maps.Clone(ro.Checks)
		r.Rollout = &ro
	}
	r.Rejected = slices.Clone(r.Rejected)
	return r
}
