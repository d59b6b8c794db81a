package view_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

const digest = "sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"

func pipelineAddress(name string) spec.Address {
	return spec.Address{Kind: spec.KindPipeline, Name: name}
}

// trainDigits is the pipeline of the example: data, a matrix, the best of it, gates
// and a version.
func trainDigits() *spec.Pipeline {
	input := func(kind spec.InputKind, name, output string) spec.Input {
		return spec.Input{Kind: kind, Name: name, Output: output}
	}
	evaluated := func(metric string) expr.Expr {
		return expr.Expr{Op: expr.Ge, Source: "step.evaluate.metrics." + metric + " >= 0.95", Args: []expr.Expr{
			{Op: expr.Ref, Path: []string{"step", "evaluate", "metrics", metric}}, expr.Of(0.95),
		}}
	}
	profile := input(spec.InputStep, "split", "profile")
	return &spec.Pipeline{
		Address: pipelineAddress("train_digits"), Name: "train_digits", Params: []spec.Param{{Name: "test_share", Type: spec.ParamNumber, Default: 0.2}},
		Steps: []*spec.Step{
			{Name: "evaluate", Image: "steps:1", Inputs: map[string]spec.Input{"model": input(spec.InputSelect, "best", "model"), "data": input(spec.InputStep, "split", "test")}, Metrics: "eval.json"},
			{Name: "notify", Image: "steps:1", Exit: true},
			{Name: "split", Image: "steps:1", Inputs: map[string]spec.Input{"data": input(spec.InputDataset, "digits", "")}, Outputs: []string{"profile", "test", "train"}},
			{
				Name: "train", Image: "steps:1", Inputs: map[string]spec.Input{"data": input(spec.InputStep, "split", "train")}, Outputs: []string{"model"}, Retries: 2,
				Matrix: []spec.Axis{{Name: "hidden", Values: []any{32.0, 64.0}}, {Name: "seed", Values: []any{1.0, 2.0}}},
			},
		},
		Selects: []*spec.Select{{Name: "best", Of: "train", Metric: "accuracy"}},
		Gates: []*spec.Gate{
			{Name: "fair", Require: evaluated("equal_opportunity_ratio"), Level: spec.LevelSoft},
			{Name: "good_enough", Require: evaluated("accuracy"), Level: spec.LevelHard},
		},
		Publish: &spec.Publish{Model: model("digits"), Artifact: input(spec.InputSelect, "best", "model"), Bump: spec.BumpPatch, Profile: &profile},
	}
}

// digitsRun is a run in the middle: everything that a node can be is in it.
func digitsRun() *run.Run {
	values := func(hidden, seed float64) map[string]any { return map[string]any{"hidden": hidden, "seed": seed} }
	return &run.Run{
		FormatVersion: run.Format, ID: "train_digits-12", Pipeline: "train_digits", Environment: "prod", Definition: *trainDigits(), Commit: strings.Repeat("8c1f2e0a", 5),
		Trigger: run.Cause{Kind: spec.TriggerManual, Actor: "ann@host", Reason: "a larger share"}, Params: map[string]any{"test_share": 0.3},
		Datasets: map[string]run.Dataset{"digits": {Digest: digest, Rows: 1797, Checked: []string{"rows >= 1500", "label is integer"}}},
		Phase:    run.Running, Created: ago(72 * time.Second), Started: ago(70 * time.Second),
		Nodes: map[string]*run.Node{
			"split":    {ID: "split", Step: "split", Phase: run.NodeSucceeded, From: "train_digits-11"},
			"train.0":  {ID: "train.0", Step: "train", Values: values(32, 1), Phase: run.NodeSucceeded, Attempt: 1, Started: ago(60 * time.Second), Finished: ago(48 * time.Second), Metrics: map[string]float64{"accuracy": 0.9712345678, "loss": 0.081}},
			"train.1":  {ID: "train.1", Step: "train", Values: values(32, 2), Trial: 1, Phase: run.NodeBackoff, Attempt: 1, Started: ago(20 * time.Second), Finished: ago(12 * time.Second), RetryAt: now.Add(5 * time.Second), Cause: spec.CauseExit, Reason: "its process ended with exit code 1\nTraceback"},
			"train.2":  {ID: "train.2", Step: "train", Values: values(64, 1), Trial: 2, Phase: run.NodeRunning, Attempt: 2, Started: ago(8 * time.Second)},
			"train.3":  {ID: "train.3", Step: "train", Values: values(64, 2), Trial: 3, Phase: run.NodeWaiting},
			"evaluate": {ID: "evaluate", Step: "evaluate", Phase: run.NodeWaiting},
			"notify":   {ID: "notify", Step: "notify", Phase: run.NodeWaiting},
		},
	}
}

