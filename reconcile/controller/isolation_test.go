package controller_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/spec"
)

// routesOf are the paths that lead to a model, by the table in force.
func (w *world) routesOf(name string) string {
	view := reconcile.RouterView{Table: w.router.Current()}
	m := view.Model(name)
	if m == nil {
		return ""
	}
	var paths []string
	for _, r := range m.Routes {
		paths = append(paths, r.Path)
	}
	return strings.Join(paths, " ")
}

func TestRouteGoesFromOneModelToAnotherInOneCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("a", route("/x")), model("z"))
		w.converge()
		w.repo.commit(model("b", route("/x")), model("z", replicas(3)))
		w.converge()
		if w.routesOf("b") != "/x" || len(w.running("a")) != 0 || len(w.running("z")) != 3 {
			t.Errorf("b has %q; %d replicas of a and %d of z run", w.routesOf("b"), len(w.running("a")), len(w.running("z")))
		}
	})
}

func TestModelThatCannotBeBoundGivesItsRouteUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("a", route("/x")), model("z"))
		w.during(func(c *controller.Controller) {
			w.repo.commit(model("a", image("nowhere:1")), model("b", route("/x")), model("z", route("/z")))
			c.Sync()
			w.await(c, "the routes of the commit", func(*controller.Status) bool {
				return w.routesOf("b") == "/x" && w.routesOf("z") == "/z" && len(w.running("a")) == 2
			})
		})
	})
}

func TestEntryThatNoGatewayTakesIsThatModelsTroubleAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("a", route("not a path")), model("z", route("/z")))
		c := w.controller()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		c.Run(ctx, nil)
		if w.routesOf("z") != "/z" {
			t.Errorf("z has the routes %q", w.routesOf("z"))
		}
		if s := c.Status(); !strings.Contains(s.Models[0].Error, "not a path") || s.Models[1].Error != "" {
			t.Errorf("errors: %q of a, %q of z", s.Models[0].Error, s.Models[1].Error)
		}
	})
}

func address(name string) spec.Address { return spec.Address{Kind: spec.KindModel, Name: name} }

func moved(names ...string) []spec.Moved {
	var blocks []spec.Moved
	for i := range names[1:] {
		blocks = append(blocks, spec.Moved{From: address(names[i]), To: address(names[i+1])})
	}
	return blocks
}

func TestChainOfMovesKeepsTheContainers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("a"))
		w.converge()
		before := w.names()
		for _, chain := range [][]string{{"a", "b"}, {"a", "b", "c"}} {
			w.repo.commitConfig(&spec.Config{Environment: "test", Models: []*spec.Model{model(chain[len(chain)-1])}, Moved: moved(chain...)})
			w.converge()
			if got := w.names(); !slices.Equal(got, before) {
				t.Errorf("containers are %v after %v, were %v", got, chain, before)
			}
		}
	})
}

// slowPull takes its time for one image.
type slowPull struct {
	reconcile.Runtime
	ref  string
	time time.Duration
}

func (s *slowPull) EnsureImage(ctx context.Context, image reconcile.Image, progress func(reconcile.PullProgress)) error {
	if image.Ref == s.ref {
		select {
		case <-time.After(s.time):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.Runtime.EnsureImage(ctx, image, progress)
}

func slowly(ref string, d time.Duration) func(*controller.Options) {
	return func(o *controller.Options) { o.Runtime = &slowPull{o.Runtime, ref, d} }
}

func TestPullHoldsUpNeitherHealingNorANewerCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("a"), model("z"))
		w.during(func(c *controller.Controller) {
			before := w.names()
			w.repo.commit(model("a", image("digits:2"), replicas(8)), model("z"))
			c.Sync()
			w.await(c, "the pull", func(s *controller.Status) bool { return s.Commit.ID == w.repo.head() })
			if err := w.engine.Kill(w.running("z")[0].ID); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			w.await(c, "healing", func(*controller.Status) bool { return len(w.running("z")) == 2 })
			w.repo.commit(model("a"), model("z"))
			c.Sync()
			w.await(c, "the commit that takes it back", func(s *controller.Status) bool { return s.Converged && s.Commit.ID == w.repo.head() })
			if took := time.Since(start); took > 2*time.Minute {
				t.Errorf("it took %s", took)
			}
			if got := w.names(); !slices.Equal(got, before) {
				t.Errorf("containers are %v, were %v", got, before)
			}
		}, slowly("digits:2", time.Hour))
	})
}

