package memory

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// Router is a gateway in memory: it keeps the table and reports the health of
// its replicas, but carries no traffic. Like the real one with its volume, it is
// one gateway whatever endpoint it is called at.
//
// What it cannot see by itself it is told: whether a container is healthy comes
// from a function, usually one that looks at a [Runtime], the time from another,
// and open requests from SetInFlight.
type Router struct {
	healthy func(containerID string) bool
	now     func() time.Time

	mu       sync.Mutex
	table    reconcile.Table
	sequence uint64
	replicas map[string]*replicaState
	inFlight map[string]int
	down     error
	pushes   int
}

// replicaState is what the Router saw of one replica at the last observation.
type replicaState struct {
	drain   bool
	drained bool // drain, and no open request
	healthy bool
	since   time.Time // of the unbroken health
}

var _ reconcile.Router = (*Router)(nil)

// NewRouter returns a Router without a table. healthy is asked for every replica
// that does not drain, at each call of the Router; it must not call back.
func NewRouter(healthy func(containerID string) bool, now func() time.Time) *Router {
	return &Router{
		healthy: healthy, now: now, sequence: 1,
		replicas: map[string]*replicaState{}, inFlight: map[string]int{},
	}
}

// Push implements reconcile.Router.
func (r *Router) Push(ctx context.Context, endpoint string, table reconcile.Table) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reachable(ctx, endpoint); err != nil {
		return err
	}
	if err := table.Validate(); err != nil {
		return err
	}
	if table.Equal(r.table) {
		return nil
	}
	if table.Version != r.table.Version+1 {
		return fmt.Errorf("push routing table %d: the gateway at %s has %d: %w", table.Version, endpoint, r.table.Version, reconcile.ErrStaleTable)
	}
	r.table = cloneTable(table)
	r.pushes++
	r.sequence++
	r.observe()
	return nil
}

// Table implements reconcile.Router.
func (r *Router) Table(ctx context.Context, endpoint string) (reconcile.Table, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reachable(ctx, endpoint); err != nil {
		return reconcile.Table{}, err
	}
	return cloneTable(r.table), nil
}

// pollEvery is how often a waiting Report looks again: the functions that a
// Router is made of cannot wake it.
const pollEvery = 2 * time.Millisecond

// Report implements reconcile.Router.
func (r *Router) Report(ctx context.Context, endpoint string, since uint64, wait time.Duration) (reconcile.Report, error) {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for over := since == 0; ; {
		report, err := r.report(ctx, endpoint)
		if err != nil || over || report.Sequence != since {
			return report, err
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			over = true
		case <-ctx.Done():
			return reconcile.Report{}, fmt.Errorf("wait for the report of the gateway at %s: %w", endpoint, ctx.Err())
		}
	}
}

func (r *Router) report(ctx context.Context, endpoint string) (reconcile.Report, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.reachable(ctx, endpoint); err != nil {
		return reconcile.Report{}, err
	}
	r.observe()
	report := reconcile.Report{
		Sequence: r.sequence, TableVersion: r.table.Version,
		Replicas: make(map[string]reconcile.ReplicaHealth, len(r.replicas)),
	}
	for id, s := range r.replicas {
		h := reconcile.ReplicaHealth{Healthy: s.healthy, InFlight: r.inFlight[id]}
		switch {
		case s.healthy:
			h.HealthyFor = r.now().Sub(s.since)
		case !s.drain:
			h.LastError = "the container does not answer its health probe"
		}
		report.Replicas[id] = h
	}
	return report, nil
}

// reachable is called with the lock held.
func (r *Router) reachable(ctx context.Context, endpoint string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("call the gateway at %s: %w", endpoint, err)
	}
	if r.down != nil {
		return fmt.Errorf("call the gateway at %s: %w: %w", endpoint, reconcile.ErrRouterUnavailable, r.down)
	}
	return nil
}

// observe brings the state of every replica up to date, and counts the sequence
// up if any changed. It is called with the lock held.
func (r *Router) observe() {
	seen := make(map[string]*replicaState, len(r.replicas))
	for _, m := range r.table.Models {
		for _, rev := range m.Revisions {
			for _, replica := range rev.Replicas {
				seen[replica.ID] = r.look(replica)
			}
		}
	}
	same := func(a, b *replicaState) bool {
		return a.healthy == b.healthy && a.drain == b.drain && a.drained == b.drained
	}
	if !maps.EqualFunc(seen, r.replicas, same) {
		r.sequence++
	}
	r.replicas = seen
}

// look returns the present state of one replica. One that drains is probed no
// more, so nothing is claimed about its health.
func (r *Router) look(replica reconcile.RoutedReplica) *replicaState {
	s := &replicaState{drain: replica.Drain}
	if s.drain {
		s.drained = r.inFlight[replica.ID] == 0
		return s
	}
	if s.healthy = r.healthy(replica.ID); s.healthy {
		s.since = r.now()
		if before := r.replicas[replica.ID]; before != nil && before.healthy {
			s.since = before.since
		}
	}
	return s
}

// Observe looks at every replica now. A test whose healthy function goes down
// and up again between two calls uses it to let the Router see the break.
func (r *Router) Observe() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.observe()
}

// SetInFlight sets the number of open requests of a container.
func (r *Router) SetInFlight(containerID string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight[containerID] = n
	r.observe()
}

// SetDown makes every call fail with an error that wraps
// reconcile.ErrRouterUnavailable and cause; nil brings the Router back, with the
// table that it had.
func (r *Router) SetDown(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = cause
}

// Forget drops the table, as a gateway does whose volume was lost.
func (r *Router) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.table = reconcile.Table{}
	r.sequence++
	r.observe()
}

// Current is the table in force, for tests that look behind the port.
func (r *Router) Current() reconcile.Table {
	r.mu.Lock()
	defer r.mu.Unlock()
	return cloneTable(r.table)
}

// Pushes counts the tables that were taken; repetitions do not count.
func (r *Router) Pushes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pushes
}

// cloneTable keeps the caller's slices and the Router's apart, as the wire does
// for a real gateway. What pointers lead to is never changed by anybody.
func cloneTable(t reconcile.Table) reconcile.Table {
	clone := t
	clone.Models = append([]reconcile.RoutedModel(nil), t.Models...)
	for i, m := range clone.Models {
		m.Routes = append([]reconcile.RoutedPath(nil), m.Routes...)
		m.Outputs = append([]reconcile.ScoredOutput(nil), m.Outputs...)
		m.Revisions = append([]reconcile.RoutedRevision(nil), m.Revisions...)
		for j, rev := range m.Revisions {
			m.Revisions[j].Replicas = append([]reconcile.RoutedReplica(nil), rev.Replicas...)
		}
		clone.Models[i] = m
	}
	return clone
}
