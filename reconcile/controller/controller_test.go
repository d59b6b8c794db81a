package controller_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestModelsOfACommitServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"), model("fraud", replicas(3)))
		c := w.converge()
		if got := len(w.running("digits")) + len(w.running("fraud")); got != 5 {
			t.Errorf("%d replicas run, want 5", got)
		}
		entry := (&reconcile.RouterView{Table: w.router.Current()}).Model("fraud")
		if entry == nil || len(entry.Revisions) != 1 || entry.Revisions[0].Weight != 100 || len(entry.Revisions[0].Replicas) != 3 {
			t.Errorf("fraud is routed by %+v", entry)
		}
		if p := c.Plan(time.Now()); !p.Empty() {
			t.Errorf("the plan after convergence is not empty: %+v", p.Changes)
		}
	})
}

func TestSecondRunMutatesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"))
		w.converge()
		before, pushes := w.engine.Mutations(), w.router.Pushes()
		w.converge()
		if got := w.engine.Mutations() - before; got != 0 {
			t.Errorf("the second run made %d mutating calls", got)
		}
		if got := w.router.Pushes() - pushes; got != 0 {
			t.Errorf("the second run pushed %d tables", got)
		}
	})
}

// A new revision takes over only when all of it is ready, and the old one goes
// only when the gateway has let go of it. At no moment is there nobody to answer.
func TestNewRevisionReplacesTheOldOneWithoutAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"))
		w.during(func(c *controller.Controller) {
			old := w.running("digits")
			oldRevision := old[0].Revision
			w.router.SetInFlight(old[0].ID, 1)
			w.repo.commit(model("digits", image("digits:2")))
			c.Sync()
			w.await(c, "the new revision to serve", func(s *controller.Status) bool {
				serving(t, w)
				table := w.router.Current()
				return table.Models[0].Serving() != oldRevision
			})
			if w.engine.StateOf(old[0].ID) != reconcile.StateRunning {
				t.Fatal("the replica with an open request was stopped")
			}
			w.router.SetInFlight(old[0].ID, 0)
			w.await(c, "the old revision to go", func(s *controller.Status) bool { serving(t, w); return s.Converged })
			for _, r := range w.running("digits") {
				if r.Revision == oldRevision {
					t.Errorf("%s is left", r.Name)
				}
			}
		})
	})
}

// serving fails the test if no healthy replica takes the requests of digits.
func serving(t *testing.T, w *world) {
	t.Helper()
	m := w.router.Current().Models[0]
	for _, r := range m.Find(m.Serving()).Replicas {
		if !r.Drain && w.engine.StateOf(r.ID) == reconcile.StateRunning {
			return
		}
	}
	t.Fatalf("nobody answers: %+v", m)
}

func TestScaleKeepsContainers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"))
		w.converge()
		before := w.names()
		w.repo.commit(model("digits", replicas(4)))
		w.converge()
		if after := w.names(); len(after) != 4 || !slices.Equal(after[:2], before) {
			t.Errorf("scaled from %v to %v", before, after)
		}
		w.repo.commit(model("digits", replicas(1)))
		w.converge()
		if after := w.names(); !slices.Equal(after, before[:1]) {
			t.Errorf("scaled down to %v, want %v", after, before[:1])
		}
	})
}

func TestRoutesAndHealthChangeInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"))
		w.converge()
		mutations := w.engine.Mutations()
		w.repo.commit(model("digits", func(m *spec.Model) {
			m.Routes = []spec.Route{{Path: "/digits", Timeout: time.Second}}
			m.Health.Path = "/other"
		}))
		w.converge()
		m := w.router.Current().Models[0]
		if len(m.Routes) != 1 || m.Revisions[0].Health.Path != "/other" {
			t.Errorf("the table in force is %+v", m)
		}
		if got := w.engine.Mutations() - mutations; got != 0 {
			t.Errorf("%d engine calls for a change in place", got)
		}
	})
}

