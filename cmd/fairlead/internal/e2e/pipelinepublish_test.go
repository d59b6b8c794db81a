package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	runs "github.com/fairlead/fairlead/reconcile/run"
)

// training is a repository with a model and the pipeline that makes it. Its words in
// capitals are replaced: STEPS, SERVER, and RULES by more of the pipeline.
const training = `# The digits of the whole house.
model "digits" {
  version      = "1.0.0" # the first one
  image        = "SERVER"
  replicas     = 1 // enough
  stop_timeout = "1s"
  health {
    interval    = "500ms"
    min_healthy = "500ms"
    deadline    = "45s"
  }
  rollout {
    step {
      weight = 50
      hold   = "1s"
    }
    keep_previous = "1s"
  }
}

dataset "digits" {
  source = "digits.csv"
  expect "rows" {
    min = 3
  }
  expect "column" {
    name = "label"
    type = integer
    min  = 0
    max  = 9
  }
}

/* How it is made. */
pipeline "train" {
  param "share" {
    default = 0.2
  }
  step "split" {
    image   = "STEPS"
    inputs  = { data = dataset.digits }
    command = ["make test", "make train"]
    env     = { XSHARE = param.share }
    outputs = ["test", "train"]
  }
  step "fit" {
    image   = "STEPS"
    inputs  = { data = step.split.train }
    matrix  = { hidden = [32, 64] }
    env     = { XHIDDEN = matrix.hidden, XKIND = "plain" }
    command = ["make model", "write metrics.json {\"accuracy\": 0.${matrix.hidden}}"]
    outputs = ["model"]
    metrics = "metrics.json"
  }
  select "best" {
    of       = step.fit
    maximize = "accuracy"
  }
  step "evaluate" {
    image   = "STEPS"
    inputs  = { model = select.best.model, data = step.split.test }
    command = ["write eval.json {\"accuracy\": 0.9, \"ratio\": 0.95}"]
    metrics = "eval.json"
  }
  step "report" {
    image   = "STEPS"
    inputs  = { data = dataset.digits }
    command = ["make page"]
    outputs = ["page"]
  }
  gate "good" {
    require = step.evaluate.metrics.accuracy >= 0.8
  }
  publish {
    model    = model.digits
    artifact = select.best.model
    version  = patch
  }
}
`

const digitsTable = "a,label\n1,2\n3,4\n5,6\n"

var allNodes = []string{"evaluate", "fit.0", "fit.1", "report", "split"}

func newTraining(t *testing.T) *workshop {
	t.Helper()
	w := newWorkshop(t)
	w.write("digits.csv", digitsTable)
	return w
}

// From an empty cache a run makes a version and proposes it as an edit that a person
// would have made; merged, it is rolled out. Run again, everything is known before.
func TestPipelineProposesAVersionAndMergedItGoesLive(t *testing.T) {
	t.Parallel()
	w := newTraining(t)
	w.open(training)
	first := w.done("train", "--actor", "ann", "--reason", "the first one")
	w.succeeded(first)
	if got := ran(first); !slices.Equal(got, allNodes) {
		t.Errorf("from an empty cache %v ran, want %v", got, allNodes)
	}
	if p := first.Published; p == nil || p.Version != "1.0.1" || p.Branch != "fairlead/publish/digits" || !p.Pushed {
		t.Fatalf("the run published %+v", p)
	}
	w.nothingLeft()
	w.proposed(first)

	w.again(first)

	before := w.replicas("digits")
	w.git("merge", "-q", "--no-edit", "fairlead/publish/digits")
	commit := w.git("rev-parse", "HEAD")
	w.converged(commit)
	w.exactly(model{name: "digits", replicas: 1}) // the previous one is gone, too
	var live []string
	c := &canary{environment: w.environment, repo: w.repo}
	for _, e := range c.decisions() {
		if e.Model == "digits" && e.Version == "1.0.1" {
			live = append(live, string(e.Action))
		}
	}
	if !slices.Contains(live, string(journal.ActionStart)) || !slices.Contains(live, string(journal.ActionPromote)) {
		t.Errorf("of the merged version the journal has %v, want a start and a promotion", live)
	}
	for _, id := range w.replicas("digits") {
		if slices.Contains(before, id) {
			t.Error("the merged version has no container of its own")
		}
		w.hasArtifact(id)
	}
	again := w.done("train") // nothing new to propose, also after the merge
	w.succeeded(again)
	if again.Published == nil || again.Published.Unneeded == "" {
		t.Errorf("the same bytes were proposed again: %+v", again.Published)
	}
}

