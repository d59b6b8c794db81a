package controller_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/capacity"
	"github.com/fairlead/fairlead/reconcile/controller"
)

func TestNewRevisionWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.engine.SetSize(64, 5<<28, 0) // five replicas of 256 MiB
		w.repo.commit(model("digits"), model("fraud", replicas(1)))
		host := func(o *controller.Options) {
			o.Host = func(e reconcile.Engine) capacity.Host { return capacity.Host{Engine: e} }
		}
		w.during(func(c *controller.Controller) {
			before := w.names()
			w.repo.commit(model("digits", image("digits:2")), model("fraud", replicas(2)))
			c.Sync()
			w.await(c, "the refusal", func(s *controller.Status) bool {
				return strings.Contains(modelOf(s, "digits").Reason, "no room") && len(w.running("fraud")) == 2
			})
			for _, name := range before {
				if !strings.Contains(strings.Join(w.names(), " "), name) {
					t.Errorf("%s is gone", name)
				}
			}
			if p := c.Plan(c.Status().Source.Fetched); p.Summary.Problems != 1 {
				t.Errorf("the plan tells of %d problems", p.Summary.Problems)
			}
			w.repo.commit(model("digits", image("digits:2")), model("fraud", replicas(0)))
			c.Sync()
			w.await(c, "the new revision, now that there is room", func(s *controller.Status) bool {
				return s.Converged && len(w.running("digits")) == 2
			})
		}, host)
	})
}
