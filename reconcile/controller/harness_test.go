package controller_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/spec"
)

// world is an engine, a gateway and a repo in memory. Tests run in a synctest
// bubble, so time passes only when nothing else can happen.
type world struct {
	t      *testing.T
	scope  reconcile.Scope
	engine *memory.Engine
	router *memory.Router
	repo   *repo
	store  *store
	limits plan.Limits
	books  *books
	asked  *answers
	aim    *aim
	talks  *talks
	events []controller.Event
	mu     sync.Mutex
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, scope: reconcile.Scope{Owner: "fairlead", Environment: "test"}, engine: memory.NewEngine(), repo: &repo{}, store: &store{}, books: &books{}, asked: &answers{}, aim: &aim{}, talks: &talks{}}
	w.limits.MaxDestroy = 0.5
	w.router = memory.NewRouter(func(id string) bool { return w.engine.StateOf(id) == reconcile.StateRunning }, time.Now)
	for i := range 20 {
		w.engine.AddTag(fmt.Sprintf("digits:%d", i), fmt.Sprintf("content %d", i))
	}
	return w
}

func (w *world) controller(change ...func(*controller.Options)) *controller.Controller {
	runtime := w.engine.Runtime(w.scope)
	o := controller.Options{
		Source: w.repo, Snapshots: w.repo, Load: w.repo.load, Runtime: runtime, Router: w.router,
		Binder: &controller.Binder{
			Scope: w.scope, Runtime: runtime, Secrets: values{}, Store: w.store, Key: []byte("key"),
			GatewayHost: "127.0.0.1", GatewayPort: 8080,
		},
		Journal: w.books, Metrics: w.asked, Scraper: w.aim, Inspector: w.talks,
		Interval: 30 * time.Second, Parallel: 8, Limits: w.limits,
		OnEvent: func(e controller.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	}
	for _, f := range change {
		f(&o)
	}
	return controller.New(o)
}

// converge runs a controller until it has nothing left to do, for ten minutes
// of virtual time at the most.
func (w *world) converge() *controller.Controller {
	w.t.Helper()
	c := w.controller()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Minute)
	defer cancel()
	c.Run(ctx, func(s *controller.Status) bool { return s.Converged && s.Commit.ID == w.repo.head() })
	if s := c.Status(); !s.Converged {
		w.t.Fatalf("did not converge:\n%s", w.describe(c))
	}
	return c
}

// during runs a controller, calls f when it has converged for the first time,
// and returns when it has converged again after f. await lets f wait.
func (w *world) during(f func(c *controller.Controller), change ...func(*controller.Options)) {
	w.t.Helper()
	c := w.controller(change...)
	ctx, cancel := context.WithCancel(w.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { c.Run(ctx, nil) })
	w.await(c, "the first convergence", func(s *controller.Status) bool { return s.Converged })
	f(c)
	cancel()
	wg.Wait()
}

// await waits until ok, for ten minutes of virtual time at the most.
func (w *world) await(c *controller.Controller, what string, ok func(*controller.Status) bool) {
	w.t.Helper()
	for range 60_000 {
		synctest.Wait()
		if ok(c.Status()) {
			return
		}
		time.Sleep(10 * time.Millisecond) // virtual
	}
	w.t.Fatalf("waited in vain for %s:\n%s", what, w.describe(c))
}

