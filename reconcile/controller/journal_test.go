package controller_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// canary is a rollout with two steps and no check.
func canary(change ...func(*spec.Rollout)) func(*spec.Model) {
	return func(m *spec.Model) {
		m.Rollout = &spec.Rollout{
			Strategy: spec.Canary, Steps: []spec.RolloutStep{{Weight: 10, Hold: time.Minute}, {Weight: 50, Hold: time.Minute}},
			ProgressDeadline: time.Hour, Velocity: spec.VelocityRestart, OnFailure: spec.ActionRollback, OnDeadline: spec.ActionRollback,
		}
		for _, f := range change {
			f(m.Rollout)
		}
	}
}

func approval(r *spec.Rollout) { r.Steps[1].Approval = true }

// weights are the shares of the revisions of a model, by the table in force.
func (w *world) weights(model string) map[string]int {
	view := reconcile.RouterView{Table: w.router.Current()}
	shares := map[string]int{}
	if m := view.Model(model); m != nil {
		for _, r := range m.Revisions {
			if r.Weight > 0 {
				shares[r.Revision] = r.Weight
			}
		}
	}
	return shares
}

func modelOf(s *controller.Status, name string) *controller.ModelStatus {
	for i := range s.Models {
		if s.Models[i].Name == name {
			return &s.Models[i]
		}
	}
	return &controller.ModelStatus{}
}

func TestNothingHappensBeforeADecisionIsJournaled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits", canary()))
		w.during(func(c *controller.Controller) {
			gate := make(chan struct{})
			w.books.set(func(b *books) { b.gate = gate })
			mutations, pushes := w.engine.Mutations(), w.router.Pushes()
			w.repo.commit(model("digits", canary(), image("digits:2")))
			c.Sync()
			w.await(c, "the commit", func(s *controller.Status) bool { return s.Commit.ID == w.repo.head() })
			time.Sleep(20 * time.Second) // virtual
			if got := w.engine.Mutations() - mutations; got != 0 {
				t.Errorf("%d engine calls for an entry that is not durable", got)
			}
			if got := w.router.Pushes() - pushes; got != 0 {
				t.Errorf("%d tables for an entry that is not durable", got)
			}
			if s := c.Status(); s.Converged || modelOf(s, "digits").Rollout != nil {
				t.Errorf("the status tells of the decision already: %+v", modelOf(s, "digits"))
			}
			close(gate)
			w.await(c, "the rollout", func(s *controller.Status) bool {
				return modelOf(s, "digits").Rollout != nil && len(w.running("digits")) > 2
			})
		})
	})
}

// slowSnapshots takes its time to store a revision.
type slowSnapshots struct {
	reconcile.Snapshots
	stored func()
}

func (s slowSnapshots) Keep(ctx context.Context, snapshot reconcile.Snapshot) error {
	time.Sleep(5 * time.Second) // virtual
	err := s.Snapshots.Keep(ctx, snapshot)
	s.stored()
	return err
}

// A daemon that dies, and whose remote goes away, has to find the revision that it
// decided by: with the one before it would take back what it has begun.
func TestRevisionIsStoredBeforeAnythingIsDecidedByIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits", canary()))
		var decided []int // when a revision had been stored
		slow := func(o *controller.Options) {
			o.Snapshots = slowSnapshots{w.repo, func() { decided = append(decided, len(w.books.actions("digits"))) }}
		}
		w.during(func(c *controller.Controller) {
			before := len(w.books.actions("digits"))
			w.repo.commit(model("digits", canary(), image("digits:2")))
			c.Sync()
			w.await(c, "the rollout", func(s *controller.Status) bool { return modelOf(s, "digits").Rollout != nil })
			if want := []int{0, before}; !slices.Equal(decided, want) {
				t.Errorf("when the revisions were stored there were %v decisions, want %v", decided, want)
			}
		}, slow)
	})
}

