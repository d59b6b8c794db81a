package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
)

// BenchmarkPipeline10 is a run of ten steps, each of which reads what the one before
// wrote, as a ratio to the engine's own create, start, wait and remove of the same ten
// containers one after the other: the bodies that Fairlead sent, sent again with
// nothing around them. The two are measured in pairs, now the one first and now the
// other; the ratio is the median of those of the pairs. What ends in -no-data is the
// same for steps that neither read nor write.
func BenchmarkPipeline10(b *testing.B) {
	e := newPipelineBench(b)
	for b.Loop() {
		e.measure("data", "")
		e.measure("bare", "-no-data")
	}
	b.ReportMetric(0, "ns/op")
}

// measure reports the figures of a pipeline.
func (e *pipelineBench) measure(pipeline, suffix string) {
	const pairs = 5
	e.b.Helper()
	e.run(pipeline) // what is made only once is there then
	e.recorder.forget()
	e.run(pipeline)
	creates := e.recorder.creates()
	var ours, bare []time.Duration
	var ratios []float64
	for i := range pairs {
		var pair [2]time.Duration
		for j := range 2 {
			if (i+j)%2 == 0 {
				pair[0] = e.run(pipeline)
			} else {
				pair[1] = e.oneAfterTheOther(creates)
			}
		}
		ours, bare = append(ours, pair[0]), append(bare, pair[1])
		ratios = append(ratios, float64(pair[0])/float64(pair[1]))
	}
	slices.Sort(ratios)
	e.b.ReportMetric(ratios[len(ratios)/2], "×engine"+suffix)
	e.b.ReportMetric(float64(median(bare).Milliseconds()), "engine-ms"+suffix)
	e.b.ReportMetric(float64(median(ours).Milliseconds()), "run-ms"+suffix)
}

// benchSteps is how many steps a run has.
const benchSteps = 10

// pipelineBench is an environment whose pipelines run on the real engine, seen
// through a recorder.
type pipelineBench struct {
	engineBench
	dir string // that stands for those that are mounted
}

// passOn is a step's program: it writes where it is told.
const passOn = `package main

import "os"

func main() {
	if len(os.Args) > 1 {
		if os.WriteFile("/out/data/file", []byte("0123456789"), 0o644) != nil {
			os.Exit(1)
		}
	}
}
`

func newPipelineBench(b *testing.B) *pipelineBench {
	b.Helper()
	socket := providertest.EngineSocket(b)
	scope := providertest.TestScope(b)
	e := &pipelineBench{engineBench{b: b, environment: scope.Environment, dir: b.TempDir(), recorder: newRecorder(b, socket)}, b.TempDir()}
	if err := os.Chmod(e.dir, 0o777); err != nil { //nolint:gosec // any user of a container writes to it
		b.Fatal(err)
	}
	e.engine = overSocket(b, e.recorder.path)
	e.image = "fairlead-test/" + scope.Environment + "-step:1"
	providertest.LoadImage(b, socket, e.image, providertest.BuildStatic(b, []byte(passOn)))
	e.pipelines()
	c, err := Config{
		Owner: scope.Owner, Environment: scope.Environment, Engine: "unix://" + e.recorder.path, Data: b.TempDir(), SecretsDir: b.TempDir(),
		Gateway: freePort(b), GatewayBinary: staticBinary(b),
	}.WithDefaults()
	if err != nil {
		b.Fatal(err)
	}
	if e.site, err = OpenWorktree(b.Context(), c, e.engineBench.dir, Act); err != nil {
		b.Fatal(err)
	}
	if err := e.site.Begin(b.Context(), slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = e.site.Close()
		providertest.RemoveScope(b, e.site.Runtime)
	})
	e.serve()
	return e
}

// pipelines writes the two pipelines.
func (e *pipelineBench) pipelines() {
	e.b.Helper()
	text := fmt.Sprintf("environment %q {}\n", e.environment)
	for _, kind := range []string{"data", "bare"} {
		text += fmt.Sprintf("pipeline %q {\n", kind)
		for i := range benchSteps {
			text += fmt.Sprintf("  step \"s%d\" {\n    image = %q\n", i, e.image)
			switch {
			case kind == "data" && i > 0:
				text += fmt.Sprintf("    inputs = { data = step.s%d.data }\n", i-1)
			case i > 0:
				text += fmt.Sprintf("    after = [step.s%d]\n", i-1)
			}
			if kind == "data" {
				text += "    command = [\"write\"]\n    outputs = [\"data\"]\n"
			}
			text += "  }\n"
		}
		text += "}\n"
	}
	if err := os.WriteFile(filepath.Join(e.engineBench.dir, "pipelines.hcl"), []byte(text), 0o600); err != nil {
		e.b.Fatal(err)
	}
}

