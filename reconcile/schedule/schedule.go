package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
	_ "time/tzdata" // a program FROM scratch has no zones of its own

	"github.com/fairlead/fairlead/spec"
)

// Schedule is a schedule that was read. Its methods are safe for concurrent use.
// The zero value never starts anything.
type Schedule struct {
	fields fields
	zone   *time.Location
	delay  time.Duration
}

// Parse reads a schedule. The delay of its starts follows from the name.
// Errors say which field is wrong, and what can be written there.
func Parse(s spec.Schedule, name string) (Schedule, error) {
	f, err := parseFields(s.Cron)
	if err != nil {
		return Schedule{}, err
	}
	zone, err := loadZone(s.Zone)
	if err != nil {
		return Schedule{}, err
	}
	if s.Jitter < 0 {
		return Schedule{}, fmt.Errorf("the jitter %s is negative; write a positive duration, or leave it out", s.Jitter)
	}
	return Schedule{fields: f, zone: zone, delay: delayOf(name, s.Jitter)}, nil
}

func loadZone(name string) (*time.Location, error) {
	if name == "Local" { // LoadLocation would take the host's
		return nil, fmt.Errorf("the time zone %q is another on every host; write an IANA name such as Europe/Berlin", name)
	}
	zone, err := time.LoadLocation(name) // "" is UTC
	if err != nil {
		return nil, fmt.Errorf("the time zone %q is not known: %w; write an IANA name such as Europe/Berlin", name, err)
	}
	return zone, nil
}

// delayOf spreads names evenly over whole seconds below jitter.
func delayOf(name string, jitter time.Duration) time.Duration {
	seconds := uint64(jitter / time.Second)
	if seconds == 0 {
		return 0
	}
	sum := sha256.Sum256([]byte(name))
	return time.Duration(binary.BigEndian.Uint64(sum[:])%seconds) * time.Second
}

// Delay is how long after the time of cron a start is: a part of the jitter.
func (s Schedule) Delay() time.Duration { return s.delay }

// Next returns the first time after the given one at which something starts, the
// delay included, in the zone of the schedule. It is zero if there is none, as for
// the 30th of February.
func (s Schedule) Next(after time.Time) time.Time {
	next := s.nextCron(after.Add(-s.delay))
	if next.IsZero() {
		return next
	}
	return next.Add(s.delay)
}

// nextCron returns the first time of cron strictly after the given one, or zero.
// It walks over the stretches of time between two changes of the clock.
func (s Schedule) nextCron(after time.Time) time.Time {
	if s.zone == nil {
		return time.Time{}
	}
	after = after.In(s.zone)
	from := wallOf(after)
	start, end := after.ZoneBounds()
	if !start.IsZero() && !s.fields.interval {
		from = later(from, shownBefore(start)) // a repeated hour
	}
	for {
		wall, ok := s.fields.next(from)
		if !ok {
			return time.Time{}
		}
		// Until end the wall clock is after UTC by the same amount as at after.
		next := time.Unix(wall.Unix()-offsetOf(after), 0).In(s.zone)
		if end.IsZero() || next.Before(end) {
			return next
		}
		shown := shownBefore(end)
		after = end.In(s.zone)
		from = wallOf(after).Add(-1) // end itself may match
		if !s.fields.interval {
			// wall is the first that matches and has not been shown before the change.
			if wall.Before(wallOf(after)) {
				return after
			}
			from = later(from, shown)
		}
		_, end = after.ZoneBounds()
	}
}

// shownBefore is the latest that the wall clock shows before a change at the given
// time.
func shownBefore(change time.Time) time.Time { return wallOf(change.Add(-1)) }

// wallOf returns what a clock on the wall shows, written as a time in UTC, so that
// walls compare and there are no changes among them.
func wallOf(t time.Time) time.Time {
	return t.UTC().Add(time.Duration(offsetOf(t)) * time.Second)
}

// offsetOf is how far the wall clock is ahead of UTC, in seconds.
func offsetOf(t time.Time) int64 {
	_, seconds := t.Zone()
	return int64(seconds)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