// A daemon that starts has a transition to write before the gateway has told what
// it routes. Until both are done, what is in force stays.
func TestStartWithATransitionKeepsTheRoutesInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits", canary()))
		w.converge()
		before := w.weights("digits")
		w.repo.commit(model("digits", canary(), image("digits:2")))
		gate := make(chan struct{})
		w.books.set(func(b *books) { b.gate = gate })
		w.router.SetDown(errors.New("it is slow to answer"))
		c := w.controller()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { c.Run(ctx, nil) })
		w.await(c, "the commit", func(s *controller.Status) bool { return s.Commit.ID == w.repo.head() })
		time.Sleep(5 * time.Second) // virtual
		pushes := w.router.Pushes()
		w.router.SetDown(nil)
		time.Sleep(5 * time.Second) // virtual
		if got := w.weights("digits"); !maps.Equal(got, before) || w.router.Pushes() != pushes {
			t.Errorf("before the entry is durable %v is routed after %d pushes, want %v as before", got, w.router.Pushes()-pushes, before)
		}
		close(gate)
		w.await(c, "the rollout", func(s *controller.Status) bool { return modelOf(s, "digits").Rollout != nil })
		cancel()
		wg.Wait()
	})
}

func TestHealingGoesOnForOtherModelsWhileTheJournalHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"), model("fraud"))
		w.during(func(c *controller.Controller) {
			gate := make(chan struct{})
			w.books.set(func(b *books) { b.gate = gate })
			w.repo.commit(model("digits", image("digits:2")), model("fraud"))
			c.Sync()
			w.await(c, "the commit", func(s *controller.Status) bool { return s.Commit.ID == w.repo.head() })
			if err := w.engine.Kill(w.running("fraud")[0].ID); err != nil {
				t.Fatal(err)
			}
			w.await(c, "healing", func(*controller.Status) bool { return len(w.running("fraud")) == 2 })
			close(gate)
		})
	})
}

func TestTrafficStaysWhileTheJournalCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits", canary()))
		w.during(func(c *controller.Controller) {
			before := w.weights("digits")
			w.books.set(func(b *books) { b.fail = errFull })
			w.repo.commit(model("digits", canary(), image("digits:2")))
			c.Sync()
			w.await(c, "the complaint", func(s *controller.Status) bool {
				return strings.Contains(s.Journal.Broken, errFull.Error()) && strings.Contains(modelOf(s, "digits").Error, errFull.Error())
			})
			time.Sleep(10 * time.Minute) // virtual
			if got := w.weights("digits"); !equalMaps(got, before) || len(w.running("digits")) != 2 {
				t.Errorf("the traffic goes to %v, went to %v; %d replicas run", got, before, len(w.running("digits")))
			}
			// What was decided is healed all the same.
			if err := w.engine.Kill(w.running("digits")[0].ID); err != nil {
				t.Fatal(err)
			}
			w.await(c, "the dead replica to be started", func(*controller.Status) bool {
				m := w.router.Current().Models[0]
				return len(w.running("digits")) == 2 && len(m.Find(m.Serving()).Replicas) == 2
			})
			w.books.set(func(b *books) { b.fail = nil })
			w.await(c, "the promotion", func(s *controller.Status) bool { return s.Converged && s.Journal.Broken == "" })
			if got := w.weights("digits"); equalMaps(got, before) {
				t.Errorf("the traffic goes to %v still", got)
			}
		})
	})
}

func equalMaps(a, b map[string]int) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

func TestNothingIsDecidedBeforeTheJournalIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"))
		w.books.set(func(b *books) { b.closed = errAway })
		c := w.controller()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { c.Run(ctx, nil); close(ended) }()
		w.await(c, "the complaint", func(s *controller.Status) bool {
			return strings.Contains(s.Journal.Broken, "away") && len(s.Models) == 1
		})
		time.Sleep(time.Minute) // virtual
		if got := w.names(); len(got) != 0 {
			t.Errorf("%v run", got)
		}
		if _, err := c.Order(ctx, rollout.Act{Kind: rollout.ActPause, Model: "digits"}); !errors.Is(err, controller.ErrNotJournaled) {
			t.Errorf("an order meanwhile: %v", err)
		}
		w.books.set(func(b *books) { b.closed = nil })
		w.await(c, "convergence", func(s *controller.Status) bool { return s.Converged && s.Journal.Broken == "" })
		cancel()
		<-ended
	})
}

func TestRestartGoesOnWhereTheRolloutWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits", canary(approval)))
		w.converge()
		w.repo.commit(model("digits", canary(approval), image("digits:2")))
		run := func(until func(*controller.Status) bool) {
			c := w.controller()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			c.Run(ctx, until)
			if ctx.Err() != nil {
				t.Fatalf("in vain:\n%s", w.describe(c))
			}
		}
		step := func(n, weight int) func(*controller.Status) bool {
			return func(s *controller.Status) bool {
				r := modelOf(s, "digits").Rollout
				return r != nil && r.Step == n && r.Weight == weight
			}
		}
		run(step(1, 10))
		mutations := w.engine.Mutations()
		run(step(2, 50))
		started := w.books.record("digits").Rollout.Started
		run(func(s *controller.Status) bool {
			r := modelOf(s, "digits").Rollout
			return r != nil && r.Activity == rollout.Approval
		})
		record := w.books.record("digits")
		if !record.Rollout.Started.Equal(started) || w.engine.Mutations() != mutations {
			t.Errorf("the rollout began anew: %+v, %d engine calls", record.Rollout, w.engine.Mutations()-mutations)
		}
		if starts := slices.DeleteFunc(w.books.actions("digits"), func(a journal.Action) bool { return a != journal.ActionStart }); len(starts) != 2 {
			t.Errorf("%d rollouts were started", len(starts))
		}
	})
}

func TestOrdersAreJournaledWithTheirActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits", canary(approval)))
		w.during(func(c *controller.Controller) {
			w.repo.commit(model("digits", canary(approval), image("digits:2")))
			c.Sync()
			w.await(c, "the approval to be wanted", func(s *controller.Status) bool {
				r := modelOf(s, "digits").Rollout
				return r != nil && r.Activity == rollout.Approval
			})
			candidate := modelOf(c.Status(), "digits").Rollout.Candidate.Revision
			act := rollout.Act{Kind: rollout.ActPromote, Model: "digits", Actor: "ann", Reason: "looks good", Revision: candidate, Step: 1}

			late := act
			late.Step = 0
			if _, err := c.Order(t.Context(), late); !errors.Is(err, rollout.ErrMovedOn) {
				t.Errorf("an order about the step before: %v", err)
			}
			undo := act
			undo.Kind, undo.Model = rollout.ActUndo, "nothing"
			if _, err := c.Order(t.Context(), undo); !errors.Is(err, rollout.ErrImpossible) {
				t.Errorf("an order about no model: %v", err)
			}
			w.books.set(func(b *books) { b.fail = errFull })
			if _, err := c.Order(t.Context(), act); !errors.Is(err, controller.ErrNotJournaled) || !errors.Is(err, errFull) {
				t.Errorf("an order that cannot be journaled: %v", err)
			}
			if r := modelOf(c.Status(), "digits").Rollout; r == nil || r.Activity != rollout.Approval {
				t.Errorf("it had an effect: %+v", r)
			}
			w.books.set(func(b *books) { b.fail = nil })
			entry, err := c.Order(t.Context(), act)
			if err != nil || entry.Actor != "ann" || entry.Reason != "looks good" || entry.Action != journal.ActionApprove || entry.Commit != w.repo.head() {
				t.Fatalf("the order gave %+v, %v", entry, err)
			}
			w.await(c, "the promotion", func(s *controller.Status) bool {
				return s.Converged && modelOf(s, "digits").Stable.Revision == candidate && len(w.running("digits")) == 2
			})
			if last := modelOf(c.Status(), "digits").Last; last == nil || last.Outcome != journal.Promoted {
				t.Errorf("the rollout ended as %+v", last)
			}
		})
	})
}

