package capacity_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/capacity"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

const gib = int64(1) << 30

// world is a desired state and what runs.
type world struct {
	engine     reconcile.Engine
	overcommit float64
	desired    *reconcile.Desired
	containers []reconcile.Container
	records    map[string]journal.Record
}

func newWorld(memory int64) *world {
	return &world{
		engine:  reconcile.Engine{CPUs: 4, Memory: memory},
		desired: &reconcile.Desired{Scope: reconcile.Scope{Owner: "o", Environment: "e"}, Config: &spec.Config{}, Targets: map[string]*reconcile.Target{}},
		records: map[string]journal.Record{},
	}
}

func (w *world) check() map[string]string {
	return capacity.Check(capacity.Host{Engine: w.engine, Overcommit: w.overcommit}, w.desired, w.containers, w.records)
}

// target is a model of some content with limits for each replica.
func target(name, content string, replicas int, r spec.Resources, strategy spec.Strategy) *reconcile.Target {
	m := &spec.Model{
		Address: spec.Address{Kind: spec.KindModel, Name: name}, Name: name, Replicas: replicas,
		Container: spec.Container{Resources: r},
	}
	if strategy != "" {
		m.Rollout = &spec.Rollout{Strategy: strategy}
	}
	return reconcile.NewTarget(m, reconcile.Image{Pin: "sha256:" + content}, nil)
}

func memory(n int64) spec.Resources { return spec.Resources{Memory: n} }

// wants puts a target into Git.
func (w *world) wants(t *reconcile.Target) *world {
	w.desired.Targets[t.Model.Name] = t
	return w
}

// runs starts n containers of a target.
func (w *world) runs(t *reconcile.Target, n int) *world {
	for i := range n {
		c := reconcile.Container{ID: fmt.Sprintf("%s-%d", t.Revision, i), State: reconcile.StateRunning}
		c.ReadLabels(w.desired.Scope.Replica(t, i+1, "c0ffee", nil).Labels)
		w.containers = append(w.containers, c)
	}
	return w
}

func (w *world) remembers(name string, r journal.Record) *world {
	w.records[name] = r
	return w
}

func release(t *reconcile.Target) *journal.Release {
	return &journal.Release{Revision: t.Revision, Inputs: t.Inputs}
}

func kept(t *reconcile.Target) *journal.Previous {
	return &journal.Previous{Release: *release(t), Until: time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)}
}

