package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/providers/directory"
	"github.com/fairlead/fairlead/providers/docker"
	"github.com/fairlead/fairlead/providers/gateway"
	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/providers/oip"
	"github.com/fairlead/fairlead/providers/secret"
	"github.com/fairlead/fairlead/providers/statefile"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/journal"
	dispatch "github.com/fairlead/fairlead/reconcile/notify"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang"
)

// Site is one environment on one engine, with everything that looks at it or
// acts on it.
type Site struct {
	Config    Config
	Source    reconcile.Source
	Runtime   reconcile.Runtime
	Router    reconcile.Router
	Snapshots reconcile.Snapshots // nil for a worktree
	Binder    *controller.Binder
	Inspector reconcile.Inspector
	Artifacts reconcile.Artifacts // nil for who only looks
	Runner    *runner.Runner      // nil before openPipelines
	// What Begin opens.
	Journal journal.Journal
	// deliver hints that the journal's remote may be back; nil before Begin.
	deliver func()
	Metrics reconcile.Metrics
	Scraper reconcile.Scraper // nil: a Prometheus elsewhere scrapes

	loader *lang.Loader
	log    *slog.Logger
	memory *acceptance
	// own is the config repo itself; nil for a directory. included are those that it
	// includes: *repository, by name.
	own      *repository
	included sync.Map
	// operator are the rules of --trust; nil: there are none.
	operator *spec.Trust
	// accepting are commits that are followed and not noted yet.
	accepting mailbox
	root      reconcile.Source // without what it includes
	// Of who acts; nil before Begin.
	books         *books
	gitJournal    *git.Journal
	findings      findings
	signer        *signature.Signer
	registries    registries
	dispatcher    *dispatch.Dispatcher
	voice         *voice
	updates       *updates
	environments  map[string]*environment
	runnerOptions *runner.Options
	redactor      redactor
	wishes        sync.Mutex // held by who makes an Input for wishes
	crews         crews
	recent        recent
	// NewKey: there was no key and none is kept, as by who only looks, so nothing can be
	// said about running secrets and the gateway.
	NewKey bool
	close  []func() error

	followed   atomic.Pointer[following]             // that was accepted last; nil before
	prometheus atomic.Pointer[http.Handler]          // of the embedded metrics
	current    atomic.Pointer[controller.Controller] // newest
	registry   atomic.Pointer[Registry]              // of the commit that is followed
}

// Access says what a command does with a site.
type Access int

// The kinds of access.
const (
	// Look leaves no trace: nothing is stored, not even a key.
	Look Access = iota
	// Act may change what runs.
	Act
)

// OpenSite wires an environment together. It reaches nothing: the first call
// that needs the engine or the repo says if it is away.
func OpenSite(ctx context.Context, c Config, access Access) (*Site, error) {
	snapshots := statefile.NewSnapshots(filepath.Join(c.Data, "last-good"))
	s := &Site{Config: c, Snapshots: snapshots, Inspector: oip.Inspector{}, loader: lang.NewLoader(), accepting: newMailbox(), log: slog.New(slog.DiscardHandler), environments: map[string]*environment{}}
	if err := s.openSource(ctx, snapshots); err != nil {
		return nil, err
	}
	return s, s.wire(ctx, access)
}

