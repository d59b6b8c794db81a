package runner_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/providers/oci"
	"github.com/fairlead/fairlead/providers/runstore"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// digitsRepo is a config repo with a pipeline like that of the example.
const digitsRepo = `
model "digits" {
  image   = "server:1"
  port    = 8080
  version = "1.0.0"
  rollout {
    strategy = recreate
  }
}

dataset "digits" {
  source = "digits.csv"
  expect "rows" {
    min = 2
  }
  expect "column" {
    name = "label"
    type = integer
    max  = 9
  }
}

pipeline "train" {
  param "share" {
    default = 0.2
  }
  step "split" {
    image   = "steps:1"
    inputs  = { data = dataset.digits }
    env     = { SHARE = param.share }
    outputs = ["test", "train"]
  }
  step "fit" {
    image   = "steps:1"
    inputs  = { data = step.split.train }
    matrix  = { hidden = [32, 64] }
    env     = { HIDDEN = matrix.hidden }
    outputs = ["model"]
    metrics = "metrics.json"
  }
  select "best" {
    of       = step.fit
    maximize = "accuracy"
  }
  step "evaluate" {
    image   = "steps:1"
    inputs  = { model = select.best.model, data = step.split.test }
    metrics = "eval.json"
  }
  gate "good" {
    require = step.evaluate.metrics.accuracy >= 0.8
    level   = LEVEL
  }
  publish {
    model    = model.digits
    artifact = select.best.model
    version  = patch
  }
}
`

// site is an environment whose engine is a double and everything else is real.
type site struct {
	t       *testing.T
	dir     string
	engine  *memory.Engine
	journal *memory.Journal
	store   *runstore.Store
	blobs   *oci.Store
	pushed  *proposals
	wanted  *runner.Wanted
	secret  string
	data    string // of the dataset

	mu       sync.Mutex
	programs map[string]func(reconcile.ContainerSpec) *memory.Process // by node
	started  []string

	runner *runner.Runner
	stop   func()
	logged strings.Builder // of all runners; to be read when none is up
}

var scope = reconcile.Scope{Owner: "fairlead", Environment: "default"}

func newSite(t *testing.T, text string) *site {
	t.Helper()
	s := &site{
		t: t, dir: t.TempDir(), engine: memory.NewEngine(), journal: memory.NewJournal(), pushed: &proposals{}, secret: "hunter2hunter2", data: "a,label\n1,2\n3,4\n5,6\n",
		programs: map[string]func(reconcile.ContainerSpec) *memory.Process{},
	}
	s.engine.AddTag("steps:1", "steps 1")
	s.engine.AddTag("server:1", "server 1")
	s.engine.SetProgram(s.program)
	var err error
	if s.store, err = runstore.New(s.dir); err != nil {
		t.Fatal(err)
	}
	if s.blobs, err = oci.New(oci.Options{Dir: s.dir + "/artifacts"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.journal.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.load(text)
	return s
}

// load takes another text for what Git wants.
func (s *site) load(text string) {
	s.t.Helper()
	text = strings.ReplaceAll(text, "LEVEL", "hard")
	files := []spec.Content{content("repo.hcl", text), content("digits.csv", s.data)}
	tree := spec.NewTree(spec.Commit{ID: strings.Repeat("ab", 20)}, files)
	cfg, diags := lang.NewLoader().Load(tree, lang.Options{})
	if err := diags.Err(); err != nil {
		s.t.Fatal(err)
	}
	s.wanted = &runner.Wanted{Config: cfg, Tree: tree}
	if s.runner != nil {
		s.runner.Follow(s.wanted)
	}
}

// merge is what Git wants with these versions in it: another configuration, as the one
// before is the runner's. It waits until that is followed.
func (s *site) merge(versions ...*spec.Version) {
	s.t.Helper()
	cfg := *s.wanted.Config
	cfg.Versions = versions
	first := *cfg.Pipelines[0]
	cfg.Pipelines = slices.Concat([]*spec.Pipeline{&first}, cfg.Pipelines[1:])
	s.wanted = &runner.Wanted{Config: &cfg, Tree: s.wanted.Tree}
	s.runner.Follow(s.wanted)
	s.await("the versions are known", func() bool { return s.runner.Status().Pipelines[0].Definition == &first })
}

func content(path, text string) spec.Content {
	return spec.Content{File: spec.File{Path: path, Hash: text, Size: int64(len(text))}, Data: []byte(text)}
}

// program is what a step's container does: by default what it should.
func (s *site) program(c reconcile.ContainerSpec) *memory.Process {
	node := c.Labels[reconcile.LabelNode]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = append(s.started, node)
	step, _, _ := strings.Cut(node, ".")
	if special := s.programs[node]; special != nil {
		return special(c)
	}
	if special := s.programs[step]; special != nil {
		return special(c)
	}
	return good(c)
}

func good(c reconcile.ContainerSpec) *memory.Process {
	step, _, _ := strings.Cut(c.Labels[reconcile.LabelNode], ".")
	p := &memory.Process{Runs: 10 * time.Millisecond, Output: []memory.Line{{Text: "hello from " + step + "\n"}}}
	switch step {
	case "split":
		p.Files = map[string]string{"/out/test/t.csv": "1", "/out/train/t.csv": c.EnvValues["SHARE"]}
	case "fit":
		p.Files = map[string]string{"/out/model/weights": "w" + c.EnvValues["HIDDEN"], "/out/metrics.json": `{"accuracy": 0.` + c.EnvValues["HIDDEN"] + `}`}
	case "evaluate":
		p.Files = map[string]string{"/out/eval.json": `{"accuracy": 0.9, "equal_opportunity_ratio": 0.95}`}
	}
	return p
}

func (s *site) set(node string, p func(reconcile.ContainerSpec) *memory.Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p == nil {
		delete(s.programs, node)
		return
	}
	s.programs[node] = p
}

// startedNodes are the containers that were started since the last call, sorted.
func (s *site) startedNodes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	started := slices.Sorted(slices.Values(s.started))
	s.started = nil
	return started
}

// up starts a daemon; the one before must be down.
func (s *site) up() {
	s.t.Helper()
	s.runner = runner.New(runner.Options{
		Scope: scope, Runtime: s.engine.Runtime(scope), Artifacts: s.blobs, Store: s.store, Journal: s.journal, Secrets: secrets{s.secret},
		SecretVersion: func(name string, v spec.Sensitive) string { return name + v.Reveal()[:2] },
		Publisher:     s.pushed, Parallel: 4, Interval: time.Second, Log: slog.New(slog.NewTextHandler(&s.logged, nil)),
		KeepModels: func(context.Context, *spec.Config) (map[string]bool, error) { return nil, nil },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.runner.Serve(ctx) }()
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			s.t.Error(err)
		}
	}
	s.t.Cleanup(s.stop)
	s.runner.Follow(s.wanted)
	s.await("the runner knows what Git wants", func() bool { return len(s.runner.Status().Pipelines) == len(s.wanted.Config.Pipelines) })
}