func (w *world) describe(c *controller.Controller) string {
	var b strings.Builder
	s := c.Status()
	fmt.Fprintf(&b, "commit %s source %+v engine %+v gateway %+v\n", s.Commit.ID, s.Source, s.Engine, s.Gateway)
	for _, m := range s.Models {
		fmt.Fprintf(&b, "  %s %s %s %s (%d/%d)\n", m.Name, m.Phase, m.Reason, m.Error, m.Ready, m.Replicas)
	}
	for _, container := range w.engine.All() {
		fmt.Fprintf(&b, "  %s %s\n", container.Name, container.State)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events[max(0, len(w.events)-25):] {
		if e.Type != controller.Reconciled && e.Type != controller.Resynced {
			fmt.Fprintf(&b, "  %s %s %s: %s\n", e.Type, e.Address, e.Name, e.Message)
		}
	}
	return b.String()
}

// names are those of all model containers, without the scope's prefix, sorted.
func (w *world) names() []string {
	var names []string
	for _, c := range w.engine.All() {
		if c.Kind == spec.KindModel {
			names = append(names, strings.TrimPrefix(c.Name, w.scope.NetworkName()+"."))
		}
	}
	slices.Sort(names)
	return names
}

// running are the model containers of a served name.
func (w *world) running(model string) []reconcile.Container {
	return slices.DeleteFunc(w.engine.All(), func(c reconcile.Container) bool {
		return c.Model != model || c.State != reconcile.StateRunning
	})
}

// model is a valid model; change makes it another one.
func model(name string, change ...func(*spec.Model)) *spec.Model {
	m := &spec.Model{
		Address: spec.Address{Kind: spec.KindModel, Name: name}, Name: name,
		Image: "digits:1", Protocol: spec.OpenInference, Port: 8080, Replicas: 2,
		Container: spec.Container{
			Restart: spec.RestartUnlessStopped, StopTimeout: 10 * time.Second,
			Resources: spec.Resources{CPUs: 1, Memory: 1 << 28, PIDs: 256},
		},
		Health: spec.Health{Path: "/v2/health/ready", Interval: time.Second, Timeout: time.Second, MinHealthy: 3 * time.Second, Deadline: time.Minute},
	}
	for _, f := range change {
		f(m)
	}
	return m
}

func route(path string) func(*spec.Model) {
	return func(m *spec.Model) { m.Routes = []spec.Route{{Path: path, Timeout: time.Second}} }
}

func image(ref string) func(*spec.Model) { return func(m *spec.Model) { m.Image = ref } }
func replicas(n int) func(*spec.Model)   { return func(m *spec.Model) { m.Replicas = n } }

// repo is a config repo whose commits hold values instead of files.
type repo struct {
	mu      sync.Mutex
	commits []*spec.Config
	trailer map[string][]string
	down    error
	broken  error // the newest commit does not load
	kept    spec.Tree
}

type tree struct {
	spec.Tree
	cfg    *spec.Config
	broken error
}

func (r *repo) commit(models ...*spec.Model) *spec.Config {
	cfg := &spec.Config{Environment: "test", Models: models, Secrets: map[string]*spec.Secret{"token": {Name: "token"}}}
	slices.SortFunc(cfg.Models, func(a, b *spec.Model) int { return strings.Compare(a.Name, b.Name) })
	r.commitConfig(cfg)
	return cfg
}

func (r *repo) commitConfig(cfg *spec.Config) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commits, r.broken = append(r.commits, cfg), nil
}

func (r *repo) head() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.id()
}

func (r *repo) id() string { return fmt.Sprintf("%07d", len(r.commits)) }

func (r *repo) Latest(context.Context) (reconcile.Snapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down != nil {
		return reconcile.Snapshot{}, r.down
	}
	id, cfg := r.id(), r.commits[len(r.commits)-1]
	if r.broken != nil {
		id += "-broken"
	}
	t := spec.NewTree(spec.Commit{ID: id, Trailers: r.trailer}, nil)
	return reconcile.Snapshot{Tree: tree{t, cfg, r.broken}}, nil
}

func (r *repo) LastGood(context.Context) (reconcile.Snapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept == nil {
		return reconcile.Snapshot{}, fs.ErrNotExist
	}
	return reconcile.Snapshot{Tree: r.kept}, nil
}

func (r *repo) Keep(_ context.Context, s reconcile.Snapshot) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = s.Tree
	return nil
}

func (r *repo) load(_ context.Context, t spec.Tree) (*spec.Config, error) {
	return t.(tree).cfg, t.(tree).broken
}

func (r *repo) set(f func(*repo)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r)
}

// values resolves every secret to its name.
type values struct{}

func (values) Resolve(_ context.Context, secrets []*spec.Secret) (map[string]spec.Sensitive, error) {
	out := map[string]spec.Sensitive{}
	for _, s := range secrets {
		out[s.Name] = spec.NewSensitive("value of " + s.Name)
	}
	return out, nil
}

// store keeps values in memory.
type store struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (s *store) Load(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.m[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return v, nil
}

func (s *store) Save(_ context.Context, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[string][]byte{}
	}
	s.m[key] = value
	return nil
}

var errAway = errors.New("the remote is away")
