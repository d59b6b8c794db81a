package openlineage_test

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/openlineage"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

const repo = "https://git.example.com/team/models.git"

func begin() time.Time { return time.Date(2026, 11, 16, 4, 0, 0, 0, time.FixedZone("CET", 3600)) }

// pipelineRun is a run that has published: data, a matrix, a selection and a gate.
func pipelineRun() *run.Run {
	model := func(digest string) map[string]reconcile.Content {
		return map[string]reconcile.Content{"model": {Digest: digest, Files: 2, Size: 4096}}
	}
	train := func(id string, trial int, hidden, accuracy float64) *run.Node {
		return &run.Node{
			ID: id, Step: "train", Trial: trial, Phase: run.NodeSucceeded, Attempt: 1, Values: map[string]any{"hidden": hidden},
			Key: "k" + id, KeyOf: &run.KeyParts{Image: "sha256:1ma9e"}, Outputs: model("sha256:" + id), Metrics: map[string]float64{"accuracy": accuracy},
		}
	}
	return &run.Run{
		FormatVersion: run.Format, ID: "train_digits-17", Pipeline: "train_digits", Environment: "prod", Commit: strings.Repeat("c0", 20),
		Trigger: run.Cause{Kind: spec.TriggerSchedule, Scheduled: begin()}, Params: map[string]any{"share": 0.2, "rows": 1e6, "fast": true},
		Definition: spec.Pipeline{
			Name: "train_digits", Pos: spec.Pos{File: "pipeline.hcl", Line: 1}, Owners: []string{"@vision"},
			Steps: []*spec.Step{
				{Name: "evaluate", Pos: spec.Pos{File: "steps.hcl"}, Inputs: map[string]spec.Input{
					"model": {Kind: spec.InputSelect, Name: "best", Output: "model"}, "all": {Kind: spec.InputStep, Name: "train", Output: "model"},
					"test": {Kind: spec.InputDataset, Name: "digits"}, "again": {Kind: spec.InputDataset, Name: "digits"},
				}},
				{Name: "train", Matrix: []spec.Axis{{Name: "hidden", Values: []any{32.0, 64.0}}}, Outputs: []string{"model"}, Inputs: map[string]spec.Input{"data": {Kind: spec.InputDataset, Name: "digits"}}},
			},
			Selects: []*spec.Select{{Name: "best", Of: "train", Metric: "accuracy"}},
			Publish: &spec.Publish{Model: spec.Address{Kind: spec.KindModel, Name: "digits"}, Artifact: spec.Input{Kind: spec.InputSelect, Name: "best", Output: "model"}},
		},
		Datasets: map[string]run.Dataset{"digits": {Digest: "sha256:da7a", Rows: 1797, Checked: []string{"rows: at least 1500"}}},
		Phase:    run.Done, Outcome: run.Succeeded,
		Nodes: map[string]*run.Node{
			"train.0": train("train.0", 0, 32, 0.9), "train.1": train("train.1", 1, 64, 0.98),
			"evaluate": {ID: "evaluate", Step: "evaluate", Phase: run.NodeFailed, Attempt: 2, ExitCode: 3, Cause: spec.CauseExit, Reason: "it ended with code 3"},
		},
		Gates:     []gate.Result{{Name: "good_enough", Level: spec.LevelSoft, Outcome: gate.Failed, Detail: "accuracy 0.98 >= 0.99", Override: &gate.Override{Actor: "@ada"}}},
		Published: &run.Publication{Version: "1.2.0", Artifact: "oci://local/digits@sha256:a4"},
		Created:   begin(), Started: begin(), Finished: begin().Add(time.Minute),
	}
}

// decoded is the document as the service sees it.
func decoded(t *testing.T, e run.Event) map[string]any {
	t.Helper()
	raw, err := json.Marshal(openlineage.Event(e, repo))
	if err != nil {
		t.Fatal(err)
	}
	var d map[string]any
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// at follows a path into a document; numbers are indices.
func at(d any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := d.(map[string]any)
			d = m[p]
		case int:
			l, _ := d.([]any)
			if p >= len(l) {
				return nil
			}
			d = l[p]
		}
	}
	return d
}

func same(t *testing.T, d map[string]any, want any, path ...any) {
	t.Helper()
	if got := at(d, path...); !reflect.DeepEqual(got, want) {
		t.Errorf("%v: got %v, want %v", path, got, want)
	}
}

