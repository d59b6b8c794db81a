package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/spec"
)

// oracle works a schedule out the slow way: it looks at every minute, and knows of
// changes of the clock only by what the wall shows. It shares nothing with the
// package, not even the parser.
type oracle struct {
	match    [5][64]bool // by field: minute hour day month weekday
	star     [5]bool     // the field starts with an asterisk
	interval bool
}

func newOracle(cron string) *oracle {
	o := &oracle{}
	low, high := [5]int{0, 0, 1, 1, 0}, [5]int{59, 23, 31, 12, 7}
	for i, field := range strings.Fields(cron) {
		o.star[i] = field[0] == '*'
		for _, part := range strings.Split(field, ",") {
			from, to, step := low[i], high[i], 1
			span, by, stepped := strings.Cut(part, "/")
			if stepped {
				step, _ = strconv.Atoi(by)
			}
			if span != "*" {
				a, b, ranged := strings.Cut(span, "-")
				from, _ = strconv.Atoi(a)
				to = from
				if ranged {
					to, _ = strconv.Atoi(b)
				}
			} else if i == 4 {
				to = 6
			}
			for n := from; n <= to; n += step {
				o.match[i][n] = true
				if i == 4 && n == 7 {
					o.match[i][0] = true
				}
			}
		}
	}
	o.interval = o.star[0] || o.star[1]
	return o
}

func (o *oracle) matches(w wall) bool {
	if !o.match[0][w[0]] || !o.match[1][w[1]] || !o.match[3][w[3]] {
		return false
	}
	day, weekday := o.match[2][w[2]], o.match[4][w[4]]
	if o.star[2] || o.star[4] {
		return day && weekday
	}
	return day || weekday
}

// wall is what the clock shows: minute hour day month weekday.
type wall [5]int

func wallAt(t time.Time) wall {
	return wall{t.Minute(), t.Hour(), t.Day(), int(t.Month()), int(t.Weekday())}
}

// minute is one minute of time, and what the wall shows then.
type minute struct {
	at    time.Time
	wall  wall
	count int // of the minutes that the wall shows, with every one that it leaves out
}

func minutesOf(zone *time.Location, from time.Time, days int) []minute {
	all := make([]minute, 0, days*24*60)
	for at := from; at.Before(from.AddDate(0, 0, days)); at = at.Add(time.Minute) {
		l := at.In(zone)
		shown := time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC)
		all = append(all, minute{at, wallAt(l), int(shown.Sub(from) / time.Minute)})
	}
	return all
}

// starts lists the minutes at which something starts. The first minute only tells
// what the wall showed before.
func (o *oracle) starts(minutes []minute) []time.Time {
	var all []time.Time
	shown := minutes[0].count // the latest that the wall has shown
	for i := range minutes[1:] {
		m := &minutes[i+1]
		hit := (o.interval || m.count > shown) && o.matches(m.wall)
		for left := shown + 1; !o.interval && left < m.count; left++ {
			skipped := minutes[0].at.Add(time.Duration(left) * time.Minute)
			hit = hit || o.matches(wallAt(skipped))
		}
		shown = max(shown, m.count)
		if hit {
			all = append(all, m.at)
		}
	}
	return all
}

// randomCron writes any schedule of numbers, ranges, steps and lists. Times around
// the changes of the clock are likelier.
func randomCron(r *rand.Rand) string {
	low, high := [5]int{0, 0, 1, 1, 0}, [5]int{59, 23, 31, 12, 7}
	var fields [5]string
	for i := range fields {
		pick := func() int {
			if i == 1 && r.IntN(3) > 0 {
				return r.IntN(4)
			}
			return low[i] + r.IntN(high[i]-low[i]+1)
		}
		var parts []string
		for range 1 + r.IntN(3)*r.IntN(2) {
			a, b := pick(), pick()
			switch r.IntN(7) {
			case 0:
				parts = append(parts, fmt.Sprintf("%d-%d", min(a, b), max(a, b)))
			case 1:
				parts = append(parts, fmt.Sprintf("%d-%d/%d", min(a, b), max(a, b), 1+r.IntN(9)))
			case 2:
				parts = append(parts, fmt.Sprintf("*/%d", 1+r.IntN(20)))
			case 3:
				parts = append(parts, "*")
			default:
				parts = append(parts, strconv.Itoa(a))
			}
		}
		fields[i] = strings.Join(parts, ",")
		if i >= 2 && r.IntN(2) == 0 {
			fields[i] = "*" // else hardly any would start within a month
		}
	}
	return strings.Join(fields[:], " ")
}

