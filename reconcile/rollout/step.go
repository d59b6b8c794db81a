package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
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
	// Readings are the newest measurements of the checks of the rollout under
	// way, by check.
	Readings map[string]judge.Reading
	// Inspected is what Verify and WarmUp found, by container id.
	Inspected map[string]Inspection
	// NoRoom says why the engine cannot hold a candidate beside what runs; ""
	// if it can.
	NoRoom string
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

// State is what Step remembers about a model from one call to the next. Losing
// it is harmless: waits begin anew.
type State struct {
	Starts   map[string]Starts    // by container id
	Draining map[string]time.Time // container id -> since when it takes no request
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
	Serving  string // the revision that takes requests, in the entry
	Ready    int    // replicas of the target that are ready
	Want     int
	// Wake is when time alone changes the decision; zero if it never does.
	Wake time.Time

	// Transition is the one step forward that the model makes, to be journaled.
	// With it come neither commands nor a table entry: they follow from the next
	// call, whose Input holds the new record.
	Transition *journal.Entry
	// Measure lists the measurements that are due.
	Measure []Measurement
	// Verdicts are those of the rollout under way, by the order of its checks.
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
	Removing  Activity = "removing"
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

// Command is one act on the engine.
type Command struct {
	Verb        Verb
	Ordinal     int    // Launch and Update
	ContainerID string // all but Launch
	// Target is what Launch, Update, Verify and WarmUp are about: the one that
	// Git wants, or an older one restored from the journal.
	Target  *reconcile.Target
	Address string // Verify and WarmUp: ip:port
	Name        string // of the container: as it should be
	Grace       time.Duration
	Reason      string
}

// stepper holds one call of Step.
type stepper struct {
	Input
	now   time.Time
	entry *reconcile.RoutedModel // in force
	out   Decision

	mine    []reconcile.Container // of the target's revision, usable
	unwant  []unwanted
	serving string
}

// unwanted is a container that should go, once nothing needs it.
type unwanted struct {
	reconcile.Container
	reason string
	// substitute: it serves until another replica is ready in its place.
	substitute bool
}

// Step decides the next move of one model. It reads no clock and calls nothing.
func Step(state State, in Input, now time.Time) Decision {
	s := &stepper{Input: in, now: now, entry: in.View.Model(in.Name)}
	s.out.State = State{Starts: maps.Clone(state.Starts), Draining: map[string]time.Time{}}
	switch in.Intent {
	case Serve:
		s.serve()
	case Hold, Forget:
		s.keep()
	case Destroy:
		s.destroy()
	}
	s.route()
	s.retire(state)
	s.forgetStarts()
	s.status()
	return s.out
}

// serve wants Target: its replicas alive and as declared, all else gone.
func (s *stepper) serve() {
	rev := s.Target.Revision
	s.out.Want = s.Target.Model.Replicas
	s.sortOut(rev)
	for i := range s.mine {
		s.mend(&s.mine[i])
	}
	s.launchMissing()
	s.serving = s.cutOver(rev)
	if s.serving != rev {
		s.revive() // what serves stays; only revisions that neither serve nor are wanted go
		return
	}
	for i := range s.unwant {
		if s.unwant[i].reason == "" {
			s.unwant[i].reason = fmt.Sprintf("revision %s has replaced it", rev)
		}
	}
}

// sortOut splits the containers into those of the target and those that should
// go. Surplus replicas are the ones that help least: not running, not healthy,
// then the highest ordinal.
func (s *stepper) sortOut(rev string) {
	for _, c := range s.Containers {
		switch {
		case c.State == reconcile.StateRemoving:
		case c.Revision != rev:
			s.unwant = append(s.unwant, unwanted{Container: c})
		case c.State == reconcile.StateDead, s.Failed[c.ID] >= giveUpAfter && c.State != reconcile.StateRunning:
			s.unwant = append(s.unwant, unwanted{Container: c, reason: "it cannot be started again"})
		case s.Spoiled[c.ID]:
			s.unwant = append(s.unwant, unwanted{Container: c, reason: "it cannot be put right in place", substitute: true})
		default:
			s.mine = append(s.mine, c)
		}
	}
	slices.SortFunc(s.mine, func(a, b reconcile.Container) int {
		return cmp.Or(-cmp.Compare(s.usefulness(&a), s.usefulness(&b)), cmp.Compare(a.Replica, b.Replica), cmp.Compare(a.Name, b.Name))
	})
	keep := s.mine[:0:0]
	seen := map[int]bool{}
	for _, c := range s.mine {
		switch {
		case seen[c.Replica]:
			s.unwant = append(s.unwant, unwanted{Container: c, reason: fmt.Sprintf("replica %d exists twice", c.Replica)})
		case len(keep) >= s.out.Want:
			s.unwant = append(s.unwant, unwanted{Container: c, reason: fmt.Sprintf("Git wants %s", count(s.out.Want, "replica"))})
		default:
			keep = append(keep, c)
		}
		seen[c.Replica] = true
	}
	s.mine = keep
}

// giveUpAfter is how many failed commands in a row make a container that does
// not run a lost case: it is removed and another takes its place.
const giveUpAfter = 2

func (s *stepper) usefulness(c *reconcile.Container) int {
	_, healthy := s.View.HealthyFor(c.ID, s.now)
	switch {
	case healthy && c.State == reconcile.StateRunning:
		return 3
	case c.State == reconcile.StateRunning:
		return 2
	case c.State == reconcile.StateCreated:
		return 1
	default:
		return 0
	}
}

// mend puts right what was altered on a container that should run.
func (s *stepper) mend(c *reconcile.Container) {
	name := s.Scope.ReplicaName(c.Model, c.Revision, c.Replica)
	if c.Name != name {
		s.command(Command{Verb: Rename, ContainerID: c.ID, Name: name, Reason: fmt.Sprintf("it was renamed to %s", c.Name)})
	}
	if want := reconcile.LimitsOf(s.Target.Model.Container); c.Limits != want {
		s.command(Command{Verb: Update, ContainerID: c.ID, Name: name, Ordinal: c.Replica, Reason: "its limits were changed: " + c.Limits.Difference(want)})
	}
	switch c.State {
	case reconcile.StateRunning:
		if c.Address == "" && !s.Target.Model.Container.HostNetwork {
			s.command(Command{Verb: Update, ContainerID: c.ID, Name: name, Ordinal: c.Replica, Reason: "it was disconnected from its network"})
		}
	case reconcile.StatePaused:
		s.command(Command{Verb: Start, ContainerID: c.ID, Name: name, Reason: "it was paused"})
	case reconcile.StateCreated:
		s.start(c, name, "it was created but not started")
	case reconcile.StateExited:
		s.start(c, name, exitReason(c))
	case reconcile.StateRestarting, reconcile.StateRemoving, reconcile.StateDead:
	}
}

func exitReason(c *reconcile.Container) string {
	if c.OOMKilled {
		return fmt.Sprintf("it ran out of memory and ended (exit code %d)", c.ExitCode)
	}
	return fmt.Sprintf("it ended (exit code %d)", c.ExitCode)
}

// start starts a container, each time in a row after a longer wait: 0, 1, 2, 4,
// ... up to 60 seconds. A minute of running clears the count.
func (s *stepper) start(c *reconcile.Container, name, reason string) {
	starts := s.out.State.Starts[c.ID]
	if c.Finished.Sub(c.Started) > maxStartDelay {
		starts.Count = 0
	}
	if starts.Count > 0 {
		delay := min(time.Second<<min(starts.Count-1, 6), maxStartDelay)
		if due := starts.Last.Add(delay); s.now.Before(due) {
			s.wake(due)
			return
		}
	}
	if s.out.State.Starts == nil {
		s.out.State.Starts = map[string]Starts{}
	}
	s.out.State.Starts[c.ID] = Starts{Count: starts.Count + 1, Last: s.now}
	s.command(Command{Verb: Start, ContainerID: c.ID, Name: name, Reason: reason})
}

const maxStartDelay = time.Minute

// launchMissing creates replicas with the lowest ordinals that no container of
// this revision has, also none that is about to go: names are unique.
func (s *stepper) launchMissing() {
	taken := map[int]bool{}
	for _, c := range s.Containers {
		if c.Revision == s.Target.Revision {
			taken[c.Replica] = true
		}
	}
	ordinal := 0
	for range s.out.Want - len(s.mine) {
		ordinal++
		for taken[ordinal] {
			ordinal++
		}
		s.command(Command{
			Verb: Launch, Ordinal: ordinal, Name: s.Scope.ReplicaName(s.Name, s.Target.Revision, ordinal),
			Reason: fmt.Sprintf("Git wants %s of revision %s", count(s.out.Want, "replica"), s.Target.Revision),
		})
	}
}

// cutOver returns the revision that should take the requests: the target once
// all of its replicas are ready, or once some are and what served has failed.
func (s *stepper) cutOver(rev string) string {
	current := s.current()
	for i := range s.mine {
		if s.ready(&s.mine[i]) {
			s.out.Ready++
		}
	}
	switch {
	case current == "", current == rev, s.out.Want == 0:
		return rev
	case s.out.Ready >= s.out.Want, s.out.Ready > 0 && !s.anyHealthy(current):
		return rev
	}
	return current
}

// current is the revision that takes the requests now: by the gateway's table,
// or where that says nothing, the one with the most healthy replicas, then with
// the most that run; of equals the one that is not the target, as that has proven
// itself.
func (s *stepper) current() string {
	if s.entry != nil {
		if serving := s.entry.Serving(); serving != "" && s.exists(serving) {
			return serving
		}
	}
	merit := map[string]int{}
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.State != reconcile.StateRunning {
			continue
		}
		merit[c.Revision]++
		if _, healthy := s.View.HealthyFor(c.ID, s.now); healthy {
			merit[c.Revision] += healthyMerit
		}
	}
	best := ""
	for rev, n := range merit {
		newcomer := s.Target != nil && rev == s.Target.Revision
		if n > merit[best] || n == merit[best] && !newcomer && (rev < best || s.Target != nil && best == s.Target.Revision) {
			best = rev
		}
	}
	return best
}

