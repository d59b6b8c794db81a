package memory

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// Process is what a container does once it is started. The zero Process ends at
// once, with code 0.
type Process struct {
	// Runs is the time until it ends by itself.
	Runs      time.Duration
	ExitCode  int
	OOMKilled bool
	// Output is what it says, in the order of After.
	Output []Line
	// Files is what it writes as it ends, by path in the container. A path that is
	// not below a Bind that may be written to lets it end with code 1.
	Files map[string]string
	// IgnoresTerm: only SIGKILL ends it early, so Stop takes all of the grace period.
	IgnoresTerm bool
	// Vanishes: as it ends, somebody removes the container.
	Vanishes bool
}

// Line is something that a process says, with a line feed where it wants one.
type Line struct {
	After time.Duration // the start
	Text  string
}

// Forever is the Runs of a process that does not end by itself.
const Forever time.Duration = math.MaxInt64

// SetProgram says what containers do that are started from now on. program gets
// the spec of each, with its command and its Binds; nil from it is a server that
// runs until it is stopped, which is what every container is without a program.
// It is called under the engine's lock, so it must not call the engine.
func (e *Engine) SetProgram(program func(reconcile.ContainerSpec) *Process) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.program = program
}

// begin sets the process of a container going. The caller holds the lock.
func (e *Engine) begin(c *container) {
	c.halt()
	var p *Process
	if e.program != nil {
		p = e.program(c.spec)
	}
	if p == nil {
		c.say(c.Name + " started\n")
		return
	}
	c.process, c.said = p, 0
	for _, line := range p.Output {
		e.later(c, line.After, func() { c.speak(line.After) })
	}
	if p.Runs != Forever {
		e.later(c, p.Runs, func() { e.finish(c) })
	}
}

// later runs a deed of the process d from now, under the lock, unless it has ended
// by then. The caller holds the lock.
func (e *Engine) later(c *container, d time.Duration, deed func()) {
	process := c.process
	act := func() {
		if c.process == process {
			deed()
			e.notify(c.labels)
		}
	}
	if d <= 0 {
		act()
		return
	}
	c.timers = append(c.timers, time.AfterFunc(d, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		act()
	}))
}

// finish ends a process as it was told to. The caller holds the lock.
func (e *Engine) finish(c *container) {
	p := c.process
	c.speak(p.Runs)
	code := p.ExitCode
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		if err := writeInside(c.spec.Binds, name, p.Files[name]); err != nil {
			c.say(err.Error() + "\n")
			code = 1
		}
	}
	if p.Vanishes {
		e.remove(c)
		return
	}
	c.exit(code)
	c.OOMKilled = p.OOMKilled
}

// writeInside writes a file where a container sees it under that name.
func writeInside(binds []reconcile.Bind, name, content string) error {
	for _, b := range binds {
		rest, below := strings.CutPrefix(name, strings.TrimSuffix(b.Target, "/")+"/")
		if !below || b.ReadOnly {
			continue
		}
		target := filepath.Join(b.Source, filepath.FromSlash(rest))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, []byte(content), 0o644)
	}
	return fmt.Errorf("write %s: read-only file system", name)
}

// halt takes away what the process still had to do, and tells who waits for the
// container. The caller holds the lock.
func (c *container) halt() {
	for _, timer := range c.timers {
		timer.Stop()
	}
	c.timers, c.process = nil, nil
	c.tell()
}

// speak says the lines that are due so long after the start. The caller holds the
// lock.
func (c *container) speak(after time.Duration) {
	for lines := c.process.Output; c.said < len(lines) && lines[c.said].After <= after; c.said++ {
		c.say(lines[c.said].Text)
	}
}

// say adds to the log. The caller holds the lock.
func (c *container) say(text string) {
	c.output = append(c.output, text...)
	c.tell()
}

// tell wakes who waits for the container. The caller holds the lock.
func (c *container) tell() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// await waits until satisfied, which is asked under the lock, of a container that
// may be gone by then.
func (e *Engine) await(ctx context.Context, c *container, satisfied func(gone bool) bool) error {
	for {
		e.mu.Lock()
		if satisfied(e.containers[c.ID] != c) {
			e.mu.Unlock()
			return nil
		}
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		e.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// runs tells whether the container has a process.
func (c *container) runs() bool {
	return slices.Contains([]reconcile.ContainerState{reconcile.StateRunning, reconcile.StatePaused, reconcile.StateRestarting}, c.State)
}

// Stop implements reconcile.Runtime. A process ends at once and with code 0, but
// for one that ignores SIGTERM.
func (r *Runtime) Stop(ctx context.Context, id string, grace time.Duration) error {
	var stubborn *container
	err := r.do(ctx, OpStop, func(e *Engine) error {
		if e.containers[id] == nil {
			return nil
		}
		c, err := r.owned(e, id)
		if err != nil {
			return err
		}
		switch {
		case !c.runs():
		case c.process == nil || !c.process.IgnoresTerm:
			c.exit(0)
		default:
			stubborn = c
			e.later(c, grace, func() { c.exit(137) }) // also if nobody waits for it any more
		}
		e.notify(c.labels)
		return nil
	})
	if err != nil || stubborn == nil {
		return err
	}
	err = r.engine.await(ctx, stubborn, func(gone bool) bool { return gone || !stubborn.runs() })
	if err != nil {
		return fmt.Errorf("%s: %w", OpStop, err)
	}
	return nil
}

// Wait implements reconcile.Waiter.
func (r *Runtime) Wait(ctx context.Context, id string) (reconcile.Exit, error) {
	var c *container
	err := r.do(ctx, OpWait, func(e *Engine) (err error) {
		if c, err = r.owned(e, id); err == nil && c.Started.IsZero() {
			err = fmt.Errorf("%s was never started", c.Name)
		}
		return err
	})
	if err != nil {
		return reconcile.Exit{}, err
	}
	var exit reconcile.Exit
	removed := false
	err = r.engine.await(ctx, c, func(gone bool) bool {
		removed, exit = gone, reconcile.Exit{Code: c.ExitCode, OOMKilled: c.OOMKilled, Finished: c.Finished}
		return gone || !c.runs()
	})
	if err == nil && removed {
		err = fmt.Errorf("%s was removed", c.Name)
	}
	if err != nil {
		return reconcile.Exit{}, fmt.Errorf("%s: %w", OpWait, err)
	}
	return exit, nil
}
