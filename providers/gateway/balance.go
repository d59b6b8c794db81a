package gateway

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// model is one model of a table, ready to be balanced.
type model struct {
	name      string
	oip       bool
	revisions []*revision // those with a weight, heaviest first
	// schedule says which revision (index into revisions) the next requests
	// go to. See spread.
	schedule []uint8
	// candidate is the revision that a rollout introduces, whatever its weight;
	// nil if there is none.
	candidate *revision
	match     *caller // who goes to the candidate whatever its weight; nil: nobody
	wanted    string  // what match has to find
	sticky    *caller // who stays on a side; nil: nobody
	// places says where a sticky caller belongs, by its bucket. See lay.
	places  *[buckets]uint8
	guarded bool         // a route of it is not open to everybody
	mirror  *spec.Mirror // what is copied to the candidate; nil: nothing
	outputs []reconcile.ScoredOutput
	// lasting is handed on from table to table.
	lasting *lasting
	// unserved counts the requests that no replica could take.
	unserved *series
}

// lasting is what a model keeps when a table is replaced.
type lasting struct {
	// turn is the position in the schedule, so that a swap does not start the
	// schedule again.
	turn     atomic.Uint64
	retries  retryBudget
	ejecting sync.Mutex // one replica at a time
	// copied counts the requests that a shadow was drawn for, and copying the
	// copies that are under way.
	copied  atomic.Uint64
	copying atomic.Int64
}

// revision is a revision that takes requests.
type revision struct {
	name     string
	model    *model
	weight   int
	replicas []*replica // those that take requests: neither draining nor cold
	turn     atomic.Uint32
	series   *series
}

// scheduled is the revision whose turn it is by weight, or nil if the model does
// not serve.
func (m *model) scheduled() *revision {
	switch len(m.schedule) {
	case 0:
		return nil
	case 1:
		return m.revisions[0]
	}
	return m.revisions[m.schedule[(m.lasting.turn.Add(1)-1)%uint64(len(m.schedule))]]
}

// pick chooses a replica for a request that belongs to side: the least loaded of
// its ready replicas. A side without a ready replica gives its turn to the others
// that have a weight: a request that can be answered is answered. Only when
// nobody else is left it goes to a replica that is ejected. Replicas that were
// tried before are left out. It returns nil if none is left.
func (m *model) pick(side *revision, tried []*replica) (*revision, *replica) {
	if side == nil {
		return nil, nil
	}
	for _, admitted := range []bool{true, false} {
		if r := side.leastLoaded(tried, admitted); r != nil {
			return side, r
		}
		for _, rev := range m.revisions {
			if r := rev.leastLoaded(tried, admitted); r != nil {
				return rev, r
			}
		}
	}
	return nil, nil
}

// spare tells whether a replica is left that was not tried.
func (m *model) spare(side *revision, tried []*replica) bool {
	left := func(rev *revision) bool {
		return slices.ContainsFunc(rev.replicas, func(r *replica) bool { return r.ready.Load() && !slices.Contains(tried, r) })
	}
	return left(side) || slices.ContainsFunc(m.revisions, left)
}

// ready tells whether a replica could take a request now.
func (rev *revision) ready() bool {
	return slices.ContainsFunc(rev.replicas, func(r *replica) bool { return r.ready.Load() })
}

// leastLoaded returns the ready replica with the fewest open requests; with
// admitted only one whose circuit lets the request pass. It starts to look at
// another one each time, so equals take turns.
func (rev *revision) leastLoaded(tried []*replica, admitted bool) *replica {
	n := len(rev.replicas)
	if n == 0 {
		return nil
	}
	start := 0
	if n > 1 {
		start = int(rev.turn.Add(1)) % n
	}
	var best *replica
	var least int64
	for i := range n {
		r := rev.replicas[(start+i)%n]
		if !r.ready.Load() || slices.Contains(tried, r) {
			continue
		}
		if admitted && phase(r.circuit.phase.Load()) != connected {
			if r.circuit.admit() {
				return r // a trial that waited for the least load would never come
			}
			continue
		}
		if load := r.load.Load(); best == nil || load < least {
			best, least = r, load
		}
	}
	return best
}

// spread lays weights out as a schedule: each index occurs exactly in proportion
// to its weight and as evenly as can be. It is smooth weighted round robin, run
// ahead of time: at each slot every index earns its weight, the richest one gets
// the slot and pays the total. A schedule needs no lock while it is followed,
// and is exact after every full turn, which is at most 100 requests.
func spread(weights []int) []uint8 {
	divisor, total := 0, 0
	for _, w := range weights {
		divisor = gcd(w, divisor)
		total += w
	}
	if total == 0 {
		return nil
	}
	schedule := make([]uint8, 0, total/divisor)
	credit := make([]int, len(weights))
	for range total / divisor {
		richest := 0
		for i, w := range weights {
			credit[i] += w
			if credit[i] > credit[richest] {
				richest = i
			}
		}
		credit[richest] -= total
		schedule = append(schedule, uint8(richest))
	}
	return schedule
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
