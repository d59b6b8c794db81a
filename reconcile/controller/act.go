package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// job is the commands of one object that are under way, with all that they need:
// a job never looks at the loop's state.
type job struct {
	key      key
	address  spec.Address
	commands []rollout.Command
	desired  *reconcile.Desired
	labels   []string // model labels to list afterwards
}

// result is what became of a job.
type result struct {
	key        key
	errs       map[string]error // by container id; "" for launches
	containers []reconcile.Container
	listErr    error
}

// actor carries out commands, a bounded number at a time. Pulls are bounded by
// themselves: they may take long, and must not hold up anything else.
type actor struct {
	runtime reconcile.Runtime
	// artifacts may be nil: nothing that needs one is launched then.
	artifacts reconcile.Artifacts
	slots     chan struct{}
	pulls     chan struct{}
	downloads chan struct{} // of artifacts, whose registry may be away while that of the images is not
	emit      func(Event)
}

// parallelPulls bounds the images that are pulled at one time, and the artifacts.
const parallelPulls = 3

// acquire takes a place, or returns false when ctx has ended.
func acquire(ctx context.Context, places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// run carries out the commands side by side and then looks at what came of it.
// Commands of one decision are about different containers, so their order does
// not matter. When acting ends, a pull is given up and nothing more is begun;
// calls of the engine that are under way are short and are let finish.
func (a *actor) run(ctx, acting context.Context, j job) result {
	r := result{key: j.key, errs: map[string]error{}}
	needs := goods{a.imagesOf(acting, j), a.artifactsOf(acting, j)}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, c := range j.commands {
		wg.Go(func() {
			err := a.do(ctx, acting, j, c, needs)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				r.errs[c.ContainerID] = err
			}
		})
	}
	wg.Wait()
	for _, label := range j.labels {
		containers, err := a.runtime.List(ctx, reconcile.Filter{Model: label})
		if err != nil {
			r.listErr = err
		}
		r.containers = append(r.containers, containers...)
	}
	return r
}

// do carries out one command and tells about it.
func (a *actor) do(ctx, acting context.Context, j job, c rollout.Command, needs goods) error {
	event := Event{Time: time.Now(), Type: ActionStarted, Address: j.address, Verb: c.Verb, Name: c.Name, Message: c.Reason, Commit: j.desired.Commit.ID}
	a.emit(event)
	err := a.act(ctx, acting, j, c, needs)
	event.Took, event.Time, event.Type = time.Since(event.Time), time.Now(), ActionDone
	if err != nil {
		err = withoutSecrets(fmt.Errorf("%s %s: %w", c.Verb, c.Name, err), j.desired.Secrets)
		event.Type, event.Err, event.Message = ActionFailed, err, err.Error()
		if acting.Err() != nil {
			event.Message = "given up, because a newer commit wants something else or the program ends"
		}
	}
	a.emit(event)
	return err
}

// withoutSecrets takes secret values out of an error: an engine quotes what it
// does not like about a container.
func withoutSecrets(err error, secrets map[string]spec.Sensitive) error {
	text := spec.Redact(err.Error(), maps.Values(secrets))
	if text == err.Error() {
		return err
	}
	return &redactedError{text, err}
}

// redactedError is an error with another text.
type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

// goods are what launches need.
type goods struct {
	images    images
	artifacts artifacts
}

// images waits for an image that launches need, by its pin.
type images map[string]func() error

// imagesOf makes the images of a job available, each once for all of its
// launches, which wait for them.
func (a *actor) imagesOf(ctx context.Context, j job) images {
	all := images{}
	for _, c := range j.commands {
		image := j.image(c)
		if c.Verb != rollout.Launch || all[image.Pin] != nil {
			continue
		}
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			err = a.image(ctx, j, image)
		}()
		all[image.Pin] = func() error {
			<-done // it ends with ctx
			return err
		}
	}
	return all
}

// image is what a command runs: that of its release, or the gateway's.
func (j *job) image(c rollout.Command) reconcile.Image {
	if c.Target == nil {
		return j.desired.Gateway.Image
	}
	return c.Target.Image
}

func (a *actor) image(ctx context.Context, j job, image reconcile.Image) error {
	if !acquire(ctx, a.pulls) {
		return ctx.Err()
	}
	defer func() { <-a.pulls }()
	return a.runtime.EnsureImage(ctx, image, a.pulling(j))
}

