package cli

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
)

// pipelineDaemon is an API over TCP with one pipeline: split, then train in two
// variants. Each time that its run is asked for, it goes on by a state.
type pipelineDaemon struct {
	mu      sync.Mutex
	asked   int
	outcome run.Outcome
	orders  []string
	params  map[string]any
	preview run.Preview
	commit  string        // that declares none but idle; "": declares train
	gone    chan struct{} // closed when a log is left
}

func (d *pipelineDaemon) serve(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }
	refuse := func(w http.ResponseWriter, code int, text string) {
		w.WriteHeader(code)
		answer(w, map[string]string{"error": text})
	}
	mux.HandleFunc("GET /api/v1/pipelines", func(w http.ResponseWriter, _ *http.Request) {
		if d.commit != "" {
			answer(w, runner.Status{FormatVersion: runner.StatusFormat})
			return
		}
		p := d.run(0).Definition
		answer(w, runner.Status{FormatVersion: runner.StatusFormat, Pipelines: []runner.PipelineStatus{{Name: "idle"}, {Name: "train", Definition: &p}}})
	})
	mux.HandleFunc("GET /api/v1/status", func(w http.ResponseWriter, _ *http.Request) {
		var s app.DaemonStatus
		s.Commit.ID = d.commit
		answer(w, s)
	})
	mux.HandleFunc("GET /api/v1/runs", func(w http.ResponseWriter, r *http.Request) {
		runs := app.Runs{FormatVersion: app.RunsFormat, Runs: []run.Summary{}}
		if r.URL.Query().Get("pipeline") == "train" {
			runs.Runs = append(runs.Runs, run.Summary{ID: "train-2", Pipeline: "train"}, run.Summary{ID: "train-1", Pipeline: "train"})
		}
		answer(w, runs)
	})
	mux.HandleFunc("GET /api/v1/runs/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != "train-2" {
			refuse(w, http.StatusNotFound, "no such run: "+r.PathValue("id"))
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		answer(w, d.run(d.asked))
		d.asked++
	})
	mux.HandleFunc("GET /api/v1/runs/{id}/logs/{node}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("node") == "train.1" && r.URL.Query().Get("attempt") != "1" {
			refuse(w, http.StatusNotFound, "no such log: train.1")
			return
		}
		_, _ = fmt.Fprintf(w, "%s of %s\n\x1b[2Jsecond\n", r.PathValue("node"), r.PathValue("id"))
		if d.gone != nil && r.URL.Query().Get("follow") == "true" {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(d.gone)
		}
	})
	mux.HandleFunc("GET /api/v1/pipelines/{name}/preview", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("name") != "train" {
			refuse(w, http.StatusNotFound, "there is no such pipeline")
			return
		}
		answer(w, app.RunPreview{FormatVersion: app.RunsFormat, Preview: d.preview})
	})
	take := func(w http.ResponseWriter, r *http.Request) {
		var body app.RunOrder
		_ = json.NewDecoder(r.Body).Decode(&body)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.orders, d.params = append(d.orders, fmt.Sprintf("%s %s %s", r.URL.Path, body.Reason, body.Gate)), body.Params
		answer(w, app.RunTaken{FormatVersion: app.RunsFormat, Run: d.run(0)})
	}
	mux.HandleFunc("POST /api/v1/pipelines/train/runs", take)
	mux.HandleFunc("POST /api/v1/runs/train-2/{kind}", take)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// run is the run in its n-th state; the third is its end.
