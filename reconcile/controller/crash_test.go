package controller_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/spec"
)

var errDead = errors.New("the daemon is dead")

// mutates tells whether an operation changes the engine.
func mutates(op string) bool {
	return slices.Contains([]string{"create", "start", "stop", "remove", "rename", "update", "ensure_network", "ensure_image"}, op)
}

// dieAt runs a controller that dies at its n-th engine call that changes
// something: just before it, or just after its effect and before its answer. It
// returns false if there were fewer calls.
func (w *world) dieAt(n int, after bool) bool {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Minute)
	defer cancel()
	var calls atomic.Int64
	var dead atomic.Bool
	die := func(op string) error {
		if dead.Load() {
			return errDead
		}
		if mutates(op) && int(calls.Add(1)) == n {
			dead.Store(true)
			cancel()
			return errDead
		}
		return nil
	}
	if after {
		w.engine.SetLostAnswer(die)
		w.engine.SetFault(func(string) error {
			if dead.Load() {
				return errDead
			}
			return nil
		})
	} else {
		w.engine.SetFault(die)
	}
	c := w.controller()
	head := w.repo.head()
	c.Run(ctx, func(s *controller.Status) bool { return s.Converged && s.Commit.ID == head })
	w.engine.SetFault(nil)
	w.engine.SetLostAnswer(nil)
	return dead.Load()
}

// A crash at any boundary between two engine calls, before or after the effect,
// leaves nothing that the next start does not find.
func TestCrashAtEveryBoundaryConverges(t *testing.T) {
	cases := map[string]struct{ before, after []*spec.Model }{
		"create":  {nil, []*spec.Model{model("digits"), model("fraud", replicas(1))}},
		"replace": {[]*spec.Model{model("digits")}, []*spec.Model{model("digits", image("digits:2"))}},
		"scale":   {[]*spec.Model{model("digits")}, []*spec.Model{model("digits", replicas(4))}},
		"delete":  {[]*spec.Model{model("digits"), model("old")}, []*spec.Model{model("digits")}},
	}
	for name, tc := range cases {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, answer lost %t", name, after), func(t *testing.T) {
				boundaries := 0
				for n := 1; ; n++ {
					if !crashOnce(t, n, after, tc.before, tc.after) {
						break
					}
					boundaries++
				}
				if boundaries < 3 {
					t.Errorf("only %d boundaries were tried", boundaries)
				}
			})
		}
	}
}

func crashOnce(t *testing.T, n int, after bool, from, to []*spec.Model) (died bool) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if from != nil {
			w.repo.commit(from...)
			w.converge()
		}
		w.repo.commit(to...)
		died = w.dieAt(n, after)
		w.converge()
		exactly(t, w, to)
	})
	return died
}

// exactly fails the test unless just the replicas of the models exist, all of
// one revision each, and the gateway routes to just these.
func exactly(t interface{ Errorf(string, ...any) }, w *world, models []*spec.Model) {
	want := 0
	for _, m := range models {
		want += m.Replicas
		replicas := w.running(m.Name)
		if len(replicas) != m.Replicas {
			t.Errorf("%d replicas of %s run, want %d", len(replicas), m.Name, m.Replicas)
		}
		for _, r := range replicas {
			if r.Revision != replicas[0].Revision {
				t.Errorf("%s runs in two revisions", m.Name)
			}
		}
	}
	if names := w.names(); len(names) != want {
		t.Errorf("%d containers exist, want %d: %v", len(names), want, names)
	}
	table := w.router.Current()
	if len(table.Models) != len(models) {
		t.Errorf("the gateway routes %d models, want %d", len(table.Models), len(models))
	}
}

// Whatever sequence of commits, alterations and lost answers: it converges to
// just what Git says, the plan is empty, and a second run changes nothing.
func TestAnySequenceConverges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.IntRange(1, 3).Draw(rt, "steps")
		var configs [][]*spec.Model
		for range steps {
			configs = append(configs, anyModels(rt))
		}
		lose := rapid.SampledFrom([]string{"", "create", "start", "stop", "remove"}).Draw(rt, "lose")
		alter := rapid.IntRange(0, 5).Draw(rt, "alter")
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.limits = plan.Limits{AllowEmpty: true, AllowDestroy: true}
			for _, models := range configs {
				w.loseOnce(lose)
				w.repo.commit(models...)
				c := w.converge()
				exactly(rt, w, models)
				if p := c.Plan(time.Now()); !p.Empty() {
					rt.Errorf("plan after convergence: %+v", p.Changes)
				}
				before := w.engine.Mutations()
				w.converge()
				if got := w.engine.Mutations() - before; got != 0 {
					rt.Errorf("the second run made %d mutating calls", got)
				}
				w.alterOne(alter)
			}
		})
	})
}

func anyModels(rt *rapid.T) []*spec.Model {
	var models []*spec.Model
	for _, name := range []string{"a", "b", "c"} {
		if !rapid.Bool().Draw(rt, name) {
			continue
		}
		models = append(models, model(name, func(m *spec.Model) {
			m.Image = rapid.SampledFrom([]string{"digits:1", "digits:2", "digits:3"}).Draw(rt, "image")
			m.Replicas = rapid.IntRange(0, 4).Draw(rt, "replicas")
			m.Port = rapid.SampledFrom([]int{8080, 9000}).Draw(rt, "port")
			m.Container.Resources.Memory = rapid.SampledFrom([]int64{1 << 28, 1 << 29}).Draw(rt, "memory")
			if rapid.Bool().Draw(rt, "secret") {
				m.Container.Env = map[string]spec.EnvValue{"TOKEN": {Secret: "token"}, "THREADS": {Value: "2"}}
			}
		}))
	}
	// Paths go from one model to another between two commits, and so do fallbacks.
	for _, path := range []string{"/x", "/y", "/z"} {
		if len(models) == 0 {
			break
		}
		m := rapid.SampledFrom(models).Draw(rt, path)
		r := spec.Route{Path: path, Timeout: time.Second}
		if other := rapid.SampledFrom(models).Draw(rt, "fallback"); other != m {
			r.Fallback = other.Name
		}
		m.Routes = append(m.Routes, r)
	}
	return models
}

// loseOnce loses the answer of the next call of an operation.
func (w *world) loseOnce(op string) {
	var lost atomic.Bool
	w.engine.SetLostAnswer(func(got string) error {
		if got == op && lost.CompareAndSwap(false, true) {
			return fmt.Errorf("answer lost: %w", reconcile.ErrUnavailable)
		}
		return nil
	})
}

func (w *world) alterOne(how int) {
	for _, c := range w.engine.All() {
		if c.Kind != spec.KindModel {
			continue
		}
		var err error
		switch how {
		case 0:
			err = w.engine.Kill(c.ID)
		case 1:
			err = w.engine.RemoveByHand(c.ID)
		case 2:
			err = w.engine.RenameByHand(c.ID, "mine")
		case 3:
			err = w.engine.SetLimits(c.ID, reconcile.Limits{})
		case 4:
			err = w.engine.Disconnect(c.ID)
		case 5:
			err = w.engine.Pause(c.ID)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		return
	}
}
