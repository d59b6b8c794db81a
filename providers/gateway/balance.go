package gateway

import (
	"slices"
	"sync/atomic"
)

// model is one model of a table, ready to be balanced.
type model struct {
	name      string
	oip       bool
	revisions []*revision // those with a weight, heaviest first
	// schedule says which revision (index into revisions) the next requests
	// go to. See spread.
	schedule []uint8
	// turn is the position in the schedule. It is handed on from table to
	// table, so that a swap does not start the schedule again.
	turn *atomic.Uint64
	// unserved counts the requests that no replica could take.
	unserved *series
}

// revision is a revision that takes requests.
type revision struct {
	name     string
	model    *model
	weight   int
	replicas []*replica // those that do not drain
	turn     atomic.Uint32
	series   *series
}

// pick chooses a replica for the next request: first a revision by weight, then
// the least loaded of its ready replicas. A revision without a ready replica
// gives its turn to the others: a request that can be answered is answered.
// Replicas that were tried before are left out. It returns nil if none is left.
func (m *model) pick(tried []*replica) (*revision, *replica) {
	if len(m.revisions) == 0 {
		return nil, nil
	}
	first := m.revisions[0]
	if len(m.schedule) > 1 {
		first = m.revisions[m.schedule[(m.turn.Add(1)-1)%uint64(len(m.schedule))]]
	}
	if r := first.leastLoaded(tried); r != nil {
		return first, r
	}
	for _, rev := range m.revisions {
		if r := rev.leastLoaded(tried); r != nil {
			return rev, r
		}
	}
	return nil, nil
}

// leastLoaded returns the ready replica with the fewest open requests. It starts
// to look at another one each time, so equals take turns.
func (rev *revision) leastLoaded(tried []*replica) *replica {
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