func TestAlterationsByHandAreHealed(t *testing.T) {
	cases := map[string]func(w *world, c reconcile.Container) error{
		"killed":       func(w *world, c reconcile.Container) error { return w.engine.Kill(c.ID) },
		"removed":      func(w *world, c reconcile.Container) error { return w.engine.RemoveByHand(c.ID) },
		"renamed":      func(w *world, c reconcile.Container) error { return w.engine.RenameByHand(c.ID, "mine") },
		"paused":       func(w *world, c reconcile.Container) error { return w.engine.Pause(c.ID) },
		"disconnected": func(w *world, c reconcile.Container) error { return w.engine.Disconnect(c.ID) },
		"limited": func(w *world, c reconcile.Container) error {
			return w.engine.SetLimits(c.ID, reconcile.Limits{Memory: 1})
		},
		"out of memory": func(w *world, c reconcile.Container) error {
			return w.engine.OOMKill(c.ID)
		},
	}
	for name, alter := range cases {
		t.Run(name+" comes back", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.repo.commit(model("digits"))
				w.during(func(c *controller.Controller) {
					names := w.names()
					if err := alter(w, w.running("digits")[0]); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					w.await(c, "healing", func(s *controller.Status) bool {
						return s.Converged && c.Plan(time.Now()).Empty() && len(w.running("digits")) == 2
					})
					if got := w.names(); !slices.Equal(got, names) {
						t.Errorf("healed to %v, want %v", got, names)
					}
				})
			})
		})
	}
}

func TestModelThatLeftGitIsDestroyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"), model("old"))
		w.converge()
		w.repo.commit(model("digits"))
		w.converge()
		if got := w.running("old"); len(got) != 0 {
			t.Errorf("%d replicas of old run", len(got))
		}
		if table := w.router.Current(); len(table.Models) != 1 {
			t.Errorf("the gateway routes %d models, want 1", len(table.Models))
		}
	})
}

func TestMovedModelKeepsItsContainers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"))
		w.converge()
		before := w.names()
		cfg := w.repo.commit(model("numbers"))
		cfg.Moved = []spec.Moved{{From: spec.Address{Kind: spec.KindModel, Name: "digits"}, To: spec.Address{Kind: spec.KindModel, Name: "numbers"}}}
		mutations := w.engine.Mutations()
		w.converge()
		if got := w.names(); !slices.Equal(got, before) || w.engine.Mutations() != mutations {
			t.Errorf("containers are %v after the move, were %v", got, before)
		}
		if table := w.router.Current(); len(table.Models) != 1 || table.Models[0].Name != "numbers" {
			t.Errorf("the gateway routes %+v", table.Models)
		}
	})
}

func TestRemovedModelIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"), model("old"))
		w.converge()
		before := w.names()
		cfg := w.repo.commit(model("digits"))
		cfg.Removed = []spec.Removed{{From: spec.Address{Kind: spec.KindModel, Name: "old"}}}
		w.converge()
		if got := w.names(); !slices.Equal(got, before) {
			t.Errorf("containers are %v, were %v", got, before)
		}
	})
}

func TestGuardsRefuseAccidents(t *testing.T) {
	many := func(names ...string) []*spec.Model {
		var models []*spec.Model
		for _, name := range names {
			models = append(models, model(name, replicas(1)))
		}
		return models
	}
	cases := map[string]struct {
		next    []*spec.Model
		trailer bool
		refused string
	}{
		"an empty repo is refused":                   {nil, false, "declares no model at all"},
		"an empty repo with the trailer passes":      {nil, true, ""},
		"most of the models gone is refused":         {many("a"), false, "would destroy 4 of the 5 models that run"},
		"most of them gone with the trailer passes":  {many("a"), true, ""},
		"two models gone pass":                       {many("a", "b", "c"), false, ""},
		"three of five gone are more than the limit": {many("a", "b"), false, "would destroy 3 of the 5 models that run (60 %, the limit is 50 %)"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.repo.commit(many("a", "b", "c", "d", "e")...)
				w.during(func(c *controller.Controller) {
					if tc.trailer {
						w.repo.set(func(r *repo) { r.trailer = map[string][]string{"Fairlead-Allow-Destroy": {"yes"}} })
					}
					w.repo.commit(tc.next...)
					c.Sync()
					if tc.refused == "" {
						w.await(c, "the smaller state", func(s *controller.Status) bool { return s.Converged && len(w.names()) == len(tc.next) })
						return
					}
					w.await(c, "the refusal", func(s *controller.Status) bool { return strings.Contains(s.Source.Error, tc.refused) })
					time.Sleep(time.Minute) // virtual
					if got := len(w.names()); got != 5 {
						t.Errorf("%d containers are left of 5", got)
					}
					if s := c.Status(); s.Commit.ID != "0000001" || !strings.Contains(s.Source.Error, tc.refused) {
						t.Errorf("later the status follows %s and says %q", s.Commit.ID, s.Source.Error)
					}
				})
				if tc.refused == "" {
					return
				}
				w.during(func(c *controller.Controller) { // a restart
					w.await(c, "the refusal, and the last good revision", func(s *controller.Status) bool {
						return strings.Contains(s.Source.Error, tc.refused) && s.Commit.ID == "0000001" && s.Converged
					})
					if err := w.engine.Kill(w.running("a")[0].ID); err != nil {
						t.Fatal(err)
					}
					w.await(c, "a healed replica", func(*controller.Status) bool { return len(w.running("a")) == 1 })
				})
			})
		})
	}
}

func TestNewerCommitOvertakesAFailingOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.engine.CrashOnStart(w.engine.AddTag("digits:bad", "bad").Pin, 1)
		w.repo.commit(model("digits"))
		w.during(func(c *controller.Controller) {
			good := w.names()
			w.repo.commit(model("digits", image("digits:bad")))
			c.Sync()
			w.await(c, "the trouble to show", func(s *controller.Status) bool {
				serving(t, w)
				return s.Models[0].Phase == rollout.Degraded
			})
			w.repo.commit(model("digits", image("digits:2")))
			c.Sync()
			w.await(c, "the good commit", func(s *controller.Status) bool {
				serving(t, w)
				return s.Converged && s.Commit.ID == w.repo.head()
			})
			if got := w.names(); len(got) != 2 || slices.Equal(got, good) {
				t.Errorf("containers are %v", got)
			}
		})
	})
}

func TestUnknownImageLeavesTheModelAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"), model("fraud"))
		w.during(func(c *controller.Controller) {
			before := w.names()
			w.repo.commit(model("digits", image("nowhere:1")), model("fraud", replicas(3)))
			c.Sync()
			w.await(c, "fraud to grow and digits to complain", func(s *controller.Status) bool {
				return len(w.running("fraud")) == 3 && strings.Contains(s.Models[0].Error, "nowhere:1")
			})
			for _, name := range before {
				if !slices.Contains(w.names(), name) {
					t.Errorf("%s is gone", name)
				}
			}
		})
	})
}

func TestOutageOfTheSourceChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"))
		w.converge()
		w.repo.set(func(r *repo) { r.down = errAway })
		mutations := w.engine.Mutations()
		c := w.controller()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		c.Run(ctx, nil) // five minutes without Git, after a restart
		if got := w.engine.Mutations() - mutations; got != 0 {
			t.Errorf("%d mutating calls while Git is away", got)
		}
		if s := c.Status(); !s.Source.Stale || !strings.Contains(s.Source.Error, "away") || !s.Converged {
			t.Errorf("status: %+v", s.Source)
		}
	})
}

func TestCommitThatDoesNotLoadChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"))
		w.during(func(c *controller.Controller) {
			mutations := w.engine.Mutations()
			w.repo.set(func(r *repo) { r.broken = errAway })
			c.Sync()
			w.await(c, "the error", func(s *controller.Status) bool { return s.Source.Error != "" })
			if err := w.engine.Kill(w.running("digits")[0].ID); err != nil {
				t.Fatal(err)
			}
			w.await(c, "healing all the same", func(*controller.Status) bool { return len(w.running("digits")) == 2 })
			if got := w.engine.Mutations() - mutations; got != 1 {
				t.Errorf("%d mutating calls, want the one that heals", got)
			}
			// Each commit is told once, also one that fails as the one before.
			w.repo.set(func(r *repo) { r.commits = append(r.commits, r.commits[0]) })
			newest := w.repo.head() + "-broken"
			for range 3 {
				c.Sync()
				w.await(c, "the newer commit", func(s *controller.Status) bool { return s.Source.Commit == newest && s.Source.Refused })
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			var refused []string
			for _, e := range w.events {
				if e.Type == controller.CommitRefused {
					refused = append(refused, e.Commit)
				}
			}
			if want := []string{"0000001-broken", newest}; !slices.Equal(refused, want) {
				t.Errorf("refused are told %v, want %v", refused, want)
			}
		})
	})
}

func TestGatewayThatLostItsTableGetsItAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"))
		w.during(func(c *controller.Controller) {
			w.router.Forget()
			w.await(c, "the table", func(s *controller.Status) bool { return s.Converged && len(w.router.Current().Models) == 1 })
		})
	})
}

func TestRetriesWaitLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.engine.SetFault(func(op string) error {
			if op == "create" {
				return errAway
			}
			return nil
		})
		w.repo.commit(model("digits", replicas(1)))
		c := w.controller()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		c.Run(ctx, nil)
		calls := w.engine.Calls()["create"] / 2 // gateway and model
		if calls < 8 || calls > 20 {
			t.Errorf("%d creates in ten minutes, want about 15", calls)
		}
	})
}
