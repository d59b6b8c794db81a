package rollout

import (
	"cmp"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// leaving tells whether a container is to be drained. One that takes requests of
// its revision's share is not.
func (s *stepper) leaving(id string) bool {
	return slices.ContainsFunc(s.unwant, func(u unwanted) bool { return u.ID == id && !s.needed(&u) })
}

// needed: a revision that takes requests stays until another takes over, and a
// spoiled replica until its substitute is ready.
func (s *stepper) needed(u *unwanted) bool {
	if u.substitute != nil {
		return !u.substitute.full()
	}
	return s.Intent == Serve && s.weights[u.Revision] > 0 && !s.grouped(u.Revision)
}

// grouped: the revision has a group, which brings replicas of its own.
func (s *stepper) grouped(revision string) bool {
	return s.stable != nil && s.stable.target.Revision == revision || s.candidate != nil && s.candidate.target.Revision == revision
}

// retire removes unwanted containers, each as soon as the gateway says that it
// takes no request and has none open. What does not run has none.
func (s *stepper) retire(before State) {
	for i := range s.unwant {
		u := &s.unwant[i]
		if s.needed(u) {
			continue
		}
		if !routable(&u.Container) || s.drained(u, before) {
			s.command(Command{Verb: Retire, ContainerID: u.ID, Name: u.Name, Grace: s.grace(), Reason: u.reason})
		}
	}
}

// drained tells whether no request can be lost with the container. The table in
// force must have let go of it, and the report must be of that table.
func (s *stepper) drained(u *unwanted, before State) bool {
	if !s.View.Known || s.routedInForce(u) || s.View.Report.TableVersion != s.View.Table.Version {
		return false
	}
	if s.View.Report.Replicas[u.ID].InFlight == 0 {
		return true
	}
	since, draining := before.Draining[u.ID]
	if !draining {
		since = s.now
	}
	s.out.State.Draining[u.ID] = since
	due := since.Add(s.drainLimit())
	if s.now.Before(due) {
		s.wake(due)
		return false
	}
	return true
}

// routedInForce: the gateway may send requests to the container: its revision has
// a share, or callers that match or are mirrored go to it.
func (s *stepper) routedInForce(u *unwanted) bool {
	r := s.entry.Find(u.Revision)
	if r == nil || r.Weight == 0 && s.entry.Candidate != u.Revision {
		return false
	}
	return slices.ContainsFunc(r.Replicas, func(replica reconcile.RoutedReplica) bool { return replica.ID == u.ID && !replica.Drain })
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