func TestThirtyDaysAgreeWithEveryMinuteLookedAt(t *testing.T) {
	for zone, windows := range map[string][2]string{ // each with a change of the clock in the middle, where there is one
		"Europe/Berlin":       {"2027-03-13T00:00:00Z", "2027-10-16T00:00:00Z"},
		"America/New_York":    {"2027-02-27T00:00:00Z", "2027-10-23T00:00:00Z"},
		"Australia/Lord_Howe": {"2027-03-20T00:00:00Z", "2027-09-18T00:00:00Z"},
		"Asia/Kathmandu":      {"2027-03-13T00:00:00Z", "2028-02-14T00:00:00Z"},
		"UTC":                 {"2027-03-13T00:00:00Z", "2028-02-14T00:00:00Z"},
	} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			location, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, uint64(len(zone))))
			for i, window := range windows {
				minutes := minutesOf(location, at(t, window), 30)
				started := 0
				for range 100 {
					cron := randomCron(r)
					want := newOracle(cron).starts(minutes)
					started += len(want)
					compare(t, cron, zone, minutes, want)
				}
				t.Logf("window %d: 100 schedules, %d starts", i, started)
			}
		})
	}
}

func compare(t *testing.T, cron, zone string, minutes []minute, want []time.Time) {
	t.Helper()
	s := parse(t, cron, zone)
	next, last := s.Next(minutes[0].at), minutes[len(minutes)-1].at
	for _, w := range want {
		if !next.Equal(w) {
			t.Fatalf("%s in %s: next is %s, every minute looked at gives %s", cron, zone, next, w.In(next.Location()))
		}
		next = s.Next(next)
	}
	if !next.IsZero() && !next.After(last) {
		t.Fatalf("%s in %s: %s is one start too many", cron, zone, next)
	}
}

// TestNextFromAnyTimeAgrees asks from times that are no starts, as a daemon does
// that was down.
func TestNextFromAnyTimeAgrees(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "Australia/Lord_Howe"} {
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		minutes := minutesOf(location, at(t, "2027-03-20T00:00:00Z"), 20)
		r := rand.New(rand.NewPCG(2, 2))
		for range 200 {
			cron := randomCron(r)
			s, want := parse(t, cron, zone), newOracle(cron).starts(minutes)
			if len(want) == 0 {
				continue
			}
			for range 50 {
				from := minutes[0].at.Add(time.Duration(r.Int64N(int64(want[len(want)-1].Sub(minutes[0].at)))))
				i := 0
				for !want[i].After(from) {
					i++
				}
				if got := s.Next(from); !got.Equal(want[i]) {
					t.Fatalf("%s in %s after %s: got %s, want %s", cron, zone, from.In(location), got, want[i].In(location))
				}
			}
		}
	}
}

// TestDueAgreesAfterAnyOutage puts outages of any length anywhere, across the changes
// of the clock, too.
func TestDueAgreesAfterAnyOutage(t *testing.T) {
	location, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	minutes := minutesOf(location, at(t, "2027-10-20T00:00:00Z"), 20)
	first, span := minutes[0].at, int64(20*24*time.Hour)
	r := rand.New(rand.NewPCG(3, 3))
	for range 100 {
		cron := randomCron(r)
		s, starts := parse(t, cron, "Europe/Berlin"), newOracle(cron).starts(minutes)
		for range 50 {
			fired, now := first.Add(time.Duration(r.Int64N(span))), first.Add(time.Duration(r.Int64N(span)))
			var want time.Time
			n := 0
			for _, start := range starts {
				if start.After(fired) && !start.After(now) {
					want = start
					n++
				}
			}
			n = min(n, 1001)
			when, ok, missed := s.Due(fired, now, spec.MissedOnce)
			if !when.Equal(want) || ok != (n > 0) || missed != max(n-1, 0) {
				t.Fatalf("%s from %s to %s, once: got %s, %t, %d missed; want %s, of %d", cron, fired, now, when, ok, missed, want, n)
			}
			late := now.Sub(want) > time.Minute
			when, ok, missed = s.Due(fired, now, spec.MissedSkip)
			if late && n > 0 && (ok || missed != min(n, 1000) || !when.Equal(want)) || !late && n > 0 && (!ok || missed != n-1) {
				t.Fatalf("%s from %s to %s, skip: got %s, %t, %d missed; want %s, of %d", cron, fired, now, when, ok, missed, want, n)
			}
		}
	}
}
