package view_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
)

var update = flag.Bool("update", false, "write what is printed now as what is wanted")

var now = time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)

// golden compares what a view prints with testdata/NAME.txt.
func golden(t *testing.T, name string, show func(*view.View) error) {
	t.Helper()
	var out, errs bytes.Buffer
	if err := show(&view.View{Out: &out, Err: &errs}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("escape codes without colour")
	}
	if errs.Len() > 0 {
		t.Errorf("on stderr: %s", errs.String())
	}
	got := regexp.MustCompile(` +\d+\.\ds `).ReplaceAllString(out.String(), " TIME ")
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var coloured bytes.Buffer
	if err := show(&view.View{Out: &coloured, Err: &errs, Color: true}); err != nil {
		t.Fatal(err)
	}
	bare := regexp.MustCompile(`\x1b\[[\d;]+m`).ReplaceAllString(coloured.String(), "")
	if bare = regexp.MustCompile(` +\d+\.\ds `).ReplaceAllString(bare, " TIME "); bare != got {
		t.Errorf("colour changes the text:\n%s", bare)
	}
}

func model(name string) spec.Address { return spec.Address{Kind: spec.KindModel, Name: name} }

func samplePlan() *plan.Plan {
	pos := spec.Pos{File: "models.hcl", Line: 7, Column: 1}
	return &plan.Plan{
		Environment: "prod", Owner: "fairlead", Commit: spec.Commit{ID: strings.Repeat("8c1f2e0a", 5), Subject: "fraud: 1.4.0"}, Unchanged: 3,
		Changes: []plan.Change{
			{Address: spec.Address{Kind: spec.KindGateway}, Action: plan.Heal, Reasons: []string{"it was stopped"}},
			{Address: model("churn"), Action: plan.Update, Pos: pos, Reasons: []string{"changed in Git"}, Fields: []plan.Field{{Path: "replicas", Old: "2", New: "1"}}},
			{Address: model("fraud"), Action: plan.Replace, Pos: pos, Reasons: []string{"changed in Git"}, Rollout: sampleRollout(), Fields: []plan.Field{
				{Path: "image", Old: "fraud:1.3.9", New: "fraud:1.4.0", Replaces: true},
				{Path: "env.DB_PASSWORD", Sensitive: true, Replaces: true},
				{Path: "command", Old: `["a"]`, Replaces: true},
			}},
			{Address: model("new"), Action: plan.Create, Pos: pos, Reasons: []string{"it does not run"}, Fields: []plan.Field{{Path: "read_only", New: "true"}}},
			{Address: model("old"), Action: plan.Destroy, Reasons: []string{"model.old is not in Git at 8c1f2e0"}},
			{Address: model("stuck"), Action: plan.Blocked, Pos: pos, Reasons: []string{"image stuck:1: not found"}},
		},
		Summary: plan.Summary{Create: 1, Replace: 1, Update: 1, Heal: 1, Destroy: 1, Blocked: 1},
		Notes:   []string{"models.hcl:3: nothing runs under the name model.was any more; the moved block may go"},
	}
}

func sampleRollout() *plan.Rollout {
	return &plan.Rollout{
		Strategy: spec.Canary, Steps: []plan.Step{{Weight: 5, Hold: 90 * time.Second}, {Weight: 50, Hold: time.Hour, Approval: true}},
		Checks: []string{"errors", "latency"}, KeepPrevious: 30 * time.Minute,
	}
}

func TestPlanShowsEveryKindOfChange(t *testing.T) {
	golden(t, "plan", func(v *view.View) error { return v.Plan(samplePlan()) })
}

func TestPlanShowsWhatHasNoRoom(t *testing.T) {
	p := samplePlan()
	p.Changes, p.Notes, p.Summary = p.Changes[2:3], nil, plan.Summary{Replace: 1, Problems: 1}
	p.Changes[0].Problem = "no room: needs 12 GiB of memory while both revisions run (6 GiB stable, 6 GiB candidate), the engine has 8 GiB; strategy = recreate would fit"
	golden(t, "plan-no-room", func(v *view.View) error { return v.Plan(p) })
}

