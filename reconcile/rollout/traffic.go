package rollout

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// shares gives each revision its share of the requests: as the record says, but
// all of it to a release that can serve while stable has no hope to.
func (s *stepper) shares() map[string]int {
	ro := s.Record.Rollout
	switch {
	case s.stable == nil && s.candidate == nil:
		return nil
	case s.stable == nil: // a first deployment, or the strategy recreate
		return map[string]int{s.candidate.target.Revision: 100}
	}
	stable := s.stable.target.Revision
	if s.hopeless(s.stable) && !s.stable.launchAfter {
		if standIn := s.standIn(stable); standIn != "" {
			return map[string]int{standIn: 100}
		}
	}
	if ro == nil || ro.Weight == 0 || s.retreat || !slices.ContainsFunc(s.Containers, func(c reconcile.Container) bool {
		return c.Revision == ro.Candidate.Revision && routable(&c)
	}) {
		return map[string]int{stable: 100}
	}
	return map[string]int{stable: 100 - ro.Weight, ro.Candidate.Revision: ro.Weight}
}

// hopeless: none of the replicas is ready, and none may be that was not probed
// yet. A gateway that was started a moment ago has probed nothing.
func (s *stepper) hopeless(g *group) bool {
	return g.want > 0 && s.View.Known && g.ready == 0 && !slices.ContainsFunc(g.mine, func(c reconcile.Container) bool {
		return routable(&c) && s.unprobed(&c)
	})
}

// standIn is another revision that can take the requests: the one that takes
// most of them already, else the candidate, else the release that is kept. None
// that never took any and belongs to no release.
func (s *stepper) standIn(stable string) string {
	prefer := []string{s.entry.Serving()}
	if s.candidate != nil {
		prefer = append(prefer, s.candidate.target.Revision)
	}
	for _, rev := range append(prefer, s.previous) {
		if rev != "" && rev != stable && s.servable(rev) {
			return rev
		}
	}
	return ""
}

// servable tells whether a revision has a replica that is ready.
func (s *stepper) servable(revision string) bool {
	for _, g := range []*group{s.stable, s.candidate} {
		if g != nil && g.target.Revision == revision {
			return g.ready > 0
		}
	}
	return s.healthy(revision) > 0
}

// weightsInForce are the shares by the gateway's table.
func (s *stepper) weightsInForce() map[string]int {
	weights := map[string]int{}
	if s.entry != nil {
		for _, r := range s.entry.Revisions {
			if r.Weight > 0 {
				weights[r.Revision] = r.Weight
			}
		}
	}
	return weights
}

// route makes the model's entry for the routing table: every running replica is
// listed, so that the gateway probes and drains it, with its revision's share.
func (s *stepper) route() {
	entry := s.frame()
	if entry == nil {
		return
	}
	for _, rev := range s.revisions() {
		r := reconcile.RoutedRevision{Revision: rev, Weight: s.weights[rev], Health: s.healthOf(rev)}
		for i := range s.Containers {
			if c := &s.Containers[i]; c.Revision == rev && routable(c) {
				r.Replicas = append(r.Replicas, reconcile.RoutedReplica{ID: c.ID, Address: address(c), Drain: s.leaving(c.ID), Cold: s.isCold(c)})
			}
		}
		slices.SortFunc(r.Replicas, func(a, b reconcile.RoutedReplica) int { return cmp.Compare(a.ID, b.ID) })
		entry.Revisions = append(entry.Revisions, r)
	}
	s.out.Entry = entry
	s.out.Serving = entry.Serving()
}

// isCold: a replica that is not inspected yet. Of a release without a group
// nothing is known but what the gateway does.
func (s *stepper) isCold(c *reconcile.Container) bool {
	for _, g := range []*group{s.stable, s.candidate} {
		if g != nil && g.target.Revision == c.Revision {
			return s.cold(g, c)
		}
	}
	r := s.entry.Find(c.Revision)
	return r != nil && slices.ContainsFunc(r.Replicas, func(replica reconcile.RoutedReplica) bool { return replica.ID == c.ID && replica.Cold })
}