func (s *site) await(what string, condition func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			s.t.Fatalf("it never came true that %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *site) start(params map[string]any) string {
	s.t.Helper()
	r, err := s.runner.Start(s.t.Context(), runner.StartOrder{Pipeline: s.wanted.Config.Pipelines[0].Name, Params: params, Actor: "ann"})
	if err != nil {
		s.t.Fatal(err)
	}
	return r.ID
}

// ended waits for the end of a run, and that nothing of it is left.
func (s *site) ended(id string) *run.Run {
	s.t.Helper()
	var r *run.Run
	s.await("run "+id+" has ended", func() bool {
		got, err := s.runner.Run(s.t.Context(), id)
		r = got
		return err == nil && got.Phase == run.Done
	})
	s.await("the journal says so", func() bool {
		records, err := s.journal.Pipelines(s.t.Context())
		return err == nil && records[r.Pipeline].Last != nil && records[r.Pipeline].Last.Run == id && records[r.Pipeline].Current == ""
	})
	if left := s.engine.All(); len(left) > 0 {
		s.t.Errorf("containers are left: %v", left)
	}
	return r
}

func (s *site) run(params map[string]any) *run.Run {
	s.t.Helper()
	return s.ended(s.start(params))
}

func (s *site) log(id, node string) string {
	s.t.Helper()
	log, err := s.runner.Log(s.t.Context(), id, node, 0, false)
	if err != nil {
		s.t.Fatal(err)
	}
	data, err := io.ReadAll(log)
	if err := errors.Join(err, log.Close()); err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

func (s *site) actions() []journal.Action {
	s.t.Helper()
	entries, err := s.journal.History(s.t.Context(), journal.Query{})
	if err != nil {
		s.t.Fatal(err)
	}
	var actions []journal.Action
	for _, e := range slices.Backward(entries) {
		actions = append(actions, e.Action)
	}
	return actions
}

// proposals remembers what was proposed.
type proposals struct {
	mu       sync.Mutex
	versions []spec.Version
	messages []string
	tags     map[string]string
	fail     error
}

// refuse lets proposals end with this error; nil: no longer.
func (p *proposals) refuse(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = err
}

func (p *proposals) Publish(_ context.Context, _ *runner.Wanted, v *spec.Version, message string) (reconcile.Proposed, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return reconcile.Proposed{}, p.fail
	}
	p.versions, p.messages = append(p.versions, *v), append(p.messages, message)
	return reconcile.Proposed{Branch: "fairlead/publish/" + v.Model, Commit: strings.Repeat("cd", 20), Pushed: true}, nil
}

func (p *proposals) Tag(_ context.Context, w *runner.Wanted, v *spec.Version, _ string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tags == nil {
		p.tags = map[string]string{}
	}
	p.tags[registry.Tag("", v)] = w.Tree.Commit().ID
	return nil
}

func (p *proposals) all() []spec.Version {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.versions)
}

type secrets struct{ value string }

func (s secrets) Resolve(_ context.Context, wanted []*spec.Secret) (map[string]spec.Sensitive, error) {
	values := map[string]spec.Sensitive{}
	for _, w := range wanted {
		values[w.Name] = spec.NewSensitive(s.value)
	}
	return values, nil
}
