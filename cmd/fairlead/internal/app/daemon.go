package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/providers/statefile"
	"github.com/fairlead/fairlead/providers/webhook"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/notify"
	"github.com/fairlead/fairlead/reconcile/proposer"
	"github.com/fairlead/fairlead/reconcile/runner"
)

// Daemon is `fairlead serve`.
type Daemon struct {
	site    *Site
	log     *slog.Logger
	metrics *metrics
	api     *api
	current atomic.Pointer[controller.Controller] // nil while standing by
	running atomic.Pointer[Pipelines]             // nil while standing by
	hooks   *webhook.Receiver                     // nil: there are none
	hooked  chan struct{}                         // one came in
	noted   []string                              // about the journal, that were logged
	// Why the daemon does not act yet; nil where that is not the reason.
	standby atomic.Pointer[string] // another one does
	waiting atomic.Pointer[string] // the engine does not answer
}

// NewDaemon returns a daemon that does nothing before Run.
func NewDaemon(ctx context.Context, c Config, log *slog.Logger) (*Daemon, error) {
	site, err := OpenSite(ctx, c, Act)
	if err != nil {
		return nil, err
	}
	site.log = log
	d := &Daemon{site: site, log: log, metrics: newMetrics(), hooked: make(chan struct{}, 1)}
	if d.hooks, err = d.openHooks(); err != nil {
		return nil, errors.Join(err, site.Close())
	}
	if d.hooks != nil {
		site.close = append(site.close, func() error { d.hooks.Close(); return nil })
	}
	if d.api, err = newAPI(c, d, d.pipelines); err != nil {
		return nil, errors.Join(err, site.Close())
	}
	return d, nil
}

// pipelines is who runs pipelines here, or nil.
func (d *Daemon) pipelines() Pipelines {
	if p := d.running.Load(); p != nil {
		return *p
	}
	return nil
}

// Run serves until ctx ends. Replicas and the gateway go on without it.
func (d *Daemon) Run(ctx context.Context) error {
	collectOften()
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer func() {
		cancel()
		wg.Wait()
		if err := d.site.Close(); err != nil {
			d.log.Warn("close", "error", err)
		}
	}()
	if err := d.api.start(ctx, &wg, d.log); err != nil {
		return err
	}
	if err := d.serveHooks(ctx, &wg, d.log); err != nil {
		return err
	}
	lock, err := d.takeOver(ctx, &wg)
	if err != nil || lock == nil {
		return err
	}
	defer func() {
		if err := lock.Unlock(); err != nil {
			d.log.Warn("give the lock back", "error", err)
		}
	}()
	if err := d.api.awaitSocket(ctx, &wg, d.log); err != nil {
		return err
	}
	if err := d.site.Begin(ctx, d.log); err != nil {
		return err
	}
	if c := d.site.Config; c.TrustFile != "" && c.JournalSigners == "" {
		d.log.Warn("anybody who can push to the repository can write to its journal, and so decide for this daemon after a loss of its data: name the keys that sign it with --journal-signers")
	}
	if err := d.site.openProposals(d.log); err != nil {
		return err
	}
	if err := d.site.openPipelines(ctx, d.log); err != nil {
		return err
	}
	wg.Go(func() { d.runPipelines(ctx) })
	d.runReview(ctx, &wg)
	hints, err := Hints(ctx, d.site.Config)
	if err != nil {
		// Polling finds every change too, later.
		d.log.Warn("changes of the repository are found by polling only", "error", err, "interval", d.site.Config.Interval)
	}
	d.log.Info("reconciling", "environment", d.site.Config.Environment, "owner", d.site.Config.Owner, "repo", redact(d.site.Config.Repo), "gateway", d.site.Config.Gateway)
	c := d.site.Controller([]reconcile.Hints{hints, d.hooked}, d.observe)
	d.current.Store(c)
	var memory memoryRelease
	c.Run(ctx, func(s *controller.Status) (done bool) {
		now := time.Now()
		d.metrics.decided(s, now)
		d.changed()
		memory.decided(s, now)
		return false
	})
	d.log.Info("stopped; replicas and gateway go on")
	return nil
}

// runPipelines runs pipelines until ctx ends. That it cannot is no reason to stop
// looking after models.
func (d *Daemon) runPipelines(ctx context.Context) {
	var running Pipelines = d.site.Runner
	d.running.Store(&running)
	defer d.running.Store(nil)
	if err := d.site.Runner.Serve(ctx); err != nil && ctx.Err() == nil {
		d.log.Error("pipelines do not run; restart the daemon when this is mended", "error", err)
	}
}

// standbyRetry is how often a daemon that stands by looks whether it may act.
const standbyRetry = time.Second