// finish lets everything of a run succeed.
func finish(r *run.Run) *run.Run {
	for _, n := range r.Nodes {
		if n.Phase.Ended() {
			continue
		}
		n.Phase, n.Reason, n.Attempt = run.NodeSucceeded, "", max(n.Attempt, 1)
		n.Started, n.Finished = ago(30*time.Second), ago(25*time.Second)
		if n.Step == "train" {
			n.Metrics = map[string]float64{"accuracy": 0.95 + float64(n.Trial)/100}
		}
	}
	r.Nodes["evaluate"].Metrics = map[string]float64{"accuracy": 0.9835, "equal_opportunity_ratio": 0.91, "f1": 0.98, "recall": 0.97, "rows": 360}
	r.Gates = []gate.Result{
		{Name: "fair", Level: spec.LevelSoft, Outcome: gate.Passed, Detail: "equal_opportunity_ratio 0.91 >= 0.8"},
		{Name: "good_enough", Level: spec.LevelHard, Outcome: gate.Passed, Detail: "accuracy 0.9835 >= 0.95"},
	}
	r.Published = &run.Publication{Version: "1.2.1", Artifact: "oci://local/digits@" + digest, Branch: "fairlead/publish/digits-1.2.1", Commit: strings.Repeat("9d2e7b1c", 5), At: ago(10 * time.Second)}
	r.Phase, r.Outcome, r.Finished = run.Done, run.Succeeded, ago(9*time.Second)
	return r
}

// failedRun lost a variant for good.
func failedRun() *run.Run {
	r := digitsRun()
	r.Nodes["train.1"].Phase, r.Nodes["train.1"].Attempt = run.NodeFailed, 3
	r.Nodes["train.1"].Past = []run.Attempt{{Attempt: 1, Reason: "killed", Cause: spec.CauseOOM}, {Attempt: 2, Reason: "killed", Cause: spec.CauseOOM}, {Attempt: 3, Reason: "its process ended with exit code 1"}}
	for _, id := range []string{"train.2", "train.3", "evaluate"} {
		r.Nodes[id].Phase, r.Nodes[id].Reason = run.NodeCancelled, "the run ended before"
	}
	r.Nodes["notify"].Phase, r.Nodes["notify"].Reason = run.NodeSkipped, "its condition does not hold: run.outcome == \"succeeded\""
	r.Phase, r.Outcome, r.Reason, r.Finished = run.Done, run.Failed, "train.1: its process ended with exit code 1", ago(3*time.Minute)
	return r
}

func deniedRun() *run.Run {
	r := finish(digitsRun())
	r.Published, r.Outcome, r.Reason = nil, run.Denied, "fair: equal_opportunity_ratio 0.71 >= 0.8"
	r.Gates = []gate.Result{
		{Name: "fair", Level: spec.LevelSoft, Outcome: gate.Failed, Detail: "equal_opportunity_ratio 0.71 >= 0.8", Message: "Rebalance the classes.", Regulation: "EU AI Act, Art. 10(2)(f)"},
		{Name: "known", Level: spec.LevelSoft, Outcome: gate.Missing, Detail: "step.evaluate.metrics.drift is missing", Override: &gate.Override{Actor: "bob", Reason: "not measured yet"}},
		{Name: "fast", Level: spec.LevelAdvisory, Outcome: gate.Failed, Detail: "latency 0.3 <= 0.2"},
		{Name: "owned", Policy: true, Subject: "model.digits", Level: spec.LevelHard, Outcome: gate.Passed, Detail: "length(owners) 1 > 0"},
	}
	return r
}

func TestRunShowsEveryStateOfAStep(t *testing.T) {
	golden(t, "pipeline-show-running", func(v *view.View) error { return v.Run(digitsRun(), nil, now) })
}

