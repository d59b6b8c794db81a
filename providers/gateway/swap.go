package gateway

import (
	"context"
	"slices"

	"github.com/fairlead/fairlead/reconcile"
)

// restore puts the kept table in force. A file that does not read is set aside
// and said; the daemon will push a table soon, which is better than not to start.
func (s *Server) restore() {
	table, err := s.store.load()
	if err != nil {
		s.logger.Error("the kept routing table cannot be used; waiting for the daemon to push one", "error", err)
		return
	}
	if table.Version > 0 {
		next, err := s.prepare(table)
		if err != nil {
			s.logger.Error("the kept routing table cannot be used; waiting for the daemon to push one", "error", err)
			return
		}
		s.swap(next)
		s.logger.Info("serving from the kept routing table", "version", table.Version, "models", len(table.Models))
	}
}

// prepare compiles a valid table. Nothing changes before swap.
func (s *Server) prepare(table reconcile.Table) (*routing, error) {
	c := compiler{before: s.routing.Load(), metrics: s.metrics, board: s.board, connect: s.config.Limits.ConnectTimeout}
	return c.compile(table)
}

// swap puts a prepared table in force. The order is what makes it safe: a replica
// opens before anybody can choose it by the new table, and closes once nobody
// can choose it by that any more. A request that has chosen it by the old table
// finds it closed and looks again (see replica.take).
func (s *Server) swap(next *routing) {
	before := s.routing.Load()
	var closing, resting []*replica
	for _, m := range next.table.Models {
		for _, rev := range m.Revisions {
			for _, listed := range rev.Replicas {
				r := next.replicas[listed.ID]
				if old := r.probe.Swap(&rev.Health); old != nil && *old != rev.Health {
					r.look()
				}
				if listed.Drain || listed.Cold || !takes(&m, &rev) {
					closing = append(closing, r)
				} else {
					r.open()
				}
				if listed.Drain {
					resting = append(resting, r)
				} else {
					s.startProbing(r)
				}
			}
		}
	}
	s.putInForce(before, next, closing)
	for _, r := range resting {
		s.stopProbing(r)
	}
	s.metrics.forget(before, next)
	s.board.bump()
}

// putInForce is the moment of the swap, and closes what must take no request
// after it.
func (s *Server) putInForce(before, next *routing, closing []*replica) {
	s.inForce.Lock()
	defer s.inForce.Unlock()
	s.routing.Store(next)
	for _, r := range closing {
		r.close()
	}
	for id, r := range before.replicas {
		if next.replicas[id] != r {
			s.stopProbing(r)
			r.leave()
			s.leaving = append(s.leaving, r)
		}
	}
	s.leaving = slices.DeleteFunc(s.leaving, func(r *replica) bool { return r.load.Load() == 0 })
}

// startProbing and stopProbing are called with swapping held, or before Run.
func (s *Server) startProbing(r *replica) {
	if r.stop != nil {
		return
	}
	r.resting.Store(false)
	ctx, cancel := context.WithCancel(s.alive)
	r.stop = cancel
	failures := s.metrics.probeFailures.WithLabelValues(r.model, r.revision)
	p := prober{replica: r, failed: failures.Inc, logger: s.logger}
	s.probers.Go(func() { p.run(ctx) })
}

func (s *Server) stopProbing(r *replica) {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
	r.rest()
}