// takeOver waits until no other daemon of this owner and environment acts on the
// engine. The lock ends with the process that holds it, however that ends. Who
// waits for the engine can be asked why, so it claims the socket meanwhile.
func (d *Daemon) takeOver(ctx context.Context, wg *sync.WaitGroup) (*statefile.Lock, error) {
	ticker := time.NewTicker(standbyRetry)
	defer ticker.Stop()
	said := ""
	for {
		if _, err := d.api.claimSocket(ctx, wg, d.log); err != nil {
			return nil, err
		}
		lock, err := d.site.Lock(ctx)
		d.standby.Store(nil)
		d.waiting.Store(nil)
		if err == nil {
			return lock, nil
		}
		text := err.Error()
		if _, held := errors.AsType[*statefile.HeldError](err); held {
			text = "standing by: " + text
			d.standby.Store(&text)
		} else if errors.Is(err, reconcile.ErrUnavailable) {
			d.waiting.Store(&text)
		} else {
			return nil, err
		}
		if text != said {
			said = text
			d.log.Warn(text)
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-ticker.C:
		}
	}
}

// Lock makes this process the only one that acts for the site's owner and
// environment on its engine. Two processes with different data directories meet
// at it too: it lies where every process of this user on this host looks, under
// the identity of the engine. An error that wraps *statefile.HeldError names the
// other one.
//
// It reaches no further than the file system does. Processes of different users,
// hosts or containers (a private /tmp or /run is enough) do not meet, and on one
// engine they need different owners.
func (s *Site) Lock(ctx context.Context) (*statefile.Lock, error) {
	engine, err := s.Runtime.Engine(ctx)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("fairlead-%d", os.Geteuid()))
	if os.Geteuid() == 0 {
		dir = runtimeDir(s.Config.Data)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the lock: %w", err)
	}
	name := fmt.Sprintf("%s-%s.lock", s.Config.scope().NetworkName(), fileName(engine.ID))
	lock, err := statefile.TryLock(filepath.Join(dir, name))
	if _, held := errors.AsType[*statefile.HeldError](err); held {
		return nil, fmt.Errorf("environment %s of owner %s is in other hands: %w; stop it, or choose another --environment or --owner", s.Config.Environment, s.Config.Owner, err)
	}
	if err != nil {
		return nil, fmt.Errorf("environment %s of owner %s: %w", s.Config.Environment, s.Config.Owner, err)
	}
	return lock, nil
}

// fileName makes an engine's id, which may hold colons, safe as a file name.
func fileName(id string) string {
	safe := []byte(id)
	for i, c := range safe {
		if c == '/' || c == ':' || c == 0 {
			safe[i] = '-'
		}
	}
	return string(safe)
}

// Status is what the daemon knows, and whether it acts.
func (d *Daemon) Status() DaemonStatus {
	s := DaemonStatus{Version: d.site.Config.Version}
	if text := d.standby.Load(); text != nil {
		s.Standby = *text
	}
	if c := d.current.Load(); c != nil {
		s.Status = *c.Status()
		s.Journal.Delivery = d.site.Journal.Delivery() // it goes on while the loop sleeps
		s.Source.Notes = append(slices.Clip(s.Source.Notes), d.site.identityNotes()...)
	} else {
		s.Status = controller.Status{FormatVersion: controller.StatusFormat, Environment: d.site.Config.Environment, Owner: d.site.Config.Owner}
	}
	if text := d.waiting.Load(); text != nil {
		s.Engine.Error = *text
	}
	s.Refusals = d.site.refusals()
	acting := d.current.Load() != nil // what is opened before that is there then
	s.Proposals = d.site.crews.proposals()
	for _, c := range d.site.crews.list() {
		if c.pulls != nil {
			s.Pulls = append(s.Pulls, c.pulls.Status()...)
		}
	}
	if n := d.site.dispatcher; acting && n != nil {
		s.Notifiers = n.Status()
	}
	if p := d.pipelines(); p != nil {
		s.Pipelines = p.Status().Pipelines
		for i := range s.Pipelines {
			s.Pipelines[i].Definition = nil // whoever wants it asks for the pipeline
		}
	}
	return s
}

// DaemonStatus is the answer of /api/v1/status.
type DaemonStatus struct {
	controller.Status
	Version string `json:"version"`
	Standby string `json:"standby,omitempty"` // why the daemon does not act; empty if it does
	// Pipelines are those that are declared, without their definitions.
	Pipelines []runner.PipelineStatus `json:"pipelines,omitempty"`
	// Refusals are all reasons why the newest commits are not followed.
	Refusals []RefusalStatus `json:"refusals,omitempty"`
	// Proposals are what Fairlead wants in Git, Pulls the pull requests that are planned,
	// Notifiers where messages are sent.
	Proposals []proposer.Status `json:"proposals,omitempty"`
	Pulls     []PullStatus      `json:"pulls,omitempty"`
	Notifiers []notify.Status   `json:"notifiers,omitempty"`
}
