package schedule_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/reconcile/schedule"
	"github.com/fairlead/fairlead/spec"
)

func parse(t testing.TB, cron, zone string) schedule.Schedule {
	t.Helper()
	s, err := schedule.Parse(spec.Schedule{Cron: cron, Zone: zone}, "digits")
	if err != nil {
		t.Fatalf("parse %q in %s: %v", cron, zone, err)
	}
	return s
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestNextIsTheFirstTimeAfterwards(t *testing.T) {
	for _, c := range []struct{ name, cron, zone, after, want string }{
		{"strictly after", "0 3 * * 1", "UTC", "2026-11-16T03:00:00Z", "2026-11-23T03:00:00Z"},
		{"within the minute", "0 3 * * 1", "UTC", "2026-11-16T02:59:59Z", "2026-11-16T03:00:00Z"},
		{"macro", "@Weekly", "UTC", "2026-11-16T00:00:00Z", "2026-11-22T00:00:00Z"},
		{"names", "0 0 1 jan-mar,DEC *", "UTC", "2026-11-16T00:00:00Z", "2026-12-01T00:00:00Z"},
		{"Sunday is 7", "0 0 * * 7", "UTC", "2026-11-16T00:00:00Z", "2026-11-22T00:00:00Z"},
		{"a range up to Sunday", "0 0 * * 6-7", "UTC", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"},
		{"either day or weekday", "0 0 13 * 5", "UTC", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"},
		{"both where one starts with an asterisk", "0 0 */2 * 5", "UTC", "2026-11-14T00:00:00Z", "2026-11-27T00:00:00Z"},
		{"both where the other does", "0 0 13 * */5", "UTC", "2026-11-14T00:00:00Z", "2026-12-13T00:00:00Z"},
		{"last day", "0 0 L * *", "UTC", "2028-02-01T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"nearest weekday stays in its month", "0 0 1W * *", "UTC", "2026-07-31T12:00:00Z", "2026-08-03T00:00:00Z"},
		{"last Friday", "0 0 * * 5L", "UTC", "2026-11-01T00:00:00Z", "2026-11-27T00:00:00Z"},
		{"second Monday", "0 0 * * 1#2", "UTC", "2026-11-01T00:00:00Z", "2026-11-09T00:00:00Z"},
		{"a number among relative days", "0 0 1,L * *", "UTC", "2026-11-01T00:00:00Z", "2026-11-30T00:00:00Z"},
		{"leap day", "0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
		{"leap day on a Sunday", "0 0 29 2 */7", "UTC", "2088-03-01T00:00:00Z", "2128-02-29T00:00:00Z"},
		{"zone", "30 8 * * *", "Asia/Kathmandu", "2026-11-16T00:00:00Z", "2026-11-16T02:45:00Z"},

		// Berlin: 2027-03-28 02:00 becomes 03:00, 2027-10-31 03:00 becomes 02:00.
		{"fixed time in the gap", "30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", "2027-03-28T01:00:00Z"},
		{"and once only", "0,30 2 * * *", "Europe/Berlin", "2027-03-28T01:00:00Z", "2027-03-29T00:00:00Z"},
		{"the end of the gap is no second start", "30 2,3 * * *", "Europe/Berlin", "2027-03-28T01:00:00Z", "2027-03-28T01:30:00Z"},
		{"interval in the gap", "*/30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", "2027-03-29T00:00:00Z"},
		{"every hour in spring", "0 * * * *", "Europe/Berlin", "2027-03-28T00:00:00Z", "2027-03-28T01:00:00Z"},
		{"repeated time, first", "30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z", "2027-10-31T00:30:00Z"},
		{"repeated time, not twice", "30 2 * * *", "Europe/Berlin", "2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"},
		{"not twice from within the repetition", "30 2 * * *", "Europe/Berlin", "2027-10-31T01:10:00Z", "2027-11-01T01:30:00Z"},
		{"every hour in autumn", "30 * * * *", "Europe/Berlin", "2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z"},
		{"half an hour in Lord Howe", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-03T15:30:00Z"},
		{"a day that Samoa left out", "0 3 * * *", "Pacific/Apia", "2011-12-29T13:00:00Z", "2011-12-30T10:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := parse(t, c.cron, c.zone).Next(at(t, c.after))
			if !got.Equal(at(t, c.want)) {
				t.Errorf("%s in %s after %s: got %s, want %s", c.cron, c.zone, c.after, got.UTC().Format(time.RFC3339), c.want)
			}
		})
	}
}

func TestWhatNeverComesIsZero(t *testing.T) {
	for _, cron := range []string{"0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31W 2 */7"} {
		s := parse(t, cron, "Europe/Berlin")
		if got := s.Next(at(t, "2026-11-16T00:00:00Z")); !got.IsZero() {
			t.Errorf("%s: got %s", cron, got)
		}
		if when, ok, missed := s.Due(at(t, "2020-01-01T00:00:00Z"), at(t, "2026-11-16T00:00:00Z"), spec.MissedOnce); ok || missed != 0 || !when.IsZero() {
			t.Errorf("%s: due at %s, %d missed", cron, when, missed)
		}
	}
	if got := (schedule.Schedule{}).Next(time.Now()); !got.IsZero() {
		t.Errorf("the zero value: got %s", got)
	}
}

func TestBadSchedulesAreRefused(t *testing.T) {
	for _, cron := range []string{
		"", "* * * *", "* * * * * *", "@reboot", "@everysecond", "@", "60 * * * *", "0,99 * * * *",
		"* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *", "60/5 * * * *",
		"1-2-3 * * * *", "1/2/3 * * * *", ", * * * *", "1, * * * *", "mon * * * *", "0 0 * * jan", "0 0 * mon *", "0 0 * * monday",
		"? * * * *", "L * * * *", "0 0 0W * *", "0 0 32W * *", "0 0 LW * *", "0 0 L-3 * *", "0 0 * * 1#6", "0 0 * * L",
		"0 0 * * 8L", "-1 * * * *", "1e1 * * * *", "0 0 * * 1#0",
	} {
		if _, err := schedule.Parse(spec.Schedule{Cron: cron}, "digits"); err == nil {
			t.Errorf("%q was taken", cron)
		}
	}
	for _, zone := range []string{"Europe/Atlantis", "Local", "../../etc/passwd"} {
		if _, err := schedule.Parse(spec.Schedule{Cron: "@daily", Zone: zone}, "digits"); err == nil {
			t.Errorf("the zone %q was taken", zone)
		}
	}
	if _, err := schedule.Parse(spec.Schedule{Cron: "@daily", Jitter: -time.Second}, "digits"); err == nil {
		t.Error("a negative jitter was taken")
	}
}

func TestErrorsNameTheFieldAndWhatCanBeWritten(t *testing.T) {
	_, err := schedule.Parse(spec.Schedule{Cron: "0 25 * * *"}, "digits")
	const want = `"25" is no hour; write 0 to 23, as 3, 8,20, 8-18 or */6`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestJitterDelaysByAFixedPart(t *testing.T) {
	delays := map[time.Duration]int{}
	for i := range 1000 {
		name := fmt.Sprint("pipeline-", i)
		s, err := schedule.Parse(spec.Schedule{Cron: "@daily", Jitter: 10 * time.Minute}, name)
		if err != nil {
			t.Fatal(err)
		}
		if d := s.Delay(); d < 0 || d >= 10*time.Minute {
			t.Fatalf("%s is delayed by %s", name, d)
		}
		again, _ := schedule.Parse(spec.Schedule{Cron: "@daily", Jitter: 10 * time.Minute}, name)
		if s.Delay() != again.Delay() {
			t.Fatalf("%s is delayed by %s, then by %s", name, s.Delay(), again.Delay())
		}
		midnight := at(t, "2026-11-16T00:00:00Z")
		start := s.Next(midnight.Add(-time.Second + s.Delay()))
		if !start.Equal(midnight.Add(s.Delay())) {
			t.Fatalf("%s starts at %s with a delay of %s", name, start, s.Delay())
		}
		if when, ok, _ := s.Due(midnight.Add(-time.Hour), start.Add(-1), spec.MissedOnce); ok {
			t.Fatalf("%s starts before its delay has passed, for %s", name, when)
		}
		if when, ok, _ := s.Due(midnight.Add(-time.Hour), start, spec.MissedSkip); !ok || !when.Equal(midnight) {
			t.Fatalf("%s: due %t for %s", name, ok, when)
		}
		delays[s.Delay().Truncate(time.Minute)]++
	}
	for minute, n := range delays {
		if n < 60 || n > 140 {
			t.Errorf("%d of 1000 pipelines are delayed by %s", n, minute)
		}
	}
}

func TestDueDecidesByPolicy(t *testing.T) {
	const monday, sunday = "2026-11-16T03:00:00Z", "2026-11-15T03:00:00Z"
	for _, c := range []struct {
		name, fired, now string
		policy           spec.MissedPolicy
		at               string
		ok               bool
		missed           int
	}{
		{"nothing has come", monday, "2026-11-17T02:59:59Z", spec.MissedOnce, "", false, 0},
		{"in time", sunday, monday, spec.MissedSkip, monday, true, 0},
		{"a little late", sunday, "2026-11-16T03:01:00Z", spec.MissedSkip, monday, true, 0},
		{"missed and skipped", sunday, "2026-11-16T03:01:01Z", spec.MissedSkip, monday, false, 1},
		{"missed and made up for", sunday, "2026-11-16T20:00:00Z", spec.MissedOnce, monday, true, 0},
		{"several missed, once", "2026-11-10T03:00:00Z", "2026-11-16T20:00:00Z", spec.MissedOnce, monday, true, 5},
		{"several missed, skipped", "2026-11-10T03:00:00Z", "2026-11-16T20:00:00Z", spec.MissedSkip, monday, false, 6},
		{"the newest in time", "2026-11-10T03:00:00Z", monday, spec.MissedSkip, monday, true, 5},
		{"the clock was put back", monday, sunday, spec.MissedOnce, "", false, 0},
		{"many years", "1970-01-01T00:00:00Z", monday, spec.MissedOnce, monday, true, 1000},
		{"no time yet", "0001-01-01T00:00:00Z", monday, spec.MissedSkip, monday, true, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			when, ok, missed := parse(t, "0 3 * * *", "UTC").Due(at(t, c.fired), at(t, c.now), c.policy)
			want := time.Time{}
			if c.at != "" {
				want = at(t, c.at)
			}
			if !when.Equal(want) || ok != c.ok || missed != c.missed {
				t.Errorf("got %s, %t, %d missed; want %s, %t, %d", when, ok, missed, want, c.ok, c.missed)
			}
		})
	}
}

// TestLoopStartsEachTimeOnce is the loop that a caller writes: wake at Next, ask
// Due, remember what was dealt with.
func TestLoopStartsEachTimeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // starts at 2000-01-01T00:00:00Z
		s, err := schedule.Parse(spec.Schedule{Cron: "*/20 6-8 * * 1-5", Zone: "America/New_York", Jitter: time.Minute}, "digits")
		if err != nil {
			t.Fatal(err)
		}
		fired, end := time.Now(), time.Now().AddDate(0, 0, 30)
		runs := 0
		for time.Now().Before(end) {
			time.Sleep(time.Until(s.Next(time.Now())))
			when, ok, missed := s.Due(fired, time.Now(), spec.MissedSkip)
			if !ok || missed != 0 || !when.Add(s.Delay()).Equal(time.Now()) {
				t.Fatalf("at %s: due %t for %s, %d missed", time.Now(), ok, when, missed)
			}
			fired = when
			runs++
			if at, again, _ := s.Due(fired, time.Now(), spec.MissedSkip); again {
				t.Fatalf("%s is due twice", at)
			}
		}
		if want := 20*9 + 1; runs != want { // 20 working days, and the first time after them
			t.Errorf("%d runs in 30 days, want %d", runs, want)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, cron := range []string{"*/5 * * * *", "0 3 * * 1", "0 0 L * *", "0 0 29 2 *", "0 0 30 2 *"} {
		b.Run(cron, func(b *testing.B) {
			s := parse(b, cron, "Europe/Berlin")
			from := at(b, "2026-11-16T12:00:00Z")
			for b.Loop() {
				s.Next(from)
			}
		})
	}
}

func BenchmarkDueAfterAYear(b *testing.B) {
	s := parse(b, "*/5 * * * *", "Europe/Berlin")
	now := at(b, "2026-11-16T12:00:00Z")
	for b.Loop() {
		s.Due(now.AddDate(-1, 0, 0), now, spec.MissedOnce)
	}
}

func FuzzNext(f *testing.F) {
	for _, cron := range []string{"* * * * *", "*/5 1-5 L * 1#2", "0 0 29 2 */7", "@daily", "0 0 30 feb *", "1,2 3 15W jan,dec sun-sat"} {
		f.Add(cron, "Europe/Berlin", int64(1_800_000_000), int64(600))
	}
	f.Add("30 2 * * *", "Australia/Lord_Howe", int64(-1)<<62, int64(-1)<<62)
	f.Fuzz(func(t *testing.T, cron, zone string, from, jitter int64) {
		s, err := schedule.Parse(spec.Schedule{Cron: cron, Zone: zone, Jitter: time.Duration(jitter)}, "digits")
		if err != nil {
			return
		}
		after := time.Unix(from, 0)
		next := s.Next(after)
		if next.IsZero() {
			return
		}
		if !next.After(after) {
			t.Fatalf("%q in %q: %s is not after %s", cron, zone, next, after)
		}
		when, ok, missed := s.Due(after.Add(-s.Delay()), next, spec.MissedSkip)
		if !ok || missed != 0 || !when.Add(s.Delay()).Equal(next) {
			t.Fatalf("%q in %q: next is %s, due %t for %s, %d missed", cron, zone, next, ok, when, missed)
		}
	})
}