// proposed reads the proposal as a reviewer does.
func (w *workshop) proposed(r *runs.Run) {
	t := w.environment.t
	t.Helper()
	branch := r.Published.Branch
	files := strings.Fields(w.git("diff", "--name-only", "main", branch))
	if want := []string{"models.hcl", "versions/digits/1.0.1.hcl", "versions/digits/1.0.1.json"}; !slices.Equal(files, want) {
		t.Errorf("the proposal changes %v, want %v", files, want)
	}
	var changed []string
	for line := range strings.Lines(w.git("diff", "-U0", "main", branch, "--", "models.hcl")) {
		if (line[0] == '+' || line[0] == '-') && !strings.HasPrefix(line, "+++") && !strings.HasPrefix(line, "---") {
			changed = append(changed, strings.Join(strings.Fields(line), " "))
		}
	}
	want := []string{`- version = "1.0.0" # the first one`, `+ version = "1.0.1" # the first one`, fmt.Sprintf("+ artifact = %q", r.Published.Artifact)}
	for _, line := range want {
		if !slices.Contains(changed, line) {
			t.Errorf("the proposal does not have %q", line)
		}
	}
	// An argument that is added may move the equals signs of the others.
	for _, line := range changed {
		if !slices.Contains(want, line) {
			t.Errorf("the proposal changes too much: %q", line)
		}
	}
	message := w.git("log", "-1", "--format=%B", branch)
	for _, part := range []string{"digits: version 1.0.1", r.ID, "accuracy", "good", "the first one"} {
		if !strings.Contains(message, part) {
			t.Errorf("the message of the proposal does not have %q:\n%s", part, message)
		}
	}
	tree := filepath.Join(t.TempDir(), "proposed")
	w.git("clone", "-q", "--branch", branch, ".", tree)
	if out, code := w.fairlead("validate", tree); code != 0 {
		t.Errorf("the proposal does not validate: %s", out)
	}
	if out, code := w.fairlead("fmt", "--check", tree); code != 0 {
		t.Errorf("the proposal is not formatted: %s", out)
	}
}

// again runs the pipeline once more: the plan says that all is known, and it is.
func (w *workshop) again(first *runs.Run) {
	t := w.environment.t
	t.Helper()
	var plan runs.Preview
	w.json(0, &plan, "pipeline", "plan", "train", "--json")
	for _, n := range plan.Nodes {
		if !n.Hit || n.From != first.ID {
			t.Errorf("the plan does not say that %s is known from %s: %+v", n.Node, first.ID, n)
		}
	}
	if len(plan.Nodes) != len(allNodes) {
		t.Errorf("the plan has %d nodes, want %d", len(plan.Nodes), len(allNodes))
	}
	w.proxy.Forget()
	const limit = 2 * time.Second
	least := time.Hour
	for tries := 0; tries < 5 && least > limit; tries++ { // the machine may be busy
		second := w.ended(w.begin("train"))
		w.succeeded(second)
		if got := ran(second); len(got) != 0 {
			t.Errorf("all was known, and %v ran", got)
		}
		if second.Published == nil || second.Published.Unneeded == "" {
			t.Errorf("the same bytes were proposed again: %+v", second.Published)
		}
		least = min(least, second.Finished.Sub(second.Created))
	}
	if n := w.proxy.Count(http.MethodPost, "/containers/create"); n != 0 {
		t.Errorf("%d containers were created for what was known", n)
	}
	if least > limit {
		t.Errorf("a run of which all is known took %s, want at most %s", least, limit)
	}
	t.Logf("all known: %s in the daemon", least)
}

// hasArtifact sees that the container has the artifact of the version.
func (w *workshop) hasArtifact(id string) {
	w.environment.t.Helper()
	var inspected struct {
		Mounts []struct {
			Destination string
			RW          bool
		}
	}
	w.engine.must(http.MethodGet, "/containers/"+id+"/json", nil, &inspected)
	for _, m := range inspected.Mounts {
		if m.Destination == "/mnt/model" && !m.RW {
			return
		}
	}
	w.environment.t.Errorf("the container has no artifact: %+v", inspected.Mounts)
}