func TestRunThatSucceededShowsWhatItPublished(t *testing.T) {
	golden(t, "pipeline-show", func(v *view.View) error { return v.Run(finish(digitsRun()), nil, now) })
}

func TestRunThatFailedShowsWhyAndWhatToDo(t *testing.T) {
	tails := map[string][]string{"train.1": {"Traceback (most recent call last):", "  KeyError: 'w'"}}
	golden(t, "pipeline-show-failed", func(v *view.View) error { return v.Run(failedRun(), tails, now) })
}

func TestRunThatWasDeniedShowsItsGates(t *testing.T) {
	golden(t, "pipeline-show-denied", func(v *view.View) error { return v.Run(deniedRun(), nil, now) })
}

func TestRunShowsEveryWayItCanEnd(t *testing.T) {
	inUTC(t)
	for name, change := range map[string]func(*run.Run){
		"cancelled": func(r *run.Run) {
			r.Phase, r.Outcome, r.Reason, r.Finished = run.Done, run.Cancelled, "cancelled by ann: wrong data", ago(time.Minute)
			r.Cancelled = &run.Order{Actor: "ann", Reason: "wrong data", At: ago(2 * time.Minute)}
		},
		"exiting": func(r *run.Run) { r.Phase, r.Outcome, r.Reason = run.Exiting, run.Failed, "it took longer than 1h" },
		"preparing": func(r *run.Run) {
			r.Phase, r.Reason, r.Tries, r.RetryAt, r.Fresh = run.Preparing, "fetch dataset digits: no answer", 3, now.Add(40*time.Second), true
			r.Trigger = run.Cause{Kind: spec.TriggerDataset, Dataset: "digits"}
		},
		"unneeded": func(r *run.Run) {
			finish(r)
			r.Published = &run.Publication{Version: "1.2.0", Unneeded: "the same content is version 1.2.0 already"}
			r.Trigger = run.Cause{Kind: spec.TriggerDrift, Reason: "psi 0.4 of pixel 12"}
		},
		"reproduction": func(r *run.Run) {
			finish(r)
			r.Published, r.Reproduces, r.Gates = nil, "digits@1.2.0", nil
			r.Trigger = run.Cause{Kind: spec.TriggerChange, Resumes: "train_digits-11"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := digitsRun()
			change(r)
			golden(t, "pipeline-show-"+name, func(v *view.View) error { return v.Run(r, nil, now) })
		})
	}
}

func sampleSummary(id string, o run.Outcome) run.Summary {
	s := run.Summary{ID: id, Pipeline: "train_digits", Trigger: run.Cause{Kind: spec.TriggerManual, Actor: "ann@host"}, Phase: run.Done, Outcome: o, Created: ago(3 * time.Hour), Steps: 7, Ended: 7, Cached: 2}
	s.Finished = s.Created.Add(72 * time.Second)
	return s
}

func TestRunsAreALineEach(t *testing.T) {
	running := sampleSummary("train_digits-12", "")
	running.Phase, running.Finished, running.Created, running.Ended = run.Running, time.Time{}, ago(time.Minute), 3
	failed := sampleSummary("train_digits-11", run.Failed)
	failed.Reason = "train.1: its process ended with exit code 1\nTraceback"
	done := sampleSummary("train_digits-10", run.Succeeded)
	done.Version, done.Trigger = "1.2.0", run.Cause{Kind: spec.TriggerDataset, Dataset: "digits"}
	runs := &app.Runs{Runs: []run.Summary{running, failed, done}, Problem: "train_digits-9 does not read"}
	golden(t, "pipeline-runs", func(v *view.View) error { return v.Runs(runs, "train_digits", now) })
	golden(t, "pipeline-runs-empty", func(v *view.View) error { return v.Runs(&app.Runs{}, "train_digits", now) })
}

