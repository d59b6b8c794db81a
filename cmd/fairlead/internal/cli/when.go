package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// parseWhen reads a time as people give it: how long ago (24h, 7d), a date, or a
// time with or without a zone. Without one, that of this host is meant. A date
// alone is its beginning.
func parseWhen(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, ok := parseAgo(text); ok {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("--%s %q is no time; write how long ago (30m, 24h, 7d), or a time (2026-03-03T14:00:00Z, \"2026-03-03 14:00\", 2026-03-03)", flag, text)
}

// parseAgo reads a duration that may have days.
func parseAgo(text string) (time.Duration, bool) {
	var days time.Duration
	if head, rest, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(head, 10, 16)
		if err != nil {
			return 0, false
		}
		if days, text = time.Duration(n)*24*time.Hour, rest; rest == "" {
			return days, true
		}
	}
	d, err := time.ParseDuration(text)
	return days + d, err == nil && d >= 0
}