// A row says what there is and which models get no room, with the sentence.
func TestRoomIsGivenOut(t *testing.T) {
	small, next := target("m", "one", 2, memory(3*gib), spec.Canary), target("m", "two", 2, memory(3*gib), spec.Canary)
	recreated := target("m", "two", 2, memory(3*gib), spec.Recreate)
	plain := target("m", "two", 2, memory(3*gib), "")
	other := target("other", "one", 1, memory(3*gib), "")
	third := target("m", "three", 2, memory(3*gib), spec.Canary)
	cases := map[string]struct {
		world *world
		want  map[string]string
	}{
		"a first deployment that fits": {newWorld(8 * gib).wants(small), nil},
		"a first deployment that does not": {
			newWorld(8*gib).wants(small).wants(other).runs(other, 1),
			map[string]string{"m": "needs 6 GiB of memory, the engine has 8 GiB, 3 GiB are taken by other models"},
		},
		"what runs is never refused":                 {newWorld(gib).wants(small).runs(small, 2), nil},
		"both revisions fit":                         {newWorld(12*gib).wants(next).runs(small, 2), nil},
		"a model without rollout block overlaps too": {newWorld(11*gib).wants(plain).runs(small, 2), map[string]string{"m": "needs 12 GiB of memory while both revisions run"}},
		"both revisions do not fit": {
			newWorld(8*gib).wants(next).runs(small, 2).wants(other).runs(other, 1).remembers("m", journal.Record{Stable: release(small)}),
			map[string]string{"m": "needs 12 GiB of memory while both revisions run (6 GiB stable, 6 GiB candidate), the engine has 8 GiB, 3 GiB are taken by other models"},
		},
		"recreate would help": {
			newWorld(8*gib).wants(next).runs(small, 2),
			map[string]string{"m": "needs 12 GiB of memory while both revisions run (6 GiB stable, 6 GiB candidate), the engine has 8 GiB; strategy = recreate would fit"},
		},
		"recreate takes the larger of the two": {newWorld(6*gib).wants(recreated).runs(small, 2), nil},
		"a larger revision that nothing helps": {
			newWorld(6*gib).wants(target("m", "two", 2, memory(4*gib), spec.Recreate)).runs(small, 2),
			map[string]string{"m": "needs 8 GiB of memory for the larger of the two revisions (6 GiB stable, 8 GiB candidate), the engine has 6 GiB"},
		},
		"a release that is kept counts": {
			newWorld(17*gib).wants(third).runs(small, 2).runs(next, 2).remembers("m", journal.Record{Stable: release(next), Previous: kept(small)}),
			map[string]string{"m": "needs 18 GiB of memory while both revisions run (6 GiB stable, 6 GiB candidate, 6 GiB for the previous release, which is kept), the engine has 17 GiB; strategy = recreate would fit; it fits once the previous release is kept no longer"},
		},
		"the way back to a kept release needs nothing": {
			newWorld(12*gib).wants(small).runs(small, 2).runs(next, 2).remembers("m", journal.Record{Stable: release(next), Previous: kept(small)}), nil,
		},
		"a rejected revision needs nothing": {
			newWorld(6*gib).wants(next).runs(small, 2).remembers("m", journal.Record{Stable: release(small), Rejected: []journal.Rejection{{Release: *release(next)}}}), nil,
		},
		"a rollout under way keeps its room up to its end": {
			newWorld(12*gib).wants(next).runs(small, 2).runs(next, 1).wants(target("a", "one", 1, memory(2*gib), "")).
				remembers("m", journal.Record{Stable: release(small), Rollout: &journal.Rollout{Candidate: *release(next), Policy: *next.Model.Rollout}}),
			map[string]string{"a": "needs 2 GiB of memory, the engine has 12 GiB, 12 GiB are taken by other models"},
		},
		"a candidate that was superseded leaves": {
			newWorld(12*gib).wants(third).runs(small, 2).runs(next, 1).
				remembers("m", journal.Record{Stable: release(small), Rollout: &journal.Rollout{Candidate: *release(next), Policy: *next.Model.Rollout}}),
			nil,
		},
		"a candidate that finishes first counts as it is": {
			newWorld(12*gib).wants(target("m", "three", 2, memory(9*gib), spec.Canary)).runs(small, 2).runs(next, 1).
				remembers("m", journal.Record{Stable: release(small), Rollout: &journal.Rollout{Candidate: *release(next), Policy: spec.Rollout{Velocity: spec.VelocityFinish}}}),
			nil,
		},
		"more replicas need room": {
			newWorld(8*gib).wants(target("m", "one", 3, memory(3*gib), "")).runs(small, 2),
			map[string]string{"m": "needs 9 GiB of memory, the engine has 8 GiB"},
		},
		"a lost replica keeps its room": {
			newWorld(8*gib).wants(small).runs(small, 1).wants(target("a", "one", 1, memory(3*gib), "")),
			map[string]string{"a": "needs 3 GiB of memory, the engine has 8 GiB, 6 GiB are taken by other models"},
		},
		"a model that does not fit holds up none that does": {
			newWorld(8 * gib).wants(target("a", "one", 1, memory(9*gib), "")).wants(small),
			map[string]string{"a": "needs 9 GiB of memory, the engine has 8 GiB"},
		},
		"running models come first": {
			newWorld(8*gib).wants(target("a", "one", 1, memory(4*gib), "")).wants(target("z", "two", 1, memory(3*gib), "")).runs(target("z", "one", 1, memory(3*gib), ""), 1),
			map[string]string{"a": "needs 4 GiB of memory, the engine has 8 GiB, 6 GiB are taken by other models"},
		},
		"what leaves Git counts until it is gone": {
			newWorld(8*gib).wants(small).runs(other, 1),
			map[string]string{"m": "3 GiB are taken by other models (3 GiB of it by models that are not in Git any more, until they are gone)"},
		},
		"no limit counts as nothing":          {newWorld(gib).wants(target("m", "one", 9, spec.Resources{}, "")), nil},
		"an engine that does not tell is any": {newWorld(0).wants(small), nil},
		"a model that cannot be bound keeps what it has": {
			func() *world {
				w := newWorld(8*gib).wants(small).runs(other, 1)
				w.desired.Unbound = map[string]error{"other": fmt.Errorf("no such image")}
				return w
			}(),
			map[string]string{"m": "needs 6 GiB of memory, the engine has 8 GiB, 3 GiB are taken by other models"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { compare(t, tc.world.check(), tc.want) })
	}
}

// steps of a run take room from models while they run, and no longer.
func TestStepsOfPipelinesTakeRoom(t *testing.T) {
	step := func(state reconcile.ContainerState) reconcile.Container {
		return reconcile.Container{
			ID: "step-" + string(state), Kind: spec.KindStep, Run: "train-1", State: state,
			Limits: reconcile.Limits{NanoCPUs: 1e9, Memory: 3 * gib},
		}
	}
	for state, refused := range map[reconcile.ContainerState]bool{
		reconcile.StateCreated: true, reconcile.StateRunning: true, reconcile.StateExited: false, reconcile.StateDead: false,
	} {
		w := newWorld(8 * gib).wants(target("m", "one", 2, memory(3*gib), ""))
		w.containers = append(w.containers, step(state))
		want := map[string]string{}
		if refused {
			want["m"] = "needs 6 GiB of memory, the engine has 8 GiB, 3 GiB are taken by steps of pipelines"
		}
		compare(t, w.check(), want)
	}
	t.Run("beside other models", func(t *testing.T) {
		other := target("other", "one", 1, memory(2*gib), "")
		w := newWorld(8*gib).wants(target("m", "one", 2, memory(3*gib), "")).wants(other).runs(other, 1)
		w.containers = append(w.containers, step(reconcile.StateRunning))
		compare(t, w.check(), map[string]string{
			"m": "needs 6 GiB of memory, the engine has 8 GiB, 3 GiB are taken by steps of pipelines, 2 GiB are taken by other models",
		})
	})
}

func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
		t.Errorf("refused %q, want %q", got, want)
		return
	}
	for name, reason := range want {
		if !strings.HasPrefix(got[name], reason) && !strings.HasSuffix(got[name], reason) {
			t.Errorf("%s: got  %s\nwant %s", name, got[name], reason)
		}
	}
}

