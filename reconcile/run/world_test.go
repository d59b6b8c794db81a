package run_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

var morning = time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)

// program is what a container does in a world.
type program struct {
	takes   time.Duration
	code    int
	oom     bool
	vanish  bool // somebody removes the container
	hang    bool // it never ends by itself
	cause   spec.StepCause
	err     error // of collecting
	metrics map[string]float64
}

// world is an engine, a cache and a driver in virtual time. What a daemon forgets
// when it dies is in memory; the rest survives.
type world struct {
	t        *testing.T
	now      time.Time
	run      *run.Run
	programs map[string]program // by node, or node#attempt
	cache    map[string]run.Result
	slots    int
	// containers that exist, by node#attempt.
	containers map[string]*reconcile.Container
	program    map[string]program
	started    map[string]int // successful starts, by node
	computed   map[string]int // completed attempts that were collected with success, by node
	twice      []string       // nodes that were started after they had completed
	answers    []run.Answer
	published  int
	prepareErr []error
	startErr   map[string]error
	cancel     *run.Order
	outside    expr.Facts
}

func newWorld(t *testing.T, p *spec.Pipeline, params map[string]any) *world {
	t.Helper()
	w := &world{
		t: t, now: morning, programs: map[string]program{}, cache: map[string]run.Result{}, slots: 4,
		containers: map[string]*reconcile.Container{}, program: map[string]program{}, started: map[string]int{}, computed: map[string]int{}, startErr: map[string]error{},
	}
	w.begin(p, params)
	return w
}

