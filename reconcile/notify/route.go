package notify

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// severities are those of the events.
var severities = map[spec.NotifyEvent]spec.Severity{
	spec.NotifyRolloutStarted: spec.SeverityInfo,
	spec.NotifyPromoted:       spec.SeverityInfo,
	spec.NotifyRolledBack:     spec.SeverityError,
	spec.NotifyHeld:           spec.SeverityWarning,
	spec.NotifyRefused:        spec.SeverityError,
	spec.NotifyDriftHealed:    spec.SeverityWarning,
	spec.NotifyProposed:       spec.SeverityInfo,
	spec.NotifyRunFailed:      spec.SeverityError,
	spec.NotifyApproval:       spec.SeverityWarning,
	spec.NotifyTampered:       spec.SeverityCritical,
}

// Events lists every event, sorted.
func Events() []spec.NotifyEvent {
	var events []spec.NotifyEvent
	for e := range severities {
		events = append(events, e)
	}
	slices.Sort(events)
	return events
}

// SeverityOf is how much an event matters; info of one that is not known.
func SeverityOf(e spec.NotifyEvent) spec.Severity {
	if s, known := severities[e]; known {
		return s
	}
	return spec.SeverityInfo
}

// ladder holds the severities, the least first.
var ladder = []spec.Severity{spec.SeverityInfo, spec.SeverityWarning, spec.SeverityError, spec.SeverityCritical}

// rank is the place on the ladder. What stands on none counts as info.
func rank(s spec.Severity) int { return max(0, slices.Index(ladder, s)) }

// Wants tells whether a message is for a notifier: its event is listed, it matters
// enough, and one of the owners that the notifier names owns what it is about. It is
// not asked of a message that ends a complaint, which goes where the complaint went.
func Wants(n *spec.Notifier, m *reconcile.Message) bool {
	if len(n.Events) > 0 && !slices.Contains(n.Events, string(m.Event)) {
		return false
	}
	if rank(m.Severity) < rank(n.Severity) {
		return false
	}
	return len(n.Owners) == 0 || slices.ContainsFunc(n.Owners, func(o string) bool {
		return slices.ContainsFunc(m.Owners, func(owner string) bool { return sameOwner(o, owner) })
	})
}

// sameOwner compares as forges do: logins and teams know no case, and the @ is how
// they are written in a text.
func sameOwner(a, b string) bool {
	return strings.EqualFold(strings.TrimPrefix(a, "@"), strings.TrimPrefix(b, "@"))
}

// complains tells whether a message says that something is wrong, which a later one of
// its thread may resolve.
func complains(m *reconcile.Message) bool {
	return m.Thread != "" && !m.Resolves && rank(m.Severity) > rank(spec.SeverityInfo)
}

// onlyResolves tells a message that is no news to whoever did not get the complaint.
func onlyResolves(m *reconcile.Message) bool {
	return m.Resolves && rank(SeverityOf(m.Event)) > rank(spec.SeverityInfo)
}