// What is changed, and what has to run again for it: nothing else does, and the plan
// says so before.
func TestOnlyWhatDependsOnAChangeRunsAgain(t *testing.T) {
	t.Parallel()
	w := newTraining(t)
	text := training
	w.open(text)
	w.succeeded(w.done("train"))
	dependent := []string{"evaluate", "fit.0", "fit.1", "split"}
	replaced := func(old, now string) func() {
		return func() {
			if !strings.Contains(text, old) {
				t.Fatalf("there is no %q to replace", old)
			}
			text = strings.Replace(text, old, now, 1)
		}
	}
	for _, c := range []struct {
		what   string
		change func()
		params []string
		runs   []string
	}{
		{"a parameter for one run", nil, []string{"-p", "share=0.3"}, dependent},
		{"the parameter as before", nil, nil, nil},
		{"a comment", replaced("/* How it is made. */", "# How it is made, in short."), nil, nil},
		{"the order of steps", func() { text = reordered(t, text) }, nil, nil},
		{"resources and retries", replaced("outputs = [\"page\"]", "outputs = [\"page\"]\n    retries = 2\n    timeout = \"1m\""), nil, nil},
		{"an environment value", replaced(`"plain"`, `"fancy"`), nil, []string{"evaluate", "fit.0", "fit.1"}},
		{"one more variant", replaced("[32, 64]", "[32, 64, 48]"), nil, []string{"fit.2"}},
		{"one byte of the data", func() { w.write("digits.csv", strings.Replace(digitsTable, "5,6", "5,7", 1)) }, nil, append(dependent, "fit.2", "report")},
		{"the digest of an image", func() { w.rebuild(t) }, nil, append(dependent, "fit.2", "report")},
	} {
		if c.change != nil {
			c.change()
			w.follows(w.change(text))
		}
		slices.Sort(c.runs)
		plan := w.plan(c.params...)
		r := w.done("train", c.params...)
		w.succeeded(r)
		if got := ran(r); !slices.Equal(got, c.runs) {
			t.Errorf("%s: %v ran, want %v", c.what, got, c.runs)
		}
		for node, n := range plan {
			// Of what depends on something that runs the plan cannot know.
			if runs := slices.Contains(c.runs, node); n.Hit && runs || !n.Hit && !runs && len(n.Depends) == 0 || !n.Hit && len(n.Depends) == 0 && n.Why == "" {
				t.Errorf("%s: the plan says of %s: %+v; it ran: %t", c.what, node, n, runs)
			}
		}
		if started := w.starts.ofRun(r.ID); len(started) != len(c.runs) {
			t.Errorf("%s: the engine started %v, want %v", c.what, slices.Sorted(maps.Keys(started)), c.runs)
		}
	}
	w.nothingLeft()
}

// plan is what a run would do, by node.
func (w *workshop) plan(params ...string) map[string]runs.NodePreview {
	w.environment.t.Helper()
	var preview runs.Preview
	w.json(0, &preview, append([]string{"pipeline", "plan", "train", "--json"}, params...)...)
	nodes := map[string]runs.NodePreview{}
	for _, n := range preview.Nodes {
		nodes[n.Node] = n
	}
	return nodes
}

// reordered is the text with the first step moved behind the last one.
func reordered(t *testing.T, text string) string {
	t.Helper()
	from, to, end := strings.Index(text, `  step "split"`), strings.Index(text, `  step "fit"`), strings.Index(text, `  gate "good"`)
	if from < 0 || to < from || end < to {
		t.Fatal("the text has no steps to reorder")
	}
	return text[:from] + text[to:end] + text[from:to] + text[end:]
}

// rebuild gives the image of the steps other bytes, which do the same.
func (w *workshop) rebuild(t *testing.T) {
	t.Helper()
	var before struct{ ID string }
	w.engine.must(http.MethodGet, "/images/"+w.steps+"/json", nil, &before)
	t.Cleanup(func() { _ = w.engine.call(http.MethodDelete, "/images/"+before.ID+"?force=1", nil, nil) }) // the tag does not hold it any more
	w.loadSteps("another build")
}
