package schedule

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/adhocore/gronx"
)

// horizon bounds the search for the next day, in years. The longest wait between
// two days of the calendar is that for a 29th of February on a given weekday across
// a year such as 2100, which is none with 29 days: 40 years.
const horizon = 41

// macros are the names that crontab(5) has.
var macros = map[string]string{
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
	"@monthly":  "0 0 1 * *",
	"@weekly":   "0 0 * * 0",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@hourly":   "0 * * * *",
}

// set holds small numbers.
type set uint64

func (s set) has(n int) bool { return s&(1<<n) != 0 }

// fields are the fields of a schedule, worked out as far as they do not depend on
// the month.
type fields struct {
	minutes, hours, months set
	day, weekday           dayField
	both                   bool // day and weekday must match, not one of them
	interval               bool // minute or hour starts with an asterisk
}

// dayField matches days of the month or of the week.
type dayField struct {
	text     string // for gronx
	position int    // in gronx
	numbers  set    // that match in every month
	relative bool   // L, W or # in it: what matches depends on the month
}

// syntax is what may stand in a field. What it means is gronx's matter, which by
// itself takes names in any field and judges only as far as the current time needs.
type syntax struct {
	name     string
	position int // in gronx, which counts seconds first
	min, max int
	names    string         // regular expression of the names, "" for none
	relative *regexp.Regexp // what depends on the month; nil for nothing
	advice   string
}

var (
	syntaxes = [5]syntax{
		{name: "minute", position: 1, max: 59, advice: "write 0 to 59, as 30, 0,30, 10-20 or */15"},
		{name: "hour", position: 2, max: 23, advice: "write 0 to 23, as 3, 8,20, 8-18 or */6"},
		{
			name: "day of the month", position: 3, min: 1, max: 31, relative: regexp.MustCompile(`^(L|(0?[1-9]|[12][0-9]|3[01])W)$`),
			advice: "write 1 to 31, as 1, 1,15, 1-7 or */2, L for the last, or 15W for the nearest weekday",
		},
		{
			name: "month", position: 4, min: 1, max: 12, names: "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC",
			advice: "write 1 to 12, jan to dec, 1-6 or */3",
		},
		{
			name: "day of the week", position: 5, max: 7, names: "SUN|MON|TUE|WED|THU|FRI|SAT", relative: regexp.MustCompile(`^([0-7])(L|#[1-5])$`),
			advice: "write 0 to 7 with 0 and 7 for Sunday, mon to sun, 1-5, 5L for the last Friday of a month, or 1#2 for its second Monday",
		},
	}
	plain = regexp.MustCompile(`^(\*|[0-9]{1,2}(-[0-9]{1,2})?)(/[0-9]{1,2})?$`)
)

// parseFields reads a whole schedule.
func parseFields(cron string) (fields, error) {
	text := strings.TrimSpace(cron)
	if strings.HasPrefix(text, "@") {
		long, known := macros[strings.ToLower(text)]
		if !known {
			return fields{}, fmt.Errorf("%.40q is no schedule; there are @yearly, @monthly, @weekly, @daily and @hourly", text)
		}
		text = long
	}
	parts := strings.Fields(strings.ToUpper(text))
	if len(parts) != len(syntaxes) {
		return fields{}, fmt.Errorf("the schedule %.80q has %d fields; write five: minute hour day month weekday, as 0 3 * * 1", text, len(parts))
	}
	var numbers [len(syntaxes)]set
	for i, s := range syntaxes {
		var err error
		parts[i] = s.numbered(parts[i])
		if numbers[i], err = s.expand(parts[i]); err != nil {
			return fields{}, err
		}
	}
	star := func(i int) bool { return strings.HasPrefix(parts[i], "*") }
	return fields{
		minutes: numbers[0], hours: numbers[1], months: numbers[3],
		day:      dayField{text: parts[2], position: 3, numbers: numbers[2], relative: strings.ContainsAny(parts[2], "LW")},
		weekday:  dayField{text: parts[4], position: 5, numbers: numbers[4], relative: strings.ContainsAny(parts[4], "L#")},
		both:     star(2) || star(4),
		interval: star(0) || star(1),
	}, nil
}

