package gateway

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// replica is one container behind the gateway. It outlives the tables that list
// it, so its connections, its open requests and its health go on through a swap.
type replica struct {
	id, address     string
	model, revision string
	transport       *http.Transport
	// probes have connections of their own: what a request has done to one must
	// not decide about the health.
	probes *http.Transport
	board  *board

	// load counts the open requests of the container. It is shared with the
	// replica that follows when a container comes back with another address.
	load *atomic.Int64
	// ready: healthy. The balancer reads nothing else of the health.
	ready atomic.Bool
	// closed: takes no new request, since it drains, its revision has no weight,
	// or it has left the table.
	closed atomic.Bool
	// resting: is probed no more, since it drains or has left the table.
	resting atomic.Bool
	// gone: has left the table; its connections close with the last request.
	gone atomic.Bool

	circuit circuit
	copies  copies

	probe atomic.Pointer[reconcile.HealthProbe]
	// wake makes the prober look now, for example after a failed connect.
	wake chan struct{}
	stop context.CancelFunc // of the prober; nil while none runs

	mu     sync.Mutex
	health health
}

// health is what is known of a replica.
type health struct {
	good    bool
	since   time.Time // of the unbroken good state
	missed  int       // probes in a row that timed out while still good
	problem string    // of the last failed probe
}

func newReplica(id, address string, load *atomic.Int64, board *board, connect time.Duration) *replica {
	return &replica{
		id: id, address: address, load: load, board: board,
		wake:      make(chan struct{}, 1),
		transport: newTransport(connect, 256),
		probes:    newTransport(connect, 1),
	}
}

// newTransport makes connections to one replica and keeps so many idle ones.
func newTransport(connect time.Duration, idle int) *http.Transport {
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &connection{Conn: conn}, nil
		},
		// Model servers close idle connections by themselves, the common
		// ones after 5 s. A request that meets such a close is lost unless it
		// may be repeated, so the gateway lets go first.
		IdleConnTimeout:        4 * time.Second,
		MaxIdleConnsPerHost:    idle,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		DisableCompression:     true, // bytes pass as they are
	}
}

// closeIdle lets the connections go that carry no request.
func (r *replica) closeIdle() {
	r.transport.CloseIdleConnections()
	r.probes.CloseIdleConnections()
}

// take books a request on the replica, unless it is closed. The order matters:
// closing sets the flag and then reads the load, so either the request sees the
// flag or the one who closes sees the request. A replica whose load has been
// reported as 0 after it was closed never gets another request.
func (r *replica) take() bool {
	r.load.Add(1)
	if r.closed.Load() {
		r.circuit.trying.Store(false) // should it have been one
		r.release()
		return false
	}
	return true
}

// release ends what take booked.
func (r *replica) release() {
	if r.load.Add(-1) > 0 || !r.closed.Load() {
		return
	}
	r.board.bump() // drained: somebody may be waiting for it
	if r.gone.Load() {
		r.closeIdle()
	}
}

// open lets the replica take requests, once it is healthy; close ends that.
func (r *replica) open() { r.closed.Store(false) }

func (r *replica) close() {
	r.closed.Store(true)
	r.copies.end()
}

// rest forgets the health: nothing is claimed about a replica that is probed no
// more. What a last probe still finds is not noted.
func (r *replica) rest() {
	r.resting.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.health = health{}
	r.ready.Store(false)
	r.circuit.restore(time.Time{})
}

// leave takes the replica out of the table.
func (r *replica) leave() {
	r.gone.Store(true)
	r.close()
	r.rest()
	if r.load.Load() == 0 {
		r.closeIdle()
	}
}

// suspect marks the replica as bad after a failed connect. The prober looks at
// once, so a replica that only hiccuped is back within milliseconds.
func (r *replica) suspect(err error) {
	r.setBad(err.Error())
	r.look()
}

// look makes the prober look now instead of at its next time.
func (r *replica) look() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *replica) setGood(now time.Time) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.resting.Load() {
		return false
	}
	changed = !r.health.good
	if changed {
		r.health = health{good: true, since: now}
		r.circuit.restore(now) // it came back, and may be another process
		r.ready.Store(true)
		r.board.bump()
	}
	r.health.missed = 0
	return changed
}

func (r *replica) setBad(problem string) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.resting.Load() {
		return false
	}
	changed = r.health.good
	first := !changed && r.health.problem == ""
	r.health = health{problem: problem}
	r.ready.Store(false)
	if changed || first {
		r.board.bump()
	}
	return changed
}

// probed tells whether the replica's health is known, good or bad.
func (r *replica) probed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.health.good || r.health.problem != ""
}

// missed counts a probe that timed out and tells whether the replica stays good
// nevertheless.
func (r *replica) missed() (tolerated bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.health.missed++
	return r.health.good && r.health.missed <= toleratedMisses
}

// report is the replica as the daemon sees it.
func (r *replica) report(now time.Time) reconcile.ReplicaHealth {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := reconcile.ReplicaHealth{Healthy: r.health.good, InFlight: int(r.load.Load()), LastError: r.health.problem}
	if h.Healthy {
		h.HealthyFor = now.Sub(r.health.since)
		h.Ejected, h.LastError = r.circuit.state()
	}
	return h
}