func TestEveryResourceCounts(t *testing.T) {
	gpus := func(g spec.GPUs) spec.Resources { return spec.Resources{GPUs: g} }
	one := func(r spec.Resources, replicas int) *world {
		return newWorld(8 * gib).wants(target("m", "one", replicas, r, ""))
	}
	with := func(w *world, gpus int, overcommit float64) *world {
		w.engine.GPUs, w.overcommit = gpus, overcommit
		return w
	}
	cases := map[string]struct {
		world *world
		want  string
	}{
		"CPUs that fit":               {one(spec.Resources{CPUs: 2}, 2), ""},
		"CPUs that do not":            {one(spec.Resources{CPUs: 1.5}, 3), "needs 4.5 CPUs, the engine has 4 CPUs"},
		"CPUs promised twice":         {with(one(spec.Resources{CPUs: 1.5}, 3), 0, 2), ""},
		"CPUs promised twice at most": {with(one(spec.Resources{CPUs: 3}, 3), 0, 2), "needs 9 CPUs, the engine has 4 CPUs (counted as 8)"},
		"memory and CPUs":             {one(spec.Resources{CPUs: 5, Memory: 9 * gib}, 1), "needs 9 GiB of memory, the engine has 8 GiB; needs 5 CPUs, the engine has 4 CPUs"},
		"GPUs that nobody told of":    {one(gpus(spec.GPUs{Count: 2}), 2), ""},
		"GPUs that fit":               {with(one(gpus(spec.GPUs{Count: 2}), 2), 4, 1), ""},
		"GPUs that do not":            {with(one(gpus(spec.GPUs{Count: 2}), 2), 3, 1), "needs 4 GPUs, the engine has 3 GPUs"},
		"all GPUs for all replicas":   {with(one(gpus(spec.GPUs{Count: -1}), 2), 3, 1), ""},
		"named GPUs for all replicas": {with(one(gpus(spec.GPUs{IDs: []string{"0", "1", "0"}}), 4), 2, 1), ""},
		"too many named GPUs":         {with(one(gpus(spec.GPUs{IDs: []string{"0", "1"}}), 1), 1, 1), "needs 2 GPUs, the engine has 1 GPU"},
		"all GPUs, twice": {
			with(one(gpus(spec.GPUs{Count: -1}), 1).runs(target("m", "zero", 1, gpus(spec.GPUs{Count: -1}), ""), 1), 2, 1),
			"needs 4 GPUs while both revisions run (2 GPUs stable, 2 GPUs candidate), the engine has 2 GPUs; strategy = recreate would fit",
		},
		"parts of a GiB": {one(memory(8*gib+gib/2), 1), "needs 8.5 GiB of memory, the engine has 8 GiB"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.world.check()["m"]; got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestContainerWithoutInputsCountsByItsLimits(t *testing.T) {
	w := newWorld(8 * gib).wants(target("m", "one", 1, memory(3*gib), ""))
	w.containers = []reconcile.Container{
		{Model: "other", Kind: spec.KindModel, State: reconcile.StateRunning, Limits: reconcile.Limits{Memory: 6 * gib}},
		{Kind: spec.KindGateway, State: reconcile.StateRunning, Limits: reconcile.Limits{Memory: 6 * gib}},
		{Model: "dead", Kind: spec.KindModel, State: reconcile.StateDead, Limits: reconcile.Limits{Memory: 6 * gib}},
	}
	w.desired.Forgotten = map[string]bool{"other": true}
	compare(t, w.check(), map[string]string{"m": "needs 3 GiB of memory, the engine has 8 GiB, 6 GiB are taken by other models"})
}

// demands draws models of any kind.
func demands() *rapid.Generator[[]capacity.Demand] {
	size := rapid.Custom(func(t *rapid.T) capacity.Size {
		return capacity.Size{
			NanoCPUs: rapid.Int64Range(0, 4).Draw(t, "cpus") * 1e9, Memory: rapid.Int64Range(0, 8).Draw(t, "memory") * gib,
			GPUs: rapid.Int64Range(0, 2).Draw(t, "gpus"),
		}
	})
	one := rapid.Custom(func(t *rapid.T) capacity.Demand {
		d := capacity.Demand{
			Model: rapid.StringMatching(`[a-h]`).Draw(t, "model"), Candidate: size.Draw(t, "candidate"),
			Recreate: rapid.Bool().Draw(t, "recreate"), Running: rapid.Bool().Draw(t, "running"),
		}
		if d.Running {
			d.Held, d.Stable, d.Previous = size.Draw(t, "held"), size.Draw(t, "stable"), size.Draw(t, "previous")
			d.UnderWay, d.Leaving = rapid.Bool().Draw(t, "under way"), rapid.Bool().Draw(t, "leaving")
		}
		return d
	})
	return rapid.SliceOfNDistinct(one, 0, 8, func(d capacity.Demand) string { return d.Model })
}

var host = capacity.Host{Engine: reconcile.Engine{CPUs: 8, Memory: 16 * gib, GPUs: 4}}

// need is what an admitted model may come to take.
func need(d capacity.Demand) capacity.Size {
	add := func(a, b capacity.Size) capacity.Size {
		return capacity.Size{NanoCPUs: a.NanoCPUs + b.NanoCPUs, Memory: a.Memory + b.Memory, GPUs: a.GPUs + b.GPUs}
	}
	largest := func(a, b capacity.Size) capacity.Size {
		return capacity.Size{NanoCPUs: max(a.NanoCPUs, b.NanoCPUs), Memory: max(a.Memory, b.Memory), GPUs: max(a.GPUs, b.GPUs)}
	}
	if d.Recreate {
		return largest(d.Held, add(largest(d.Stable, d.Candidate), d.Previous))
	}
	return largest(d.Held, add(add(d.Stable, d.Candidate), d.Previous))
}

func TestNeverMoreIsGivenThanThereIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := demands().Draw(t, "demands")
		refused := capacity.Admit(host, list)
		var held, given capacity.Size
		for _, d := range list {
			takes := d.Held
			if refused[d.Model] == "" {
				takes = need(d)
			}
			held = capacity.Size{NanoCPUs: held.NanoCPUs + d.Held.NanoCPUs, Memory: held.Memory + d.Held.Memory, GPUs: held.GPUs + d.Held.GPUs}
			given = capacity.Size{NanoCPUs: given.NanoCPUs + takes.NanoCPUs, Memory: given.Memory + takes.Memory, GPUs: given.GPUs + takes.GPUs}
		}
		if given.Memory > max(16*gib, held.Memory) || given.NanoCPUs > max(8e9, held.NanoCPUs) || given.GPUs > max(4, held.GPUs) {
			t.Errorf("given %+v, held before %+v, refused %v", given, held, refused)
		}
	})
}