func TestMoveOfAModelThatIsBeingReplacedLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("a"))
		w.during(func(c *controller.Controller) {
			before := w.names()
			w.repo.commit(model("a", image("digits:2")))
			c.Sync()
			w.await(c, "the pull", func(s *controller.Status) bool { return s.Commit.ID == w.repo.head() })
			w.repo.commitConfig(&spec.Config{Environment: "test", Models: []*spec.Model{model("b")}, Moved: moved("a", "b")})
			c.Sync()
			w.await(c, "the move", func(s *controller.Status) bool { return s.Converged && s.Commit.ID == w.repo.head() })
			if got := w.names(); !slices.Equal(got, before) {
				t.Errorf("containers are %v, were %v", got, before)
			}
		}, slowly("digits:2", time.Minute))
	})
}

func TestServingRevisionIsHealedWhileTheNewOneIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var old atomic.Value
		w.router = memory.NewRouter(func(id string) bool {
			if w.engine.StateOf(id) != reconcile.StateRunning {
				return false
			}
			ids, stuck := old.Load().([]string)
			return !stuck || slices.Contains(ids, id)
		}, time.Now)
		w.repo.commit(model("digits"))
		w.during(func(c *controller.Controller) {
			var ids []string
			for _, r := range w.running("digits") {
				ids = append(ids, r.ID)
			}
			old.Store(ids)
			w.repo.commit(model("digits", image("digits:2")))
			c.Sync()
			w.await(c, "the new revision to run", func(*controller.Status) bool { return len(w.running("digits")) == 4 })
			for _, id := range ids {
				if err := w.engine.Kill(id); err != nil {
					t.Fatal(err)
				}
			}
			w.await(c, "the old one to come back", func(*controller.Status) bool {
				return w.engine.StateOf(ids[0]) == reconcile.StateRunning && w.engine.StateOf(ids[1]) == reconcile.StateRunning
			})
		})
	})
}

// flakyRouter loses the answer of one push, or is gone for good after it.
type flakyRouter struct {
	reconcile.Router
	after int32 // pushes that go well
	gone  bool  // it answers nothing any more
	n     atomic.Int32
}

var errNoAnswer = errors.New("no answer")

func (f *flakyRouter) Push(ctx context.Context, endpoint string, table reconcile.Table) error {
	n := f.n.Add(1)
	err := f.Router.Push(ctx, endpoint, table)
	if n == f.after+1 || f.gone && n > f.after {
		return errors.Join(errNoAnswer, reconcile.ErrRouterUnavailable)
	}
	return err
}

func (f *flakyRouter) Report(ctx context.Context, endpoint string, since uint64, wait time.Duration) (reconcile.Report, error) {
	if f.gone && f.n.Load() > f.after {
		return reconcile.Report{}, errors.Join(errNoAnswer, reconcile.ErrRouterUnavailable)
	}
	return f.Router.Report(ctx, endpoint, since, wait)
}

// stubborn lets no second replica be created.
type stubborn struct{ reconcile.Runtime }

func (s *stubborn) Create(ctx context.Context, c reconcile.ContainerSpec) (string, error) {
	if c.Labels[reconcile.LabelReplica] == "2" {
		return "", errors.New("the name is taken by a stranger")
	}
	return s.Runtime.Create(ctx, c)
}

// Whatever goes wrong, the loop sleeps until something can change. In a synctest
// bubble a loop that spins would keep time from passing at all.
func TestLoopSleepsWhileItCanDoNothing(t *testing.T) {
	cases := map[string]func(w *world, o *controller.Options){
		"the answer to a push is lost": func(_ *world, o *controller.Options) { o.Router = &flakyRouter{Router: o.Router} },
		"the answer to a later push is lost": func(_ *world, o *controller.Options) {
			o.Router = &flakyRouter{Router: o.Router, after: 1}
		},
		"the gateway is gone": func(_ *world, o *controller.Options) { o.Router = &flakyRouter{Router: o.Router, gone: true} },
		"a launch fails while another replica misses its deadline": func(w *world, o *controller.Options) {
			o.Runtime = &stubborn{o.Runtime}
			w.router = memory.NewRouter(func(string) bool { return false }, time.Now)
			o.Router = w.router
		},
		"the engine is away": func(w *world, _ *controller.Options) { w.engine.SetDown(true) },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.repo.commit(model("digits"))
				c := w.controller(func(o *controller.Options) { change(w, o) })
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				turns := 0
				c.Run(ctx, func(*controller.Status) bool { turns++; return false })
				if turns > 1500 {
					t.Errorf("%d turns in ten minutes", turns)
				}
			})
		})
	}
}
