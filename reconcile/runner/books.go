package runner

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// begin journals that the run starts.
func (l *loop) begin(a *active, now time.Time) bool {
	record := l.records[a.run.Pipeline]
	record.Number, record.Current = max(record.Number, number(a.run.ID)), a.run.ID
	if a.run.Fingerprint != "" {
		record.Fingerprint = a.run.Fingerprint
	}
	if at := a.run.Trigger.Scheduled; at.After(record.Fired) {
		record.Fired = at
	}
	if a.run.Reproduces == "" {
		record.Datasets = l.seen(&a.run.Definition, record.Datasets)
	}
	reason := string(a.run.Trigger.Kind)
	if a.run.Trigger.Reason != "" {
		reason = a.run.Trigger.Reason
	}
	if !l.append(a.run.Pipeline, journal.Entry{Action: journal.ActionRun, Run: a.run.ID, Commit: a.run.Commit, Reason: reason, Actor: a.run.Trigger.Actor}, record, now) {
		l.postpone(a, now, errors.New(l.problems[a.run.Pipeline]))
		return false
	}
	a.begun = true
	delete(l.problems, a.run.Pipeline)
	return true
}

// seen adds to the datasets that a pipeline was run for what those are now that start
// it. A run that fails before it reads them is not started again for the same data.
func (l *loop) seen(p *spec.Pipeline, before map[string]string) map[string]string {
	digests := l.digests()
	datasets := maps.Clone(before)
	for _, t := range p.On {
		if digest := digests[t.Dataset]; t.Kind == spec.TriggerDataset && digest != "" {
			if datasets == nil {
				datasets = map[string]string{}
			}
			datasets[t.Dataset] = digest
		}
	}
	return datasets
}

// append journals a decision about a pipeline.
func (l *loop) append(pipeline string, e journal.Entry, record journal.PipelineRecord, now time.Time) bool {
	record.FormatVersion, record.Pipeline, record.Since = journal.RecordFormat, pipeline, now
	e.At, e.Pipeline, e.PipelineRecord = now, pipeline, &record
	if e.Actor == "" {
		e.Actor = journal.Daemon
	}
	if i := l.includeOf(pipeline); i != nil {
		e.Commit, e.Include = l.commit(), l.wanted.Tree.Commit().Included(i.Name)
	}
	if err := l.opts.Journal.Append(l.ctx, e); err != nil {
		l.problems[pipeline] = fmt.Sprintf("the journal cannot be written, so nothing starts: %v", err)
		return false
	}
	l.records[pipeline] = record
	delete(l.next, pipeline)
	l.opts.Log.Info(e.Reason, "event", "pipeline_"+string(e.Action), "object", "pipeline."+pipeline, "run", e.Run, "commit", e.Commit, "actor", e.Actor)
	return true
}

// includeOf is the include that declares a pipeline; nil where none does.
func (l *loop) includeOf(pipeline string) *spec.Include {
	if l.wanted == nil {
		return nil
	}
	return l.wanted.Config.IncludeOf(pipeline)
}

// finish journals how a run ended, and lets go of it.
func (l *loop) finish(a *active, now time.Time) {
	r := a.run
	record := l.records[r.Pipeline]
	record.Current = ""
	record.Last = &journal.RunEnded{
		Run: r.ID, Outcome: string(r.Outcome), Reason: r.Reason, Commit: r.Commit, Trigger: string(r.Trigger.Kind), Gates: r.Gates,
		Started: r.Created, At: r.Finished,
	}
	if len(r.Datasets) > 0 {
		datasets := map[string]string{} // a dataset may start it that it does not read
		maps.Copy(datasets, record.Datasets)
		for name, d := range r.Datasets {
			datasets[name] = d.Digest
			if p, watched := l.peeks[name]; watched { // it is as new as any look
				p.digest = d.Digest
				l.peeks[name] = p
			}
		}
		record.Datasets = datasets
	}
	reason := string(r.Outcome)
	if r.Reason != "" {
		reason += ": " + r.Reason
	}
	if !l.append(r.Pipeline, journal.Entry{Action: journal.ActionEnd, Run: r.ID, Commit: r.Commit, Reason: reason, Version: versionOf(r)}, record, now) {
		l.postpone(a, now, errors.New(l.problems[r.Pipeline]))
		return
	}
	delete(l.problems, r.Pipeline)
	for _, cancel := range a.flying {
		cancel()
	}
	delete(l.active, r.ID)
	l.wakeAll()
}

func versionOf(r *run.Run) string {
	if r.Published == nil {
		return ""
	}
	return r.Published.Version
}
