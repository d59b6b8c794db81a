package capacity

import (
	"cmp"
	"maps"
	"slices"

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
}

// need is the most that the model takes on its way to what Git wants.
func (d *Demand) need() Size {
	if d.Recreate {
		return d.Stable.atLeast(d.Candidate).plus(d.Previous)
	}
	return d.Stable.plus(d.Candidate).plus(d.Previous)
}

// Demands says what every model of the environment takes and wants, sorted by
// name. records may lack models, and may be nil: then the containers tell which
// revision serves.
func Demands(engine reconcile.Engine, d *reconcile.Desired, containers []reconcile.Container, records map[string]journal.Record) []Demand {
	found := observe(d, containers)
	for name := range d.Targets {
		if found[name] == nil {
			found[name] = map[string]*release{}
		}
	}
	demands := make([]Demand, 0, len(found))
	for name, releases := range found {
		demand := Demand{Model: name, Running: len(releases) > 0}
		for _, r := range releases {
			demand.Held = demand.Held.plus(sizeOf(r.inputs, r.containers, engine))
		}
		record := records[name]
		switch target := d.Targets[name]; {
		case target != nil:
			demand.want(engine, target, &record, releases)
		case d.Unbound[name] == nil && !d.Forgotten[name]:
			demand.Leaving = true
		}
		demands = append(demands, demand)
	}
	slices.SortFunc(demands, func(a, b Demand) int { return cmp.Compare(a.Model, b.Model) })
	return demands
}

// release is the containers of one revision of a model.
type release struct {
	revision   string
	inputs     reconcile.RevisionInputs
	containers int
}

// observe groups the containers by model and revision.
func observe(d *reconcile.Desired, containers []reconcile.Container) map[string]map[string]*release {
	found := map[string]map[string]*release{}
	for i := range containers {
		c := &containers[i]
		if c.Kind == spec.KindGateway || c.State == reconcile.StateRemoving || c.State == reconcile.StateDead {
			continue
		}
		name := d.ModelOf(c)
		if found[name] == nil {
			found[name] = map[string]*release{}
		}
		r := found[name][c.Revision]
		if r == nil {
			r = &release{revision: c.Revision, inputs: inputsOf(c)}
			found[name][c.Revision] = r
		}
		r.containers++
	}
	return found
}

// inputsOf reads what a container was created from; where it does not tell, its
// limits do.
func inputsOf(c *reconcile.Container) reconcile.RevisionInputs {
	in, known := reconcile.ParseInputs(c.Inputs)
	if !known {
		in = reconcile.RevisionInputs{CPUs: float64(c.Limits.NanoCPUs) / 1e9, Memory: c.Limits.Memory}
	}
	return in
}

// want fills in what the model takes on its way to the target.
func (d *Demand) want(engine reconcile.Engine, t *reconcile.Target, r *journal.Record, releases map[string]*release) {
	replicas := t.Model.Replicas
	previous := keptRelease(r, releases)
	if previous != nil {
		d.Previous = sizeOf(previous.inputs, previous.containers, engine)
	}
	stable := r.Stable
	if stable == nil && r.Rollout == nil {
		stable = serving(releases, t.Revision)
	}
	if stable != nil {
		d.Stable = sizeOf(stable.Inputs, replicas, engine)
	}
	policy, candidate := t.Model.Rollout, t.Inputs
	switch ro := r.Rollout; {
	case ro != nil && (ro.Candidate.Revision == t.Revision || ro.Policy.Velocity == spec.VelocityFinish || ro.Policy.Velocity == spec.VelocityQueueLatest):
		d.UnderWay, policy, candidate = true, &ro.Policy, ro.Candidate.Inputs
	case stable != nil && stable.Revision == t.Revision, r.Rejection(t.Revision) != nil:
		return
	case previous != nil && previous.revision == t.Revision:
		return // the way back starts nothing
	}
	d.Candidate = sizeOf(candidate, max(replicas, mostOf(policy, replicas)), engine)
	d.Recreate = policy != nil && policy.Strategy == spec.Recreate
}

// keptRelease is what still runs of the release before, or nil.
func keptRelease(r *journal.Record, releases map[string]*release) *release {
	if r.Previous == nil {
		return nil
	}
	return releases[r.Previous.Revision]
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
func serving(releases map[string]*release, target string) *journal.Release {
	var best *release
	for _, revision := range slices.Sorted(maps.Keys(releases)) {
		r := releases[revision]
		if best == nil || best.revision == target || revision != target && r.containers > best.containers {
			best = r
		}
	}
	if best == nil {
		return nil
	}
	return &journal.Release{Revision: best.revision, Inputs: best.inputs}
}
