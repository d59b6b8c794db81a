package oip

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Inspector is a reconcile.Inspector for servers of the Open Inference Protocol,
// and as far as that makes sense for any HTTP server. The zero value is ready.
//
// A model is known to its server by its served name, since that is the name in
// the paths that the gateway forwards.
type Inspector struct{}

var _ reconcile.Inspector = Inspector{}

// How long an inspection may take. The first request of a large model compiles
// and allocates, which takes its time.
const (
	verifyLimit   = 10 * time.Second
	warmUpRequest = time.Minute
	warmUpLimit   = 5 * time.Minute
)

// Verify implements reconcile.Inspector. A model without signature, or of another
// protocol, says nothing about itself that could be compared.
//
// An answer of class 4xx is final: the health probe has found the server ready,
// so a model that it does not know now it will not know later. One of 5xx may
// pass.
func (Inspector) Verify(ctx context.Context, address string, m *spec.Model) error {
	if m.Signature == nil || m.Protocol != spec.OpenInference {
		return nil
	}
	s, err := replica(address, verifyLimit)
	if err != nil {
		return err
	}
	defer s.client.CloseIdleConnections()
	path := modelPath(m.Name)
	x, err := s.do(ctx, http.MethodGet, path, nil, nil)
	switch {
	case err != nil:
		return fmt.Errorf("ask %s for its metadata: %w", address, err)
	case x.status/100 == 4 && x.status != http.StatusTooManyRequests && x.status != http.StatusRequestTimeout:
		return fmt.Errorf("%w: it answers %s with %s; the server must know the model by the name %q, under which the gateway forwards requests", reconcile.ErrContract, path, x.answered(), m.Name)
	case x.status != http.StatusOK:
		return fmt.Errorf("ask %s for its metadata: it answers %s with %s", address, path, x.answered())
	}
	told, err := parseModelMetadata(x.body)
	if err != nil {
		return fmt.Errorf("%w: its metadata at %s cannot be read: %w", reconcile.ErrContract, path, err)
	}
	return compare(m, told)
}

// compare names every difference at once: whoever mends one should not meet the
// next with the next attempt.
func compare(m *spec.Model, told *modelMetadata) error {
	var differences []string
	if told.name != m.Name {
		differences = append(differences, fmt.Sprintf("the server calls the model %q, and it is declared as %q", shorten(told.name, 60), m.Name))
	}
	differences = append(differences, m.Signature.Differences(spec.Signature{Inputs: specTensors(told.inputs), Outputs: specTensors(told.outputs)})...)
	if len(differences) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", reconcile.ErrContract, strings.Join(differences, "; "))
}

// specTensors also takes care of words that a server may have chosen to confuse.
func specTensors(tensors []tensor) []spec.Tensor {
	list := make([]spec.Tensor, len(tensors))
	for i, t := range tensors {
		list[i] = spec.Tensor{Name: shorten(t.name, maxShown), Datatype: shorten(t.datatype, 40), Shape: t.shape}
	}
	return list
}

// WarmUp implements reconcile.Inspector. The requests go out one after the other:
// they are to make the server ready, not to measure it.
func (Inspector) WarmUp(ctx context.Context, address string, m *spec.Model) error {
	if m.Warmup == nil {
		return nil
	}
	path, err := warmUpPath(m)
	if err != nil {
		return err
	}
	s, err := replica(address, warmUpRequest)
	if err != nil {
		return err
	}
	defer s.client.CloseIdleConnections()
	ctx, cancel := context.WithTimeoutCause(ctx, warmUpLimit, fmt.Errorf("the warm-up took longer than %s", warmUpLimit))
	defer cancel()
	header := jsonContent()
	if !json.Valid(m.Warmup.Request) {
		header.Set("Content-Type", "application/octet-stream")
	}
	for n := range m.Warmup.Count {
		x, err := s.do(ctx, http.MethodPost, path, header, m.Warmup.Request)
		if err != nil {
			return fmt.Errorf("warm up %s, request %d of %d to %s: %w", address, n+1, m.Warmup.Count, path, err)
		}
		if x.status/100 != 2 {
			return fmt.Errorf("%w: it answers request %d of %d of its warm-up, POST %s, with %s", reconcile.ErrContract, n+1, m.Warmup.Count, path, x.answered())
		}
	}
	return nil
}

// warmUpPath is where recorded requests go. For a server of another protocol that
// is where its first route would take them.
func warmUpPath(m *spec.Model) (string, error) {
	switch {
	case m.Protocol == spec.OpenInference:
		return modelPath(m.Name) + "/infer", nil
	case len(m.Routes) == 0:
		return "", fmt.Errorf("%w: %s has a warm-up, and no route that says where to send it; add a route, or remove the warmup block", reconcile.ErrContract, m.Address)
	case m.Routes[0].Strip:
		return "/", nil
	}
	return m.Routes[0].Path, nil
}

// replica is a connection of its own for one inspection: nothing is left over of
// it.
func replica(address string, limit time.Duration) (*server, error) {
	s, err := newServer(nil, "http://"+address)
	if err != nil {
		return nil, err
	}
	s.limit = limit
	return s, nil
}