func (d *pipelineDaemon) run(n int) *run.Run {
	r := &run.Run{
		FormatVersion: run.Format, ID: "train-2", Pipeline: "train", Trigger: run.Cause{Kind: spec.TriggerManual, Actor: "ann"}, Phase: run.Running, Created: time.Now(),
		Definition: spec.Pipeline{Address: spec.Address{Kind: spec.KindPipeline, Name: "train"}, Name: "train", Steps: []*spec.Step{
			{Name: "split"}, {Name: "train", Inputs: map[string]spec.Input{"data": {Kind: spec.InputStep, Name: "split"}}, Matrix: []spec.Axis{{Name: "seed", Values: []any{1.0, 2.0}}}},
		}},
		Nodes: map[string]*run.Node{
			"split":   {ID: "split", Step: "split", Phase: run.NodeSucceeded, From: "train-1"},
			"train.0": {ID: "train.0", Step: "train", Phase: run.NodeWaiting},
			"train.1": {ID: "train.1", Step: "train", Trial: 1, Phase: run.NodeWaiting},
		},
	}
	for _, id := range []string{"train.0", "train.1"} {
		node := r.Nodes[id]
		switch {
		case n == 1:
			node.Phase, node.Attempt, node.Started = run.NodeRunning, 1, time.Now()
		case n > 1:
			node.Phase, node.Attempt, node.Started, node.Finished = run.NodeSucceeded, 1, time.Now(), time.Now()
		}
	}
	if n > 1 {
		r.Phase, r.Outcome, r.Finished = run.Done, d.outcome, time.Now()
		if d.outcome == run.Failed {
			r.Nodes["train.1"].Phase, r.Nodes["train.1"].Reason = run.NodeFailed, "its process ended with exit code 1"
		}
	}
	return r
}

func TestARunIsPreviewedStartedAndFollowed(t *testing.T) {
	d := &pipelineDaemon{outcome: run.Succeeded, preview: run.Preview{Pipeline: "train", Nodes: []run.NodePreview{{Node: "split", Hit: true, From: "train-1"}}}}
	code, out, errs := invoke(t, d.serve(t), token, "pipeline", "run", "train", "-p", "share=0.3", "-p", "name=a=b", "--reason", "new data")
	if code != exitOK || errs != "" {
		t.Errorf("%d: %s", code, errs)
	}
	for _, want := range []string{"split  hit    as in train-1", "train-2: started by ann", "train.0: runs", "train.1: succeeded", "train-2  succeeded"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if strings.Join(d.orders, ";") != "/api/v1/pipelines/train/runs new data " || d.params["share"] != "0.3" || d.params["name"] != "a=b" {
		t.Errorf("got %v %v", d.orders, d.params)
	}
}

func TestWhoStopsWatchingIsToldThatTheRunGoesOn(t *testing.T) {
	d := &pipelineDaemon{}
	ctx, cancel := context.WithCancel(t.Context())
	var out strings.Builder
	p := &program{view: &view.View{Out: &out}}
	cancel()
	r, err := p.follow(ctx, &daemon{url: d.serve(t)}, d.run(1))
	if r != nil || err == nil || !strings.Contains(err.Error(), "train-2 goes on") || !strings.Contains(err.Error(), "fairlead pipeline cancel train-2") || strings.Contains(out.String(), "STEP") {
		t.Errorf("%v, %s", err, out.String())
	}
}

func TestARunThatFailsIsAnErrorAndShowsItsLastWords(t *testing.T) {
	d := &pipelineDaemon{outcome: run.Failed}
	code, out, errs := invoke(t, d.serve(t), token, "pipeline", "run", "train", "--fresh")
	if code != exitError || errs != "" || !strings.Contains(out, "The last output of train.1:\n    │ train.1 of train-2\n    │ second") || strings.Contains(out, "CACHE") {
		t.Errorf("%d: %s%s", code, out, errs)
	}
}

func TestARunAsJSONIsOneDocument(t *testing.T) {
	d := &pipelineDaemon{outcome: run.Denied}
	code, out, errs := invoke(t, d.serve(t), token, "pipeline", "resume", "train", "--json")
	var r run.Run
	if err := json.Unmarshal([]byte(out), &r); code != exitError || err != nil || r.Outcome != run.Denied || errs != "" {
		t.Errorf("%d: %v %s%s", code, err, out, errs)
	}
}

func TestARunNeedNotBeWaitedFor(t *testing.T) {
	d := &pipelineDaemon{outcome: run.Failed}
	url := d.serve(t)
	if code, out, errs := invoke(t, url, token, "pipeline", "run", "train", "--wait=false"); code != exitOK || !strings.Contains(out, "train-2 is under way: fairlead pipeline show train-2") {
		t.Errorf("%d: %s%s", code, out, errs)
	}
}

func TestOrdersAboutARunNameItAndSayWhy(t *testing.T) {
	d := &pipelineDaemon{}
	url := d.serve(t)
	for _, tc := range []struct {
		args        []string
		order, says string
	}{
		{[]string{"cancel", "train", "--reason", "wrong data"}, "/api/v1/runs/train-2/cancel wrong data ", "train-2 is cancelled by ann@"},
		{[]string{"override", "train-2", "fair", "--wait=false", "--reason", "too small"}, "/api/v1/runs/train-2/override too small fair", "train-2 is under way"},
	} {
		code, out, errs := invoke(t, url, token, append([]string{"pipeline"}, tc.args...)...)
		if code != exitOK || !strings.Contains(out, tc.says) || d.orders[len(d.orders)-1] != tc.order {
			t.Errorf("%v: %d %s%s %v", tc.args, code, out, errs, d.orders)
		}
	}
}

func TestPipelinesSayWhatIsWrong(t *testing.T) {
	d := &pipelineDaemon{}
	url := d.serve(t)
	for args, want := range map[string]string{
		"run":                           "say which pipeline is meant; for example: fairlead pipeline run train_digits",
		"run trian":                     `there is no pipeline "trian"; did you mean train?`,
		"plan trian":                    `did you mean train?`,
		"list trian":                    `did you mean train?`,
		"run train more":                `unexpected argument "more"`,
		"run train -p share":            `-p "share" is not of the form NAME=VALUE`,
		"run train -p a=1 -p a=2":       "parameter a is given twice",
		"show":                          "say which run is meant",
		"show trian":                    `there is no run "trian", and there is no pipeline "trian"; did you mean train?`,
		"show idle":                     "pipeline idle never ran; start it: fairlead pipeline run idle",
		"show train-9":                  "there is no run",
		"override train fair":           "say why, with --reason TEXT",
		"override train":                "which gate",
		"logs train splat":              `train-2 has no step "splat"; did you mean split?`,
		"logs train split":              "its result is that of train-1; see: fairlead pipeline logs train-1 split",
		"logs train --attempt -1":       "--attempt -1 is no attempt",
		"graph":                         "say which pipeline or run is meant",
		"graph train --format png":      `--format "png" is none of svg, mermaid and text`,
		"graph trian":                   "did you mean train?",
		"graph train .":                 "no pipeline is declared, in environment default",
		"graph train /does/not/exist/x": "",
	} {
		code, out, errs := invoke(t, url, token, append([]string{"pipeline"}, strings.Fields(args)...)...)
		if code != exitError || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s%s, want %s", args, code, out, errs, want)
		}
	}
}

