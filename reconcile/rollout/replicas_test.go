package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

var (
	scope = reconcile.Scope{Owner: "fairlead", Environment: "test"}
	now   = start
	one   = plain(2, "one")
	two   = plain(2, "two")
)

func plain(replicas int, content string) *reconcile.Target {
	return reconcile.NewTarget(&spec.Model{
		Address: spec.Address{Kind: spec.KindModel, Name: "digits"}, Name: "digits", Port: 8080, Replicas: replicas,
		Container: spec.Container{StopTimeout: 10 * time.Second, Restart: spec.RestartUnlessStopped},
		Health:    spec.Health{Path: "/ready", Interval: time.Second, Timeout: time.Second, MinHealthy: 3 * time.Second, Deadline: time.Minute},
		Routes:    []spec.Route{{Path: "/digits", Timeout: 20 * time.Second}},
	}, reconcile.Image{Pin: "sha256:" + content}, nil)
}

// world is an observation that tests build up.
type world struct {
	containers []reconcile.Container
	view       reconcile.RouterView
	failed     map[string]int
	spoiled    map[string]bool
}

func observed() *world {
	return &world{view: reconcile.RouterView{Known: true, At: now, Report: reconcile.Report{Replicas: map[string]reconcile.ReplicaHealth{}}}}
}

func id(t *reconcile.Target, ordinal int) string { return fmt.Sprintf("%s-%d", t.Revision, ordinal) }

// with adds a running replica that has been healthy for that long; a negative
// time is not healthy.
func (w *world) with(t *reconcile.Target, ordinal int, healthy time.Duration) *world {
	c := reconcile.Container{
		ID: id(t, ordinal), State: reconcile.StateRunning, Started: now.Add(-time.Hour),
		Address: fmt.Sprintf("10.0.0.%d", len(w.containers)+1), Limits: reconcile.LimitsOf(t.Model.Container),
	}
	s := scope.Replica(t, ordinal, "c0ffee", nil)
	c.Name = s.Name
	c.ReadLabels(s.Labels)
	w.containers = append(w.containers, c)
	h := reconcile.ReplicaHealth{Healthy: healthy >= 0, HealthyFor: max(healthy, 0)}
	if healthy < 0 {
		h.LastError = "status 503"
	}
	w.view.Report.Replicas[c.ID] = h
	return w
}

// change alters the replica that was added last.
func (w *world) change(f func(*reconcile.Container)) *world {
	f(&w.containers[len(w.containers)-1])
	return w
}

// routed puts the entry in force that gives all weight to the target.
func (w *world) routed(t *reconcile.Target) *world {
	entry := reconcile.RoutedModel{Name: "digits"}
	for _, rev := range []*reconcile.Target{one, two} {
		r := reconcile.RoutedRevision{Revision: rev.Revision}
		if rev == t {
			r.Weight = 100
		}
		for _, c := range w.containers {
			if c.Revision == rev.Revision {
				r.Replicas = append(r.Replicas, reconcile.RoutedReplica{ID: c.ID, Address: c.Address + ":8080"})
			}
		}
		entry.Revisions = append(entry.Revisions, r)
	}
	w.view.Table = reconcile.Table{Version: 1, Models: []reconcile.RoutedModel{entry}}
	w.view.Report.TableVersion = 1
	return w
}

func (w *world) step(t *reconcile.Target, intent rollout.Intent) rollout.Decision {
	return settled(rollout.Input{
		Name: "digits", Intent: intent, Target: t, Scope: scope, Containers: w.containers, View: &w.view, Failed: w.failed, Spoiled: w.spoiled,
	}, now)
}

// settled steps until nothing is left to be decided, and only to be done.
func settled(in rollout.Input, now time.Time) rollout.Decision {
	for {
		d := rollout.Step(rollout.State{}, in, now)
		if d.Transition == nil || d.Transition.Record == nil {
			return d
		}
		in.Record = *d.Transition.Record
	}
}

