package runner

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// Reproduce makes a published version again: the recorded definition with the
// recorded parameters, images and data, with nothing taken from the cache. The data
// must still be what it was.
func (r *Runner) Reproduce(ctx context.Context, o ReproduceOrder) (*run.Run, error) {
	var started *run.Run
	err := r.do(ctx, func(l *loop) error {
		if err := l.informed(); err != nil {
			return err
		}
		v := l.version(o.Model, o.Version)
		if v == nil {
			return fmt.Errorf("%w: the registry has no %s@%s", ErrUnknown, o.Model, o.Version)
		}
		stored := func(content string) bool {
			_, err := l.opts.Artifacts.Lookup(ctx, content)
			return err == nil
		}
		again, err := reproduction(v, l.wanted.Config, stored, time.Now())
		if err != nil {
			return err
		}
		again.ID = l.nextID(v.Pipeline)
		if err := l.enqueue(again, run.Cause{Kind: spec.TriggerManual, Actor: o.Actor, Reason: "reproduce " + v.ID()}); err != nil {
			return err
		}
		started = again.Clone()
		return nil
	})
	return started, err
}

func (l *loop) version(model, version string) *spec.Version {
	if l.wanted == nil {
		return nil
	}
	versions := l.wanted.Config.Versions
	i := slices.IndexFunc(versions, func(v *spec.Version) bool { return v.Model == model && v.Version == version })
	if i < 0 {
		return nil
	}
	return versions[i]
}

// reproduction is the run that makes a version again. It runs no exit steps and no
// steps that the artifact does not depend on, apart from those that its metrics are
// of.
func reproduction(v *spec.Version, cfg *spec.Config, stored func(content string) bool, now time.Time) (*run.Run, error) {
	if v.Definition == "" {
		return nil, fmt.Errorf("%w: the entry of %s does not hold the pipeline that made it, so it cannot be run again", ErrRefused, v.ID())
	}
	var p spec.Pipeline
	if err := json.Unmarshal([]byte(v.Definition), &p); err != nil {
		return nil, fmt.Errorf("%w: the pipeline in the entry of %s does not read: %w", ErrRefused, v.ID(), err)
	}
	if err := run.Check(&p); err != nil {
		return nil, fmt.Errorf("%w: the pipeline in the entry of %s is none: %w", ErrRefused, v.ID(), err)
	}
	include := cfg.IncludeOf(v.Model)
	if err := run.Within(&p, include); err != nil {
		return nil, fmt.Errorf("%w: the pipeline in the entry of %s is not one of its own repository: %w", ErrRefused, v.ID(), err)
	}
	if include != nil && p.Name != v.Pipeline {
		return nil, fmt.Errorf("%w: the entry of %s is of pipeline %s, and holds pipeline %s", ErrRefused, v.ID(), v.Pipeline, p.Name)
	}
	contents := map[string]string{}
	for name, digest := range v.Data {
		if content := recordedContent(v, &p, name); content != "" && stored(content) {
			contents[name] = content
			continue
		}
		if err := sameData(v, cfg, name, digest); err != nil {
			return nil, err
		}
	}
	p.Timeout = 0 // gates and publish stay: they say which metrics and which artifact are the version's
	p.Steps = slices.DeleteFunc(p.Steps, func(s *spec.Step) bool { return s.Exit })
	r, err := run.New("", &p, v.Params, now)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	r.Commit, r.Fresh, r.Reproduces, r.Recorded, r.Contents = v.Commit, true, v.ID(), v.Data, contents
	r.Images = map[string]reconcile.Image{}
	for node, made := range v.Steps {
		step, _, _ := strings.Cut(node, ".")
		s := p.Step(step)
		if s == nil || made.Image == "" {
			continue
		}
		r.Images[s.Image] = reconcile.Image{Ref: s.Image, Pin: made.Image, LocalOnly: !strings.Contains(made.Image, "@")}
	}
	return r, nil
}

// recordedContent is the digest in the store of a dataset that a version was made from.
func recordedContent(v *spec.Version, p *spec.Pipeline, dataset string) string {
	for node, made := range v.Steps {
		step, _, _ := strings.Cut(node, ".")
		s := p.Step(step)
		if s == nil {
			continue
		}
		for name, in := range s.Inputs {
			if in.Kind == spec.InputDataset && in.Name == dataset && made.Inputs[name] != "" {
				return made.Inputs[name]
			}
		}
	}
	return ""
}

// sameData refuses data that is another than the version was made from.
func sameData(v *spec.Version, cfg *spec.Config, name, digest string) error {
	i := slices.IndexFunc(cfg.Datasets, func(d *spec.Dataset) bool { return d.Name == name })
	if i < 0 {
		return fmt.Errorf("%w: %s was made from dataset.%s, %s, which is not declared any more", ErrRefused, v.ID(), name, digest)
	}
	d := cfg.Datasets[i]
	now := d.Digest
	if d.Source.Kind == spec.SourceRepo {
		sum := sha256.Sum256(d.Source.Data)
		now = digestText(sum[:])
	}
	if now != "" && now != digest {
		return fmt.Errorf("%w: %s was made from dataset.%s as %s, and it is %s now; check out the commit %s to reproduce it", ErrRefused, v.ID(), name, digest, now, v.Commit)
	}
	return nil
}
