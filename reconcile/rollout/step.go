package rollout

import (
	"maps"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/spec"
)

// Intent is what should become of a model.
type Intent int

// The intents.
const (
	// Serve: Git wants the target.
	Serve Intent = iota
	// Hold: Git wants the model, but it cannot be bound now. What runs goes on.
	Hold
	// Forget: a removed block says that the containers stay.
	Forget
	// Destroy: the model is not in Git.
	Destroy
)

// Input is one model as it was observed.
type Input struct {
	Name       string // served name
	Intent     Intent
	Target     *reconcile.Target // set when Intent is Serve
	Scope      reconcile.Scope
	Containers []reconcile.Container // of this model, any revision
	View       *reconcile.RouterView
	// Failed counts the commands on a container that failed in a row.
	Failed map[string]int
	// Spoiled are containers that cannot be mended in place.
	Spoiled map[string]bool

	// Record is what was decided about the model before, as journaled.
	Record journal.Record
	// Commit is that of the config repo which is followed.
	Commit string
	// Include is NAME@COMMIT of the included repo that declares the model; "": none does.
	Include string
	// Approvals are those that stand in Git for the model, ApprovedBy who brought the
	// commit that is followed.
	Approvals  []*spec.Approval
	ApprovedBy string
	// Readings are the newest measurements of the checks of the rollout under
	// way, by check.
	Readings map[string]judge.Reading
	// Inspected is what Verify and WarmUp found, by container id.
	Inspected map[string]Inspection
	// NoJournal: the journal cannot be written now. What was decided is carried
	// out and healed; nothing new is decided.
	NoJournal bool
	// NoRoom says why the engine cannot hold a candidate beside what runs; ""
	// if it can.
	NoRoom string
	// Lacks says what the release that Git wants is made of and this host does not
	// have; "" if it has all. Until then none of it is started, and nothing else
	// makes room for it.
	Lacks string
}

// Inspection is what is known of a replica from talking to it. Losing it is
// harmless: the replica is inspected again.
type Inspection struct {
	Verified bool
	Warm     bool
	// Broken is why the replica can never be what the model declares; "" if it
	// may.
	Broken string
	// Trouble is why the last attempt failed; it is tried again.
	Trouble string
}

// State is what Step remembers about a model from one call to the next beside
// the record. Losing it is harmless: waits begin anew, and evidence goes on from
// what was journaled.
type State struct {
	Starts   map[string]Starts    // by container id
	Draining map[string]time.Time // container id -> since when it takes no request
	// Evidence of the checks since it was last journaled, and the candidate, the
	// start and the step of the rollout that it is of.
	Evidence map[string]judge.Evidence
	Of       string
	Since    time.Time
	Step     int
}

// Starts counts how often Fairlead had to start a container that had ended.
type Starts struct {
	Count int
	Last  time.Time
}

// Phase is the state of a model as people see it.
type Phase string

// The phases.
const (
	Steady   Phase = "steady"   // what runs is what Git wants
	Rolling  Phase = "rolling"  // on the way
	Degraded Phase = "degraded" // something is wrong; the reason says what
	// Held: Git wants a release that was rejected, or a person has to decide.
	// Neither drift nor in sync.
	Held Phase = "held"
)

// Decision is what to do next, and why.
type Decision struct {
	State    State
	Commands []Command
	Entry    *reconcile.RoutedModel // nil: the model is not routed at all
	Phase    Phase
	Reason   string
	Serving  string // the revision that takes most requests, in the entry
	Ready    int    // replicas that are ready, of the release that Git wants or, where it is rejected, of the stable one
	Want     int
	// Wake is when time alone changes the decision; zero if it never does.
	Wake time.Time

	// Transition is the one step forward that the model makes, to be journaled.
	// With it come neither commands nor a table entry: they follow from the next
	// call, whose Input holds the new record.
	Transition *journal.Entry
	// Measure lists the measurements that are due.
	Measure []Measurement
	// Verdicts are the newest of the rollout under way, in the order of its
	// checks.
	Verdicts []judge.Verdict
	// Activity is where in the swap the model is.
	Activity Activity
}

// Measurement asks for a reading of a check as of now.
type Measurement struct {
	Check spec.Check
	Vars  judge.Vars
}

// Activity names where in the swap protocol a model is, for people.
type Activity string

// The activities, in their order.
const (
	Creating  Activity = "creating"
	Starting  Activity = "starting" // until ready
	Verifying Activity = "verifying"
	Warming   Activity = "warming"
	Shifting  Activity = "shifting" // the gateway takes the weight over
	Measuring Activity = "measuring"
	Approval  Activity = "waiting for approval"
	Paused    Activity = "paused"
	Scaling   Activity = "scaling"
	Draining  Activity = "draining"
	Keeping   Activity = "keeping" // the previous release, for a way back
)

// Verb is what a Command does.
type Verb string

