package memory_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

// runs starts a step that does what the process says, in a bubble of its own time.
func runs(t *testing.T, p memory.Process, test func(t *testing.T, engine *memory.Engine, runtime *memory.Runtime, id, out string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		engine := memory.NewEngine()
		image := engine.AddTag("digits:1", "first build")
		engine.SetProgram(func(reconcile.ContainerSpec) *memory.Process { return &p })
		runtime, out := engine.Runtime(scope), t.TempDir()
		c := providertest.TestStep(scope, image, "train-1", "fit")
		c.Binds = []reconcile.Bind{{Source: out, Target: "/out"}, {Source: out, Target: "/in", ReadOnly: true}}
		err := runtime.EnsureImage(t.Context(), image, nil)
		id := ""
		if err == nil {
			id, err = runtime.Create(t.Context(), c)
		}
		if err = errors.Join(err, runtime.Start(t.Context(), id)); err != nil {
			t.Fatal(err)
		}
		test(t, engine, runtime, id, out)
	})
}

func TestProcessRunsWritesAndEnds(t *testing.T) {
	p := memory.Process{
		Runs: time.Minute, ExitCode: 3, Files: map[string]string{"/out/model/weights": "seven"},
		Output: []memory.Line{{Text: "first\n"}, {After: 30 * time.Second, Text: "second\n"}, {After: 2 * time.Minute, Text: "never\n"}},
	}
	runs(t, p, func(t *testing.T, engine *memory.Engine, runtime *memory.Runtime, id, out string) {
		hints := runtime.Events(t.Context())
		start := time.Now()
		var said strings.Builder
		if err := runtime.Follow(t.Context(), id, &said); err != nil || said.String() != "first\nsecond\n" {
			t.Errorf("it says %q, %v", said.String(), err)
		}
		exit, err := runtime.Wait(t.Context(), id)
		if err != nil || exit.Code != 3 || exit.OOMKilled || exit.Finished.Sub(start) != time.Minute {
			t.Errorf("it ended with %+v, %v", exit, err)
		}
		if content, err := os.ReadFile(filepath.Join(out, "model", "weights")); err != nil || string(content) != "seven" {
			t.Errorf("it wrote %q, %v", content, err)
		}
		if _, open := <-hints; !open {
			t.Error("nobody was woken")
		}
	})
}

func TestProcessThatWritesWhereItMayNotFails(t *testing.T) {
	runs(t, memory.Process{Files: map[string]string{"/in/data": "x"}}, func(t *testing.T, _ *memory.Engine, runtime *memory.Runtime, id, _ string) {
		exit, err := runtime.Wait(t.Context(), id)
		text, _ := runtime.Logs(t.Context(), id, 1)
		if err != nil || exit.Code != 1 || !strings.Contains(text, "read-only") {
			t.Errorf("it ended with %+v, %v: %s", exit, err, text)
		}
	})
}

func TestProcessThatIgnoresTermTakesItsGracePeriod(t *testing.T) {
	stubborn := memory.Process{Runs: memory.Forever, IgnoresTerm: true}
	runs(t, stubborn, func(t *testing.T, _ *memory.Engine, runtime *memory.Runtime, id, _ string) {
		start := time.Now()
		if err := runtime.Stop(t.Context(), id, 10*time.Second); err != nil || time.Since(start) != 10*time.Second {
			t.Errorf("stopped after %s, %v", time.Since(start), err)
		}
		if exit, err := runtime.Wait(t.Context(), id); err != nil || exit.Code != 137 {
			t.Errorf("it ended with %+v, %v", exit, err)
		}
	})
	t.Run("also where nobody waits for it", func(t *testing.T) {
		runs(t, stubborn, func(t *testing.T, engine *memory.Engine, runtime *memory.Runtime, id, _ string) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := runtime.Stop(ctx, id, 10*time.Second); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("stop says %v", err)
			}
			if exit, err := runtime.Wait(t.Context(), id); err != nil || exit.Code != 137 {
				t.Errorf("it ended with %+v, %v", exit, err)
			}
		})
	})
}

func TestProcessThatVanishes(t *testing.T) {
	runs(t, memory.Process{Runs: time.Minute, Vanishes: true}, func(t *testing.T, engine *memory.Engine, runtime *memory.Runtime, id, _ string) {
		if err := runtime.Follow(t.Context(), id, io.Discard); err != nil {
			t.Errorf("follow says %v", err)
		}
		if _, err := runtime.Wait(t.Context(), id); err == nil || len(engine.All()) != 0 {
			t.Errorf("wait says %v, the engine has %+v", err, engine.All())
		}
	})
}

// What the process of a run before had in mind must not meet the next one.
func TestProcessIsForgottenWhenItEnds(t *testing.T) {
	p := memory.Process{Runs: time.Minute, ExitCode: 3}
	runs(t, p, func(t *testing.T, engine *memory.Engine, runtime *memory.Runtime, id, _ string) {
		time.Sleep(30 * time.Second)
		if err := errors.Join(engine.OOMKill(id), runtime.Start(t.Context(), id)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		exit, err := runtime.Wait(t.Context(), id)
		if err != nil || exit.Code != 3 || exit.OOMKilled || exit.Finished.Sub(start) != time.Minute {
			t.Errorf("it ended with %+v after %s, %v", exit, exit.Finished.Sub(start), err)
		}
	})
}
