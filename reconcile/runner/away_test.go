package runner_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
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

// Before Git was read nothing is said about what is declared.
func TestOrdersBeforeGitWasReadAreRefused(t *testing.T) {
	s := newSite(t, digitsRepo)
	unread := runner.New(runner.Options{
		Scope: scope, Runtime: s.engine.Runtime(scope), Artifacts: s.blobs, Store: s.store, Journal: s.journal, Secrets: secrets{s.secret},
		Publisher: s.pushed, Interval: time.Second, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- unread.Serve(ctx) }()
	_, started := unread.Start(ctx, runner.StartOrder{Pipeline: "train", Actor: "ann"})
	_, previewed := unread.Preview(ctx, "train", nil)
	_, reproduced := unread.Reproduce(ctx, runner.ReproduceOrder{Model: "digits", Version: "1.0.1", Actor: "ann"})
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, err := range []error{started, previewed, reproduced} {
		if !errors.Is(err, runner.ErrRefused) || !strings.Contains(err.Error(), "try again in a moment") {
			t.Errorf("%v", err)
		}
	}
}