func TestARunAsADocument(t *testing.T) {
	r := pipelineRun()
	d := decoded(t, run.Event{Kind: run.EventComplete, At: begin(), Run: r})
	wellFormed(t, d)
	same(t, d, "COMPLETE", "eventType")
	same(t, d, "2026-11-16T03:00:00Z", "eventTime")
	same(t, d, "fairlead/prod", "job", "namespace")
	same(t, d, "train_digits", "job", "name")
	same(t, d, "PIPELINE", "job", "facets", "jobType", "jobType")
	same(t, d, "@vision", "job", "facets", "ownership", "owners", 0, "name")
	same(t, d, repo, "job", "facets", "sourceCodeLocation", "url")
	same(t, d, r.Commit, "job", "facets", "sourceCodeLocation", "version")
	same(t, d, "pipeline.hcl", "job", "facets", "sourceCodeLocation", "path")
	same(t, d, "2026-11-16T03:00:00Z", "run", "facets", "nominalTime", "nominalStartTime")
	same(t, d, nil, "run", "facets", "errorMessage")
	same(t, d, nil, "run", "facets", "parent")
	same(t, d, map[string]any{"key": "rows", "value": "1000000"}, "run", "facets", "executionParameters", "parameters", 1)
	same(t, d, "train_digits-17", "run", "facets", "fairlead_run", "id")
	same(t, d, true, "run", "facets", "fairlead_run", "gates", 0, "overridden")
	same(t, d, "dataset.digits", "inputs", 0, "name")
	same(t, d, "sha256:da7a", "inputs", 0, "facets", "version", "datasetVersion")
	same(t, d, "rows: at least 1500", "inputs", 0, "inputFacets", "dataQualityAssertions", "assertions", 0, "assertion")
	same(t, d, "model.digits", "outputs", 0, "name")
	same(t, d, "1.2.0", "outputs", 0, "facets", "version", "datasetVersion")
	same(t, d, "oci://local/digits@sha256:a4", "outputs", 0, "facets", "fairlead_model", "artifact")
	same(t, d, 0.98, "outputs", 0, "facets", "fairlead_model", "metrics", "accuracy")
	same(t, d, 0.2, "outputs", 0, "facets", "fairlead_model", "params", "share")
	same(t, d, "sha256:da7a", "outputs", 0, "facets", "fairlead_model", "data", "digits")
	same(t, d, 4096.0, "outputs", 0, "outputFacets", "outputStatistics", "size")

	r.Reason = "gate good_enough denies"
	d = decoded(t, run.Event{Kind: run.EventFail, At: begin(), Run: r})
	wellFormed(t, d)
	same(t, d, r.Reason, "run", "facets", "errorMessage", "message")
	same(t, d, []any{}, "outputs")
}

func TestAStepAsADocument(t *testing.T) {
	r := pipelineRun()
	whole := decoded(t, run.Event{Kind: run.EventStart, At: begin(), Run: r})
	d := decoded(t, run.Event{Kind: run.EventComplete, At: begin(), Run: r, Node: r.Nodes["train.1"]})
	wellFormed(t, d)
	same(t, d, "train_digits.train", "job", "name")
	same(t, d, "STEP", "job", "facets", "jobType", "jobType")
	same(t, d, at(whole, "run", "runId"), "run", "facets", "parent", "run", "runId")
	same(t, d, "train_digits", "run", "facets", "parent", "job", "name")
	same(t, d, at(whole, "run", "runId"), "run", "facets", "parent", "root", "run", "runId")
	same(t, d, "sha256:1ma9e", "run", "facets", "fairlead_step", "image")
	same(t, d, 64.0, "run", "facets", "fairlead_step", "values", "hidden")
	same(t, d, "dataset.digits", "inputs", 0, "name")
	same(t, d, "pipeline.train_digits.train.1.model", "outputs", 0, "name")
	same(t, d, "sha256:train.1", "outputs", 0, "facets", "version", "datasetVersion")
	same(t, d, 2.0, "outputs", 0, "outputFacets", "outputStatistics", "fileCount")

	d = decoded(t, run.Event{Kind: run.EventFail, At: begin(), Run: r, Node: r.Nodes["evaluate"]})
	wellFormed(t, d)
	same(t, d, "it ended with code 3", "run", "facets", "errorMessage", "message")
	same(t, d, "exit", "run", "facets", "fairlead_step", "cause")
	same(t, d, "steps.hcl", "job", "facets", "sourceCodeLocation", "path")
	var names []string
	for i := range at(d, "inputs").([]any) {
		names = append(names, at(d, "inputs", i, "name").(string))
	}
	if want := []string{"dataset.digits", "pipeline.train_digits.train.0.model", "pipeline.train_digits.train.1.model"}; !slices.Equal(names, want) {
		t.Errorf("inputs: got %v, want %v", names, want)
	}
}

