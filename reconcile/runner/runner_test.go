package runner_test

import (
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/providers/oci"
	"github.com/fairlead/fairlead/providers/runstore"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
)

func TestARunFromDataToProposal(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.up()
	r := s.run(nil)
	if r.Outcome != run.Succeeded {
		t.Fatalf("%s: %s", r.Outcome, r.Reason)
	}
	if got := s.startedNodes(); !slices.Equal(got, []string{"evaluate", "fit.0", "fit.1", "split"}) {
		t.Errorf("started %v", got)
	}
	proposed := s.pushed.all()
	if len(proposed) != 1 {
		t.Fatalf("proposed %v", proposed)
	}
	v := proposed[0]
	if v.ID() != "digits@1.0.1" || v.Metrics["accuracy"] != 0.9 || v.Steps["fit.1"].Values["hidden"] != 64.0 || v.Run != "train-1" ||
		!strings.HasPrefix(v.Artifact, "oci://local/digits@sha256:") || v.Data["digits"] == "" || len(v.Gates) != 1 || v.Gates[0].Outcome != "passed" {
		t.Errorf("got %+v", v)
	}
	for _, word := range []string{"digits: version 1.0.1", "accuracy", "gate good passed", "share = 0.2", "dataset.digits sha256:", "hidden = 64"} {
		if !strings.Contains(s.pushed.messages[0], word) {
			t.Errorf("%q is missing in\n%s", word, s.pushed.messages[0])
		}
	}
	want := []journal.Action{journal.ActionRun, journal.ActionPublish, journal.ActionEnd}
	if got := s.actions(); !slices.Equal(got, want) {
		t.Errorf("journal %v", got)
	}
	if got := s.log(r.ID, "split"); got != "hello from split\n" {
		t.Errorf("log %q", got)
	}
	if d := r.Datasets["digits"]; d.Rows != 3 || len(d.Checked) != 3 {
		t.Errorf("dataset %+v", d)
	}
	if _, err := s.blobs.Fetch(t.Context(), v.Artifact); err != nil {
		t.Error(err)
	}

	preview, err := s.runner.Preview(t.Context(), "train", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range preview.Nodes {
		if !n.Hit || n.From != "train-1" {
			t.Errorf("the plan says of %s: %+v", n.Node, n)
		}
	}
	again := s.run(nil)
	if again.Outcome != run.Succeeded || len(s.startedNodes()) > 0 || !strings.Contains(again.Published.Unneeded, "train-1") || len(s.pushed.all()) != 1 {
		t.Errorf("%s %s, published %+v", again.Outcome, again.Reason, again.Published)
	}
}

func TestOneParameterRunsWhatDependsOnIt(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.up()
	s.run(nil)
	s.startedNodes()
	r := s.run(map[string]any{"share": "0.3"})
	// Both tests are the same bytes, so evaluate depends on nothing that changed but the model.
	if got := s.startedNodes(); r.Outcome != run.Succeeded || !slices.Equal(got, []string{"fit.0", "fit.1", "split"}) {
		t.Errorf("%s %s: started %v", r.Outcome, r.Reason, got)
	}
}

// Whatever goes wrong in a step: the run ends with a reason, publishes nothing, and
// another pipeline is not concerned.
func TestWhatGoesWrong(t *testing.T) {
	writes := func(path, text string) func(reconcile.ContainerSpec) *memory.Process {
		return func(c reconcile.ContainerSpec) *memory.Process {
			p := good(c)
			p.Files[path] = text
			return p
		}
	}
	for name, c := range map[string]struct {
		node    string
		program func(reconcile.ContainerSpec) *memory.Process
		repo    func(string) string
		outcome run.Outcome
		word    string
	}{
		"exit code":           {"split", func(reconcile.ContainerSpec) *memory.Process { return &memory.Process{ExitCode: 3} }, nil, run.Failed, "split: it ended with exit code 3"},
		"no output":           {"split", func(reconcile.ContainerSpec) *memory.Process { return &memory.Process{} }, nil, run.Failed, "output test was not written"},
		"NaN":                 {"evaluate", writes("/out/eval.json", `{"accuracy": NaN}`), nil, run.Failed, "NaN"},
		"a word as a metric":  {"evaluate", writes("/out/eval.json", `{"accuracy": "high"}`), nil, run.Failed, "accuracy is no number but a text"},
		"no metrics":          {"evaluate", func(reconcile.ContainerSpec) *memory.Process { return &memory.Process{} }, nil, run.Failed, "there is no /out/eval.json"},
		"a metric is missing": {"evaluate", writes("/out/eval.json", `{"recall": 1}`), nil, run.Denied, "accuracy"},
		"gate":                {"evaluate", writes("/out/eval.json", `{"accuracy": 0.5}`), nil, run.Denied, "0.5 >= 0.8"},
		"out of memory":       {"split", func(reconcile.ContainerSpec) *memory.Process { return &memory.Process{ExitCode: 137, OOMKilled: true} }, nil, run.Failed, "resources.memory"},
		"vanishes for ever":   {"split", func(reconcile.ContainerSpec) *memory.Process { return &memory.Process{Vanishes: true} }, shortBackoff, run.Failed, "gone"},
		"expectation":         {"", nil, func(text string) string { return strings.Replace(text, "max  = 9", "max  = 5", 1) }, run.Failed, "dataset.digits"},
		"image":               {"", nil, func(text string) string { return strings.Replace(text, `"steps:1"`, `"stairs:1"`, 1) }, run.Failed, "stairs:1"},
		"too much output": {"split", writes("/out/test/large", strings.Repeat("x", 3<<20)), func(text string) string {
			return strings.Replace(text, `outputs = ["test", "train"]`, "outputs = [\"test\", \"train\"]\n    max_output = \"1MiB\"", 1)
		}, run.Failed, "max_output"},
	} {
		t.Run(name, func(t *testing.T) {
			text := digitsRepo
			if c.repo != nil {
				text = c.repo(text)
			}
			s := newSite(t, text)
			if c.program != nil {
				s.set(c.node, c.program)
			}
			s.up()
			r := s.run(nil)
			if r.Outcome != c.outcome || !strings.Contains(r.Reason, c.word) || len(s.pushed.all()) > 0 {
				t.Errorf("%s %q, published %d", r.Outcome, r.Reason, len(s.pushed.all()))
			}
		})
	}
}

func shortBackoff(text string) string {
	return strings.Replace(text, `outputs = ["test", "train"]`, "outputs = [\"test\", \"train\"]\n    backoff = \"1s\"\n    max_backoff = \"1s\"", 1)
}

func TestOrders(t *testing.T) {
	s := newSite(t, strings.Replace(digitsRepo, "LEVEL", "soft", 1))
	s.set("evaluate", func(c reconcile.ContainerSpec) *memory.Process {
		p := good(c)
		p.Files["/out/eval.json"] = `{"accuracy": 0.5}`
		return p
	})
	s.up()
	r := s.run(nil)
	if r.Outcome != run.Denied {
		t.Fatalf("%s %s", r.Outcome, r.Reason)
	}
	s.startedNodes()
	for name, c := range map[string]struct {
		order runner.OverrideOrder
		is    error
	}{
		"no reason":    {runner.OverrideOrder{Run: r.ID, Gate: "good", Actor: "ann"}, runner.ErrRefused},
		"unknown run":  {runner.OverrideOrder{Run: "train-9", Gate: "good", Actor: "ann", Reason: "x"}, runner.ErrUnknown},
		"unknown gate": {runner.OverrideOrder{Run: r.ID, Gate: "better", Actor: "ann", Reason: "x"}, runner.ErrUnknown},
	} {
		if _, err := s.runner.Override(t.Context(), c.order); !errors.Is(err, c.is) {
			t.Errorf("%s: %v", name, err)
		}
	}
	next, err := s.runner.Override(t.Context(), runner.OverrideOrder{Run: r.ID, Gate: "good", Actor: "ann", Reason: "measured on too few rows"})
	if err != nil {
		t.Fatal(err)
	}
	done := s.ended(next.ID)
	if done.Outcome != run.Succeeded || len(s.startedNodes()) > 0 {
		t.Errorf("%s %s, started %v", done.Outcome, done.Reason, s.startedNodes())
	}
	if g := s.pushed.all()[0].Gates[0]; g.Outcome != "overridden" || g.Actor != "ann" || g.Reason != "measured on too few rows" {
		t.Errorf("the version's gate: %+v", g)
	}
	if !slices.Contains(s.actions(), journal.ActionOverride) {
		t.Errorf("journal: %v", s.actions())
	}
	if _, err := s.runner.Resume(t.Context(), runner.ResumeOrder{Run: done.ID, Actor: "ann"}); !errors.Is(err, runner.ErrRefused) {
		t.Errorf("a run that succeeded is resumed: %v", err)
	}
	if err := s.runner.Cancel(t.Context(), runner.CancelOrder{Run: done.ID, Actor: "ann"}); !errors.Is(err, runner.ErrRefused) {
		t.Errorf("a run that has ended is cancelled: %v", err)
	}
	if _, err := s.runner.Start(t.Context(), runner.StartOrder{Pipeline: "tram", Actor: "ann"}); !errors.Is(err, runner.ErrUnknown) {
		t.Errorf("got %v", err)
	}
	if _, err := s.runner.Start(t.Context(), runner.StartOrder{Pipeline: "train", Params: map[string]any{"shard": 1.0}, Actor: "ann"}); !errors.Is(err, runner.ErrRefused) || !strings.Contains(err.Error(), "shard") {
		t.Errorf("got %v", err)
	}
}

func TestRunsOfOnePipelineWaitForEachOther(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.set("split", func(c reconcile.ContainerSpec) *memory.Process {
		p := good(c)
		p.Runs = memory.Forever
		return p
	})
	s.up()
	first, second := s.start(nil), s.start(nil)
	s.await("the first runs", func() bool { return s.nodePhase(first, "split") == run.NodeRunning })
	if got, err := s.runner.Run(t.Context(), second); err != nil || got.Phase != run.Queued {
		t.Errorf("the second is %s, %v", got.Phase, err)
	}
	if st := s.runner.Status().Pipelines[0]; st.Queued == nil || st.Current == nil || st.Current.ID != first {
		t.Errorf("status %+v", st)
	}
	s.set("split", nil)
	if err := s.runner.Cancel(t.Context(), runner.CancelOrder{Run: first, Actor: "ann", Reason: "enough"}); err != nil {
		t.Fatal(err)
	}
	s.await("the first has ended", func() bool { r, err := s.runner.Run(t.Context(), first); return err == nil && r.Phase == run.Done })
	if r := s.ended(second); r.Outcome != run.Succeeded {
		t.Errorf("%s %s", r.Outcome, r.Reason)
	}
	if r, _ := s.runner.Run(t.Context(), first); r.Outcome != run.Cancelled || !strings.Contains(r.Reason, "ann: enough") {
		t.Errorf("%s %s", r.Outcome, r.Reason)
	}
}

func (s *site) nodePhase(id, node string) run.NodePhase {
	r, err := s.runner.Run(s.t.Context(), id)
	if err != nil || r.Nodes[node] == nil {
		return ""
	}
	return r.Nodes[node].Phase
}

// A daemon that dies at any phase of any step is followed by one that goes on: no step
// that had completed runs again, and nothing is left.
func TestADaemonThatDiesIsFollowedByOneThatGoesOn(t *testing.T) {
	for _, node := range []string{"split", "fit.1", "evaluate"} {
		for _, phase := range []run.NodePhase{run.NodeLooking, run.NodeStarting, run.NodeRunning, run.NodeCollecting, run.NodeSucceeded} {
			t.Run(node+" "+string(phase), func(t *testing.T) {
				s := newSite(t, digitsRepo)
				s.up()
				id := s.start(nil)
				// The phase may be over before it is seen: then the next one is as good.
				s.await("it comes to the phase", func() bool {
					r, err := s.runner.Run(t.Context(), id)
					return err == nil && (r.Phase == run.Done || reached(r.Nodes[node].Phase, phase))
				})
				s.stop()
				s.up()
				r := s.ended(id)
				// What was proposed when the daemon died is proposed again, and is the same.
				proposed := s.pushed.all()
				if r.Outcome != run.Succeeded || len(proposed) == 0 || len(proposed) > 2 {
					t.Errorf("%s %s, published %d", r.Outcome, r.Reason, len(proposed))
				}
				for _, v := range proposed {
					if !reflect.DeepEqual(v, proposed[0]) {
						t.Errorf("proposed %+v and %+v", proposed[0], v)
					}
				}
				if got := s.startedNodes(); !slices.Equal(got, []string{"evaluate", "fit.0", "fit.1", "split"}) {
					t.Errorf("started %v", got)
				}
			})
		}
	}
}

var order = []run.NodePhase{run.NodeWaiting, run.NodeLooking, run.NodeReady, run.NodeStarting, run.NodeRunning, run.NodeCollecting, run.NodeSucceeded}

func reached(p, want run.NodePhase) bool { return slices.Index(order, p) >= slices.Index(order, want) }

func TestSecretsShowNowhere(t *testing.T) {
	text := strings.Replace(digitsRepo, "env     = { SHARE = param.share }", "env     = { SHARE = param.share, TOKEN = secret.token }", 1) +
		"secret \"token\" {\n  file = \"/etc/fairlead/secrets/token\"\n}\n"
	s := newSite(t, text)
	s.set("split", func(c reconcile.ContainerSpec) *memory.Process {
		p := good(c)
		p.Output = []memory.Line{{Text: "the token is " + c.SecretEnv["TOKEN"].Reveal()[:5]}, {After: 5 * time.Millisecond, Text: c.SecretEnv["TOKEN"].Reveal()[5:] + "\nfine\n"}}
		return p
	})
	s.up()
	r := s.run(nil)
	if r.Outcome != run.Succeeded {
		t.Fatalf("%s %s", r.Outcome, r.Reason)
	}
	if log := s.log(r.ID, "split"); strings.Contains(log, "hunter2") || !strings.Contains(log, "fine") {
		t.Errorf("log %q", log)
	}
	// Another value is another key.
	s.startedNodes()
	s.stop()
	s.secret = "other2other2"
	s.up()
	s.run(nil)
	if got := s.startedNodes(); !slices.Contains(got, "split") {
		t.Errorf("started %v", got)
	}
}

func TestAPipelineThatLeavesGitEndsItsRun(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.set("split", func(c reconcile.ContainerSpec) *memory.Process { p := good(c); p.Runs = memory.Forever; return p })
	s.up()
	id := s.start(nil)
	s.await("it runs", func() bool { return s.nodePhase(id, "split") == run.NodeRunning })
	s.load(digitsRepo[:strings.Index(digitsRepo, `pipeline "train"`)])
	if r := s.ended(id); r.Outcome != run.Cancelled || !strings.Contains(r.Reason, "not in Git") {
		t.Errorf("%s %s", r.Outcome, r.Reason)
	}
}

func TestTriggers(t *testing.T) {
	s := newSite(t, strings.Replace(digitsRepo, "param \"share\"", "on = [change]\n  param \"share\"", 1))
	s.up()
	if r := s.ended("train-1"); r.Outcome != run.Succeeded || r.Trigger.Kind != spec.TriggerChange {
		t.Fatalf("%s %s %+v", r.Outcome, r.Reason, r.Trigger)
	}
	s.load(strings.Replace(digitsRepo, "param \"share\"", "# a comment\n  on = [change]\n  param \"share\"", 1))
	s.load(strings.Replace(strings.Replace(digitsRepo, "param \"share\"", "on = [change]\n  param \"share\"", 1), "0.2", "0.25", 1))
	if r := s.ended("train-2"); r.Outcome != run.Succeeded || r.Params["share"] != 0.25 {
		t.Errorf("%s %s %v", r.Outcome, r.Reason, r.Params)
	}
}

func TestAVersionIsMadeAgain(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.up()
	s.run(nil)
	v := s.pushed.all()[0]
	s.merge(&v)
	s.startedNodes()
	again, err := s.runner.Reproduce(t.Context(), runner.ReproduceOrder{Model: "digits", Version: "1.0.1", Actor: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	r := s.ended(again.ID)
	if r.Outcome != run.Succeeded || r.Published != nil || len(s.pushed.all()) != 1 {
		t.Fatalf("%s %s, published %+v", r.Outcome, r.Reason, r.Published)
	}
	if got := s.startedNodes(); !slices.Equal(got, []string{"evaluate", "fit.0", "fit.1", "split"}) {
		t.Errorf("started %v: nothing may come from the cache", got)
	}
	made, err := r.Version(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if agreement := registry.Agree(&v, made); !agreement.Agrees || !maps.Equal(made.Metrics, v.Metrics) {
		t.Errorf("%+v: metrics %v, recorded %v", agreement, made.Metrics, v.Metrics)
	}
	if _, err := s.runner.Reproduce(t.Context(), runner.ReproduceOrder{Model: "digits", Version: "9.0.0", Actor: "ann"}); !errors.Is(err, runner.ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestARunWhoseDataIsLostIsGivenUp(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.set("split", func(c reconcile.ContainerSpec) *memory.Process { p := good(c); p.Runs = memory.Forever; return p })
	s.up()
	id := s.start(nil)
	s.await("it runs", func() bool { return s.nodePhase(id, "split") == run.NodeRunning })
	s.stop()
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.store, err = runstore.New(s.dir); err != nil {
		t.Fatal(err)
	}
	if s.blobs, err = oci.New(oci.Options{Dir: s.dir + "/artifacts"}); err != nil {
		t.Fatal(err)
	}
	s.set("split", nil)
	s.up()
	s.await("its container is removed", func() bool { return len(s.engine.All()) == 0 })
	if last := s.runner.Status().Pipelines[0].Last; last == nil || last.Outcome != run.Failed || !strings.Contains(last.Reason, "data directory") {
		t.Errorf("last %+v", last)
	}
	if r := s.run(nil); r.ID != "train-2" || r.Outcome != run.Succeeded {
		t.Errorf("%s %s %s", r.ID, r.Outcome, r.Reason)
	}
}

func TestAMergedVersionIsTagged(t *testing.T) {
	s := newSite(t, strings.Replace(digitsRepo, "version  = patch", "version  = patch\n    tags     = true", 1))
	s.up()
	s.run(nil)
	v := s.pushed.all()[0]
	tags := func() map[string]string {
		s.pushed.mu.Lock()
		defer s.pushed.mu.Unlock()
		return maps.Clone(s.pushed.tags)
	}
	if len(tags()) > 0 {
		t.Fatalf("tagged before it was merged: %v", tags())
	}
	s.merge(&v)
	s.await("it is tagged", func() bool { return tags()["digits@v1.0.1"] == s.wanted.Tree.Commit().ID })
}
