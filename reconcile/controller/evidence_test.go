package controller_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// score is a check that compares one number with a bound.
func score(r *spec.Rollout) {
	least := 0.9
	r.Checks = []spec.Check{{Name: "score", Query: `score{revision="$candidate"}`, Min: &least, Interval: 20 * time.Second}}
}

func value(v float64) []reconcile.Sample { return []reconcile.Sample{{Value: v}} }

// rollOut commits another image of digits and waits until the candidate takes
// requests.
func (w *world) rollOut(c *controller.Controller, change ...func(*spec.Model)) {
	w.t.Helper()
	w.repo.commit(model("digits", append(change, image("digits:2"))...))
	c.Sync()
	w.await(c, "the candidate to take requests", func(s *controller.Status) bool { return len(w.weights("digits")) == 2 })
}

func TestGoodMeasurementsPromote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.asked.samples = value(0.97)
		w.repo.commit(model("digits", canary(score)))
		w.during(func(c *controller.Controller) {
			w.rollOut(c, canary(score))
			w.await(c, "the promotion", func(s *controller.Status) bool { return s.Converged && modelOf(s, "digits").Rollout == nil })
			if last := modelOf(c.Status(), "digits").Last; last.Outcome != journal.Promoted {
				t.Errorf("it ended as %+v", last)
			}
			// Two steps of a minute, with a look at the beginning, every 20 seconds
			// and at the end.
			asked := w.asked.questions()
			if len(asked) < 6 || len(asked) > 10 || !strings.Contains(asked[0], "score{revision=") {
				t.Errorf("%d questions were asked, the first is %q", len(asked), asked[:min(len(asked), 1)])
			}
			measured := 0
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, e := range w.events {
				if e.Type == controller.Measured {
					measured++
				}
			}
			if measured != len(asked) {
				t.Errorf("%d verdicts follow from %d measurements", measured, len(asked))
			}
		})
	})
}

func TestBadMeasurementsRollBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.asked.samples = value(0.97)
		w.repo.commit(model("digits", canary(score)))
		w.during(func(c *controller.Controller) {
			stable := w.running("digits")[0].Revision
			w.rollOut(c, canary(score))
			w.asked.set(func(a *answers) { a.samples = value(0.2) })
			w.await(c, "the rollback", func(s *controller.Status) bool {
				m := modelOf(s, "digits")
				return m.Phase == rollout.Held && w.weights("digits")[stable] == 100 && len(w.running("digits")) == 2
			})
			m := modelOf(c.Status(), "digits")
			if len(m.Rejected) != 1 || m.Rejected[0].Cause != journal.CauseFailed || len(m.Rejected[0].Evidence) != 1 || m.Last.Outcome != journal.RolledBack {
				t.Errorf("the ledger holds %+v", m.Rejected)
			}
			if c.Status().Converged {
				t.Error("a held model counts as converged")
			}
		})
	})
}

func TestOutageOfTheMetricsHoldsTheWeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.asked.samples = value(0.97)
		w.repo.commit(model("digits", canary(score)))
		w.during(func(c *controller.Controller) {
			w.rollOut(c, canary(score))
			w.asked.set(func(a *answers) { a.err = fmt.Errorf("ask the store: %w", reconcile.ErrMetricsUnavailable) })
			weights := w.weights("digits")
			w.await(c, "the complaint", func(s *controller.Status) bool { return s.Metrics.Error != "" })
			time.Sleep(10 * time.Minute) // virtual
			if got := w.weights("digits"); !equalMaps(got, weights) {
				t.Errorf("the weights are %v, were %v", got, weights)
			}
			if r := modelOf(c.Status(), "digits").Rollout; r == nil || r.Checks[0].Verdict.Outcome != judge.Error || r.Deadline.IsZero() {
				t.Errorf("the status is %+v", r)
			}
			w.asked.set(func(a *answers) { a.err = nil })
			w.await(c, "the promotion", func(s *controller.Status) bool { return s.Converged && s.Metrics.Error == "" })
		})
	})
}

func signed(m *spec.Model) {
	m.Signature = &spec.Signature{Inputs: []spec.Tensor{{Name: "pixels", Datatype: "FP32", Shape: []int64{-1, 64}}}}
	m.Warmup = &spec.Warmup{Request: []byte(`{}`), Count: 3}
}

