package gateway

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A replica that is healthy by its probe may still fail requests that its peers
// answer: a broken disk, a GPU that fell off the bus. It is ejected: for a while
// it gets no request, then one at a time as a trial.
const (
	// streakToEject is how many requests in a row have to fail.
	streakToEject = 5
	// timesWorse is how many times its peers' share of failures a replica's own
	// has to be. A failure that all replicas show is the revision's, and is left
	// to the checks of the rollout.
	timesWorse = 3
	// tallySpan is the length of the two spans that shares are taken over.
	tallySpan = 10 * time.Second
	// ejectFor is the first ejection's length; each further one is twice as long.
	ejectFor    = 10 * time.Second
	maxEjectFor = 5 * time.Minute
)

// phase is where the circuit of a replica is.
type phase int32

const (
	connected phase = iota // takes requests like any other
	ejected                // takes none
	onTrial                // takes one at a time, and the first that ends decides
)

// circuit keeps requests from a replica that is much worse than its peers.
type circuit struct {
	phase  atomic.Int32 // a phase
	trying atomic.Bool  // a trial is under way

	mu     sync.Mutex
	streak int // failures in a row
	span   int64
	recent tally     // since the span began
	before tally     // in the span before
	level  int       // ejections in a row
	quiet  time.Time // the end of the last one
	why    string
	timer  *time.Timer // ends the ejection
}

// tally counts how requests ended.
type tally struct{ good, bad int }

func (t tally) plus(o tally) tally { return tally{t.good + o.good, t.bad + o.bad} }

// share is the part of the requests that failed.
func (t tally) share() float64 { return float64(t.bad) / float64(max(t.good+t.bad, 1)) }

// admit tells whether a replica that is not connected may take this request, as
// its trial.
func (c *circuit) admit() bool {
	return phase(c.phase.Load()) == onTrial && c.trying.CompareAndSwap(false, true)
}

// count notes how a request ended and returns the streak of failures.
func (c *circuit) count(good bool, now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
	if good {
		c.recent.good++
		c.streak = 0
	} else {
		c.recent.bad++
		c.streak++
	}
	return c.streak
}

// turn begins a new span where one is over. It is called with the lock held.
func (c *circuit) turn(now time.Time) {
	switch span := now.UnixNano() / int64(tallySpan); span - c.span {
	case 0:
	case 1:
		c.before, c.recent, c.span = c.recent, tally{}, span
	default:
		c.before, c.recent, c.span = tally{}, tally{}, span
	}
}

func (c *circuit) tally(now time.Time) tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
	return c.recent.plus(c.before)
}

// eject opens the circuit and returns for how long.
func (c *circuit) eject(now time.Time, why string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.quiet) > maxEjectFor {
		c.level = 0
	}
	length := min(ejectFor<<min(c.level, 8), maxEjectFor)
	c.level, c.quiet = c.level+1, now.Add(length)
	c.why = fmt.Sprintf("ejected for %s: %s", length, why)
	c.phase.Store(int32(ejected))
	c.trying.Store(false)
	c.timer = time.AfterFunc(length, func() { c.phase.CompareAndSwap(int32(ejected), int32(onTrial)) })
	return length
}

// restore lets the replica take requests again, with what it did before behind it.
func (c *circuit) restore(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.streak, c.recent, c.before, c.why, c.quiet = 0, tally{}, tally{}, "", now
	c.phase.Store(int32(connected))
	c.trying.Store(false)
}

// state tells whether the replica is ejected, and why.
func (c *circuit) state() (out bool, why string) {
	if phase(c.phase.Load()) == connected {
		return false, ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return true, c.why
}

// settled notes how a request to a replica of the revision ended, and ejects or
// restores the replica by it.
func (s *Server) settled(rev *revision, r *replica, how outcome) {
	c := &r.circuit
	if how == outcomeClientGone { // says nothing about the replica
		c.trying.Store(false)
		return
	}
	now, good := time.Now(), how != outcome5xx
	switch streak := c.count(good, now); {
	case phase(c.phase.Load()) == onTrial && good:
		c.restore(now)
		s.board.bump()
		s.logger.Info("replica passed its trial and takes requests again", "model", r.model, "revision", r.revision, "replica", shortID(r.id))
	case phase(c.phase.Load()) == onTrial:
		s.eject(rev, r, "the trial request failed", now)
	case !good && streak >= streakToEject && rev.worst(r, now):
		s.eject(rev, r, fmt.Sprintf("%d requests in a row failed, while its peers answer", streak), now)
	}
}

// worst tells whether the replica is much worse than its peers together.
func (rev *revision) worst(r *replica, now time.Time) bool {
	var peers tally
	for _, other := range rev.replicas {
		if other != r && other.ready.Load() && phase(other.circuit.phase.Load()) == connected {
			peers = peers.plus(other.circuit.tally(now))
		}
	}
	return peers.good >= streakToEject && timesWorse*peers.share() <= r.circuit.tally(now).share()
}

// eject takes the replica out, unless half of the revision's ready replicas are
// out already: the rest must be able to carry what comes.
func (s *Server) eject(rev *revision, r *replica, why string, now time.Time) {
	rev.model.lasting.ejecting.Lock()
	defer rev.model.lasting.ejecting.Unlock()
	ready, out := 0, 1
	for _, other := range rev.replicas {
		if !other.ready.Load() {
			continue
		}
		ready++
		if other != r && phase(other.circuit.phase.Load()) != connected {
			out++
		}
	}
	if phase(r.circuit.phase.Load()) == ejected {
		return // by another request, a moment ago
	}
	if 2*out > ready {
		r.circuit.restore(now)
		return
	}
	length := r.circuit.eject(now, why)
	s.metrics.ejections.WithLabelValues(r.model, r.revision).Inc()
	s.board.bump()
	s.logger.Warn("replica is ejected", "model", r.model, "revision", r.revision, "replica", shortID(r.id), "for", length, "reason", why)
}
