package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
)

// onePipeline runs train, of which there is one run, and notes the orders.
type onePipeline struct {
	orders []string
	params map[string]any
	fails  error
	log    io.ReadCloser
	asked  string
}

func runOf(id string) *run.Run {
	train := spec.Address{Kind: spec.KindPipeline, Name: "train"}
	return &run.Run{FormatVersion: run.Format, ID: id, Pipeline: "train", Definition: spec.Pipeline{Address: train, Name: "train"}}
}

func (o *onePipeline) Status() *runner.Status {
	return &runner.Status{FormatVersion: runner.StatusFormat, Pipelines: []runner.PipelineStatus{{Name: "train", Definition: &spec.Pipeline{Name: "train"}}}}
}

func (o *onePipeline) Runs(_ context.Context, pipeline string) ([]run.Summary, error) {
	if pipeline != "" && pipeline != "train" {
		return nil, nil
	}
	return []run.Summary{{ID: "train-1", Pipeline: "train"}}, o.fails
}

func (o *onePipeline) Run(_ context.Context, id string) (*run.Run, error) {
	if id != "train-1" {
		return nil, fmt.Errorf("%w: %s", run.ErrNoRun, id)
	}
	return runOf(id), nil
}

func (o *onePipeline) note(params map[string]any, format string, args ...any) (*run.Run, error) {
	o.orders, o.params = append(o.orders, fmt.Sprintf(format, args...)), params
	if o.fails != nil {
		return nil, o.fails
	}
	return runOf("train-2"), nil
}

func (o *onePipeline) Start(_ context.Context, s runner.StartOrder) (*run.Run, error) {
	return o.note(s.Params, "start %s %s fresh=%t %s %s", s.Pipeline, s.Kind, s.Fresh, s.Actor, s.Reason)
}

func (o *onePipeline) Resume(_ context.Context, s runner.ResumeOrder) (*run.Run, error) {
	return o.note(s.Params, "resume %s %s %s", s.Run, s.Actor, s.Reason)
}

func (o *onePipeline) Cancel(_ context.Context, s runner.CancelOrder) error {
	_, err := o.note(nil, "cancel %s %s %s", s.Run, s.Actor, s.Reason)
	return err
}

func (o *onePipeline) Override(_ context.Context, s runner.OverrideOrder) (*run.Run, error) {
	return o.note(nil, "override %s %s %s %s", s.Run, s.Gate, s.Actor, s.Reason)
}

func (o *onePipeline) Reproduce(_ context.Context, s runner.ReproduceOrder) (*run.Run, error) {
	return o.note(nil, "reproduce %s %s %s", s.Model, s.Version, s.Actor)
}

func (o *onePipeline) Preview(_ context.Context, pipeline string, params map[string]any) (*run.Preview, error) {
	o.params = params
	if o.fails != nil {
		return nil, o.fails
	}
	return &run.Preview{Pipeline: pipeline, Params: params}, nil
}

func (o *onePipeline) Log(_ context.Context, id, node string, attempt int, follow bool) (io.ReadCloser, error) {
	o.asked = fmt.Sprintf("%s %s %d %t", id, node, attempt, follow)
	if o.log == nil {
		return nil, fmt.Errorf("%w of %s", run.ErrNoLog, node)
	}
	return o.log, nil
}

// withPipelines is the API of a daemon that runs them.
func withPipelines(t *testing.T, p Pipelines) http.Handler {
	t.Helper()
	a := idleDaemon(t, "")
	if p != nil {
		a.daemon.running.Store(&p)
	}
	return a.handler(false)
}

func TestPipelinesAndRunsAreShown(t *testing.T) {
	h := withPipelines(t, &onePipeline{})
	for path, want := range map[string]string{
		"/api/v1/pipelines":                           `"pipelines":[{"name":"train"`,
		"/api/v1/runs":                                `"runs":[{"id":"train-1"`,
		"/api/v1/runs?pipeline=train":                 `"runs":[{"id":"train-1"`,
		"/api/v1/runs?pipeline=other":                 `"runs":[]`,
		"/api/v1/runs/train-1":                        `"id":"train-1"`,
		"/api/v1/pipelines/train/preview?param.x=0.3": `"params":{"x":"0.3"}`,
	} {
		code, body, header := call(t, h, http.MethodGet, path, "")
		if code != http.StatusOK || !strings.Contains(body, want) || !strings.Contains(body, `"format_version":`) || header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s, want %s", path, code, body, want)
		}
	}
}