// OpenWorktree is OpenSite on the files of a directory as they are now,
// committed or not, also where it is a Git repository: what `plan DIR` and
// `apply DIR` read.
func OpenWorktree(ctx context.Context, c Config, dir string, access Access) (*Site, error) {
	source, err := directory.New(directory.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	s := &Site{Config: c, Source: source, Inspector: oip.Inspector{}, loader: lang.NewLoader()}
	return s, s.wire(ctx, access)
}

// OpenScope is a site without specs, for taking it down. It needs the engine and
// nothing else, so that acting on it makes no key in passing.
func OpenScope(c Config, access Access) (*Site, error) {
	s := &Site{Config: c}
	return s, s.openRuntime(access)
}

// Containers returns the names of all containers of the scope.
func (s *Site) Containers(ctx context.Context) ([]string, error) {
	containers, err := s.Runtime.List(ctx, reconcile.Filter{})
	names := make([]string, 0, len(containers))
	for i := range containers {
		names = append(names, containers[i].Name)
	}
	return names, err
}

// Destroy removes everything of the scope, notes in the journal that actor wanted
// it, and returns the names of the containers that it removed.
func (s *Site) Destroy(ctx context.Context, actor string) ([]string, error) {
	known, err := s.recall(ctx)
	if err != nil {
		return nil, fmt.Errorf("nothing was taken down: %w", err)
	}
	containers, err := s.Runtime.List(ctx, reconcile.Filter{})
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	removed := []string{}
	var errs []error
	var wg sync.WaitGroup
	for _, c := range containers {
		wg.Go(func() {
			err := s.Runtime.Stop(ctx, c.ID, 10*time.Second)
			if err == nil {
				err = s.Runtime.Remove(ctx, c.ID)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			removed = append(removed, c.Name)
		})
	}
	wg.Wait()
	slices.Sort(removed)
	if err := errors.Join(errs...); err != nil {
		return removed, err
	}
	return removed, errors.Join(s.Runtime.RemoveNetwork(ctx), s.Runtime.RemoveVolume(ctx, s.Config.scope().GatewayName()), known.forget(ctx, actor))
}

func (s *Site) wire(ctx context.Context, access Access) error {
	c := s.Config
	store := statefile.NewStore(filepath.Join(c.Data, "state"))
	secrets, err := secret.New(c.Secrets)
	if err != nil {
		return err
	}
	if err := s.openRuntime(access); err != nil {
		return err
	}
	key, err := s.key(ctx, store, access)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	if access == Act {
		err = s.openActing(store)
		if err != nil {
			return errors.Join(err, s.Close())
		}
	} else {
		s.composeSource(nil)
	}
	router := gateway.NewClient(controller.GatewayToken(key))
	s.Router, s.close = router, append(s.close, func() error { router.Close(); return nil })
	host, port, err := c.gatewayAddress()
	if err != nil {
		return errors.Join(err, s.Close())
	}
	s.Binder = &controller.Binder{
		Scope: c.scope(), Runtime: s.Runtime, Secrets: secrets, Store: store, Key: key, GatewayHost: host, GatewayPort: port, GatewayTLS: c.shownTLS(),
	}
	return nil
}

// openActing opens what only who acts needs.
func (s *Site) openActing(store reconcile.Store) (err error) {
	artifacts, err := s.openArtifacts()
	if err != nil {
		return err
	}
	s.Artifacts, s.registries = artifacts, artifacts
	if s.Snapshots == nil {
		return nil
	}
	if s.own != nil {
		forge, err := openForge(s.Config, s.log)
		if err != nil {
			return err
		}
		s.own.reviewedOn(forge)
	}
	if err := s.guardSource(store); err != nil {
		return err
	}
	s.composeSource(store)
	return nil
}

// openRuntime is told whether it may act, since listing cleans up after
// containers that are gone.
func (s *Site) openRuntime(access Access) error {
	c := s.Config
	runtime, err := docker.New(docker.Options{
		Host: c.Engine, Scope: c.scope(), Policy: c.Policy, SelfBinary: c.GatewayBinary, ReadOnly: access == Look,
		SecretsDir: filepath.Join(c.SecretsDir, "secrets"), DockerConfig: c.DockerConfig, AuditInterval: c.Audit,
	})
	if err != nil {
		return err
	}
	s.Runtime, s.close = runtime, append(s.close, runtime.Close)
	return nil
}

// Close gives back what the site holds.
func (s *Site) Close() error {
	var errs []error
	for _, f := range s.close {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// keyName is the key that secret versions and the gateway's token are made with.
const keyName = "key"

// key reads the site's key, or makes one. It is kept twice, in the data
// directory and beside the secrets: as long as one of the two is left, no
// container is replaced for the loss of the other.
func (s *Site) key(ctx context.Context, store *statefile.Store, access Access) ([]byte, error) {
	mirror := statefile.NewStore(filepath.Join(s.Config.SecretsDir, "state"))
	stores := []*statefile.Store{store, mirror}
	var key string
	missing := 0
	for _, from := range stores {
		data, err := from.Load(ctx, keyName)
		if errors.Is(err, fs.ErrNotExist) {
			missing++
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the key of environment %s: %w", s.Config.Environment, err)
		}
		if key == "" {
			if err := json.Unmarshal(data, &key); err != nil {
				return nil, fmt.Errorf("the key of environment %s does not read as JSON; remove it to have a new one made, which replaces the gateway and every container with secrets: %w", s.Config.Environment, err)
			}
		}
	}
	if key == "" {
		s.NewKey = access == Look
		key = rand.Text() + rand.Text()
	}
	if missing > 0 && access == Act {
		data, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		for _, to := range stores {
			if err := to.Save(ctx, keyName, data); err != nil {
				return nil, fmt.Errorf("store the key of environment %s: %w", s.Config.Environment, err)
			}
		}
	}
	return []byte(hex.EncodeToString([]byte(key))), nil
}

// Load reads a tree. The error is a *diag.ListError with every mistake.
func (s *Site) Load(_ context.Context, tree spec.Tree) (*spec.Config, error) {
	cfg, diags := s.loader.Load(tree, s.Config.LangOptions())
	return cfg, diags.Err()
}

// loadNext is Load of a revision that is to be followed: one that changes what the
// registry had said already about a version is refused. An entry may go: a revert of
// the commit that brought it is the way back, and must never be refused.
func (s *Site) loadNext(ctx context.Context, tree spec.Tree) (*spec.Config, error) {
	cfg, err := s.Load(ctx, tree)
	if err != nil {
		return nil, err
	}
	changed := slices.DeleteFunc(registry.Immutable(s.accepted(ctx), cfg.Versions), func(err error) bool {
		var v *registry.Violation
		return errors.As(err, &v) && v.Removed
	})
	return cfg, errors.Join(changed...)
}

// accepted are the versions of the revision that is followed.
func (s *Site) accepted(ctx context.Context) []*spec.Version {
	if f := s.followed.Load(); f != nil {
		return f.cfg.Versions
	}
	if s.Snapshots == nil {
		return nil
	}
	last, err := s.Snapshots.LastGood(ctx)
	if err != nil {
		return nil
	}
	cfg, err := s.Load(ctx, last.Tree)
	if err != nil {
		return nil // of another version of Fairlead: there is nothing to compare with
	}
	return cfg.Versions
}

// LangOptions are the options of a load.
func (c *Config) LangOptions() lang.Options {
	return lang.Options{Environment: c.Environment, Variables: c.Variables, Version: c.Version}
}

// Desired fetches, loads and binds the newest revision.
func (s *Site) Desired(ctx context.Context) (*reconcile.Desired, spec.Tree, error) {
	if s.books != nil && !s.books.isOpen() {
		// It tells which commit was accepted last, and nobody else opens it meanwhile.
		if _, err := s.books.Open(ctx); err != nil {
			return nil, nil, fmt.Errorf("open the journal: %w", err)
		}
	}
	snapshot, err := s.Source.Latest(ctx)
	if err != nil {
		return nil, nil, err
	}
	cfg, err := s.Load(ctx, snapshot.Tree)
	if err != nil {
		return nil, snapshot.Tree, err
	}
	desired, err := s.Binder.Bind(ctx, cfg, snapshot.Tree.Commit())
	return desired, snapshot.Tree, err
}

// Compare says what differs between a desired state and what runs.
func (s *Site) Compare(ctx context.Context, desired *reconcile.Desired) (*plan.Plan, error) {
	containers, err := s.Runtime.List(ctx, reconcile.Filter{})
	if err != nil {
		return nil, err
	}
	engine, err := s.Runtime.Engine(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	records, unread := s.decided(ctx, now)
	p := plan.Diff(desired, &plan.Observed{
		Containers: containers, View: s.view(ctx, containers), Host: s.Config.Host(engine), Records: records,
	}, now)
	if unread != nil {
		p.Notes = append(p.Notes, fmt.Sprintf("what was decided before is not known, such as which revisions were rejected: %v", unread))
	}
	if s.NewKey && len(containers) > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%s holds no key of this environment, so the gateway and models with secrets look changed; plan with the --data of the daemon, or ask it: fairlead status", s.Config.Data))
	}
	return p, nil
}

// view asks the gateway, if one runs.
func (s *Site) view(ctx context.Context, containers []reconcile.Container) reconcile.RouterView {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, c := range containers {
		if c.Kind != spec.KindGateway || c.State != reconcile.StateRunning || c.Address == "" {
			continue
		}
		endpoint := fmt.Sprintf("%s:%d", c.Address, reconcile.GatewayAdminPort)
		table, err := s.Router.Table(ctx, endpoint)
		if err != nil {
			break
		}
		report, err := s.Router.Report(ctx, endpoint, 0, 0)
		if err != nil {
			break
		}
		return reconcile.RouterView{Known: true, Table: table, Report: report, At: time.Now()}
	}
	return reconcile.RouterView{}
}

// Controller returns a controller of the site. Begin must have been called.
func (s *Site) Controller(hints []reconcile.Hints, onEvent func(controller.Event)) *controller.Controller {
	c := controller.New(controller.Options{
		Journal: s.Journal, Metrics: s.Metrics, Scraper: s.Scraper, Inspector: s.Inspector,
		Source: s.Source, Snapshots: s.Snapshots, Load: s.loadNext, Binder: s.Binder, Runtime: s.Runtime, Router: s.Router, Artifacts: s.Artifacts,
		OnFollow: s.follow, Brought: s.brought, Hints: hints, Interval: s.Config.Interval, Parallel: s.Config.Parallel, Limits: s.Config.Limits, Host: s.Config.Host,
		OnEvent: func(e controller.Event) {
			// What is fetched from is what the journal is delivered to.
			if e.Type == controller.SourceRecovered && s.deliver != nil {
				s.deliver()
			}
			if onEvent != nil {
				onEvent(e)
			}
		},
	})
	s.current.Store(c)
	return c
}

// follow passes on what Git wants to who runs the pipelines, and to who asks about
// versions.
func (s *Site) follow(cfg *spec.Config, tree spec.Tree) {
	s.registry.Store(RegistryOf(cfg, tree))
	s.warnOfIdentities(cfg)
	s.followed.Store(&following{cfg, tree})
	if s.Runner != nil {
		s.Runner.Follow(&runner.Wanted{Config: cfg, Tree: tree})
	}
	s.settleNotifiers(cfg)
	if s.own != nil && s.own.gate != nil {
		s.accepting.put(tree.Commit())
	}
	s.crews.wake()
}
