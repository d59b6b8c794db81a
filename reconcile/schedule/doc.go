// Package schedule says when a pipeline starts by the clock. It is pure: every
// function takes the time as an argument, and nothing here waits.
//
//	Parse  reads spec.Schedule
//	Next   is the next time at which something starts, to set a timer by
//	Due    decides what to start now, given the last time that was dealt with
//
// # Fields
//
// A schedule has the five fields of crontab(5), minute hour day month weekday, or
// is one of @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly.
// A field is a list of numbers, ranges (1-5) and steps (*/15, 10-50/20); months
// and weekdays also have names (jan, mon), and Sunday is 0 or 7. Of the days of a
// month there is also L, the last one, and 15W, the weekday that is nearest to the
// 15th in that month; of the weekdays 5L, the last Friday, and 1#2, the second
// Monday of a month. The fields are matched by github.com/adhocore/gronx.
//
// Day and weekday follow the rule of crontab(5): where neither of them starts with
// an asterisk, a day matches if either does; else if both do.
//
// # Changes of the clock
//
// Times are those of the wall clock in the zone of the schedule. The rule for the
// hours that a change of the clock takes away or repeats is that of cron(8) of
// Debian ("Daylight Saving Time and other time changes") and of Vixie cron, whose
// code names the two kinds of job:
//
//   - A schedule whose minute or hour starts with an asterisk is about intervals.
//     It starts whenever the wall clock shows a time that matches: not at all in an
//     hour that is left out, twice in one that comes twice.
//   - Every other schedule is about fixed times. A time that is left out starts at
//     the moment of the change; several of them start once. A time that comes twice
//     starts at the first.
//
// Debian's cron limits the rule to changes of less than three hours. There is no
// limit here: a change of a whole day, as that of Samoa in 2011, starts one run.
//
// # Jitter
//
// With spec.Schedule.Jitter each start is delayed by a part of it that follows
// from the name, so it is the same every time and in every process. Next says when
// something starts, the delay included. Due speaks of the times of cron, without
// the delay, so that an edit of the jitter starts nothing a second time.
package schedule