func TestRunsThatDoNotReadAreNamedBesideTheOthers(t *testing.T) {
	h := withPipelines(t, &onePipeline{fails: errors.New("train-0.json does not read")})
	code, body, _ := call(t, h, http.MethodGet, "/api/v1/runs", "")
	if code != http.StatusOK || !strings.Contains(body, "train-1") || !strings.Contains(body, "train-0.json") {
		t.Errorf("%d %s", code, body)
	}
}

func TestOrdersAboutRunsReachWhoRunsThem(t *testing.T) {
	for path, tc := range map[string]struct {
		body, want string
		params     map[string]any
	}{
		"/api/v1/pipelines/train/runs": {
			`{"actor":"ann","reason":"new data","fresh":true,"params":{"x":"0.3"}}`, "start train manual fresh=true ann new data", map[string]any{"x": "0.3"},
		},
		"/api/v1/runs/train-1/resume":                  {`{"actor":"ann","params":{"x":1}}`, "resume train-1 ann ", map[string]any{"x": 1.0}},
		"/api/v1/runs/train-1/cancel":                  {`{"actor":"ann","reason":"wrong"}`, "cancel train-1 ann wrong", nil},
		"/api/v1/runs/train-1/override":                {`{"actor":"ann","reason":"known","gate":"fair"}`, "override train-1 fair ann known", nil},
		"/api/v1/versions/digits@1.2.0/reproduction":   {`{"actor":"ann"}`, "reproduce digits 1.2.0 ann", nil},
		"/api/v1/versions/digits%401.2.0/reproduction": {`{"actor":"ann"}`, "reproduce digits 1.2.0 ann", nil},
	} {
		one := &onePipeline{}
		code, body := post(t, withPipelines(t, one), path, tc.body)
		var taken RunTaken
		if err := json.Unmarshal([]byte(body), &taken); code != http.StatusOK || err != nil || taken.Run == nil || taken.FormatVersion != RunsFormat {
			t.Errorf("%s: %d %s", path, code, body)
		}
		if got := strings.Join(one.orders, "; "); got != tc.want || !maps.Equal(one.params, tc.params) {
			t.Errorf("%s: got %s with %v, want %s with %v", path, got, one.params, tc.want, tc.params)
		}
	}
}

func TestOrdersAboutRunsAreRefusedForWhatTheyAre(t *testing.T) {
	unknown, refused := fmt.Errorf("pipeline other: %w", runner.ErrUnknown), fmt.Errorf("train-1 has ended: %w", runner.ErrRefused)
	for name, tc := range map[string]struct {
		path, body string
		fails      error
		code       int
		says       string
	}{
		"unknown pipeline": {"/api/v1/pipelines/other/runs", `{"actor":"ann"}`, unknown, http.StatusNotFound, "pipeline other"},
		"refused":          {"/api/v1/runs/train-1/cancel", `{"actor":"ann"}`, refused, http.StatusConflict, "has ended"},
		"no such run":      {"/api/v1/runs/train-9/cancel", `{"actor":"ann"}`, nil, http.StatusNotFound, "train-9"},
		"too slow":         {"/api/v1/runs/train-1/resume", `{"actor":"ann"}`, context.DeadlineExceeded, http.StatusGatewayTimeout, "deadline"},
		"broken":           {"/api/v1/runs/train-1/resume", `{"actor":"ann"}`, io.ErrUnexpectedEOF, http.StatusInternalServerError, "EOF"},
		"no such order":    {"/api/v1/runs/train-1/explode", `{"actor":"ann"}`, nil, http.StatusNotFound, "cancel, resume, override"},
		"no actor":         {"/api/v1/pipelines/train/runs", `{}`, nil, http.StatusBadRequest, `\"actor\"`},
		"no body":          {"/api/v1/runs/train-1/cancel", "", nil, http.StatusBadRequest, `\"actor\"`},
		"another field":    {"/api/v1/pipelines/train/runs", `{"kind":"drift"}`, nil, http.StatusBadRequest, "kind"},
		"too much":         {"/api/v1/pipelines/train/runs", `{"actor":"` + strings.Repeat("x", maxOrder) + `"}`, nil, http.StatusBadRequest, "too large"},
		"no gate":          {"/api/v1/runs/train-1/override", `{"actor":"ann","reason":"x"}`, nil, http.StatusBadRequest, `\"gate\"`},
		"no reason":        {"/api/v1/runs/train-1/override", `{"actor":"ann","gate":"x","reason":" "}`, nil, http.StatusBadRequest, `\"reason\"`},
		"params of cancel": {"/api/v1/runs/train-1/cancel", `{"actor":"ann","params":{"x":1}}`, nil, http.StatusBadRequest, "params are for resume"},
		"gate of cancel":   {"/api/v1/runs/train-1/cancel", `{"actor":"ann","gate":"x"}`, nil, http.StatusBadRequest, "gate is for override"},
		"no version":       {"/api/v1/versions/digits/reproduction", `{"actor":"ann"}`, nil, http.StatusBadRequest, "MODEL@VERSION"},
	} {
		code, body := post(t, withPipelines(t, &onePipeline{fails: tc.fails}), tc.path, tc.body)
		var problem Problem
		if err := json.Unmarshal([]byte(body), &problem); code != tc.code || err != nil || problem.Status != tc.code || !strings.Contains(body, tc.says) {
			t.Errorf("%s: %d %s, want %d and %q", name, code, body, tc.code, tc.says)
		}
	}
	h := withPipelines(t, &onePipeline{fails: unknown})
	for path, want := range map[string]int{
		"/api/v1/runs/other-1":                                http.StatusNotFound,
		"/api/v1/pipelines/other/preview":                     http.StatusNotFound,
		"/api/v1/pipelines/train/preview?x=1":                 http.StatusBadRequest,
		"/api/v1/pipelines/train/preview?param.x=1&param.x=2": http.StatusBadRequest,
		"/api/v1/runs/train-1/logs/split":                     http.StatusNotFound,
		"/api/v1/runs/train-1/logs/split?attempt=first":       http.StatusBadRequest,
		"/api/v1/runs/train-1/logs/split?attempt=-1":          http.StatusBadRequest,
		"/api/v1/runs/train-1/logs/split?follow=always":       http.StatusBadRequest,
	} {
		if code, body, _ := call(t, h, http.MethodGet, path, ""); code != want || !strings.Contains(body, `"title"`) {
			t.Errorf("%s: %d %s, want %d", path, code, body, want)
		}
	}
}

