package app

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/controller"
)

func TestMemoryIsGivenBackWhenWorkIsDoneAndOnceMore(t *testing.T) {
	start := time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)
	memory := memoryRelease{}
	for _, step := range []struct {
		after     time.Duration
		converged bool
		due       int
		released  time.Duration // when it was done last; -1: never
	}{
		{0, true, 0, -1}, // nothing was done, so nothing is to be released
		{time.Second, false, 2, -1},
		{2 * time.Second, true, 1, 2 * time.Second},
		{20 * time.Second, true, 1, 2 * time.Second}, // not so soon again
		{40 * time.Second, true, 0, 40 * time.Second},
		{time.Hour, true, 0, 40 * time.Second},
		{2 * time.Hour, false, 2, 40 * time.Second},
		{2*time.Hour + time.Second, true, 1, 2*time.Hour + time.Second},
		{2*time.Hour + 2*time.Second, false, 2, 2*time.Hour + time.Second},
		{2*time.Hour + 3*time.Second, true, 2, 2*time.Hour + time.Second}, // models that come and go
	} {
		memory.decided(&controller.Status{Converged: step.converged}, start.Add(step.after))
		last := time.Duration(-1)
		if !memory.last.IsZero() {
			last = memory.last.Sub(start)
		}
		if memory.due != step.due || last != step.released {
			t.Errorf("after %s: %d times are due and the last was at %s, want %d and %s", step.after, memory.due, last, step.due, step.released)
		}
	}
}