// numbered replaces the names that may stand in the field.
func (s syntax) numbered(field string) string {
	if s.names == "" {
		return field
	}
	names := strings.Split(s.names, "|")
	pairs := make([]string, 0, 2*len(names))
	for i, name := range names {
		pairs = append(pairs, name, fmt.Sprint(s.min+i))
	}
	return strings.NewReplacer(pairs...).Replace(field)
}

// expand returns the numbers that a field matches in every month. Each part of a
// list must be well-formed and match something.
func (s syntax) expand(field string) (set, error) {
	var all set
	for part := range strings.SplitSeq(field, ",") {
		if s.relative != nil && s.relative.MatchString(part) {
			continue
		}
		numbers := s.matching(part)
		if numbers == 0 {
			return 0, fmt.Errorf("%.40q is no %s; %s", part, s.name, s.advice)
		}
		all |= numbers
	}
	return all, nil
}

// matching returns the numbers that one part of a list matches, none if it is wrong.
func (s syntax) matching(part string) set {
	var numbers set
	if !plain.MatchString(part) {
		return numbers
	}
	for n := s.min; n <= s.max; n++ {
		is, err := due(part, s.position, example(s.position, n))
		if err != nil {
			return 0 // the advice says more than gronx's counting of segments
		}
		if is {
			numbers |= 1 << n
		}
	}
	return numbers
}

// example is a time at which the field in that position is n.
func example(position, n int) time.Time {
	minute, hour, day, month := 0, 0, 1, 1
	switch position {
	case 1:
		minute = n
	case 2:
		hour = n
	case 3:
		day = n
	case 4:
		month = n
	case 5:
		day = 4 + n // the 4th of January 1970 was a Sunday
	}
	return time.Date(1970, time.Month(month), day, hour, minute, 0, 0, time.UTC)
}

// due asks gronx about one field.
func due(field string, position int, at time.Time) (bool, error) {
	var c gronx.SegmentChecker
	c.SetRef(at)
	return c.CheckDue(field, position)
}

// matches tells whether the field holds for a day that has this number.
func (f *dayField) matches(number int, day time.Time) bool {
	if f.numbers.has(number) {
		return true
	}
	if !f.relative {
		return false
	}
	is, err := due(f.text, f.position, day)
	return is && err == nil // no error since the field was read
}

// onDay tells whether day and weekday hold.
func (f *fields) onDay(day time.Time) bool {
	inMonth := f.day.matches(day.Day(), day)
	if inMonth != f.both { // it decides alone
		return inMonth
	}
	return f.weekday.matches(int(day.Weekday()), day)
}

// next returns the first wall clock time strictly after the given one that matches,
// and whether there is one.
func (f *fields) next(after time.Time) (time.Time, bool) {
	first := after.Truncate(time.Minute).Add(time.Minute)
	year, month, dayOf := first.Date()
	midnight := time.Date(year, month, dayOf, 0, 0, 0, 0, time.UTC)
	if f.months.has(int(month)) && f.onDay(midnight) {
		if hour, minute, ok := f.timeFrom(first.Hour(), first.Minute()); ok {
			return midnight.Add(time.Duration(60*hour+minute) * time.Minute), true
		}
	}
	hour, minute, _ := f.timeFrom(0, 0) // no field is empty
	for day := midnight.AddDate(0, 0, 1); day.Year() <= year+horizon; {
		if !f.months.has(int(day.Month())) {
			day = time.Date(day.Year(), day.Month()+1, 1, 0, 0, 0, 0, time.UTC)
			continue
		}
		if f.onDay(day) {
			return day.Add(time.Duration(60*hour+minute) * time.Minute), true
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}, false
}

// timeFrom returns the first time of a day that matches, from the given one on.
func (f *fields) timeFrom(hour, minute int) (h, m int, ok bool) {
	for h = hour; h < 24; h++ {
		if f.hours.has(h) {
			for m = minute; m < 60; m++ {
				if f.minutes.has(m) {
					return h, m, true
				}
			}
		}
		minute = 0
	}
	return 0, 0, false
}