func TestModelThatComesNewTakesNothingFromOneThatRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := demands().Draw(t, "demands")
		before := capacity.Admit(host, list)
		fresh := capacity.Demand{Model: "0", Candidate: capacity.Size{Memory: rapid.Int64Range(0, 20).Draw(t, "memory") * gib, GPUs: 1}}
		after := capacity.Admit(host, append(slices.Clone(list), fresh))
		for _, d := range list {
			if d.Running && after[d.Model] != before[d.Model] {
				t.Errorf("%s: %q became %q", d.Model, before[d.Model], after[d.Model])
			}
		}
	})
}

func TestRoomDoesNotDependOnTheOrderOfModels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := demands().Draw(t, "demands")
		shuffled := rapid.Permutation(list).Draw(t, "shuffled")
		if a, b := capacity.Admit(host, list), capacity.Admit(host, shuffled); !maps.Equal(a, b) {
			t.Errorf("%v, and in another order %v", a, b)
		}
	})
}

func TestModelThatNeedsNoMoreThanItHasIsNeverRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := demands().Draw(t, "demands")
		refused := capacity.Admit(host, list)
		for _, d := range list {
			if need(d) == d.Held && refused[d.Model] != "" {
				t.Errorf("%+v: %s", d, refused[d.Model])
			}
		}
	})
}