func (a *actor) act(ctx, acting context.Context, j job, c rollout.Command, needs goods) error {
	var binds []reconcile.Bind
	if c.Verb == rollout.Launch {
		err := needs.images[j.image(c).Pin]()
		if err == nil {
			binds, err = needs.artifacts.of(c)
		}
		if err != nil {
			return err
		}
		if err := secretsOf(c.Target, j.desired); err != nil {
			return err
		}
	}
	if !acquire(acting, a.slots) {
		return acting.Err()
	}
	defer func() { <-a.slots }()
	switch c.Verb {
	case rollout.Launch:
		return a.launch(ctx, j, c, binds)
	case rollout.Start:
		return a.runtime.Start(ctx, c.ContainerID)
	case rollout.Rename:
		return a.runtime.Rename(ctx, c.ContainerID, c.Name)
	case rollout.Update:
		if err := a.runtime.EnsureNetwork(ctx); err != nil { // it may be what is missing
			return err
		}
		return a.runtime.Update(ctx, c.ContainerID, a.spec(j, c))
	case rollout.Retire:
		if err := a.runtime.Stop(ctx, c.ContainerID, c.Grace); err != nil {
			return err
		}
		return a.runtime.Remove(ctx, c.ContainerID)
	case rollout.Verify, rollout.WarmUp: // no act on the engine: see inspect
	}
	return fmt.Errorf("this is a bug in Fairlead: no command %q", c.Verb)
}

// launch is create and start, once the image and the artifact are there.
// Interrupted anywhere, the next list shows how far it got.
func (a *actor) launch(ctx context.Context, j job, c rollout.Command, binds []reconcile.Bind) error {
	s := a.spec(j, c)
	s.Binds = binds
	if err := a.runtime.EnsureNetwork(ctx); err != nil {
		return err
	}
	id, err := a.runtime.Create(ctx, s)
	if err != nil {
		return err
	}
	return a.runtime.Start(ctx, id)
}

func (a *actor) spec(j job, c rollout.Command) reconcile.ContainerSpec {
	if c.Target == nil {
		return j.desired.Scope.Gateway(j.desired.Gateway, j.desired.Commit.ID)
	}
	return j.desired.Scope.Replica(c.Target, c.Ordinal, j.desired.Commit.ID, j.desired.Secrets)
}

// secretsOf tells whether the values that a release was made with are still
// there. A release goes back as a whole or not at all: with other values it would
// be another one.
func secretsOf(t *reconcile.Target, d *reconcile.Desired) error {
	if t == nil || d.Targets[t.Model.Name] == t {
		return nil
	}
	var changed, gone []string
	for _, uses := range []map[string]reconcile.SecretUse{t.Inputs.SecretEnv, t.Inputs.SecretFiles} {
		for _, use := range uses {
			switch now, known := d.SecretVersions[use.Secret]; {
			case !known:
				gone = append(gone, "secret."+use.Secret)
			case now != use.Version:
				changed = append(changed, "secret."+use.Secret)
			}
		}
	}
	slices.Sort(gone)
	slices.Sort(changed)
	switch {
	case len(gone) > 0:
		return fmt.Errorf("revision %s needs %s, which is not in Git any more or cannot be read here, so it cannot be started again; declare it again, or commit a revision that does without",
			t.Revision, strings.Join(slices.Compact(gone), ", "))
	case len(changed) == 0:
		return nil
	}
	return fmt.Errorf("revision %s was made with other values of %s than this host has now, so it cannot be started again; give the secrets their former values, or commit a revision that works with the new ones",
		t.Revision, strings.Join(slices.Compact(changed), ", "))
}

// pulling reports the progress of a pull, twice a second at the most.
func (a *actor) pulling(j job) func(reconcile.PullProgress) {
	var last time.Time
	return func(p reconcile.PullProgress) {
		if now := time.Now(); now.Sub(last) > 500*time.Millisecond {
			last = now
			a.emit(Event{Time: now, Type: Pulling, Address: j.address, Name: p.Image, Message: pullText(p)})
		}
	}
}

func pullText(p reconcile.PullProgress) string {
	if p.Total == 0 {
		return fmt.Sprintf("pulling %s", p.Image)
	}
	return fmt.Sprintf("pulling %s: %.1f of %.1f MB", p.Image, float64(p.Done)/1e6, float64(p.Total)/1e6)
}

// firstError picks the error to show: any, but a fault of the object before an
// outage of the engine, which is shown elsewhere.
func firstError(errs map[string]error) error {
	var first error
	for _, err := range errs {
		if first == nil || errors.Is(first, reconcile.ErrUnavailable) {
			first = err
		}
	}
	return first
}
