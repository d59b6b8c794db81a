package providertest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// InspectorBench is an Inspector under test, together with the hand that starts
// what it talks to.
type InspectorBench struct {
	Inspector reconcile.Inspector
	// Serve starts a replica and returns its address.
	Serve func(t *testing.T, r InspectedReplica) string
	// Warmed returns the number of warm-up requests that arrived at an address.
	Warmed func(address string) int
}

// InspectedReplica is how a replica behaves.
type InspectedReplica struct {
	Model     string // the name that it knows the model by
	Signature spec.Signature
	Refuses   bool // every inference
	Ailing    bool // answers everything with an error of its own, for now
	Away      bool // nobody answers at the address
	Hangs     bool // takes requests and never answers
}

// InspectorSuite holds the contract of reconcile.Inspector.
func InspectorSuite(t *testing.T, newBench func(t *testing.T) InspectorBench) {
	t.Helper()
	tests := map[string]func(*testing.T, InspectorBench){
		"a server that is as declared is verified":             inspectorAgrees,
		"each difference is named and final":                   inspectorDiffers,
		"a server that knows another model is final":           inspectorOtherModel,
		"without signature there is nothing to verify":         inspectorNoSignature,
		"a server that is away may come back":                  inspectorAway,
		"a server that ails may recover":                       inspectorAils,
		"an inspection ends with its context":                  inspectorCancel,
		"a warm-up sends the request as often as declared":     inspectorWarms,
		"a refused warm-up is final":                           inspectorRefused,
		"without warm-up nothing is sent":                      inspectorNoWarmUp,
		"repeating an inspection is harmless":                  inspectorRepeats,
		"a model that is not Open Inference is taken as it is": inspectorHTTP,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, newBench(t)) })
	}
}

// inspected is a model with signature and warm-up, and a replica that is as it
// declares.
func inspected() (*spec.Model, InspectedReplica) {
	signature := spec.Signature{
		Inputs:  []spec.Tensor{{Name: "x", Datatype: "FP32", Shape: []int64{-1, 2}}},
		Outputs: []spec.Tensor{{Name: "y", Datatype: "INT64", Shape: []int64{-1}}},
	}
	m := &spec.Model{
		Address: spec.Address{Kind: spec.KindModel, Name: "digits"}, Name: "digits", Protocol: spec.OpenInference, Signature: &signature,
		Warmup: &spec.Warmup{Request: []byte(`{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}`), Count: 3},
	}
	return m, InspectedReplica{Model: "digits", Signature: signature}
}

func (b InspectorBench) verify(t *testing.T, m *spec.Model, r InspectedReplica) error {
	t.Helper()
	return b.Inspector.Verify(t.Context(), b.Serve(t, r), m)
}

// final wants an error that asking again will not change, with these words in it.
func final(t *testing.T, err error, words ...string) {
	t.Helper()
	if !errors.Is(err, reconcile.ErrContract) {
		t.Errorf("the error is %v, and should wrap ErrContract", err)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error %q does not say %s", err, word)
		}
	}
}

// passing wants an error that may pass by itself.
func passing(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.Is(err, reconcile.ErrContract) {
		t.Errorf("the error is %v, and should not wrap ErrContract", err)
	}
}

func inspectorAgrees(t *testing.T, b InspectorBench) {
	if err := b.verify(t, first(inspected()), second(inspected())); err != nil {
		t.Error(err)
	}
}

func first[A, B any](a A, _ B) A { return a }

func second[A, B any](_ A, b B) B { return b }

func inspectorDiffers(t *testing.T, b InspectorBench) {
	m, r := inspected()
	r.Signature = spec.Signature{
		Inputs:  []spec.Tensor{{Name: "x", Datatype: "FP64", Shape: []int64{-1, 2}}},
		Outputs: []spec.Tensor{{Name: "z", Datatype: "INT64", Shape: []int64{-1}}},
	}
	final(t, b.verify(t, m, r), `"x"`, "FP64", `"y"`)
}

func inspectorOtherModel(t *testing.T, b InspectorBench) {
	m, r := inspected()
	r.Model = "iris"
	final(t, b.verify(t, m, r), "digits")
}

func inspectorNoSignature(t *testing.T, b InspectorBench) {
	m, r := inspected()
	m.Signature, r.Away = nil, true
	if err := b.verify(t, m, r); err != nil {
		t.Error(err)
	}
}

func inspectorAway(t *testing.T, b InspectorBench) {
	m, r := inspected()
	r.Away = true
	address := b.Serve(t, r)
	passing(t, b.Inspector.Verify(t.Context(), address, m))
	passing(t, b.Inspector.WarmUp(t.Context(), address, m))
}

func inspectorAils(t *testing.T, b InspectorBench) {
	m, r := inspected()
	r.Ailing = true
	passing(t, b.verify(t, m, r))
}

func inspectorCancel(t *testing.T, b InspectorBench) {
	m, r := inspected()
	r.Hangs = true
	address := b.Serve(t, r)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	passing(t, b.Inspector.Verify(ctx, address, m))
	passing(t, b.Inspector.WarmUp(ctx, address, m))
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func inspectorWarms(t *testing.T, b InspectorBench) {
	m, r := inspected()
	address := b.Serve(t, r)
	if err := b.Inspector.WarmUp(t.Context(), address, m); err != nil {
		t.Error(err)
	}
	if got := b.Warmed(address); got != m.Warmup.Count {
		t.Errorf("%d requests arrived, want %d", got, m.Warmup.Count)
	}
}

func inspectorRefused(t *testing.T, b InspectorBench) {
	m, r := inspected()
	r.Refuses = true
	address := b.Serve(t, r)
	final(t, b.Inspector.WarmUp(t.Context(), address, m), "warm-up")
	if got := b.Warmed(address); got != 1 {
		t.Errorf("%d requests arrived, want one: the first was refused", got)
	}
}

func inspectorNoWarmUp(t *testing.T, b InspectorBench) {
	m, r := inspected()
	m.Warmup, r.Away = nil, true
	if err := b.Inspector.WarmUp(t.Context(), b.Serve(t, r), m); err != nil {
		t.Error(err)
	}
}

func inspectorRepeats(t *testing.T, b InspectorBench) {
	m, r := inspected()
	address := b.Serve(t, r)
	for range 2 {
		if err := errors.Join(b.Inspector.Verify(t.Context(), address, m), b.Inspector.WarmUp(t.Context(), address, m)); err != nil {
			t.Error(err)
		}
	}
}

func inspectorHTTP(t *testing.T, b InspectorBench) {
	m, r := inspected()
	m.Protocol, r.Model = spec.HTTP, "whatever"
	address := b.Serve(t, r)
	if err := b.Inspector.Verify(t.Context(), address, m); err != nil {
		t.Error(err)
	}
	final(t, b.Inspector.WarmUp(t.Context(), address, m), "no route")
}
