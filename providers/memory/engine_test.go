package memory_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

var scope = reconcile.Scope{Owner: "fairlead", Environment: "prod"}

// prepared is an engine with an image and the network, and a spec that can be
// created on it.
func prepared(t testing.TB) (*memory.Engine, *memory.Runtime, reconcile.ContainerSpec) {
	t.Helper()
	engine := memory.NewEngine()
	img := engine.AddTag("digits:1", "first build")
	runtime := engine.Runtime(scope)
	if err := errors.Join(runtime.EnsureImage(t.Context(), img, nil), runtime.EnsureNetwork(t.Context())); err != nil {
		t.Fatal(err)
	}
	return engine, runtime, providertest.TestReplica(scope, img, "digits", "rev1", 1)
}

func TestFaults(t *testing.T) {
	broken := errors.New("broken pipe")
	onCreate := func(op string) error {
		if op == memory.OpCreate {
			return broken
		}
		return nil
	}
	t.Run("a refused call has no effect", func(t *testing.T) {
		engine, runtime, c := prepared(t)
		engine.SetFault(onCreate)
		if _, err := runtime.Create(t.Context(), c); !errors.Is(err, broken) {
			t.Errorf("error is %v", err)
		}
		if all := engine.All(); len(all) != 0 {
			t.Errorf("the engine has %+v", all)
		}
	})
	t.Run("a lost answer had its effect", func(t *testing.T) {
		engine, runtime, c := prepared(t)
		engine.SetLostAnswer(onCreate)
		if _, err := runtime.Create(t.Context(), c); !errors.Is(err, broken) {
			t.Errorf("error is %v", err)
		}
		engine.SetLostAnswer(nil)
		id, err := runtime.Create(t.Context(), c)
		if all := engine.All(); err != nil || len(all) != 1 || all[0].ID != id {
			t.Errorf("the engine has %+v, the second create says %q, %v", all, id, err)
		}
	})
	t.Run("an engine that is away has its containers still", func(t *testing.T) {
		engine, runtime, c := prepared(t)
		id, err := runtime.Create(t.Context(), c)
		if err == nil {
			err = runtime.Start(t.Context(), id)
		}
		if err != nil {
			t.Fatal(err)
		}
		engine.SetDown(true)
		if _, err := runtime.List(t.Context(), reconcile.Filter{}); !errors.Is(err, reconcile.ErrUnavailable) {
			t.Errorf("error is %v, want one that wraps ErrUnavailable", err)
		}
		if state := engine.StateOf(id); state != reconcile.StateRunning {
			t.Errorf("the container is %q", state)
		}
	})
	t.Run("an image can crash its containers", func(t *testing.T) {
		engine, runtime, c := prepared(t)
		engine.CrashOnStart(c.Image.Pin, 3)
		id, err := runtime.Create(t.Context(), c)
		if err == nil {
			err = runtime.Start(t.Context(), id)
		}
		all := engine.All()
		if err != nil || all[0].State != reconcile.StateExited || all[0].ExitCode != 3 {
			t.Errorf("got %+v, %v", all, err)
		}
	})
}

func TestMutationsAreCounted(t *testing.T) {
	engine, runtime, c := prepared(t)
	before := engine.Mutations()
	_, listErr := runtime.List(t.Context(), reconcile.Filter{})
	_, resolveErr := runtime.Resolve(t.Context(), "digits:1")
	if err := errors.Join(listErr, resolveErr, runtime.EnsureNetwork(t.Context()), runtime.EnsureImage(t.Context(), c.Image, nil)); err != nil {
		t.Fatal(err)
	}
	if n := engine.Mutations() - before; n != 0 {
		t.Errorf("looking counted %d mutations", n)
	}
	id, err := runtime.Create(t.Context(), c)
	if err := errors.Join(err, runtime.Start(t.Context(), id), runtime.Stop(t.Context(), id, time.Second), runtime.Remove(t.Context(), id)); err != nil {
		t.Fatal(err)
	}
	if n := engine.Mutations() - before; n != 4 {
		t.Errorf("create, start, stop and remove counted %d mutations: %v", n, engine.Calls())
	}
}

func TestCrashesCountRestarts(t *testing.T) {
	engine, runtime, c := prepared(t)
	id, err := runtime.Create(t.Context(), c)
	if err := errors.Join(err, runtime.Start(t.Context(), id), engine.Crash(id, 1), engine.Crash(id, 1)); err != nil {
		t.Fatal(err)
	}
	if got := engine.All()[0]; got.Restarts != 2 || got.State != reconcile.StateRunning {
		t.Errorf("got %+v", got)
	}
	if err := engine.OOMKill(id); err != nil || !engine.All()[0].OOMKilled {
		t.Errorf("got %+v, %v", engine.All(), err)
	}
}

// BenchmarkList1000 is the price of one observation of 1,000 containers.
func BenchmarkList1000(b *testing.B) {
	engine, runtime, c := prepared(b)
	for i := range 1000 {
		c.Name = fmt.Sprintf("fairlead.prod.digits.rev1.%d", i)
		if _, err := runtime.Create(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	if len(engine.All()) != 1000 {
		b.Fatal("not all containers were made")
	}
	for b.Loop() {
		if _, err := runtime.List(b.Context(), reconcile.Filter{}); err != nil {
			b.Fatal(err)
		}
	}
}