func TestEmptyPlanIsOneLine(t *testing.T) {
	p := &plan.Plan{Environment: "prod", Commit: samplePlan().Commit, Unchanged: 4}
	golden(t, "plan-empty", func(v *view.View) error { return v.Plan(p) })
}

func sampleStatus() *controller.Status {
	return &controller.Status{
		Environment: "prod", Owner: "fairlead", Commit: samplePlan().Commit,
		Source:  controller.SourceStatus{Fetched: now.Add(-90 * time.Second), Stale: true, Error: "fetch https://git.example.com/models.git: no answer", Notes: []string{"history was rewritten"}},
		Engine:  controller.EngineStatus{Error: "the container engine is not available\nis it running?"},
		Gateway: controller.GatewayStatus{Phase: rollout.Steady, Listens: "0.0.0.0:8080", Table: 12, Error: "no answer"},
		Models: []controller.ModelStatus{
			{Address: model("digits"), Name: "digits", Phase: rollout.Steady, Ready: 2, Replicas: 2, Version: "1.1.0", Revision: "7ba6e27da12e", Serving: "7ba6e27da12e", Since: now.Add(-49 * time.Hour)},
			{Address: model("fraud"), Name: "fraud", Phase: rollout.Degraded, Replicas: 12, Version: "1.4.0", Revision: "36cbc3a60313", Serving: "36cbc3a60313", Since: now.Add(-3 * time.Minute), Reason: "replica 1 keeps ending\nexit code 3"},
			{Address: model("new"), Name: "new", Phase: rollout.Rolling, Ready: 0, Replicas: 1},
		},
	}
}

func TestStatusShowsTroubleAndEveryModel(t *testing.T) {
	golden(t, "status", func(v *view.View) error { return v.Status(&app.DaemonStatus{Status: *sampleStatus()}, now) })
}

func TestStatusTellsOfPipelinesThatAreNotAtRest(t *testing.T) {
	s := &app.DaemonStatus{Status: controller.Status{Environment: "default", Owner: "fairlead", Converged: true}, Pipelines: []runner.PipelineStatus{
		{Name: "cannot", Problem: "the journal cannot be written, so nothing starts: no space left on device"},
		{Name: "failed", Last: &run.Summary{ID: "failed-7", Outcome: run.Failed, Reason: "split: it ended with exit code 3"}},
		{Name: "fine", Last: &run.Summary{ID: "fine-1", Outcome: run.Succeeded}},
		{Name: "runs", Current: &run.Summary{ID: "runs-2", Phase: run.Running, Ended: 2, Steps: 5}, Last: &run.Summary{ID: "runs-1", Outcome: run.Failed}},
	}}
	golden(t, "status-pipelines", func(v *view.View) error { return v.Status(s, now) })
}

func TestStatusOfADaemonThatStandsByIsWhy(t *testing.T) {
	s := &app.DaemonStatus{Standby: "standing by: another fairlead (pid 12) holds the lock"}
	golden(t, "status-standby", func(v *view.View) error { return v.Status(s, now) })
}

func TestStatusBeforeTheFirstRead(t *testing.T) {
	s := &app.DaemonStatus{Status: controller.Status{Environment: "default", Owner: "fairlead"}}
	golden(t, "status-first", func(v *view.View) error { return v.Status(s, now) })
}