// frame is the entry without revisions, or nil if there should be none.
func (s *stepper) frame() *reconcile.RoutedModel {
	switch {
	case s.Intent == Serve:
		m := s.Target.Model
		entry := &reconcile.RoutedModel{Name: s.Name, Protocol: m.Protocol, Routes: s.Target.RoutedPaths()}
		s.frameRollout(entry)
		return entry
	case s.entry == nil, s.Intent == Destroy && !slices.ContainsFunc(s.Containers, func(c reconcile.Container) bool { return routable(&c) }):
		return nil
	case s.Intent == Destroy:
		// Its ways in may belong to another model of the same commit.
		return &reconcile.RoutedModel{Name: s.Name, Protocol: s.entry.Protocol}
	default:
		entry := *s.entry
		entry.Revisions = nil
		return &entry
	}
}

// frameRollout adds what a rollout needs of the gateway beside weights.
func (s *stepper) frameRollout(entry *reconcile.RoutedModel) {
	ro := s.Record.Rollout
	if wantsOutputs(s.Target.Model.Rollout) || ro != nil && wantsOutputs(&ro.Policy) {
		entry.Outputs = scoredOutputs(s.Target.Model.Signature)
	}
	if ro == nil || ro.Step < 0 {
		return
	}
	if !slices.ContainsFunc(s.candidate.mine, func(c reconcile.Container) bool { return routable(&c) }) {
		return
	}
	entry.Candidate, entry.Sticky = ro.Candidate.Revision, ro.Policy.Sticky
	switch ro.Policy.Strategy {
	case spec.AB:
		entry.Match = ro.Policy.Match
	case spec.Shadow:
		entry.Mirror = ro.Policy.Mirror
		if entry.Mirror == nil {
			entry.Mirror = &spec.Mirror{Percent: 100}
		}
	case spec.Canary, spec.BlueGreen, spec.Recreate:
	}
}

// wantsOutputs: a check compares answers, so the gateway has to look into them.
func wantsOutputs(p *spec.Rollout) bool {
	return p != nil && (p.Strategy == spec.Shadow || slices.ContainsFunc(p.Checks, func(c spec.Check) bool { return c.Metric == spec.ScoreShift }))
}

// scoredOutputs are the outputs of a signature that are numbers.
func scoredOutputs(s *spec.Signature) []reconcile.ScoredOutput {
	if s == nil {
		return nil
	}
	var outputs []reconcile.ScoredOutput
	for _, t := range s.Outputs {
		if t.Datatype != "BYTES" && t.Datatype != "BOOL" {
			outputs = append(outputs, reconcile.ScoredOutput{Name: t.Name, Datatype: t.Datatype})
		}
	}
	return outputs
}

// revisions lists those that have a routable replica, and those with a share.
func (s *stepper) revisions() []string {
	revs := slices.Collect(maps.Keys(s.weights))
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

// healthOf is the probe of a revision: that of its group is known, that of
// another one stays what it was.
func (s *stepper) healthOf(rev string) reconcile.HealthProbe {
	for _, g := range []*group{s.stable, s.candidate} {
		if g != nil && g.target.Revision == rev {
			return probe(g.target.Model.Health)
		}
	}
	if old := s.entry.Find(rev); old != nil {
		return old.Health
	}
	if p := s.Record.Previous; p != nil && p.Revision == rev && p.Health.Path != "" {
		return probe(p.Health)
	}
	if s.Target == nil {
		return reconcile.HealthProbe{Path: "/v2/health/ready", Interval: time.Second, Timeout: time.Second}
	}
	return probe(s.Target.Model.Health)
}

func probe(h spec.Health) reconcile.HealthProbe {
	return reconcile.HealthProbe{Path: h.Path, Interval: h.Interval, Timeout: h.Timeout}
}
