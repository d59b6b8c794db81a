package e2e

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	runs "github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

//go:embed testdata/step.go
var stepSource []byte

// buildStep builds the program of the steps, once.
var buildStep = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(scratch, "step")
	program := filepath.Join(dir, "program")
	err := errors.Join(
		os.MkdirAll(dir, 0o700),
		os.WriteFile(filepath.Join(dir, "main.go"), stepSource, 0o600),
		os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module step\n\ngo 1.26\n"), 0o600))
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program of the steps: %w\n%s", err, out)
	}
	return program, nil
})

// workshop is an environment in which pipelines run, with its config repository.
type workshop struct {
	*environment
	*repo
	steps  string // image of the steps
	starts *starts
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	return newWorkshopOn(t, providertest.EngineSocket(t))
}

func newWorkshopOn(t *testing.T, socket string) *workshop {
	t.Helper()
	w := &workshop{environment: newEnvironmentOn(t, socket), repo: newRepo(t)}
	w.steps = "fairlead-e2e/" + w.owner + "-steps:1"
	w.loadSteps("first build")
	w.set("PIPELINE_PARALLEL", "4") // whatever the machine has
	w.starts = watchStarts(t, w.engine, w.owner)
	return w
}

// loadSteps gives the steps an image of this workshop's own, so that nobody else
// misses it where it is removed. Another build of it does the same.
func (w *workshop) loadSteps(build string) {
	t := w.environment.t
	t.Helper()
	program, err := os.ReadFile(built(t, buildStep))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, append(program, w.owner+", "+build...), 0o755); err != nil { //nolint:gosec // it is to be executed
		t.Fatal(err)
	}
	providertest.LoadImage(t, w.engine.socket, w.steps, path)
}

// open commits the text, with STEPS for the image of the steps and SERVER for that of
// the model server, and starts a daemon on it.
func (w *workshop) open(hcl string) {
	w.environment.t.Helper()
	commit := w.change(hcl)
	w.serve(w.dir)
	w.follows(commit)
}

// change commits another text.
func (w *workshop) change(hcl string) (commit string) {
	w.environment.t.Helper()
	return w.commitText(strings.NewReplacer("STEPS", w.steps, "SERVER", w.image).Replace(hcl))
}

// follows waits until the commit is what pipelines are run by.
func (w *workshop) follows(commit string) {
	w.environment.t.Helper()
	w.until("the daemon follows "+commit, func() bool {
		s, ok := w.status()
		if !ok || s.Commit.ID != commit {
			return false
		}
		answer, err := w.ask("/api/v1/pipelines")
		return err == nil && !strings.Contains(string(answer), `"pipelines": []`) && !strings.Contains(string(answer), `"pipelines":[]`)
	})
}

// begin starts a run, and returns its id.
func (w *workshop) begin(pipeline string, args ...string) string {
	w.environment.t.Helper()
	var r runs.Run
	w.json(0, &r, append([]string{"pipeline", "run", pipeline, "--wait=false", "--json"}, args...)...)
	return r.ID
}

// json runs a command that has to end with the code, and reads what it prints.
func (w *workshop) json(code int, answer any, args ...string) {
	w.environment.t.Helper()
	out, got := w.fairlead(args...)
	if got != code {
		w.environment.t.Fatalf("fairlead %v ends with %d, want %d:\n%s", args, got, code, out)
	}
	if err := json.Unmarshal([]byte(out), answer); err != nil {
		w.environment.t.Fatalf("fairlead %v: %v in:\n%s", args, err, out)
	}
}

// look is the run as it is now; false while nobody answers.
func (w *workshop) look(id string) (*runs.Run, bool) {
	r := &runs.Run{}
	err := w.get("/api/v1/runs/"+id, r)
	return r, err == nil && r.ID == id
}

// ended waits for the end of a run.
func (w *workshop) ended(id string) *runs.Run {
	w.environment.t.Helper()
	var r *runs.Run
	w.untilNothing(func() string {
		var ok bool
		if r, ok = w.look(id); !ok {
			return "nobody tells of run " + id
		}
		if r.Phase == runs.Done {
			return ""
		}
		return fmt.Sprintf("run %s is %s: %s", id, r.Phase, nodesOf(r))
	})
	return r
}

// done is a run from its start to its end.
func (w *workshop) done(pipeline string, args ...string) *runs.Run {
	w.environment.t.Helper()
	return w.ended(w.begin(pipeline, args...))
}

// nodesOf is where the nodes of a run are.
func nodesOf(r *runs.Run) string {
	var text []string
	for _, id := range slices.Sorted(maps.Keys(r.Nodes)) {
		n := r.Nodes[id]
		text = append(text, fmt.Sprintf("%s %s %s", id, n.Phase, n.Reason))
	}
	return strings.Join(text, "; ")
}

// ran are the nodes of a run that were not taken from the cache.
func ran(r *runs.Run) []string {
	var list []string
	for _, id := range slices.Sorted(maps.Keys(r.Nodes)) {
		if n := r.Nodes[id]; n.From == "" && n.Phase == runs.NodeSucceeded {
			list = append(list, id)
		}
	}
	return list
}

// succeeded expects that end of a run.
func (w *workshop) succeeded(r *runs.Run) {
	w.environment.t.Helper()
	if r.Outcome != runs.Succeeded {
		w.environment.t.Fatalf("run %s %s: %s\n%s\n%s", r.ID, r.Outcome, r.Reason, nodesOf(r), w.daemon.log.tail())
	}
}

// nothingLeft waits until no container of a step and no work directory is there.
func (w *workshop) nothingLeft() {
	w.environment.t.Helper()
	w.untilNothing(func() string {
		for _, c := range w.engine.containers(w.owner) {
			if c.Labels[reconcile.LabelKind] == string(spec.KindStep) {
				return fmt.Sprintf("container %v is left, %s", c.Names, c.State)
			}
		}
		left, err := filepath.Glob(filepath.Join(w.data, "work", "*", "*"))
		if err != nil || len(left) > 0 {
			return fmt.Sprintf("work directories are left: %v %v", left, err)
		}
		return ""
	})
}

// proposals are the branches with proposed versions.
func (w *workshop) proposals() []string {
	w.environment.t.Helper()
	return strings.Fields(w.git("for-each-ref", "--format=%(refname:short)", "refs/heads/fairlead/publish"))
}

// starts counts how often the engine started each container of an owner. The engine
// itself says it, whoever wanted it.
type starts struct {
	mu     sync.Mutex
	counts map[string]int // by name of the container
}

func watchStarts(t *testing.T, e *engine, owner string) *starts {
	t.Helper()
	s := &starts{counts: map[string]int{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	filter := fmt.Sprintf(`{"type":["container"],"event":["start"],"label":[%q]}`, reconcile.LabelOwner+"="+owner)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine/events?filters="+url.QueryEscape(filter), nil)
	if err != nil {
		t.Fatal(err)
	}
	stream := unixClient(t, e.socket)
	stream.Timeout = 0 // for as long as the test runs
	response, err := stream.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for events := json.NewDecoder(response.Body); ; {
			var event struct {
				Actor struct{ Attributes map[string]string }
			}
			if events.Decode(&event) != nil {
				return
			}
			s.mu.Lock()
			s.counts[event.Actor.Attributes["name"]]++
			s.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = response.Body.Close()
		<-ended
	})
	return s
}

// ofRun are the counts of a run, by NODE.ATTEMPT.
func (s *starts) ofRun(id string) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]int{}
	for name, n := range s.counts {
		if _, attempt, ok := strings.Cut(name, ".run."+id+"."); ok {
			found[attempt] = n
		}
	}
	return found
}