func TestProgressShowsWhatWasDoneAndWhatFails(t *testing.T) {
	golden(t, "progress", func(v *view.View) error {
		p := v.Progress(false)
		if err := p.Plan(samplePlan()); err != nil {
			return err
		}
		for _, e := range []controller.Event{
			{Type: controller.CommitAccepted, Message: "following"},
			{Type: controller.PhaseChanged, Address: model("stuck"), Phase: rollout.Degraded, Message: "the plan has said it"},
			{Type: controller.ActionStarted, Address: model("new"), Verb: rollout.Launch, Name: "x.1", Message: "not shown"},
			{Type: controller.Pulling, Address: model("new"), Message: "pulling new:1: 1.0 of 2.0 MB"},
			{Type: controller.ActionDone, Address: model("new"), Verb: rollout.Launch, Name: "x.1", Message: "it does not run", Took: 388 * time.Millisecond},
			{Type: controller.ActionFailed, Address: model("fraud"), Message: "launch y.1: no space left", Err: errors.New("no space left")},
			{Type: controller.ActionFailed, Address: model("fraud"), Message: "given up", Err: context.Canceled},
			{Type: controller.PhaseChanged, Address: model("new"), Phase: rollout.Steady},
			{Type: controller.PhaseChanged, Address: model("untouched"), Phase: rollout.Steady},
			{Type: controller.PhaseChanged, Address: model("fraud"), Phase: rollout.Degraded, Message: "replica 1 keeps ending"},
		} {
			p.Event(e)
		}
		return p.Done(sampleStatus(), 1720*time.Millisecond)
	})
}

func TestApplyWithNothingToDoSaysSoInOneLine(t *testing.T) {
	golden(t, "progress-nothing", func(v *view.View) error {
		p := v.Progress(false)
		if err := p.Plan(&plan.Plan{Environment: "prod", Commit: samplePlan().Commit, Unchanged: 4}); err != nil {
			return err
		}
		p.Event(controller.Event{Type: controller.PhaseChanged, Address: model("digits"), Phase: rollout.Steady})
		p.Event(controller.Event{Type: controller.GatewayAnswers, Address: spec.Address{Kind: spec.KindGateway}, Message: "the gateway answers"})
		return p.Done(sampleStatus(), time.Second)
	})
}

func TestFailedApplyShowsTheLastOutput(t *testing.T) {
	words := []app.LastWords{{Address: model("fraud"), Container: "fairlead.prod.fraud.36cbc3a60313.1", Lines: []string{"Traceback", "  KeyError: 'w'"}}}
	golden(t, "progress-failed", func(v *view.View) error {
		return v.Line(v.Progress(false).Failed(sampleStatus(), errors.New("not done after 15m0s"), words).Error())
	})
	var out bytes.Buffer
	v := &view.View{Out: &out}
	if err := v.Progress(true).Failed(sampleStatus(), nil, words); err == nil {
		t.Error("no error to end with")
	}
	var entry struct {
		Type  string          `json:"type"`
		Level string          `json:"@level"`
		Words []app.LastWords `json:"last_output"`
	}
	if err := json.Unmarshal(out.Bytes(), &entry); err != nil || entry.Type != "apply_errored" || entry.Level != "error" || len(entry.Words) != 1 {
		t.Errorf("got %s, %v", out.Bytes(), err)
	}
}

func TestProgressAsJSONIsOneObjectPerLine(t *testing.T) {
	var out bytes.Buffer
	p := (&view.View{Out: &out}).Progress(true)
	if err := p.Plan(samplePlan()); err != nil {
		t.Fatal(err)
	}
	p.Event(controller.Event{Type: controller.ActionStarted, Address: model("new"), Verb: rollout.Launch, Message: "why"})
	p.Event(controller.Event{Type: controller.PhaseChanged, Address: model("new"), Phase: rollout.Steady})
	p.Event(controller.Event{Type: controller.Resynced})
	if err := p.Done(sampleStatus(), time.Second); err != nil {
		t.Fatal(err)
	}
	var types []string
	for line := range bytes.Lines(out.Bytes()) {
		var entry map[string]any
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"@level", "@message", "@module", "@timestamp"} {
			if entry[field] == nil || entry[field] == "" {
				t.Errorf("no %s in %s", field, line)
			}
		}
		types = append(types, entry["type"].(string))
	}
	if got, want := strings.Join(types, " "), "planned_changes action_started phase_changed apply_complete"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
