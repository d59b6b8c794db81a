package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// supply is how far the artifact of a model's next release has got onto this host.
type supply struct {
	artifact spec.Artifact
	here     bool // it is in the store, and its bytes were compared with its digest
	underWay bool
	cancel   context.CancelFunc
	err      error // why the last try failed
	failures int   // in a row
	retryAt  time.Time
}

// lacks says what is still missing; "" if nothing is.
func (s *supply) lacks() string {
	switch {
	case s == nil || s.here:
		return ""
	case s.err != nil:
		return "its artifact cannot be had: " + s.err.Error()
	}
	return fmt.Sprintf("its artifact %s is being fetched", s.artifact.Ref)
}

// trouble is what people should know of.
func (s *supply) trouble() error {
	if s == nil {
		return nil
	}
	return s.err
}

func (s *supply) stop() {
	if s != nil && s.cancel != nil {
		s.cancel()
	}
}

// awaited is the artifact that has to be here before a new release begins; nil if
// there is none. Of a release that was let in it was here, and whoever launches
// its replicas asks for it again.
func (l *loop) awaited(o *object) *spec.Artifact {
	t, r := l.desired.Targets[string(o.key)], &o.ledger.record
	switch {
	case t == nil || t.Model.Artifact == nil,
		r.Stable != nil && r.Stable.Revision == t.Revision,
		r.Rollout != nil && r.Rollout.Candidate.Revision == t.Revision,
		r.Rejection(t.Revision) != nil:
		return nil
	}
	return t.Model.Artifact
}

// bring gets the artifact of the next release onto this host, beside all that is
// done for the releases that run: a registry that is away or slow, and bytes that
// are not what they should be, hold up nothing but the release that needs them.
func (l *loop) bring(o *object, now time.Time) {
	awaited := l.awaited(o)
	if awaited == nil {
		o.supply.stop()
		o.supply = nil
		return
	}
	if o.supply == nil || o.supply.artifact != *awaited {
		o.supply.stop()
		o.supply = &supply{artifact: *awaited}
	}
	switch s := o.supply; {
	case s.here, s.underWay:
	case now.Before(s.retryAt):
		o.wakeAt(s.retryAt)
	default:
		l.fetch(o, s)
	}
}

// supplied is the outcome of one try to bring an artifact.
type supplied struct {
	key    key
	supply *supply
	err    error
}

func (l *loop) fetch(o *object, s *supply) {
	ctx, cancel := context.WithCancel(l.ctx)
	s.underWay, s.cancel = true, cancel
	k, about := o.key, Event{Address: l.address(o), Commit: l.desired.Commit.ID}
	spawn(l, l.supplied, func(context.Context) supplied {
		defer cancel()
		_, err := l.actor.checkout(ctx, s.artifact, about)
		return supplied{k, s, err}
	})
}

func (l *loop) onSupplied(r supplied) {
	o := l.objects[r.key]
	if o == nil || o.supply != r.supply {
		return // a newer commit wants something else
	}
	s := o.supply
	s.underWay, o.dirty = false, true
	if s.err = r.err; s.err == nil {
		s.here, s.failures = true, 0
		return
	}
	s.failures++
	s.retryAt = time.Now().Add(backoff(s.failures, maxRetry))
	o.wakeAt(s.retryAt)
}

// fetch is what an actor does that brings an artifact from elsewhere.
const fetch rollout.Verb = "fetch"

// checkout returns the directory of this host that holds the files of an
// artifact. The store is asked first: what is in there, and as it should be, needs
// neither the network nor a turn.
func (a *actor) checkout(ctx context.Context, artifact spec.Artifact, about Event) (dir string, err error) {
	switch {
	case a.artifacts == nil:
		return "", fmt.Errorf("artifact %s: this program was started without a store for artifacts", artifact.Ref)
	case !strings.HasSuffix(artifact.Ref, "@"+artifact.Digest):
		return "", fmt.Errorf("artifact %s: its digest is not %s; write the reference with the digest of what was published", artifact.Ref, artifact.Digest)
	}
	dir, err = a.artifacts.Checkout(ctx, artifact.Digest)
	if errors.Is(err, reconcile.ErrNoContent) || errors.Is(err, reconcile.ErrTampered) {
		dir, err = a.download(ctx, artifact, about)
	}
	if err != nil {
		return "", fmt.Errorf("artifact %s: %w", artifact.Ref, err)
	}
	return dir, nil
}

// download is checkout for an artifact that is elsewhere.
func (a *actor) download(ctx context.Context, artifact spec.Artifact, about Event) (dir string, err error) {
	if !acquire(ctx, a.downloads) {
		return "", ctx.Err()
	}
	defer func() { <-a.downloads }()
	about.Time, about.Type, about.Verb, about.Message = time.Now(), ActionStarted, fetch, artifact.Ref
	a.emit(about)
	content, err := a.artifacts.Fetch(ctx, artifact.Ref)
	if err == nil {
		dir, err = a.artifacts.Checkout(ctx, content.Digest)
	}
	about.Took, about.Time, about.Type = time.Since(about.Time), time.Now(), ActionDone
	if err != nil {
		about.Type, about.Err, about.Message = ActionFailed, err, fmt.Sprintf("%s %s: %v", fetch, artifact.Ref, err)
	}
	a.emit(about)
	return dir, err
}

// artifacts waits for the directory of an artifact that launches need.
type artifacts map[spec.Artifact]func() (dir string, err error)

// artifactsOf makes the artifacts of a job available, each once for all of its
// launches.
func (a *actor) artifactsOf(ctx context.Context, j job) artifacts {
	all := artifacts{}
	for _, c := range j.commands {
		if c.Verb != rollout.Launch || c.Target == nil || c.Target.Model.Artifact == nil {
			continue
		}
		artifact := *c.Target.Model.Artifact
		if all[artifact] == nil {
			all[artifact] = sync.OnceValues(func() (string, error) {
				return a.checkout(ctx, artifact, Event{Address: j.address, Commit: j.desired.Commit.ID})
			})
		}
	}
	return all
}

// of is what a launch mounts; nothing for a release without an artifact.
func (a artifacts) of(c rollout.Command) ([]reconcile.Bind, error) {
	if c.Target == nil || c.Target.Model.Artifact == nil {
		return nil, nil
	}
	artifact := *c.Target.Model.Artifact
	dir, err := a[artifact]()
	if err != nil {
		return nil, err
	}
	return []reconcile.Bind{{Source: dir, Target: artifact.Target, ReadOnly: true}}, nil
}
