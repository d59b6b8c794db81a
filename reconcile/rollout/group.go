package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// group is the replicas of one release that should run.
type group struct {
	target  *reconcile.Target
	want    int
	mine    []reconcile.Container // usable
	ready   int
	inspect bool // its replicas have to be verified and warmed up
	// launchAfter: it is not launched while another release leaves.
	launchAfter bool
}

func (g *group) full() bool { return g.ready >= g.want }

// unwanted is a container that should go, once nothing needs it.
type unwanted struct {
	reconcile.Container
	reason string
	// substitute: it serves until another replica of the group is ready in its
	// place.
	substitute *group
}

// lineUp sorts the containers into the releases that the record knows, and those
// that should go.
func (s *stepper) lineUp() {
	r := &s.Record
	stopped := s.recreating()
	if r.Stable != nil && !stopped {
		s.stable = s.group(r.Stable, s.Target.Model.Replicas)
	}
	if ro := r.Rollout; ro != nil {
		s.candidate = s.group(&ro.Candidate, scale(ro, s.Target.Model.Replicas))
	}
	if p := r.Previous; p != nil {
		s.previous = p.Revision
	}
	for _, c := range s.Containers {
		switch {
		case c.State == reconcile.StateRemoving:
		case s.stable != nil && c.Revision == s.stable.target.Revision:
			s.take(s.stable, c)
		case s.candidate != nil && c.Revision == s.candidate.target.Revision:
			s.take(s.candidate, c)
		case c.Revision == s.previous:
		default:
			s.unwant = append(s.unwant, unwanted{Container: c, reason: s.whyUnwanted(c.Revision)})
		}
	}
	for _, g := range []*group{s.stable, s.candidate} {
		if g == nil {
			continue
		}
		s.selectReplicas(g)
		for i := range g.mine {
			if s.ready(g, &g.mine[i]) {
				g.ready++
			}
		}
	}
	if s.stable != nil && s.candidate == nil && s.oneAtATime() && slices.ContainsFunc(s.unwant, func(u unwanted) bool { return u.Revision != s.stable.target.Revision }) {
		s.stable.launchAfter = true // after a rollback, too, only one of them has room
	}
	if stopped && slices.ContainsFunc(s.Containers, func(c reconcile.Container) bool { return c.Revision == r.Stable.Revision }) {
		s.candidate.launchAfter = true
	}
}

// oneAtATime: the strategy never runs two releases beside each other.
func (s *stepper) oneAtATime() bool {
	return s.Target.Model.Rollout != nil && s.Target.Model.Rollout.Strategy == spec.Recreate
}

// recreating: the strategy stops stable before it starts the candidate.
func (s *stepper) recreating() bool {
	ro := s.Record.Rollout
	return ro != nil && ro.Policy.Strategy == spec.Recreate && !ro.First
}

func (s *stepper) whyUnwanted(revision string) string {
	r := &s.Record
	switch {
	case s.recreating() && revision == r.Stable.Revision:
		return "the strategy recreate stops it before the candidate starts"
	case r.Rejection(revision) != nil:
		return fmt.Sprintf("revision %s was rejected: %s", revision, r.Rejection(revision).Reason)
	case r.Stable != nil:
		return fmt.Sprintf("revision %s has replaced it", r.Stable.Revision)
	}
	return "neither Git nor the gateway wants its revision"
}

func (s *stepper) group(release *journal.Release, want int) *group {
	t := s.Target
	if release.Revision != t.Revision {
		t = reconcile.Restore(t.Model, release.Inputs, release.Image, release.Health, release.Signature)
	}
	return &group{target: t, want: want, inspect: t.Model.Signature != nil || t.Model.Warmup != nil}
}

// take adds a container to a group, unless it is past use.
func (s *stepper) take(g *group, c reconcile.Container) {
	switch {
	case c.State == reconcile.StateDead, s.Failed[c.ID] >= giveUpAfter && c.State != reconcile.StateRunning:
		s.unwant = append(s.unwant, unwanted{Container: c, reason: "it cannot be started again"})
	case s.Spoiled[c.ID]:
		s.unwant = append(s.unwant, unwanted{Container: c, reason: "it cannot be put right in place", substitute: g})
	default:
		g.mine = append(g.mine, c)
	}
}

// giveUpAfter is how many failed commands in a row make a container that does
// not run a lost case: it is removed and another takes its place.
const giveUpAfter = 2

