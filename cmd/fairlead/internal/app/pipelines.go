package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
)

// Pipelines is who runs pipelines, as the API asks it. Its errors are for people;
// those that wrap runner.ErrUnknown, runner.ErrRefused, run.ErrNoRun or
// run.ErrNoLog are told apart.
type Pipelines interface {
	Status() *runner.Status
	Runs(ctx context.Context, pipeline string) ([]run.Summary, error)
	Run(ctx context.Context, id string) (*run.Run, error)
	Start(ctx context.Context, o runner.StartOrder) (*run.Run, error)
	Resume(ctx context.Context, o runner.ResumeOrder) (*run.Run, error)
	Cancel(ctx context.Context, o runner.CancelOrder) error
	Override(ctx context.Context, o runner.OverrideOrder) (*run.Run, error)
	Reproduce(ctx context.Context, o runner.ReproduceOrder) (*run.Run, error)
	Preview(ctx context.Context, pipeline string, params map[string]any) (*run.Preview, error)
	Log(ctx context.Context, id, node string, attempt int, follow bool) (io.ReadCloser, error)
}

// RunsFormat is the version of the JSON form of Runs, RunPreview and RunTaken.
const RunsFormat = "1.0"

// Runs is the answer of /api/v1/runs.
type Runs struct {
	FormatVersion string        `json:"format_version"`
	Runs          []run.Summary `json:"runs"` // newest first
	// Problem names what of the runs cannot be read.
	Problem string `json:"problem,omitempty"`
}

// RunPreview is the answer of /api/v1/pipelines/NAME/preview.
type RunPreview struct {
	FormatVersion string `json:"format_version"`
	run.Preview
}

// RunTaken is the answer of an order about runs.
type RunTaken struct {
	FormatVersion string `json:"format_version"`
	// Run is the one that was started, or that was cancelled.
	Run *run.Run `json:"run"`
}

// previewTimeout bounds a look at the cache: inputs may have to be fetched for it.
const previewTimeout = 30 * time.Second

// handlePipelines adds what the API says about pipelines.
func (a *api) handlePipelines(mux *http.ServeMux, remote bool) {
	for pattern, answer := range map[string]func(http.ResponseWriter, *http.Request, Pipelines){
		"GET /api/v1/pipelines":                   listPipelines,
		"GET /api/v1/pipelines/{name}/preview":    previewRun,
		"POST /api/v1/pipelines/{name}/runs":      startRun,
		"GET /api/v1/runs":                        listRuns,
		"GET /api/v1/runs/{id}":                   showRun,
		"GET /api/v1/runs/{id}/logs/{node}":       runLog,
		"POST /api/v1/runs/{id}/{kind}":           orderRun,
		"POST /api/v1/versions/{id}/reproduction": reproduce,
	} {
		mux.Handle(pattern, a.guard(remote, func(w http.ResponseWriter, r *http.Request) {
			pipelines := a.pipelines()
			if pipelines == nil {
				writeProblem(w, http.StatusServiceUnavailable, errors.New(a.notActing()))
				return
			}
			answer(w, r, pipelines)
		}))
	}
}

// runProblem answers with an error of Pipelines.
func runProblem(w http.ResponseWriter, r *http.Request, err error) {
	code := http.StatusInternalServerError
	switch {
	case errors.Is(err, runner.ErrUnknown), errors.Is(err, run.ErrNoRun), errors.Is(err, run.ErrNoLog):
		code = http.StatusNotFound
	case errors.Is(err, runner.ErrRefused):
		code = http.StatusConflict
	case errors.Is(err, context.DeadlineExceeded), r.Context().Err() != nil:
		code = http.StatusGatewayTimeout
	}
	writeProblem(w, code, err)
}

func listPipelines(w http.ResponseWriter, _ *http.Request, p Pipelines) {
	writeJSON(w, http.StatusOK, p.Status())
}

func listRuns(w http.ResponseWriter, r *http.Request, p Pipelines) {
	ctx, cancel := context.WithTimeout(r.Context(), historyTimeout)
	defer cancel()
	runs, err := p.Runs(ctx, r.URL.Query().Get("pipeline"))
	if err != nil && len(runs) == 0 {
		runProblem(w, r, err)
		return
	}
	answer := Runs{FormatVersion: RunsFormat, Runs: runs}
	if answer.Runs == nil {
		answer.Runs = []run.Summary{}
	}
	if err != nil { // some do not read; the others are told
		answer.Problem = err.Error()
	}
	writeJSON(w, http.StatusOK, answer)
}

func showRun(w http.ResponseWriter, r *http.Request, p Pipelines) {
	ctx, cancel := context.WithTimeout(r.Context(), historyTimeout)
	defer cancel()
	found, err := p.Run(ctx, r.PathValue("id"))
	if err != nil {
		runProblem(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, found)
}

// paramPrefix is in front of the name of a parameter in a query.
const paramPrefix = "param."

func previewRun(w http.ResponseWriter, r *http.Request, p Pipelines) {
	given, err := queryParams(r.URL.Query())
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), previewTimeout)
	defer cancel()
	preview, err := p.Preview(ctx, r.PathValue("name"), given)
	if err != nil {
		runProblem(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, RunPreview{FormatVersion: RunsFormat, Preview: *preview})
}

// queryParams are the parameters in a query, as texts.
func queryParams(query url.Values) (map[string]any, error) {
	given := map[string]any{}
	for key, values := range query {
		name, isParam := strings.CutPrefix(key, paramPrefix)
		switch {
		case !isParam:
			return nil, fmt.Errorf("there is no query %q; write a parameter as %sNAME=VALUE", key, paramPrefix)
		case len(values) > 1:
			return nil, fmt.Errorf("parameter %s is given %d times; once is enough", name, len(values))
		}
		given[name] = values[0]
	}
	return given, nil
}
