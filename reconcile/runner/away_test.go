package runner_test

import (
	"fmt"
	"strings"
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

// A run that fails before its first step: its exit steps run all the same, and the
// data that it failed for does not start another one.
func TestARunThatCannotBePreparedRunsItsExitStepsAndIsNotRepeated(t *testing.T) {
	text := strings.Replace(digitsRepo, "max  = 9", "max  = 5", 1)
	text = strings.Replace(text, `pipeline "train" {`, "pipeline \"train\" {\n  on = [dataset.digits]\n  step \"clean\" {\n    image = \"steps:1\"\n    exit  = true\n  }", 1)
	s := newSite(t, text)
	s.up()
	r := s.ended("train-1")
	if r.Outcome != run.Failed || !strings.Contains(r.Reason, "dataset.digits") {
		t.Errorf("%s: %s", r.Outcome, r.Reason)
	}
	if n := r.Nodes["clean"]; n.Phase != run.NodeSucceeded {
		t.Errorf("the exit step is %s: %s", n.Phase, n.Reason)
	}
	// The same data by hand, so that whatever would start by itself has started.
	if again := s.run(nil); again.ID != "train-2" {
		t.Errorf("the run by hand is %s: another one was started for the same data", again.ID)
	}
	if runs, err := s.runner.Runs(t.Context(), "train"); err != nil || len(runs) != 2 {
		t.Errorf("%d runs, %v", len(runs), err)
	}
	// Other data is a reason to try again.
	s.load(strings.Replace(text, "max  = 5", "max  = 9", 1))
	if r := s.run(nil); r.Outcome != run.Succeeded {
		t.Errorf("%s: %s", r.Outcome, r.Reason)
	}
}
