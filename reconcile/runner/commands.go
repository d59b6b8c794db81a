package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// carryOut puts a command under way, unless it is already. A node has one command at
// a time, beside the watch over its log; a stop ends a start that takes long.
func (l *loop) carryOut(a *active, c run.Command) {
	key := c.Node
	if c.Kind == run.CommandWatch {
		key = "watch " + c.Node
	}
	if cancel, busy := a.flying[key]; busy {
		if c.Kind == run.CommandStop {
			cancel()
		}
		return
	}
	ctx, cancel := context.WithCancel(l.ctx)
	a.flying[key] = cancel
	j := &job{opts: l.opts, run: a.run.Clone(), command: c, wanted: l.wanted, record: l.records[a.run.Pipeline], live: l.live(), proposed: l.everProposed()}
	if c.Kind == run.CommandTidy {
		j.watching = a.watching[c.Node]
	}
	if c.Kind == run.CommandWatch {
		done := make(chan struct{})
		j.done = done
		if a.watching == nil {
			a.watching = map[string]chan struct{}{}
		}
		a.watching[c.Node] = done
	}
	id := a.run.ID
	l.work(func(context.Context) func(*loop) {
		answer := j.do(ctx)
		answer.Err = j.redacted(ctx, answer.Err)
		again := unanswered(c.Kind, answer)
		if again {
			pause(ctx, commandRetry)
		}
		stopped := ctx.Err() != nil
		cancel()
		return func(l *loop) {
			if c.Kind != run.CommandWatch || again { // one watch for an attempt is enough
				delete(a.flying, key)
			}
			if l.active[id] != a || l.ctx.Err() != nil {
				return
			}
			answer.Command = c
			if c.Kind == run.CommandTidy {
				answer.Err = l.leave(a, c, answer.Err)
			}
			if stopped && answer.Err != nil {
				answer.Transient = true
			}
			a.dirty = true
			if c.Kind == run.CommandPublish && answer.Err == nil {
				a.unnoted = &answer // it counts when it is in the journal
				return
			}
			a.answers = append(a.answers, answer)
			switch c.Kind {
			case run.CommandStart:
				delete(a.flying, "watch "+c.Node)
				l.list(a)
			case run.CommandStop, run.CommandWatch: // it has ended
				l.list(a)
			default:
			}
		}
	})
}

// errWorkLeft: the directory of an attempt cannot be removed.
var errWorkLeft = errors.New("its directory cannot be removed")

// maxTidies is how often it is tried to remove a directory before the run ends without.
const maxTidies = 10

// leave gives up on a directory that cannot be removed, such as one that a container
// made as root, where the daemon is not: else the run, and with it its pipeline, would
// never end.
func (l *loop) leave(a *active, c run.Command, err error) error {
	if !errors.Is(err, errWorkLeft) {
		return err
	}
	if a.tidies == nil {
		a.tidies = map[string]int{}
	}
	key := l.opts.Scope.StepName(a.run.ID, c.Node, c.Attempt)
	if a.tidies[key]++; a.tidies[key] < maxTidies {
		return err
	}
	l.opts.Log.Warn("what a step left is still there", "run", a.run.ID, "step", c.Node, "error", err)
	return nil
}

// commandRetry is the wait before the answer that a command came to nothing which Step
// then names again at once: the engine may be away for long.
const commandRetry = time.Second