func (w *world) begin(p *spec.Pipeline, params map[string]any) {
	w.t.Helper()
	r, err := run.New("p-1", p, params, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.run = r
}

func attemptKey(node string, attempt int) string { return fmt.Sprintf("%s#%d", node, attempt) }

// step does one Step and carries out what it asks for, apart from the commands that
// skip names; those are lost, as if the daemon had died before.
func (w *world) step(skip func(run.Command) bool) (wake time.Time) {
	w.advanceContainers()
	var list []reconcile.Container
	for _, c := range w.containers {
		list = append(list, *c)
	}
	commands, wake := run.Step(w.run, run.Input{
		Answers: w.answers, Listed: true, ListedAt: w.now, Containers: list, Slots: w.slots - w.run.Active(), Outside: w.outside, Cancel: w.cancel,
	}, w.now)
	w.answers = nil
	for _, c := range commands {
		if skip != nil && skip(c) {
			continue
		}
		w.carryOut(c)
	}
	return wake
}

func (w *world) advanceContainers() {
	for key, c := range w.containers {
		p := w.program[key]
		if c.State != reconcile.StateRunning || p.hang || w.now.Before(c.Started.Add(p.takes)) {
			continue
		}
		if p.vanish {
			delete(w.containers, key)
			continue
		}
		c.State, c.ExitCode, c.OOMKilled, c.Finished = reconcile.StateExited, p.code, p.oom, c.Started.Add(p.takes)
	}
}

func (w *world) carryOut(c run.Command) {
	answer := run.Answer{Command: c}
	key := attemptKey(c.Node, c.Attempt)
	switch c.Kind {
	case run.CommandPrepare:
		if len(w.prepareErr) > 0 {
			answer.Err, answer.Transient = w.prepareErr[0], errors.Is(w.prepareErr[0], reconcile.ErrUnavailable)
			w.prepareErr = w.prepareErr[1:]
			break
		}
		answer.Prepared = &run.Prepared{Images: map[string]reconcile.Image{}, Datasets: map[string]run.Dataset{"digits": {Digest: "sha256:d", Content: "sha256:c"}}}
		for _, s := range w.run.Definition.Steps {
			answer.Prepared.Images[s.Image] = reconcile.Image{Ref: s.Image, Pin: s.Image + "@sha256:1"}
		}
	case run.CommandLook:
		if hit, found := w.cache[c.Key]; found {
			answer.Hit = &hit
		}
	case run.CommandStart:
		if answer.Err = w.startErr[c.Node]; answer.Err != nil {
			answer.Transient = errors.Is(answer.Err, reconcile.ErrUnavailable)
			break
		}
		if w.containers[key] == nil {
			if w.computed[c.Node] > 0 {
				w.twice = append(w.twice, c.Node)
			}
			w.started[c.Node]++
			w.containers[key] = &reconcile.Container{Node: c.Node, Attempt: c.Attempt, State: reconcile.StateRunning, Started: w.now}
			w.program[key] = w.programOf(c.Node, c.Attempt)
		}
	case run.CommandWatch:
		return
	case run.CommandStop:
		existing := w.containers[key]
		if existing == nil {
			answer.Err = run.ErrNeverStarted
			break
		}
		existing.State, existing.ExitCode, existing.Finished = reconcile.StateExited, 137, w.now
	case run.CommandCollect:
		p := w.programOf(c.Node, c.Attempt)
		if answer.Err, answer.Cause = p.err, p.cause; p.err != nil {
			break
		}
		n := w.run.Nodes[c.Node]
		answer.Metrics, answer.Outputs = p.metrics, map[string]reconcile.Content{}
		for _, name := range w.run.Step(n).Outputs {
			answer.Outputs[name] = reconcile.Content{Digest: "sha256:" + n.Key[:8] + name, Files: 1}
		}
		w.cache[n.Key] = run.Result{Key: n.Key, KeyOf: *n.KeyOf, Run: w.run.ID, Node: n.ID, At: w.now, Outputs: answer.Outputs, Metrics: p.metrics}
		w.computed[c.Node]++
	case run.CommandTidy:
		delete(w.containers, key)
	case run.CommandPublish:
		w.published++
		answer.Publication = &run.Publication{Version: "1.0.1", At: w.now}
	}
	w.answers = append(w.answers, answer)
}

func (w *world) programOf(node string, attempt int) program {
	if p, special := w.programs[attemptKey(node, attempt)]; special {
		return p
	}
	if p, special := w.programs[node]; special {
		return p
	}
	return program{takes: 10 * time.Second, metrics: map[string]float64{"accuracy": 0.9}}
}

// finish steps until the run has ended.
func (w *world) finish() {
	w.t.Helper()
	for range 10_000 {
		if w.run.Phase == run.Done {
			return
		}
		wake := w.step(nil)
		w.now = w.now.Add(time.Second)
		if len(w.answers) == 0 && w.run.Active() == 0 && wake.After(w.now) {
			w.now = wake // nothing happens before
		}
	}
	w.t.Fatalf("the run does not end: %s, %s", w.run.Phase, w.phases())
}

func (w *world) phases() string {
	var all []string
	for _, n := range w.run.Order() {
		all = append(all, n.ID+" "+string(n.Phase))
	}
	return fmt.Sprint(all)
}

func (w *world) phase(node string) run.NodePhase { return w.run.Nodes[node].Phase }

// digits is a pipeline like that of the example: split, a matrix of two, the best of
// them, evaluate, a gate, publish, and a step at the end.
func digits() *spec.Pipeline {
	p := &spec.Pipeline{
		Name: "p", Address: spec.Address{Kind: spec.KindPipeline, Name: "p"},
		Params: []spec.Param{{Name: "share", Type: spec.ParamNumber, Default: 0.2}, {Name: "note", Type: spec.ParamString, Default: "x"}},
		Steps: []*spec.Step{
			{Name: "end", Image: "end", Exit: true, Env: map[string]spec.StepValue{"OUTCOME": {Expr: ref("run", "outcome")}}},
			{
				Name: "evaluate", Image: "evaluate", Metrics: "eval.json", Env: map[string]spec.StepValue{"NOTE": {Expr: ref("param", "note")}},
				Inputs: map[string]spec.Input{"model": {Kind: spec.InputSelect, Name: "best", Output: "model"}, "data": {Kind: spec.InputStep, Name: "split", Output: "test"}},
			},
			{
				Name: "split", Image: "split", Outputs: []string{"test", "train"}, Env: map[string]spec.StepValue{"SHARE": {Expr: ref("param", "share")}},
				Inputs: map[string]spec.Input{"data": {Kind: spec.InputDataset, Name: "digits"}},
			},
			{
				Name: "train", Image: "train", Outputs: []string{"model"}, Metrics: "metrics.json",
				Inputs: map[string]spec.Input{"data": {Kind: spec.InputStep, Name: "split", Output: "train"}},
				Matrix: []spec.Axis{{Name: "hidden", Values: []any{32.0, 64.0}}}, Env: map[string]spec.StepValue{"HIDDEN": {Expr: ref("matrix", "hidden")}},
			},
		},
		Selects: []*spec.Select{{Name: "best", Of: "train", Metric: "accuracy"}},
		Gates: []*spec.Gate{{
			Name: "good", Level: spec.LevelHard,
			Require: expr.Expr{Op: expr.Ge, Args: []expr.Expr{ref("step", "evaluate", "metrics", "accuracy"), expr.Of(0.8)}},
		}},
		Publish: &spec.Publish{Model: spec.Address{Kind: spec.KindModel, Name: "m"}, Artifact: spec.Input{Kind: spec.InputSelect, Name: "best", Output: "model"}, Bump: spec.BumpPatch},
	}
	return p
}

func ref(path ...string) expr.Expr { return expr.Expr{Op: expr.Ref, Path: path} }

func step(p *spec.Pipeline, name string) *spec.Step {
	return p.Steps[slices.IndexFunc(p.Steps, func(s *spec.Step) bool { return s.Name == name })]
}
