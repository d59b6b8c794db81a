package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
)

// Bodies of the orders about runs. Which pipeline, run or version is meant stands
// in the path.
type (
	// RunStart is the body of POST /api/v1/pipelines/NAME/runs.
	RunStart struct {
		Params map[string]any `json:"params,omitempty"` // texts are read as what is declared
		Fresh  bool           `json:"fresh,omitempty"`
		Actor  string         `json:"actor"`
		Reason string         `json:"reason,omitempty"`
	}
	// Reproduction is the body of POST /api/v1/versions/MODEL@VERSION/reproduction.
	Reproduction struct {
		Actor string `json:"actor"`
	}
	// RunOrder is the body of POST /api/v1/runs/ID/KIND. Params are for resume and
	// Gate for override, which needs a Reason, too.
	RunOrder struct {
		Params map[string]any `json:"params,omitempty"`
		Gate   string         `json:"gate,omitempty"`
		Actor  string         `json:"actor"`
		Reason string         `json:"reason,omitempty"`
	}
)

// The kinds of RunOrder.
const (
	OrderCancel   = "cancel"
	OrderResume   = "resume"
	OrderOverride = "override"
)

func startRun(w http.ResponseWriter, r *http.Request, p Pipelines) {
	var body RunStart
	err := readRunOrder(w, r, &body, `{"actor", "reason", "params", "fresh"}`)
	if err == nil {
		err = checkActor(body.Actor)
	}
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err)
		return
	}
	takeRun(w, r, func(ctx context.Context) (*run.Run, error) {
		return p.Start(ctx, runner.StartOrder{
			Pipeline: r.PathValue("name"), Kind: spec.TriggerManual, Params: body.Params, Fresh: body.Fresh, Actor: body.Actor, Reason: body.Reason,
		})
	})
}

// reproduce makes a version again.
func reproduce(w http.ResponseWriter, r *http.Request, p Pipelines) {
	var body Reproduction
	model, version, whole := strings.Cut(r.PathValue("id"), "@")
	err := readRunOrder(w, r, &body, `{"actor"}`)
	if err == nil {
		err = checkActor(body.Actor)
	}
	if err == nil && (!whole || model == "" || version == "") {
		err = fmt.Errorf("%q is no version; write MODEL@VERSION, for example digits@1.2.0", r.PathValue("id"))
	}
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err)
		return
	}
	takeRun(w, r, func(ctx context.Context) (*run.Run, error) {
		return p.Reproduce(ctx, runner.ReproduceOrder{Model: model, Version: version, Actor: body.Actor})
	})
}

// orderRun is an order about a run that there is.
func orderRun(w http.ResponseWriter, r *http.Request, p Pipelines) {
	var body RunOrder
	id, kind := r.PathValue("id"), r.PathValue("kind")
	if kind != OrderCancel && kind != OrderResume && kind != OrderOverride {
		writeProblem(w, http.StatusNotFound, fmt.Errorf("there is no order %q; there are %s, %s, %s", kind, OrderCancel, OrderResume, OrderOverride))
		return
	}
	err := readRunOrder(w, r, &body, `{"actor", "reason", "params", "gate"}`)
	if err == nil {
		err = body.check(kind)
	}
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err)
		return
	}
	takeRun(w, r, func(ctx context.Context) (*run.Run, error) {
		switch kind {
		case OrderResume:
			return p.Resume(ctx, runner.ResumeOrder{Run: id, Params: body.Params, Actor: body.Actor, Reason: body.Reason})
		case OrderOverride: // the run that goes on with it
			return p.Override(ctx, runner.OverrideOrder{Run: id, Gate: body.Gate, Actor: body.Actor, Reason: body.Reason})
		default:
			if err := p.Cancel(ctx, runner.CancelOrder{Run: id, Actor: body.Actor, Reason: body.Reason}); err != nil {
				return nil, err
			}
			return p.Run(ctx, id)
		}
	})
}

// takeRun carries out an order and answers with the run.
func takeRun(w http.ResponseWriter, r *http.Request, order func(context.Context) (*run.Run, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	taken, err := order(ctx)
	if err != nil {
		runProblem(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, RunTaken{FormatVersion: RunsFormat, Run: taken})
}

func readRunOrder(w http.ResponseWriter, r *http.Request, body any, form string) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(body); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the body is no order; send %s: %w", form, err)
	}
	return nil
}

func (o *RunOrder) check(kind string) error {
	switch {
	case kind != OrderResume && len(o.Params) > 0:
		return fmt.Errorf("params are for %s; %s takes none", OrderResume, kind)
	case kind != OrderOverride && o.Gate != "":
		return fmt.Errorf("gate is for %s; %s takes none", OrderOverride, kind)
	case kind == OrderOverride && strings.TrimSpace(o.Gate) == "":
		return errors.New(`the order lacks "gate": which one is to pass`)
	case kind == OrderOverride && strings.TrimSpace(o.Reason) == "":
		return errors.New(`the order lacks "reason": why a gate was overridden stands in the journal for ever`)
	}
	return checkActor(o.Actor)
}

func checkActor(actor string) error {
	if strings.TrimSpace(actor) == "" {
		return errors.New(`the order lacks "actor": who wanted it stands in the journal for ever`)
	}
	return nil
}