// unanswered tells whether a command came to nothing, and is only to be tried again.
func unanswered(kind run.CommandKind, answer run.Answer) bool {
	switch kind {
	case run.CommandTidy:
		return answer.Err != nil
	case run.CommandStop:
		return answer.Err != nil && !errors.Is(answer.Err, run.ErrNeverStarted)
	case run.CommandWatch:
		return answer.Err != nil && answer.Cause == ""
	default:
		return false
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// job is one command at work, on a copy of the run.
type job struct {
	opts    *Options
	run     *run.Run
	command run.Command
	wanted  *Wanted
	record  journal.PipelineRecord
	live    map[string]string // version by model
	// proposed are the versions that runs here ever proposed, merged or not.
	proposed []*spec.Version
	preview  bool          // nothing is to be started
	watching chan struct{} // closed when the log of the node's attempt is complete
	done     chan struct{} // to be closed by a watch
}

func (j *job) node() *run.Node  { return j.run.Nodes[j.command.Node] }
func (j *job) step() *spec.Step { return j.run.Step(j.node()) }

func (j *job) do(ctx context.Context) run.Answer {
	switch j.command.Kind {
	case run.CommandPrepare:
		prepared, err := j.prepare(ctx)
		return run.Answer{Prepared: prepared, Err: err, Transient: transient(err)}
	case run.CommandLook:
		return run.Answer{Hit: j.look(ctx)}
	case run.CommandStart:
		err := j.start(ctx)
		return run.Answer{Err: err, Transient: transient(err)}
	case run.CommandWatch:
		cause, err := j.watch(ctx)
		return run.Answer{Err: err, Cause: cause}
	case run.CommandStop:
		return run.Answer{Err: j.stop(ctx)}
	case run.CommandCollect:
		return j.collect(ctx)
	case run.CommandTidy:
		return run.Answer{Err: j.tidy(ctx)}
	case run.CommandPublish:
		publication, err := j.publish(ctx)
		return run.Answer{Publication: publication, Err: err, Transient: transient(err)}
	default:
		return run.Answer{Err: fmt.Errorf("command %q is not known", j.command.Kind)}
	}
}

// redacted is an error without the values of the run's secrets: what a container wrote
// may be quoted in it, and reasons are journaled.
func (j *job) redacted(ctx context.Context, err error) error {
	names := run.UsedSecrets(&j.run.Definition)
	if err == nil || len(names) == 0 {
		return err
	}
	values, failed := j.secrets(ctx, names)
	if failed != nil {
		return err // without them nothing was started that could quote them
	}
	clean := spec.Redact(err.Error(), maps.Values(values))
	if clean == err.Error() {
		return err
	}
	return errors.New(clean)
}

// transient tells whether trying again may help.
func transient(err error) bool {
	return errors.Is(err, reconcile.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}

// look asks the cache. A result whose outputs are gone is none.
func (j *job) look(ctx context.Context) *run.Result {
	return look(ctx, j.opts, j.command.Key)
}

func look(ctx context.Context, opts *Options, key string) *run.Result {
	hit, err := opts.Store.Result(ctx, key)
	if err != nil {
		return nil
	}
	for _, output := range hit.Outputs {
		if _, err := opts.Artifacts.Lookup(ctx, output.Digest); err != nil {
			return nil
		}
	}
	return hit
}

const (
	// startLimit bounds a start with the pull of an image, which the provider bounds
	// by its progress.
	startLimit = 2 * time.Hour
	// tidyLimit bounds what is done with one container or directory.
	tidyLimit = 2 * time.Minute
)

// start brings an attempt's container up: it may have been created, or started, by a
// daemon before this one.
func (j *job) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	n, s := j.node(), j.step()
	image, err := j.image(ctx, s)
	if err != nil {
		return err
	}
	if err := j.opts.Runtime.EnsureImage(ctx, image, nil); err != nil {
		return err
	}
	places := run.Places{Inputs: map[string]map[string]string{}}
	for name, digests := range n.KeyOf.Inputs {
		places.Inputs[name] = map[string]string{}
		for variant, digest := range digests {
			dir, err := j.opts.Artifacts.Checkout(ctx, digest)
			if err != nil {
				return fmt.Errorf("input %s: %w", name, err)
			}
			places.Inputs[name][variant] = dir
		}
	}
	if places.Out, err = j.opts.Store.Work(ctx, j.run.ID, n.ID, n.Attempt, s.Outputs); err != nil {
		return err
	}
	secrets, err := j.secrets(ctx, run.UsedSecrets(&j.run.Definition))
	if err != nil {
		return err
	}
	id, err := j.opts.Runtime.Create(ctx, j.run.Container(n, j.opts.Scope, places, secrets))
	if errors.Is(err, reconcile.ErrNameTaken) {
		if c, found, listErr := j.container(ctx); listErr == nil && found && c.State != reconcile.StateCreated {
			return nil // it was started already
		}
	}
	if err != nil {
		return err
	}
	return j.opts.Runtime.Start(ctx, id)
}

// image is the pinned one of a step. An exit step may have to run though preparing the
// run failed, before it came to that image.
func (j *job) image(ctx context.Context, s *spec.Step) (reconcile.Image, error) {
	if image, pinned := j.run.Images[s.Image]; pinned {
		return image, nil
	}
	image, err := j.opts.Runtime.Resolve(ctx, s.Image)
	if err != nil {
		return reconcile.Image{}, fmt.Errorf("%s: image %s: %w", s.Pos, s.Image, err)
	}
	images := map[string]reconcile.Image{s.Image: image} // the run's own belong to the loop
	maps.Copy(images, j.run.Images)
	j.run.Images = images
	return image, nil
}

// secrets resolves secrets by name.
func (j *job) secrets(ctx context.Context, names []string) (map[string]spec.Sensitive, error) {
	if len(names) == 0 {
		return nil, nil
	}
	var list []*spec.Secret
	for _, name := range names {
		var s *spec.Secret
		if j.wanted != nil {
			s = j.wanted.Config.Secrets[name]
		}
		if s == nil {
			return nil, fmt.Errorf("secret.%s is not declared any more", name)
		}
		if of := j.wanted.Config.IncludeOf(j.run.Pipeline); (of == nil) != (s.Module == "") || of != nil && of.Name != s.Module {
			return nil, fmt.Errorf("secret.%s is declared in another repository than pipeline %s", name, j.run.Pipeline)
		}
		list = append(list, s)
	}
	return j.opts.Secrets.Resolve(ctx, list)
}

// container finds the container of the attempt. That the engine does not say is no
// proof that there is none.
func (j *job) container(ctx context.Context) (c reconcile.Container, found bool, err error) {
	containers, err := j.opts.Runtime.List(ctx, reconcile.Filter{Run: j.run.ID})
	if err != nil {
		return reconcile.Container{}, false, err
	}
	for _, c := range containers {
		if c.Node == j.command.Node && c.Attempt == j.command.Attempt {
			return c, true, nil
		}
	}
	return reconcile.Container{}, false, nil
}

// stop ends the attempt's container, and tells if there is none.
func (j *job) stop(ctx context.Context) error {
	grace := j.step().Container.StopTimeout
	ctx, cancel := context.WithTimeout(ctx, grace+tidyLimit)
	defer cancel()
	containers, err := j.opts.Runtime.List(ctx, reconcile.Filter{Run: j.run.ID})
	if err != nil {
		return err
	}
	for _, c := range containers {
		if c.Node != j.command.Node || c.Attempt != j.command.Attempt {
			continue
		}
		if c.State == reconcile.StateCreated { // it never ran, so it has nothing to end
			return errors.Join(j.opts.Runtime.Remove(ctx, c.ID), run.ErrNeverStarted)
		}
		return j.opts.Runtime.Stop(ctx, c.ID, grace)
	}
	return run.ErrNeverStarted
}

// tidy removes what an attempt left, once its log is complete.
func (j *job) tidy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tidyLimit)
	defer cancel()
	if j.watching != nil {
		timer := time.NewTimer(5 * time.Second)
		defer timer.Stop()
		select {
		case <-j.watching:
		case <-timer.C: // the engine does not end the stream: the container goes first
		case <-ctx.Done():
		}
	}
	c, found, err := j.container(ctx)
	if err != nil {
		return err
	}
	if found {
		if err := j.opts.Runtime.Remove(ctx, c.ID); err != nil {
			return err
		}
	}
	if err := j.opts.Store.RemoveWork(ctx, j.run.ID, j.command.Node, j.command.Attempt); err != nil {
		return fmt.Errorf("%w: %w", errWorkLeft, err)
	}
	return nil
}
