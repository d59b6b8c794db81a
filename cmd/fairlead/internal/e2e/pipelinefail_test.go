package e2e

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	runs "github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// failing is a pipeline that ends badly, how it does, and what a person is told.
type failing struct {
	name    string
	body    string // of the step "work", of which artifact and figures are published
	more    string // of the pipeline
	input   string // of the step; what it is by itself if empty
	outcome runs.Outcome
	cause   spec.StepCause // of the step; "" if that succeeded or did not begin
	reason  string         // part of the run's
	within  time.Duration  // of the step's own run, if something has to end it
}

// whole is what every such step does beside its mistake.
const whole = `"make model", "write metrics.json {\"accuracy\": 0.9}"`

var failures = []failing{
	{
		name: "gate", body: command(whole), more: `gate "strict" {
    require = step.work.metrics.accuracy >= 0.95
    message = "train longer"
  }`,
		outcome: runs.Denied, reason: "gate strict",
	},
	{
		name: "unknown_figure", body: command(whole), more: `gate "fair" {
    require = step.work.metrics.ratio >= 0.8
  }`,
		outcome: runs.Denied, reason: "gate fair",
	},
	{
		name: "expectation", input: "dataset.broken", body: command(whole),
		outcome: runs.Failed, reason: "dataset.broken: it is not what is expected of it: models.hcl:",
	},
	{
		name: "no_metrics", body: command(`"make model"`),
		outcome: runs.Failed, cause: spec.CauseMetrics, reason: "work: the metrics were not written: there is no /out/metrics.json",
	},
	{
		name: "not_a_number", body: command(`"make model", "write metrics.json {\"accuracy\": NaN}"`),
		outcome: runs.Failed, cause: spec.CauseMetrics, reason: "NaN",
	},
	{
		name: "text_for_a_number", body: command(`"make model", "write metrics.json {\"accuracy\": \"high\"}"`),
		outcome: runs.Failed, cause: spec.CauseMetrics, reason: "accuracy",
	},
	{
		name: "no_output", body: command(`"write metrics.json {\"accuracy\": 0.9}"`),
		outcome: runs.Failed, cause: spec.CauseOutput, reason: "work: output model was not written: there is no file in /out/model",
	},
	{
		name: "full_disk", body: command(whole, `"fill /scratch"`) + `mount "/scratch" {
      type = tmpfs
      size = "1MiB"
    }`,
		outcome: runs.Failed, cause: spec.CauseExit, reason: "work: it ended with exit code 28",
	},
	{
		name: "too_large", body: command(whole, `"grow model/large"`) + `max_output = "1MiB"
    stop_timeout = "1s"`,
		outcome: runs.Failed, cause: spec.CauseOutput, reason: "work: it wrote more than the 1 MiB below /out that max_output allows",
	},
	{
		name: "stubborn", body: command(whole, `"stubborn"`) + `timeout = "1s"
    stop_timeout = "1s"`,
		outcome: runs.Failed, cause: spec.CauseTimeout, reason: "work: it took longer than its timeout of 1s", within: 20 * time.Second,
	},
	{
		name: "hungry", body: command(whole, `"eat 268435456"`) + `resources {
      memory = "32MiB"
    }`,
		outcome: runs.Failed, cause: spec.CauseOOM, reason: "raise resources.memory, which is 32 MiB",
	},
	{
		name: "exit_code", body: command(whole, `"say it is no use"`, `"exit 3"`) + `retries = 1
    backoff = "10ms"`,
		outcome: runs.Failed, cause: spec.CauseExit, reason: "work: it ended with exit code 3",
	},
	{
		name: "no_command", body: command(whole) + `entrypoint = ["/nothing"]`,
		outcome: runs.Failed, cause: spec.CauseEngine, reason: "/nothing",
	},
}

// command is the argument of a step.
func command(actions ...string) string {
	return "command = [" + strings.Join(actions, ", ") + "]\n    "
}

// hcl is the pipeline with its model; a step that succeeds goes before, and one that
// needs nothing of it beside.
func (f failing) hcl() string {
	input := f.input
	if input == "" {
		input = "step.before.data"
	}
	return fmt.Sprintf(`
model %[1]q {
  version  = "1.0.0"
  image    = "SERVER"
  replicas = 0
}
pipeline %[1]q {
  step "before" {
    image   = "STEPS"
    inputs  = { data = dataset.digits }
    command = ["make data", "say %[1]s"]
    outputs = ["data"]
  }
  step "work" {
    image   = "STEPS"
    inputs  = { data = %[2]s }
    outputs = ["model"]
    metrics = "metrics.json"
    %[3]s
  }
  step "after" {
    image   = "STEPS"
    inputs  = { model = step.work.model }
    command = ["say never"]
  }
  step "last" {
    image   = "STEPS"
    command = ["say at the end"]
    exit    = true
  }
  %[4]s
  publish {
    model    = model.%[1]s
    artifact = step.work.model
    metrics  = step.work
  }
}
`, f.name, input, f.body, f.more)
}

// neighbours is what the repository holds beside the failing pipelines.
const neighbours = `
dataset "digits" {
  source = "digits.csv"
}
dataset "broken" {
  source = "digits.csv"
  expect "column" {
    name = "label"
    max  = 4
  }
}
pipeline "neighbour" {
  param "round" {
    default = 0
  }
  step "one" {
    image   = "STEPS"
    env     = { XROUND = param.round }
    command = ["sleep 300ms", "make data"]
    outputs = ["data"]
  }
  step "two" {
    image   = "STEPS"
    inputs  = { data = step.one.data }
    command = ["say fine"]
  }
}
`

