package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

const (
	// tidyEvery is how often old runs, results and content are removed.
	tidyEvery = time.Hour
	// young content may belong to something that is being made.
	young = time.Hour
)

// tidyUp removes, now and then, what nothing needs any more, and containers of runs
// that do not exist.
func (l *loop) tidyUp(now time.Time) {
	if l.wanted == nil || !l.tidiedAt.IsZero() && now.Sub(l.tidiedAt) < tidyEvery {
		return
	}
	l.tidiedAt = now
	keep := map[string]bool{}
	running := map[string]bool{}
	for id, a := range l.active {
		running[id] = true
		keepRun(keep, a.run)
	}
	for _, record := range l.records {
		for _, p := range record.Published {
			keep[p.Content], keep[p.Profile] = true, true
			keep[digestOf(p.Artifact)] = true
		}
	}
	delete(keep, "") // of what has none: a profile, an artifact by its tag
	cfg := l.wanted.Config
	l.removeStray()
	l.work(func(ctx context.Context) func(*loop) {
		if err := tidyUp(ctx, l.opts, cfg, keep, running, now); err != nil && ctx.Err() == nil {
			// Nothing depends on it, and it is tried again the next time.
			l.opts.Log.Warn("old runs and artifacts are not removed", "error", err)
		}
		return func(*loop) {}
	})
}

// keepRun adds what a run reads and wrote.
func keepRun(keep map[string]bool, r *run.Run) {
	for _, d := range r.Datasets {
		keep[d.Content] = true
	}
	for _, n := range r.Nodes {
		for _, output := range n.Outputs {
			keep[output.Digest] = true
		}
	}
}

func tidyUp(ctx context.Context, opts *Options, cfg *spec.Config, keep, running map[string]bool, now time.Time) error {
	summaries, err := opts.Store.List(ctx, "")
	if err != nil {
		return err
	}
	var failed []error // of one thing, which keeps the rest from nothing
	seen := map[string]int{}
	for _, s := range summaries { // newest first
		if seen[s.Pipeline]++; seen[s.Pipeline] > opts.KeepRuns && !running[s.ID] {
			failed = append(failed, opts.Store.Delete(ctx, s.ID))
		}
	}
	results, err := opts.Store.Forget(ctx, now.Add(-opts.KeepCache))
	if err != nil {
		return err
	}
	for _, result := range results {
		for _, output := range result.Outputs {
			keep[output.Digest] = true
		}
	}
	digests, err := opts.KeepModels(ctx, cfg)
	if err != nil {
		return err // what models need is not known: nothing is removed
	}
	maps.Copy(keep, digests)
	_, err = opts.Artifacts.Collect(ctx, keep, now.Add(-young))
	return errors.Join(append(failed, err)...)
}

// removeStray removes containers of runs that are not under way: of a store that was
// lost. Which those are is asked after the list, so that a run which began meanwhile
// keeps its own.
func (l *loop) removeStray() {
	l.work(func(ctx context.Context) func(*loop) {
		containers, err := l.opts.Runtime.List(ctx, reconcile.Filter{})
		return func(l *loop) {
			for _, c := range containers {
				if err != nil || c.Kind != spec.KindStep || l.active[c.Run] != nil {
					continue
				}
				l.work(func(ctx context.Context) func(*loop) {
					if err := errors.Join(l.opts.Runtime.Stop(ctx, c.ID, 0), l.opts.Runtime.Remove(ctx, c.ID)); err != nil && ctx.Err() == nil {
						l.opts.Log.Warn("a container of a run that is lost is not removed", "container", c.Name, "error", err)
					}
					return func(*loop) {}
				})
			}
		}
	})
}

// digestOf is the digest of a reference, or "".
func digestOf(ref string) string {
	for i := len(ref) - 1; i >= 0; i-- {
		if ref[i] == '@' {
			return ref[i+1:]
		}
	}
	return ""
}

// maxDocument bounds what is attached to an artifact, in bytes.
const maxDocument = 8 << 20

// onlyFile reads the one file of a content: a document, not data.
func onlyFile(ctx context.Context, artifacts reconcile.Artifacts, digest string) ([]byte, error) {
	dir, err := artifacts.Checkout(ctx, digest)
	if err != nil {
		return nil, err
	}
	var files []string
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		return nil, fmt.Errorf("it has %d files, and should have one", len(files))
	}
	info, err := os.Stat(files[0])
	if err != nil {
		return nil, err
	}
	if info.Size() > maxDocument {
		return nil, fmt.Errorf("it has %d bytes; at most %d are attached to a version", info.Size(), maxDocument)
	}
	return os.ReadFile(files[0])
}
