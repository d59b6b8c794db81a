package runner

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// peek finds out, at each interval, what the datasets are that pipelines wait for.
func (l *loop) peek(now time.Time) {
	if !l.peekedAt.IsZero() && now.Sub(l.peekedAt) < l.opts.Interval {
		return
	}
	l.peekedAt = now
	for _, name := range triggers(l.wanted.Config) {
		d, before := l.dataset(name), l.peeks[name]
		if d == nil || before.flying || d.Digest == "" && d.Source.Kind == spec.SourceHTTP && now.Sub(before.at) < peekHTTP {
			continue
		}
		before.at, before.flying = now, true
		l.peeks[name] = before
		l.work(func(ctx context.Context) func(*loop) {
			ctx, cancel := context.WithTimeout(ctx, peekLimit)
			defer cancel()
			is, err := peeked(ctx, l.opts, d, before)
			return func(l *loop) {
				last := l.peeks[name]
				last.flying = false
				// One that cannot be asked now did not change. One that a run has read
				// meanwhile is told by the next peek.
				if err == nil && last.digest == before.digest {
					last.digest, last.version = is.digest, is.version
					if is.digest != before.digest {
						clear(l.next)
					}
				}
				l.peeks[name] = last
			}
		})
	}
}

// digests are what datasets that pipelines wait for are now, as far as that is known.
func (l *loop) digests() map[string]string {
	digests := map[string]string{}
	for name, p := range l.peeks {
		if p.digest != "" {
			digests[name] = p.digest
		}
	}
	return digests
}

// outside are the facts of a run that are not its own.
func (l *loop) outside(r *run.Run, now time.Time) expr.Facts {
	if l.wanted == nil {
		return expr.Facts{}
	}
	return outside(l.wanted.Config, l.live(), now)
}

func (l *loop) live() map[string]string {
	if l.opts.LiveVersions == nil {
		return nil
	}
	return l.opts.LiveVersions()
}

// outside are what gates can ask about beside the run: the versions that are live,
// the declared models and datasets.
func outside(cfg *spec.Config, live map[string]string, now time.Time) expr.Facts {
	models, datasets := map[string]any{}, map[string]any{}
	for _, m := range cfg.Models {
		maps.Copy(models, map[string]any{m.Name: gate.ModelFacts(cfg, m, now).Facts["model"]})
	}
	for _, d := range cfg.Datasets {
		datasets[d.Name] = gate.DatasetFacts(cfg, d, now).Facts["dataset"]
	}
	return expr.Facts{"live": gate.Live(liveVersions(cfg, live)), "model": models, "dataset": datasets}
}

// liveVersions are the registry's entries of what takes the traffic.
func liveVersions(cfg *spec.Config, live map[string]string) []*spec.Version {
	var versions []*spec.Version
	for _, m := range cfg.Models {
		version := live[m.Name]
		if live == nil {
			version = m.Version
		}
		i := slices.IndexFunc(cfg.Versions, func(v *spec.Version) bool { return v.Model == m.Name && v.Version == version })
		if i >= 0 {
			versions = append(versions, cfg.Versions[i])
		}
	}
	return versions
}

// policies are the results of those that are for the pipeline and its datasets.
func (l *loop) policies(r *run.Run, now time.Time) []gate.Result {
	if l.wanted == nil || r.Phase != run.Running && r.Phase != run.Judging || r.Definition.Publish == nil {
		return nil
	}
	return gate.OfPipeline(l.wanted.Config, &r.Definition, now)
}