func TestACommitThatIsNotFollowedYetIsSaid(t *testing.T) {
	d := &pipelineDaemon{commit: "0123456789abcdef0123456789abcdef01234567"}
	url := d.serve(t)
	for _, args := range [][]string{{"plan", "trian"}, {"list", "trian"}, {"show", "trian"}} {
		code, out, errs := invoke(t, url, token, append([]string{"pipeline"}, args...)...)
		if want := "no pipeline is declared in commit 0123456, which the daemon follows"; code != exitError || !strings.Contains(errs, want) {
			t.Errorf("%v: %d %s%s, want %s", args, code, out, errs, want)
		}
	}
}

func TestAPlanThatCouldNotStartIsAnError(t *testing.T) {
	d := &pipelineDaemon{preview: run.Preview{Pipeline: "train", Problem: "image x is not there"}}
	if code, out, _ := invoke(t, d.serve(t), token, "pipeline", "plan", "train"); code != exitError || !strings.Contains(out, "image x is not there") {
		t.Errorf("%d: %s", code, out)
	}
}

func TestRunsAreListedAndShown(t *testing.T) {
	url := (&pipelineDaemon{asked: 2, outcome: run.Succeeded}).serve(t)
	for args, want := range map[string]string{
		"list": "idle", "list train": "train-1", "show train": "train-2  succeeded", "show train-2 --json": `"id": "train-2"`, "list --json": `"format_version"`, "list idle": "There is no run of idle yet.",
	} {
		if code, out, errs := invoke(t, url, token, append([]string{"pipeline"}, strings.Fields(args)...)...); code != exitOK || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s%s", args, code, out, errs)
		}
	}
}