func TestIdentifiersAreStableAndDiffer(t *testing.T) {
	seen := map[string]string{}
	id := func(what string, change func(r *run.Run), node string) {
		r := pipelineRun()
		change(r)
		e := run.Event{Kind: run.EventStart, At: begin(), Run: r, Node: r.Nodes[node]}
		got := at(decoded(t, e), "run", "runId").(string)
		if again := at(decoded(t, e), "run", "runId"); again != got {
			t.Errorf("%s: %s, then %s", what, got, again)
		}
		if other, taken := seen[got]; taken {
			t.Errorf("%s and %s are both %s", what, other, got)
		}
		seen[got] = what
	}
	id("run", func(*run.Run) {}, "")
	id("node", func(*run.Run) {}, "train.0")
	id("other node", func(*run.Run) {}, "train.1")
	id("other run", func(r *run.Run) { r.ID = "train_digits-18" }, "")
	id("other environment", func(r *run.Run) { r.Environment = "staging" }, "")
	id("same number, later", func(r *run.Run) { r.Created = begin().Add(1) }, "")
	// The zone in which a time is read does not count: the store writes it as it was.
	r := pipelineRun()
	r.Created = r.Created.UTC()
	if got := at(decoded(t, run.Event{Kind: run.EventStart, Run: r}), "run", "runId").(string); seen[got] != "run" {
		t.Errorf("in UTC the run is %s", got)
	}
}

var (
	uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	// facetURL is that of a facet of OpenLineage, or of one of ours.
	facetURL = regexp.MustCompile(`^https://openlineage\.io/spec/facets/\d-\d-\d/(\w+Facet)\.json#/\$defs/(\w+Facet)$|^https://raw\.githubusercontent\.com/fairlead/fairlead/main/providers/openlineage/(schema/fairlead-1-0-0\.json)#/\$defs/(Fairlead\w+Facet)$`)
)

// wellFormed holds a document to what OpenLineage 2-0-2 requires of every event.
func wellFormed(t *testing.T, d map[string]any) {
	t.Helper()
	if !slices.Contains([]any{"START", "COMPLETE", "ABORT", "FAIL"}, d["eventType"]) {
		t.Errorf("the type is %v", d["eventType"])
	}
	if _, err := time.Parse(time.RFC3339, at(d, "eventTime").(string)); err != nil {
		t.Error(err)
	}
	same(t, d, "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent", "schemaURL")
	same(t, d, "https://github.com/fairlead/fairlead", "producer")
	if id := at(d, "run", "runId").(string); !uuid.MatchString(id) {
		t.Errorf("%s is no UUID of version 5", id)
	}
	facets := []any{at(d, "run", "facets"), at(d, "job", "facets")}
	for _, of := range []string{"inputs", "outputs"} {
		for _, set := range at(d, of).([]any) { // never null
			if at(set, "namespace") == "" || at(set, "name") == "" {
				t.Errorf("a dataset without a name: %v", set)
			}
			facets = append(facets, at(set, "facets"), at(set, "inputFacets"), at(set, "outputFacets"))
		}
	}
	for _, group := range facets {
		group, _ := group.(map[string]any)
		for name, f := range group {
			checkFacet(t, name, f)
		}
	}
}

func checkFacet(t *testing.T, name string, f any) {
	t.Helper()
	same(t, f.(map[string]any), "https://github.com/fairlead/fairlead", "_producer")
	m := facetURL.FindStringSubmatch(at(f, "_schemaURL").(string))
	if m == nil || m[1] != m[2] || strings.HasPrefix(name, "fairlead_") != (m[3] != "") {
		t.Errorf("facet %s has the schema %v", name, at(f, "_schemaURL"))
		return
	}
	if m[3] == "" {
		return
	}
	raw, err := os.ReadFile(m[3])
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatalf("%s: %v", m[3], err)
	}
	own := at(schema, "$defs", m[4], "allOf", 1)
	same(t, schema, "#/$defs/"+m[4], "properties", name, "$ref")
	for _, required := range at(own, "required").([]any) {
		if at(f, required) == nil {
			t.Errorf("facet %s has no %v", name, required)
		}
	}
	for field := range f.(map[string]any) {
		if field[0] != '_' && at(own, "properties", field) == nil {
			t.Errorf("facet %s has %s, which its schema does not know", name, field)
		}
	}
}
