package runner_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// An engine that goes away when the first container is to be removed: that it does
// not tell of the container is no proof that there is none, and it is not asked
// without a pause.
func TestWhatAnAttemptLeftIsRemovedWhenTheEngineIsBack(t *testing.T) {
	s := newSite(t, digitsRepo)
	var mu sync.Mutex
	removals, lists := 0, 0
	s.engine.SetFault(func(op string) error {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case op == memory.OpRemove:
			removals++
			if removals > 1 && lists > 2 {
				return nil
			}
			return fmt.Errorf("%w: it went away", reconcile.ErrUnavailable)
		case op == memory.OpList && removals > 0 && lists < 3:
			lists++
			return fmt.Errorf("%w: it is away", reconcile.ErrUnavailable)
		default:
			return nil
		}
	})
	s.up()
	r := s.run(nil)
	if r.Outcome != run.Succeeded {
		t.Errorf("%s: %s", r.Outcome, r.Reason)
	}
	for _, c := range s.engine.All() {
		if c.Kind == spec.KindStep {
			t.Errorf("container %s is left", c.Name)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if removals > 20 {
		t.Errorf("the engine was told %d times to remove four containers", removals)
	}
}