// Whatever goes wrong in a step, its run ends and says why; nothing is published, what
// runs beside it goes on, and nothing is left.
func TestEachFailureOfAStepEndsTheRunWithItsReason(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	w.write("digits.csv", digitsTable)
	text := neighbours
	for _, f := range failures {
		text += f.hcl()
	}
	w.open(text)
	started := map[string]string{}
	for _, f := range failures {
		started[f.name] = w.begin(f.name)
	}
	round := 0
	for range 2 { // while they fail
		round++
		w.succeeded(w.done("neighbour", "-p", "round="+strconv.Itoa(round)))
	}
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) { f.check(t, w, started[f.name]) })
	}
	w.nothingLeft()
	if found := w.proposals(); len(found) != 0 {
		t.Errorf("runs that failed have proposed %v", found)
	}
	w.succeeded(w.done("neighbour", "-p", "round=9"))
}

func (f failing) check(t *testing.T, w *workshop, id string) {
	r := w.ended(id)
	if r.Outcome != f.outcome || !strings.Contains(r.Reason, f.reason) {
		t.Errorf("the run %s: %s; want that it %s: %s", r.Outcome, r.Reason, f.outcome, f.reason)
	}
	if r.Published != nil {
		t.Errorf("it published %+v", r.Published)
	}
	work := r.Nodes["work"]
	// An engine under load may learn of the end before it learns of the memory.
	if work.Cause != f.cause && (f.cause != spec.CauseOOM || work.ExitCode != 137) {
		t.Errorf("the cause is %q, want %q", work.Cause, f.cause)
	}
	if f.cause != "" && r.Nodes["after"].Phase != runs.NodeSkipped {
		t.Errorf("what needs the failed step is %s", r.Nodes["after"].Phase)
	}
	if last := r.Nodes["last"]; last.Phase != runs.NodeSucceeded {
		t.Errorf("the exit step is %s: %s", last.Phase, last.Reason)
	}
	if took := work.Finished.Sub(work.Started); f.within > 0 && took > f.within {
		t.Errorf("it took %s to end it", took)
	}
	out, code := w.fairlead("pipeline", "show", id)
	if code != 0 || !strings.Contains(out, f.reason[strings.LastIndex(f.reason, "\n")+1:]) {
		t.Errorf("show ends with %d and does not say %q:\n%s", code, f.reason, out)
	}
}

// A step that prints a gigabyte has its log cut, and the daemon does not grow by it.
// By default it prints less, since the engine takes its time.
func TestALogThatNeverEndsIsCutAndTakesNoMemory(t *testing.T) {
	t.Parallel()
	size := 128 << 20
	if long() {
		size = 1 << 30
	}
	w := newWorkshop(t)
	w.open(fmt.Sprintf(`
pipeline "chatty" {
  step "talk" {
    image   = "STEPS"
    command = ["print %d", "say the end", "exit 5"]
    max_log = "1MiB"
  }
  step "quiet" {
    image   = "STEPS"
    command = ["say hush"]
  }
}
`, size))
	before := w.daemonPeak()
	began := time.Now()
	var r runs.Run // that takes longer than other things may
	w.json(1, &r, "pipeline", "run", "chatty", "--json")
	took := time.Since(began)
	if n := r.Nodes["talk"]; r.Outcome != runs.Failed || n.ExitCode != 5 || n.Cause != spec.CauseExit {
		t.Errorf("the run %s: %s; the step is %+v", r.Outcome, r.Reason, n)
	}
	if n := r.Nodes["quiet"]; n.Phase != runs.NodeSucceeded {
		t.Errorf("the neighbour is %s: %s", n.Phase, n.Reason)
	}
	out, code := w.fairlead("pipeline", "logs", r.ID, "talk")
	if code != 0 || len(out) > 1<<20+4<<10 || len(out) < 1<<19 {
		t.Errorf("logs ends with %d and prints %d bytes, of which 1 MiB is kept", code, len(out))
	}
	if last := out[max(0, len(out)-300):]; !strings.Contains(last, "dropped") && !strings.Contains(last, "not kept") && !strings.Contains(last, "fairlead:") {
		t.Errorf("the log does not say that it was cut: %s", last)
	}
	peak := w.daemonPeak()
	if grown := peak - before; grown > 64<<20 {
		t.Errorf("the daemon grew by %d MiB to %d MiB while %d MiB were printed", grown>>20, peak>>20, size>>20)
	}
	t.Logf("%d MiB of log in %s; the daemon's memory peaked at %d MiB, %d MiB before", size>>20, took.Round(100*time.Millisecond), peak>>20, before>>20)
	w.nothingLeft()
}

// daemonPeak is the most memory that the daemon ever had resident, in bytes.
func (w *workshop) daemonPeak() int {
	w.environment.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.daemon.cmd.Process.Pid))
	if err != nil {
		w.environment.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			if kib, err := strconv.Atoi(fields[1]); err == nil {
				return kib << 10
			}
		}
	}
	w.environment.t.Fatal("the system does not tell how much memory the daemon has had")
	return 0
}

// ranTwice are the attempts of a run that the engine started more than once.
func (s *starts) ranTwice(id string) []string {
	counts := s.ofRun(id)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(counts)), func(attempt string) bool { return counts[attempt] == 1 })
}
