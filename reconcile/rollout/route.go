package rollout

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// route makes the model's entry for the routing table: every running replica is
// listed, so that the gateway probes and drains it, and the serving revision has
// all the weight.
func (s *stepper) route() {
	entry := s.frame()
	if entry == nil {
		return
	}
	for _, rev := range s.revisions() {
		r := reconcile.RoutedRevision{Revision: rev, Health: s.healthOf(rev)}
		if rev == s.serving {
			r.Weight = 100
		}
		for i := range s.Containers {
			if c := &s.Containers[i]; c.Revision == rev && routable(c) {
				r.Replicas = append(r.Replicas, reconcile.RoutedReplica{
					ID: c.ID, Address: net.JoinHostPort(c.Address, strconv.Itoa(c.Port)), Drain: s.leaving(c.ID),
				})
			}
		}
		slices.SortFunc(r.Replicas, func(a, b reconcile.RoutedReplica) int { return cmp.Compare(a.ID, b.ID) })
		entry.Revisions = append(entry.Revisions, r)
	}
	s.out.Entry = entry
	s.out.Serving = s.serving
}

// frame is the entry without revisions, or nil if there should be none.
func (s *stepper) frame() *reconcile.RoutedModel {
	switch {
	case s.Intent == Serve:
		m := s.Target.Model
		return &reconcile.RoutedModel{Name: s.Name, Protocol: m.Protocol, Routes: routedPaths(m.Routes)}
	case s.entry == nil, s.Intent == Destroy && !slices.ContainsFunc(s.Containers, func(c reconcile.Container) bool { return routable(&c) }):
		return nil
	case s.Intent == Destroy:
		// Its ways in may belong to another model of the same commit.
		return &reconcile.RoutedModel{Name: s.Name, Protocol: s.entry.Protocol}
	default:
		return &reconcile.RoutedModel{Name: s.Name, Protocol: s.entry.Protocol, Routes: s.entry.Routes}
	}
}

func routedPaths(routes []spec.Route) []reconcile.RoutedPath {
	var paths []reconcile.RoutedPath
	for _, r := range routes {
		paths = append(paths, reconcile.RoutedPath{Host: r.Host, Path: r.Path, Strip: r.Strip, Timeout: r.Timeout, Fallback: r.Fallback})
	}
	return paths
}

// revisions lists those that have a routable replica, and the serving one.
func (s *stepper) revisions() []string {
	var revs []string
	if s.serving != "" {
		revs = append(revs, s.serving)
	}
	for i := range s.Containers {
		if c := &s.Containers[i]; routable(c) {
			revs = append(revs, c.Revision)
		}
	}
	slices.Sort(revs)
	return slices.Compact(revs)
}

// routable: a container that does not run has lost its address, and the engine
// may have given it to another one.
func routable(c *reconcile.Container) bool {
	return c.State == reconcile.StateRunning && c.Address != "" && c.Port != 0
}

// leaving tells whether a container is to be drained. A replica of the serving
// revision that is not of the target is not: it is what takes the requests.
func (s *stepper) leaving(id string) bool {
	return slices.ContainsFunc(s.unwant, func(u unwanted) bool { return u.ID == id && !s.needed(&u) })
}

// needed: the revision that serves stays until the target takes over, and a
// spoiled replica until its substitute is ready.
func (s *stepper) needed(u *unwanted) bool {
	if u.substitute && s.out.Ready < s.out.Want {
		return true
	}
	return s.Intent == Serve && u.Revision == s.serving && u.Revision != s.Target.Revision
}

// retire removes unwanted containers, each as soon as the gateway says that it
// takes no request and has none open. What does not run has none.
func (s *stepper) retire(before State) {
	for i := range s.unwant {
		u := &s.unwant[i]
		if s.needed(u) {
			continue
		}
		reason := u.reason
		if reason == "" {
			reason = "neither Git nor the gateway wants its revision"
		}
		if !routable(&u.Container) {
			s.command(s.retirement(u, reason))
			continue
		}
		if s.drained(u, before) {
			s.command(s.retirement(u, reason))
		}
	}
}

func (s *stepper) retirement(u *unwanted, reason string) Command {
	return Command{Verb: Retire, ContainerID: u.ID, Name: u.Name, Grace: s.grace(), Reason: reason}
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

func (s *stepper) routedInForce(u *unwanted) bool {
	r := s.entry.Find(u.Revision)
	if r == nil || r.Weight == 0 {
		return false
	}
	return slices.ContainsFunc(r.Replicas, func(replica reconcile.RoutedReplica) bool { return replica.ID == u.ID && !replica.Drain })
}

// status says in which phase the model is, and why.
func (s *stepper) status() {
	if s.Intent == Forget {
		s.out.Phase, s.out.Reason = Steady, "left alone by a removed block"
		return
	}
	if trouble := s.trouble(); trouble != "" {
		s.out.Phase, s.out.Reason = Degraded, trouble
		return
	}
	s.out.Phase, s.out.Reason = Rolling, s.waitingFor()
	if s.out.Reason == "" {
		s.out.Phase = Steady
	}
}

// trouble names what a person should look at.
func (s *stepper) trouble() string {
	if s.Intent != Serve {
		return ""
	}
	health := s.Target.Model.Health
	for i := range s.mine {
		c := &s.mine[i]
		if s.ready(c) {
			continue
		}
		switch starts := s.out.State.Starts[c.ID]; {
		case c.Restarts+starts.Count > loopAfter:
			reason := ""
			if c.State != reconcile.StateRunning {
				reason = exitReason(c) + ", "
			}
			return fmt.Sprintf("replica %d keeps ending: %sstarted again %d times", c.Replica, reason, c.Restarts+starts.Count)
		case !s.View.Known || c.State != reconcile.StateRunning || c.Started.IsZero() || s.unprobed(c):
		case s.now.Sub(c.Started) >= health.Deadline:
			return fmt.Sprintf("replica %d is not healthy %s after its start (deadline %s): %s",
				c.Replica, s.now.Sub(c.Started).Round(time.Second), health.Deadline, s.View.Report.Replicas[c.ID].LastError)
		default:
			s.wake(c.Started.Add(health.Deadline))
		}
	}
	return ""
}

// unprobed: nothing bad is known about the replica. A gateway that was started
// anew has yet to probe it, or it is healthy, but not for long enough.
func (s *stepper) unprobed(c *reconcile.Container) bool {
	h := s.View.Report.Replicas[c.ID]
	return h.Healthy || h.LastError == ""
}

// loopAfter is how many restarts in a row make a crash loop.
const loopAfter = 3

// waitingFor says what the next observation should bring; empty if nothing.
func (s *stepper) waitingFor() string {
	switch {
	case len(s.out.Commands) > 0:
		c := s.out.Commands[0]
		return fmt.Sprintf("%s %s: %s", c.Verb, c.Name, c.Reason)
	case !s.View.Known:
		return "the gateway does not answer yet"
	case s.Intent == Serve && s.out.Ready < s.out.Want:
		return fmt.Sprintf("%d of %s ready", s.out.Ready, count(s.out.Want, "replica"))
	case !s.inForce():
		return "the gateway takes over the new routes"
	case len(s.unwant) > 0:
		return fmt.Sprintf("%s of old revisions finish their requests", count(len(s.unwant), "replica"))
	}
	return ""
}

func (s *stepper) inForce() bool {
	if s.entry == nil || s.out.Entry == nil {
		return s.entry == nil && s.out.Entry == nil
	}
	return s.entry.Equal(*s.out.Entry)
}
