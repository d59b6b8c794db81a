package controller_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
)

// healed are the events about drift so far.
func (w *world) healed() []controller.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []controller.Event
	for _, e := range w.events {
		if e.Type == controller.DriftHealed {
			all = append(all, e)
		}
	}
	return all
}

func TestDriftIsToldOnceItIsHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"), model("audio"))
		w.during(func(c *controller.Controller) {
			gone := w.running("digits")[0]
			if err := w.engine.RemoveByHand(gone.ID); err != nil {
				t.Fatal(err)
			}
			w.await(c, "healing", func(*controller.Status) bool { return len(w.healed()) > 0 })
			e := w.healed()[0]
			if e.Address.Name != "digits" || !strings.Contains(e.Message, "launch "+gone.Name) || len(w.running("digits")) != 2 {
				t.Errorf("%+v", e)
			}
			// What Git wants otherwise is no drift.
			w.repo.commit(model("digits", replicas(4)), model("audio", image("digits:2")))
			c.Sync()
			w.await(c, "the commit", func(s *controller.Status) bool {
				return s.Converged && s.Commit.ID == w.repo.head() && len(w.running("digits")) == 4
			})
			c.Sync()
			if all := w.healed(); len(all) != 1 {
				t.Errorf("%+v", all)
			}
		})
	})
}

func TestWhatIsFoundAtTheStartIsNoDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("digits"))
		w.converge()
		for _, c := range w.running("digits") {
			if err := w.engine.SetLimits(c.ID, reconcile.Limits{Memory: 1}); err != nil {
				t.Fatal(err)
			}
		}
		w.converge()
		if all := w.healed(); len(all) != 0 {
			t.Errorf("%+v", all)
		}
	})
}