// serve lets the runner of the site run pipelines until the benchmark ends.
func (e *pipelineBench) serve() {
	e.b.Helper()
	_, tree, err := e.site.Desired(e.b.Context())
	if err != nil {
		e.b.Fatal(err)
	}
	cfg, err := e.site.Load(e.b.Context(), tree)
	if err != nil {
		e.b.Fatal(err)
	}
	if _, err := e.site.Journal.Open(e.b.Context()); err != nil {
		e.b.Fatal(err)
	}
	if err := e.site.openPipelines(e.b.Context(), slog.New(slog.DiscardHandler)); err != nil {
		e.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(e.b.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := e.site.Runner.Serve(ctx); err != nil && ctx.Err() == nil {
			e.b.Error(err)
		}
	})
	e.b.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	e.site.Runner.Follow(&runner.Wanted{Config: cfg, Tree: tree})
	for ticker := time.NewTicker(time.Millisecond); len(e.site.Runner.Status().Pipelines) == 0; <-ticker.C { // until it has taken that
		if e.b.Context().Err() != nil {
			return
		}
	}
}

// run is how long a run takes of which nothing is known from before, from the order to
// the end, when its containers are removed.
func (e *pipelineBench) run(pipeline string) time.Duration {
	e.b.Helper()
	ctx, cancel := context.WithTimeout(e.b.Context(), 2*time.Minute)
	defer cancel()
	r, err := e.site.Runner.Start(ctx, runner.StartOrder{Pipeline: pipeline, Fresh: true, Actor: "bench"})
	for ticker := time.NewTicker(50 * time.Millisecond); err == nil && r.Phase != run.Done; <-ticker.C { // seldom: it is not what is measured
		r, err = e.site.Runner.Run(ctx, r.ID)
	}
	if err != nil {
		e.b.Fatal(err)
	}
	if r.Outcome != run.Succeeded {
		e.b.Fatalf("the run %s: %s", r.Outcome, r.Reason)
	}
	return r.Finished.Sub(r.Created)
}

// oneAfterTheOther sends the creates that were recorded, each followed by its start, its
// end and its removal.
func (e *pipelineBench) oneAfterTheOther(creates []create) time.Duration {
	e.b.Helper()
	if len(creates) != benchSteps {
		e.b.Fatalf("%d creates were recorded, want %d", len(creates), benchSteps)
	}
	var bodies [][]byte
	for _, c := range creates {
		bodies = append(bodies, e.elsewhere(c.body))
	}
	begin := time.Now()
	for i, c := range creates {
		version, _, _ := strings.Cut(c.uri[1:], "/")
		var made struct{ ID string }
		if err := e.post(c.uri, bodies[i], &made); err != nil {
			e.b.Fatal(err)
		}
		path := "/" + version + "/containers/" + made.ID
		var ended struct{ StatusCode int }
		if err := e.post(path+"/start", nil, nil); err != nil {
			e.b.Fatal(err)
		}
		if err := e.post(path+"/wait", nil, &ended); err != nil || ended.StatusCode != 0 {
			e.b.Fatalf("code %d, %v", ended.StatusCode, err)
		}
		request, err := http.NewRequestWithContext(e.b.Context(), http.MethodDelete, "http://engine"+path+"?v=1", nil)
		if err != nil {
			e.b.Fatal(err)
		}
		answer, err := e.engine.Do(request)
		if err != nil || answer.StatusCode != http.StatusNoContent {
			e.b.Fatalf("%v %v", answer, err)
		}
		_ = answer.Body.Close()
	}
	return time.Since(begin)
}

// elsewhere is the body of a create with directories that are there: those of the run
// are gone with it.
func (e *pipelineBench) elsewhere(body []byte) []byte {
	e.b.Helper()
	var spec map[string]any
	if err := json.Unmarshal(body, &spec); err != nil {
		e.b.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(e.dir, "data"), fs.ModePerm); err != nil {
		e.b.Fatal(err)
	}
	host, _ := spec["HostConfig"].(map[string]any)
	mounts, _ := host["Mounts"].([]any)
	for _, m := range mounts {
		if m, ok := m.(map[string]any); ok && m["Type"] == "bind" {
			m["Source"] = e.dir
		}
	}
	other, err := json.Marshal(spec)
	if err != nil {
		e.b.Fatal(err)
	}
	return other
}
