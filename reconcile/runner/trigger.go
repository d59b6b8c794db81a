package runner

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/schedule"
	"github.com/fairlead/fairlead/spec"
)

// moment is all that decides whether a run of a pipeline is due.
type moment struct {
	pipeline    *spec.Pipeline
	record      journal.PipelineRecord // zero: it never ran
	fingerprint string                 // of the pipeline now
	digests     map[string]string      // of the datasets that it is triggered by, as far as they are known
	now         time.Time
}

// scheduleText is a schedule as the journal and people have it.
func scheduleText(s *spec.Schedule) string {
	if s == nil {
		return ""
	}
	return s.Cron + " " + s.Zone
}

// due tells why a run should start now, if one should, and when to ask again at the
// latest (zero: nothing is due by time). It is pure.
func due(m moment) (cause run.Cause, start bool, wake time.Time, err error) {
	if m.pipeline.Schedule != nil {
		s, err := schedule.Parse(*m.pipeline.Schedule, m.pipeline.Name)
		if err != nil {
			return run.Cause{}, false, time.Time{}, err
		}
		// Times before the schedule was known are none that were missed.
		if m.record.Schedule == scheduleText(m.pipeline.Schedule) {
			at, now, missed := s.Due(m.record.Fired, m.now, m.pipeline.Schedule.Missed)
			if m.pipeline.Schedule.Missed == spec.MissedSkip {
				missed = 0 // nothing makes up for them
			}
			if now {
				return run.Cause{Kind: spec.TriggerSchedule, Scheduled: at, Reason: scheduleReason(at, missed, m.pipeline.Schedule.Zone)}, true, time.Time{}, nil
			}
			wake = s.Next(m.now)
		}
	}
	for _, t := range m.pipeline.On {
		switch t.Kind {
		case spec.TriggerChange:
			switch {
			case m.record.Fingerprint == "":
				return run.Cause{Kind: spec.TriggerChange, Reason: "it never ran"}, true, wake, nil
			case m.record.Fingerprint != m.fingerprint:
				return run.Cause{Kind: spec.TriggerChange, Reason: "its definition, or data of the repo that it reads, changed"}, true, wake, nil
			}
		case spec.TriggerDataset:
			now, asked := m.digests[t.Dataset]
			if before := m.record.Datasets[t.Dataset]; asked && before != now {
				reason := fmt.Sprintf("dataset.%s is %s now, was %s", t.Dataset, short(now), short(before))
				if before == "" {
					reason = fmt.Sprintf("it never read dataset.%s", t.Dataset)
				}
				return run.Cause{Kind: spec.TriggerDataset, Dataset: t.Dataset, Reason: reason}, true, wake, nil
			}
		case spec.TriggerManual, spec.TriggerSchedule, spec.TriggerDrift: // not of what is known here
		}
	}
	return run.Cause{}, false, wake, nil
}

func scheduleReason(at time.Time, missed int, zone string) string {
	if location, err := time.LoadLocation(zone); err == nil {
		at = at.In(location)
	}
	text := "schedule " + at.Format("2006-01-02 15:04 MST")
	if missed > 0 {
		text += fmt.Sprintf(", which makes up for %d that were missed", missed)
	}
	return text
}

func short(digest string) string {
	const shown = len("sha256:") + 12
	if len(digest) > shown {
		return digest[:shown]
	}
	return digest
}

// has tells whether the pipeline declares the trigger.
func has(p *spec.Pipeline, kind spec.TriggerKind) bool {
	return slices.ContainsFunc(p.On, func(t spec.Trigger) bool { return t.Kind == kind })
}
