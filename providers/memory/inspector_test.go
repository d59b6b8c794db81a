package memory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

func TestInspector(t *testing.T) {
	providertest.InspectorSuite(t, func(*testing.T) providertest.InspectorBench {
		inspector := memory.NewInspector()
		made := 0
		return providertest.InspectorBench{
			Inspector: inspector,
			Serve: func(_ *testing.T, r providertest.InspectedReplica) string {
				made++
				served := memory.Served{Model: r.Model, Signature: &r.Signature}
				switch {
				case r.Away:
					served.Verify = errors.New("connection refused")
					served.WarmUp = served.Verify
				case r.Ailing:
					served.Verify = errors.New("it answers 500")
				case r.Refuses:
					served.WarmUp = fmt.Errorf("%w: it answers its warm-up with 400", reconcile.ErrContract)
				case r.Hangs:
					inspector.SetFault(func(ctx context.Context, _, _ string) error {
						<-ctx.Done()
						return ctx.Err()
					})
				}
				address := fmt.Sprintf("10.0.0.%d:8080", made)
				inspector.Serve(address, served)
				return address
			},
			Warmed: func(address string) int { return inspector.Calls(memory.OpWarmUp, address) },
		}
	})
}

func TestInspectorFindsServersInOrderUnlessTold(t *testing.T) {
	inspector := memory.NewInspector()
	m := &spec.Model{Name: "m", Protocol: spec.OpenInference, Signature: &spec.Signature{}, Warmup: &spec.Warmup{Count: 2}}
	if err := errors.Join(inspector.Verify(t.Context(), "a", m), inspector.WarmUp(t.Context(), "a", m)); err != nil {
		t.Error(err)
	}
	broken := errors.New("broken pipe")
	inspector.SetFault(func(_ context.Context, op, address string) error {
		if op == memory.OpWarmUp && address == "a" {
			return broken
		}
		return nil
	})
	if err := inspector.WarmUp(t.Context(), "a", m); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
	if got := inspector.Calls(memory.OpWarmUp, "a"); got != 3 {
		t.Errorf("%d warm-up requests, want 3", got)
	}
}