func TestPipelinesAreALineEach(t *testing.T) {
	running, failed := sampleSummary("train_digits-12", ""), sampleSummary("churn-7", run.Failed)
	running.Phase, running.Ended, failed.Reason = run.Running, 3, "train: out of memory"
	s := &runner.Status{Pipelines: []runner.PipelineStatus{
		{Name: "churn", Last: &failed, Schedule: "0 3 * * 1 UTC", Next: now.Add(13 * time.Hour)},
		{Name: "fresh", Problem: "image steps:9 is not there"},
		{Name: "train_digits", Current: &running, Last: &failed, On: []spec.Trigger{{Kind: spec.TriggerChange}, {Kind: spec.TriggerDataset, Dataset: "digits"}}, Publishes: "digits", Queued: &run.Cause{Kind: spec.TriggerDrift}},
		{Name: "unused"},
	}}
	golden(t, "pipeline-list", func(v *view.View) error { return v.Pipelines(s, now) })
	golden(t, "pipeline-list-empty", func(v *view.View) error { return v.Pipelines(&runner.Status{}, now) })
}

func TestPreviewShowsWhatHitsTheCacheAndWhyNot(t *testing.T) {
	p := &run.Preview{Pipeline: "train_digits", Params: map[string]any{"test_share": 0.3}, Nodes: []run.NodePreview{
		{Node: "fetch", Step: "fetch", Hit: true, From: "train_digits-11"},
		{Node: "split", Step: "split", Why: `env.TEST_SHARE = "0.3", was "0.2"`},
		{Node: "train.0", Step: "train", Values: map[string]any{"hidden": 32.0, "kind": "relu"}, Depends: []string{"split"}},
		{Node: "evaluate", Step: "evaluate", Depends: []string{"train.0", "train.1", "train.2", "train.3", "train.4"}},
	}}
	golden(t, "pipeline-plan", func(v *view.View) error { return v.RunPreview(p) })
	all := &run.Preview{Pipeline: "train_digits", Nodes: p.Nodes[:1]}
	golden(t, "pipeline-plan-hits", func(v *view.View) error { return v.RunPreview(all) })
	golden(t, "pipeline-plan-known", func(v *view.View) error {
		return v.RunPreview(&run.Preview{Pipeline: "train_digits", Nodes: p.Nodes[:2]})
	})
	golden(t, "pipeline-plan-problem", func(v *view.View) error {
		return v.RunPreview(&run.Preview{Pipeline: "train_digits", Problem: "image steps:9 is not there"})
	})
}

// runFilm is a run from its start to its end, as the states that follow on each
// other. Every second one is no news.
func runFilm() []*run.Run {
	var all []*run.Run
	for _, change := range []func(*run.Run){
		func(r *run.Run) { r.Phase, r.Datasets, r.Nodes = run.Queued, nil, map[string]*run.Node{} },
		func(r *run.Run) { r.Phase, r.Datasets, r.Nodes = run.Preparing, nil, map[string]*run.Node{} },
		func(r *run.Run) {
			r.Phase, r.Datasets, r.Nodes, r.Tries, r.Reason = run.Preparing, nil, map[string]*run.Node{}, 1, "fetch dataset digits: no answer"
		},
		func(*run.Run) {},
		func(r *run.Run) {
			n := r.Nodes["train.1"]
			n.Phase, n.Attempt, n.Past = run.NodeRunning, 2, []run.Attempt{{Attempt: 1, Reason: "its process ended with exit code 1\nTraceback"}}
		},
		func(r *run.Run) { finish(r); r.Phase, r.Outcome, r.Published = run.Publishing, "", nil },
		func(r *run.Run) { finish(r) },
	} {
		for range 2 {
			r := digitsRun()
			change(r)
			all = append(all, r)
		}
	}
	return all
}

func TestFollowWithoutATerminalIsALinePerChange(t *testing.T) {
	golden(t, "pipeline-follow", func(v *view.View) error {
		f := v.Follow(false, nil)
		for i, r := range runFilm() {
			if err := f.Show(r, nil, now.Add(time.Duration(i)*time.Second)); err != nil {
				return err
			}
			if i == 3 {
				gone := errors.New("no daemon answers")
				if err := errors.Join(f.Away(gone, now), f.Away(gone, now)); err != nil {
					return err
				}
			}
		}
		return f.End(now.Add(time.Minute))
	})
}

func TestFollowOfAFailureSaysItOnce(t *testing.T) {
	golden(t, "pipeline-follow-failed", func(v *view.View) error {
		f := v.Follow(false, nil)
		return errors.Join(f.Show(digitsRun(), nil, now), f.Show(failedRun(), map[string][]string{"train.1": {"KeyError"}}, now), f.End(now))
	})
}