// Nothing but the approval is new in the commit that brings it.
func TestApprovalInGitLetsTheRolloutGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits", canary(approval)))
		w.during(func(c *controller.Controller) {
			cfg := w.repo.commit(model("digits", canary(approval), image("digits:2")))
			c.Sync()
			waits := func(s *controller.Status) bool {
				r := modelOf(s, "digits").Rollout
				return r != nil && r.Activity == rollout.Approval
			}
			w.await(c, "the approval to be wanted", waits)
			candidate := modelOf(c.Status(), "digits").Rollout.Candidate.Revision
			approved := *cfg
			approved.Approvals = []*spec.Approval{{Model: "digits", Revision: candidate, Step: 1}, {Model: "gone", Revision: candidate, Step: 2}}
			w.repo.commitConfig(&approved)
			head := w.repo.head()
			c.Sync()
			w.await(c, "the commit to be followed", func(s *controller.Status) bool { return s.Commit.ID == head && waits(s) })
			again := approved
			again.Approvals = []*spec.Approval{{Model: "digits", Revision: candidate, Step: 2}}
			w.repo.commitConfig(&again)
			c.Sync()
			w.await(c, "the promotion", func(s *controller.Status) bool {
				return s.Converged && modelOf(s, "digits").Stable.Revision == candidate
			})
			if n := len(slices.DeleteFunc(w.books.actions("digits"), func(a journal.Action) bool { return a != journal.ActionApprove })); n != 1 {
				t.Errorf("it was approved %d times", n)
			}
		})
	})
}

func TestOrdersAreTakenWhileTheEngineAndGitAreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits", canary(approval)))
		w.converge()
		w.repo.commit(model("digits", canary(approval), image("digits:2")))
		c := w.controller()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		c.Run(ctx, func(s *controller.Status) bool { return modelOf(s, "digits").Rollout != nil })
		candidate := w.books.record("digits").Rollout.Candidate.Revision

		w.engine.SetDown(true)
		w.repo.set(func(r *repo) { r.down, r.kept = errAway, nil })
		c = w.controller()
		running, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { c.Run(running, nil); close(ended) }()
		w.await(c, "the engine's outage to be known", func(s *controller.Status) bool { return s.Engine.Error != "" && s.Source.Error != "" })
		if _, err := c.Order(ctx, rollout.Act{Kind: rollout.ActAbort, Model: "digits", Actor: "ann", Reason: "no", Revision: candidate}); err != nil {
			t.Error(err)
		}
		if r := w.books.record("digits"); r.Rollout != nil || len(r.Rejected) != 1 {
			t.Errorf("the record is %+v", r)
		}
		stop()
		<-ended
	})
}

func TestAbortTakesTheTrafficBackWhileCommandsAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		steps := canary(func(r *spec.Rollout) { r.Steps[0].Hold, r.Steps[1].Hold = time.Second, time.Hour })
		w.repo.commit(model("digits", steps, replicas(4)))
		w.during(func(c *controller.Controller) {
			stable := w.running("digits")[0].Revision
			w.repo.commit(model("digits", steps, replicas(4), image("digits:2")))
			c.Sync()
			w.await(c, "half of the traffic", func(*controller.Status) bool { return w.weights("digits")[stable] == 50 })
			// From now on every start hangs for a minute.
			w.engine.SetFault(func(op string) error {
				if op == "start" {
					time.Sleep(time.Minute)
				}
				return nil
			})
			if err := w.engine.Kill(w.running("digits")[0].ID); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second) // virtual; the start of the dead replica is under way
			candidate := modelOf(c.Status(), "digits").Rollout.Candidate.Revision
			start := time.Now()
			if _, err := c.Order(t.Context(), rollout.Act{Kind: rollout.ActAbort, Model: "digits", Actor: "ann", Reason: "no", Revision: candidate, Step: 1}); err != nil {
				t.Fatal(err)
			}
			w.await(c, "all of the traffic to be back", func(*controller.Status) bool { return w.weights("digits")[stable] == 100 })
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
			w.engine.SetFault(nil)
			w.await(c, "the candidate to be held", func(s *controller.Status) bool { return modelOf(s, "digits").Phase == rollout.Held })
			if r := modelOf(c.Status(), "digits").Rejected; len(r) != 1 || r[0].Actor != "ann" {
				t.Errorf("the ledger holds %+v", r)
			}
		})
	})
}

func TestRecordFollowsAMovedModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"))
		w.converge()
		stable := w.books.record("digits").Stable.Revision
		cfg := w.repo.commit(model("numbers"))
		cfg.Moved = moved("digits", "numbers")
		w.converge()
		if got := w.books.record("numbers"); got.Stable == nil || got.Stable.Revision != stable || got.Model != "numbers" {
			t.Errorf("the record is %+v", got)
		}
		if got := w.books.actions("digits"); got[len(got)-1] != journal.ActionRemove {
			t.Errorf("the old name has %v", got)
		}
		if got := w.books.actions("numbers"); !slices.Equal(got, []journal.Action{journal.ActionAdopt}) {
			t.Errorf("the new name has %v", got)
		}
	})
}

func TestMovedModelServesUnderItsOldNameUntilTheMoveIsJournaled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"))
		w.during(func(c *controller.Controller) {
			gate := make(chan struct{})
			w.books.set(func(b *books) { b.gate = gate })
			cfg := w.repo.commit(model("numbers"))
			cfg.Moved = moved("digits", "numbers")
			c.Sync()
			w.await(c, "the commit", func(s *controller.Status) bool { return s.Commit.ID == w.repo.head() })
			time.Sleep(10 * time.Second) // virtual
			if got := w.router.Current().Models; len(got) != 1 || got[0].Name != "digits" || len(got[0].Revisions[0].Replicas) != 2 {
				t.Errorf("the gateway routes %+v", got)
			}
			close(gate)
			w.await(c, "the new name", func(s *controller.Status) bool {
				serving(t, w)
				got := w.router.Current().Models
				return s.Converged && len(got) == 1 && got[0].Name == "numbers" && len(s.Models) == 1
			})
		})
	})
}

func TestRecordOfAModelThatLeftGitIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"), model("old"))
		w.converge()
		w.repo.commit(model("digits"))
		w.converge()
		if got := w.books.actions("old"); got[len(got)-1] != journal.ActionRemove || w.books.record("old").Model != "" {
			t.Errorf("the journal has %v of it", got)
		}
	})
}

// A daemon that dies at any entry, just before it is durable or just after,
// leaves a journal in which the next one finds where things stand: it says the
// same in the end as one that nobody interrupted.
func TestCrashAtEveryEntryLeavesNeitherGapNorDuplicate(t *testing.T) {
	run := func(t *testing.T, dieAt int, after bool) (actions []journal.Action, died bool) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.repo.commit(model("digits", canary(), replicas(4)))
			w.converge()
			w.repo.commit(model("digits", canary(), replicas(4), image("digits:2")))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			appends := 0
			die := func() error {
				if appends++; appends < dieAt {
					return nil
				}
				died = true
				cancel()
				return errDead
			}
			w.books.set(func(b *books) {
				if after {
					b.after = die
				} else {
					b.before = die
				}
			})
			w.controller().Run(ctx, func(s *controller.Status) bool { return s.Converged && s.Commit.ID == w.repo.head() })
			w.books.set(func(b *books) { b.before, b.after = nil, nil })
			w.converge()
			actions = w.books.actions("digits")
		})
		return actions, died
	}
	want, _ := run(t, 1_000, false)
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			got, died := run(t, n, after)
			if !died {
				if n < 5 {
					t.Errorf("only %d entries were written", n-1)
				}
				break
			}
			if !slices.Equal(got, want) {
				t.Errorf("died at entry %d, durable %t: the journal has %v, want %v", n, after, got, want)
			}
		}
	}
}