// The verbs. Each is idempotent, and each half-done one is found by the next
// observation.
const (
	Launch Verb = "launch" // image, create, start
	Verify Verb = "verify" // ask the replica for its contract
	WarmUp Verb = "warm up"
	Start  Verb = "start"
	Rename Verb = "rename"
	Update Verb = "update" // limits and network
	Retire Verb = "retire" // stop and remove
)

// Command is one act on the engine, or on a replica.
type Command struct {
	Verb        Verb
	Ordinal     int    // Launch and Update
	ContainerID string // all but Launch
	// Target is what Launch, Update, Verify and WarmUp are about: the one that
	// Git wants, or an older one restored from the journal.
	Target  *reconcile.Target
	Address string // Verify and WarmUp: ip:port
	Name    string // of the container: as it should be
	Grace   time.Duration
	Reason  string
}

// stepper holds one call of Step.
type stepper struct {
	Input
	now   time.Time
	entry *reconcile.RoutedModel // in force
	out   Decision

	stable    *group
	candidate *group
	previous  string // revision that is kept
	unwant    []unwanted
	evidence  map[string]judge.Evidence
	weights   map[string]int // decided, by revision
	stranded  string         // why a candidate that failed is not rolled back yet
	// retreat: the candidate should go, and the journal cannot be written. It
	// loses its share all the same: that much is safe.
	retreat bool
}

// Step decides the next move of one model. It reads no clock and calls nothing.
func Step(state State, in Input, now time.Time) Decision {
	s := &stepper{Input: in, now: now, entry: in.View.Model(in.Name)}
	s.out.State = State{Starts: maps.Clone(state.Starts), Draining: map[string]time.Time{}}
	switch in.Intent {
	case Serve:
		s.lineUp()
		s.weigh(state)
		next := s.transition()
		if next != nil && in.NoJournal {
			s.retreat = next.Action == journal.ActionRollback || next.Action == journal.ActionAbort
			next = nil
		}
		if s.out.Transition = next; next != nil {
			s.undecided(state)
			return s.out
		}
		s.serve()
	case Hold, Forget:
		s.keep()
	case Destroy:
		if s.gone() && !in.NoJournal {
			s.out.Transition = s.remove()
			s.undecided(state)
			return s.out
		}
		s.destroy()
	}
	s.route()
	s.retire(state)
	s.forgetStarts()
	s.status()
	return s.out
}

// undecided leaves everything as it is, until the transition is journaled.
func (s *stepper) undecided(state State) {
	s.out.State.Draining, s.out.Measure = state.Draining, nil
	s.out.Entry = s.entry
	s.out.Serving = s.entry.Serving()
	s.out.Phase, s.out.Reason = Rolling, s.out.Transition.Reason
}

// serve wants the groups alive and as declared, and all else gone.
func (s *stepper) serve() {
	for _, g := range []*group{s.stable, s.candidate} {
		if g == nil {
			continue
		}
		for i := range g.mine {
			s.mend(g, &g.mine[i])
		}
		s.launchMissing(g)
	}
	s.revive(s.previous)
	s.weights = s.shares()
	focus := s.focus()
	if focus != nil {
		s.out.Ready, s.out.Want = focus.ready, focus.want
	}
}

// focus is the group that people look at.
func (s *stepper) focus() *group {
	if s.candidate != nil {
		return s.candidate
	}
	return s.stable
}

// keep leaves everything as it is.
func (s *stepper) keep() {
	serving := s.current()
	s.weights = s.weightsInForce()
	if len(s.weights) == 0 && serving != "" {
		s.weights = map[string]int{serving: 100}
	}
	if s.Intent == Hold {
		for rev := range s.weights {
			s.revive(rev)
		}
	}
}

// destroy wants nothing of the model to be left.
func (s *stepper) destroy() {
	for _, c := range s.Containers {
		if c.State != reconcile.StateRemoving {
			s.unwant = append(s.unwant, unwanted{Container: c, reason: s.Name + " is not in Git"})
		}
	}
}

// gone: nothing runs of a model about which something was decided.
func (s *stepper) gone() bool {
	r := &s.Record
	return len(s.Containers) == 0 && (r.Stable != nil || r.Rollout != nil || r.Previous != nil)
}

// remove forgets a model, but not what was rejected of it: who takes a model out
// of Git and puts it back shall not get a release that failed.
func (s *stepper) remove() *journal.Entry {
	e := s.decided(journal.ActionRemove, s.Name+" is not in Git, and nothing of it runs", func(r *journal.Record) {
		*r = journal.Record{Rejected: r.Rejected}
	})
	if len(e.Record.Rejected) == 0 {
		e.Record = nil
	}
	return e
}

func (s *stepper) command(c Command) { s.out.Commands = append(s.out.Commands, c) }

// wake keeps the earliest of all times at which something falls due.
func (s *stepper) wake(at time.Time) {
	if s.out.Wake.IsZero() || at.Before(s.out.Wake) {
		s.out.Wake = at
	}
}
