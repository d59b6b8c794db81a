package webhook

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The bounds of what an endpoint remembers.
const (
	maxSources = 4096
	perSecond  = 2  // requests of one source, in the long run
	burst      = 60 // and at once
	maxSeen    = 4096
)

// source is whose requests are counted together: an address, of IPv6 a /64, which one
// customer has for himself.
func source(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	address := at.Addr().Unmap().WithZone("")
	if address.Is6() {
		network, err := address.Prefix(64)
		if err == nil {
			return network.String()
		}
	}
	return address.String()
}

// sources are token buckets by source. Of too many the one is forgotten that has been
// silent for longest.
type sources struct {
	mu      sync.Mutex
	byName  map[string]*list.Element
	inOrder *list.List // of *bucket, the last heard in front
}

type bucket struct {
	source string
	tokens *rate.Limiter
}

func newSources() *sources {
	return &sources{byName: map[string]*list.Element{}, inOrder: list.New()}
}

// take returns how long the source has to wait; 0: not at all.
func (s *sources) take(source string, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	element := s.byName[source]
	if element == nil {
		if s.inOrder.Len() == maxSources {
			oldest := s.inOrder.Back()
			delete(s.byName, oldest.Value.(*bucket).source)
			s.inOrder.Remove(oldest)
		}
		element = s.inOrder.PushFront(&bucket{source, rate.NewLimiter(perSecond, burst)})
		s.byName[source] = element
	}
	s.inOrder.MoveToFront(element)
	reservation := element.Value.(*bucket).tokens.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now) // who is refused takes no token
	}
	return wait
}

// seen remembers the last deliveries.
type seen struct {
	mu      sync.Mutex
	marks   map[mark]bool
	inOrder []mark // a ring
	next    int
}

func newSeen() *seen { return &seen{marks: map[mark]bool{}} }

// add tells whether the delivery is a new one.
func (s *seen) add(m mark) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.marks[m] {
		return false
	}
	s.marks[m] = true
	if len(s.inOrder) < maxSeen {
		s.inOrder = append(s.inOrder, m)
		return true
	}
	delete(s.marks, s.inOrder[s.next])
	s.inOrder[s.next] = m
	s.next = (s.next + 1) % maxSeen
	return true
}

// alarm wakes at once, and then at most once in a window: what rings within one is
// heard at its end.
type alarm struct {
	wake func()
	now  func() time.Time

	mu     sync.Mutex
	last   time.Time
	due    *time.Timer // nil: none is
	closed bool
}

func (a *alarm) ring() {
	a.mu.Lock()
	if a.closed || a.due != nil {
		a.mu.Unlock()
		return
	}
	now := a.now()
	if since := now.Sub(a.last); since < window {
		a.due = time.AfterFunc(min(window-since, window), a.fire)
		a.mu.Unlock()
		return
	}
	a.last = now
	a.mu.Unlock()
	a.wake()
}

func (a *alarm) fire() {
	a.mu.Lock()
	a.due = nil
	a.last = a.now()
	closed := a.closed
	a.mu.Unlock()
	if !closed {
		a.wake()
	}
}

func (a *alarm) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	if a.due != nil {
		a.due.Stop()
	}
}
