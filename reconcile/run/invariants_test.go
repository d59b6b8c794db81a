package run_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// die is the end of a daemon: what it had stored is read again, the answers that it
// waited for are lost, containers and cache stay.
func (w *world) die() {
	w.t.Helper()
	data, err := json.Marshal(w.run)
	if err != nil {
		w.t.Fatal(err)
	}
	var r run.Run
	if err := json.Unmarshal(data, &r); err != nil {
		w.t.Fatal(err)
	}
	w.run, w.answers = &r, nil
}

// Whatever steps do, and wherever daemons die: the run ends, nothing is left of it, no
// step that had completed runs again, and what it says fits what happened.
func TestRandomLives(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := digits()
		for _, s := range p.Steps {
			s.Retries = rapid.IntRange(0, 2).Draw(rt, s.Name+" retries")
			s.Timeout = time.Minute
			s.NoCache = rapid.Bool().Draw(rt, s.Name+" no cache")
		}
		p.Parallel = rapid.IntRange(0, 3).Draw(rt, "parallel")
		w := newWorld(t, p, nil)
		for _, n := range w.run.Order() {
			for attempt := 1; attempt <= 8; attempt++ {
				w.programs[attemptKey(n.ID, attempt)] = rapid.SampledFrom([]program{
					{takes: 5 * time.Second, metrics: map[string]float64{"accuracy": 0.9}},
					{takes: 3 * time.Second, metrics: map[string]float64{"accuracy": 0.95}},
					{takes: time.Second, code: 1},
					{hang: true},
					{vanish: true},
					{oom: true},
				}).Draw(rt, n.ID)
			}
		}
		ended := map[string]run.NodePhase{}
		for range 5_000 {
			if w.run.Phase == run.Done {
				break
			}
			lost := rapid.IntRange(0, 19).Draw(rt, "die") == 0
			w.step(func(run.Command) bool { return lost && rapid.Bool().Draw(rt, "lost command") })
			if lost {
				w.die()
			}
			if rapid.IntRange(0, 199).Draw(rt, "cancel") == 0 && w.cancel == nil {
				w.cancel = &run.Order{Actor: "ann", At: w.now}
			}
			for id, n := range w.run.Nodes {
				if before, over := ended[id]; over && n.Phase != before {
					rt.Fatalf("%s had %s and is %s", id, before, n.Phase)
				}
				if n.Phase.Ended() {
					ended[id] = n.Phase
				}
			}
			if active := w.run.Active(); active > w.slots || p.Parallel > 0 && active > p.Parallel {
				rt.Fatalf("%d nodes at a time", active)
			}
			w.now = w.now.Add(time.Second)
		}
		r := w.run
		if r.Phase != run.Done {
			rt.Fatalf("it does not end: %s, %s", r.Phase, w.phases())
		}
		if len(w.containers) > 0 {
			rt.Fatalf("containers are left: %v", w.containers)
		}
		if len(w.twice) > 0 {
			rt.Fatalf("started after they had completed: %v", w.twice)
		}
		if (r.Outcome == run.Succeeded) != (r.Published != nil) {
			rt.Fatalf("%s, published %v", r.Outcome, r.Published)
		}
		if r.Outcome == run.Succeeded {
			for _, n := range r.Nodes {
				if n.Phase != run.NodeSucceeded && !r.Step(n).Exit {
					rt.Fatalf("it succeeded, and %s is %s", n.ID, n.Phase)
				}
			}
		}
		if r.Outcome == run.Failed && r.Reason == "" {
			rt.Fatal("it failed for no reason")
		}
	})
}

// A container that a daemon started before it could say so is taken up, not started
// again.
func TestAContainerOfADeadDaemonIsAdopted(t *testing.T) {
	w := newWorld(t, digits(), nil)
	for w.run.Nodes["split"].Phase != run.NodeStarting {
		w.step(nil)
	}
	w.die() // the start was carried out, and its answer is lost
	w.finish()
	if w.started["split"] != 1 || w.run.Outcome != run.Succeeded {
		t.Errorf("split was started %d times; %s %s", w.started["split"], w.run.Outcome, w.run.Reason)
	}
}

// While another run computes the same, a node waits and then finds it.
func TestTheSameIsComputedOnce(t *testing.T) {
	w := newWorld(t, digits(), nil)
	key := ""
	busy := map[string]bool{}
	for range 20 {
		var list []reconcile.Container
		commands, _ := run.Step(w.run, run.Input{Answers: w.answers, Listed: true, ListedAt: w.now, Containers: list, Slots: 4, Busy: busy}, w.now)
		w.answers = nil
		for _, c := range commands {
			if c.Kind == run.CommandLook {
				key = c.Key
				busy[key] = true
			}
			w.carryOut(c)
		}
		w.now = w.now.Add(time.Second)
	}
	if w.started["split"] != 0 {
		t.Fatal("split was started although another run computes it")
	}
	w.cache[key] = run.Result{Key: key, Run: "q-1", Outputs: map[string]reconcile.Content{"test": {Digest: "sha256:t"}, "train": {Digest: "sha256:u"}}}
	clear(busy)
	w.finish()
	if w.started["split"] != 0 || w.run.Nodes["split"].From != "q-1" {
		t.Errorf("split was started %d times, from %q", w.started["split"], w.run.Nodes["split"].From)
	}
}

func TestFingerprint(t *testing.T) {
	data := []*spec.Dataset{{Name: "digits", Source: spec.DatasetSource{Kind: spec.SourceRepo, Data: []byte("a")}}, {Name: "other"}}
	base := run.Fingerprint(digits(), data)
	for name, c := range map[string]struct {
		change func(*spec.Pipeline)
		same   bool
	}{
		"position":  {func(p *spec.Pipeline) { p.Pos.Line, p.Steps[0].Pos.Line, p.Gates[0].Pos.Line = 1, 2, 3 }, true},
		"schedule":  {func(p *spec.Pipeline) { p.Schedule = &spec.Schedule{Cron: "@daily"} }, true},
		"gate":      {func(p *spec.Pipeline) { p.Gates[0].Require = expr.Of(true) }, false},
		"step":      {func(p *spec.Pipeline) { p.Steps[0].Image = "other" }, false},
		"parameter": {func(p *spec.Pipeline) { p.Params[0].Default = 0.5 }, false},
	} {
		p := digits()
		c.change(p)
		if got := run.Fingerprint(p, data) == base; got != c.same {
			t.Errorf("%s: same is %t", name, got)
		}
	}
	data[0].Source.Data = []byte("b")
	if run.Fingerprint(digits(), data) == base {
		t.Error("another content of the data is another fingerprint")
	}
	data[0].Source.Data, data[1].Digest = []byte("a"), "sha256:x"
	if run.Fingerprint(digits(), data) != base {
		t.Error("data that is not read counts")
	}
}