func TestADaemonThatStandsByRunsNoPipelines(t *testing.T) {
	h := withPipelines(t, nil)
	for _, path := range []string{"/api/v1/pipelines", "/api/v1/runs", "/api/v1/runs/train-1"} {
		if code, body, _ := call(t, h, http.MethodGet, path, ""); code != http.StatusServiceUnavailable || !strings.Contains(body, "waits") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

func TestPipelinesAreGuardedOverTCP(t *testing.T) {
	a := idleDaemon(t, writeToken(t, apiToken))
	var p Pipelines = &onePipeline{}
	a.daemon.running.Store(&p)
	h := a.handler(true)
	for _, path := range []string{"/api/v1/pipelines", "/api/v1/runs", "/api/v1/runs/train-1", "/api/v1/runs/train-1/logs/split", "/api/v1/pipelines/train/preview"} {
		if code, _, _ := call(t, h, http.MethodGet, path, ""); code != http.StatusUnauthorized {
			t.Errorf("%s without the token: %d", path, code)
		}
	}
	for _, path := range []string{"/api/v1/pipelines/train/runs", "/api/v1/runs/train-1/cancel", "/api/v1/versions/digits@1/reproduction"} {
		if code, _, _ := call(t, h, http.MethodPost, path, ""); code != http.StatusUnauthorized {
			t.Errorf("%s without the token: %d", path, code)
		}
	}
	if code, _, _ := call(t, h, http.MethodGet, "/api/v1/runs", "Bearer "+apiToken); code != http.StatusOK {
		t.Errorf("with the token: %d", code)
	}
}

func TestALogIsSentAsItIsWritten(t *testing.T) {
	read, write := io.Pipe()
	one := &onePipeline{log: read}
	server := httptest.NewUnstartedServer(withPipelines(t, one))
	server.Config.WriteTimeout = 50 * time.Millisecond // the daemon's own would stop a quiet step's log
	server.Start()
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/runs/train-1/logs/split?follow=true&attempt=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request) // before anything was written
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if one.asked != "train-1 split 2 true" || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("asked for %s, %v", one.asked, answer.Header)
	}
	buffer := make([]byte, 100)
	for _, line := range []string{"epoch 1\n", "epoch 2\n"} {
		if _, err := io.WriteString(write, line); err != nil {
			t.Fatal(err)
		}
		n, err := answer.Body.Read(buffer) // the pipe is still open
		if err != nil || string(buffer[:n]) != line {
			t.Fatalf("got %q, %v", buffer[:n], err)
		}
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(answer.Body); err != nil || len(rest) > 0 {
		t.Errorf("at the end: %q, %v", rest, err)
	}
}

func TestALogIsNotReadForACallerThatIsGone(t *testing.T) {
	read, write := io.Pipe()
	server := httptest.NewServer(withPipelines(t, &onePipeline{log: read}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/api/v1/runs/train-1/logs/split?follow=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_ = answer.Body.Close()
	for err == nil { // until the handler has closed the log
		_, err = io.WriteString(write, "more\n")
	}
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}
