package schedule

import (
	"time"

	"github.com/fairlead/fairlead/spec"
)

const (
	// grace is how late a start may be and still count as in time: a daemon that
	// restarts, or is busy, has missed nothing.
	grace = time.Minute
	// maxMissed bounds how far missed times are counted.
	maxMissed = 1000
)

// Due decides what to start now. fired is the newest time of cron that was dealt
// with; if none was, the time from which on the schedule holds.
//
// at is the newest time of cron that has come since, and is to be remembered as
// dealt with, whether or not something starts; it is zero where none has come. ok
// says that one run is to be started, for at. missed is how many of the times get
// no run: all but one, or all, at most 1000. More than a minute late, the policy
// decides whether there is a run.
func (s Schedule) Due(fired, now time.Time, policy spec.MissedPolicy) (at time.Time, ok bool, missed int) {
	until := now.Add(-s.delay) // what came later is not to be started yet
	at = s.newest(fired, until)
	if at.IsZero() {
		return at, false, 0
	}
	for t := s.nextCron(fired); t.Before(at) && missed < maxMissed; t = s.nextCron(t) {
		missed++
	}
	if policy == spec.MissedSkip && until.Sub(at) > grace {
		return at, false, min(missed+1, maxMissed)
	}
	return at, true, missed
}

// newest returns the last time of cron that is after one time and not after
// another, or zero. It bisects: that something comes from x on until the end holds
// for all x before the newest time, and for none from it on.
func (s Schedule) newest(after, until time.Time) time.Time {
	comes := func(from time.Time) bool {
		next := s.nextCron(from)
		return !next.IsZero() && !next.After(until)
	}
	if !comes(after) {
		return time.Time{}
	}
	low, high := after, until // something comes from low on, nothing from high on
	for high.Sub(low) > time.Minute {
		middle := low.Add(high.Sub(low) / 2)
		if comes(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return s.nextCron(low)
}
