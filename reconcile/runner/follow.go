package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// follow takes what Git wants now.
func (l *loop) follow() {
	w := l.r.wanted.Load()
	if w == nil {
		return
	}
	l.wanted = w
	declared := map[string]bool{}
	l.prints = make(map[string]string, len(w.Config.Pipelines))
	for _, p := range w.Config.Pipelines {
		declared[p.Name] = true
		l.prints[p.Name] = run.Fingerprint(p, w.Config.Datasets)
	}
	now := time.Now()
	for _, a := range l.active {
		if !declared[a.run.Pipeline] && a.cancel == nil && a.run.Reproduces == "" {
			a.cancel = &run.Order{Actor: journal.Daemon, Reason: "pipeline." + a.run.Pipeline + " is not in Git any more", At: now}
			a.dirty = true
		}
	}
	l.forgetSchedules(declared, now)
	l.peekRepo()
	l.peekedAt = time.Time{}
	clear(l.next)
	l.tag()
}

// peekRepo looks at the datasets that are fixed by the commit. A run for the change of
// a definition then knows of the data that came with it, and there is no second one.
func (l *loop) peekRepo() {
	for _, name := range triggers(l.wanted.Config) {
		d := l.dataset(name)
		if d == nil || d.Digest == "" && d.Source.Kind != spec.SourceRepo {
			continue
		}
		if is, err := peeked(l.ctx, l.opts, d, peek{}); err == nil {
			l.peeks[name] = is
		}
	}
}

// forgetSchedules notes of pipelines that left Git that no time of theirs comes any
// more: those that pass until they come back are not made up for.
func (l *loop) forgetSchedules(declared map[string]bool, now time.Time) {
	for _, pipeline := range slices.Sorted(maps.Keys(l.records)) {
		record := l.records[pipeline]
		if declared[pipeline] || record.Schedule == "" {
			continue
		}
		record.Schedule = ""
		l.append(pipeline, journal.Entry{Action: journal.ActionSchedule, Commit: l.commit(), Reason: "none any more: it is not in Git"}, record, now)
	}
}

// tag writes a tag, as GTO reads it, for each version that a pipeline proposed with
// tags = true and that people have merged since.
func (l *loop) tag() {
	if l.commit() == "" {
		return
	}
	wanted := l.wanted
	for _, v := range wanted.Config.Versions {
		p := l.pipeline(v.Pipeline)
		if p == nil || p.Publish == nil || !p.Publish.Tags || l.tagged[v.ID()] || !l.proposed(v) {
			continue
		}
		l.tagged[v.ID()] = true
		l.work(func(ctx context.Context) func(*loop) {
			err := l.opts.Publisher.Tag(ctx, wanted, v, fmt.Sprintf("%s\n\nRun %s, artifact %s.\n", v.ID(), v.Run, v.Artifact))
			return func(l *loop) {
				if err != nil { // with the next commit it is tried again
					delete(l.tagged, v.ID())
					l.opts.Log.Warn("a version is not tagged", "version", v.ID(), "error", err)
				}
			}
		})
	}
}

// proposed tells whether a run here proposed the version.
func (l *loop) proposed(v *spec.Version) bool {
	return slices.ContainsFunc(l.records[v.Pipeline].Published, func(p journal.RunPublished) bool { return p.Model == v.Model && p.Version == v.Version })
}

// pipeline is the declared one of that name, or nil.
func (l *loop) pipeline(name string) *spec.Pipeline {
	if l.wanted == nil {
		return nil
	}
	for _, p := range l.wanted.Config.Pipelines {
		if p.Name == name {
			return p
		}
	}
	return nil
}

func (l *loop) dataset(name string) *spec.Dataset {
	if l.wanted == nil {
		return nil
	}
	for _, d := range l.wanted.Config.Datasets {
		if d.Name == name {
			return d
		}
	}
	return nil
}
