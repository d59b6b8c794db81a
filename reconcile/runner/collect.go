package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// collect stores what an attempt wrote and reads what it measured. Done twice it
// gives the same.
func (j *job) collect(ctx context.Context) run.Answer {
	n, s := j.node(), j.step()
	out, err := j.opts.Store.Work(ctx, j.run.ID, n.ID, n.Attempt, nil)
	if err != nil {
		return run.Answer{Err: err, Cause: spec.CauseEngine}
	}
	if err := tooMuch(out, s.MaxOutput); err != nil {
		return run.Answer{Err: err, Cause: spec.CauseOutput}
	}
	outputs := map[string]reconcile.Content{}
	for _, name := range s.Outputs {
		if err := realDirectory(out, name); err != nil {
			return run.Answer{Err: err, Cause: spec.CauseOutput}
		}
		content, err := j.opts.Artifacts.Put(ctx, filepath.Join(out, name))
		switch {
		case err != nil && transient(err):
			return run.Answer{Err: err, Cause: spec.CauseEngine}
		case err != nil:
			return run.Answer{Err: fmt.Errorf("output %s: %w", name, err), Cause: spec.CauseOutput}
		case content.Files == 0:
			return run.Answer{Err: fmt.Errorf("output %s was not written: there is no file in %s/%s", name, run.OutputsDir, name), Cause: spec.CauseOutput}
		}
		outputs[name] = content
	}
	var metrics map[string]float64
	if s.Metrics != "" {
		if metrics, err = readMetrics(out, s.Metrics); err != nil {
			return run.Answer{Err: err, Cause: spec.CauseMetrics}
		}
	}
	if !s.Exit {
		// Also what is never taken from the cache is kept, for resuming the run.
		result := run.Result{
			Key: n.Key, KeyOf: *n.KeyOf, Run: j.run.ID, Node: n.ID, At: n.Finished, Took: n.Finished.Sub(n.Started), Outputs: outputs, Metrics: metrics,
		}
		if err := j.opts.Store.Remember(ctx, result); err != nil {
			return run.Answer{Err: err, Cause: spec.CauseEngine}
		}
	}
	return run.Answer{Outputs: outputs, Metrics: metrics}
}

// realDirectory refuses an output that the container put something else in the place
// of: a link to a directory of the host would be read as root. No process of the
// container is left that could change it now.
func realDirectory(out, name string) error {
	info, err := os.Lstat(filepath.Join(out, name))
	switch {
	case err != nil:
		return fmt.Errorf("output %s: its directory %s/%s is gone", name, run.OutputsDir, name)
	case !info.IsDir():
		return fmt.Errorf("output %s: the directory %s/%s was replaced by a %s", name, run.OutputsDir, name, info.Mode().Type())
	}
	return nil
}

// readMetrics reads a file that a container wrote: it may be a link to anywhere, or
// no file at all.
func readMetrics(out, name string) (map[string]float64, error) {
	where := run.OutputsDir + "/" + name
	root, err := os.OpenRoot(out)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // it was only read
	info, err := root.Lstat(filepath.FromSlash(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the metrics were not written: there is no %s", where)
	case err != nil:
		return nil, fmt.Errorf("read the metrics %s: %w", where, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("the metrics %s are no regular file", where)
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("read the metrics %s: %w", where, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, run.MaxMetrics+1))
	if err != nil {
		return nil, fmt.Errorf("read the metrics %s: %w", where, err)
	}
	metrics, err := run.ParseMetrics(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	return metrics, nil
}

// errTooMuch ends the walk.
var errTooMuch = errors.New("too much")

// maxFiles is how many files and directories a step may leave below its outputs.
const maxFiles = 1_000_000

// tooMuch tells whether a step wrote more than it may.
func tooMuch(dir string, limit int64) error {
	if limit <= 0 {
		return nil
	}
	var size int64
	files := 0
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // what goes while it is counted counts nothing
		}
		if err != nil {
			return err // what cannot be counted may be anything: a path that is too long
		}
		if files++; files > maxFiles {
			return errTooMuch
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		if size > limit {
			return errTooMuch
		}
		return nil
	})
	if errors.Is(err, errTooMuch) {
		return fmt.Errorf("it wrote more than the %d MiB below %s that max_output allows, or more than %d files", limit>>20, run.OutputsDir, maxFiles)
	}
	if err != nil {
		return fmt.Errorf("what it wrote below %s cannot be counted: %w", run.OutputsDir, err)
	}
	return nil
}

// outputCheck is how often the size of what a step writes is looked at.
const outputCheck = 2 * time.Second

// watch keeps the log of an attempt until its container ends, and ends it where it
// writes too much.
func (j *job) watch(ctx context.Context) (spec.StepCause, error) {
	defer close(j.done)
	n, s := j.node(), j.step()
	c, found, err := j.container(ctx)
	if err != nil || !found {
		return "", err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	logged := make(chan struct{})
	var broken error
	go func() {
		defer close(logged)
		broken = j.keepLog(ctx, c.ID)
	}()
	out, err := j.opts.Store.Work(ctx, j.run.ID, n.ID, n.Attempt, nil)
	if err != nil {
		<-logged
		return "", nil //nolint:nilerr // collecting will say so
	}
	ticker := time.NewTicker(outputCheck)
	defer ticker.Stop()
	for {
		select {
		case <-logged:
			if ctx.Err() == nil && transient(broken) {
				return "", broken // it may run on: it is watched again
			}
			return "", nil
		case <-ctx.Done():
			<-logged
			return "", nil
		case <-ticker.C:
			if err := tooMuch(out, s.MaxOutput); err != nil {
				j.stopAndKeep(ctx, c.ID, logged)
				return spec.CauseOutput, err
			}
		}
	}
}

// stopAndKeep ends a container that writes too much at once, so that it cannot fill
// the disk while it is decided about, and keeps its last words.
func (j *job) stopAndKeep(ctx context.Context, id string, logged <-chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, tidyLimit)
	defer cancel()
	if err := j.opts.Runtime.Stop(ctx, id, 0); err != nil {
		return // the answer ends the attempt, and stops it again
	}
	select {
	case <-logged:
	case <-ctx.Done():
	}
}

// keepLog copies the log of a container to the store, without the values of secrets.
func (j *job) keepLog(ctx context.Context, id string) error {
	n, s := j.node(), j.step()
	log, err := j.opts.Store.CreateLog(ctx, j.run.ID, n.ID, n.Attempt, s.MaxLog)
	if err != nil {
		return err // that is no reason to end a step
	}
	secrets, err := j.secrets(ctx, run.UsedSecrets(&j.run.Definition))
	if err != nil {
		_, _ = io.WriteString(log, "fairlead: the log is not kept: its secrets could not be read, so they could not be blotted out\n")
		return log.Close()
	}
	w := &redactor{to: log, secrets: secrets}
	err = j.opts.Runtime.Follow(ctx, id, w)
	if err != nil && ctx.Err() == nil {
		_, _ = fmt.Fprintf(w, "\nfairlead: the log ends here: %v\n", err)
	}
	return errors.Join(err, w.flush(), log.Close())
}