func TestLogsOfSeveralStepsHaveTheirNamesInFront(t *testing.T) {
	d := &pipelineDaemon{asked: 2, outcome: run.Succeeded}
	url := d.serve(t)
	code, out, errs := invoke(t, url, token, "pipeline", "logs", "train", "--attempt", "1")
	if want := "train.0 │ train.0 of train-2\ntrain.0 │ \x1b[2Jsecond\ntrain.1 │ train.1 of train-2\ntrain.1 │ \x1b[2Jsecond\n"; code != exitOK || out != want {
		t.Errorf("%d: %q%s", code, out, errs)
	}
	code, out, errs = invoke(t, url, token, "pipeline", "logs", "train", "train.0")
	if want := "train.0 of train-2\n\x1b[2Jsecond\n"; code != exitOK || out != want {
		t.Errorf("%d: %q%s", code, out, errs)
	}
	code, out, _ = invoke(t, url, token, "pipeline", "logs", "train", "train.0", "--json")
	if want := `{"node":"train.0","attempt":1,"line":"train.0 of train-2"}`; code != exitOK || !strings.HasPrefix(out, want) {
		t.Errorf("%d: %q", code, out)
	}
	if code, _, errs := invoke(t, url, token, "pipeline", "logs", "train", "train.1"); code != exitError || !strings.Contains(errs, "no such log") {
		t.Errorf("%d: %s", code, errs)
	}
}

func TestLogsAreFollowedFromTheFirstStepToTheLast(t *testing.T) {
	d := &pipelineDaemon{outcome: run.Succeeded}
	code, out, errs := invoke(t, d.serve(t), token, "pipeline", "logs", "train", "-f")
	for _, want := range []string{"train.0 │ train.0 of train-2\n", "train.1 │ train.1 of train-2\n"} {
		if code != exitOK || strings.Count(out, want) != 1 {
			t.Errorf("%d: %q%s, want %q once", code, out, errs, want)
		}
	}
}

// writer is told what is written.
type writer func(data []byte) (int, error)

func (w writer) Write(data []byte) (int, error) { return w(data) }

func TestFollowingLogsEndsWithItsCaller(t *testing.T) {
	known := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, known) }) // after the server is closed
	d := &pipelineDaemon{asked: 1, gone: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	out := &view.View{Out: writer(func(data []byte) (int, error) { cancel(); return len(data), nil })}
	l := logs{daemon: &daemon{url: d.serve(t), client: http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}, id: "train-2", run: d.run(1), step: "train.0", out: out.Logs(false, false, nil)}
	if err := l.follow(ctx); err != nil {
		t.Fatal(err)
	}
	<-d.gone
}

func TestAGraphIsWrittenInEveryForm(t *testing.T) {
	url := (&pipelineDaemon{asked: 2, outcome: run.Succeeded}).serve(t)
	dir := t.TempDir()
	for args, want := range map[string]string{
		"train":                  "<svg",
		"train-2":                "train-2 succeeded</title>",
		"train --format text":    "step.train",
		"train --format mermaid": "flowchart LR",
		"train --json":           `"format_version": "1.0"`,
		"train -o " + filepath.Join(dir, "a.svg"): "",
		"train -o " + filepath.Join(dir, "a.mmd"): "",
	} {
		code, out, errs := invoke(t, url, token, append([]string{"pipeline", "graph"}, strings.Fields(args)...)...)
		if code != exitOK || !strings.Contains(out, want) || want == "" && out != "" {
			t.Errorf("%s: %d %s%s", args, code, out, errs)
		}
	}
	picture, err := os.ReadFile(filepath.Join(dir, "a.svg"))
	if err != nil || xml.Unmarshal(picture, new(struct{})) != nil {
		t.Errorf("%v: %s", err, picture)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "a.mmd")); err != nil || !strings.Contains(string(text), "flowchart") {
		t.Errorf("%v: %s", err, text)
	}
}
