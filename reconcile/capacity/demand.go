package capacity

import (
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// Demand is what one model takes and wants to take.
type Demand struct {
	Model string // served name
	// Held is what its containers take now, of every revision.
	Held Size
	// Stable, Candidate and Previous are what its releases take at full size. A
	// model that does not serve yet has a candidate only.
	Stable, Candidate, Previous Size
	// Recreate: stable stops before the candidate starts.
	Recreate bool
	// UnderWay: the candidate was let in before, and is on its way.
	UnderWay bool
	Running  bool // it has containers
	// Leaving: the model is not in Git, and what it holds comes free.
	Leaving bool
	// Steps: it is no model, but all the steps of pipelines that run now. They too
	// come free.
	Steps bool
}

// need is the most that the model takes on its way to what Git wants.
func (d *Demand) need() Size {
	if d.Recreate {
		return d.Stable.atLeast(d.Candidate).plus(d.Previous)
	}
	return d.Stable.plus(d.Candidate).plus(d.Previous)
}

// Demands says what every model of the environment takes and wants, in no order.
// records may lack models, and may be nil: then the containers tell which
// revision serves. What steps of pipelines take now is one demand more.
func Demands(engine reconcile.Engine, d *reconcile.Desired, containers []reconcile.Container, records map[string]journal.Record) []Demand {
	found := observe(d, containers)
	demands := make([]Demand, 0, max(len(found), len(d.Targets))+1)
	if held := heldBySteps(containers, engine); held != (Size{}) {
		demands = append(demands, Demand{Held: held, Steps: true})
	}
	for name, releases := range found {
		demand := Demand{Model: name, Running: true}
		for i := range releases {
			demand.Held = demand.Held.plus(sizeOf(releases[i].inputs, releases[i].containers, engine))
		}
		switch target := d.Targets[name]; {
		case target != nil:
			demand.want(engine, target, recordOf(records, name), releases)
		case d.Unbound[name] == nil && !d.Forgotten[name]:
			demand.Leaving = true
		}
		demands = append(demands, demand)
	}
	for name, target := range d.Targets {
		if found[name] == nil {
			demand := Demand{Model: name}
			demand.want(engine, target, recordOf(records, name), nil)
			demands = append(demands, demand)
		}
	}
	return demands
}

// heldBySteps is what the steps of pipelines take that run, or are about to. One
// that has ended never starts again.
func heldBySteps(containers []reconcile.Container, engine reconcile.Engine) Size {
	var held Size
	for i := range containers {
		c := &containers[i]
		if c.Kind != spec.KindStep {
			continue
		}
		switch c.State {
		case reconcile.StateCreated, reconcile.StateRunning, reconcile.StatePaused, reconcile.StateRestarting:
			held = held.plus(sizeOf(inputsOf(c), 1, engine))
		case reconcile.StateExited, reconcile.StateRemoving, reconcile.StateDead:
		}
	}
	return held
}

// release is the containers of one revision of a model.
type release struct {
	revision   string
	inputs     *reconcile.RevisionInputs
	containers int
}

func find(releases []release, revision string) *release {
	for i := range releases {
		if releases[i].revision == revision {
			return &releases[i]
		}
	}
	return nil
}

// observe groups the containers by model and revision. Nearly all of them are of
// the revision that Git wants, whose inputs need not be read from a label.
func observe(d *reconcile.Desired, containers []reconcile.Container) map[string][]release {
	found := make(map[string][]release, len(d.Targets))
	for i := range containers {
		c := &containers[i]
		if c.Kind == spec.KindGateway || c.Kind == spec.KindStep || c.State == reconcile.StateRemoving || c.State == reconcile.StateDead {
			continue
		}
		name := d.ModelOf(c)
		if r := find(found[name], c.Revision); r != nil {
			r.containers++
			continue
		}
		r := release{revision: c.Revision, containers: 1}
		if t := d.Targets[name]; t != nil && t.Revision == c.Revision {
			r.inputs = &t.Inputs
		} else {
			r.inputs = inputsOf(c)
		}
		found[name] = append(found[name], r)
	}
	return found
}

// inputsOf reads what a container was created from; where it does not tell, its
// limits do.
func inputsOf(c *reconcile.Container) *reconcile.RevisionInputs {
	in, known := reconcile.ParseInputs(c.Inputs)
	if !known {
		in = reconcile.RevisionInputs{CPUs: float64(c.Limits.NanoCPUs) / 1e9, Memory: c.Limits.Memory}
	}
	return &in
}

// want fills in what the model takes on its way to the target.
func (d *Demand) want(engine reconcile.Engine, t *reconcile.Target, r *journal.Record, releases []release) {
	replicas := t.Model.Replicas
	previous := keptRelease(r, releases)
	if previous != nil {
		d.Previous = sizeOf(previous.inputs, previous.containers, engine)
	}
	stable := stableOf(r, releases, t.Revision)
	if stable != nil {
		d.Stable = sizeOf(stable.inputs, replicas, engine)
	}
	policy, candidate := t.Model.Rollout, &t.Inputs
	switch ro := r.Rollout; {
	case ro != nil && (ro.Candidate.Revision == t.Revision || ro.Policy.Velocity == spec.VelocityFinish || ro.Policy.Velocity == spec.VelocityQueueLatest):
		d.UnderWay, policy, candidate = true, &ro.Policy, &ro.Candidate.Inputs
	case stable != nil && stable.revision == t.Revision, r.Rejection(t.Revision) != nil:
		return
	case previous != nil && previous.revision == t.Revision:
		return // the way back starts nothing
	}
	d.Candidate = sizeOf(candidate, max(replicas, mostOf(policy, replicas)), engine)
	d.Recreate = policy != nil && policy.Strategy == spec.Recreate
}

// recordOf spares copies of what is nearly always empty.
func recordOf(records map[string]journal.Record, name string) *journal.Record {
	if r, known := records[name]; known {
		return &r
	}
	return &journal.Record{}
}

// stableOf is the release that serves, by the record or for want of one by what
// runs; nil for a model that does not serve yet.
func stableOf(r *journal.Record, releases []release, target string) *release {
	switch {
	case r.Stable != nil:
		return &release{revision: r.Stable.Revision, inputs: &r.Stable.Inputs}
	case r.Rollout != nil:
		return nil
	}
	return serving(releases, target)
}

// keptRelease is what still runs of the release before, or nil.
func keptRelease(r *journal.Record, releases []release) *release {
	if r.Previous == nil {
		return nil
	}
	return find(releases, r.Previous.Revision)
}

// mostOf is the largest number of candidate replicas that a step asks for.
func mostOf(policy *spec.Rollout, replicas int) int {
	most := 0
	if policy == nil || replicas == 0 {
		return most
	}
	for _, step := range policy.Steps {
		most = max(most, step.Replicas)
	}
	return most
}

// serving guesses which release serves, for want of a record: the target's, if
// there is no other, else that with the most containers.
func serving(releases []release, target string) *release {
	var best *release
	for i := range releases {
		r := &releases[i]
		newcomer := r.revision == target
		switch {
		case best == nil, best.revision == target:
			best = r
		case !newcomer && (r.containers > best.containers || r.containers == best.containers && r.revision < best.revision):
			best = r
		}
	}
	return best
}