func TestReplicasAreInspectedBeforeTheyTakeRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.talks.took = 20 * time.Second
		w.talks.verify = []error{errors.New("connection refused")} // once: it is tried again
		w.repo.commit(model("digits", canary(), signed))
		w.during(func(c *controller.Controller) {
			if v, warm := w.talks.count("verify"), w.talks.count("warm"); v != 3 || warm != 2 {
				t.Errorf("%d verifications and %d warm-ups of 2 replicas", v, warm)
			}
			w.repo.commit(model("digits", canary(), signed, image("digits:2")))
			c.Sync()
			w.await(c, "the warm-up", func(s *controller.Status) bool {
				r := modelOf(s, "digits").Rollout
				return r != nil && r.Activity == rollout.Warming
			})
			// Stable is healed meanwhile.
			old := w.running("digits")[0]
			if err := w.engine.Kill(old.ID); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			w.await(c, "healing", func(*controller.Status) bool { return w.engine.StateOf(old.ID) == reconcile.StateRunning })
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("healing took %s, while the candidate warms up", took)
			}
			w.await(c, "the candidate to take requests", func(*controller.Status) bool { return len(w.weights("digits")) == 2 })
		})
	})
}

func TestReplicaThatBreaksItsContractIsRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits", canary(), signed))
		w.during(func(c *controller.Controller) {
			stable := w.running("digits")[0].Revision
			w.talks.set(func(s *talks) {
				s.verify = slices.Repeat([]error{fmt.Errorf("%w: input pixels is FP64", reconcile.ErrContract)}, 9)
			})
			w.repo.commit(model("digits", canary(), signed, image("digits:2")))
			c.Sync()
			w.await(c, "the verdict", func(s *controller.Status) bool {
				m := modelOf(s, "digits")
				return m.Phase == rollout.Held && len(m.Rejected) == 1 && strings.Contains(m.Rejected[0].Reason, "input pixels is FP64")
			})
			if got := w.weights("digits"); got[stable] != 100 {
				t.Errorf("the traffic goes to %v", got)
			}
		})
	})
}

func TestReplicasThatServeAreNotInspectedAgainAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits", canary(), signed))
		w.converge()
		calls := w.talks.count("verify") + w.talks.count("warm")
		pushes := w.router.Pushes()
		w.during(func(c *controller.Controller) {
			time.Sleep(time.Minute) // virtual
			if got := w.talks.count("verify") + w.talks.count("warm"); got != calls || w.router.Pushes() != pushes {
				t.Errorf("%d inspections and %d tables after a restart", got-calls, w.router.Pushes()-pushes)
			}
			// One that was started anew is cold.
			if err := w.engine.Kill(w.running("digits")[0].ID); err != nil {
				t.Fatal(err)
			}
			w.await(c, "an inspection", func(s *controller.Status) bool {
				return s.Converged && w.talks.count("verify")+w.talks.count("warm") == calls+2
			})
		})
	})
}

func TestScrapesFollowWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.asked.samples = value(0.97)
		own := func(m *spec.Model) {
			m.Metrics = &spec.Scrape{Path: "/metrics", Port: 9000, Interval: 15 * time.Second}
		}
		w.repo.commit(model("digits", canary(score), own, replicas(1)), model("fraud"))
		w.during(func(c *controller.Controller) {
			targets := w.aim.now()
			if len(targets) != 2 || targets[0].Job != "gateway" || targets[0].Interval != 15*time.Second ||
				targets[0].Labels["environment"] == "" || !strings.HasPrefix(targets[0].Labels["instance"], "gateway-") || targets[1].Labels["model"] != "digits" ||
				targets[1].Labels["replica"] != "1" || !strings.HasSuffix(targets[1].Address, ":9000") {
				t.Errorf("scraped is %+v", targets)
			}
			calls := w.aim.calls
			time.Sleep(5 * time.Minute) // virtual
			if w.aim.calls != calls {
				t.Errorf("at rest it was said %d times what to scrape", w.aim.calls-calls)
			}
			w.repo.commit(model("digits", canary(score), own, replicas(1), image("digits:2")), model("fraud"))
			c.Sync()
			w.await(c, "closer scrapes of both revisions", func(*controller.Status) bool {
				targets := w.aim.now()
				return len(targets) == 3 && targets[0].Interval == 5*time.Second
			})
		})
	})
}

func TestRestartsOfReplicasAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"))
		w.during(func(c *controller.Controller) {
			for n := 1; n <= 3; n++ {
				replica := w.running("digits")[0]
				if err := w.engine.Kill(replica.ID); err != nil {
					t.Fatal(err)
				}
				w.await(c, "the restart to be counted", func(s *controller.Status) bool {
					return s.Converged && modelOf(s, "digits").ReplicaRestarts[replica.Revision] == n
				})
			}
		})
	})
}
