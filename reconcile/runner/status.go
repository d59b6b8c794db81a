package runner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/schedule"
	"github.com/fairlead/fairlead/spec"
)

// status is what people see.
func (l *loop) status(now time.Time) *Status {
	status := &Status{FormatVersion: StatusFormat, Pipelines: []PipelineStatus{}}
	if l.wanted != nil {
		for _, p := range l.wanted.Config.Pipelines {
			status.Pipelines = append(status.Pipelines, l.statusOf(p, now))
		}
	}
	return status
}

func (l *loop) statusOf(p *spec.Pipeline, now time.Time) PipelineStatus {
	s := PipelineStatus{
		Name: p.Name, Pos: p.Pos, Description: p.Description, On: p.On, Problem: l.problems[p.Name], Schedule: scheduleText(p.Schedule), Definition: p,
	}
	if p.Publish != nil {
		s.Publishes = p.Publish.Model.String()
	}
	if p.Schedule != nil {
		if parsed, err := schedule.Parse(*p.Schedule, p.Name); err == nil {
			s.Next = parsed.Next(now)
		}
	}
	for _, a := range l.active {
		switch {
		case a.run.Pipeline != p.Name:
		case a.run.Phase == run.Queued:
			cause := a.run.Trigger
			s.Queued = &cause
		default:
			summary := a.run.Summary()
			s.Current = &summary
		}
	}
	if last := l.records[p.Name].Last; last != nil {
		s.Last = &run.Summary{
			ID: last.Run, Pipeline: p.Name, Trigger: run.Cause{Kind: spec.TriggerKind(last.Trigger)}, Commit: last.Commit, Phase: run.Done,
			Outcome: run.Outcome(last.Outcome), Reason: last.Reason, Created: last.Started, Started: last.Started, Finished: last.At,
		}
		s.Gates = last.Gates
	}
	return s
}

// Preview says which steps of a pipeline would run if it were started now, and which
// are in the cache.
func (r *Runner) Preview(ctx context.Context, pipeline string, params map[string]any) (*run.Preview, error) {
	var p *spec.Pipeline
	var wanted *Wanted
	var live map[string]string
	if err := r.do(ctx, func(l *loop) error {
		if err := l.informed(); err != nil {
			return err
		}
		if p = l.pipeline(pipeline); p == nil {
			return fmt.Errorf("%w: pipeline %q is not declared in %s", ErrUnknown, pipeline, l.opts.Scope.Environment)
		}
		wanted, live = l.wanted, l.live()
		return nil
	}); err != nil {
		return nil, err
	}
	return Preview(ctx, &r.opts, wanted, p, params, live)
}

// Preview is the same for who has no Runner: nothing but the store and the artifacts
// are written to, which get the datasets.
func Preview(ctx context.Context, opts *Options, wanted *Wanted, p *spec.Pipeline, params map[string]any, live map[string]string) (*run.Preview, error) {
	now := time.Now()
	would, err := run.New(p.Name+"-0", p, params, now)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	would.Environment, would.Commit = opts.Scope.Environment, wanted.commitOf(p.Name)
	j := &job{opts: opts, run: would, wanted: wanted, live: live, preview: true}
	prepared, err := j.prepare(ctx)
	if err != nil {
		return &run.Preview{Pipeline: p.Name, Params: would.Params, Nodes: []run.NodePreview{}, Problem: err.Error()}, nil //nolint:nilerr // that it could not start is what is asked
	}
	look := func(key string) *run.Result { return look(ctx, opts, key) }
	return run.PreviewOf(would, prepared, outside(wanted.Config, live, now), newest(ctx, opts, p.Name), look, now), nil
}

// newest is the last run of a pipeline that got as far as its steps, or nil.
func newest(ctx context.Context, opts *Options, pipeline string) *run.Run {
	summaries, err := opts.Store.List(ctx, pipeline)
	if err != nil && len(summaries) == 0 {
		return nil
	}
	i := slices.IndexFunc(summaries, func(s run.Summary) bool { return !s.Started.IsZero() })
	if i < 0 {
		return nil
	}
	r, err := opts.Store.Load(ctx, summaries[i].ID)
	if err != nil {
		return nil
	}
	return r
}