func TestFollowOnATerminalDrawsInPlaceAndFits(t *testing.T) {
	for _, size := range [][2]int{{40, 12}, {20, 5}, {120, 40}} {
		var out bytes.Buffer
		f := (&view.View{Out: &out, Color: true}).Follow(false, func() (int, int) { return size[0], size[1] })
		r := digitsRun()
		for i := range 200 { // a long search
			id := fmt.Sprintf("train.%d", i)
			if r.Nodes[id] == nil {
				r.Nodes[id] = &run.Node{ID: id, Step: "train", Trial: i, Phase: run.NodeWaiting}
			}
		}
		if err := f.Show(r, map[string][]string{"train.1": {strings.Repeat("x", 300)}}, now); err != nil {
			t.Fatal(err)
		}
		first := out.String()
		if !strings.HasPrefix(first, "\x1b[?1049h\x1b[?25l\x1b[?2026h\x1b[H") || !strings.HasSuffix(first, "\x1b[J\x1b[?2026l") {
			t.Errorf("a frame begins and ends otherwise: %q", first)
		}
		drawn := strings.Split(strings.TrimSuffix(first, "\x1b[J\x1b[?2026l"), "\r\n")
		if len(drawn) > size[1] {
			t.Errorf("%d lines on a terminal of %d", len(drawn), size[1])
		}
		for _, line := range drawn {
			if n := utf8.RuneCountInString(escapes.ReplaceAllString(line, "")); n > size[0] {
				t.Errorf("%d columns on a terminal of %d: %q", n, size[0], line)
			}
		}
		out.Reset()
		if err := errors.Join(f.Away(errors.New("no daemon answers"), now), f.Show(finish(r), nil, now), f.End(now)); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); strings.Contains(got, "\x1b[?1049h") || !strings.Contains(got, "\x1b[?25h\x1b[?1049l") || !strings.HasSuffix(got, "to take it live\n") {
			t.Errorf("the terminal is not given back with the whole run on it: %q", got)
		}
	}
}

func TestFollowAsJSONIsOneDocumentAtTheEnd(t *testing.T) {
	var out bytes.Buffer
	f := (&view.View{Out: &out}).Follow(true, func() (int, int) { return 80, 24 })
	if err := errors.Join(f.Show(digitsRun(), nil, now), f.Away(errors.New("gone"), now), f.End(now)); err != nil || out.Len() > 0 {
		t.Errorf("before the end: %q, %v", out.String(), err)
	}
	if err := errors.Join(f.Show(finish(digitsRun()), nil, now), f.End(now)); err != nil {
		t.Fatal(err)
	}
	var r run.Run
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.FormatVersion != run.Format || r.Outcome != run.Succeeded {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestTheGraphOnATerminal(t *testing.T) {
	golden(t, "pipeline-frame", func(v *view.View) error {
		var out bytes.Buffer
		f := (&view.View{Out: &out, Color: v.Color}).Follow(false, func() (int, int) { return 110, 40 })
		r := digitsRun()
		r.Nodes["train.1"] = failedRun().Nodes["train.1"]
		if err := f.Show(r, map[string][]string{"train.1": {"KeyError: 'w'"}}, now); err != nil {
			return err
		}
		text := strings.NewReplacer("\x1b[?1049h", "", "\x1b[?25l", "", "\x1b[?2026h", "", "\x1b[H", "", "\x1b[0m\x1b[K\r\n", "\n", "\x1b[J", "", "\x1b[?2026l", "").Replace(out.String())
		return v.Line(text)
	})
}

func TestLinesOfLogsCannotChangeTheTerminal(t *testing.T) {
	for line, want := range map[string]string{
		"plain":                  "plain",
		"a\tb\r\n":               "a b",
		" 10%|#   |\r 20%|##  |": " 20%|##  |",
		"\x1b[31mred\x1b[0m":     "red",
		"\x1b[2J\x1b[1;1Hgone":   "gone",
		"\x1b]0;title\x07text":   "text",
		"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\": "link",
		"bell\x07 null\x00 c1\u009b31m":            "bell null c131m",
		"größe ≥ 3":                                "größe ≥ 3",
	} {
		if got := view.Clean(line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}