// selectReplicas keeps as many replicas as are wanted. Surplus ones are those
// that help least: not running, not healthy, then the highest ordinal.
func (s *stepper) selectReplicas(g *group) {
	slices.SortFunc(g.mine, func(a, b reconcile.Container) int {
		return cmp.Or(-cmp.Compare(s.usefulness(&a), s.usefulness(&b)), cmp.Compare(a.Replica, b.Replica), cmp.Compare(a.Name, b.Name))
	})
	keep := g.mine[:0:0]
	seen := map[int]bool{}
	for _, c := range g.mine {
		switch {
		case seen[c.Replica]:
			s.unwant = append(s.unwant, unwanted{Container: c, reason: fmt.Sprintf("replica %d exists twice", c.Replica)})
		case len(keep) >= g.want:
			s.unwant = append(s.unwant, unwanted{Container: c, reason: fmt.Sprintf("Git wants %s", count(g.want, "replica"))})
		default:
			keep = append(keep, c)
		}
		seen[c.Replica] = true
	}
	g.mine = keep
}

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

// ready tells whether a replica may take requests: healthy for min_healthy, and,
// where it has to be, verified and warm.
func (s *stepper) ready(g *group, c *reconcile.Container) bool {
	return s.wellFor(g, c) && !s.cold(g, c)
}

// wellFor: healthy for min_healthy.
func (s *stepper) wellFor(g *group, c *reconcile.Container) bool {
	healthyFor, healthy := s.View.HealthyFor(c.ID, s.now)
	if !healthy || c.State != reconcile.StateRunning {
		return false
	}
	if missing := g.target.Model.Health.MinHealthy - healthyFor; missing > 0 {
		s.wake(s.now.Add(missing))
		return false
	}
	return true
}

// cold: it has yet to be inspected. One that takes requests already stays as it
// is: a signature that a commit adds must not take a whole model out of service.
func (s *stepper) cold(g *group, c *reconcile.Container) bool {
	return g.inspect && !s.Inspected[c.ID].Warm && !s.hotInForce(c)
}

// hotInForce: the gateway may send requests to the replica by the table in force.
func (s *stepper) hotInForce(c *reconcile.Container) bool {
	r := s.entry.Find(c.Revision)
	return r != nil && r.Weight > 0 && slices.ContainsFunc(r.Replicas, func(replica reconcile.RoutedReplica) bool {
		return replica.ID == c.ID && !replica.Cold && !replica.Drain
	})
}

// mend puts right what was altered on a container that should run, and brings it
// up to taking requests.
func (s *stepper) mend(g *group, c *reconcile.Container) {
	name := s.Scope.ReplicaName(c.Model, c.Revision, c.Replica)
	if c.Name != name {
		s.command(Command{Verb: Rename, ContainerID: c.ID, Name: name, Reason: fmt.Sprintf("it was renamed to %s", c.Name)})
	}
	update := Command{Verb: Update, ContainerID: c.ID, Name: name, Ordinal: c.Replica, Target: g.target}
	if want := reconcile.LimitsOf(g.target.Model.Container); c.Limits != want {
		update.Reason = "its limits were changed: " + c.Limits.Difference(want)
		s.command(update)
	}
	switch c.State {
	case reconcile.StateRunning:
		if c.Address == "" && !g.target.Model.Container.HostNetwork {
			update.Reason = "it was disconnected from its network"
			s.command(update)
		} else if g.inspect && c.Address != "" {
			s.inspectReplica(g, c, name)
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

func (s *stepper) inspectReplica(g *group, c *reconcile.Container, name string) {
	known := s.Inspected[c.ID]
	if known.Warm || known.Broken != "" || !s.wellFor(g, c) {
		return
	}
	command := Command{Verb: Verify, ContainerID: c.ID, Name: name, Target: g.target, Address: address(c), Reason: "its contract has to be what the signature declares"}
	if known.Verified {
		command.Verb, command.Reason = WarmUp, "it is warmed up before it takes requests"
	}
	s.command(command)
}

func address(c *reconcile.Container) string {
	return net.JoinHostPort(c.Address, strconv.Itoa(c.Port))
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
func (s *stepper) launchMissing(g *group) {
	if g.launchAfter || s.crowded(g) {
		return
	}
	taken := map[int]bool{}
	for _, c := range s.Containers {
		if c.Revision == g.target.Revision {
			taken[c.Replica] = true
		}
	}
	ordinal := 0
	for range g.want - len(g.mine) {
		ordinal++
		for taken[ordinal] {
			ordinal++
		}
		s.command(Command{
			Verb: Launch, Ordinal: ordinal, Target: g.target, Name: s.Scope.ReplicaName(s.Name, g.target.Revision, ordinal),
			Reason: fmt.Sprintf("%s of revision %s should run", count(g.want, "replica"), g.target.Revision),
		})
	}
}

// crowded: the engine has no room for more replicas of the release that serves.
// Where there is no room for another release, this one is healed all the same.
func (s *stepper) crowded(g *group) bool {
	return s.NoRoom != "" && s.Record.Rollout == nil && g.target.Revision == s.Target.Revision
}

// revive starts replicas of a revision that have ended, although it is not one
// that a group stands for.
func (s *stepper) revive(revision string) {
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.Revision == revision && revision != "" && c.State == reconcile.StateExited {
			s.start(c, c.Name, exitReason(c))
		}
	}
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