// commands is a decision's commands as "verb ordinal-or-id", sorted.
func commands(d rollout.Decision) string {
	var out []string
	for _, c := range d.Commands {
		what := c.ContainerID
		if c.Verb == rollout.Launch {
			what = fmt.Sprint(c.Ordinal)
		}
		out = append(out, fmt.Sprintf("%s %s", c.Verb, what))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

const long = time.Hour

func TestNextStepOfAModel(t *testing.T) {
	cases := map[string]struct {
		world  *world
		want   string // commands
		serves *reconcile.Target
		phase  rollout.Phase
		reason string
	}{
		"nothing runs: all replicas are launched": {
			observed(), "launch 1, launch 2", two, rollout.Rolling, "launch",
		},
		"all is well: nothing to do": {
			observed().with(two, 1, long).with(two, 2, long).routedBy(two), "", two, rollout.Steady, "",
		},
		"another revision serves: the new one is launched beside it": {
			observed().with(one, 1, long).with(one, 2, long).routed(one), "launch 1, launch 2", one, rollout.Rolling, "launch",
		},
		"the new one is not ready: the old one serves on": {
			observed().with(one, 1, long).with(one, 2, long).with(two, 1, long).with(two, 2, time.Second).routed(one),
			"", one, rollout.Rolling, "1 of 2 replicas ready",
		},
		"all of the new one are ready: it takes over, nothing goes yet": {
			observed().with(one, 1, long).with(one, 2, long).with(two, 1, long).with(two, 2, long).routed(one),
			"", two, rollout.Rolling, "takes over the new routes",
		},
		"the new one is in force: the old one goes": {
			observed().with(one, 1, long).with(one, 2, long).with(two, 1, long).with(two, 2, long).routed(two),
			"retire " + id(one, 1) + ", retire " + id(one, 2), two, rollout.Rolling, "retire",
		},
		"the old one is dead: the first ready replica takes over": {
			observed().with(one, 1, -1).with(one, 2, -1).with(two, 1, long).with(two, 2, -1).routed(one),
			"", two, rollout.Degraded, "",
		},
		"a third revision that never served goes at once": {
			observed().with(one, 1, long).with(one, 2, long).with(plain(2, "three"), 1, long).routed(one),
			"launch 1, launch 2, retire " + id(plain(2, "three"), 1), one, rollout.Rolling, "",
		},
		"an ended replica is started": {
			observed().with(two, 1, long).with(two, 2, long).change(exit).routed(two),
			"start " + id(two, 2), two, rollout.Rolling, "it ended (exit code 137)",
		},
		"one that the engine restarts is left to it": {
			observed().with(two, 1, long).with(two, 2, -1).change(func(c *reconcile.Container) { c.State = reconcile.StateRestarting }).routed(two),
			"", two, rollout.Rolling, "1 of 2",
		},
		"a crash loop is trouble": {
			observed().with(two, 1, long).with(two, 2, -1).change(func(c *reconcile.Container) {
				c.State, c.Restarts, c.ExitCode = reconcile.StateRestarting, 5, 1
			}).routed(two),
			"", two, rollout.Degraded, "replica 2 keeps ending: it ended (exit code 1), started again 5 times",
		},
		"a replica past its deadline is trouble, with the probe's words": {
			observed().with(two, 1, long).with(two, 2, -1).routed(two),
			"", two, rollout.Degraded, "replica 2 is not healthy 1h0m0s after its start (deadline 1m0s): status 503",
		},
		"a dead container is removed and replaced": {
			observed().with(two, 1, long).with(two, 2, long).change(func(c *reconcile.Container) { c.State, c.Address = reconcile.StateDead, "" }).routed(two),
			"launch 3, retire " + id(two, 2), two, rollout.Rolling, "",
		},
		"surplus replicas drain first": {
			observed().with(two, 1, long).with(two, 2, long).with(two, 3, long).routed(two), "", two, rollout.Rolling, "takes over the new routes",
		},
		"an ordinal that exists twice is sorted out": {
			observed().with(two, 1, long).with(two, 1, long).change(func(c *reconcile.Container) { c.ID, c.Name = "copy", "copy" }).with(two, 2, long).routedBy(two),
			"retire copy", two, rollout.Rolling, "replica 1 exists twice",
		},
		"a renamed replica gets its name back": {
			observed().with(two, 1, long).with(two, 2, long).change(func(c *reconcile.Container) { c.Name = "mine" }).routedBy(two),
			"rename " + id(two, 2), two, rollout.Rolling, "it was renamed to mine",
		},
		"changed limits are brought back": {
			observed().with(two, 1, long).with(two, 2, long).change(func(c *reconcile.Container) { c.Limits.Memory = 5 }).routedBy(two),
			"update " + id(two, 2), two, rollout.Rolling, "memory 5 bytes, declared 0",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := tc.world.step(two, rollout.Serve)
			if got := commands(d); got != tc.want {
				t.Errorf("commands %q, want %q", got, tc.want)
			}
			if d.Serving != tc.serves.Revision {
				t.Errorf("%s serves, want %s", d.Serving, tc.serves.Revision)
			}
			if d.Phase != tc.phase || !strings.Contains(d.Reason, tc.reason) {
				t.Errorf("%s: %q, want %s: %q", d.Phase, d.Reason, tc.phase, tc.reason)
			}
		})
	}
}

func exit(c *reconcile.Container) {
	c.State, c.ExitCode, c.Address, c.Finished = reconcile.StateExited, 137, "", now
}

// routedBy puts in force just what the next step would route.
func (w *world) routedBy(t *reconcile.Target) *world {
	w.routed(t)
	w.view.Table.Models[0] = *w.step(t, rollout.Serve).Entry
	return w
}

func TestOldReplicaFinishesItsRequestsWithinTheLimit(t *testing.T) {
	w := observed().with(one, 1, long).with(two, 1, long).with(two, 2, long).routed(two)
	w.view.Report.Replicas[id(one, 1)] = reconcile.ReplicaHealth{InFlight: 1}
	in := rollout.Input{Name: "digits", Target: two, Scope: scope, Containers: w.containers, View: &w.view}

	d := settled(in, now)
	in.Record = record(in)
	limit := 30 * time.Second // the route's 20 s, and the 10 s to stop
	if got := commands(d); got != "" || !d.Wake.Equal(now.Add(limit)) {
		t.Fatalf("commands %q, wake after %s, want none after %s", got, d.Wake.Sub(now), limit)
	}
	if got := commands(rollout.Step(d.State, in, now.Add(limit-1))); got != "" {
		t.Errorf("before the limit: %s", got)
	}
	if got, want := commands(rollout.Step(d.State, in, now.Add(limit))), "retire "+id(one, 1); got != want {
		t.Errorf("at the limit: %q, want %q", got, want)
	}
}

// record is what was decided once everything is settled.
func record(in rollout.Input) journal.Record {
	for {
		d := rollout.Step(rollout.State{}, in, now)
		if d.Transition == nil {
			return in.Record
		}
		in.Record = *d.Transition.Record
	}
}

// A report of the table before says nothing about requests that came since.
func TestNothingIsRetiredByAnOldReport(t *testing.T) {
	w := observed().with(one, 1, long).with(two, 1, long).with(two, 2, long).routed(two)
	w.view.Report.TableVersion = 0
	if got := commands(w.step(two, rollout.Serve)); got != "" {
		t.Errorf("commands %q, want none", got)
	}
}

func TestSpoiledReplicaServesUntilItsSubstituteIsReady(t *testing.T) {
	w := observed().with(two, 1, long).with(two, 2, long).routed(two)
	w.spoiled = map[string]bool{id(two, 2): true}
	d := w.step(two, rollout.Serve)
	if got := commands(d); got != "launch 3" {
		t.Fatalf("commands %q", got)
	}
	if replicas := d.Entry.Revisions[0].Replicas; replicas[1].Drain {
		t.Error("the spoiled replica drains before there is a substitute")
	}
	w.with(two, 3, long).routed(two)
	if d := w.step(two, rollout.Serve); !d.Entry.Revisions[0].Replicas[1].Drain {
		t.Error("the spoiled replica does not drain although there is a substitute")
	}
}

func TestModelThatCannotBeBoundStaysAsItIs(t *testing.T) {
	w := observed().with(one, 1, long).with(one, 2, long).change(exit).routed(one)
	d := w.step(nil, rollout.Hold)
	if got, want := commands(d), "start "+id(one, 2); got != want {
		t.Errorf("commands %q, want %q", got, want)
	}
	if d.Serving != one.Revision {
		t.Errorf("%s serves", d.Serving)
	}
}

func TestDestroyedModelDrainsAndGoes(t *testing.T) {
	w := observed().with(one, 1, long).routed(one)
	d := w.step(nil, rollout.Destroy)
	if got := commands(d); got != "" || !d.Entry.Revisions[0].Replicas[0].Drain {
		t.Fatalf("commands %q, entry %+v", got, d.Entry)
	}
	w.view.Table.Models[0] = *d.Entry
	if got, want := commands(w.step(nil, rollout.Destroy)), "retire "+id(one, 1); got != want {
		t.Errorf("commands %q, want %q", got, want)
	}
	w.containers = nil
	if d := w.step(nil, rollout.Destroy); d.Entry != nil {
		t.Errorf("the model is still routed: %+v", d.Entry)
	}
}

// Whatever is observed, these hold.
func TestStepIsSafe(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := observed()
		for _, rev := range []*reconcile.Target{one, two} {
			for ordinal := range rapid.IntRange(0, 3).Draw(rt, "replicas") {
				w.with(rev, ordinal+1, time.Duration(rapid.SampledFrom([]int{-1, 0, 3600}).Draw(rt, "healthy"))*time.Second)
				if rapid.IntRange(0, 4).Draw(rt, "exited") == 0 {
					w.change(exit)
				}
			}
		}
		inForce := rapid.SampledFrom([]*reconcile.Target{one, two}).Draw(rt, "in force")
		w.routed(inForce)
		w.view.Known = rapid.Bool().Draw(rt, "known")
		d := w.step(two, rollout.Serve)

		weights := 0
		for _, r := range d.Entry.Revisions {
			weights += r.Weight
		}
		if weights != 100 {
			rt.Fatalf("weights add up to %d", weights)
		}
		for _, c := range d.Commands {
			if c.Verb != rollout.Retire {
				continue
			}
			i := slices.IndexFunc(w.containers, func(o reconcile.Container) bool { return o.ID == c.ContainerID })
			if o := w.containers[i]; o.State == reconcile.StateRunning && (o.Revision == inForce.Revision || !w.view.Known) {
				rt.Fatalf("a running replica that takes requests is retired: %s", o.ID)
			}
		}
		if healthyOf(w, one) > 0 && inForce == one && w.view.Known && healthyOf(w, two) == 0 && d.Serving != one.Revision {
			rt.Fatalf("requests go to a revision of which nothing is healthy")
		}
		again := w.step(two, rollout.Serve)
		if commands(again) != commands(d) || !again.Entry.Equal(*d.Entry) {
			rt.Fatal("the same observation gives another decision")
		}
	})
}

func healthyOf(w *world, t *reconcile.Target) int {
	n := 0
	for _, c := range w.containers {
		if c.Revision == t.Revision && c.State == reconcile.StateRunning && w.view.Report.Replicas[c.ID].Healthy {
			n++
		}
	}
	return n
}
