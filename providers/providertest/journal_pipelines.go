package providertest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// runEnded is the end of the n-th run of a pipeline.
func runEnded(pipeline string, n int) journal.Entry {
	at := day.Add(time.Duration(n) * time.Hour)
	run := fmt.Sprintf("%s-%d", pipeline, n)
	return journal.Entry{
		At: at, Action: journal.ActionEnd, Pipeline: pipeline, Run: run, Commit: strings.Repeat("ab", 20),
		Reason: "succeeded: 6 steps, 2 of them from the cache", Actor: journal.Daemon,
		PipelineRecord: &journal.PipelineRecord{
			FormatVersion: journal.RecordFormat, Pipeline: pipeline, Number: n, Fired: at, Since: at,
			Fingerprint: "f", Datasets: map[string]string{"digits": "sha256:1"},
			Last:      &journal.RunEnded{Run: run, Outcome: "succeeded", Started: at, At: at},
			Published: []journal.RunPublished{{Run: run, Model: "digits", Version: "1.2.0", Artifact: "oci://local/digits@sha256:2", At: at}},
		},
	}
}

func pipelineRecords(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	wantPipelines(t, j, "")
	mustAppend(t, j, promoted("a", 1))
	mustAppend(t, j, runEnded("a", 2)) // the same name as the model, and nothing to do with it
	mustAppend(t, j, runEnded("train", 3))
	mustAppend(t, j, runEnded("a", 4))
	wantPipelines(t, j, "a=4 train=3")
	j = start()
	wantStable(t, opened(t, j), "a=1")
	wantPipelines(t, j, "a=4 train=3")
	records, err := j.Pipelines(t.Context())
	if want := *runEnded("train", 3).PipelineRecord; err != nil || !reflect.DeepEqual(records["train"], want) {
		t.Errorf("got %+v, %v; want %+v", records["train"], err, want)
	}
	mustAppend(t, j, journal.Entry{At: day.Add(5 * time.Hour), Action: journal.ActionRemove, Pipeline: "a"})
	mustAppend(t, j, journal.Entry{At: day.Add(6 * time.Hour), Action: journal.ActionRemove, Model: "a"})
	mustAppend(t, j, journal.Entry{At: day.Add(7 * time.Hour), Action: journal.ActionRemove, Pipeline: "never_there"})
	j = start()
	wantStable(t, opened(t, j), "")
	wantPipelines(t, j, "train=3")
	at, err := j.At(t.Context(), day.Add(4*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	wantStable(t, at, "a=1")
}

func pipelineHistory(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	for n := range 3 {
		mustAppend(t, j, promoted("digits", n))
		mustAppend(t, j, runEnded("train", n+1))
	}
	for want, q := range map[string]journal.Query{
		"train-3 digits train-2 digits train-1 digits": {},
		"train-3 train-2 train-1":                      {Pipeline: "train"},
		"train-3":                                      {Pipeline: "train", Limit: 1},
		"digits digits digits":                         {Model: "digits"},
		"":                                             {Model: "train"},
	} {
		entries, err := j.History(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Model+e.Run)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("the history for %+v is %q; want %q", q, got, want)
		}
	}
	entries, err := j.History(t.Context(), journal.Query{Limit: 1})
	if err != nil || len(entries) != 1 {
		t.Fatalf("got %v, %v", entries, err)
	}
	want := runEnded("train", 3)
	want.ID, want.PipelineRecord = entries[0].ID, nil
	if entries[0] != want || want.ID == "" {
		t.Errorf("got %+v; want %+v", entries[0], want)
	}
}

func mixedEntry(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	for name, spoil := range map[string]func(*journal.Entry){
		"a model, too":                func(e *journal.Entry) { e.Model = "digits" },
		"neither":                     func(e *journal.Entry) { e.Pipeline = "" },
		"a path":                      func(e *journal.Entry) { e.Pipeline = "../x" },
		"an action on models":         func(e *journal.Entry) { e.Action = journal.ActionPromote },
		"no run":                      func(e *journal.Entry) { e.Run = "" },
		"a record of a model":         func(e *journal.Entry) { e.Record = promoted("digits", 1).Record },
		"a record of another":         func(e *journal.Entry) { e.PipelineRecord.Pipeline = "other" },
		"a weight":                    func(e *journal.Entry) { e.Weight = 5 },
		"a run's action on a model":   func(e *journal.Entry) { *e = promoted("digits", 1); e.Action = journal.ActionRun },
		"a pipeline's record and run": func(e *journal.Entry) { e.Model, e.Pipeline, e.Action = "digits", "", journal.ActionPromote },
	} {
		e := runEnded("train", 1)
		spoil(&e)
		if err := j.Append(t.Context(), e); err == nil {
			t.Errorf("%s: it is stored", name)
		}
	}
	wantPipelines(t, j, "")
	wantHistory(t, j, journal.Query{}, "")
}

func appendTogether(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	const each = 8
	var writers sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		writers.Go(func() {
			for n := range each {
				if err := j.Append(t.Context(), runEnded(name, n+1)); err != nil {
					t.Error(err)
				}
			}
		})
		writers.Go(func() {
			for n := range each {
				if err := j.Append(t.Context(), promoted(name, n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	j = start()
	wantStable(t, opened(t, j), fmt.Sprintf("a=%d b=%d", each-1, each-1))
	wantPipelines(t, j, fmt.Sprintf("a=%d b=%d", each, each))
	if entries, err := j.History(t.Context(), journal.Query{}); err != nil || len(entries) != 4*each {
		t.Errorf("there are %d entries, %v; want %d", len(entries), err, 4*each)
	}
}

// wantPipelines compares the numbers of the newest runs, written as PIPELINE=N.
func wantPipelines(t *testing.T, j journal.Journal, want string) {
	t.Helper()
	records, err := j.Pipelines(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range slices.Sorted(maps.Keys(records)) {
		got = append(got, fmt.Sprintf("%s=%d", name, records[name].Number))
	}
	if strings.Join(got, " ") != want {
		t.Errorf("the pipelines are %q; want %q", got, want)
	}
}