// healthyMerit is more than any number of replicas that merely run.
const healthyMerit = 1 << 20

func (s *stepper) exists(rev string) bool {
	return slices.ContainsFunc(s.Containers, func(c reconcile.Container) bool { return c.Revision == rev })
}

func (s *stepper) anyHealthy(rev string) bool {
	return slices.ContainsFunc(s.Containers, func(c reconcile.Container) bool {
		_, healthy := s.View.HealthyFor(c.ID, s.now)
		return c.Revision == rev && healthy && c.State == reconcile.StateRunning
	})
}

// ready tells whether a replica has been healthy for min_healthy.
func (s *stepper) ready(c *reconcile.Container) bool {
	healthyFor, healthy := s.View.HealthyFor(c.ID, s.now)
	if !healthy || c.State != reconcile.StateRunning {
		return false
	}
	if missing := s.Target.Model.Health.MinHealthy - healthyFor; missing > 0 {
		s.wake(s.now.Add(missing))
		return false
	}
	return true
}

// keep leaves everything as it is.
func (s *stepper) keep() {
	s.serving = s.current()
	if s.Intent == Hold {
		s.revive()
	}
}

// revive starts replicas of the serving revision that have ended, although it is
// not the one that Git wants: for now it is all there is.
func (s *stepper) revive() {
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.Revision == s.serving && c.State == reconcile.StateExited {
			s.start(c, c.Name, exitReason(c))
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

func (s *stepper) command(c Command) { s.out.Commands = append(s.out.Commands, c) }

// wake keeps the earliest of all times at which something falls due.
func (s *stepper) wake(at time.Time) {
	if s.out.Wake.IsZero() || at.Before(s.out.Wake) {
		s.out.Wake = at
	}
}

// forgetStarts drops what is remembered about containers that are gone.
func (s *stepper) forgetStarts() {
	maps.DeleteFunc(s.out.State.Starts, func(id string, _ Starts) bool {
		return !slices.ContainsFunc(s.Containers, func(c reconcile.Container) bool { return c.ID == id })
	})
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// drainLimit is how long a replica may finish its open requests: as long as the
// gateway lets a request take on any way into the model, and the time that the
// container itself has to stop.
func (s *stepper) drainLimit() time.Duration {
	limit := time.Duration(0)
	for _, entry := range []*reconcile.RoutedModel{s.entry, s.out.Entry} {
		if entry == nil {
			continue
		}
		if entry.Protocol == spec.OpenInference {
			limit = max(limit, reconcile.DefaultRequestTimeout) // of /v2/models/NAME
		}
		for _, r := range entry.Routes {
			limit = max(limit, cmp.Or(r.Timeout, reconcile.DefaultRequestTimeout))
		}
	}
	return limit + s.grace()
}

func (s *stepper) grace() time.Duration {
	if s.Target == nil {
		return defaultStop
	}
	return s.Target.Model.Container.StopTimeout
}

const defaultStop = 10 * time.Second

// healthOf is the probe of a revision: the target's own is declared, that of an
// older one stays what it was.
func (s *stepper) healthOf(rev string) reconcile.HealthProbe {
	if s.Target == nil || rev != s.Target.Revision {
		if old := s.entry.Find(rev); old != nil {
			return old.Health
		}
	}
	if s.Target == nil {
		return reconcile.HealthProbe{Path: "/v2/health/ready", Interval: time.Second, Timeout: time.Second}
	}
	return probe(s.Target.Model.Health)
}

func probe(h spec.Health) reconcile.HealthProbe {
	return reconcile.HealthProbe{Path: h.Path, Interval: h.Interval, Timeout: h.Timeout}
}
