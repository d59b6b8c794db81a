package memory

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Inspector is a reconcile.Inspector that talks to nobody: a test says what is at
// an address. Where it has said nothing, there is a server that is just as the
// model declares.
type Inspector struct {
	mu     sync.Mutex
	served map[string]Served
	before func(ctx context.Context, op, address string) error
	calls  map[string]int
}

var _ reconcile.Inspector = (*Inspector)(nil)

// Served is what an Inspector finds at an address.
type Served struct {
	Model     string          // the name that the server knows the model by; "": the declared one
	Signature *spec.Signature // what it says of the model; nil: what is declared
	// Verify and WarmUp are what these calls return; nil: what follows from the
	// rest.
	Verify, WarmUp error
}

// The operations of an Inspector, as faults see them.
const (
	OpVerify = "verify"
	OpWarmUp = "warm up" // one request of a warm-up
)

// NewInspector returns an inspector that finds every server in order.
func NewInspector() *Inspector {
	return &Inspector{served: make(map[string]Served), calls: make(map[string]int)}
}

// Serve puts a server at an address (ip:port).
func (i *Inspector) Serve(address string, s Served) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.served[address] = s
}

// SetFault installs a hook that runs before each operation, without any lock: it
// may block. Its error is what the call returns.
func (i *Inspector) SetFault(before func(ctx context.Context, op, address string) error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.before = before
}

// Calls returns how often an operation was made on an address.
func (i *Inspector) Calls(op, address string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.calls[op+" "+address]
}

// begin counts an operation and lets a fault refuse it.
func (i *Inspector) begin(ctx context.Context, op, address string) (Served, error) {
	i.mu.Lock()
	i.calls[op+" "+address]++
	served, before := i.served[address], i.before
	i.mu.Unlock()
	if before != nil {
		if err := before(ctx, op, address); err != nil {
			return served, fmt.Errorf("%s %s: %w", op, address, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return served, fmt.Errorf("%s %s: %w", op, address, err)
	}
	return served, nil
}

// Verify implements reconcile.Inspector.
func (i *Inspector) Verify(ctx context.Context, address string, m *spec.Model) error {
	if m.Signature == nil || m.Protocol != spec.OpenInference {
		return nil
	}
	served, err := i.begin(ctx, OpVerify, address)
	if err != nil {
		return err
	}
	if served.Verify != nil {
		return served.Verify
	}
	var differences []string
	if served.Model != "" && served.Model != m.Name {
		differences = append(differences, fmt.Sprintf("the server has no model %q, only %q", m.Name, served.Model))
	}
	if served.Signature != nil {
		differences = append(differences, m.Signature.Differences(*served.Signature)...)
	}
	if len(differences) > 0 {
		return fmt.Errorf("%w: %s", reconcile.ErrContract, strings.Join(differences, "; "))
	}
	return nil
}

// WarmUp implements reconcile.Inspector.
func (i *Inspector) WarmUp(ctx context.Context, address string, m *spec.Model) error {
	if m.Warmup == nil {
		return nil
	}
	if m.Protocol != spec.OpenInference && len(m.Routes) == 0 {
		return fmt.Errorf("%w: %s has a warm-up and no route", reconcile.ErrContract, m.Address)
	}
	for range m.Warmup.Count {
		served, err := i.begin(ctx, OpWarmUp, address)
		if err == nil {
			err = served.WarmUp
		}
		if err != nil {
			return err
		}
	}
	return nil
}
